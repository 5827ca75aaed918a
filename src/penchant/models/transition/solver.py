"""The restricted solve: one small ridge system for each target item, on all cores.

B = (G + ridge I)^-1 C, where each column is solved on its strongest candidate predictors alone
(fsSLIM, Ning and Karypis 2011, with ridge in place of the elastic net). Columns are independent of
each other, so an update solves again those alone whose systems have changed.
"""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg.lapack import dpotrs

from penchant.config import TransitionSettings
from penchant.data.arrays import blocks
from penchant.data.dataset import Dataset
from penchant.features.kernels import Content, Contents, content_rows, on_cores, strongest
from penchant.models.transition.statistics import Statistics
from penchant.types import Ints

ALPHA = 2.0  # weight of a modality of which the settings say nothing
_UNION = 768  # predictors in one dense block shared by a group of columns
_WHOLE = 4096  # no more predictors than that have one block together


@dataclass(frozen=True)
class System:
    """The two sides of the regression.

    Parameters
    ----------
    left
        G + ridge, (P, P) sparse float32.
    right
        C plus the content of near items, (P, N) sparse float64: it ranks candidates.
    cross
        C alone, (P, N) sparse float64.
    contents
        (weight, content) of each modality: both sides gain weight F F', but for the
        diagonal on the right.
    trust
        By which these weights are multiplied for each column, (N,) float32.
    """

    left: sparse.csr_array
    right: sparse.csc_array
    cross: sparse.csc_array
    contents: list[tuple[float, Content]]
    trust: NDArray[np.float32]

    def block(self, union: Ints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Left side among some predictors, and the content alone, dense."""
        items = union[union < self.right.shape[1]]  # a prefix: tokens have no content
        content = np.zeros((len(union), len(union)), np.float32)
        some = content[: len(items), : len(items)]
        for weight, modality in self.contents:
            products = modality.products(items)
            products *= np.float32(weight)
            some += products
        left: NDArray[np.float32] = self.left[union][:, union].toarray()
        left += content
        return left, content


def contents(dataset: Dataset, settings: TransitionSettings) -> Contents:
    """Each modality that the catalogue has, with the nearest among the items that have events."""
    return {
        name: Content.of(rows, settings.neighbors, dataset.event_counts > 0)
        for name, rows in content_rows(dataset.catalogue).items()
    }


def system(
    statistics: Statistics, contents: Contents, settings: TransitionSettings, events: Ints
) -> System:
    """Build both sides of the ridge regression, the content kernels added to G and C.

    Parameters
    ----------
    statistics
        The sums G (P, P) and C (P, N).
    contents
        The kernel of each modality, weighed by ``settings.content_weights``.
    events
        How many each item has, (N,): the fewer, the more its column trusts content.
    """
    left = statistics.gram(settings.reverse, settings.ridge).astype(np.float32)
    C = statistics.cross(settings.reverse)
    P, N = C.shape
    weighed = [
        (settings.content_weights.get(name, ALPHA), content)
        for name, content in sorted(contents.items())
        if settings.content_weights.get(name, ALPHA) > 0
    ]
    near = sparse.csr_array((N, N))
    for weight, content in weighed:
        near = near + weight * content.near.astype(np.float64)
    indptr = np.append(near.indptr, np.full(P - N, near.indptr[-1]))
    right = (C + sparse.csr_array((near.data, near.indices, indptr), (P, N))).tocsc()
    return System(
        left, right, C.tocsc() if weighed else right, weighed, content_trust(events, settings)
    )


def content_trust(events: Ints, settings: TransitionSettings) -> NDArray[np.float32]:
    """1 + cold / (1 + n)^2 for columns of items with n events, (N,).

    >>> content_trust(np.array([0, 1, 9]), TransitionSettings(cold=100.0)).tolist()
    [101.0, 26.0, 2.0]
    """
    return (1 + settings.cold / (1.0 + events) ** 2).astype(np.float32)


def candidates(right: sparse.csc_array, columns: Ints, count: int) -> list[Ints]:
    """The ``count`` strongest predictors of each column, ascending rows; ties to the lower row."""
    chosen = []
    for j in columns:
        mine = slice(*right.indptr[j : j + 2])
        chosen.append(right.indices[mine][strongest(np.abs(right.data[mine]), count)].astype(int))
    return chosen


def solve(
    both: System, count: int, columns: Ints | None = None, threads: int | None = None
) -> sparse.csc_array:
    """Solve (G + ridge) b = c over the strongest candidate predictors of each target item.

    The regression of SLIST (Choi et al. 2021), a column at a time. The result does not depend on
    ``threads`` or on which columns are solved together.

    Parameters
    ----------
    both
        Both sides, as ``system`` builds them.
    count
        Candidate predictors of each target item.
    columns
        The target items to solve (default: all); the columns of others stay empty.
    threads
        How many work at once (default: the number of cores).

    Returns
    -------
    sparse.csc_array
        B, (P, N) float32.
    """
    P, N = both.right.shape
    columns = np.arange(N) if columns is None else columns
    columns = columns[np.diff(both.right.indptr)[columns] > 0]
    chosen = candidates(both.right, columns, count)
    threads = threads or os.cpu_count() or 1
    parts = [part for part in np.array_split(_alike(chosen, P), 4 * threads) if len(part)]
    found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(columns)

    def work(part: Ints) -> None:
        gather = Gather()
        for group in _groups(part, chosen, P):
            union = np.unique(np.concatenate([*(chosen[place] for place in group), columns[group]]))
            left, content = both.block(union)
            cross = both.cross[:, columns[group]]
            for k, place in enumerate(group):
                rows = np.searchsorted(union, chosen[place])
                target = np.searchsorted(union, columns[place])
                more = both.trust[columns[place]]
                like = content[rows, target] * (rows != target)
                mine = slice(*cross.indptr[k : k + 2])
                c = _pick(cross.indices[mine], cross.data[mine], chosen[place])
                A = gather(left, rows)
                among = content[np.ix_(rows, rows)] if more > 1 and both.contents else None
                found[place] = column(A, among, like, c, more)

    on_cores(work, parts, threads)
    return _columns(columns, chosen, found, (P, N))


def column(
    A: NDArray[np.float64],
    among: NDArray[np.float32] | None,
    like: NDArray[np.float32],
    c: NDArray[np.float64],
    more: np.float32,
) -> NDArray[np.float32]:
    """One target's weights of k predictors, (k,).

    A      G + ridge + content among them, (k, k); it is changed in place
    among  the content alone; None where it does not gain by ``more``
    like   the target's content with each, (k,)
    c      the target's column of C, (k,)
    more   how much the column trusts content
    """
    if among is not None:
        A += np.float64(more - 1) * among
    return _ridge(A, like * more + c).astype(np.float32)


class Gather:
    """Takes square parts of a matrix into buffers that it keeps.

    New memory for each system would cost as much time, in page faults, as its factorization.
    """

    def __init__(self) -> None:
        self.size = -1

    def __call__(self, matrix: NDArray[np.float32], rows: Ints) -> NDArray[np.float64]:
        """matrix[rows, rows] in float64; it holds until the next call."""
        if self.size != len(rows):
            self.size = len(rows)
            square = self.size, self.size
            self.places = np.empty(square, np.int64)
            self.single, self.double = np.empty(square, np.float32), np.empty(square)
        np.add(rows[:, None] * matrix.shape[1], rows, out=self.places)
        matrix.take(self.places, out=self.single, mode="clip")
        self.double[:] = self.single
        return self.double


def _pick(indices: Ints, data: NDArray[np.float64], rows: Ints) -> NDArray[np.float64]:
    """Values of a sparse column at some rows; 0 where it has none."""
    if not len(indices):
        return np.zeros(len(rows))
    at = np.minimum(np.searchsorted(indices, rows), len(indices) - 1)
    return np.where(indices[at] == rows, data[at], 0.0)


def _ridge(A: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve A x = b for a symmetric A, positive definite but for a truncated kernel's error."""
    try:
        L = np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(A, b, rcond=None)[0])
    return np.asarray(dpotrs(L.T, b, lower=0)[0])


