"""Small array functions: blocks, runs and look-ups."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from penchant.types import Ints


def blocks(total: int, size: int) -> Iterator[slice]:
    """Slices that cover ``total`` in blocks of at most ``size``."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def runs(first: Ints, counts: Ints) -> Ints:
    """``counts`` (R,) whole numbers from each ``first`` (R,) on, one run after the other.

    >>> runs(np.array([7, 0, 4]), np.array([2, 0, 3])).tolist()
    [7, 8, 4, 5, 6]
    """
    return np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def distinct(values: Ints) -> Ints:
    """The values in ascending order, each once.

    >>> distinct(np.array([3, 1, 3]))
    array([1, 3])
    """
    ordered = np.sort(values)
    once: Ints = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return once


def within(values: Ints, few: Ints) -> NDArray[np.bool_]:
    """Which values are among a few others; fast where the others are fewer.

    >>> within(np.array([5, 1, 5, 2]), np.array([5, 9]))
    array([ True, False,  True, False])
    """
    return position(values, distinct(few)) >= 0


def repeated(values: Ints) -> NDArray[np.bool_]:
    """Which values occurred before, (E,).

    >>> repeated(np.array([3, 1, 3, 3]))
    array([False, False,  True,  True])
    """
    found = np.ones(len(values), bool)
    found[np.unique(values, return_index=True)[1]] = False
    return found


def position(values: Ints, ordered: Ints) -> Ints:
    """The place of each value in ascending distinct others; -1 where it is not among them.

    >>> position(np.array([5, 1, 9]), np.array([5, 9]))
    array([ 0, -1,  1])
    """
    if not len(ordered):
        return np.full(len(values), -1)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.where(ordered[place] == values, place, -1)


def touched(values: Ints, many: Ints) -> NDArray[np.bool_]:
    """Which values are among many others; fast where the others are more.

    >>> touched(np.array([5, 1]), np.array([4, 5, 6, 7, 5]))
    array([ True, False])
    """
    ordered = distinct(values)
    found = np.zeros(len(ordered), bool)
    place = position(many, ordered)
    found[place[place >= 0]] = True
    return found[position(values, ordered)] if len(values) else np.zeros(0, bool)
