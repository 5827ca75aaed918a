"""Whether a new artifact may go into service: its metrics must not drop, nor its data drift."""

import numpy as np

from penchant.data.dataset import Dataset
from penchant.recommendation import Model
from penchant.types import Floats

METRIC = "ndcg@10"
MAX_SHIFT = 0.25
"""Population stability index above which two distributions count as different."""

_MIN_SHARE = 0.5  # fraction of the previous events, users or items
_DECILES = 10


def stability_index(before: Floats, after: Floats) -> float:
    """Population stability index of two counts, (n,) each: sum of (q - p) log(q / p).

    One is added to each count, so that an empty cell says what it can. 0 for equal shares; .1 to
    .25 is a small shift, above it a large one (Siddiqi 2006, ch. 8).

    >>> round(stability_index(np.array([50.0, 50.0]), np.array([90.0, 10.0])), 2)
    0.83
    """
    p, q = before + 1.0, after + 1.0
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def rejection_reasons(new: Model, old: Model, margin: float) -> list[str]:
    """Why a run may not replace another in service; empty where it may.

    ``margin`` is the fraction of NDCG@10 that the new run may lose.
    """
    return [*_metric_drop(new, old, margin), *_drift(new.dataset, old.dataset)]


def _metric_drop(new: Model, old: Model, margin: float) -> list[str]:
    mine, theirs = new.report.evaluation, old.report.evaluation
    if theirs is None or new.dataset.target != old.dataset.target:
        return []
    if mine is None:
        return ["it was not evaluated, and the one in service was"]
    if mine.protocol != theirs.protocol:
        return []
    after, before = mine.metrics[METRIC], theirs.metrics[METRIC]
    least = before.value * (1 - margin)
    if after.value >= least:
        return []
    return [
        f"its {METRIC} is {after.value:.4f} [{after.low:.4f}, {after.high:.4f}], expected "
        f"at least {least:.4f}: {before.value:.4f} less {margin:.0%}"
    ]


def _drift(new: Dataset, old: Dataset) -> list[str]:
    reasons = []
    for what, after, before in (
        ("events", len(new.events), len(old.events)),
        ("users", len(new.users), len(old.users)),
        ("items", len(new.catalogue), len(old.catalogue)),
    ):
        if after < _MIN_SHARE * before:
            reasons.append(f"it has {after:,} {what}, the one in service {before:,}")
    for what, after_, before_ in (
        ("behaviors", _behavior_counts(new), _behavior_counts(old)),
        ("domains", _domain_counts(new), _domain_counts(old)),
    ):
        names = sorted({*after_, *before_})
        counts = (np.array([of.get(name, 0.0) for name in names]) for of in (before_, after_))
        reasons += _shift_reason(what, *counts)
    return reasons + _shift_reason(
        "popularity of items", _popularity_deciles(old), _popularity_deciles(new)
    )


def _shift_reason(what: str, before: Floats, after: Floats) -> list[str]:
    shift = stability_index(before, after)
    if shift <= MAX_SHIFT:
        return []
    return [
        f"the distribution of {what} has shifted: stability index {shift:.2f}, at most {MAX_SHIFT}"
    ]


def _behavior_counts(data: Dataset) -> dict[str, float]:
    counts = np.bincount(data.events.behavior, minlength=len(data.catalogue.behaviors))
    return {b.name: float(n) for b, n in zip(data.catalogue.behaviors, counts, strict=True)}


def _domain_counts(data: Dataset) -> dict[str, float]:
    domain = data.events.domain
    counts = np.bincount(domain[domain >= 0], minlength=len(data.catalogue.domains))
    return dict(zip(data.catalogue.domains, map(float, counts), strict=True))


def _popularity_deciles(data: Dataset) -> Floats:
    """Events on each tenth of the items, the most popular first, (10,)."""
    counts = np.sort(data.event_counts)[::-1]
    return np.array([part.sum() for part in np.array_split(counts, _DECILES)], np.float64)