def _alike(chosen: list[Ints], P: int) -> Ints:
    """An order in which columns with common candidates are near each other (two min-hashes).

    Speed alone depends on it: neighbors find the block that they share in the cache.
    """
    shuffled = [np.random.default_rng(seed).permutation(P) for seed in (0, 1)]
    keys = [[int(h[rows].min()) for rows in chosen] for h in shuffled]
    return np.lexsort((keys[1], keys[0])).astype(np.int64)


def _groups(part: Ints, chosen: list[Ints], P: int) -> list[list[int]]:
    """Consecutive columns whose candidates fit in one block."""
    groups: list[list[int]] = []
    seen = np.zeros(P, bool)
    union = P if P <= _WHOLE else _UNION
    room = -1
    for place in part:
        fresh = chosen[place][~seen[chosen[place]]]
        if len(fresh) > room:
            seen[:] = False
            groups.append([])
            fresh, room = chosen[place], union
        seen[fresh] = True
        room -= len(fresh)
        groups[-1].append(int(place))
    return groups


def _columns(
    columns: Ints, rows: list[Ints], values: list[NDArray[np.float32]], shape: tuple[int, int]
) -> sparse.csc_array:
    lengths = np.zeros(shape[1] + 1, np.int64)
    lengths[columns + 1] = [len(r) for r in rows]
    order = np.argsort(columns)
    none = np.zeros(0, np.int64), np.zeros(0, np.float32)
    data = np.concatenate([*(values[k] for k in order), none[1]])
    indices = np.concatenate([*(rows[k] for k in order), none[0]])
    return sparse.csc_array((data, indices, np.cumsum(lengths)), shape=shape)


