"""Ranks of the right items, and the metrics that read nothing but those ranks.

A rank is 1 + greater + equal / 2, so it may be a half; a truth item is a hit at k when its rank
is at most k: of two items tied for places 1 and 2 (rank 1.5 each) neither is a hit at 1. Where
several truths of one case tie, the j-th best of them is put no higher than place j, as in any
real list; so no metric exceeds 1.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from penchant.errors import ConfigError, DataError
from penchant.types import Floats, Ints

Scores = NDArray[np.floating]

CELLS = 1 << 17
"""Scores held in memory at once by ``ranks``, besides its input: what a processor holds near."""


def distinct_truths(truth: Ints, indptr: Ints) -> tuple[Ints, Ints]:
    """The truths of each case without repeats, in order of item; (T,), (B + 1,).

    >>> truth, indptr = distinct_truths(np.array([4, 2, 4, 7]), np.array([0, 3, 4]))
    >>> truth.tolist(), indptr.tolist()
    ([2, 4, 7], [0, 2, 3])
    """
    case = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((truth, case))
    case, truth = case[order], truth[order]
    first = np.ones(len(truth), bool)
    first[1:] = (case[1:] != case[:-1]) | (truth[1:] != truth[:-1])
    return truth[first], np.searchsorted(case[first], np.arange(len(indptr))).astype(np.int64)


def ranks(scores: Scores, truth: Ints, indptr: Ints | None = None) -> Floats:
    """Reported rank of each truth item among all N items of its case, (T,); T = B without indptr.

    rank = 1 + (items with a greater score) + (other items with an equal score) / 2. An item
    without a score (-inf or NaN) has rank inf; constant scores give chance level.

    >>> ranks(np.array([[0.1, 0.9, 0.5], [1.0, 1.0, 1.0]]), np.array([2, 0]))
    array([2., 2.])
    >>> ranks(np.array([[0.1, -np.inf, 0.5]]), np.array([0, 1]), np.array([0, 2]))
    array([ 2., inf])
    """
    truth = np.asarray(truth, np.int64)
    case = _cases(scores.shape[0], truth, indptr)
    if len(truth) and not (truth.min() >= 0 and truth.max() < scores.shape[1]):
        raise DataError(
            f"expected truth items from 0 to {scores.shape[1] - 1}, received "
            f"{truth.min()} to {truth.max()}; leave out what is not in the catalogue"
        )
    own = scores[case, truth]
    result = np.full(len(truth), np.inf)
    step = max(1, CELLS // max(1, scores.shape[1]))
    for start in range(0, len(truth), step):
        part = slice(start, start + step)
        rows, mine = scores[case[part]], own[part, None]
        greater = np.count_nonzero(rows > mine, axis=1)
        equal = np.count_nonzero(rows == mine, axis=1) - 1
        result[part] = 1 + greater + equal / 2
    result[~(own > -np.inf)] = np.inf
    return result


def list_ranks(lists: Ints, truth: Ints, indptr: Ints | None = None) -> Floats:
    """Place of each truth item in its case's list, from 1; inf where it is absent, (T,).

    ``lists`` (B, k) holds item rows, -1 as padding. An item listed twice counts at its first
    place, and the repeat still takes up a place. A case without a list gets inf throughout, so
    it counts as zero in each metric.

    >>> lists = np.array([[7, 7, 3], [-1, -1, -1]])
    >>> list_ranks(lists, np.array([7, 3, 5]), np.array([0, 2, 3]))
    array([ 1.,  3., inf])
    """
    truth = np.asarray(truth, np.int64)
    case = _cases(lists.shape[0], truth, indptr)
    width = 1 + max(int(lists.max(initial=-1)), int(truth.max(initial=-1)))
    row, column = np.nonzero(lists >= 0)
    keys, first = np.unique(row * width + lists[row, column], return_index=True)
    result = np.full(len(truth), np.inf)
    if len(keys):
        wanted = case * width + truth
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        listed = (keys[at] == wanted) & (truth >= 0)
        # np.nonzero runs row by row, left to right, so the first index is the highest place
        result[listed] = column[first[at[listed]]] + 1.0
    return result


def recall(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``recall@k``: share of the relevant items among the first k, (B,).

    |hits| / |relevant|. With more than k relevant items it cannot reach 1: see ``recall_min``.

    >>> recall(np.array([1.0, 3.0, 9.0]), 3, np.array([0, 3])).tolist() == [2 / 3]
    True
    """
    hits, relevant = _hits(ranks, k, indptr)
    return _share(hits, relevant)


