"""What lists did when they were shown: clicks by variant, and what a run would have earned.

Only an explored position can show what another run would have earned there: which of its
candidates was shown is chance, with a known probability. No other position enters that estimate.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from penchant.data.arrays import blocks
from penchant.data.dataset import Events, Histories
from penchant.errors import DataError, counted
from penchant.evaluation.metrics import (
    bootstrap,
    difference_interval,
    effective_sample_size,
    importance_weights,
    ips_interval,
    ratio_interval,
    snips_interval,
)
from penchant.models.topk import CELLS
from penchant.recommendation.ranking import score_histories
from penchant.serve.service.online_report import (
    OnlineReport,
    RateDifference,
    RunValue,
    VariantClicks,
)
from penchant.serve.service.variant import Variant
from penchant.serve.store.impression_queries import (
    ExploredSlot,
    Viewer,
    ViewerCounts,
    artifact_counts,
    count_events_since,
    explored_slots,
    viewer_counts,
    viewer_events,
    without_consent,
)
from penchant.serve.store.records import StoredEvent
from penchant.serve.store.store import Store
from penchant.types import Ints

MIN_CLICKS = 20
"""Clicks with a weight, below which an interval of the bootstrap is not reliable."""

MAIN = "main"


def evaluate_online(run: str | Path, store: Store) -> OnlineReport:
    """What a store knows of the lists that were shown, and of a run that may not have shown them.

    Intervals are 95 % bootstrap over users; of anonymous lists, over sessions.

    Raises
    ------
    DataError
        For a store without impressions.
    ArtifactError
        For a run that cannot be read.
    """
    variant = Variant.load(MAIN, run, store.identity)
    behaviors = variant.model.dataset.catalogue.behaviors
    positive = tuple(behavior.name for behavior in behaviors if behavior.polarity > 0)
    seed = variant.model.recipe.seed
    counts = viewer_counts(store, positive)
    if not counts:
        raise DataError(
            "expected a store with impressions, received one without; serve the run with penchant "
            "serve and request lists first"
        )
    artifacts = artifact_counts(store)
    variants, differences = compare_variants(counts, artifacts, seed)
    changes = store.changes(variant.change, "item")
    if changes:
        variant = variant.with_items([{"item": row.key, **row.content} for row in changes])
    value, notes = estimate_value(variant, store, positive, seed)
    several = [
        f"variant {name} has served {counted(number, 'artifact')}"
        for name, number in artifacts.items()
        if number > 1
    ]
    return OnlineReport(positive, variants, differences, value, (*several, *notes))


def compare_variants(
    counts: Sequence[ViewerCounts], artifacts: Mapping[str, int], seed: int
) -> tuple[tuple[VariantClicks, ...], tuple[RateDifference, ...]]:
    """Click rates by variant, and how far each other one's differs from the first one's.

    The first is "main" if it is there, else the first by name. A viewer of several variants counts
    in each, and is resampled with all of their counts.
    """
    name = np.array([row.variant for row in counts])
    lists = np.array([row.lists for row in counts], np.float64)
    impressions = np.array([row.impressions for row in counts], np.float64)
    clicks = np.array([row.clicks for row in counts], np.float64)
    viewer = _viewer_numbers([row.viewer for row in counts])
    names = sorted({*name.tolist()}, key=lambda variant: (variant != MAIN, variant))
    variants, differences = [], []
    for variant in names:
        mine = name == variant
        totals = VariantClicks(
            variant=variant,
            artifacts=artifacts[variant],
            users=len(np.unique(viewer[mine])),
            lists=int(lists[mine].sum()),
            impressions=int(impressions[mine].sum()),
            clicks=int(clicks[mine].sum()),
            rate=ratio_interval(clicks[mine], impressions[mine], seed, cluster=viewer[mine]),
        )
        variants.append(totals)
    for variant in names[1:]:
        both = (name == variant) | (name == names[0])
        treated = name[both] == variant
        difference = difference_interval(
            clicks[both], impressions[both], treated, seed, cluster=viewer[both]
        )
        differences.append(RateDifference(variant, names[0], difference))
    return tuple(variants), tuple(differences)


def estimate_value(
    variant: Variant, store: Store, positive: Sequence[str], seed: int
) -> tuple[RunValue, list[str]]:
    """The value of a run on explored positions, and notes.

    The run fills an explored position with the candidate that it scores highest for what was known
    of the user before the list, the more popular of equal ones; the rest of the list stays.
    """
    explored = explored_slots(store, positive)
    choices, reasons = chosen_items(variant, store, explored)
    used = [(slot, item) for slot, item in zip(explored, choices, strict=True) if item is not None]
    clicked = np.array([slot.clicked for slot, _ in used], np.float64)
    propensity = np.array([slot.propensity for slot, _ in used], np.float64)
    agrees = np.array([slot.item == item for slot, item in used], np.float64)
    viewer = _viewer_numbers([slot.viewer for slot, _ in used])
    weights = importance_weights(propensity, agrees)
    logged = clicked, propensity, agrees
    value = RunValue(
        slots=len(used),
        slots_left_out=len(explored) - len(used),
        slot_users=len(np.unique(viewer)),
        slots_clicked=int(clicked.sum()),
        slots_agreeing=int(agrees.sum()),
        agreeing_clicked=int((clicked * agrees).sum()),
        ess=effective_sample_size(weights),
        logged=bootstrap(clicked, seed, cluster=viewer),
        ips=ips_interval(*logged, seed, cluster=viewer),
        snips=snips_interval(*logged, seed, cluster=viewer),
        gain=bootstrap((weights - 1) * clicked, seed, cluster=viewer),
        run_events_after_first_slot=(
            _events_since(variant, store, min(slot.time for slot, _ in used)) if used else 0
        ),
    )
    left_out = [
        f"{counted(count, 'explored position')} left out: {reason}"
        for reason, count in reasons.items()
    ]
    return value, [*left_out, *_notes(value, variant)]


def _notes(value: RunValue, variant: Variant) -> list[str]:
    """What to know before a value is relied on."""
    notes = []
    if not value.slots + value.slots_left_out:
        notes.append("no position was explored: serve with rules that set explore = 1")
    if later := value.run_events_after_first_slot:
        notes.append(
            f"the run was trained on {counted(later, 'event')} after the first explored position: "
            "it has seen some of these outcomes, and its value may be overestimated; train it on "
            "earlier events, or explore further"
        )
    if value.slots and value.agreeing_clicked < MIN_CLICKS:
        notes.append(
            f"{counted(value.agreeing_clicked, 'click')} on what the run would choose, fewer than "
            f"{MIN_CLICKS}: the intervals are narrower than they should be"
        )
    if value.slots and variant.model.dataset.time != "clock":
        notes.append("the events of the run have no clock: all of them count as known before")
    return notes


def chosen_items(
    variant: Variant, store: Store, explored: Sequence[ExploredSlot]
) -> tuple[list[str | None], dict[str, int]]:
    """What a run would put in each explored position; None for those left out, with reasons.

    Interest settings of users have no time, so they are not read.
    """
    past = viewer_events(store, variant.seq)
    erased = _erased_since(variant, store, (slot.viewer for slot in explored))
    items = variant.model.dataset.catalogue.items
    choices: list[str | None] = [None] * len(explored)
    unwilling = without_consent(store)
    reasons = [_why_left_out(variant, slot, unwilling) for slot in explored]
    lists: dict[str, list[list[int]]] = {}  # of each behavior, the positions of each list
    used = [at for at, reason in enumerate(reasons) if reason is None]
    for _, group in groupby(used, lambda at: (explored[at].request, explored[at].time)):
        places = list(group)
        lists.setdefault(explored[places[0]].behavior, []).append(places)
    for behavior, of_behavior in lists.items():
        model = replace(variant.model_for(behavior), controls={}, calibrations={})
        rank = np.empty(len(items), np.int64)
        rank[model.by_popularity] = np.arange(len(items))
        for part in blocks(len(of_behavior), max(1, CELLS // max(1, len(items)))):
            first = [explored[places[0]] for places in of_behavior[part]]
            histories = [
                history_before(
                    variant,
                    slot.viewer,
                    past.get(slot.viewer, ()),
                    slot.time,
                    slot.viewer in erased,
                )
                for slot in first
            ]
            scores = score_histories(model, _stacked(histories)).scores
            for row, places in enumerate(of_behavior[part]):
                for at in places:
                    rows = items.rows(explored[at].candidates)
                    rows = rows[rows >= 0]
                    best = np.lexsort((rank[rows], -scores[row, rows]))[0]
                    choices[at] = items.ids[rows[best]]
    return choices, dict(Counter(reason for reason in reasons if reason is not None))


def _why_left_out(variant: Variant, slot: ExploredSlot, unwilling: set[Viewer]) -> str | None:
    """Why a run cannot be evaluated on an explored position; None where it can."""
    model = variant.model
    if slot.viewer[0] == "request":
        return "requested with neither a user nor a session, so what was known is not recorded"
    if slot.viewer in unwilling:
        return "of users who do not consent to personalization now"
    if slot.behavior not in {*model.others, model.dataset.target}:
        return f"requested for {slot.behavior!r}, which the run does not predict"
    if not any(item in model.dataset.catalogue.items for item in slot.candidates):
        return "the run knows none of the candidates"
    return None


def history_before(
    variant: Variant,
    viewer: Viewer,
    stored: Sequence[StoredEvent],
    time: int,
    erased: bool = False,
) -> Histories:
    """What was known of a viewer before a time in ms: events of the run and of the store.

    Of a run whose time is no clock, all events count as before. ``erased`` users have no past in
    the run.
    """
    user = viewer[1] if viewer[0] == "user" and not erased else None
    history, _ = variant.history(user, [event for event in stored if event.time < time])
    if variant.model.dataset.time == "clock":
        history = history.keep(history.events.time < time)
    return history


def _erased_since(variant: Variant, store: Store, viewers: Iterable[Viewer]) -> set[Viewer]:
    """The users who were forgotten since a run was made, which may still contain them."""
    marks = {change.key for change in store.changes(variant.change, "forgotten")}
    if not marks:
        return set()
    users = {viewer for viewer in viewers if viewer[0] == "user"}
    return {viewer for viewer in users if store.mark(viewer[1]) in marks}


def _stacked(histories: Sequence[Histories]) -> Histories:
    """Several histories as one object."""
    lengths = [len(history.events) for history in histories]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = {
        field.name: np.concatenate([getattr(history.events, field.name) for history in histories])
        for field in fields(Events)
    }
    users = np.concatenate([history.users for history in histories])
    return Histories(users, indptr, Events(**columns))


def _events_since(variant: Variant, store: Store, first: int) -> int:
    """How many events of a time (ms) or later a run was trained on."""
    data = variant.model.dataset
    if data.time == "clock":
        return int(np.count_nonzero(data.events.time >= first))
    return count_events_since(store, variant.seq, first)


def _viewer_numbers(viewers: Sequence[Viewer]) -> Ints:
    """A number for each distinct viewer, (n,)."""
    numbers: dict[Viewer, int] = {}
    return np.array([numbers.setdefault(viewer, len(numbers)) for viewer in viewers], np.int64)
