"""Inner products of factors that no batch, thread or machine can change."""

import numpy as np
from numpy.typing import NDArray

from penchant.types import Floats, Scores

_BITS = 21
MOST_FACTORS = 2047
"""Products of 21-bit numbers take 42 bits; sums of so many stay within the 53 of a float64."""


def rounded(factors: NDArray[np.floating], axis: int | None = None) -> Floats:
    """Factors on a grid of 2^-21 of the power of two above the largest: of all, or along an axis.

    >>> rounded(np.array([[3.0, 1e-9], [1e-9, 1e-9]]), axis=1)[:, 1].tolist()[0]
    0.0
    """
    largest = np.abs(factors).max(axis=axis, keepdims=True, initial=0)
    exponent = np.frexp(largest)[1] - _BITS
    wide = factors.astype(np.float64)
    return np.asarray(np.ldexp(np.rint(np.ldexp(wide, -exponent)), exponent))


def inner(users: Floats, items: Floats, known: NDArray[np.bool_]) -> Scores:
    """<x_u, x_i> of B users with N items, (B, N); -inf for an item that is not known.

    ``items`` are ``rounded``. With both sides on a grid the sums are exact, so whatever order
    BLAS takes for a shape of batch, the bits are the same.

    >>> items = rounded(np.array([[0.5, 1.0], [0.25, 0.0]]))
    >>> inner(np.array([[2.0, 1.0]]), items, np.array([True, True])).tolist()
    [[2.0, 0.5]]
    """
    scores: Scores = rounded(users, axis=1) @ items.T
    scores[:, ~known] = -np.inf
    return scores
