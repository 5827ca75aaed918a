"""The closed-form expert: a ridge regression of the next event on the decayed history.

B = (G + ridge I)^-1 C, where each column is solved on its strongest candidate predictors alone
(fsSLIM, Ning and Karypis 2011, with ridge in place of the elastic net). The family of EASE
(Steck 2019, eq. 8) and SLIST (Choi et al. 2021); content kernels enter G and C as in collective
EASE. Columns are independent of each other.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg.lapack import dpotrs
from threadpoolctl import threadpool_limits

from penchant.config import TransitionSettings
from penchant.data.dataset import Catalogue, Histories, Ints, TimeKind
from penchant.errors import DataError
from penchant.models.base import Scores
from penchant.models.kernels import Content, Contents
from penchant.models.statistics import WEIGHT_BITS, Predictors, Statistics, grid

_UNION = 2048  # predictors in one dense block shared by a group of columns
_SCALE_STEPS = 4  # the kernels' scale moves in steps of 2^(1/4), so that updates seldom move it

@dataclass(frozen=True)
class System:
    """The two sides of the regression.

    left      G + ridge, (P, P) sparse float32
    right     C plus the content of near items, (P, N) sparse float64: it ranks candidates
    cross     C alone, (P, N) sparse float64
    contents  (weight, content) of each modality: both sides gain weight F F', but for the
              diagonal on the right
    """

    left: sparse.csr_array
    right: sparse.csc_array
    cross: sparse.csc_array
    contents: list[tuple[float, Content]]

    def block(self, union: Ints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Left side among some predictors, and the content alone, dense."""
        items = np.flatnonzero(union < self.right.shape[1])  # a prefix: tokens have no content
        content = np.zeros((len(union), len(union)), np.float32)
        for weight, modality in self.contents:
            content[: len(items), : len(items)] += np.float32(weight) * modality.products(
                union[items]
            )
        return self.left[union][:, union].toarray() + content, content


def system(statistics: Statistics, contents: Contents, settings: TransitionSettings) -> System:
    """Both sides, with content weighed by alpha times the mean diagonal of G.

    The mean is rounded to a power of 2^(1/4).
    """
    G, C = statistics.gram(), statistics.cross()
    P, N = C.shape
    mean = G.diagonal()[:N].mean() if N else 0.0
    scale = 2.0 ** (np.rint(_SCALE_STEPS * np.log2(mean)) / _SCALE_STEPS) if mean > 0 else 1.0
    weighed = [
        (scale * settings.alpha.get(name, 0.0), content)
        for name, content in sorted(contents.items())
        if settings.alpha.get(name, 0.0) > 0
    ]
    near = sparse.csr_array((N, N))
    for weight, content in weighed:
        near = near + weight * content.near.astype(np.float64)
    indptr = np.append(near.indptr, np.full(P - N, near.indptr[-1]))
    right = (C + sparse.csr_array((near.data, near.indices, indptr), (P, N))).tocsc()
    left = (G + settings.ridge * sparse.eye_array(P)).astype(np.float32).tocsr()
    return System(left, right, C.tocsc(), weighed)


def candidates(right: sparse.csc_array, columns: Ints, count: int) -> list[Ints]:
    """The ``count`` strongest predictors of each column, ascending rows; ties to the lower row."""
    chosen = []
    for j in columns:
        row = right.indices[right.indptr[j] : right.indptr[j + 1]]
        strength = np.abs(right.data[right.indptr[j] : right.indptr[j + 1]])
        if len(row) > count:
            least = np.partition(strength, -count)[-count]
            keep = strength > least
            tied = np.flatnonzero(strength == least)
            keep[tied[: count - keep.sum()]] = True
            row = row[keep]
        chosen.append(row.astype(np.int64))
    return chosen


