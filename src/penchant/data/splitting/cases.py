"""Questions and their right answers: what a split is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from penchant.data.arrays import ranges
from penchant.data.dataset import Events, Histories
from penchant.data.hashing import hashes
from penchant.types import Ints


@dataclass(frozen=True)
class Cases:
    """B questions: given a history, which items come next?

    ``truth[indptr[b]:indptr[b + 1]]`` are the item rows that are right for case b (repeats
    allowed). ``behavior`` and ``domain`` (B,) say of which kind the truth is; domain -1 is any.
    """

    histories: Histories
    indptr: Ints
    truth: Ints
    behavior: Ints
    domain: Ints

    def take(self, index: Ints) -> "Cases":
        """Some of the cases, in that order."""
        length = np.diff(self.indptr)[index]
        return Cases(
            self.histories.take(index),
            np.concatenate([[0], np.cumsum(length)]).astype(np.int64),
            self.truth[ranges(self.indptr[index], length)],
            self.behavior[index],
            self.domain[index],
        )

    def sample(self, ids: Sequence[str], count: int, seed: int) -> "Cases":
        """The first case of each of ``count`` known users with a history, by a seeded hash.

        Parameters
        ----------
        ids : sequence of str
            The identifiers of all users, by row.
        count : int
            How many users at most.
        seed : int
            Of the hash: the choice depends on it and on the identifiers alone.
        """
        owners = self.histories.users
        eligible = np.flatnonzero((owners >= 0) & (self.histories.lengths > 0))
        _, first = np.unique(owners[eligible], return_index=True)
        eligible = eligible[first]
        order = hashes("diversity", [ids[user] for user in owners[eligible].tolist()], seed)
        return self.take(np.sort(eligible[np.argsort(order, kind="stable")[:count]]))

    @cached_property
    def repeated(self) -> float:
        """The share of right answers that their own history holds."""
        events = self.histories.events
        items = 1 + int(max(events.item.max(initial=0), self.truth.max(initial=0)))
        known = events.item >= 0
        before = self.histories.owner[known] * items + events.item[known]
        owner = np.repeat(np.arange(len(self.histories)), np.diff(self.indptr))
        return float(np.isin(owner * items + self.truth, before).mean()) if len(owner) else 0.0


@dataclass(frozen=True)
class Split:
    """``train`` is all that may be fitted on; a test history may hold the validation event."""

    train: Events
    validation: Cases
    test: Cases
    protocol: str
