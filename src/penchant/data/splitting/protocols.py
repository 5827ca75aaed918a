"""The protocols: which events are fitted on, which are asked for, and what is known by then.

Everything here is a mask over the events in order of (user, time, source row), so each split is
the same whatever the order of the rows of the events given. *Target events* are events of the
dataset's target behavior about an item.
"""

from dataclasses import replace

import numpy as np

from penchant.data.arrays import is_repeat, isin, sorted_unique
from penchant.data.dataset import Dataset, Events, Histories
from penchant.data.hashing import hashes, mix, uniform
from penchant.data.splitting.cases import Cases, Split
from penchant.errors import ConfigError, DataError
from penchant.types import Ints, Mask

MIN_TARGET_EVENTS = 3
"""Target events that a user needs to give one to validation and one to test and keep one."""

LEAVE_ONE_NEW_OUT = "leave-one-new-out"

COLD_SHARE = 0.05
"""Share of items (or users) that "cold-item" (or "cold-user") holds out for test."""


def leave_one_out(dataset: Dataset) -> Split:
    """Each user's last target event is the test, the last but one the validation.

    Train: all events (of any behavior) before the validation event. Test history: all before
    the test event; what comes after it is dropped. A user with fewer than 3 target events gives
    all of them to train and is not asked.
    """
    events = _ordered(dataset)
    return _last_two(dataset, events, events.user, "leave-one-out")


def leave_one_new_out(dataset: Dataset) -> Split:
    """Leave-one-out of what is new to a user: no history holds an event about its truth.

    A truth is an item that the user gives a target event; its case ends before the first event of
    the user about it, whatever its behavior: a view tells what is bought next. Of a user's truths
    in order of these first events the last is the test, the last but one the validation; train
    ends before that. A user with fewer than 3 gives all events to train and is not asked. Where
    no item comes again it is leave-one-out.
    """
    events = _ordered(dataset)
    pair = pairs(dataset, events)
    first = ~is_repeat(pair) & isin(pair, pair[_target(dataset, events)])
    return _last_two(dataset, events, events.user, LEAVE_ONE_NEW_OUT, np.flatnonzero(first))


def mostly_repeats(dataset: Dataset) -> bool:
    """Whether most target events are about items that their user met before, by any behavior."""
    events = _ordered(dataset)
    repeats = is_repeat(pairs(dataset, events))[_target(dataset, events)]
    return bool(2 * np.count_nonzero(repeats) > len(repeats))


def default_protocol(dataset: Dataset, repeats: bool = False) -> str:
    """The leave-one-out that suits lists; with ``repeats`` they hold what a history does."""
    return LEAVE_ONE_NEW_OUT if not repeats and mostly_repeats(dataset) else "leave-one-out"


def resolve_protocol(dataset: Dataset, repeats: bool) -> Dataset:
    """The dataset, asked for more than what is new where lists hold ``repeats``."""
    if not repeats or dataset.protocol != LEAVE_ONE_NEW_OUT:
        return dataset
    note = (
        f"protocol 'leave-one-out' in place of {LEAVE_ONE_NEW_OUT!r}, as lists may repeat items "
        "of the history"
    )
    return replace(dataset, protocol="leave-one-out", notes=(*dataset.notes, note))


def pairs(dataset: Dataset, events: Events) -> Ints:
    """A number for each event's user and item, (E,)."""
    return events.user * (len(dataset.catalogue) + 1) + events.item + 1


def leave_one_out_per_domain(dataset: Dataset) -> Split:
    """Leave-one-out in each (user, domain) with 3 target events or more; cases carry the domain.

    Order is trusted within a domain only. From the other domains a history holds what train (or,
    for test, train and validation) may know; where time is a clock, only what came earlier.
    """
    events = _ordered(dataset)
    width = len(dataset.catalogue.domains) + 1
    unit = events.user * width + events.domain + 1
    return _last_two(dataset, events, unit, "leave-one-out-per-domain")


def time_split(dataset: Dataset, test: float = 0.1, validation: float = 0.1) -> Split:
    """One moment for all: the last ``test`` share of events, and the ``validation`` share before.

    The truths of a case are all items of the user's target events in the window, its history all
    that came before the window. Users without any history are not asked (see "cold-user").
    Events without a time (0) are left out: nobody knows on which side they fall.
    """
    if dataset.time != "clock":
        raise ConfigError(
            f"a time split needs clock times, received time = {dataset.time!r}; use protocol "
            "'leave-one-out' or 'random-per-domain'"
        )
    if not (test > 0 and validation > 0 and test + validation < 1):
        raise ConfigError(f"expected shares inside (0, 1), received {test} and {validation}")
    events = _ordered(dataset)
    events = events.take(events.time != 0)
    if not len(events):
        raise DataError("a time split needs dated events, received none; use 'leave-one-out'")
    # an observed time as the cut keeps all events of one moment on one side
    first, second = np.quantile(
        events.time, [1 - test - validation, 1 - test], method="inverted_cdf"
    )
    target = _target(dataset, events)
    middle = (events.time >= first) & (events.time < second)
    before, known = events.time < first, events.time < second
    return Split(
        events.take(before),
        _windows(dataset, events, target & middle, before),
        _windows(dataset, events, target & ~known, known),
        "time",
    )


