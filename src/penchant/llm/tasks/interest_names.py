"""Interests by name: a few words and a sentence for each, from its own evidence."""

from collections import Counter
from dataclasses import dataclass, replace

from pydantic import BaseModel

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError, counted
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.tasks.evidence import (
    NO_MODEL,
    Aliases,
    InterestEvidence,
    cut,
    evidence,
    failure_note,
    join_names,
    month,
    parts,
    year,
)
from penchant.llm.tasks.fact_check import Facts, MentionIndex, TextLimits, refusal
from penchant.recommendation.explain.contributions import done
from penchant.recommendation.interests import Interest, Interests

NAME, SENTENCE = 40, 160
"""Characters of a name and of a sentence."""

_EXAMPLES = 3  # titles of a sentence
_SHORT = 40  # characters of each


class InterestName(BaseModel):
    """What a model says of a group, by the number that it was told."""

    number: int
    name: str
    sentence: str


class InterestNames(BaseModel):
    """What a model says of all groups."""

    groups: list[InterestName]


@dataclass(frozen=True)
class NamedInterest:
    """An interest in words.

    model  that wrote them; None where they were written without one
    note   why they were; None where a model wrote them, and where none is configured
    """

    id: str
    name: str
    sentence: str
    model: str | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As JSON types."""
        names = ("id", "name", "sentence", "model", "note")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class NamedInterests:
    """All interests in words, in their order.

    refused  names and sentences of a model that failed the fact check
    dropped  that were for no interest, or for one that had been named
    note     what became of the model; None where all of its reply was accepted
    """

    named: tuple[NamedInterest, ...]
    refused: int = 0
    dropped: int = 0
    note: str | None = None

    def to_dict(self) -> dict[str, object]:
        """As JSON types."""
        return {
            "interests": [name.to_dict() for name in self.named],
            "refused": self.refused,
            "dropped": self.dropped,
            "note": self.note,
        }


def name_interests(
    interests: Interests, catalogue: Catalogue, model: LanguageModel | None = None
) -> NamedInterests:
    """Name each interest in at most 40 characters, and describe it in at most 160.

    The prompt holds titles, tags and behaviors with their shares, and nothing on who the user is.
    A reply is accepted where it names no item of the catalogue and no number that is not in that
    interest's evidence; else a name and a sentence are written without the model.
    """
    without = tuple(map(plain_name, interests.clusters))
    if model is None or not without:
        return NamedInterests(without, note=NO_MODEL if model is None else None)
    aliases = Aliases(catalogue)
    evidences = [evidence(interest, catalogue, aliases) for interest in interests.clusters]
    data = {"groups": [{"number": n, **group} for n, group in enumerate(evidences, 1)]}
    try:
        reply = model.ask(prompt("interests", data, about_users=True), InterestNames)
    except LanguageModelError as error:
        return NamedInterests(without, note=failure_note(error))
    mentions = MentionIndex.of(catalogue)
    answers: dict[int, InterestName] = {}
    for group in reply.groups:
        answers.setdefault(group.number, group)
    names, reasons = list(without), Counter[str]()
    for place, interest in enumerate(interests.clusters):
        answer = answers.pop(place + 1, None)
        if answer is None:
            continue
        reason = _refusal(answer, interest, evidences[place], mentions)
        if reason is not None:
            reasons[reason] += 1
            names[place] = replace(without[place], note=reason)
        else:
            name = cut(aliases.back(answer.name), NAME)
            sentence = cut(aliases.back(answer.sentence), SENTENCE)
            names[place] = NamedInterest(interest.id, name, sentence, model.name)
    accepted = sum(name.model is not None for name in names)
    refused = sum(reasons.values())
    dropped = len(reply.groups) - accepted - refused
    note = _note(len(names), accepted, refused, dropped)
    return NamedInterests(tuple(names), refused, dropped, note)


def _note(count: int, accepted: int, refused: int, dropped: int) -> str | None:
    missing = count - accepted - refused
    faults = [
        f"{refused} of {count} were refused" if refused else "",
        f"{dropped} fit no interest, or named one twice" if dropped else "",
        f"{missing} of {count} interests were left out" if missing else "",
    ]
    if not any(faults):
        return None
    listed = "; ".join(fault for fault in faults if fault)
    return f"of the language model's names {listed}; those names were written without it"


def _refusal(
    answer: InterestName, interest: Interest, given: InterestEvidence, mentions: MentionIndex
) -> str | None:
    facts = facts_of(interest, given)
    both = f"{answer.name.strip()}: {answer.sentence.strip()}"
    return (
        refusal(answer.name, facts, mentions, TextLimits(NAME, 1, ""))
        or refusal(answer.sentence, facts, mentions, TextLimits(SENTENCE, 1, ""))
        or refusal(both, facts, mentions, TextLimits(NAME + SENTENCE + 2, 2, "word"))
    )


def facts_of(interest: Interest, given: InterestEvidence) -> Facts:
    """What a text may say of an interest: what the prompt said of it, and its label."""
    label = parts(interest.label) if interest.label not in interest.items else []
    shares = [*given["tags"].values(), *given["behaviors"].values(), given["share"]]
    numbers = frozenset([float(interest.events), *year(interest.last)])
    return Facts((*given["titles"], *given["tags"], *label), numbers, frozenset(map(float, shares)))


def plain_name(interest: Interest) -> NamedInterest:
    """An interest without a model: its label, and a sentence made of counts."""
    last = "" if interest.last is None else f", last in {month(interest.last)}"
    start = f"{counted(interest.events, 'event')}{_behaved(interest)}{last}"
    examples = [cut(title, _SHORT) for title in interest.titles[:_EXAMPLES]]
    while examples and len(start) + len(join_names(examples)) + 15 > SENTENCE:
        examples.pop()
    end = f"; for example {join_names(examples)}" if examples else ""
    name = cut(interest.label, NAME)
    return NamedInterest(interest.id, name, f"{cut(start, SENTENCE - 1)}{end}.")


def _behaved(interest: Interest) -> str:
    """The most frequent behavior, in words."""
    shares = interest.behaviors
    if not shares:
        return ""
    names = sorted(shares, key=lambda name: -shares[name])
    most = shares[names[0]]
    if len(names) == 1 or most > 0.995:
        return f", {done(names[0])}"
    if most > 0.5:
        return f", mostly {done(names[0])}"
    return f", {done(names[0])} or {done(names[1])}"
