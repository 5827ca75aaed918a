"""What stands beside a history: its length, the user's attributes, the latest events of friends.

None decays or ages anything: each is added to x as it is. A friend's event is an event of its
item at a lower weight, and is there only for what comes after it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.data.arrays import ranges
from penchant.data.dataset import Dataset, Histories
from penchant.data.user_attributes import attribute_rows
from penchant.models.transition.exact_sums import coo
from penchant.types import Ints

UNIT = 12  # weights are multiples of 2^-12, as those of a history
OPENINGS = (9,)
"""Histories of up to so many events are of one class each; longer ones of one more."""


@dataclass(frozen=True)
class SideInformation:
    """What stands beside the histories of U users.

    users       of the dataset, for who is asked by name

    Parameters
    ----------
    attributes
        (U, A), 1 where a user has one.
    indptr, item, time, strength
        The positive events of each user's friends, oldest first; of equal times the
        stronger last. A time of 0 or less is none: such an event is there for all.
    """

    attributes: sparse.csr_array
    indptr: Ints
    item: Ints
    time: Ints
    strength: NDArray[np.float64]

    @classmethod
    def of(cls, dataset: Dataset) -> "SideInformation":
        """Of a dataset's users, relations and events."""
        users = len(dataset.users)
        owner, attribute = attribute_rows(dataset)
        shape = users, len(dataset.catalogue.attributes)
        attributes = coo(np.ones(len(owner), np.int64), owner, attribute, shape)
        catalogue, events = dataset.catalogue, dataset.events
        strength = np.array([b.strength * (b.polarity > 0) for b in catalogue.behaviors])
        events = events.take((events.item >= 0) & (strength[events.behavior] > 0)).sorted()
        start = events.indptr(users)
        who, friend = dataset.relations.T
        size = start[friend + 1] - start[friend]
        place = ranges(start[friend], size)
        mine, time = np.repeat(who, size), np.maximum(events.time[place], 0)
        if dataset.time != "clock":
            time = np.zeros_like(time)
        value = np.nan_to_num(events.value[place])
        order = np.lexsort((events.item[place], value, time, mine))
        place = place[order]
        indptr = np.searchsorted(mine[order], np.arange(users + 1)).astype(np.int64)
        return cls(
            attributes,
            indptr,
            events.item[place],
            time[order],
            strength[events.behavior[place]],
        )

    def counts(self, settings: TransitionSettings) -> bool:
        """Whether anything stands beside any history."""
        friends = settings.friends > 0 and len(self.item) > 0
        return bool(settings.short_history_weight) or friends or self.attributes.nnz > 0

    def rows(
        self,
        user: Ints,
        now: Ints,
        length: Ints,
        settings: TransitionSettings,
        first: int,
        predictors: int,
    ) -> sparse.csr_array:
        """What is added to the x of some users (n,) at some times, (n, P) int64 in 2^-12.

        The classes of ``length``, of a history then, are the predictors from ``first`` on, and
        after these come the attributes. Of the friends' events before ``now`` the latest
        ``settings.recent`` count. A user of -1 has the length alone.
        """
        known = np.flatnonzero(user >= 0)
        shape = len(user), predictors
        mine = self.attributes[user[known]].tocoo()
        row, column = [known[mine.row]], [first + len(OPENINGS) + 1 + mine.col]
        weight = [np.full(mine.nnz, round(settings.attributes * 2**UNIT), np.int64)]
        if settings.short_history_weight:
            row.append(np.arange(len(user)))
            column.append(first + np.searchsorted(OPENINGS, length))
            units = round(settings.short_history_weight * 2**UNIT)
            weight.append(np.full(len(user), units, np.int64))
        if settings.friends > 0 and len(self.item):
            stop = self._before(user[known], np.maximum(now[known], 1))
            size = np.minimum(stop - self.indptr[user[known]], settings.recent)
            place = ranges(stop - size, size)
            row.append(np.repeat(known, size))
            column.append(self.item[place])
            units = np.rint(self.strength[place] * settings.friends * 2**UNIT)
            weight.append(units.astype(np.int64))
        rows, columns = np.concatenate(row), np.concatenate(column)
        return coo(np.concatenate(weight), rows, columns, shape)

    def side_inputs(
        self, histories: Histories, settings: TransitionSettings, first: int, predictors: int
    ) -> sparse.csr_array:
        """What is added to the x of histories, (B, P): "now" is a history's last event."""
        now = np.full(len(histories), np.iinfo(np.int64).max)
        some = histories.lengths > 0
        last = histories.events.time[histories.indptr[1:][some] - 1]
        now[some] = np.where(last > 0, last + 1, now[some])
        return self.rows(histories.users, now, histories.lengths, settings, first, predictors)

    def _before(self, user: Ints, now: Ints) -> Ints:
        """The place after the last friend's event before a time, for each user."""
        key = np.searchsorted(self._times, now)
        return np.searchsorted(self._keys, user * (len(self._times) + 1) + key).astype(np.int64)

    @cached_property
    def _times(self) -> Ints:
        return np.unique(self.time)

    @cached_property
    def _keys(self) -> Ints:
        owner = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        return owner * (len(self._times) + 1) + np.searchsorted(self._times, self.time)
