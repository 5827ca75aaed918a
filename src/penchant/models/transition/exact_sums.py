"""Exact sums of integers in sparse matrices: one form for one content, however it was reached."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from penchant.errors import DataError
from penchant.types import Ints

EXACT = 2.0**53
"""float64 holds every integer up to here."""

CELLS = 1 << 22
"""Cells of the rows that are summed densely at once (32 MB)."""


@dataclass(frozen=True)
class Sums:
    """G and C (P x N) as sparse int64 in units of 2^-30 and 2^-18.

    a pair of predictors counts in the row of its later event.

    ``a + b`` and ``a - b`` are exact; cells that reach zero are dropped, so equal sums have equal
    bits however they were reached.

    Parameters
    ----------
    G
        Is the matrix whose sum with its transpose, less its diagonal, is the sum of v x x'
        (P x P):.
    """

    G: sparse.csr_array
    C: sparse.csr_array

    @classmethod
    def zero(cls, predictors: int, items: int) -> "Sums":
        return cls(
            sparse.csr_array((predictors, predictors), dtype=np.int64),
            sparse.csr_array((predictors, items), dtype=np.int64),
        )

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(canonical(self.G + other.G), canonical(self.C + other.C))

    def __sub__(self, other: "Sums") -> "Sums":
        return Sums(canonical(self.G - other.G), canonical(self.C - other.C))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sums) and all(
            a.shape == b.shape
            and np.array_equal(a.indptr, b.indptr)
            and np.array_equal(a.indices, b.indices)
            and np.array_equal(a.data, b.data)
            for a, b in ((self.G, other.G), (self.C, other.C))
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content is large

    def reindex(self, rows: Ints, predictors: int, items: int) -> "Sums":
        """The same sums over a larger catalogue: predictor p moves to row ``rows[p]``.

        The first N entries of ``rows`` move the items. ``rows`` may reorder.
        """
        G, C = self.G.tocoo(), self.C.tocoo()
        left, right = rows[G.row], rows[G.col]
        return Sums(
            coo(G.data, left, right, (predictors, predictors)),
            coo(C.data, rows[C.row], rows[C.col], (predictors, items)),
        )


class Accumulator:
    """An exact sum of (row, column, integer) triples over a range of rows, as sparse int64."""

    def __init__(self, rows: range, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.mass = 0.0
        self.parts: list[sparse.csr_array] = []

    def add(self, row: Ints, column: Ints, amount: Ints) -> None:
        """Add triples, of (n, 1), (n, m) and (n, m); amounts are >= 0."""
        mass = float(amount.sum(dtype=np.float64))
        self.mass += mass
        if self.mass >= 2.0**62:
            raise DataError(
                "expected sums below 2^62 units, received more; sum the events in parts (their "
                "statistics add), or scale the behaviors' weights down"
            )
        shape = len(self.rows), self.columns
        local = row - self.rows.start
        if shape[0] * shape[1] > min(4 * amount.size, 4 * CELLS):
            some = amount > 0
            rows = np.broadcast_to(local, amount.shape)[some]
            self.parts.append(coo(amount[some], rows, column[some], shape))
            return
        key = (local * self.columns + column).ravel()
        if mass < EXACT:  # float64 sums are exact up to there
            dense = np.bincount(key, amount.ravel(), shape[0] * shape[1]).astype(np.int64)
        else:
            dense = np.zeros(shape[0] * shape[1], np.int64)
            np.add.at(dense, key, amount.ravel())
        self.parts.append(sparse.csr_array(dense.reshape(shape)))

    def total(self) -> sparse.csr_array:
        total = sparse.csr_array((len(self.rows), self.columns), dtype=np.int64)
        for part in self.parts:
            total = total + part if total.nnz else part
        return total


def stacked(parts: list[sparse.csr_array], columns: int) -> sparse.csr_array:
    """Ranges of rows one above the other."""
    empty = sparse.csr_array((0, columns), dtype=np.int64)
    return canonical(sparse.vstack([empty, *parts], format="csr"))


def coo(data: Ints, row: Ints, column: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    """The sum of triples, in its one form."""
    return canonical(sparse.coo_array((data, (row, column)), shape=shape).tocsr())


def canonical(matrix: sparse.csr_array) -> sparse.csr_array:
    """Sorted, without repeats and zeros, int64: one form for one content."""
    matrix = sparse.csr_array(matrix)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix
