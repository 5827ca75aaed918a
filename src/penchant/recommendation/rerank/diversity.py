"""Selecting a list: greedy, by relevance and unlikeness, under caps.

Letters: C candidates, best by rank first, so that a tie goes to the better rank; N items, T
interests.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from penchant.errors import ConfigError, DataError
from penchant.types import Floats, Ints

_LEAST = 1e-10  # of a determinant: what candidates that are spanned by the list are taken to have


class Gain(Protocol):
    """What each candidate would add to the list as it stands."""

    def marginal_gains(self) -> Floats:
        """Of each candidate now, (C,)."""
        ...

    def take(self, place: int) -> None:
        """A candidate joins the list."""
        ...


class Plain:
    """Relevance alone."""

    def __init__(self, relevance: Floats) -> None:
        self.relevance = relevance

    def marginal_gains(self) -> Floats:
        return self.relevance

    def take(self, place: int) -> None:
        return


class Marginal:
    """Maximal marginal relevance; see ``mmr``."""

    def __init__(self, relevance: Floats, similarity: Floats, diversity: float) -> None:
        self.own, self.weight = (1 - diversity) * relevance, diversity
        self.similarity = similarity
        self.nearest = np.zeros(len(relevance))

    def marginal_gains(self) -> Floats:
        return self.own - self.weight * self.nearest

    def take(self, place: int) -> None:
        self.nearest = np.maximum(self.nearest, self.similarity[:, place])


class Determinant:
    """Greedy maximum of a determinant; see ``dpp``."""

    def __init__(self, relevance: Floats, similarity: Floats, diversity: float) -> None:
        self.own, self.weight = (1 - diversity) * relevance, diversity
        self.similarity = similarity
        self.rest = np.diag(similarity).astype(np.float64)
        self.rows: list[Floats] = []

    def marginal_gains(self) -> Floats:
        return self.own + self.weight * np.log(np.maximum(self.rest, _LEAST))

    def take(self, place: int) -> None:
        if self.rest[place] <= _LEAST:
            return  # the list spans it already, so it takes nothing from the others
        done = np.stack(self.rows) if self.rows else np.zeros((0, len(self.rest)))
        row = (self.similarity[place] - done[:, place] @ done) / np.sqrt(self.rest[place])
        self.rows.append(row)
        self.rest = self.rest - row**2


class Caps:
    """At most so many items for each value of a column; ``codes`` (N, columns), -1 for no value."""

    def __init__(self, codes: Ints, most: Sequence[int], names: Sequence[str]) -> None:
        self.codes, self.names = codes, names
        sizes = (codes.max(axis=0, initial=-1) + 1).tolist()
        self.left = [np.full(size, limit) for size, limit in zip(sizes, most, strict=True)]

    def rooms(self, item: int) -> list[tuple[str, int, int]]:
        """The columns in which an item has a value: name, value, how many more it allows."""
        codes = self.codes[item].tolist()
        return [
            (name, code, int(left[code]))
            for name, code, left in zip(self.names, codes, self.left, strict=True)
            if code >= 0
        ]

    def full(self, item: int) -> str | None:
        """The first column that does not allow the item; None where all do."""
        return next((name for name, _, room in self.rooms(item) if room < 1), None)

    def take(self, item: int) -> None:
        """An item joins the list."""
        for left, code in zip(self.left, self.codes[item].tolist(), strict=True):
            if code >= 0:
                left[code] -= 1


class Selected(NamedTuple):
    """Places of candidates in the order of the list, and those that a cap kept out, by column."""

    chosen: list[int]
    capped: dict[int, str]


def select(
    gain: Gain,
    items: Ints,
    k: int,
    caps: Caps | None = None,
    main: Ints | None = None,
    least: Ints | None = None,
) -> Selected:
    """Take the candidate with the largest gain, k times over; ``items`` (C,) names them to caps.

    A candidate that would be taken but for a cap is out for good, as a cap never loosens.
    ``least`` (T,) are places that each interest must have and ``main`` (C,) is each candidate's
    interest, -1 for none: once no other places are left, only interests that lack some are asked.
    """
    free = np.ones(len(items), bool)
    lacking = np.zeros(0, np.int64) if least is None else least.copy()
    chosen: list[int] = []
    capped: dict[int, str] = {}
    while len(chosen) < k and free.any():
        allowed = free
        if main is not None and len(lacking):
            there = np.bincount(main[free & (main >= 0)], minlength=len(lacking))
            owed = np.minimum(lacking, there)
            if owed.sum() >= k - len(chosen):
                allowed = free & (main >= 0) & (owed[main] > 0)
        place = int(np.argmax(np.where(allowed, gain.marginal_gains(), -np.inf)))
        free[place] = False
        column = caps.full(int(items[place])) if caps else None
        if column is not None:
            capped[place] = column
            continue
        gain.take(place)
        if caps:
            caps.take(int(items[place]))
        if main is not None and len(lacking) and main[place] >= 0:
            lacking[main[place]] = max(0, lacking[main[place]] - 1)
        chosen.append(place)
    return Selected(chosen, capped)


def mmr(relevance: Floats, similarity: Floats, k: int, diversity: float) -> list[int]:
    """Maximal marginal relevance: places of k candidates in order.

    Each is the largest of (1 - diversity) relevance_i - diversity max over listed j of
    similarity_ij; the maximum is 0 while nothing is listed, and never below. Carbonell and
    Goldstein 1998, the definition of MMR in section 2, with lambda = 1 - diversity.
    ``relevance`` (C,), ``similarity`` (C, C).

    >>> alike = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> mmr(np.array([1.0, 0.9, 0.5]), alike, 2, 0.5)
    [0, 2]

    Raises DataError for shapes that do not fit, ConfigError for a dial outside [0, 1].
    """
    gain = varied("mmr", relevance, similarity, diversity)
    return select(gain, np.arange(len(relevance)), k).chosen


def dpp(relevance: Floats, similarity: Floats, k: int, diversity: float) -> list[int]:
    """Greedy MAP of a determinantal point process: places of k candidates in order.

    Each is the largest of (1 - diversity) relevance_i + diversity log d_i^2, where d_i^2 is
    det(S with i) / det(S) of the list's similarities S, kept up to date by the rows of its Cholesky
    factor: Chen, Zhang and Zhou 2018, algorithm 1, on the kernel diag(q) S diag(q) with q_i =
    exp(alpha relevance_i), alpha = (1 - diversity) / (2 diversity). In logarithms, so that a small
    dial overflows nothing. Where S is singular, what the list already spans comes last, by
    relevance. ``relevance`` (C,), ``similarity`` (C, C) positive semidefinite.

    >>> alike = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> dpp(np.array([1.0, 0.9, 0.5]), alike, 3, 0.5)
    [0, 2, 1]

    Raises DataError for shapes that do not fit, ConfigError for a dial outside [0, 1].
    """
    gain = varied("dpp", relevance, similarity, diversity)
    return select(gain, np.arange(len(relevance)), k).chosen


def relevance_of(scores: Floats, unscored: NDArray[np.bool_]) -> Floats:
    """Scores of the candidates on a scale from 0 to 1, in the same order, (C,).

    (score - least) / (most - least) among those that have a score, all 1 where these are equal.
    Candidates without one, whose score is a popularity, have 0 beside scored ones, and their own
    scale where none is.

    >>> relevance_of(np.array([3.0, 2.0, 1.0, 0.9]), np.array([False, False, False, True])).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    scored = ~unscored if not unscored.all() else unscored
    relevance = np.zeros(len(scores))
    if scored.any():
        some = scores[scored]
        least, spread = some.min(), some.max() - some.min()
        relevance[scored] = (some - least) / spread if spread > 0 else 1.0
    return relevance


def varied(method: str, relevance: Floats, similarity: Floats, diversity: float) -> Gain:
    """The gain of "mmr" or "dpp"; a dial at 0 is relevance alone, exactly."""
    _fit(relevance, similarity, diversity)
    if diversity == 0:
        return Plain(relevance)
    if method == "mmr":
        return Marginal(relevance, similarity, diversity)
    return Determinant(relevance, similarity, diversity)


def _fit(relevance: Floats, similarity: Floats, diversity: float) -> None:
    dial("diversity", diversity)
    if similarity.shape != (len(relevance), len(relevance)):
        raise DataError(
            f"expected similarities of {len(relevance)} candidates with each other, received "
            f"an array of shape {similarity.shape}"
        )


def dial(name: str, value: float) -> None:
    """ConfigError for a dial outside [0, 1]."""
    if not 0 <= value <= 1:
        raise ConfigError(f"expected {name} from 0 to 1, received {value}")
