"""Pairs of items and whole lists: accuracy, coverage, exposure, novelty, distance, balance.

``lists`` (B, k) holds item rows, -1 as padding; an item that stands twice in a list counts once.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.data.arrays import sorted_unique
from penchant.errors import DataError
from penchant.types import Floats, Ints


def sample_unseen(seen: Ints, indptr: Ints, items: int, seed: int) -> Ints:
    """One item per case, drawn uniformly from the N ``items`` not in its seen ones, (B,).

    ``seen[indptr[b]:indptr[b + 1]]`` are what case b cannot be given: its history and its truth.
    -1 where nothing is left. The draw is exact, with no rejection: the r-th unseen item is r plus
    the number of seen items s_j (sorted, j from 0) with s_j - j <= r.

    >>> sample_unseen(np.array([0, 1, 3, 0, 1, 2, 3]), np.array([0, 3, 7]), 4, seed=0)
    array([ 2, -1])
    """
    cases = len(indptr) - 1
    case = np.repeat(np.arange(cases), np.diff(indptr))
    keys = sorted_unique(case * items + seen)
    case, seen = np.divmod(keys, max(items, 1))
    start = np.searchsorted(case, np.arange(cases + 1))
    free = items - np.diff(start)
    drawn = np.floor(np.random.default_rng(seed).random(cases) * free).astype(np.int64)
    gaps = case * (items + 1) + seen - (np.arange(len(case)) - start[case])
    wanted = np.arange(cases) * (items + 1) + drawn
    result = drawn + np.searchsorted(gaps, wanted, "right") - start[:-1]
    return np.where(free > 0, result, -1)


def accuracy(truth: Floats, other: Floats) -> Floats:
    """``accuracy``: 1 where the truth item outscores the sampled unseen item, .5 for ties, (B,).

    Both are scores, (B,); the pairs are balanced, so a coin has accuracy .5. An item without a
    score (-inf or NaN) lies below all that have one.

    >>> accuracy(np.array([2.0, 1.0, 0.0]), np.array([1.0, 1.0, 1.0]))
    array([1. , 0.5, 0. ])
    """
    truth = np.where(np.isnan(truth), -np.inf, truth)
    other = np.where(np.isnan(other), -np.inf, other)
    right: Floats = (truth > other) + (truth == other) / 2
    return right


def exposure(lists: Ints, items: int) -> Ints:
    """In how many lists each item stands, (N,).

    >>> exposure(np.array([[0, 2, 2], [2, -1, -1]]), 4)
    array([1, 0, 2, 0])
    """
    _, item = _members(lists, items)
    return np.bincount(item, minlength=items)


def coverage(lists: Ints, items: int) -> float:
    """``coverage``: share of the N catalogue items that stand in any list.

    >>> coverage(np.array([[0, 2, 2], [2, -1, -1]]), 4)
    0.5
    """
    return float(np.count_nonzero(exposure(lists, items)) / items) if items else 0.0


def gini(exposure: NDArray[np.number]) -> float:
    """``gini``: inequality of exposure over N items; 0 is equal, 1 - 1/N is all on one item.

    sum over j of (2 j - N - 1) x_j / (N sum x), x ascending, j from 1. Without any exposure, 0.

    >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    x = np.sort(np.asarray(exposure, float))
    n, total = len(x), x.sum()
    if total <= 0:
        return 0.0
    return float(max(0.0, ((2 * np.arange(1, n + 1) - n - 1) @ x) / (n * total)))


def novelty(lists: Ints, popularity: NDArray[np.number]) -> Floats:
    """``novelty``: mean over a list of -log2 of the item's share of all events, in bits, (B,).

    ``popularity`` (N,) counts events; an item without any is taken as having one, the least that
    could have been seen. NaN for an empty list. Zhou et al. 2010 (self-information).

    >>> novelty(np.array([[0, 1], [1, -1]]), np.array([6, 2])).tolist() == [
    ...     (-np.log2(6 / 8) - np.log2(2 / 8)) / 2, -np.log2(2 / 8)]
    True
    """
    counts = np.asarray(popularity, float)
    bits = -np.log2(np.maximum(counts, 1) / max(counts.sum(), 1))
    row, item = _members(lists, len(counts))
    return _means(np.maximum(bits, 0)[item], row, len(lists))


