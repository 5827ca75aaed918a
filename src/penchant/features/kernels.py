"""Content: what items are, as unit rows whose inner products are exact, and who is near whom."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import ThreadpoolController

from penchant.data.arrays import blocks, ranges
from penchant.data.dataset import Catalogue
from penchant.data.multihot import multihot
from penchant.data.vocabulary import Vocabulary
from penchant.types import Floats, Ints

Part = TypeVar("Part")
Result = TypeVar("Result")
Rows = Any  # a sparse.csr_array, whose package has no types, or NDArray[np.float32]

_BLOCK_CELLS = 1 << 21
_GRID = 2.0**11


@dataclass(frozen=True)
class Content:
    """One modality of the catalogue.

    Parameters
    ----------
    rows
        Unit rows F on the grid of 2^-11, (N, D) sparse or dense float32; zero where
        missing.
    near
        Near[p, i] is the inner product of item i with p, one of its nearest among the items
        that have events; (N, N) sparse float32, diagonal 0: it proposes candidates; the
        regression reads the products themselves.
    """

    rows: Rows
    near: sparse.csr_array

    @classmethod
    def of(cls, rows: Rows, neighbors: int, known: NDArray[np.bool_] | None = None) -> "Content":
        """Of rows of any length; ``known`` (N,) marks the items that have events (default: all).

        An item that nobody has met predicts nothing, so that it changes no other's column.
        """
        exact = unit_rows(rows)
        return cls(exact, nearest(exact, neighbors, known))

    def products(self, items: Ints) -> NDArray[np.float32]:
        """F F' among some items, dense; the same bits whichever other items are asked for."""
        some = self.rows[items]
        if not sparse.issparse(some):
            return np.asarray(some @ some.T)
        columns, of = np.unique(some.indices, return_inverse=True)
        if len(columns) > len(items):
            return sparse_or_dense(some @ some.T)
        # much of it is not zero: columns added up take half the time of a sparse product
        shape = len(items), len(columns)
        some = sparse.csr_array((some.data, of.astype(np.int32), some.indptr), shape)
        found: NDArray[np.float32] = some @ some.T.toarray()
        return found

    def against(self, items: Ints) -> NDArray[np.float32]:
        """F F' of some items with all, dense (len(items), N)."""
        return sparse_or_dense(self.rows[items] @ self.rows.T)

    def moved(self, rows: Ints, items: int) -> "Content":
        """The same content in a larger catalogue: item i moves to row ``rows[i]``."""
        place = sparse.csr_array(
            (np.ones(len(rows), np.float32), (rows, np.arange(len(rows)))), (items, len(rows))
        )
        return Content(place @ self.rows, place @ self.near @ place.T)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which items have this modality, (N,)."""
        return np.asarray(abs(self.rows).sum(axis=1) > 0).ravel()


Contents = Mapping[str, Content]


def content_rows(catalogue: Catalogue) -> dict[str, Rows]:
    """Rows of each modality: tags, columns, what models said and what encoders found; by name."""
    rows: dict[str, Rows] = {name: of.rows for name, of in catalogue.features.items()}
    if any(catalogue.tags):
        rows["tags"] = tag_rows(catalogue.tags)
    if any(catalogue.enriched):
        rows["enriched"] = tag_rows(catalogue.enriched)
    if catalogue.counted:
        rows["columns"] = catalogue.column_features.rows
    return dict(sorted(rows.items()))


def unit_content(catalogue: Catalogue) -> dict[str, Rows]:
    """Unit rows of the items for each modality, (N, D) float64, sparse or dense."""
    rows = content_rows(catalogue)
    return {name: unit_rows(of).astype(np.float64) for name, of in rows.items()}


def content_names(catalogue: Catalogue) -> dict[str, Vocabulary]:
    """What each column of the sparse rows of ``content_rows`` is, in their order."""
    names = {"tags": tag_columns(catalogue.tags), "enriched": tag_columns(catalogue.enriched)}
    if catalogue.counted:
        names["columns"] = Vocabulary(catalogue.column_features.names)
    return names


def new_item_content(
    old: Catalogue, new: Catalogue, items: Ints, fresh: Ints
) -> dict[str, Rows] | None:
    """Unit rows of what is new in a larger catalogue, (I, D), in the columns of the old one.

    Item i of the old catalogue is row ``items[i]`` of the larger, and row ``fresh[j]`` was not
    there. None where any old item is no longer what it was. A tag that the old catalogue lacks is
    left out of the rows, but not of their lengths: no old item has it.
    """
    before, after = content_rows(old), content_rows(new)
    if before.keys() != after.keys():
        return None
    known, names = content_names(old), content_names(new)
    found = {}
    for name, rows in before.items():
        mine, theirs = unit_rows(rows), unit_rows(after[name])
        if name in known:
            column = names[name].rows(known[name].ids)
            if (column < 0).any():
                return None
            if (theirs[items][:, column] != mine).nnz or theirs[items].nnz != mine.nnz:
                return None
            found[name] = theirs[fresh][:, column]
        elif np.array_equal(mine, theirs[items]):
            found[name] = theirs[fresh]
        else:
            return None
    return found


def tag_rows(tags: Sequence[Sequence[str]]) -> sparse.csr_array:
    """Multi-hot tags weighted by idf, (N, number of tags) float64.

    idf = log2(N / items with the tag), rounded to 1/4; an item without tags is a row of zeros.

    >>> tag_rows([["a"], ["a", "b"], ["c"], []]).toarray().tolist()[1]
    [1.0, 2.0, 0.0]
    """
    sets = [sorted(set(of_item)) for of_item in tags]
    vocabulary = tag_columns(tags)
    column = vocabulary.rows(tag for of_item in sets for tag in of_item)
    row = np.repeat(np.arange(len(sets)), [len(of_item) for of_item in sets])
    return multihot(row, column, (len(sets), len(vocabulary)))


def tag_columns(tags: Sequence[Sequence[str]]) -> Vocabulary:
    """The tag of each column of ``tag_rows``."""
    return Vocabulary.of(tag for of_item in tags for tag in of_item)


def unit_rows(
    matrix: Rows,
) -> Rows:
    """Each row divided by its Euclidean length and rounded to 2^-11, float32.

    On that grid a float32 sum of products of unit rows is exact, so it has the same bits in any
    order and any block.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.60009765625, 0.7998046875], [0.0, 0.0]]
    """
    if sparse.issparse(matrix):
        length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        scaled = sparse.csr_array(matrix.multiply(1 / np.where(length > 0, length, 1)[:, None]))
        scaled.data = np.rint(scaled.data * _GRID) / _GRID
        scaled.eliminate_zeros()
        scaled.sort_indices()
        whole = (
            scaled.data.astype(np.float32),
            *(part.astype(np.int32) for part in (scaled.indices, scaled.indptr)),
        )
        return sparse.csr_array(whole, shape=scaled.shape)
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(
        np.rint(matrix / np.where(length > 0, length, 1) * _GRID) / _GRID, dtype=np.float32
    )


def nearest(F: Rows, neighbors: int, known: NDArray[np.bool_] | None = None) -> sparse.csr_array:
    """Inner products of unit rows (N, D) with their nearest known ones, (N, N), diagonal 0.

    A pair (p, i) stays where p is known (default: all are) and either is among the other's
    ``neighbors`` nearest known with a positive product; ties go to the lower row. Exact search in
    blocks, so memory does not grow with N squared.
    """
    N = F.shape[0]
    known = np.ones(N, bool) if known is None else known
    theirs = nearest_of(F, np.arange(N), neighbors, known)
    mine = theirs.copy()
    mine.data[~np.repeat(known, np.diff(mine.indptr))] = 0
    mine.eliminate_zeros()
    both = theirs.T.maximum(mine).tocsr()
    both.sort_indices()
    return both


def nearest_of(F: Rows, items: Ints, neighbors: int, known: NDArray[np.bool_]) -> sparse.csr_array:
    """Inner products of some items (I,) with the nearest known others of each, (I, N)."""
    among = np.flatnonzero(known)
    place = np.full(F.shape[0], -1)
    place[among] = np.arange(len(among))
    found = nearest_among(F[items], transposed(F[among]), neighbors, place[items])
    return sparse.csr_array(
        (found.data, among[found.indices], found.indptr), (len(items), F.shape[0])
    )


def transposed(rows: Rows) -> Rows:
    """Rows transposed, as ``nearest_among`` reads them: (K, D) -> (D, K)."""
    return rows.T.tocsr() if sparse.issparse(rows) else rows.T


def nearest_among(rows: Rows, others: Rows, neighbors: int, own: Ints) -> sparse.csr_array:
    """Inner products of unit rows (I, D) with the nearest of others (D, K), (I, K).

    ``own`` (I,) is the place among the others of each row itself; -1 where it is none of them.
    """
    K = others.shape[1]

    def near(block: slice) -> list[tuple[Ints, NDArray[np.float32]]]:
        product, found = rows[block] @ others, []
        if sparse.issparse(product):
            product = sparse.csr_array(product)
            product.sort_indices()
        for row, itself in enumerate(own[block]):
            if sparse.issparse(product):
                mine = slice(*product.indptr[row : row + 2])
                column, value = product.indices[mine], product.data[mine]
            else:
                column, value = np.arange(K), product[row]
            kept = strongest(np.where(column == itself, 0, value), neighbors)
            found.append((column[kept].astype(np.int64), value[kept]))
        return found

    sizes = list(blocks(len(own), max(1, _BLOCK_CELLS // max(K, 1))))
    lines = [line for part in on_cores(near, sizes) for line in part]
    indptr = np.concatenate([[0], np.cumsum([len(column) for column, _ in lines])])
    data = np.concatenate([np.zeros(0, np.float32), *(value for _, value in lines)])
    indices = np.concatenate([np.zeros(0, np.int64), *(column for column, _ in lines)])
    return sparse.csr_array((data, indices, indptr), (len(own), K))


def on_cores(
    work: Callable[[Part], Result], parts: Sequence[Part], threads: int | None = None
) -> list[Result]:
    """The results of some parts, in order; BLAS keeps to one thread in each, and to its bits.

    So does torch, where it is loaded: each thread has a core, and more would get in their way.
    One part is done at once: to start threads would take longer than a small solve.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1  # read here: the limit is on OpenMP's too
    one = {"initializer": torch.set_num_threads, "initargs": (1,)} if torch else {}
    try:
        with _libraries().limit(limits=1):
            if len(parts) == 1:
                return [work(parts[0])]
            with ThreadPoolExecutor(threads or os.cpu_count() or 1, **one) as pool:
                return list(pool.map(work, parts))
    finally:
        if torch:
            torch.set_num_threads(before)


