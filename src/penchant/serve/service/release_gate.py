"""Whether a new artifact may take over: its metrics must not fall, nor its inputs drift."""

import numpy as np

from penchant.data.dataset import Dataset
from penchant.recommendation import Model
from penchant.types import Floats

METRIC = "ndcg@10"
DRIFT = 0.25
"""Population stability index from which on two distributions are taken to be different."""

_LEAST = 0.5  # of the events, users or items of before
_RANKS = 10


def stability(before: Floats, after: Floats) -> float:
    """Population stability index of two counts, (n,) each: sum of (q - p) log(q / p).

    One is added to each count, so that an empty cell says what it can. 0 for equal shares; .1 to
    .25 is a small shift, above it a large one (Siddiqi 2006, ch. 8).

    >>> round(stability(np.array([50.0, 50.0]), np.array([90.0, 10.0])), 2)
    0.83
    """
    p, q = before + 1.0, after + 1.0
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def refused(new: Model, old: Model, margin: float) -> list[str]:
    """Why a run may not take over from another; empty where it may.

    ``margin`` is the part of the old run's NDCG@10 that the new one's may lack.
    """
    return [*_fallen(new, old, margin), *_drifted(new.dataset, old.dataset)]


def _fallen(new: Model, old: Model, margin: float) -> list[str]:
    mine, theirs = new.report.evaluation, old.report.evaluation
    if theirs is None or new.dataset.target != old.dataset.target:
        return []
    if mine is None:
        return ["it was not evaluated, and the one that serves was"]
    if mine.protocol != theirs.protocol:
        return []
    after, before = (of.metrics[METRIC] for of in (mine, theirs))
    least = before.value * (1 - margin)
    if after.value >= least:
        return []
    return [
        f"its {METRIC} is {after.value:.4f} [{after.low:.4f}, {after.high:.4f}], and at "
        f"least {least:.4f} is asked for: {before.value:.4f} less {margin:.0%}"
    ]


def _drifted(new: Dataset, old: Dataset) -> list[str]:
    reasons = []
    for what, after, before in (
        ("events", len(new.events), len(old.events)),
        ("users", len(new.users), len(old.users)),
        ("items", len(new.catalogue), len(old.catalogue)),
    ):
        if after < _LEAST * before:
            reasons.append(f"it has {after:,} {what}, the one that serves {before:,}")
    for what, after_, before_ in (
        ("behaviors", _behaviors(new), _behaviors(old)),
        ("domains", _domains(new), _domains(old)),
    ):
        names = sorted({*after_, *before_})
        counts = (np.array([of.get(name, 0.0) for name in names]) for of in (before_, after_))
        reasons += _shifted(what, *counts)
    return reasons + _shifted("popularity of items", _ranks(old), _ranks(new))


def _shifted(what: str, before: Floats, after: Floats) -> list[str]:
    shift = stability(before, after)
    if shift <= DRIFT:
        return []
    return [f"the shares of {what} have shifted: stability index {shift:.2f}, at most {DRIFT}"]


def _behaviors(data: Dataset) -> dict[str, float]:
    counts = np.bincount(data.events.behavior, minlength=len(data.catalogue.behaviors))
    return {b.name: float(n) for b, n in zip(data.catalogue.behaviors, counts, strict=True)}


def _domains(data: Dataset) -> dict[str, float]:
    domain = data.events.domain
    counts = np.bincount(domain[domain >= 0], minlength=len(data.catalogue.domains))
    return dict(zip(data.catalogue.domains, map(float, counts), strict=True))


def _ranks(data: Dataset) -> Floats:
    """Events on each tenth of the items, the most popular first, (10,)."""
    counts = np.sort(data.event_counts)[::-1]
    return np.array([part.sum() for part in np.array_split(counts, _RANKS)], np.float64)