def changed_columns(before: System, after: System, count: int, described: bool) -> Ints:
    """The columns whose solution may differ between two systems of one shape, ascending.

    A column is read from its right side, from the left side among its candidates, and from the
    content among these and the target. All else leaves the same bits. ``described`` says that
    content may differ; without it, only the sums do.
    """
    N = after.right.shape[1]
    moved = _columns_of(before.right != after.right) | _columns_of(before.cross != after.cross)
    moved |= before.trust != after.trust
    still = np.flatnonzero(~moved)
    chosen = candidates(after.right, still, count)
    rows = np.concatenate([np.zeros(0, np.int64), *chosen])
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in chosen])])
    ones = np.ones(len(rows), np.int32)
    among = sparse.csc_array((ones, rows, indptr), (after.left.shape[0], len(still)))
    pairs = sparse.csr_array(before.left != after.left, dtype=np.int32)
    moved[still] |= _columns_of((pairs @ among).multiply(among))
    if described:
        pairs = _content_pairs(before, after)
        items = among[:N] + sparse.csc_array(
            (np.ones(len(still), np.int32), (still, np.arange(len(still)))), (N, len(still))
        )
        moved[still] |= _columns_of((pairs @ items).multiply(items))
    return np.flatnonzero(moved)


def _columns_of(matrix: sparse.csr_array) -> NDArray[np.bool_]:
    """Which columns of a sparse matrix hold anything but zeros."""
    matrix = matrix.tocoo()
    return np.bincount(matrix.col[matrix.data != 0], minlength=matrix.shape[1]) > 0


def _content_pairs(before: System, after: System) -> sparse.csr_array:
    """Pairs of items whose content products, weighed and summed, have changed; (N, N) int32."""
    N = after.right.shape[1]
    changes = []
    for part in blocks(N, 512):
        rows = np.arange(N)[part]
        first, second = (_weighed(system, rows, N) for system in (before, after))
        changes.append(sparse.csr_array(first != second, dtype=np.int32))
    return sparse.vstack(changes, format="csr") if changes else sparse.csr_array((N, N))


def _weighed(system: System, rows: Ints, items: int) -> NDArray[np.float32]:
    total = np.zeros((len(rows), items), np.float32)
    for weight, modality in system.contents:
        total += np.float32(weight) * modality.against(rows)
    return total
