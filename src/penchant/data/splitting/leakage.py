"""Proof that a split asks for nothing that it has told.

A truth names an item, not an event, and the same (user, item) may rightly occur earlier. So each
truth must have an event in the dataset that is neither in train nor in the case's own history: a
*held-out* event. Where the protocol is ordered, train and history must also end before it.
"""

import numpy as np
from numpy.typing import NDArray

from penchant.data.arrays import index_of, isin, isin_many
from penchant.data.dataset import Dataset, Events
from penchant.data.splitting.cases import Cases, Split
from penchant.data.splitting.protocols import LEAVE_ONE_NEW_OUT, pairs
from penchant.errors import DataError
from penchant.types import Ints

ORDERED = {
    "leave-one-out",
    LEAVE_ONE_NEW_OUT,
    "leave-one-out-per-domain",
    "time",
    "cold-user",
    "given",
}
PAIRWISE = {"random-per-domain", "cold-item", "given", LEAVE_ONE_NEW_OUT}
"""Where no other event of a held-out (user, item) may be known either."""


def check_leakage(split: Split, dataset: Dataset) -> None:
    """DataError where train or a history tells a truth that is to be predicted.

    1. No truth event is in train, in its own history, or (test) in anybody's.
    2. Ordered protocols: train has no event of the user (per-domain: in that domain) from the
       validation event on, a history none from its truth on; for "leave-one-new-out", from the
       first event of (user, truth item) on.
    3. Protocols by pair: no event of (user, truth item) in train or in the case's history. For
       "given" test events, whose own events are not in the dataset, of the truth's behavior.
    4. "cold-item": no truth item in train or in a history; "cold-user": no asked user in train.
    """
    ledger = _EventIndex(dataset, split)
    trained = ledger.places(split.train)
    known = np.zeros(len(ledger.events), bool)
    known[trained] = True
    for name, cases in (("validation", split.validation), ("test", split.test)):
        if split.protocol in PAIRWISE:
            any_behavior = split.protocol != "given" or name == "validation"
            ledger.check_pairs(name, cases, known, any_behavior)
        if split.protocol == "cold-item":
            leaks = isin(ledger.events.item[trained], cases.truth).any()
            leaks |= isin(cases.histories.events.item, cases.truth).any()
            _refuse(bool(leaks), f"items held out for {name} are in train or in a history")
        if split.protocol == "cold-user":
            leaks = isin(split.train.user, cases.histories.users).any()
            _refuse(bool(leaks), f"users held out for {name} are in train")
        if split.protocol != "given" or name == "validation":
            held = ledger.check_held_out(name, cases, known)
            if name == "test":
                for other in (split.validation, split.test):
                    leaks = isin(ledger.places(other.histories.events), held).any()
                    _refuse(bool(leaks), "a test event is in the history of another case")


def count_dropped(dataset: Dataset, split: Split) -> int:
    """Events of the dataset that are in no train, no history, and are no truth.

    Such are events after the test event, and, under "random-per-domain", other behaviors'
    events of a held-out (user, item), which would have told it.
    """
    ledger = _EventIndex(dataset, split)
    unused = np.ones(len(ledger.events), bool)
    unused[ledger.places(split.train)] = False
    for cases in (split.validation, split.test):
        unused[ledger.places(cases.histories.events)] = False
        unused &= ~isin(ledger.key, ledger.truth_keys(cases))
    return int(np.count_nonzero(unused))


