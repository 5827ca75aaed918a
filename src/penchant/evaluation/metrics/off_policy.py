"""What another policy would have earned, from what one that drew by known probabilities earned.

A slot is one place of a list that was drawn: the logged policy chose an item with probability
``propensity`` (n,) in (0, 1] and saw ``rewards`` (n,), a click being 1. The target policy would
have chosen that same item with probability ``target`` (n,) in [0, 1]. A slot then weighs
w = target / propensity. The estimates hold where every item that the target may choose could have
been drawn, and where a slot's reward does not depend on what the target does with other slots.

    ips, snips                      the value of the target policy, as a number
    ips_interval, snips_interval    the same with 95 % bootstrap intervals, whole users drawn
    effective_sample_size           how many slots the weighted ones are worth
"""

import numpy as np

from penchant.errors import DataError
from penchant.evaluation.metrics.intervals import Interval, bootstrap, ratio_interval
from penchant.types import Floats, Ints


def importance_weights(propensity: Floats, target: Floats) -> Floats:
    """w = target / propensity of each slot, (n,).

    Raises DataError for a propensity outside (0, 1], a target outside [0, 1] and unequal shapes.

    >>> importance_weights(np.array([0.5, 0.25]), np.array([1.0, 0.0]))
    array([2., 0.])
    """
    p, q = np.asarray(propensity, float), np.asarray(target, float)
    if p.ndim != 1 or p.shape != q.shape:
        raise DataError(
            f"expected a propensity and a target probability of each slot, (n,), received shapes "
            f"{p.shape} and {q.shape}"
        )
    if not ((p > 0) & (p <= 1)).all():
        raise DataError(
            "expected propensities above 0 and up to 1, received others; leave out what the "
            "logged policy did not draw"
        )
    if not ((q >= 0) & (q <= 1)).all():
        raise DataError(
            "expected target probabilities from 0 to 1, received others; give the probability "
            "with which the target policy chooses the logged item"
        )
    weights: Floats = q / p
    return weights


def ips(rewards: Floats, propensity: Floats, target: Floats) -> float:
    """``ips``: sum of w r / n, in units of the reward; NaN without any slot.

    Inverse propensity scoring: Horvitz & Thompson 1952; for logged recommendations Li et al.
    2011. Unbiased, and of large variance where propensities are small.

    >>> ips(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    1.0
    """
    r, w = _checked(rewards, propensity, target)
    return float((w * r).mean()) if len(r) else float("nan")


def snips(rewards: Floats, propensity: Floats, target: Floats) -> float:
    """``snips``: sum of w r / sum of w, in units of the reward; NaN where all weights are 0.

    The self-normalized estimator, Swaminathan & Joachims 2015. Its bias vanishes as slots
    grow; it never leaves the range of the rewards and mostly varies less than ``ips``.

    >>> snips(np.array([1.0, 0.0, 1.0]), np.full(3, 0.5), np.array([1.0, 1.0, 0.0]))
    0.5
    """
    r, w = _checked(rewards, propensity, target)
    w = _scaled(w)
    return float((w * r).sum() / w.sum()) if w.sum() > 0 else float("nan")


def effective_sample_size(weights: Floats) -> float:
    """``ess``: (sum of w)^2 / sum of w^2, Kish 1965, in slots; 0 where all weights are 0.

    >>> effective_sample_size(np.array([2.0, 2.0, 0.0, 0.0]))
    2.0
    """
    w = _scaled(np.asarray(weights, float))
    total = float((w**2).sum())
    return float(w.sum() ** 2 / total) if total > 0 else 0.0


def ips_interval(
    rewards: Floats,
    propensity: Floats,
    target: Floats,
    seed: int,
    samples: int = 1000,
    cluster: Ints | None = None,
) -> Interval:
    """``ips`` with its 95 % percentile bootstrap interval; ``cluster`` (n,) is each slot's user.

    Slots of a user are drawn together. Where few rewards have a weight the interval is too narrow,
    and without any it is 0 to 0: look at ``effective_sample_size``.

    >>> ips_interval(np.ones(50), np.full(50, 0.5), np.full(50, 0.5), seed=0)
    Interval(value=1.0, low=1.0, high=1.0)
    """
    r, w = _checked(rewards, propensity, target)
    return bootstrap(w * r, seed, samples, cluster=cluster)


def snips_interval(
    rewards: Floats,
    propensity: Floats,
    target: Floats,
    seed: int,
    samples: int = 1000,
    cluster: Ints | None = None,
) -> Interval:
    """``snips`` with its 95 % percentile bootstrap interval; ``cluster`` (n,) is each slot's user.

    A draw in which no slot has a weight says nothing and is left out; see ``ips_interval``.

    >>> snips_interval(np.ones(50), np.full(50, 0.5), np.tile([0.0, 1.0], 25), seed=0)
    Interval(value=1.0, low=1.0, high=1.0)
    """
    r, w = _checked(rewards, propensity, target)
    w = _scaled(w)
    return ratio_interval(w * r, w, seed, samples, cluster=cluster)


def _scaled(weights: Floats) -> Floats:
    """The weights by the largest of them: products of tiny ones lose their digits."""
    most = weights.max(initial=0.0)
    return weights / most if most > 0 else weights


def _checked(rewards: Floats, propensity: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Rewards and weights, (n,) each."""
    r, w = np.asarray(rewards, float), importance_weights(propensity, target)
    if r.shape != w.shape:
        raise DataError(
            f"expected a reward of each of {len(w)} slots, (n,), received shape {r.shape}"
        )
    if not np.isfinite(r).all():
        raise DataError("expected finite rewards, received NaN or infinity; 0 is no reward")
    return r, w
