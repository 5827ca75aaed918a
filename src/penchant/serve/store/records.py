"""What the store takes and gives: events, people, changes, impressions."""

import time
from typing import Any, NamedTuple

from penchant.recommendation.interests import Control


class Posted(NamedTuple):
    """An event as it came: about an item, a query, a topic or a creator (``kind``)."""

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


class Kept(NamedTuple):
    """An event of one history, oldest first."""

    seq: int
    kind: str
    about: str
    behavior: str
    domain: str | None
    time: int
    value: float | None


class Person(NamedTuple):
    """What the store knows of a user besides events; ``consent`` None where nothing was said.

    ``profile`` is the user's own text of their interests: "" where there is another, None where
    there is none.
    """

    controls: tuple[Control, ...] = ()
    consent: bool | None = None
    profile: str | None = None


class Look(NamedTuple):
    """What a request reads: the latest change, the person, and their events."""

    revision: int
    person: Person
    events: tuple[Kept, ...]


class Change(NamedTuple):
    """One step of what all workers follow: an item, its state, an artifact, who is forgotten."""

    id: int
    kind: str
    key: str
    content: dict[str, Any]
    time: int


class Added(NamedTuple):
    """What became of posted events: kept, known already, and refused (place, reason)."""

    accepted: int
    duplicates: int
    refused: tuple[tuple[int, str], ...]


class Shown(NamedTuple):
    """One place of a list that was shown."""

    request: str
    user: str | None
    session: str | None
    arm: str
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