def given(dataset: Dataset) -> Split:
    """The test is ``dataset.held_out`` (of the target behavior), the history all of a user.

    Validation is each user's last target event; every event of that (user, item) and all later
    events of that user leave train and the validation history. A user who would be left without
    any history is not asked and stays in train.
    """
    if dataset.held_out is None:
        raise ConfigError(
            f"protocol 'given' needs the test events of {dataset.name!r}, received none; add "
            "test.parquet to the data or use another protocol"
        )
    events, test_events = _ordered(dataset), dataset.held_out.sorted()
    test_events = test_events.take(
        test_events.behavior == dataset.catalogue.behavior(dataset.target)
    )
    if len(test_events) and min(test_events.user.min(), test_events.item.min()) < 0:
        raise DataError(
            "expected test events of known users and items, received others; let the catalogue "
            "hold every test item, or a miss would go uncounted"
        )
    place = np.arange(len(events))
    last = _last(events, np.flatnonzero(_target(dataset, events)), len(dataset.users))
    item = np.where(last >= 0, events.item[last], -2) if len(events) else last
    stop = np.where(last >= 0, last, len(events))
    later = (place >= stop[events.user]) | (events.item == item[events.user])
    left = np.bincount(events.user[~later], minlength=len(dataset.users))
    eligible = (last >= 0) & (left > 0)
    train = ~(later & eligible[events.user])
    validation = np.flatnonzero(eligible)
    users, indptr, truth = _grouped(test_events.user, test_events.item)
    return Split(
        events.take(train),
        _cases(dataset, _histories(events, validation, train), item[validation]),
        _cases(dataset, events.histories(users), truth, indptr),
        "given",
    )


def random_per_domain(dataset: Dataset, seed: int = 0) -> Split:
    """Two random target items of each (user, domain) with 3 or more: one test, one validation.

    For data without order. The choice takes the least hash of (seed, user, domain, item) by
    their identifiers, so it stays when other users come or go. Every event of a held-out
    (user, item) leaves train and history with it, whatever its behavior: a tag on a song tells
    that the song was heard. ``dropped`` counts those.
    """
    events = _ordered(dataset)
    catalogue = dataset.catalogue
    target = events.take(_target(dataset, events))
    width = len(catalogue.domains) + 1
    unit = target.user * width + target.domain + 1
    key = sorted_unique(unit * len(catalogue) + target.item)
    unit, item = np.divmod(key, max(len(catalogue), 1))
    user, domain = np.divmod(unit, width)
    hashed = mix(
        mix(
            hashes("user", dataset.users.ids, seed)[user],
            hashes("domain", ("", *catalogue.domains), seed)[domain],
        ),
        hashes("item", catalogue.items.ids, seed)[item],
    )
    order = np.lexsort((hashed, unit))
    start = np.flatnonzero(np.diff(unit, prepend=-1))
    start = start[np.diff(start, append=len(unit)) >= MIN_TARGET_EVENTS]
    pair = pairs(dataset, events)
    held = [order[start], order[start + 1]]
    tested, validated = (
        isin(pair, user[places] * (len(catalogue) + 1) + item[places] + 1) for places in held
    )
    train = ~tested & ~validated
    cases = [
        _cases(
            dataset, _histories(events, user[places], known), item[places], None, domain[places] - 1
        )
        for places, known in zip(held, (~tested, train), strict=True)
    ]
    return Split(events.take(train), cases[1], cases[0], "random-per-domain")


def cold_item(dataset: Dataset, seed: int = 0, share: float = COLD_SHARE) -> Split:
    """A ``share`` of items, by a hash of their identifiers, is in no train event and no history.

    A case is a user with target events on such items: all of them are its truths, its history is
    what train knows of the user, earlier or later. It asks whether content leads to an item that
    nobody has touched, not what comes next. Validation does so with as many other items.
    """
    events = _ordered(dataset)
    group = _random_groups("cold-item", dataset.catalogue.items.ids, seed, share)
    cold = np.where(events.item >= 0, group[events.item], 0) if len(events) else events.item
    target, train = _target(dataset, events), cold == 0
    return Split(
        events.take(train),
        _windows(dataset, events, target & (cold == 2), train),
        _windows(dataset, events, target & (cold == 1), train),
        "cold-item",
    )


