"""Bayesian personalized ranking of Rendle et al. 2009, fitted by ``implicit``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from penchant.config import Settings
from penchant.data.dataset import Dataset, Histories
from penchant.errors import ConfigError, MissingExtraError
from penchant.models.base import Family, Recommender
from penchant.models.baselines.factor_scores import MOST_FACTORS, inner, rounded
from penchant.models.baselines.interactions import of_histories, of_users, strengths
from penchant.types import Arrays, Floats, Scores


class BprSettings(Settings):
    """Matrix factorization for the order of pairs.

    Parameters
    ----------
    factors
        Numbers that describe a user or an item, besides the item's bias.
    learning_rate
        Learning rate of each step of gradient descent.
    regularization
        Pull of each step toward zero.
    iterations
        Steps for each training pair.
    """

    factors: Annotated[int, Field(ge=1, lt=MOST_FACTORS)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.03
    regularization: Annotated[float, Field(ge=0, le=1)] = 0.01
    iterations: Annotated[int, Field(ge=1, le=10_000)] = 200


@dataclass(frozen=True)
class Bpr(Recommender):
    """Scores by the trained factors of a known user, whatever the history: there is no fold-in.

    A user that was not trained takes the mean factors of the history's distinct items; of an
    empty history the biases alone remain. The last factor of an item is its bias, and that of a
    user is 1.

    Parameters
    ----------
    users
        (U, F + 1) float32; zero for a user that was not trained.
    items
        (N, F + 1) float32.
    known
        Which items have a training event, (N,); the others have no score.
    strength
        Strength of each behavior, (A,).
    """

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    known: NDArray[np.bool_]
    strength: Floats
    settings: BprSettings

    @property
    def name(self) -> str:
        return "bpr"

    def score(self, histories: Histories) -> Scores:
        x = of_histories(histories, self.strength, len(self.items), weighted=False)
        # row by row, so batches cannot change it
        users = (x @ self.factors) / np.maximum(np.diff(x.indptr), 1)[:, None]
        users[:, -1] = 1
        trained = np.flatnonzero(histories.users >= 0)
        trained = trained[self.users[histories.users[trained]].any(axis=1)]
        users[trained] = self.users[histories.users[trained]]
        return inner(users, self.factors, self.known)

    @cached_property
    def factors(self) -> Floats:
        """The items' factors on their grid, (N, F + 1)."""
        return rounded(self.items)

    def arrays(self) -> Arrays:
        return {"users": self.users, "items": self.items, "known": self.known}


def fit(dataset: Dataset, seed: int = 0) -> Callable[[BprSettings], Bpr]:
    """Descend on one thread: threads of ``implicit`` race, and a seed would give no one result.

    Raises MissingExtraError without the extra ``baselines``; fitted with a learning rate that
    diverges, ConfigError.
    """
    try:
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from implicit.recommender_base import ModelFitError
    except ImportError as error:
        raise MissingExtraError("implicit", "baselines") from error
    X = sparse.csr_matrix(of_users(dataset, weighted=False).astype(np.float32))
    known = np.bincount(X.indices, minlength=X.shape[1]) > 0
    strength = strengths(dataset.catalogue)

    def fitted(settings: BprSettings) -> Bpr:
        model = BayesianPersonalizedRanking(
            **settings.model_dump(), num_threads=1, random_state=seed
        )
        try:
            model.fit(X, show_progress=False)
        except ModelFitError as error:
            raise ConfigError(
                f"bpr expected a learning_rate that converges, received {settings.learning_rate}, "
                "and its factors grew without end; lower it"
            ) from error
        users = np.where(np.diff(X.indptr)[:, None] > 0, model.user_factors, np.float32(0))
        return Bpr(users, model.item_factors, known, strength, settings)

    return fitted


def restore(arrays: Arrays, dataset: Dataset, settings: BprSettings) -> Bpr:
    """The recommender that gave these arrays."""
    strength = strengths(dataset.catalogue)
    return Bpr(arrays["users"], arrays["items"], arrays["known"], strength, settings)


BPR = Family(
    "bpr",
    BprSettings,
    {
        "learning_rate": (0.003, 0.01, 0.03, 0.1),
        "regularization": (0.0001, 0.001, 0.01, 0.03, 0.1),
        "factors": (32, 64, 128, 256),
    },
    fit,
    restore,
    cheap={"iterations": 50},
)
