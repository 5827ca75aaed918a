"""A user: what they did, their interests, what they are recommended and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from fastapi import Request
from fastapi.responses import Response

from penchant.data.dataset import Events
from penchant.llm.tasks.interest_names import name_interests
from penchant.recommendation.interests import Interests, Profile
from penchant.recommendation.interests.profile import MOST as MAX_LENGTH
from penchant.recommendation.results import ScoredItem
from penchant.report.interest_maps import interest_map, swatch
from penchant.serve.console.rendering import SafeHtml, moment, page_fields, render
from penchant.serve.service import profiles, reads
from penchant.serve.service.reads import RecommendationRequest
from penchant.serve.service.recommendation_service import RecommendationService, RequestContext
from penchant.serve.service.variant import Variant
from penchant.serve.store.records import StoredEvent
from penchant.types import Ints

TIMELINE_EVENTS = 50
"""Events of a timeline."""

LIST_LENGTH = 10
"""Items of the list."""

MAX_FACTOR = 3.0
"""The largest factor of an interest that the console offers; the service takes any up to 100."""

_FACTOR_MARKS = (0, 1, 2, 3)  # of the slider


class TimelineEntry(NamedTuple):
    """An event of a timeline.

    item   its identifier; None where the event is about no item that is known
    text   what the event is about, for a person
    new    whether it came after the model was trained
    """

    item: str | None
    text: str
    behavior: str
    time: str
    new: bool


class ListEntry(NamedTuple):
    """An item of the list.

    fraction  its probability as a fraction of the largest, for its bar
    moved     how many ranks it rose; None where it was not in the list before, 0 also where
              there is no list to compare with
    """

    row: ScoredItem
    fraction: float
    moved: int | None


@dataclass(frozen=True)
class UserPage:
    """What the page of a user shows."""

    user: str
    variant: Variant
    behavior: str
    behaviors: list[str]
    consent: bool
    known: bool
    timeline: list[TimelineEntry]
    events: int
    source: str
    entries: list[ListEntry]
    interests: Interests | None
    sentences: dict[str, str]
    profile: Profile | None
    map: SafeHtml | None
    max_length: int = MAX_LENGTH
    max_factor: float = MAX_FACTOR
    factor_marks: tuple[int, ...] = _FACTOR_MARKS


def render_user(
    request: Request, template: str, page: UserPage, notice: str | None = None
) -> Response:
    """The page of a user, or the part of it that changes."""
    catalogue = page.variant.model.dataset.catalogue
    return render(
        request,
        template,
        **page_fields(page),
        all_behaviors=[behavior.name for behavior in catalogue.behaviors],
        factor_text=factor_text,
        swatch=lambda place: SafeHtml(swatch(place)),
        notice=notice,
    )


def current_list(service: RecommendationService, user: str, behavior: str | None) -> list[str]:
    """The items of a user's list, which is not logged as shown."""
    request = RecommendationRequest(user, k=LIST_LENGTH, behavior=behavior, logged=False)
    return [row.item for row in reads.recommend(service, request).recommendation.items]


def user_page(
    service: RecommendationService,
    user: str,
    behavior: str | None,
    previous: Sequence[str] | None = None,
) -> UserPage:
    """What the page of a user shows; ``previous`` are the items of a list to compare with.

    Raises ConfigError for a behavior that the run does not recommend for.
    """
    context = service.context(user, behavior=behavior)
    variant = context.variant
    entries, events = timeline(service, context, user)
    request = RecommendationRequest(
        user, k=LIST_LENGTH, behavior=behavior, explain=True, logged=False
    )
    recommendation = reads.recommend(service, request).recommendation
    interests = None if variant.model.transition is None else reads.interests(service, user)
    target = variant.model.dataset.target
    return UserPage(
        user=user,
        variant=variant,
        behavior=behavior or target,
        behaviors=[target, *variant.model.others],
        consent=context.consent,
        known=events > 0,
        timeline=entries,
        events=events,
        source=recommendation.source,
        entries=_list_entries(recommendation.items, previous),
        interests=interests,
        sentences={} if interests is None else sentences(context, interests),
        profile=profile_of(service, user, context, interests) if context.consent else None,
        map=_interest_map(context, user, interests),
    )


