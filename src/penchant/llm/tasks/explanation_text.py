"""An explanation in a model's words: of the facts that were computed, and nothing else."""

from typing import Any

from pydantic import BaseModel

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.tasks.evidence import NO_MODEL, Aliases, Wording, parts, refused, unanswered
from penchant.llm.tasks.fact_check import Check, Facts, Mentions, refusal
from penchant.recommendation.explain.explanation import Explanation

CHECK = Check(longest=400, sentences=2)
"""What a sentence for a person may be."""

_REASONS = 5
_LEAST = 0.01  # share of a reason that is told
_WITHHELD = ("attribute", "opening")  # who somebody is, and how long they have been here


class Text(BaseModel):
    """A text as a model gives it."""

    text: str


def worded(
    explanation: Explanation, catalogue: Catalogue, model: LanguageModel | None = None
) -> Wording:
    """Why an item is recommended, in at most two sentences of a model.

    The model is told the item's title, the reasons with behaviors and rounded shares, and the
    labels of interests; never an attribute of the person. A text that names another item of the
    catalogue, holds another number, has more than two sentences, markup or a link is refused: the
    plain sentence stands, with a note that says why.
    """
    if model is None:
        return Wording(explanation.sentence, None, NO_MODEL)
    aliases = Aliases(catalogue)
    data, facts = told(explanation, aliases)
    if not data["reasons"]:
        return Wording(explanation.sentence, None, "there is no reason to put into words")
    try:
        text = model.ask(prompt("explanation", data, about_users=True), Text).text
    except LanguageModelError as error:
        return Wording(explanation.sentence, None, unanswered(error))
    reason = refusal(text, facts, Mentions.of(catalogue), CHECK)
    if reason is None and not Mentions.called(facts.names[1:]).within(text):
        reason = "it names none of the reasons that it was given"  # the item itself is none
    if reason is not None:
        return Wording(explanation.sentence, None, refused(reason))
    return Wording(aliases.back(" ".join(text.split())), model.name)


def told(explanation: Explanation, aliases: Aliases) -> tuple[dict[str, Any], Facts]:
    """What a model is told of an explanation, and what it may say then."""
    speaking = [one for one in explanation.reasons if abs(one.share) >= _LEAST]
    reasons: list[dict[str, Any]] = [
        {
            "about": aliases.name(one.about, one.title),
            "behavior": one.behavior,
            "share": round(100 * one.share),
        }
        for one in [one for one in speaking if one.behavior not in _WITHHELD][:_REASONS]
    ]
    shown = [
        one for one in explanation.interests if one.id is not None and abs(one.share) >= _LEAST
    ]
    labels: list[dict[str, Any]] = [
        {"label": aliases.label(one.label), "share": round(100 * one.share)} for one in shown
    ]
    item = aliases.name(explanation.item, explanation.title)
    names = [item, *(one["about"] for one in reasons)]
    names += [part for one in labels for part in parts(one["label"])]
    shares = frozenset(float(abs(one["share"])) for one in [*reasons, *labels])
    data = {"item": item, "reasons": reasons, "interests": labels}
    return data, Facts(tuple(names), percents=shares)
