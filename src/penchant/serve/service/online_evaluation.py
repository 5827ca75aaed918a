"""What lists did when they were shown: clicks by arm, and what a run would have earned.

Only a place that was drawn says what another run would have earned there: who was shown which of
its candidates is chance, of a known probability. No other place enters that estimate.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from penchant.data.arrays import blocks
from penchant.data.dataset import Events, Histories
from penchant.errors import DataError
from penchant.evaluation.metrics import (
    Interval,
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
from penchant.serve.service.variant import Arm
from penchant.serve.store.impression_queries import (
    Part,
    Slot,
    Who,
    artifacts,
    parts,
    pasts,
    slots,
    taken,
    unwilling,
)
from penchant.serve.store.records import Kept
from penchant.serve.store.store import Store

FEW = 20
"""Clicks that have a weight, below which an interval of the bootstrap is not to be relied on."""

FIRST = "main"


@dataclass(frozen=True)
class Online:
    """Clicks by arm, and the value of a run on the places that were drawn, as JSON types.

    clicks       the behaviors that count as a click
    arms         of each arm: artifacts, users, lists, places, clicks, and clicks of a place
    differences  of that rate: each other arm less the first
    value        of the run on drawn places, by flat names; see ``estimated``
    notes        what to know before these are believed
    """

    clicks: tuple[str, ...]
    arms: tuple[dict[str, Any], ...]
    differences: tuple[dict[str, Any], ...]
    value: Mapping[str, Any]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, the value's names beside the others."""
        arms, differences = list(self.arms), list(self.differences)
        content = {"behaviors": list(self.clicks), "arms": arms, "differences": differences}
        return content | dict(self.value) | {"notes": list(self.notes)}


def online(run: str | Path, store: Store) -> Online:
    """What a store says of the lists that were shown, and of a run that may not have shown them.

    Intervals are 95 % bootstrap over users; of anonymous lists, over sessions. Raises DataError for
    a store without impressions, ArtifactError for a run that cannot be read.
    """
    arm = Arm.load(FIRST, run, store.identity)
    positive = tuple(b.name for b in arm.model.dataset.catalogue.behaviors if b.polarity > 0)
    seed = arm.model.recipe.seed
    shown = parts(store, positive)
    if not shown:
        raise DataError(
            "expected a store with lists that were shown, received one without; serve the run "
            "with penchant serve and ask for lists first"
        )
    served = artifacts(store)
    arms, differences = by_arm(shown, served, seed)
    items = [{"item": one.key, **one.content} for one in store.changes(arm.change, "item")]
    value, notes = estimated(arm.with_items(items) if items else arm, store, positive, seed)
    several = [f"arm {name} has served {n} artifacts" for name, n in served.items() if n > 1]
    return Online(positive, arms, differences, value, (*several, *notes))


