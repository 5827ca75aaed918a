"""Calibrated probabilities: what a score means.

r(u, i | a) = sigmoid(<x_u, x_i> + b) is the probability that item i is what user u does next by
behavior a, given that i is among the user's 100 best. Here <x_u, x_i> is what the model's list
says of the item, with weights fitted on validation users that nothing else was fitted on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from penchant.errors import DataError
from penchant.types import Floats, Ints

LISTED = 100
"""Items of a list that have a probability: the best by score, seen ones left out."""

FEATURES = ("rank", "place", "softmax", "share", "history")
_FLOOR = 1e-4  # of a list's whole positive score: what an item without any is taken to have
_PULL = 1e-3  # of the weights to 0, for a feature that never varies
_SPREAD = 0.1  # of a feature, at least: all are logarithms or lie in 0 to 1, and where one hardly
# varies its weight must not be so large that another user's value decides alone


def logistic(x: Floats, weights: Floats, bias: float) -> Floats:
    """r = sigmoid(<weights, x> + bias), for x (..., F).

    Three features with weights .5, .3 and .2, a bias of 1, and x = (1, 0, 1): the sum is 1.7. The
    article that this example comes from prints 0.94, which is the sigmoid of 2.75.

    >>> round(float(logistic(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.3, 0.2]), 1.0)), 4)
    0.8455
    """
    probability: Floats = expit(x @ weights + bias)
    return probability


@dataclass(frozen=True)
class Calibration:
    """Weights of what a list says, (F,), and a bias.

    Every weight but the last is at least 0, so that probabilities fall as scores do.
    """

    weights: Floats
    bias: float

    def probabilities(self, scores: Floats, lengths: Ints) -> Floats:
        """Of lists of scores in descending order (B, n) after histories of ``lengths`` (B,).

        NaN for padding (-inf) and after the first 100 places.
        """
        found: Floats = np.full(scores.shape, np.nan)
        listed = scores[:, :LISTED]
        r = logistic(features(listed, lengths), self.weights, self.bias)
        found[:, :LISTED] = np.where(listed > -np.inf, r, np.nan)
        return found


def features(scores: Floats, lengths: Ints) -> Floats:
    """What lists of scores in descending order (B, n) say of each item, (B, n, F).

    rank     -log of the rank
    place    from 0, the list's least score, to 1, its greatest
    softmax  log-softmax of the scores over the list: for scores that are logits
    share    log(share of the list's positive scores + 1e-4): for scores that are sums of weights
    history  log(1 + events of the history)
    """
    B, n = scores.shape
    there = scores > -np.inf
    least = np.where(there, scores, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    least = np.where(np.isfinite(least), least, 0.0)
    s = np.where(there, scores, least)
    width = s.max(axis=1, keepdims=True, initial=-np.inf) - least if n else least
    rank = np.broadcast_to(-np.log(np.arange(1, n + 1)), (B, n))
    place = np.divide(s - least, width, out=np.zeros_like(s), where=width > 0)
    high = s.max(axis=1, keepdims=True, initial=-1e300)
    mass = (np.exp(s - high) * there).sum(axis=1, keepdims=True)
    softmax = s - high - np.log(np.maximum(mass, 1e-300))
    softmax = np.where(np.isfinite(softmax), softmax, 0.0)
    positive = np.where(there, np.maximum(s, 0.0), 0.0)
    share = positive / np.maximum(positive.sum(axis=1, keepdims=True), 1e-300)
    history = np.broadcast_to(np.log1p(lengths)[:, None], (B, n))
    return np.stack([rank, place, softmax, np.log(share + _FLOOR), history], axis=-1)


def fit_calibration(scores: Floats, lengths: Ints, outcome: NDArray[np.bool_]) -> Calibration:
    """Fit the probability that a listed item is what the user does next, by maximum likelihood.

    Parameters
    ----------
    scores
        Lists of scores in descending order, (B, n); -inf where a list ends early.
    lengths
        Events of each history, (B,).
    outcome
        Whether each listed item is what happened, (B, n).

    Raises
    ------
    DataError
        Where nothing was listed: there is nothing to learn from.
    """
    there = scores > -np.inf
    if not there.any():
        raise DataError("expected lists of scored items to calibrate on, received none")
    X, y = features(scores, lengths)[there], outcome[there].astype(np.float64)
    least = [0.0] * (X.shape[1] - 1) + [-np.inf]
    return Calibration(*regression(X, y, np.array(least)))


def regression(X: Floats, y: Floats, least: Floats) -> tuple[Floats, float]:
    """Logistic regression of y (E,) on X (E, F), weights of at least ``least`` (F,) each."""
    mean, scale = X.mean(axis=0), np.maximum(X.std(axis=0), _SPREAD)
    Z = (X - mean) / scale
    rate = (y.sum() + 0.5) / (len(y) + 1)

    def loss(flat: Floats) -> tuple[float, Floats]:
        w, b = flat[:-1], flat[-1]
        z = Z @ w + b
        value = float(np.logaddexp(0, z).sum() - y @ z) + _PULL / 2 * float(w @ w)
        residual = expit(z) - y
        return value, np.append(Z.T @ residual + _PULL * w, residual.sum())

    begin = np.append(np.zeros(X.shape[1]), np.log(rate / (1 - rate)))
    bounds = [*((None if low == -np.inf else low, None) for low in least), (None, None)]
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = found[:-1] / scale
    return weights, float(found[-1] - weights @ mean)