def cold_user(dataset: Dataset, seed: int = 0, share: float = COLD_SHARE) -> Split:
    """A ``share`` of users, by a hash of their identifiers, is held out of train entirely.

    The truth is their last target event, the history all before it. Validation does so with as
    many other users.
    """
    events = _ordered(dataset)
    group = _random_groups("cold-user", dataset.users.ids, seed, share)
    start = events.indptr(len(dataset.users))[:-1]
    last = _last(events, np.flatnonzero(_target(dataset, events)), len(dataset.users))
    before = np.arange(len(events)) < last[events.user]
    users = [np.flatnonzero((group == number) & (last > start)) for number in (2, 1)]
    validation, test = (
        _cases(dataset, _histories(events, part_users, before), events.item[last[part_users]])
        for part_users in users
    )
    return Split(events.take(group[events.user] == 0), validation, test, "cold-user")


def _ordered(dataset: Dataset) -> Events:
    """The events by (user, time, source row), of known users."""
    if len(dataset.events) and dataset.events.user.min() < 0:
        raise DataError("expected events of known users, received user row -1; drop those events")
    return dataset.events.sorted()


def _target(dataset: Dataset, events: Events) -> Mask:
    behavior = dataset.catalogue.behavior(dataset.target)
    mask: Mask = (events.behavior == behavior) & (events.item >= 0)
    return mask


def _last(events: Events, places: Ints, users: int) -> Ints:
    """The last of some places of each user, (users,); -1 where there is none."""
    last = np.full(users, -1)
    last[events.user[places]] = places  # places ascend, and the last assignment stays
    return last


def _last_two(
    dataset: Dataset, events: Events, unit: Ints, protocol: str, target: Ints | None = None
) -> Split:
    """Leave-one-out in each unit, a user or a (user, domain), of the places of target events."""
    if dataset.time == "none":
        raise ConfigError(
            f"protocol {protocol!r} needs an order of events, received time = 'none'; use "
            "protocol 'random-per-domain'"
        )
    place = np.arange(len(events))
    target = np.flatnonzero(_target(dataset, events)) if target is None else target
    target = target[np.argsort(unit[target], kind="stable")]
    start = np.flatnonzero(np.diff(unit[target], prepend=-1))
    stop = np.append(start[1:], len(target))
    stop = stop[stop - start >= MIN_TARGET_EVENTS]
    validation, test = target[stop - 2], target[stop - 1]
    limits = np.full((2, int(unit.max(initial=-1)) + 1), len(events))
    limits[0, unit[validation]], limits[1, unit[test]] = validation, test
    train, known = place < limits[0, unit], place < limits[1, unit]
    by_domain = protocol == "leave-one-out-per-domain"
    sides = []
    for truth, allowed in ((validation, train), (test, known)):
        histories = _histories(events, events.user[truth], allowed)
        if by_domain and dataset.time == "clock":
            case_truth = truth[histories.owner]
            own = histories.events.domain == events.domain[case_truth]
            histories = histories.keep(own | (histories.events.time < events.time[case_truth]))
        domain = events.domain[truth] if by_domain else None
        sides.append(_cases(dataset, histories, events.item[truth], None, domain))
    return Split(events.take(train), sides[0], sides[1], protocol)


def _windows(dataset: Dataset, events: Events, held: Mask, known: Mask) -> Cases:
    """One case for each user with held-out events and known ones; truths are distinct items."""
    left = np.bincount(events.user[known], minlength=len(dataset.users))
    held = held & (left > 0)[events.user]
    users, indptr, truth = _grouped(events.user[held], events.item[held])
    return _cases(dataset, _histories(events, users, known), truth, indptr)


def _grouped(user: Ints, item: Ints) -> tuple[Ints, Ints, Ints]:
    """Users in order, and their distinct items as CSR: users (B,), indptr (B + 1,), items (T,)."""
    width = int(item.max(initial=0)) + 1
    owner, items = np.divmod(sorted_unique(user * width + item), width)
    users, start = np.unique(owner, return_index=True)
    return users, np.append(start, len(items)).astype(np.int64), items


def _histories(events: Events, users: Ints, known: Mask) -> Histories:
    """One history for each of the users (repeats allowed), of the known events only."""
    return events.take(known).histories(users)


def _cases(
    dataset: Dataset,
    histories: Histories,
    truth: Ints,
    indptr: Ints | None = None,
    domain: Ints | None = None,
) -> Cases:
    """Cases of the target behavior, with one truth each unless indptr says otherwise."""
    size = len(histories)
    return Cases(
        histories,
        np.arange(size + 1) if indptr is None else indptr,
        truth,
        np.full(size, dataset.catalogue.behavior(dataset.target)),
        np.full(size, -1) if domain is None else domain,
    )


def _random_groups(kind: str, ids: tuple[str, ...], seed: int, share: float) -> Ints:
    """1 for the share drawn for test, 2 for that drawn for validation, else 0, (len(ids),)."""
    if not 0 < share < 0.5:
        raise ConfigError(f"expected a share inside (0, 0.5), received {share}")
    place = uniform(hashes(kind, ids, seed))
    return np.where(place < share, 1, np.where(place < 2 * share, 2, 0))
