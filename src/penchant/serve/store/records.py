"""Records of the store: events, users' preferences, changes, impressions."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from penchant.recommendation.interests import Control


class IncomingEvent(NamedTuple):
    """An event as it was posted: about an item, a query, a topic or a creator (``kind``)."""

    id: str
    user: str | None
    session: str | None
    kind: str
    about: str
    behavior: str
    domain: str | None
    time: int
    value: float | None
    request: str | None = None


class StoredEvent(NamedTuple):
    """An event of a history, as the store gives it."""

    seq: int
    kind: str
    about: str
    behavior: str
    domain: str | None
    time: int
    value: float | None


class UserPreferences(NamedTuple):
    """What the store knows about a user besides events.

    controls  their interest settings
    consent   to personalization; None where they have not decided
    profile   their own text of their interests; "" for a generated text, None for no text
    """

    controls: tuple[Control, ...] = ()
    consent: bool | None = None
    profile: str | None = None


class UserSnapshot(NamedTuple):
    """What a request reads: the latest change, the user's preferences, and their events."""

    revision: int
    preferences: UserPreferences
    events: tuple[StoredEvent, ...]


class Change(NamedTuple):
    """A change that all workers follow: of an item, its state, an artifact, or an erasure."""

    id: int
    kind: str
    key: str
    content: Mapping[str, Any]
    time: int


class PostResult(NamedTuple):
    """What became of posted events: stored, already known, and refused (place, reason)."""

    accepted: int
    duplicates: int
    refused: tuple[tuple[int, str], ...]


class Impression(NamedTuple):
    """An item of a list that was shown, at its position."""

    request: str
    user: str | None
    session: str | None
    variant: str
    artifact: str
    behavior: str
    position: int
    item: str
    propensity: float
    candidates: list[str] | None
    time: int


def now() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000
