"""EASE: the closed-form linear autoencoder of Steck 2019, dense and exact."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from scipy.linalg.lapack import spotrf, spotri

from penchant.config import Settings
from penchant.data.arrays import blocks
from penchant.data.dataset import Dataset, Histories
from penchant.errors import ConfigError
from penchant.models.base import Family, Recommender
from penchant.models.baselines.interactions import of_histories, of_users, strengths
from penchant.types import Arrays, Floats, Scores

MOST_ITEMS = 20_000
"""A dense matrix of so many items takes 1.6 GB; a fit holds one, and G sparse beside it."""


class EaseSettings(Settings):
    """The closed form's only setting.

    Parameters
    ----------
    ridge
        Added to the diagonal of G, in events.
    """

    ridge: Annotated[float, Field(ge=1, le=1e9)] = 300.0


@dataclass(frozen=True)
class Ease(Recommender):
    """Scores of all items from the distinct items of a history, in one product with B.

    An item that shares no user with another has no score. An empty history gives all others
    zero: chance level.

    Parameters
    ----------
    B
        (N, N) float32, diagonal 0.
    strength
        Strength of each behavior, (A,).
    """

    B: NDArray[np.float32]
    strength: Floats
    settings: EaseSettings

    @property
    def name(self) -> str:
        return "ease"

    def score(self, histories: Histories) -> Scores:
        x = of_histories(histories, self.strength, len(self.B), weighted=False)
        # a sparse product adds the rows of B of one history at a time, so batches cannot change it
        scores: Scores = (x.astype(np.float32) @ self.B).astype(np.float64)
        scores[:, ~self.scored] = -np.inf
        return scores

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which items have a column, (N,)."""
        return np.asarray(self.B.any(axis=0))

    def arrays(self) -> Arrays:
        return {"B": self.B}


def closed_form(G: sparse.csr_array, ridge: float) -> NDArray[np.float32]:
    """B_ij = -P_ij / P_jj with P = (G + ridge I)^-1, diagonal 0; (N, N) (Steck 2019, eq. 8).

    G is X'X, (N, N) sparse float32. Memory beside it: one dense N x N float32. Raises ConfigError
    where the ridge is too small for float32.

    >>> closed_form(sparse.csr_array(np.array([[2, 1], [1, 1]], np.float32)), 1.0).round(4)
    array([[0.    , 0.3333],
           [0.5   , 0.    ]], dtype=float32)
    """
    P = G.toarray(order="F")
    P[np.diag_indices_from(P)] += np.float32(ridge)
    P, failed = spotrf(P, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise ConfigError(f"expected a ridge that makes G definite, received {ridge}; raise it")
    P, _ = spotri(P, lower=1, overwrite_c=1)
    B: NDArray[np.float32] = P.T  # its upper triangle is the one that LAPACK filled
    for part in blocks(len(B), 256):
        square = np.triu(B[part, part])
        B[part, part] = square + np.triu(square, 1).T
        B[part.stop :, part] = B[part, part.stop :].T
    B /= -B.diagonal().copy()
    np.fill_diagonal(B, 0)
    return B


def fit(dataset: Dataset, seed: int = 0) -> Callable[[EaseSettings], Ease]:
    """Solve for B; no chance enters, but LAPACK's threads move the last bits. G is made once.

    Raises ConfigError for more than ``MOST_ITEMS`` items.
    """
    if len(dataset.catalogue) > MOST_ITEMS:
        raise ConfigError(
            f"ease inverts a dense items x items matrix: expected at most {MOST_ITEMS:,} items "
            f"({4 * MOST_ITEMS**2 / 1e9:.1f} GB), received {len(dataset.catalogue):,}; "
            "use transition or item-knn, which stay sparse"
        )
    X = of_users(dataset, weighted=False).astype(np.float32)
    G = (X.T @ X).tocsr()
    strength = strengths(dataset.catalogue)
    return lambda settings: Ease(closed_form(G, settings.ridge), strength, settings)


EASE = Family(
    "ease",
    EaseSettings,
    {"ridge": (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)},
    fit,
    lambda arrays, dataset, settings: Ease(arrays["B"], strengths(dataset.catalogue), settings),
)