def recall_min(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``recall_min@k``: recall with denominator min(k, relevant), (B,).

    The "recall" of Liang et al. 2018 (Variational autoencoders for collaborative filtering, 4.2).

    >>> recall_min(np.array([1.0, 2.0, 9.0]), 2, np.array([0, 3])).tolist() == [2 / 2]
    True
    """
    hits, relevant = _hits(ranks, k, indptr)
    return _share(hits, np.minimum(relevant, k))


def precision(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``precision@k``: share of the k places that hold relevant items, |hits| / k, (B,).

    Empty places count: a list shorter than k has wasted them.

    >>> precision(np.array([1.0, 2.0, 9.0]), 4, np.array([0, 3])).tolist() == [2 / 4]
    True
    """
    hits, relevant = _hits(ranks, k, indptr)
    return _share(hits, np.where(relevant > 0, k, 0))


def hit_rate(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``hit_rate@k``: 1 where any relevant item is among the first k, else 0, (B,).

    >>> hit_rate(np.array([4.0, 11.0]), 10)
    array([1., 0.])
    """
    hits, relevant = _hits(ranks, k, indptr)
    return _share((hits > 0).astype(float), (relevant > 0).astype(float))


def mrr(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``mrr@k``: 1 / rank of the best relevant item, 0 beyond k, (B,).

    >>> mrr(np.array([4.0, 2.0, 11.0]), 10, np.array([0, 2, 3])).tolist() == [1 / 2, 0]
    True
    """
    best, place, start = _ordered(ranks, k, indptr)
    gain = np.where((place == 1) & (best <= k), 1 / best, 0.0)
    return _share(_sums(gain, start), (np.diff(start) > 0).astype(float))


def ndcg(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``ndcg@k`` with binary gains: DCG / best possible DCG, (B,).

    DCG = sum over hits of 1 / log2(1 + rank); the best has min(k, relevant) hits in the first
    places. Järvelin and Kekäläinen 2002, with the usual log2 discount.

    >>> value = ndcg(np.array([1.0, 3.0]), 10, np.array([0, 2]))
    >>> np.isclose(value, (1 / np.log2(2) + 1 / np.log2(4)) / (1 / np.log2(2) + 1 / np.log2(3)))
    array([ True])
    """
    best, place, start = _ordered(ranks, k, indptr)
    gain = np.where(best <= k, 1 / np.log2(1 + best), 0.0)
    ideal = np.where(place <= k, 1 / np.log2(1.0 + place), 0.0)
    return np.minimum(1.0, _share(_sums(gain, start), _sums(ideal, start)))


def average_precision(ranks: Floats, k: int, indptr: Ints | None = None) -> Floats:
    """``map@k``: mean over min(k, relevant) of the precision at each hit, (B,).

    AP = sum over hits j of j / rank_j, divided by min(k, relevant); Manning et al. 2008, (8.8).

    >>> value = average_precision(np.array([1.0, 3.0]), 10, np.array([0, 2]))
    >>> np.isclose(value, 1 / 2 * (1 / 1 + 2 / 3))
    array([ True])
    """
    best, place, start = _ordered(ranks, k, indptr)
    gain = np.where(best <= k, place / best, 0.0)
    return np.minimum(1.0, _share(_sums(gain, start), np.minimum(np.diff(start), k)))


def auc(ranks: Floats, candidates: int | Ints, indptr: Ints | None = None) -> Floats:
    """``auc``: chance that a relevant item outranks another one; ties count half, (B,).

    The Mann-Whitney statistic: (sum of (n - rank) - P (P - 1) / 2) / (P (n - P)) for P relevant
    among ``candidates`` n items (one number, or (B,)): those that could have been listed. An
    item without a score lies below all others. NaN where every candidate is relevant.

    >>> auc(np.array([1.0, 2.0, 3.0, np.inf]), 3)
    array([1. , 0.5, 0. , 0. ])
    """
    start = _indptr(ranks, indptr)
    relevant = np.diff(start)
    case = np.repeat(np.arange(len(relevant)), relevant)
    n = np.broadcast_to(np.asarray(candidates, float), relevant.shape)
    missing = ~np.isfinite(ranks)
    below = np.where(missing, 0.0, n[case] - np.where(missing, 0.0, ranks))
    absent = _sums(missing.astype(float), start)
    # m truths without a score take the last m places: their (n - rank) are 0, 1, .., m - 1
    won = _sums(below, start) + absent * (absent - 1) / 2 - relevant * (relevant - 1) / 2
    return np.clip(_share(won, relevant * np.maximum(n - relevant, 0)), 0.0, 1.0)


def _cases(count: int, truth: Ints, indptr: Ints | None) -> Ints:
    """The case of each truth item, (T,)."""
    lengths = np.ones(len(truth), np.int64) if indptr is None else np.diff(indptr)
    if len(lengths) != count or lengths.sum() != len(truth):
        raise DataError(
            f"expected truths of {count} cases, received {len(truth)} truths in {len(lengths)} "
            "cases; pass indptr where a case has several"
        )
    return np.repeat(np.arange(count), lengths)


def _indptr(ranks: Floats, indptr: Ints | None) -> Ints:
    return np.arange(len(ranks) + 1) if indptr is None else np.asarray(indptr, np.int64)


def _ordered(ranks: Floats, k: int, indptr: Ints | None) -> tuple[Floats, Ints, Ints]:
    """Ranks in ascending order within each case, their places 1, 2, .. there, and indptr.

    The j-th best is put no higher than place j, which only ties can violate.
    """
    if k < 1:
        raise ConfigError(f"expected a list length k of at least 1, received {k}")
    start = _indptr(ranks, indptr)
    case = np.repeat(np.arange(len(start) - 1), np.diff(start))
    best = ranks if indptr is None else ranks[np.lexsort((ranks, case))]
    place = np.arange(len(ranks)) - start[case] + 1
    return np.maximum(best, place), place, start


def _hits(ranks: Floats, k: int, indptr: Ints | None) -> tuple[Floats, Floats]:
    best, _, start = _ordered(ranks, k, indptr)
    return _sums((best <= k).astype(float), start), np.diff(start).astype(float)


def _sums(values: Floats, start: Ints) -> Floats:
    """Sum of the values of each case, (B,); 0 for an empty one."""
    case = np.repeat(np.arange(len(start) - 1), np.diff(start))
    return np.bincount(case, values, len(start) - 1).astype(np.float64)


def _share(part: Floats, whole: Floats) -> Floats:
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


AT_K: dict[str, Callable[[Floats, int, Ints | None], Floats]] = {
    "recall": recall,
    "recall_min": recall_min,
    "precision": precision,
    "hit_rate": hit_rate,
    "mrr": mrr,
    "ndcg": ndcg,
    "map": average_precision,
}
"""The metrics of (ranks, k, indptr), by the name that a report gives them before its "@k"."""
