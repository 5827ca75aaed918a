"""What stands beside a history: the user's attributes, and the latest events of friends.

Neither decays or ages anything: each is added to x as it is. A friend's event is an event of its
item at a lower weight, and is there only for what comes after it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.data.dataset import Dataset, Histories, Ints
from penchant.data.people import attribute_rows
from penchant.models.sums import coo

UNIT = 12  # weights are multiples of 2^-12, as those of a history


@dataclass(frozen=True)
class Sides:
    """What stands beside the histories of U users.

    attributes  (U, A), 1 where a user has one
    indptr, item, time, strength   the positive events of each user's friends, oldest first; of
                equal times the stronger last. A time of 0 or less is none: such an event is there
                for all
    users       of the dataset, for who is asked by name
    """

    attributes: sparse.csr_array
    indptr: Ints
    item: Ints
    time: Ints
    strength: NDArray[np.float64]

    @classmethod
    def of(cls, dataset: Dataset) -> "Sides | None":
        """Of a dataset's users, relations and events; None where it has nothing of the kind."""
        users = len(dataset.users)
        owner, attribute = attribute_rows(dataset)
        if not len(owner) and not len(dataset.relations):
            return None
        shape = users, len(dataset.catalogue.attributes)
        attributes = coo(np.ones(len(owner), np.int64), owner, attribute, shape)
        catalogue, events = dataset.catalogue, dataset.events
        strength = np.array([b.strength * (b.polarity > 0) for b in catalogue.behaviors])
        events = events.take((events.item >= 0) & (strength[events.behavior] > 0)).sorted()
        start = events.indptr(users)
        who, friend = dataset.relations.T
        size = start[friend + 1] - start[friend]
        ends = np.cumsum(size)
        place = np.arange(int(size.sum())) + np.repeat(start[friend] - ends + size, size)
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

    def rows(
        self, user: Ints, now: Ints, settings: TransitionSettings, first: int, predictors: int
    ) -> sparse.csr_array:
        """What is added to the x of some users (n,) at some times, (n, P) int64 in 2^-12.

        A user of -1 has nothing. Attributes are the predictors from ``first`` on. Of the friends'
        events before ``now`` the latest ``settings.recent`` count.
        """
        known = np.flatnonzero(user >= 0)
        shape = len(user), predictors
        mine = self.attributes[user[known]].tocoo()
        row, column = [known[mine.row]], [first + mine.col]
        weight = [np.full(mine.nnz, round(settings.attributes * 2**UNIT), np.int64)]
        if settings.friends > 0 and len(self.item):
            stop = self._before(user[known], np.maximum(now[known], 1))
            size = np.minimum(stop - self.indptr[user[known]], settings.recent)
            ends = np.cumsum(size)
            place = np.arange(int(size.sum())) + np.repeat(stop - ends, size)
            row.append(np.repeat(known, size))
            column.append(self.item[place])
            units = np.rint(self.strength[place] * settings.friends * 2**UNIT)
            weight.append(units.astype(np.int64))
        rows, columns = np.concatenate(row), np.concatenate(column)
        return coo(np.concatenate(weight), rows, columns, shape)

    def beside(
        self, histories: Histories, settings: TransitionSettings, first: int, predictors: int
    ) -> sparse.csr_array:
        """What is added to the x of histories, (B, P): "now" is a history's last event."""
        now = np.full(len(histories), np.iinfo(np.int64).max)
        some = histories.lengths > 0
        last = histories.events.time[histories.indptr[1:][some] - 1]
        now[some] = np.where(last > 0, last + 1, now[some])
        return self.rows(histories.users, now, settings, first, predictors)

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
