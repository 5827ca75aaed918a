"""Questions and their right answers: what a split is made of."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Split:
    """``train`` is all that may be fitted on; a test history may hold the validation event."""

    train: Events
    validation: Cases
    test: Cases
    protocol: str
