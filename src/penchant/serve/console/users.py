"""A user: what they did, what they are interested in, what they are shown and why."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from penchant.data.dataset import Events
from penchant.llm.tasks.interest_names import name_interests
from penchant.recommendation.interests import Interests, Profile
from penchant.recommendation.interests.profile import MOST as LONGEST
from penchant.recommendation.results import ScoredItem
from penchant.report.interest_maps import interest_map, swatch
from penchant.serve.console.rendering import Html, moment
from penchant.serve.service import profiles, reads
from penchant.serve.service.live import Known, Live
from penchant.serve.service.reads import Ask
from penchant.serve.store.records import Kept
from penchant.types import Ints

LATEST = 50
"""Events of a timeline."""

K = 10
"""Items of the list."""

MOST = 3.0
"""What an interest can be weighed at most from the console; the service takes any factor to 100."""

_MARKS = (0, 1, 2, 3)  # of its slider


class Line(NamedTuple):
    """An event of a timeline; ``item`` None where it is about none, ``new`` of the store."""

    item: str | None
    told: str
    behavior: str
    when: str
    new: bool


class Place(NamedTuple):
    """An item of the list: its bar from 0 to 1, and how many places it rose.

    ``moved`` is None where it was not in the list before; 0 too where nothing was before.
    """

    row: ScoredItem
    part: float
    moved: int | None


def listed(live: Live, user: str, behavior: str | None) -> list[str]:
    """The items of a user's list, which is not logged as shown."""
    found = reads.recommend(live, Ask(user, k=K, behavior=behavior, logged=False)).found
    return [row.item for row in found.items]


def view(
    live: Live, user: str, behavior: str | None, before: Sequence[str] | None = None
) -> dict[str, Any]:
    """What the page of a user shows; ``before`` are the items of a list to compare with.

    Raises ConfigError for a behavior that the run does not recommend for.
    """
    of = live.known(user, behavior=behavior)
    lines, events = timeline(live, of, user)
    served = reads.recommend(live, Ask(user, k=K, behavior=behavior, explain=True, logged=False))
    interests = None if of.arm.model.transition is None else reads.interests(live, user)
    data = of.arm.model.dataset
    words = {} if interests is None else sentences(of, interests)
    return {
        "user": user,
        "arm": of.arm,
        "behavior": behavior or data.target,
        "behaviors": [data.target, *of.arm.model.others],
        "consent": of.consent,
        "known": events > 0,
        "lines": lines,
        "events": events,
        "source": served.found.source,
        "places": _places(served.found.items, before),
        "interests": interests,
        "sentences": words,
        "profile": None if not of.consent else text_of(live, user, of, interests),
        "longest": LONGEST,
        "map": _map(of, user, interests),
        "swatch": lambda place: Html(swatch(place)),
        "most": MOST,
        "marks": _MARKS,
        "weighed": weighed,
    }


def sentences(of: Known, interests: Interests) -> dict[str, str]:
    """A plain sentence for each interest, by its id."""
    return {
        one.id: one.sentence for one in name_interests(interests, of.head.dataset.catalogue).named
    }


def text_of(live: Live, user: str, of: Known, interests: Interests | None) -> Profile | None:
    """The text of a user's interests, without waiting for a model; None where none can be made."""
    if interests is None and of.profile is None:
        return None
    return profiles.profile(live, user)


def weighed(factor: float) -> str:
    """What is made of an interest, in words.

    >>> weighed(0), weighed(1), weighed(2.5)
    ('muted', 'as it is', 'weighed 2.5 times')
    """
    return {0.0: "muted", 1.0: "as it is"}.get(factor, f"weighed {factor:.3g} times")


def timeline(live: Live, of: Known, user: str) -> tuple[list[Line], int]:
    """The latest events of the run and of the store as one, the latest first; how many in all."""
    data = of.arm.model.dataset
    past = Events.empty()
    if of.given.users[0] >= 0:
        past = data.history(user).events
    kept = live.store.look(user, None, of.arm.seq).events if of.consent else ()
    first = max(0, len(past) - LATEST)
    clock = data.time == "clock"
    old = [(int(past.time[e]) if clock else 0, _old(of, past, e)) for e in range(first, len(past))]
    new = [(one.time if clock else 1, _new(of, one)) for one in kept[-LATEST:]]
    both = sorted([*old, *new], key=lambda pair: pair[0])  # stable: of equal times, the run's first
    return [line for _, line in both[::-1][:LATEST]], len(past) + len(kept)


def _old(of: Known, past: Events, place: int) -> Line:
    data = of.arm.model.dataset
    catalogue, row = data.catalogue, int(past.item[place])
    behavior = catalogue.behaviors[past.behavior[place]].name
    when = moment(int(past.time[place])) if data.time == "clock" else ""
    if row < 0:
        return Line(None, catalogue.tokens.ids[past.token[place]], behavior, when, False)
    item = catalogue.items.ids[row]
    return Line(item, catalogue.title(row) or item, behavior, when, False)


def _new(of: Known, event: Kept) -> Line:
    if event.kind != "item":
        told = f"{event.kind}: {event.about}"
        return Line(None, told, event.behavior, moment(event.time), True)
    catalogue = of.arm.model.dataset.catalogue
    row = catalogue.items.index.get(event.about, -1)
    title = catalogue.title(row) if row >= 0 else None
    item = event.about if row >= 0 else None
    return Line(item, title or event.about, event.behavior, moment(event.time), True)


def _places(rows: Sequence[ScoredItem], before: Sequence[str] | None) -> list[Place]:
    most = max((row.probability or 0.0 for row in rows), default=0.0) or 1.0
    was = {item: place for place, item in enumerate(before or ())}
    return [
        Place(
            row,
            (row.probability or 0.0) / most,
            0 if before is None else was[row.item] - place if row.item in was else None,
        )
        for place, row in enumerate(rows)
    ]


def _map(of: Known, user: str, interests: Interests | None) -> Html | None:
    """The map of interests; None where nothing could be drawn."""
    item: Ints = of.given.events.item
    if interests is None or not interests.clusters or not np.any(item >= 0):
        return None
    return Html(interest_map(of.arm.model, user, item, interests, labels=True))
