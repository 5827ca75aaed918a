"""Sets of values as rows of zeros and ones, weighted by how rare each value is."""

import numpy as np
from scipy import sparse

from penchant.types import Floats, Ints

_STEPS = 4  # the idf is rounded to 1/4, so that one more item seldom moves every similarity


def idf(holders: Ints, items: int) -> Floats:
    """log2(items / holders), rounded to 1/4, where so many of all items hold a value.

    >>> idf(np.array([1, 2, 4]), 4).tolist()
    [2.0, 1.0, 0.0]
    """
    steps = np.rint(np.log2(max(items, 1) / np.maximum(holders, 1)) * _STEPS)
    return np.asarray(steps / _STEPS, np.float64)


def multihot(row: Ints, column: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """Values at (row, column), each given once, weighted by the idf of the column; float64."""
    weights = idf(np.bincount(column, minlength=shape[1]), shape[0])
    return sparse.coo_array((weights[column], (row, column)), shape=shape).tocsr()