def sentences(context: RequestContext, interests: Interests) -> dict[str, str]:
    """A plain sentence for each interest, by its id."""
    words = name_interests(interests, context.model.dataset.catalogue)
    return {interest.id: interest.sentence for interest in words.named}


def profile_of(
    service: RecommendationService, user: str, context: RequestContext, interests: Interests | None
) -> Profile | None:
    """The text of a user's interests, without waiting for a language model; None for no text."""
    if interests is None and context.profile is None:
        return None
    return profiles.user_profile(service, user)


def factor_text(factor: float) -> str:
    """The factor of an interest in words.

    >>> factor_text(0), factor_text(1), factor_text(2.5)
    ('muted', 'normal weight', '2.5 times the weight')
    """
    return {0.0: "muted", 1.0: "normal weight"}.get(factor, f"{factor:.3g} times the weight")


def timeline(
    service: RecommendationService, context: RequestContext, user: str
) -> tuple[list[TimelineEntry], int]:
    """The latest events of the run and of the store together, latest first; how many in all."""
    data = context.variant.model.dataset
    past = Events.empty()
    if context.history.users[0] >= 0:
        past = data.history(user).events
    stored: tuple[StoredEvent, ...] = ()
    if context.consent:
        stored = service.store.snapshot(user, None, context.variant.seq).events
    first = max(0, len(past) - TIMELINE_EVENTS)
    clock = data.time == "clock"
    old = [
        (int(past.time[row]) if clock else 0, _run_entry(context, past, row))
        for row in range(first, len(past))
    ]
    new = [
        (event.time if clock else 1, _store_entry(context, event))
        for event in stored[-TIMELINE_EVENTS:]
    ]
    both = sorted([*old, *new], key=lambda pair: pair[0])  # stable: of equal times, the run's first
    return [entry for _, entry in both[::-1][:TIMELINE_EVENTS]], len(past) + len(stored)


def _run_entry(context: RequestContext, past: Events, row: int) -> TimelineEntry:
    data = context.variant.model.dataset
    catalogue, item_row = data.catalogue, int(past.item[row])
    behavior = catalogue.behaviors[past.behavior[row]].name
    time = moment(int(past.time[row])) if data.time == "clock" else ""
    if item_row < 0:
        return TimelineEntry(None, catalogue.tokens.ids[past.token[row]], behavior, time, False)
    item = catalogue.items.ids[item_row]
    return TimelineEntry(item, catalogue.title(item_row) or item, behavior, time, False)


def _store_entry(context: RequestContext, event: StoredEvent) -> TimelineEntry:
    time = moment(event.time)
    if event.kind != "item":
        return TimelineEntry(None, f"{event.kind}: {event.about}", event.behavior, time, True)
    catalogue = context.variant.model.dataset.catalogue
    row = catalogue.items.index.get(event.about, -1)
    title = catalogue.title(row) if row >= 0 else None
    item = event.about if row >= 0 else None
    return TimelineEntry(item, title or event.about, event.behavior, time, True)


def _list_entries(rows: Sequence[ScoredItem], previous: Sequence[str] | None) -> list[ListEntry]:
    largest = max((row.probability or 0.0 for row in rows), default=0.0) or 1.0
    ranks = {item: rank for rank, item in enumerate(previous or ())}
    entries = []
    for rank, row in enumerate(rows):
        moved = ranks[row.item] - rank if row.item in ranks else None
        fraction = (row.probability or 0.0) / largest
        entries.append(ListEntry(row, fraction, 0 if previous is None else moved))
    return entries


def _interest_map(
    context: RequestContext, user: str, interests: Interests | None
) -> SafeHtml | None:
    """The map of interests; None where nothing could be drawn."""
    items: Ints = context.history.events.item
    if interests is None or not interests.clusters or not np.any(items >= 0):
        return None
    return SafeHtml(interest_map(context.variant.model, user, items, interests, labels=True))
