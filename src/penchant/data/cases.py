"""Questions and their right answers: what a split is made of."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from penchant.data.dataset import Events, Histories, Ints


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