def intra_list_distance(lists: Ints, features: sparse.csr_array) -> Floats:
    """``intra_list_distance``: mean of 1 - cosine over the pairs of a list, (B,).

    ``features`` (N, D) are unit rows; an item with an empty row is at distance 1 from all. For a
    list of m items: 1 - (|sum f|^2 - sum |f|^2) / (m (m - 1)), so no pair is formed. NaN for
    lists of fewer than two items.

    >>> rows = sparse.csr_array(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> intra_list_distance(np.array([[0, 1], [0, 2]]), rows)
    array([0., 1.])
    """
    features = sparse.csr_array(features)
    row, item = _members(lists, features.shape[0])
    shape = (len(lists), features.shape[0])
    members = sparse.csr_array((np.ones(len(row)), (row, item)), shape=shape)
    total = np.asarray((members @ features).power(2).sum(axis=1)).ravel()
    own = members @ np.asarray(features.power(2).sum(axis=1)).ravel()
    m = np.bincount(row, minlength=len(lists))
    pairs = (m * (m - 1)).astype(float)
    cosine = np.full(len(lists), np.nan)
    np.divide(total - own, pairs, out=cosine, where=pairs > 0)
    distance: Floats = np.maximum(0.0, 1 - cosine)
    return distance


def miscalibration(target: Floats, shares: Floats, alpha: float = 0.01) -> Floats:
    """``miscalibration``: how far the interests of lists are from those of their users, (B,).

    KL(p || q~) = sum over interests of p log(p / q~), in nats, where q~ = (1 - alpha) q + alpha p,
    so that an interest that the list leaves out costs much but not everything. Steck 2018,
    "Calibrated recommendations", eq. 3 and 4, with the smoothing that follows them.

    ``target`` (B, T) or (T,) are p, the shares of the users' interests, ``shares`` (B, T) or (T,)
    are q, the mean shares of the items of each list; p is scaled to sum 1. NaN where there is no
    target or no list (NaN shares).

    >>> lists = np.array([[0.7, 0.3], [1.0, 0.0], [0.5, 0.5]])
    >>> miscalibration(np.array([0.7, 0.3]), lists).round(3).tolist()
    [0.0, 1.134, 0.081]

    Raises DataError for shares below 0.
    """
    p, q = np.asarray(target, np.float64), np.asarray(shares, np.float64)
    if (p < 0).any() or (q < 0).any():
        raise DataError(f"expected shares of at least 0, received {min(p.min(), q.min())}")
    total = p.sum(axis=-1, keepdims=True)
    p = np.divide(p, total, out=np.full(p.shape, np.nan), where=total > 0)
    smoothed = (1 - alpha) * q + alpha * p
    ratio = np.divide(p, smoothed, out=np.ones(smoothed.shape), where=(smoothed > 0) & (p > 0))
    wrong: Floats = np.where(np.isnan(smoothed), np.nan, p * np.log(ratio)).sum(axis=-1)
    return np.maximum(wrong, 0.0)


def _members(lists: Ints, items: int) -> tuple[Ints, Ints]:
    """(list, item) of each entry, once for each pair, padding left out."""
    if lists.max(initial=-1) >= items:
        raise DataError(
            f"expected item rows from 0 to {items - 1}, received {lists.max()}; are the lists "
            "of another catalogue?"
        )
    row, column = np.nonzero(lists >= 0)
    list_row, item = np.divmod(sorted_unique(row * items + lists[row, column]), max(items, 1))
    return list_row, item


def _means(values: Floats, row: Ints, rows: int) -> Floats:
    count = np.bincount(row, minlength=rows)
    result = np.full(rows, np.nan)
    np.divide(np.bincount(row, values, rows), count, out=result, where=count > 0)
    return result
