"""Alternating least squares of Hu, Koren and Volinsky 2008, fitted by ``implicit``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse
from threadpoolctl import threadpool_limits

from penchant.config import Settings
from penchant.data.dataset import Dataset, Histories
from penchant.errors import MissingExtraError
from penchant.models.base import Family, Recommender
from penchant.models.baselines.factor_scores import MOST_FACTORS, inner, rounded
from penchant.models.baselines.interactions import of_histories, of_users, strengths
from penchant.types import Arrays, Floats, Scores


class AlsSettings(Settings):
    """Weighted matrix factorization.

    Parameters
    ----------
    factors
        Numbers that describe an item.
    alpha
        Confidence in a pair, times the summed strength of its events; 1 in all others.
    regularization
        Added to the diagonal of each user's and item's equations.
    iterations
        Iterations of users, then items.
    """

    factors: Annotated[int, Field(ge=1, le=MOST_FACTORS)] = 128
    alpha: Annotated[float, Field(gt=0, le=1e4)] = 10.0
    regularization: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    iterations: Annotated[int, Field(ge=1, le=1000)] = 15


@dataclass(frozen=True)
class Als(Recommender):
    """Folds each history in, that of a known user too: a user's factors are not kept.

    An empty history gives all known items zero: chance level.

    Parameters
    ----------
    items
        Y, (N, F) float32.
    known
        Which items have a training event, (N,); the others have no score.
    strength
        Strength of each behavior, (A,).
    """

    items: NDArray[np.float32]
    known: NDArray[np.bool_]
    strength: Floats
    settings: AlsSettings

    @property
    def name(self) -> str:
        return "als"

    def score(self, histories: Histories) -> Scores:
        x = of_histories(histories, self.strength, len(self.items), weighted=True)
        users = fold_in(self.factors, self.gram, self.inverse, x * self.settings.alpha)
        return inner(users, self.factors, self.known)

    @cached_property
    def factors(self) -> Floats:
        """Y on its grid, (N, F)."""
        return rounded(self.items)

    @cached_property
    def gram(self) -> Floats:
        """Y'Y + regularization I, (F, F)."""
        Y = self.factors
        regular: Floats = self.settings.regularization * np.eye(Y.shape[1])
        return Y.T @ Y + regular

    @cached_property
    def inverse(self) -> Floats:
        """(Y'Y + regularization I)^-1, (F, F)."""
        return np.asarray(np.linalg.inv(self.gram), np.float64)

    def arrays(self) -> Arrays:
        return {"items": self.items, "known": self.known}


def fold_in(Y: Floats, gram: Floats, M: Floats, confidence: sparse.csr_array) -> Floats:
    """x_u = (Y'Y + Y'(C_u - I)Y + regularization I)^-1 Y' C_u p_u, (B, F) (Hu et al. 2008, eq. 4).

    Y is (N, F), ``gram`` is Y'Y + regularization I and M its inverse, ``confidence`` (B, N) is C_u
    of the items taken; the others have 1. A history of L items, fewer than F, solves L equations
    instead of F: (M^-1 + Y'DY)^-1 Y' = M Y' (I + D Y M Y')^-1 with D = C_u - I. Histories of one
    length are solved side by side, each on its own, so the rest of the batch cannot change it.

    >>> Y, taken = np.array([[1.0], [2.0]]), sparse.csr_array([[0.0, 3.0]])
    >>> fold_in(Y, np.array([[6.0]]), np.array([[1 / 6]]), taken).round(4)  # 3 * 2 / (6 + 2 * 4)
    array([[0.4286]])
    """
    F = Y.shape[1]
    users = np.zeros((confidence.shape[0], F))
    lengths = np.diff(confidence.indptr)
    for length in np.unique(lengths[lengths > 0]):
        rows = np.flatnonzero(lengths == length)
        at = confidence.indptr[rows, None] + np.arange(length)
        y, c = Y[confidence.indices[at]], confidence.data[at][:, :, None]  # (b, L, F), (b, L, 1)
        yt = y.transpose(0, 2, 1)
        if length < F:
            yM = y @ M
            inside = np.eye(length) + (c - 1) * (yM @ yt)
            x = yM.transpose(0, 2, 1) @ np.linalg.solve(inside, c)
        else:
            x = np.linalg.solve(gram + yt @ ((c - 1) * y), yt @ c)
        users[rows] = x[:, :, 0]
    return users


def fit(dataset: Dataset, seed: int = 0) -> Callable[[AlsSettings], Als]:
    """Factorize on all cores: rows are solved apart from each other, so a seed gives one result.

    Raises MissingExtraError without the extra ``baselines``.
    """
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError as error:
        raise MissingExtraError("implicit", "baselines") from error
    X = sparse.csr_matrix(of_users(dataset, weighted=True).astype(np.float32))
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    strength = strengths(dataset.catalogue)

    def fitted(settings: AlsSettings) -> Als:
        # implicit runs its own threads, which those of BLAS would slow down
        with threadpool_limits(1, user_api="blas"):
            model = AlternatingLeastSquares(
                **settings.model_dump(), num_threads=0, random_state=seed
            )
            model.fit(X, show_progress=False)
        return Als(model.item_factors, known, strength, settings)

    return fitted


def restore(arrays: Arrays, dataset: Dataset, settings: AlsSettings) -> Als:
    """The recommender that gave these arrays."""
    return Als(arrays["items"], arrays["known"], strengths(dataset.catalogue), settings)


ALS = Family(
    "als",
    AlsSettings,
    {
        "alpha": (1.0, 2.0, 5.0, 10.0, 20.0, 40.0),
        "regularization": (0.01, 0.1, 1.0, 3.0, 10.0, 30.0, 100.0),
        "factors": (64, 128, 256, 512),
        "iterations": (10, 15, 30),
    },
    fit,
    restore,
)
