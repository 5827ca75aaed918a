"""How far probabilities can be trusted: Brier score and skill, log loss, calibration error.

``probability`` (E,) lies in [0, 1] and ``outcome`` (E,) is 0 or 1, one of each per example.
"""

import numpy as np
from numpy.typing import NDArray

from penchant.errors import DataError
from penchant.types import Floats

Outcomes = NDArray[np.number] | NDArray[np.bool_]


def brier(probability: Floats, outcome: Outcomes) -> Floats:
    """``brier``: squared error of each probability, (E,); its mean is the Brier score (1950).

    >>> brier(np.array([0.5, 1.0]), np.array([1, 0]))
    array([0.25, 1.  ])
    """
    p, y = _checked(probability, outcome)
    return (p - y) ** 2


def brier_skill(probability: Floats, outcome: Outcomes, reference: Floats | float) -> float:
    """``brier_skill``: 1 - Brier / Brier of the reference probabilities; NaN without any error.

    A model that says what the reference says has skill 0; below 0 it is worse.

    >>> brier_skill(np.array([0.9, 0.1]), np.array([1, 0]), 0.5) == 1 - 0.1**2 / 0.5**2
    True
    """
    p, y = _checked(probability, outcome)
    base = float(np.mean((np.broadcast_to(reference, y.shape) - y) ** 2)) if len(y) else 0.0
    return float(1 - np.mean((p - y) ** 2) / base) if base > 0 else float("nan")


def log_loss(probability: Floats, outcome: Outcomes, least: float = 1e-15) -> Floats:
    """``log_loss``: -log of the probability given to what happened, in nats, (E,).

    Probabilities are kept ``least`` away from 0 and 1, so a sure error costs 34.5 and not inf.

    >>> np.exp(-log_loss(np.array([0.25, 0.25]), np.array([1, 0]))).round(12)
    array([0.25, 0.75])
    """
    p, y = _checked(probability, outcome)
    p = np.clip(p, least, 1 - least)
    return -np.where(y > 0, np.log(p), np.log1p(-p))


def ece(probability: Floats, outcome: Outcomes, bins: int = 15) -> float:
    """``ece``: expected calibration error over bins of equal mass.

    sum over bins of (share of examples) |mean probability - mean outcome|; Naeini et al. 2015,
    with equal-mass bins (Nixon et al. 2019). Equal probabilities share a bin, so the number does
    not depend on the order of the examples; NaN without any.

    >>> round(ece(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0, 0, 1, 0]), bins=2), 12)
    0.25
    """
    predicted, observed, count = reliability(probability, outcome, bins)
    if not len(predicted):
        return float("nan")
    return float((np.abs(predicted - observed) * count).sum() / count.sum())


def reliability(
    probability: Floats, outcome: Outcomes, bins: int = 15
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Mean probability, share that happened and size of each bin of equal mass, ascending.

    Equal probabilities share a bin, so there may be fewer bins than asked for.

    >>> said, happened, count = reliability(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0, 0, 1, 0]))
    >>> said.tolist(), happened.tolist(), count.tolist()
    ([0.2, 0.8], [0.0, 0.5], [2, 2])
    """
    p, y = _checked(probability, outcome)
    _, value, count = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    bin_of = np.minimum((middle * bins / max(1, len(p))).astype(np.int64), bins - 1)[value]
    size = np.bincount(bin_of)
    used = size > 0
    size = size[used]
    predicted, observed = (np.bincount(bin_of, x)[used] / size for x in (p, y))
    return predicted, observed, size.astype(np.int64)


def _checked(probability: Floats, outcome: Outcomes) -> tuple[Floats, Floats]:
    p, y = np.asarray(probability, float), np.asarray(outcome, float)
    if p.shape != y.shape:
        raise DataError(f"expected as many outcomes as probabilities, received {y.shape} {p.shape}")
    if len(p) and not (p.min() >= 0 and p.max() <= 1):
        raise DataError(
            f"expected probabilities from 0 to 1, received {p.min()} to {p.max()}; "
            "calibrate the scores first"
        )
    if not ((y == 0) | (y == 1)).all():
        raise DataError(
            "expected outcomes of 0 or 1, received others; give whether each event was observed"
        )
    return p, y
