"""An explanation in a model's words: of the computed facts, and nothing else."""

from typing import TypedDict

from pydantic import BaseModel

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.tasks.evidence import (
    NO_MODEL,
    Aliases,
    Wording,
    failure_note,
    parts,
    refusal_note,
)
from penchant.llm.tasks.fact_check import Facts, MentionIndex, TextLimits, refusal
from penchant.recommendation.explain.explanation import Explanation

LIMITS = TextLimits(longest=400, sentences=2)
"""What a model's text may be."""

_REASONS = 5
_LEAST = 0.01  # share of a reason that is told
_WITHHELD = ("attribute", "opening")  # who somebody is, and how long they have been here


class TextReply(BaseModel):
    """A text as a model gives it."""

    text: str


def word_explanation(
    explanation: Explanation, catalogue: Catalogue, model: LanguageModel | None = None
) -> Wording:
    """Say why an item is recommended, in at most two sentences of a model.

    The prompt holds the item's title, the reasons with behaviors and rounded shares, and the labels
    of interests; never an attribute of the person. A text that names another item of the catalogue,
    holds another number, has more than two sentences, markup or a link is refused: the sentence
    that is made without a model stands, with a note that says why.
    """
    if model is None:
        return Wording(explanation.sentence, None, NO_MODEL)
    aliases = Aliases(catalogue)
    data, facts = explanation_evidence(explanation, aliases)
    if not data["reasons"]:
        return Wording(explanation.sentence, None, "there is no reason to describe")
    try:
        text = model.ask(prompt("explanation", data, about_users=True), TextReply).text
    except LanguageModelError as error:
        return Wording(explanation.sentence, None, failure_note(error))
    reason = refusal(text, facts, MentionIndex.of(catalogue), LIMITS)
    if reason is None and not MentionIndex.called(facts.names[1:]).within(text):
        reason = "it names none of the given reasons"  # the item itself is none
    if reason is not None:
        return Wording(explanation.sentence, None, refusal_note(reason))
    return Wording(aliases.back(" ".join(text.split())), model.name)


class ReasonEvidence(TypedDict):
    """A reason in a prompt; its share in percent."""

    about: str
    behavior: str
    share: int


class LabelEvidence(TypedDict):
    """An interest in a prompt; its share in percent."""

    label: str
    share: int


class ExplanationEvidence(TypedDict):
    """An explanation in a prompt."""

    item: str
    reasons: list[ReasonEvidence]
    interests: list[LabelEvidence]


def explanation_evidence(
    explanation: Explanation, aliases: Aliases
) -> tuple[ExplanationEvidence, Facts]:
    """What a prompt says of an explanation, and what a text may say then."""
    named = [reason for reason in explanation.reasons if abs(reason.share) >= _LEAST]
    reasons: list[ReasonEvidence] = [
        {
            "about": aliases.name(reason.about, reason.title),
            "behavior": reason.behavior,
            "share": round(100 * reason.share),
        }
        for reason in [each for each in named if each.behavior not in _WITHHELD][:_REASONS]
    ]
    shown = [
        one for one in explanation.interests if one.id is not None and abs(one.share) >= _LEAST
    ]
    labels: list[LabelEvidence] = [
        {"label": aliases.label(one.label), "share": round(100 * one.share)} for one in shown
    ]
    item = aliases.name(explanation.item, explanation.title)
    names = [item, *(one["about"] for one in reasons)]
    names += [part for one in labels for part in parts(one["label"])]
    shares = frozenset(float(abs(one["share"])) for one in [*reasons, *labels])
    data = ExplanationEvidence(item=item, reasons=reasons, interests=labels)
    return data, Facts(tuple(names), percents=shares)
