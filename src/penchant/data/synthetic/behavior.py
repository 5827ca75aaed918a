"""The steps of a planted world: which interest, then which item, step by step."""

import numpy as np
from numpy.typing import NDArray

from penchant.data.synthetic.catalogue import SyntheticItems
from penchant.types import Floats, Ints

BUY, CART, DISLIKE, VIEW = 0, 1, 2, 5
"""Rows of those behaviors in the world's list, in order of their names."""

START = 1_704_067_200
"""2024-01-01 00:00:00 UTC, in seconds; a world begins there and lasts less than a year."""

DAY = 86_400
TRIES = 12


class BehaviorSimulator:
    """Who last took what in which interest, and who has taken what, as the world goes on."""

    def __init__(
        self,
        rng: np.random.Generator,
        items: SyntheticItems,
        weights: tuple[Floats, Floats, Floats | None],
        drift: bool,
    ) -> None:
        self.rng, self.items, self.drift = rng, items, drift
        self.first, self.later, self.buying = weights
        self.follow = 0.35 if drift else 0.6
        self.last = np.full(self.first.shape, -1)
        self.visit = np.full(len(self.first), -1)
        self.taken = np.zeros((len(self.first), len(items.interest)), bool)

    def step(
        self,
        who: Ints,
        behavior: Ints,
        time: Ints,
        age: Floats,
        stray: NDArray[np.bool_],
        fresh: NDArray[np.bool_],
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """One item for each of some users, which that user has not taken; is it of an interest?"""
        interest = self._interest(who, behavior, time, age, fresh)
        items, rng = self.items, self.rng
        last = self.last[who, interest]
        chained = (last >= 0) & (rng.random(len(who)) < self.follow)
        item = np.where(chained, items.after[last], -1)
        month = (time - START) // (30 * DAY) if self.drift else np.zeros(len(who), np.int64)
        for attempt in range(TRIES):
            open_ = (item < 0) | self.taken[who, item]
            popular = items.popular(interest, rng.random(len(who)), month)
            anything = rng.integers(0, len(items.interest), len(who))
            item = np.where(open_, popular if attempt < TRIES // 2 else anything, item)
            if attempt == 0:
                item = np.where(stray, anything, item)
        open_ = self.taken[who, item]
        # argmin finds the first item that is not taken
        item = np.where(open_, np.argmin(self.taken[who], axis=1), item)
        self.taken[who, item] = True
        known = ~stray & (items.interest[item] == interest)
        self.last[who[known], interest[known]] = item[known]
        return item, known

    def _interest(
        self, who: Ints, behavior: Ints, time: Ints, age: Floats, fresh: NDArray[np.bool_]
    ) -> Ints:
        weights = self.first[who] * (1 - age)[:, None] + self.later[who] * age[:, None]
        if self.drift:
            month = (time - START) // (30 * DAY)
            season = (month[:, None] - np.arange(weights.shape[1])) % 12
            weights = weights * np.where((season <= 1) | (season >= 11), 2.0, 1.0)
        drawn = _choose(weights, self.rng.random(len(who)))
        stays = ~fresh & (self.visit[who] >= 0) & (self.rng.random(len(who)) < 0.7)
        drawn = np.where(stays, self.visit[who], drawn)
        self.visit[who] = drawn
        if self.buying is not None:
            bought = _choose(self.buying[who], self.rng.random(len(who)))
            drawn = np.where((behavior == BUY) | (behavior == CART), bought, drawn)
        return drawn


def _choose(weights: Floats, uniform: Floats) -> Ints:
    """A column for each row, drawn by weight."""
    heap = np.cumsum(weights, axis=1)
    column: Ints = np.argmax(heap > (uniform * heap[:, -1])[:, None], axis=1)
    return column
