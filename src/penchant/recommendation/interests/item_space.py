"""Where items lie by who takes them together, and by what they are: the space of interests.

The leading eigenvectors of the normalized co-occurrence D^-1/2 A D^-1/2 (Shi and Malik 2000, eq.
12), where A are the sums of the transition expert between items. They are taken from the sums, and
not from the regression that they solve, because that one holds closeness of content already: tags
that two interests share would draw these together.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from penchant.config import InterestSettings
from penchant.data.dataset import Catalogue
from penchant.features.kernels import Rows, content_rows, unit_rows
from penchant.models.transition.statistics import Statistics
from penchant.types import Floats, Ints

_SMOOTH = 0.1  # of the mean degree, added to each: one event gives an item no direction of its own
_PAIRS = 200_000
_ROUNDS = 4  # of subspace iteration
_SPARE = 10  # directions more than are kept


@dataclass(frozen=True)
class ItemSpace:
    """Unit vectors of items, and how near two must be to belong to one interest.

    vectors    (N, D) float64; zero for an item without events and content
    threshold  the cosine from which on two groups of items are one interest
    idf        of each tag: log2(N / items with it), which says how specific it is
    """

    vectors: Floats
    threshold: float
    idf: dict[str, float]

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        statistics: Statistics,
        event_counts: Ints,
        settings: InterestSettings,
        seed: int = 0,
    ) -> "ItemSpace":
        """Of an expert's sums and its items' content; ``event_counts`` (N,) is of each item."""
        N = len(catalogue)
        D = settings.dimensions or int(np.clip(round(N**0.5 / 2), 8, 64))
        parts = [_unit(_together(statistics, N, D, seed))]
        parts += [
            settings.content * _unit(_centered(rows, D, seed))
            for rows in content_rows(catalogue).values()
        ]
        vectors = _unit(np.hstack(parts))
        near = settings.near
        if near is None:
            near = otsu_threshold(_pairs(vectors, event_counts, seed))
        counts = Counter(tag for tags in catalogue.tags for tag in set(tags))
        return cls(vectors, near, {tag: float(np.log2(N / count)) for tag, count in counts.items()})


def otsu_threshold(values: Floats) -> float:
    """Where numbers fall into two groups that differ most (Otsu 1979, eq. 18).

    The cut that makes the variance between the groups largest; 0 where all are equal.

    >>> otsu_threshold(np.array([0.0, 0.1, 0.05, 0.9, 1.0]))
    0.1
    """
    values = np.sort(values)
    if not len(values) or values[0] == values[-1]:
        return 0.0
    count = np.arange(1, len(values))
    total = np.cumsum(values)
    low, high = total[:-1] / count, (total[-1] - total[:-1]) / (len(values) - count)
    share = count / len(values)
    return float(values[np.argmax(share * (1 - share) * (high - low) ** 2)])


def directions(matrix: Rows, count: int, seed: int) -> tuple[Floats, Floats]:
    """The leading left singular vectors (N, count) and values (count,) of a matrix (N, F).

    By subspace iteration from seeded random directions (Halko et al. 2011, alg. 4.4). Fewer where
    the matrix is smaller.
    """
    wide = min(count + _SPARE, *matrix.shape)
    start = np.random.default_rng(seed).standard_normal((matrix.shape[1], wide))
    Q, _ = np.linalg.qr(matrix @ start)
    for _ in range(_ROUNDS):
        Z, _ = np.linalg.qr(matrix.T @ Q)
        Q, _ = np.linalg.qr(matrix @ Z)
    U, s, _ = np.linalg.svd((matrix.T @ Q).T, full_matrices=False)
    count_kept = min(count, wide)
    return (Q @ U)[:, :count_kept], s[:count_kept]


def _together(statistics: Statistics, N: int, D: int, seed: int) -> Floats:
    """Items by what is taken with them, (N, D); the first direction, popularity, left out."""
    C = (statistics.forward.C + statistics.backward.C)[:N].astype(np.float64)
    A = sparse.csr_array(C + C.T)
    A.setdiag(0)
    A.eliminate_zeros()
    degree = np.asarray(A.sum(axis=1)).ravel()
    scale = 1 / np.sqrt(degree + max(_SMOOTH * float(degree.mean()), 1e-300))
    scaled = sparse.diags_array(scale)
    U, s = directions((scaled @ A @ scaled).tocsr(), D + 1, seed)
    return (U * s)[:, 1:]


def _centered(rows: Rows, D: int, seed: int) -> Floats:
    """The content of a modality in its leading directions, less the mean of those that have any."""
    U, s = directions(unit_rows(rows).astype(np.float64), D, seed)
    vectors: Floats = U * s
    there = (np.abs(vectors) > 1e-9).any(axis=1)
    vectors[there] -= vectors[there].mean(axis=0) if there.any() else 0.0
    vectors[~there] = 0.0
    return vectors


def _pairs(vectors: Floats, event_counts: Ints, seed: int) -> Floats:
    """Cosines of pairs of different items, each drawn in proportion to its events."""
    rng = np.random.default_rng(seed)
    if np.count_nonzero(event_counts) < 2:
        return np.zeros(0)
    share = event_counts / event_counts.sum()
    first, second = (rng.choice(len(event_counts), _PAIRS, p=share) for _ in range(2))
    other = first != second
    cosines: Floats = np.einsum("nd,nd->n", vectors[first[other]], vectors[second[other]])
    return cosines


def _unit(rows: Floats) -> Floats:
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    unit: Floats = np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-12)
    return unit
