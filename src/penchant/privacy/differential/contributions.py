"""What each user adds to the sums, clipped: the part of a release that reads the events.

A user's joint vector holds the upper triangle of G, times ``balance``, and all of C. Its L2 norm is
brought down to ``clip`` events where it is larger; in units of clip / D each cell is then rounded
toward zero. So every user's vector is integer and of norm at most D, whatever the others did:
adding or removing a user changes the sum by at most D in L2. That, D, is the sensitivity.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import PrivacySettings, TransitionSettings
from penchant.data.dataset import Dataset
from penchant.errors import ConfigError
from penchant.models.transition.exact_sums import EXACT
from penchant.models.transition.statistics import (
    TARGET_BITS,
    WEIGHT_BITS,
    Predictors,
    decays,
    grid,
    target_weights,
)
from penchant.types import Floats, Ints

GRID = 2.0**10
"""Public contents, and inputs of them, are multiples of 1 / GRID."""

_BLOCK = 1 << 15  # events of one block of users


@dataclass(frozen=True)
class Contributions:
    """The positive events about items, each user's latest, ordered by user and time.

    user, item, behavior   of each event, (E,); users are numbered anew from 0
    users                  how many there are
    weight, decay, value   of each behavior: in a history, for each position of age, and as a
                           target, (A,)
    """

    user: Ints
    item: Ints
    behavior: Ints
    users: int
    weight: Floats
    decay: Floats
    value: Floats

    @classmethod
    def of(
        cls, dataset: Dataset, transition: TransitionSettings, settings: PrivacySettings
    ) -> "Contributions":
        catalogue, events = dataset.catalogue, dataset.events.sorted()
        events = events.take(Predictors.of(catalogue).targets(events))
        known, user = np.unique(events.user, return_inverse=True)
        ends = np.searchsorted(user, np.arange(len(known)), "right")
        latest = ends[user] - np.arange(len(user)) <= settings.events
        user, events = user[latest].astype(np.int64), events.take(latest)
        weight = grid(catalogue, transition.behavior_weights, WEIGHT_BITS).astype(np.float64)
        weight *= 2.0**-WEIGHT_BITS
        value = target_weights(catalogue, transition, dataset.target).astype(np.float64)
        value *= 2.0**-TARGET_BITS
        return cls(
            user,
            events.item,
            events.behavior,
            len(known),
            weight,
            decays(catalogue, transition),
            value,
        )

    @property
    def values(self) -> Floats:
        """What each event is worth as a target, (E,)."""
        return self.value[self.behavior]

    def blocks(self) -> Iterator["Contributions"]:
        """Whole users together, up to about 2^15 events."""
        ends = np.searchsorted(self.user, np.arange(self.users), "right")
        start = first = 0
        while first < self.users:
            last = max(first, int(np.searchsorted(ends, start + _BLOCK, "right")) - 1)
            mine = slice(start, int(ends[last]))
            own = self.user[mine] - first, self.item[mine], self.behavior[mine], last + 1 - first
            yield Contributions(*own, self.weight, self.decay, self.value)
            start, first = int(ends[last]), last + 1

    def rows(self, window: int, reverse: bool = False) -> sparse.csr_array:
        """Weight of each event in the row of each target, (E, E) sparse float64.

        A row holds the events before its target, or with ``reverse`` those after it.
        """
        E, parts = len(self.user), []
        # a table of public shape: a power in the middle of a long array may have other last bits
        table = self.weight[:, None] * self.decay[:, None] ** np.arange(window)
        for age in range(1, min(window, E - 1) + 1):
            earlier = np.flatnonzero(self.user[age:] == self.user[:-age])
            of, held = (earlier, earlier + age) if reverse else (earlier + age, earlier)
            parts.append((table[self.behavior[held], age - 1], of, held))
        none = np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64)
        data, row, column = (np.concatenate(of) for of in zip(none, *parts, strict=True))
        return sparse.csr_array((data, (row, column)), shape=(E, E))


def clip_users(values: Floats, owner: Ints, clip: float, units: int) -> Ints:
    """Cells of users' vectors as integers, (n,), each user's of L2 norm at most ``units``.

    ``owner`` (n,) is the user of each cell, and ``clip`` the norm that becomes ``units``. The bound
    holds exactly: squares of integers are summed, and a user beyond it would add nothing.

    >>> clip_users(np.array([3.0, -4.0, 0.1]), np.array([0, 0, 1]), 1.0, 100).tolist()
    [59, -79, 9]
    """
    users = int(owner.max(initial=-1)) + 1
    norm = np.sqrt(np.bincount(owner, values**2, users))
    scale = units * (1 - 1e-9) / np.maximum(norm, clip)
    whole = np.trunc(values * scale[owner]).astype(np.int64)
    over = np.bincount(owner, whole.astype(np.float64) ** 2, users) > float(units) ** 2
    whole[over[owner]] = 0
    return whole


def counts(acts: Contributions, items: int, settings: PrivacySettings, units: int) -> Ints:
    """The sum of users' clipped counts of target events by item, (N,)."""
    key, place = np.unique(acts.user * items + acts.item, return_inverse=True)
    values: Floats = np.bincount(place, acts.values, len(key)).astype(np.float64)
    whole = clip_users(values, key // items, settings.clip, units)
    total = np.zeros(items, np.int64)
    np.add.at(total, key % items, whole)
    return total


def whole_sums(
    acts: Contributions,
    items: int,
    transition: TransitionSettings,
    settings: PrivacySettings,
    units: int,
) -> tuple[Ints, Ints]:
    """The sums of users' clipped vectors over the items: upper triangle of G, and C, (N, N)."""
    G, C = np.zeros((2, items, items), np.int64)
    for block in acts.blocks():
        # a pair of user and item is a column of its own, so that no sum mixes users
        key, local = np.unique(block.user * items + block.item, return_inverse=True)
        owner, item = key // items, key % items
        own = sparse.csr_array(
            (np.ones(len(local)), (np.arange(len(local)), local)), shape=(len(local), len(key))
        )
        value = sparse.diags_array(block.values, format="csr")
        left = sparse.csr_array((len(key), len(key)))
        right = sparse.csr_array((len(key), len(key)))
        for factor, reverse in ((1.0, False), (transition.reverse, True)):
            if factor:
                X = block.rows(transition.window, reverse) @ own * factor
                weighed = (X.T @ value).tocsr()
                left, right = left + weighed @ X, right + weighed @ own
        left, right = sparse.triu(left).tocoo(), right.tocoo()
        cells = np.concatenate([left.data * settings.balance, right.data])
        owners = owner[np.concatenate([left.row, right.row])]
        found = clip_users(cells, owners, settings.clip, units)
        n = left.nnz
        for total, part, of in ((G, left, found[:n]), (C, right, found[n:])):
            place = item[part.row], item[part.col]
            total += sparse.coo_array((of, place), shape=total.shape).toarray()
    return G, C


def projected_sums(
    acts: Contributions,
    F: Floats,
    transition: TransitionSettings,
    settings: PrivacySettings,
    units: int,
) -> tuple[Ints, Ints]:
    """As ``whole_sums`` where items are rows of a public F (N, d) on the grid: both (d, d).

    Inputs are brought to the grid too, so the products of a user's rows are exact, and no layout
    in memory, which depends on other users, can move a bit of them.

    Raises ConfigError where the settings allow sums beyond what is exact.
    """
    d, ages = F.shape[1], np.arange(transition.window)
    reach = np.abs(F).max(initial=0) * (acts.weight.max() * acts.decay.max() ** ages).sum()
    most = 2 * settings.events * acts.value.max() * max(reach, 1.0) ** 2
    if most * GRID**2 * 2**TARGET_BITS >= EXACT:
        raise ConfigError(
            "expected settings whose sums are exact in float64, received "
            f"a window of {transition.window}, decays of up to {acts.decay.max():g}, weights of up "
            f"to {acts.weight.max():g} and {settings.events} events a user; lower one of them"
        )
    upper: NDArray[np.bool_] = np.triu(np.ones((d, d), bool))
    G, C = np.zeros((2, d, d), np.int64)
    for block in acts.blocks():
        y, sides = F[block.item], []
        for factor, reverse in ((1.0, False), (transition.reverse, True)):
            if factor:
                x = factor * (block.rows(transition.window, reverse) @ y)
                sides.append(np.rint(x * GRID) / GRID)
        ends = np.searchsorted(block.user, np.arange(block.users + 1))
        values = block.values[:, None]
        for start, stop in pairwise(ends):
            left, right = np.zeros((2, d, d))
            for x in sides:
                weighed = (x[start:stop] * values[start:stop]).T
                left += weighed @ x[start:stop]
                right += weighed @ y[start:stop]
            cells = np.concatenate([left[upper] * settings.balance, right.ravel()])
            whole = clip_users(cells, np.zeros(len(cells), np.int64), settings.clip, units)
            G[upper] += whole[: -d * d]
            C += whole[-d * d :].reshape(d, d)
    return G, C