class _EventIndex:
    """The dataset's events in order, with a place for each and a key for each.

    An event is known by its source row and, as a search has one for each of its words, its token;
    a word that a search has twice is one event here.
    """

    def __init__(self, dataset: Dataset, split: Split) -> None:
        self.events = dataset.events.sorted()
        self.dataset = dataset
        self.protocol = split.protocol
        self.by_domain = split.protocol.endswith("-per-domain")
        row = self.events.row
        if len(row) and row.min() < 0:
            raise DataError(f"expected source rows from 0, received {row.min()}")
        known, first, count = np.unique(
            self._known(self.events), return_index=True, return_counts=True
        )
        if (self.events.item[first[count > 1]] >= 0).any():
            raise DataError("expected one source row for each event, received repeated ones")
        unique = np.sort(first)
        self.events = self.events.take(unique)
        self.known, self.order = known, np.searchsorted(unique, first)
        e = self.events
        self.key = self._key(e.user, e.item, e.behavior, e.domain)

    def _known(self, events: Events) -> Ints:
        return events.row * (len(self.dataset.catalogue.tokens) + 1) + events.token + 1

    def _key(self, user: Ints, item: Ints, behavior: Ints, domain: Ints) -> Ints:
        catalogue = self.dataset.catalogue
        key = (user * (len(catalogue) + 1) + item + 1) * len(catalogue.behaviors) + behavior
        return key * (len(catalogue.domains) + 1) + domain + 1 if self.by_domain else key

    def places(self, events: Events) -> Ints:
        """The place of each event; DataError for an event that the dataset does not have."""
        if not len(events):
            return np.zeros(0, np.int64)
        _refuse(not len(self.known), "the split has an event that the dataset does not have")
        wanted = self._known(events)
        index = np.minimum(np.searchsorted(self.known, wanted), len(self.known) - 1)
        place: Ints = self.order[index]
        same = (self.known[index] == wanted) & (self.events.user[place] == events.user)
        same &= self.events.item[place] == events.item
        _refuse(not bool(same.all()), "the split has an event that the dataset does not have")
        return place

    def truth_keys(self, cases: Cases) -> Ints:
        """The key of each truth, (T,)."""
        case = _owner(cases)
        users = cases.histories.users[case]
        return self._key(users, cases.truth, cases.behavior[case], cases.domain[case])

    def check_pairs(
        self, name: str, cases: Cases, known: NDArray[np.bool_], any_behavior: bool
    ) -> None:
        width = len(self.dataset.catalogue) + 1
        kinds = len(self.dataset.catalogue.behaviors)
        case = _owner(cases)
        known_pairs = self.events.user * width + self.events.item + 1
        truth_pairs = cases.histories.users[case] * width + cases.truth + 1
        history_events = cases.histories.events
        history_pairs = cases.histories.owner * width + history_events.item + 1
        case_truths = case * width + cases.truth + 1
        if not any_behavior:
            known_pairs, truth_pairs = (
                known_pairs * kinds + self.events.behavior,
                truth_pairs * kinds + cases.behavior[case],
            )
            history_pairs, case_truths = (
                history_pairs * kinds + history_events.behavior,
                case_truths * kinds + cases.behavior[case],
            )
        leak = isin_many(truth_pairs, known_pairs[known]) | isin_many(case_truths, history_pairs)
        self._refuse_truths(leak, name, cases, "train or the history has another event of the pair")

    def check_held_out(self, name: str, cases: Cases, known: NDArray[np.bool_]) -> Ints:
        """Each truth has a held-out event, and what is known ends before it; their places."""
        keys, first = np.unique(self.truth_keys(cases), return_index=True)
        case = _owner(cases)[first]
        place = np.flatnonzero(~known)
        if self.protocol == "time":  # which leaves undated events out altogether
            place = place[self.events.time[place] != 0]
        at = index_of(self.key[place], keys)
        place, at = place[at >= 0], at[at >= 0]
        size = len(self.events)
        heard = self.places(cases.histories.events)
        mine = ~isin_many(case[at] * size + place, cases.histories.owner * size + heard)
        place, at = place[mine], at[mine]
        # "given" removes earlier events of the pair too, so there the last one is the truth
        order = np.arange(len(at)) if self.protocol == "given" else np.arange(len(at))[::-1]
        held = np.full(len(keys), -1)
        held[at[order]] = place[order]
        missing = np.zeros(len(cases.truth), bool)
        missing[first] = held < 0
        self._refuse_truths(missing, name, cases, "train or its own history has the event itself")
        if self.protocol in ORDERED:
            start = held
            if self.protocol == LEAVE_ONE_NEW_OUT:
                pair = pairs(self.dataset, self.events)
                each, place = np.unique(pair, return_index=True)
                start = place[np.searchsorted(each, pair[held])]
            self._check_order(name, cases, case, start, heard, np.flatnonzero(known))
        return held

    def _check_order(
        self, name: str, cases: Cases, case: Ints, held: Ints, history_places: Ints, trained: Ints
    ) -> None:
        start = np.full(len(cases.histories), len(self.events))
        np.minimum.at(start, case, held)
        e, owner = self.events, cases.histories.owner
        own = np.ones(len(history_places), bool)
        late = history_places >= start[owner]
        if self.by_domain:
            own = e.domain[history_places] == cases.domain[owner]
            truth = np.minimum(start, len(e) - 1)[owner]
            other = e.time[history_places] >= e.time[truth]
            late = np.where(own, late, other & (self.dataset.time == "clock"))
        _refuse(bool(late.any()), f"a {name} history has an event from its truth on")
        width = len(self.dataset.catalogue.domains) + 1
        unit, case_unit = e.user, cases.histories.users
        if self.by_domain:
            unit, case_unit = unit * width + e.domain + 1, case_unit * width + cases.domain + 1
        last = np.full(int(max(unit.max(initial=-1), case_unit.max(initial=-1))) + 1, -1)
        last[unit[trained]] = trained
        late = last[case_unit] >= start
        _refuse(bool(late.any()), f"train has an event of a user from the {name} event on")

    def _refuse_truths(self, leak: NDArray[np.bool_], name: str, cases: Cases, reason: str) -> None:
        if leak.any():
            truth = int(np.flatnonzero(leak)[0])
            user = self.dataset.users.ids[cases.histories.users[_owner(cases)[truth]]]
            item = self.dataset.catalogue.items.ids[cases.truth[truth]]
            count = np.count_nonzero(leak)
            _refuse(True, f"{count} {name} truths, as item {item!r} of user {user!r}: {reason}")


def _owner(cases: Cases) -> Ints:
    return np.repeat(np.arange(len(cases.histories)), np.diff(cases.indptr))


def _refuse(leak: bool, what: str) -> None:
    if leak:
        raise DataError(f"a leak: {what}; take the held-out events out of what may be known")
