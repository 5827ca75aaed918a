"""Interests by name: a few words and a sentence for each, from its own evidence."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.tasks.evidence import (
    NO_MODEL,
    Aliases,
    cut,
    evidence,
    listed,
    month,
    parts,
    unanswered,
    year,
)
from penchant.llm.tasks.fact_check import Check, Facts, Mentions, refusal
from penchant.recommendation.explain.contributions import done
from penchant.recommendation.interests import Interest, Interests

NAME, SENTENCE = 40, 160
"""Characters of a name and of a sentence."""

_SUCH = 3  # titles of a plain sentence
_SHORT = 40  # characters of each


class Group(BaseModel):
    """What a model says of a group, by the number that it was told."""

    number: int
    name: str
    sentence: str


class Groups(BaseModel):
    """What a model says of all groups."""

    groups: list[Group]


@dataclass(frozen=True)
class Named:
    """An interest in words.

    model  that found them; None where these are the plain ones
    note   why they are; None where a model found them, and where none is set up
    """

    id: str
    name: str
    sentence: str
    model: str | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        names = ("id", "name", "sentence", "model", "note")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Worded:
    """All interests in words, in their order.

    refused  names and sentences of a model that were not taken
    dropped  that were for no interest, or for one that had been named
    note     what became of the model; None where all that it said was taken
    """

    named: tuple[Named, ...]
    refused: int = 0
    dropped: int = 0
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "interests": [one.to_dict() for one in self.named],
            "refused": self.refused,
            "dropped": self.dropped,
            "note": self.note,
        }


def named(interests: Interests, catalogue: Catalogue, model: LanguageModel | None = None) -> Worded:
    """A name of at most 40 characters and a sentence of at most 160 for each interest.

    The model is told titles, tags and behaviors with their shares, and nothing of who it is about.
    What it says of an interest is taken where it names no item of the catalogue that is not in that
    interest's evidence, and no other number; else the plain words stand.
    """
    without = tuple(in_counts(one) for one in interests.clusters)
    if model is None or not without:
        return Worded(without, note=NO_MODEL if model is None else None)
    aliases = Aliases(catalogue)
    told = [evidence(one, catalogue, aliases) for one in interests.clusters]
    data = {"groups": [{"number": n, **of} for n, of in enumerate(told, 1)]}
    try:
        reply = model.ask(prompt("interests", data, about_users=True), Groups)
    except LanguageModelError as error:
        return Worded(without, note=unanswered(error))
    mentions = Mentions.of(catalogue)
    answers: dict[int, Group] = {}
    for group in reply.groups:
        answers.setdefault(group.number, group)
    found, reasons = list(without), Counter[str]()
    for place, one in enumerate(interests.clusters):
        answer = answers.pop(place + 1, None)
        if answer is None:
            continue
        reason = _refusal(answer, one, told[place], mentions)
        if reason is not None:
            reasons[reason] += 1
            found[place] = Named(one.id, without[place].name, without[place].sentence, note=reason)
        else:
            name = cut(aliases.back(answer.name), NAME)
            sentence = cut(aliases.back(answer.sentence), SENTENCE)
            found[place] = Named(one.id, name, sentence, model.name)
    kept = sum(one.model is not None for one in found)
    refused = sum(reasons.values())
    dropped = len(reply.groups) - kept - refused
    return Worded(tuple(found), refused, dropped, _note(len(found), kept, refused, dropped))


def _note(all_: int, kept: int, refused: int, dropped: int) -> str | None:
    said = [f"{refused} of {all_} texts were refused"] if refused else []
    said += [f"{dropped} were for no interest, or a second time for one"] if dropped else []
    said += [f"{all_ - kept - refused} had none"] if kept + refused < all_ else []
    return f"the language model's words: {'; '.join(said)}; there the plain ones stand" if said else None  # noqa: E501  # fmt: skip


def _refusal(answer: Group, one: Interest, told: dict[str, Any], mentions: Mentions) -> str | None:
    facts = facts_of(one, told)
    both = f"{answer.name.strip()}: {answer.sentence.strip()}"
    return (
        refusal(answer.name, facts, mentions, Check(NAME, 1, ""))
        or refusal(answer.sentence, facts, mentions, Check(SENTENCE, 1, ""))
        or refusal(both, facts, mentions, Check(NAME + SENTENCE + 2, 2, "word"))
    )


def facts_of(one: Interest, told: dict[str, Any]) -> Facts:
    """What may be said of an interest: what a model was told of it, and its label."""
    label = parts(one.label) if one.label not in one.items else []
    shares = [*told["tags"].values(), *told["behaviors"].values(), told["share"]]
    numbers = frozenset([float(one.events), *year(one.last)])
    return Facts((*told["titles"], *told["tags"], *label), numbers, frozenset(map(float, shares)))


def in_counts(one: Interest) -> Named:
    """An interest in plain words: its label, and a sentence made of counts."""
    count = f"{one.events:,} event{'' if one.events == 1 else 's'}"
    last = "" if one.last is None else f"; last in {month(one.last)}"
    start = f"{count}{_behaved(one)}{last}"
    such = [cut(title, _SHORT) for title in one.titles[:_SUCH]]
    while such and len(start) + len(listed(such)) + 11 > SENTENCE:
        such.pop()
    end = f"; such as {listed(such)}" if such else ""
    return Named(one.id, cut(one.label, NAME), f"{cut(start, SENTENCE - 1)}{end}.")


def _behaved(one: Interest) -> str:
    """What was mostly done."""
    if not one.behaviors:
        return ""
    names = sorted(one.behaviors, key=lambda name: -one.behaviors[name])
    most = one.behaviors[names[0]]
    if len(names) == 1 or most > 0.995:
        return f", {done(names[0])}"
    if most > 0.5:
        return f", mostly {done(names[0])}"
    return f", {done(names[0])} or {done(names[1])}"
