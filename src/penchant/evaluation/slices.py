"""Slices: what a model did on parts of the test cases, and beside popularity on all of them."""

from collections.abc import Sequence

import numpy as np

from penchant.data.dataset import Catalogue, Dataset
from penchant.data.splitting.cases import Cases
from penchant.evaluation.evaluate import Evaluation
from penchant.evaluation.fit_report import Comparison, Slices
from penchant.types import Floats, Ints

COLD = 5
"""An item that training met at most so often is cold."""

_HISTORY = (4, 9, 19, 49)
_MET = (0, COLD, 20, 100)


def slice_metrics(evaluation: Evaluation, train: Dataset, cases: Cases) -> dict[str, Slices]:
    """Cases, recall@10 and NDCG@10 with their intervals by slice.

    ``history``   by the events of the case's history
    ``item``      by how many training events, of any behavior, the true item has; of several true
                  items the median counts
    ``behavior``  of what is asked, where the cases have several
    ``domain``    of the true items, where the cases have several; a case of mixed ones is in none

    ``train`` holds the events that the model was fitted on. A slice without any case is left out.
    """
    catalogue = train.catalogue
    domains = _domains(cases, catalogue)
    names = (*catalogue.domains,)
    parts = {
        "history": _between(cases.histories.lengths.astype(np.float64), _HISTORY),
        "item": _between(_medians(train.event_counts[cases.truth], cases.indptr), _MET),
        "behavior": [catalogue.behaviors[row].name for row in cases.behavior.tolist()],
        "domain": [names[row] if row >= 0 else None for row in domains.tolist()],
    }
    slices: dict[str, Slices] = {}
    for name, groups in parts.items():
        by = evaluation.by(groups)
        if name in ("history", "item"):
            ends = _HISTORY if name == "history" else _MET
            by = {label: by[label] for label in _labels(ends) if label in by}
        if name in ("history", "item") or len(by) > 1:
            slices[name] = by
    return slices


def compare(evaluation: Evaluation, other: Evaluation) -> Comparison:
    """Another evaluation of the same cases, and how much the first has more, in pairs.

    Metrics of all lists together have no pairs.
    """
    both = [name for name in evaluation.cases if name in other.cases]
    return Comparison(other.metrics, {name: evaluation.minus(other, name) for name in both})


def _labels(ends: Sequence[int]) -> list[str]:
    """Names of the parts between ends that each part includes.

    >>> _labels((0, 5, 20))
    ['0', '1 to 5', '6 to 20', 'over 20']
    """
    starts = [0, *(end + 1 for end in ends[:-1])]
    between = zip(starts, ends, strict=True)
    named = [f"{start} to {end}" if end > start else str(end) for start, end in between]
    return [*named, f"over {ends[-1]}"]


def _between(values: Floats, ends: Sequence[int]) -> list[str | None]:
    """The part in which each value lies, (B,); None for NaN."""
    labels = _labels(ends)
    place = np.searchsorted(ends, values)
    return [
        None if np.isnan(value) else labels[at]
        for value, at in zip(values.tolist(), place.tolist(), strict=True)
    ]


def _medians(values: Ints, indptr: Ints) -> Floats:
    """The lower median of each case's values, (B,); NaN where it has none."""
    case = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    ordered = values[np.lexsort((values, case))]
    size = np.diff(indptr)
    medians = np.full(len(size), np.nan)
    some = size > 0
    medians[some] = ordered[(indptr[:-1] + (size - 1) // 2)[some]]
    return medians


def _domains(cases: Cases, catalogue: Catalogue) -> Ints:
    """The domain that a case names, else the one that all its true items have, else -1, (B,)."""
    truth_domain = catalogue.domain[cases.truth]
    low, high = cases.domain.copy(), cases.domain.copy()
    for case in np.flatnonzero((cases.domain < 0) & (np.diff(cases.indptr) > 0)).tolist():
        own = truth_domain[cases.indptr[case] : cases.indptr[case + 1]]
        low[case], high[case] = own.min(), own.max()
    return np.where(low == high, low, -1)