@cache
def _libraries() -> ThreadpoolController:
    """The BLAS of NumPy and of SciPy; to look for them takes longer than a small solve."""
    import scipy.linalg  # noqa: F401  # its BLAS is another than NumPy's

    return ThreadpoolController()


def sparse_or_dense(product: Rows) -> NDArray[Any]:
    """A dense array of either."""
    return np.asarray(product.toarray() if sparse.issparse(product) else product)


def weighted_sum(matrix: sparse.csr_array, rows: Ints, weights: Floats) -> Floats:
    """The sum of some rows (R,) of a matrix (N, D), each times its weight, (D,) float64.

    It is ``weights @ matrix[rows]`` without the sparse arrays between, which would take more time
    than the sum.

    >>> matrix = sparse.csr_array(np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]))
    >>> weighted_sum(matrix, np.array([0, 2]), np.array([10.0, 1.0])).tolist()
    [13.0, 4.0]
    """
    first = matrix.indptr[rows]
    size = matrix.indptr[rows + 1] - first
    place = ranges(first, size)
    values = matrix.data[place] * np.repeat(weights, size)
    total = np.bincount(matrix.indices[place], values, matrix.shape[1])
    return np.asarray(total, np.float64)


def strongest(strength: NDArray[np.floating], count: int) -> Ints:
    """Places of the ``count`` largest positive values, ascending; ties go to the lower place.

    >>> strongest(np.array([1.0, 3.0, 1.0, 0.0]), 2).tolist()
    [0, 1]
    """
    positive: Ints = np.flatnonzero(strength > 0)
    if len(positive) <= count:
        return positive
    strength = strength[positive]
    least = np.partition(strength, -count)[-count]
    keep = strength > least
    keep[np.flatnonzero(strength == least)[: count - np.count_nonzero(keep)]] = True
    found: Ints = positive[keep]
    return found
