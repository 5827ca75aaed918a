"""What a list is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from penchant.errors import ConfigError
from penchant.recommendation.rules import Rules
from penchant.types import Floats, Ints, Mask

Similarity = Callable[[Ints], Floats] | NDArray[np.floating]
"""Rows of items (C,) -> (C, C); or vectors of all items (N, D), whose cosines are taken."""


class InterestShares(Protocol):
    """The T interests of one user."""

    @property
    def weights(self) -> Floats:
        """How much each counts for the user, (T,); not below 0."""
        ...

    def shares(self, items: Ints) -> Floats:
        """How much of each item (rows of the catalogue) belongs to each interest, (C, T).

        A row sums to 1, or to 0 where the item belongs to none.
        """
        ...


@dataclass(frozen=True)
class ListRequest:
    """One request for lists: of one history, or without a user of many.

    Parameters
    ----------
    k
        Items of a list, at least 1.
    user
        Whose one history it is, where the dataset need not know them.
    behavior
        To predict; default: the target of the run.
    domain
        Items of this domain only.
    repeats
        Whether items of the history may be listed, for all behaviors or by behavior; default: as
        the rules and the recipe say.
    allowed
        Which items may be listed at all, (N,); default: all.
    query
        A text that the whole list is to fit.
    rules
        Filters, diversity, quotas, caps and exploration; default: none.
    request_id
        With the seed of the rules and the user it makes exploration reproducible.
    interests
        In place of those that the model finds, for the quota of the rules.
    similarity
        In place of the cosines of what is known of the items, for the diversity of the rules.
    explain
        Whether each item gets up to three reasons and a sentence.

    Raises
    ------
    ConfigError
        For a k below 1.
    """

    k: int = 10
    user: str | None = None
    behavior: str | None = None
    domain: str | None = None
    repeats: bool | Mapping[str, bool] | None = None
    allowed: Mask | None = None
    query: str | None = None
    rules: Rules | None = None
    request_id: str = ""
    interests: InterestShares | None = None
    similarity: Similarity | None = None
    explain: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"expected k of at least 1, received {self.k}")
