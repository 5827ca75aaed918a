"""A share of the list for each interest: calibrated recommendations, and places guaranteed."""

import numpy as np

from penchant.errors import DataError
from penchant.evaluation.metrics import miscalibration
from penchant.recommendation.request import InterestShares
from penchant.recommendation.rerank.diversity import Gain, Plain, dial, select
from penchant.types import Floats, Ints


class Balanced:
    """Another gain beside the balance of interests; see ``calibrated``."""

    def __init__(self, base: Gain, shares: Floats, target: Floats, quota: float) -> None:
        self.base, self.shares, self.target, self.quota = base, shares, target, quota
        self.total = np.zeros(shares.shape[1])
        self.size = 0

    def marginal_gains(self) -> Floats:
        mean = (self.total + self.shares) / (self.size + 1)
        wrong = miscalibration(self.target, mean)
        marginal: Floats = (1 - self.quota) * self.base.marginal_gains() - self.quota * wrong
        return marginal

    def take(self, place: int) -> None:
        self.base.take(place)
        self.total = self.total + self.shares[place]
        self.size += 1


def calibrated(
    relevance: Floats, shares: Floats, target: Floats, k: int, quota: float
) -> list[int]:
    """A list that holds to the user's interests: places of k candidates in order.

    Each is the largest of (1 - quota) sum of relevance - quota KL(target || q~), with q the mean
    shares of the list and the candidate: the greedy maximum of Steck 2018, "Calibrated
    recommendations", eq. 3 to 8, with lambda = quota; ``metrics.miscalibration`` is the KL. On top
    of that, each interest has its ``guaranteed`` places. ``relevance`` (C,), ``shares`` (C, T) of
    each candidate over interests, ``target`` (T,) of the user.

    >>> shares = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> calibrated(np.array([1.0, 0.9, 0.8, 0.1]), shares, np.array([0.5, 0.5]), 2, 0.8)
    [0, 3]

    Raises DataError for shapes that do not fit, ConfigError for a quota outside [0, 1].
    """
    if shares.shape != (len(relevance), len(target)):
        raise DataError(
            f"expected shares of {len(relevance)} candidates over {len(target)} interests, "
            f"received {shares.shape}"
        )
    dial("quota", quota)
    gain = Balanced(Plain(relevance), shares, target, quota)
    least = guaranteed(target, k, quota)
    return select(gain, np.arange(len(relevance)), k, None, main_interest(shares), least).chosen


def guaranteed(target: Floats, k: int, quota: float) -> Ints:
    """Places of k that each interest has at least, where there are candidates of it, (T,).

    floor(share k quota) for an interest whose share of the target is 1/k or more, else 0.

    >>> guaranteed(np.array([0.6, 0.35, 0.05]), 10, 0.9)
    array([5, 3, 0])
    """
    total = float(target.sum())
    share = target / total if total > 0 else np.zeros(len(target))
    # what is 1/k or a whole number of places but for rounding is one
    places = np.floor(share * k * quota + 1e-9).astype(np.int64)
    return np.where(share * k >= 1 - 1e-9, places, 0)


def main_interest(shares: Floats) -> Ints:
    """The interest with the largest share of each candidate, (C,); -1 for one without any."""
    if not shares.shape[1]:
        return np.full(len(shares), -1)
    best: Ints = np.argmax(shares, axis=1)
    return np.where(shares.max(axis=1) > 0, best, -1)


def checked(interests: InterestShares, items: Ints) -> tuple[Floats, Floats]:
    """Shares of items over the interests, (C, T), and their weights, (T,).

    Raises DataError where they do not fit each other, or are no shares.
    """
    target = np.asarray(interests.weights, np.float64)
    shares = np.asarray(interests.shares(items), np.float64)
    if target.ndim != 1 or shares.shape != (len(items), len(target)):
        raise DataError(
            f"expected weights (T,) of interests and shares of {len(items)} items over them, "
            f"received arrays of shapes {target.shape} and {shares.shape}"
        )
    if (
        not (np.isfinite(target).all() and np.isfinite(shares).all())
        or min(target.min(initial=0), shares.min(initial=0)) < 0
    ):
        raise DataError("expected finite weights and shares of at least 0")
    return shares, target