def by_arm(
    shown: Sequence[Part], served: Mapping[str, int], seed: int
) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Clicks of a place by arm, and how far those of each arm differ from the first one's.

    The first is "main" where it is there, else the first by name. Who has seen several arms counts
    in each, and is drawn with all of it.
    """
    name = np.array([part.arm for part in shown])
    lists, places, clicks = (
        np.array([getattr(part, what) for part in shown], np.float64)
        for what in ("lists", "places", "clicks")
    )
    who = _codes([part.who for part in shown])
    names = sorted({*name.tolist()}, key=lambda one: (one != FIRST, one))
    arms, differences = [], []
    for one in names:
        mine = name == one
        rate = ratio_interval(clicks[mine], places[mine], seed, cluster=who[mine])
        totals = {
            "arm": one,
            "artifacts": served[one],
            "users": len(np.unique(who[mine])),
            "lists": int(lists[mine].sum()),
            "places": int(places[mine].sum()),
            "clicks": int(clicks[mine].sum()),
        }
        arms.append(totals | _flat("rate", rate))
    for one in names[1:]:
        both = (name == one) | (name == names[0])
        told = clicks[both], places[both], name[both] == one
        less = difference_interval(*told, seed, cluster=who[both])
        differences.append({"arm": one, "against": names[0]} | _flat("difference", less))
    return tuple(arms), tuple(differences)


def estimated(
    arm: Arm, store: Store, positive: Sequence[str], seed: int
) -> tuple[dict[str, Any], list[str]]:
    """The value of a run on the places that were drawn, in clicks of a place; and notes.

    The run fills a drawn place with the candidate that it scores highest for what was known of the
    user before the list, the more popular of equal ones; the rest of the list stays as it was.
    Names of the result: slots, slots_left_out, slot_users, slots_clicked; slots_agreeing, where the
    run's choice was drawn, and agreeing_clicked; ess, the effective sample size; logged, ips, snips
    and gain (ips less logged), each with _low and _high; run_events_after_first_slot.
    """
    drawn = slots(store, positive)
    found, why = chosen(arm, store, drawn)
    used = [(slot, item) for slot, item in zip(drawn, found, strict=True) if item is not None]
    notes = [f"{count:,} drawn places left out: {reason}" for reason, count in why.items()]
    if not drawn:
        notes.append("no place was drawn: serve with rules that say explore = 1")
    clicked = np.array([slot.clicked for slot, _ in used], np.float64)
    propensity = np.array([slot.propensity for slot, _ in used], np.float64)
    target = np.array([slot.item == item for slot, item in used], np.float64)
    who = _codes([slot.who for slot, _ in used])
    weights = importance_weights(propensity, target)
    agreeing = int((clicked * target).sum())
    after = 0
    if used:
        after = _after(arm, store, min(slot.time for slot, _ in used))
        if after:
            notes.append(
                f"the run was fitted on {after:,} events after the first drawn place: it has seen "
                "some of these outcomes, and its value may be told too high; fit it on events "
                "before, or draw on"
            )
        if agreeing < FEW:
            notes.append(
                f"{agreeing} clicks are on what the run would choose, fewer than {FEW}: the "
                "intervals are narrower than what is known"
            )
        if arm.model.dataset.time != "clock":
            notes.append("the run's events have no clock: all of them count as known before")
    logged = clicked, propensity, target, seed
    value: dict[str, Any] = {
        "slots": len(used),
        "slots_left_out": len(drawn) - len(used),
        "slot_users": len(np.unique(who)),
        "slots_clicked": int(clicked.sum()),
        "slots_agreeing": int(target.sum()),
        "agreeing_clicked": agreeing,
        "ess": effective_sample_size(weights),
    }
    value |= _flat("logged", bootstrap(clicked, seed, cluster=who))
    value |= _flat("ips", ips_interval(*logged, cluster=who))
    value |= _flat("snips", snips_interval(*logged, cluster=who))
    value |= _flat("gain", bootstrap((weights - 1) * clicked, seed, cluster=who))
    return value | {"run_events_after_first_slot": after}, notes


def chosen(
    arm: Arm, store: Store, drawn: Sequence[Slot]
) -> tuple[list[str | None], dict[str, int]]:
    """What a run would put in each drawn place, (n,); None for those left out, counted by reason.

    What users said of their interests has no time, so it is not read.
    """
    past, silent = pasts(store, arm.seq), unwilling(store)
    gone = {one.key for one in store.changes(arm.change, "forgotten")}
    held = {*arm.model.others, arm.model.dataset.target}
    items = arm.model.dataset.catalogue.items
    found: list[str | None] = [None] * len(drawn)
    why: Counter[str] = Counter()
    lists: dict[str, list[list[int]]] = {}  # of each behavior, the places of each list

    def reason(slot: Slot) -> str | None:
        if slot.who[0] == "request":
            return "asked with neither a user nor a session, so that nothing says what was known"
        if slot.who in silent:
            return "of users who do not consent to personalization now"
        if slot.behavior not in held:
            return f"asked for {slot.behavior!r}, for which the run has no model"
        if not any(item in items for item in slot.candidates):
            return "the run knows none of the candidates"
        return None

    for _, group in groupby(range(len(drawn)), lambda at: (drawn[at].request, drawn[at].time)):
        kept = []
        for at in group:
            told = reason(drawn[at])
            if told is None:
                kept.append(at)
            else:
                why[told] += 1
        if kept:
            lists.setdefault(drawn[kept[0]].behavior, []).append(kept)
    for behavior, of in lists.items():
        head = replace(arm.head(behavior), controls={}, calibrations={})
        place = np.empty(len(items), np.int64)
        place[head.by_popularity] = np.arange(len(items))
        for part in blocks(len(of), max(1, CELLS // max(1, len(items)))):
            asked = [drawn[ats[0]] for ats in of[part]]
            known = [
                before(arm, one.who, past.get(one.who, ()), one.time, _erased(store, one.who, gone))
                for one in asked
            ]
            scores = score_histories(head, _together(known)).scores
            for row, ats in enumerate(of[part]):
                for at in ats:
                    rows = items.rows(drawn[at].candidates)
                    rows = rows[rows >= 0]
                    best = np.lexsort((place[rows], -scores[row, rows]))[0]
                    found[at] = items.ids[rows[best]]
    return found, dict(why)


def before(arm: Arm, who: Who, kept: Sequence[Kept], time: int, erased: bool = False) -> Histories:
    """What was known of someone before a time in ms, events of the run and of the store.

    Of a run whose time is no clock, all events count as before. ``erased`` users have no past in
    the run.
    """
    user = who[1] if who[0] == "user" and not erased else None
    given, _ = arm.history(user, [event for event in kept if event.time < time])
    if arm.model.dataset.time == "clock":
        given = given.keep(given.events.time < time)
    return given


def _erased(store: Store, who: Who, gone: set[str]) -> bool:
    """Whether someone was forgotten since the run was made, which may still hold them."""
    return bool(gone) and who[0] == "user" and store.mark(who[1]) in gone


def _together(known: Sequence[Histories]) -> Histories:
    """Several histories as one object."""
    lengths = [len(of.events) for of in known]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = {
        of.name: np.concatenate([getattr(one.events, of.name) for one in known])
        for of in fields(Events)
    }
    return Histories(np.concatenate([of.users for of in known]), indptr, Events(**columns))


def _after(arm: Arm, store: Store, first: int) -> int:
    """How many events of a time (ms) or later a run was fitted on."""
    data = arm.model.dataset
    if data.time == "clock":
        return int(np.count_nonzero(data.events.time >= first))
    return taken(store, arm.seq, first)


def _codes(who: Sequence[Who]) -> Any:
    """A number for each person, (n,)."""
    numbers: dict[Who, int] = {}
    return np.array([numbers.setdefault(one, len(numbers)) for one in who], np.int64)


def _flat(name: str, found: Interval) -> dict[str, float | None]:
    """An interval under flat names, None where it is not known."""
    value, low, high = (None if np.isnan(bound) else float(bound) for bound in found)
    return {name: value, f"{name}_low": low, f"{name}_high": high}
