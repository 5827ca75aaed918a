"""Small array functions: blocks, runs and look-ups."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from penchant.types import Ints


def blocks(total: int, size: int) -> Iterator[slice]:
    """Slices that cover ``total`` in blocks of at most ``size``."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def ranges(first: Ints, counts: Ints) -> Ints:
    """``counts`` (R,) whole numbers from each ``first`` (R,) on, one run after the other.

    >>> ranges(np.array([7, 0, 4]), np.array([2, 0, 3])).tolist()
    [7, 8, 4, 5, 6]
    """
    return np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def sorted_unique(values: Ints) -> Ints:
    """The values in ascending order, each once; numpy's unique hashes, ten times as slow.

    >>> sorted_unique(np.array([3, 1, 3]))
    array([1, 3])
    """
    ordered = np.sort(values)
    once: Ints = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return once


def isin(values: Ints, few: Ints) -> NDArray[np.bool_]:
    """Which values are among a few others; fast where the others are fewer.

    >>> isin(np.array([5, 1, 5, 2]), np.array([5, 9]))
    array([ True, False,  True, False])
    """
    return index_of(values, sorted_unique(few)) >= 0


def is_repeat(values: Ints) -> NDArray[np.bool_]:
    """Which values occurred before, (E,).

    >>> is_repeat(np.array([3, 1, 3, 3]))
    array([False, False,  True,  True])
    """
    result = np.ones(len(values), bool)
    result[np.unique(values, return_index=True)[1]] = False
    return result


def index_of(values: Ints, ordered: Ints) -> Ints:
    """The place of each value in ascending distinct others; -1 where it is not among them.

    >>> index_of(np.array([5, 1, 9]), np.array([5, 9]))
    array([ 0, -1,  1])
    """
    if not len(ordered):
        return np.full(len(values), -1)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.where(ordered[place] == values, place, -1)


def isin_many(values: Ints, many: Ints) -> NDArray[np.bool_]:
    """Which values are among many others; fast where the others are more.

    >>> isin_many(np.array([5, 1]), np.array([4, 5, 6, 7, 5]))
    array([ True, False])
    """
    ordered = sorted_unique(values)
    present = np.zeros(len(ordered), bool)
    place = index_of(many, ordered)
    present[place[place >= 0]] = True
    return present[index_of(values, ordered)] if len(values) else np.zeros(0, bool)
