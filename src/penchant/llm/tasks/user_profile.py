"""A user's interests as a short text, for the user to read and to correct."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.tasks.evidence import (
    Aliases,
    cut,
    evidence,
    failure_note,
    join_names,
    parts,
    refusal_note,
)
from penchant.llm.tasks.explanation_text import TextReply
from penchant.llm.tasks.fact_check import MentionIndex, TextLimits, merge_facts, refusal
from penchant.llm.tasks.interest_names import facts_of
from penchant.recommendation.interests import Interest, Interests, Profile

LIMITS = TextLimits(longest=600, sentences=8)
"""What a model's text may be."""

NONE = "No interests are known yet."
"""The text where there are no interests."""

_SHORT = 50  # characters of a label or title
_EXAMPLES = 3


def write_profile(
    interests: Interests,
    catalogue: Catalogue,
    model: LanguageModel | None = None,
    saved: Profile | None = None,
) -> Profile:
    """Describe a user's interests in a text: their own, the saved one, or a new one.

    A saved text stays while the interests are those that it was made of; one that was written
    without a model is made again where there is a model that was not asked. Muted interests are
    left out. A model's text is refused where it names an item or a number that the prompt did not:
    the text without a model then stands, with a note. Where the model fails the note says so, and
    the next call asks it again.
    """
    if saved is not None and saved.edited:
        return saved
    shown = [interest for interest in interests.clusters if interest.factor > 0]
    aliases = Aliases(catalogue)
    evidences = [evidence(interest, catalogue, aliases) for interest in shown]
    labels = [aliases.label(interest.label) for interest in shown]
    groups = [
        {**described, "label": label} for described, label in zip(evidences, labels, strict=True)
    ]
    made = digest(groups, aliases.given)
    if saved is not None and saved.made == made and _settled(saved, model):
        return saved
    text = plain_profile(shown)
    if model is None or not shown:
        return Profile(text, made=made)
    try:
        answer = model.ask(
            prompt("profile", {"interests": groups}, about_users=True), TextReply
        ).text
    except LanguageModelError as error:
        return Profile(text, made="", note=failure_note(error))
    facts = merge_facts(map(facts_of, shown, evidences))
    names = [part for label in labels for part in parts(label)]
    facts = facts._replace(names=(*facts.names, *names))
    reason = refusal(answer, facts, MentionIndex.of(catalogue), LIMITS)
    if reason is not None:
        return Profile(text, made=made, note=refusal_note(reason))
    return Profile(aliases.back(" ".join(answer.split())), model=model.name, made=made)


def _settled(saved: Profile, model: LanguageModel | None) -> bool:
    """Whether the model, where there is one, was asked for the saved text."""
    return model is None or saved.model is not None or saved.note is not None


def digest(groups: Sequence[Mapping[str, object]], items: Sequence[str]) -> str:
    """The digest of a state of interests, which a saved text keeps."""
    content = json.dumps([groups, items], sort_keys=True)
    return sha256(content.encode()).hexdigest()


def plain_profile(shown: list[Interest]) -> str:
    """The text without a model, of at most 600 characters; the weightiest interest first."""
    if not shown:
        return NONE
    text = ""
    for place, interest in enumerate(shown):
        start = "Mostly" if place == 0 else "Then" if place == 1 else "Also"
        titles = [title for title in dict.fromkeys(interest.titles) if title != interest.label]
        examples = join_names(cut(title, _SHORT) for title in titles[:_EXAMPLES])
        such_as = f", such as {examples}" if examples else ""
        share = f"{round(100 * interest.weight)}%{' of your activity' if place == 0 else ''}"
        part = f"{start} {cut(interest.label, _SHORT)} ({share}){such_as}."
        if len(text) + 1 + len(part) > LIMITS.longest:
            break
        text = f"{text} {part}".strip()
    return text
