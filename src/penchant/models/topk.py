"""Top-k selection over score matrices (B, N), shared by evaluation and serving."""

from typing import NamedTuple

import numpy as np

from penchant.data.dataset import Catalogue, Histories
from penchant.types import Ints, Scores


def topk_threshold(scores: Scores, count: int) -> Scores:
    """What the ``count`` best scores of each row (B, N) are not below, (B, 1).

    No more than the least of them; -inf where a row has no more than ``count``.

    >>> topk_threshold(np.array([[3.0, 1.0, 2.0]]), 2).tolist()
    [[2.0]]
    """
    B, N = scores.shape
    if count > N:
        return np.full((B, 1), -np.inf)
    best, width = scores, N
    if 8 * count < N:
        # the k-th largest of the maxima of k or more groups is no larger than the k-th best score
        width = max(count, int(np.sqrt(N)))
        whole = N // width
        best = scores[:, : whole * width].reshape(B, whole, width).max(axis=1)
    least: Scores = np.partition(best, width - count, axis=1)[:, width - count, None]
    return least


CELLS = 1 << 21


class TopK(NamedTuple):
    """Lists of item rows with their scores, (B, k); -1 and -inf where a list ends early."""

    items: Ints
    scores: Scores


def mask_seen(scores: Scores, histories: Histories, items: Ints | None) -> None:
    """Take the items of each history's events out of the scores, in place."""
    if items is not None:
        about = items >= 0
        scores[histories.owner[about], items[about]] = -np.inf


def mask_other_domains(scores: Scores, catalogue: Catalogue, domain: Ints) -> None:
    """Take the items of other domains out, in place, for each row that names one (>= 0)."""
    for one in np.unique(domain[domain >= 0]):
        scores[np.ix_(domain == one, catalogue.domain != one)] = -np.inf


def top_k(scores: Scores, k: int) -> TopK:
    """The k best items of each row in descending order of score; ties to the lower row, (B, k).

    Items at -inf are never listed.

    >>> top_k(np.array([[0.5, 2.0, 2.0, -np.inf]]), 4).items.tolist()
    [[1, 2, 0, -1]]
    """
    B, N = scores.shape
    k, wanted = min(k, N), k
    items = np.full((B, wanted), -1)
    values = np.full((B, wanted), -np.inf)
    if not (k and B):
        return TopK(items, values)
    least = topk_threshold(scores, k)
    keep = scores >= least
    if (least == -np.inf).any():
        keep &= scores > -np.inf
    found = np.divmod(np.flatnonzero(keep), N)
    crowded = np.flatnonzero(np.bincount(found[0], minlength=B) > 8 * k + 64)
    for row in crowded:
        keep[row] = scores[row] > least[row]
        keep[row, np.flatnonzero(scores[row] == least[row])[:k]] = True
    if len(crowded):
        found = np.divmod(np.flatnonzero(keep), N)
    order = np.lexsort((found[1], -scores[found], found[0]))
    rows, columns = found[0][order], found[1][order]
    place = np.arange(len(order)) - np.searchsorted(rows, rows)
    first = place < k
    at = rows[first], place[first]
    items[at] = columns[first]
    values[at] = scores[at[0], items[at]]
    return TopK(items, values)
