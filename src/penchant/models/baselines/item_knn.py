"""Item-item neighbors: what was taken by the people who took what you took."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from penchant.config import Settings
from penchant.data.dataset import Dataset, Histories
from penchant.features.kernels import strongest
from penchant.models.base import Family, Recommender
from penchant.models.baselines.interactions import of_histories, of_users, strengths
from penchant.types import Arrays, Floats, Ints, Scores

_CELLS = 1 << 22  # similarities held at once by each thread


class ItemKnnSettings(Settings):
    """Cosine neighbors of items.

    Parameters
    ----------
    neighbors
        Kept for each item, the most similar.
    shrinkage
        Added to the product of lengths, against similarities from few users.
    weighted
        Whether a pair counts by the strength of its events, or once.
    """

    neighbors: Annotated[int, Field(ge=1, le=10_000)] = 200
    shrinkage: Annotated[float, Field(ge=0, le=1e6)] = 10.0
    weighted: bool = False


@dataclass(frozen=True)
class ItemKnn(Recommender):
    """Scores an item by its summed similarity to the distinct items of a history.

    An item without neighbors has no score. An empty history gives all others zero: chance level.

    Parameters
    ----------
    S
        Column i holds the neighbors of item i, (N, N) sparse float32.
    strength
        Strength of each behavior, (A,).
    """

    S: sparse.csr_array
    strength: Floats
    settings: ItemKnnSettings

    @property
    def name(self) -> str:
        return "item-knn"

    def score(self, histories: Histories) -> Scores:
        x = of_histories(histories, self.strength, self.S.shape[0], weighted=False)
        # each row of a sparse product is summed on its own, so batches cannot change it
        scores: Scores = (x.astype(np.float32) @ self.S).toarray().astype(np.float64)
        scores[:, ~self.scored] = -np.inf
        return scores

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which items have neighbors, (N,)."""
        return np.bincount(self.S.indices, minlength=self.S.shape[1]) > 0

    def arrays(self) -> Arrays:
        return {part: getattr(self.S, part) for part in ("data", "indices", "indptr")}


def similarities(X: sparse.csr_array, neighbors: int, shrinkage: float) -> sparse.csr_array:
    """s_ij = <x_i, x_j> / (|x_i| |x_j| + shrinkage) of each item's nearest others; (N, N) float32.

    X is (U, N). Column i holds the ``neighbors`` most similar to item i; ties go to the lower row.
    The cosine of Sarwar et al. 2001 with the shrinkage of Ferrari Dacrema et al. 2019 (ItemKNN).
    Made in blocks, so memory grows with N times neighbors and not with N squared.

    >>> X = sparse.csr_array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    >>> similarities(X, 1, 0.0).toarray().round(2)
    array([[0.  , 1.  , 0.71],
           [1.  , 0.  , 0.  ],
           [0.  , 0.  , 0.  ]], dtype=float32)
    """
    N = X.shape[1]
    T = X.T.tocsr()
    length = np.sqrt(np.bincount(X.indices, X.data**2, N))
    # no row of T X has more cells than its users have events
    most = np.minimum(T.astype(bool) @ np.diff(X.indptr), N)
    part = np.cumsum(most) // _CELLS
    parts = np.split(np.arange(N), np.flatnonzero(np.diff(part)) + 1)

    def near(items: Ints) -> list[tuple[Ints, NDArray[np.float32]]]:
        product = T[items] @ X
        product.sort_indices()
        row = np.repeat(items, np.diff(product.indptr))
        value = product.data / (length[row] * length[product.indices] + shrinkage)
        value[row == product.indices] = 0
        found = []
        for start, stop in zip(product.indptr, product.indptr[1:], strict=False):
            kept = start + strongest(value[start:stop], neighbors)
            found.append((product.indices[kept], value[kept].astype(np.float32)))
        return found

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        columns = [column for found in pool.map(near, parts) for column in found]
    indptr = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in columns])])
    data = np.concatenate([values for _, values in columns])
    indices = np.concatenate([rows for rows, _ in columns])
    return sparse.csc_array((data, indices, indptr), shape=(N, N)).tocsr()


def fit(dataset: Dataset, seed: int = 0) -> Callable[[ItemKnnSettings], ItemKnn]:
    """Find the neighbors of each item; no chance enters."""

    @cache
    def users(weighted: bool) -> sparse.csr_array:
        return of_users(dataset, weighted=weighted)

    def fitted(settings: ItemKnnSettings) -> ItemKnn:
        X = users(settings.weighted)
        S = similarities(X, settings.neighbors, settings.shrinkage)
        return ItemKnn(S, strengths(dataset.catalogue), settings)

    return fitted


def restore(arrays: Arrays, dataset: Dataset, settings: ItemKnnSettings) -> ItemKnn:
    """The recommender that gave these arrays."""
    N = len(dataset.catalogue)
    S = sparse.csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(N, N))
    return ItemKnn(S, strengths(dataset.catalogue), settings)


ITEM_KNN = Family(
    "item-knn",
    ItemKnnSettings,
    {
        "shrinkage": (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
        "neighbors": (20, 50, 100, 200, 500, 1000),
        "weighted": (False, True),
    },
    fit,
    restore,
)
