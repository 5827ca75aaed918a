"""Means over users with their bootstrap intervals."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.errors import ConfigError, DataError
from penchant.types import Floats, Ints

CELLS = 1 << 20
"""Draws held in memory at once (16 bytes each)."""


class Interval(NamedTuple):
    """A mean and the bounds of its interval."""

    value: float
    low: float
    high: float


def interval_dict(metrics: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    """Intervals by name as JSON types; a bound that is not known is null."""
    return {
        name: {key: None if np.isnan(v) else v for key, v in interval._asdict().items()}
        for name, interval in metrics.items()
    }


def bootstrap(
    values: Floats,
    seed: int,
    samples: int = 1000,
    level: float = 0.95,
    cluster: Ints | None = None,
) -> Interval:
    """Mean of some values with its percentile bootstrap interval.

    Parameters
    ----------
    values : array of float, shape (B,)
        One value for each case; NaN (a case without any truth) is left out.
    seed : int
        Of the draws.
    samples : int
        How many draws.
    level : float
        Of the interval, such as 0.95.
    cluster : array of int, shape (B,), optional
        The user of each case: several cases of one user are drawn together. The mean is over cases.

    Raises
    ------
    ConfigError
        For a level outside (0, 1) or no samples.
    DataError
        Where ``cluster`` has another length than ``values``.

    References
    ----------
    Efron 1979, "Bootstrap methods: another look at the jackknife".

    Examples
    --------
    >>> bootstrap(np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0] * 50), seed=0)
    Interval(value=0.6666666666666666, low=0.6166666666666667, high=0.7166666666666667)
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    if not 0 < level < 1 or samples < 1:
        raise ConfigError(
            f"expected a level inside (0, 1) and at least one sample, received {level}, {samples}"
        )
    if cluster is not None:
        if len(cluster) != len(values):
            raise DataError(
                f"expected one cluster for each of {len(values)} values, received {len(cluster)}"
            )
        cluster = np.unique(np.asarray(cluster)[known], return_inverse=True)[1].astype(np.int64)
    values = values[known]
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"))
    sums = values if cluster is None else np.bincount(cluster, values).astype(np.float64)
    sizes = None if cluster is None else np.bincount(cluster).astype(np.int64)
    means = _resampled(sums, sizes, np.random.default_rng(seed), samples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def paired(
    a: Floats,
    b: Floats,
    seed: int,
    samples: int = 1000,
    level: float = 0.95,
    cluster: Ints | None = None,
) -> Interval:
    """Mean of a - b over the same cases (B,), with its percentile bootstrap interval.

    An interval that leaves out 0 is a difference that another draw of users would show too.

    >>> paired(np.array([0.5, 0.25, 1.0]), np.array([0.25, 0.0, 0.75]), seed=0)
    Interval(value=0.25, low=0.25, high=0.25)
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        raise DataError(
            f"expected values of the same cases, received {len(a)} and {len(b)}; "
            "evaluate both on one split"
        )
    return bootstrap(a - b, seed, samples, level, cluster)


def skill_interval(
    probability: Floats,
    outcome: Floats,
    reference: Floats,
    user: Ints,
    seed: int,
    samples: int = 1000,
) -> Interval:
    """``brier_skill`` of E examples with its 95 % bootstrap interval, whole users drawn together.

    ``reference`` (E,) are the probabilities to compare with, ``user`` (E,) whose example it is.

    >>> y = np.tile([1.0, 0.0], 50)
    >>> skill_interval(np.tile([0.9, 0.1], 50), y, np.full(100, 0.5), np.arange(100), 0).low > 0.9
    True
    """
    owner = np.unique(user, return_inverse=True)[1]
    ours = np.bincount(owner, (probability - outcome) ** 2).astype(np.float64)
    theirs = np.bincount(owner, (reference - outcome) ** 2).astype(np.float64)
    if not theirs.sum() > 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    ratios = _resampled(ours, theirs, np.random.default_rng(seed), samples)
    high, low = 1 - np.quantile(ratios, [0.025, 0.975])
    return Interval(float(1 - ours.sum() / theirs.sum()), float(low), float(high))


def ratio_interval(
    numerator: Floats,
    denominator: Floats,
    seed: int,
    samples: int = 1000,
    level: float = 0.95,
    cluster: Ints | None = None,
) -> Interval:
    """Sum of ``numerator`` (n,) over sum of ``denominator`` (n,), with its bootstrap interval.

    Clusters (n,) are drawn whole, as in ``bootstrap``. A draw whose denominator sums to 0 says
    nothing of the ratio and is left out; NaN where that is so of all values.

    >>> ratio_interval(np.array([1.0, 2.0] * 9), np.array([2.0, 4.0] * 9), seed=0)
    Interval(value=0.5, low=0.5, high=0.5)
    """
    owner = np.arange(len(numerator)) if cluster is None else cluster
    above, below = _totals(owner, numerator), _totals(owner, denominator)
    if not below.sum() > 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    drawn = _ratios(above, below, seed, samples)
    return Interval(float(above.sum() / below.sum()), *_bounds(drawn, level))


def difference_interval(
    numerator: Floats,
    denominator: Floats,
    second: NDArray[np.bool_],
    seed: int,
    *,
    samples: int = 1000,
    level: float = 0.95,
    cluster: Ints | None = None,
) -> Interval:
    """The ratio of the values (n,) that are ``second`` (n,) less the ratio of the others.

    Ratios and their bootstrap interval as in ``ratio_interval``; a cluster (n,), a user, is drawn
    with all values, of both groups where it has some in both. NaN where a group has no ratio.

    >>> clicks, shown, second = np.ones(18), np.tile([2.0, 4.0], 9), np.tile([True, False], 9)
    >>> difference_interval(clicks, shown, second, seed=0)
    Interval(value=0.25, low=0.25, high=0.25)
    """
    owner = np.arange(len(numerator)) if cluster is None else cluster
    values, drawn = [], []
    for group in (second, ~second):
        above, below = _totals(owner, numerator * group), _totals(owner, denominator * group)
        if not below.sum() > 0:
            return Interval(float("nan"), float("nan"), float("nan"))
        values.append(float(above.sum() / below.sum()))
        # the same seed for both groups draws the same clusters
        drawn.append(_ratios(above, below, seed, samples))
    return Interval(values[0] - values[1], *_bounds(drawn[0] - drawn[1], level))


def _totals(owner: Ints, values: Floats) -> Floats:
    """The sum of the values (n,) of each owner, ascending by owner."""
    return np.bincount(np.unique(owner, return_inverse=True)[1], values).astype(np.float64)


def _ratios(above: Floats, below: Floats, seed: int, samples: int) -> Floats:
    """Ratios of draws of clusters, (samples,); NaN where a draw has nothing below the line."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = _resampled(above, below, np.random.default_rng(seed), samples)
    return np.where(np.isfinite(ratios), ratios, np.nan)


def _bounds(drawn: Floats, level: float) -> tuple[float, float]:
    """The percentile bounds of what was drawn, without NaN."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled(
    sums: Floats, sizes: Ints | Floats | None, rng: np.random.Generator, samples: int
) -> Floats:
    """Sum of sums over sum of sizes of draws of n clusters with replacement, (samples,).

    Without sizes each cluster has size 1.
    """
    n = len(sums)
    step = max(1, CELLS // n)
    means = np.empty(samples)
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        drawn = rng.integers(0, n, (stop - start, n), dtype=np.int32)
        total = sums[drawn].sum(axis=1)
        means[start:stop] = total / (n if sizes is None else sizes[drawn].sum(axis=1))
    return means