def solve(
    statistics: Statistics,
    contents: Contents,
    settings: TransitionSettings,
    columns: Ints | None = None,
    threads: int | None = None,
) -> sparse.csc_array:
    """B, (P, N) sparse float32: one small ridge system for each target item.

    ``columns`` names the targets to solve (default: all); others stay empty. The result does not
    depend on ``threads`` or on which columns are solved together.
    """
    both = system(statistics, contents, settings)
    P, N = both.right.shape
    columns = np.arange(N) if columns is None else columns
    columns = columns[np.diff(both.right.indptr)[columns] > 0]
    chosen = candidates(both.right, columns, settings.candidates)
    threads = threads or os.cpu_count() or 1
    parts = [part for part in np.array_split(_alike(chosen, P), 4 * threads) if len(part)]
    found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(columns)

    def work(part: Ints) -> None:
        for group in _groups(part, chosen, P):
            union = np.unique(np.concatenate([*(chosen[place] for place in group), columns[group]]))
            left, content = both.block(union)
            cross = both.cross[:, columns[group]]
            for k, place in enumerate(group):
                rows = np.searchsorted(union, chosen[place])
                target = np.searchsorted(union, columns[place])
                b = content[rows, target] * (rows != target)
                mine = slice(*cross.indptr[k : k + 2])
                b = b + _pick(cross.indices[mine], cross.data[mine], chosen[place])
                A = left.take(rows[:, None] * len(union) + rows, mode="clip")
                found[place] = _ridge(A.astype(np.float64), b).astype(np.float32)

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
    return _columns(columns, chosen, found, (P, N))


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

    Speed alone depends on it: neighbours find the block that they share in the cache.
    """
    shuffled = [np.random.default_rng(seed).permutation(P) for seed in (0, 1)]
    keys = [[int(h[rows].min()) for rows in chosen] for h in shuffled]
    return np.lexsort((keys[1], keys[0])).astype(np.int64)


def _groups(part: Ints, chosen: list[Ints], P: int) -> list[list[int]]:
    """Consecutive columns whose candidates fit in one block."""
    groups: list[list[int]] = []
    seen = np.zeros(P, bool)
    union = P if P <= 2 * _UNION else _UNION
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


@dataclass(frozen=True)
class Transition:
    """A solved expert: scores of all items from a history, by one sparse product.

    B            (P, N) sparse float32
    weight       of each behaviour in a history, in units of 2^-12, (A,)
    """

    B: sparse.csr_array
    weight: Ints
    predictors: Predictors
    settings: TransitionSettings
    time: TimeKind
    name: str = "transition"

    @classmethod
    def of(
        cls,
        B: sparse.csc_array | sparse.csr_array,
        catalogue: Catalogue,
        settings: TransitionSettings,
        time: TimeKind,
    ) -> "Transition":
        weight = grid(catalogue, settings.history, WEIGHT_BITS)
        return cls(B.tocsr(), weight, Predictors.of(catalogue), settings, time)

    def weights(self, histories: Histories) -> NDArray[np.float64]:
        """Weight of each event of the histories now: w(behavior) decay^(age - 1), (E,).

        The latest event has age 1; events past the window have weight 0.
        """
        weight = self.weight[histories.events.behavior] * 2.0**-WEIGHT_BITS
        if self.time == "none":
            return weight
        age = np.repeat(histories.indptr[1:], histories.lengths) - np.arange(len(weight))
        age = np.minimum(age, self.settings.window + 1)
        return np.where(
            age <= self.settings.window, weight * self.settings.decay ** (age - 1.0), 0.0
        )

    def inputs(self, histories: Histories) -> sparse.csr_array:
        """x of each history, (B, P) sparse float64."""
        p = self.predictors.rows(histories.events)
        x = (self.weights(histories), (histories.owner, p))
        return sparse.coo_array(x, shape=(len(histories), len(self.predictors))).tocsr()

    def score(self, histories: Histories) -> Scores:
        scores = (self.inputs(histories) @ self.B).toarray().astype(np.float64)
        scores[:, ~self.scored] = -np.inf
        return scores

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which items have a column, (N,)."""
        return np.bincount(self.B.indices, minlength=self.B.shape[1]) > 0


def check_finite(statistics: Statistics) -> None:
    """Raise DataError where a sum is negative on the diagonal, naming the predictor."""
    diagonal = statistics.G.diagonal()
    if (diagonal < 0).any():
        row = int(np.flatnonzero(diagonal < 0)[0])
        raise DataError(
            f"expected sums of squares, received {diagonal[row]} for predictor row {row}; more "
            "was subtracted than had been added"
        )
