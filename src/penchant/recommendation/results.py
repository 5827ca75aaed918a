"""What a model answers with: lists of items, for one user or for many."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.errors import counted
from penchant.types import Floats, Ints

_SHOWN = 5  # items in a list's one line

POPULAR = "popular"
"""The source of an item that came by popularity."""

ASKED = "asked"
"""The source of an item that stands where it does because it fits what its user asked for."""


class ScoredItem(NamedTuple):
    """One item of a list.

    score        of the model; for source "popular" the item's share of all target events
    probability  that the user does this next, given that it is among their 100 best; None past
                 these, for popular items, and in a run without calibration
    source       the family that scored it, "popular" where nothing is known of user or item, or
                 "asked" where it was brought here by what the user searched or asked for
    because      the reasons as a sentence, where they were asked for
    """

    item: str
    score: float
    title: str | None
    source: str
    probability: float | None = None
    reasons: tuple[Any, ...] = ()
    because: str | None = None


@dataclass(frozen=True, repr=False)
class Recommendation:
    """A list of items for one user; it prints as a small table.

    Parameters
    ----------
    user
        The user by identifier; None for a history.
    source
        "popular" where no item has a score from this history, else the model's family.
    items
        The items, the best first.
    short
        Whether fewer than k items were left to list.
    unknown
        Items of the given history that the catalogue does not hold.

    Examples
    --------
    >>> print(Recommendation("ann", "transition", (ScoredItem("tea", 0.5, "Tea", "transition"),)))
    For ann, source: transition
      1  tea      0.5000  Tea
    """

    user: str | None
    source: str
    items: tuple[ScoredItem, ...]
    short: bool = False
    unknown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        first = ", ".join(row.item for row in self.items[:_SHOWN])
        more = ", ..." if len(self.items) > _SHOWN else ""
        listed = f"{counted(len(self.items), 'item')}{': ' * bool(first)}{first}{more}"
        return f"{type(self).__name__}({self.user!r}, {self.source}, {listed})"

    def __str__(self) -> str:
        width = max((len(row.item) for row in self.items), default=0)
        rows = [
            f"{place:>3}  {row.item:<{width}}  {row.score:>10.4f}  {row.title or ''}".rstrip()
            for place, row in enumerate(self.items, 1)
        ]
        who = "a history" if self.user is None else self.user
        return "\n".join([f"For {who}, source: {self.source}", *rows])

    def to_dict(self) -> dict[str, Any]:
        """Give the list as JSON types.

        Returns
        -------
        dict
            ``user``, ``source``, ``items`` (a mapping for each), ``short`` and ``unknown``.

        Examples
        --------
        >>> Recommendation("ann", "popular", ()).to_dict()["source"]
        'popular'
        """
        names = ("item", "score", "probability", "title", "source", "reasons", "because")
        return {
            "user": self.user,
            "source": self.source,
            "items": [{name: getattr(row, name) for name in names} for row in self.items],
            "short": self.short,
            "unknown": list(self.unknown),
        }


class RecommendationBatch(NamedTuple):
    """Lists of B histories.

    users        rows of the users, (B,); -1 for a history of no known user
    items        rows of the items, the best first, (B, k); padding is -1
    scores       of the model; of a popular item its share of all target events, (B, k)
    popular      which items came by popularity, (B, k)
    probability  of each item, (B, k); NaN where none is known
    available    how many items could be listed, (B,)
    queries      the text that gave an item its place, (B, k), None where none did; None without any
    """

    users: Ints
    items: Ints
    scores: Floats
    popular: NDArray[np.bool_]
    probability: Floats
    available: Ints
    queries: NDArray[np.object_] | None = None


@dataclass(frozen=True, repr=False)
class Reranked(Recommendation):
    """A list by rules, and what each of them removed.

    Parameters
    ----------
    propensities
        Of each item, the probability of it at its place: 1 where nothing is random.
    explored
        The places that were chosen at random, from 1.
    candidates
        For each of these the items that it was chosen from.
    removed
        How many items each rule kept out, an item by the first that did; a cap only counts items
        that would have been listed but for it.
    left
        Items that no rule kept out, listed or not: with those removed, the catalogue.
    """

    propensities: tuple[float, ...] = ()
    explored: tuple[int, ...] = ()
    candidates: tuple[tuple[str, ...], ...] = ()
    removed: dict[str, int] = field(default_factory=dict)
    left: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The list as JSON types: that of a recommendation, with a propensity beside each item."""
        content = super().to_dict()
        for row, propensity in zip(content["items"], self.propensities, strict=True):
            row["propensity"] = propensity
        also = {"explored": list(self.explored), "removed": self.removed, "left": self.left}
        return content | also
