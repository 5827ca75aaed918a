"""A user's interests as a short text, for the user to read and to correct."""

import json
from hashlib import sha256
from typing import Any

from penchant.data.dataset import Catalogue
from penchant.errors import LanguageModelError
from penchant.llm.client import LanguageModel
from penchant.llm.client.prompts import prompt
from penchant.llm.tasks.evidence import Aliases, cut, evidence, listed, parts, refused, unanswered
from penchant.llm.tasks.explanation_text import Text
from penchant.llm.tasks.fact_check import Check, Mentions, joined, refusal
from penchant.llm.tasks.interest_names import facts_of
from penchant.recommendation.interests import Interest, Interests, Profile

CHECK = Check(longest=600, sentences=8)
"""What a made text may be."""

NONE = "No interests are known yet."
"""The text where there are no interests."""

_SHORT = 50  # characters of a label or title of the plain text
_SUCH = 3


def profiled(
    interests: Interests,
    catalogue: Catalogue,
    model: LanguageModel | None = None,
    kept: Profile | None = None,
) -> Profile:
    """The text of a user's interests: their own, the kept one while it holds, or a new one.

    A kept text holds while the interests are those that it was made of; one in plain words is made
    again where a model is there that was not asked. Muted interests are not told. A model's text is
    refused where it names an item of the catalogue, or a number, that it was not told: the plain
    words then stand, with a note; where the model fails the note says so, and it is asked again.
    """
    if kept is not None and kept.edited:
        return kept
    shown = [one for one in interests.clusters if one.factor > 0]
    aliases = Aliases(catalogue)
    told = [(evidence(one, catalogue, aliases), aliases.label(one.label)) for one in shown]
    groups = [{**of, "label": label} for of, label in told]
    made = digest(groups, aliases.given)
    if kept is not None and kept.made == made and _settled(kept, model):
        return kept
    text = plainly(shown)
    if model is None or not shown:
        return Profile(text, made=made)
    try:
        answer = model.ask(prompt("profile", {"interests": groups}, about_users=True), Text).text
    except LanguageModelError as error:
        return Profile(text, made="", note=unanswered(error))
    facts = joined(facts_of(one, of) for one, of in zip(shown, groups, strict=True))
    labels = [part for of in groups for part in parts(of["label"])]
    facts = facts._replace(names=(*facts.names, *labels))
    reason = refusal(answer, facts, Mentions.of(catalogue), CHECK)
    if reason is not None:
        return Profile(text, made=made, note=refused(reason))
    return Profile(aliases.back(" ".join(answer.split())), model=model.name, made=made)


def _settled(kept: Profile, model: LanguageModel | None) -> bool:
    """Whether a model that is there has had its say."""
    return model is None or kept.model is not None or kept.note is not None


def digest(groups: list[dict[str, Any]], items: list[str]) -> str:
    """What tells one state of interests from another."""
    told = json.dumps([groups, items], sort_keys=True)
    return sha256(told.encode()).hexdigest()


def plainly(shown: list[Interest]) -> str:
    """The text in plain words, of at most 600 characters; weightiest first."""
    if not shown:
        return NONE
    text = ""
    for place, one in enumerate(shown):
        start = "Mostly" if place == 0 else "Then" if place == 1 else "Also"
        such = [title for title in dict.fromkeys(one.titles) if title != one.label][:_SUCH]
        such_as = f", such as {listed(cut(title, _SHORT) for title in such)}" if such else ""
        share = f"{round(100 * one.weight)} %{' of what was done' if place == 0 else ''}"
        part = f"{start} {cut(one.label, _SHORT)} ({share}){such_as}."
        if len(text) + 1 + len(part) > CHECK.longest:
            break
        text = f"{text} {part}".strip()
    return text
