"""Exact additive sums of histories and their next events, for the transition expert.

Each target event gives a row (x, y): x holds the decayed weights of the events before it, or, for
a reverse row, of those after it. The sums are G = sum v x x' (P x P) and C = sum v x y' (P x N).
Where domains have no order in common, "before" is within the target's domain, and a forward row
also holds all events of the user's other domains, without decay.
Weights are rounded to a grid and summed as integers, so addition is associative: any partition,
order, update or deletion gives the same bits.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import TransitionSettings
from penchant.data.dataset import Catalogue, Events
from penchant.errors import DataError
from penchant.models.transition import exact_sums
from penchant.models.transition.exact_sums import EXACT, Accumulator, Sums, stacked
from penchant.models.transition.side_information import OPENINGS, SideInformation
from penchant.models.transition.unordered_statistics import (
    cross_domain_sums,
    set_sums,
    side_information_sums,
)
from penchant.types import Floats, Ints, TimeKind

WEIGHT_BITS = 12  # weights in a history are multiples of 2^-12
TARGET_BITS = 6  # weights of a target are multiples of 2^-6
G_UNIT = 2.0 ** -(2 * WEIGHT_BITS + TARGET_BITS)
C_UNIT = 2.0 ** -(WEIGHT_BITS + TARGET_BITS)
SUMMED = frozenset(
    {"decay", "decays", "window", "behavior_weights", "targets", "other_behavior_weight"}
    | {"cross_domain_weight", "short_history_weight", "attributes", "friends", "recent"}
)
_BLOCK = 1 << 16  # events in one block of pairs


@dataclass(frozen=True)
class Predictors:
    """What can stand in a history: N items, T tokens, each item under a negative behavior.

    Rows 0..N-1 are the items, N..N+T-1 the tokens; then N rows for each negative behavior; then
    the classes of a history's length, and last the attributes of users.
    """

    items: int
    tokens: int
    negative: tuple[int, ...]
    attributes: int = 0

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Predictors":
        negative = tuple(i for i, b in enumerate(catalogue.behaviors) if b.polarity < 0)
        attributes = len(catalogue.attributes)
        return cls(len(catalogue.items), len(catalogue.tokens), negative, attributes)

    def __len__(self) -> int:
        return self.side_offset + len(OPENINGS) + 1 + self.attributes

    @property
    def side_offset(self) -> int:
        """The row of the first of what stands beside a history."""
        return self.items * (1 + len(self.negative)) + self.tokens

    def rows(self, events: Events) -> Ints:
        """Predictor row of each event, (E,)."""
        rows = np.where(events.item >= 0, events.item, self.items + events.token)
        for place, behavior in enumerate(self.negative):
            hit = (events.behavior == behavior) & (events.item >= 0)
            rows[hit] += self.items * (1 + place) + self.tokens
        return rows

    def targets(self, events: Events) -> NDArray[np.bool_]:
        """Which events can be a target: about an item, and not negative."""
        return (events.item >= 0) & ~np.isin(events.behavior, self.negative)


@dataclass(frozen=True)
class Statistics:
    """The sums of the forward rows, and of the reverse rows before their weight.

    ``+`` and ``-`` add and take away what other events contribute, exactly.
    """

    forward: Sums
    backward: Sums

    @classmethod
    def zero(cls, predictors: int, items: int) -> "Statistics":
        return cls(Sums.zero(predictors, items), Sums.zero(predictors, items))

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(self.forward + other.forward, self.backward + other.backward)

    def __sub__(self, other: "Statistics") -> "Statistics":
        return Statistics(self.forward - other.forward, self.backward - other.backward)

    def gram(self, reverse: float, ridge: float = 0.0) -> sparse.csr_array:
        """G + ridge I, whole, (P, P) float64, in units of one event.

        A reverse row is (reverse x', y), so its square has weight reverse^2.
        """
        half = self.forward.G.astype(np.float64) * G_UNIT
        if reverse:
            half = half + self.backward.G.astype(np.float64) * (reverse**2 * G_UNIT)
        both = half + half.T.tocsr()
        return (both + sparse.diags_array(ridge - half.diagonal(), format="csr")).tocsr()

    def cross(self, reverse: float) -> sparse.csr_array:
        """C, float64, in units of one event."""
        forward = self.forward.C.astype(np.float64) * C_UNIT
        if not reverse:
            return forward
        return (forward + self.backward.C.astype(np.float64) * (reverse * C_UNIT)).tocsr()

    def reindex(self, rows: Ints, predictors: int, items: int) -> "Statistics":
        """The same sums over a larger catalogue; see ``Sums.reindex``."""
        return Statistics(
            self.forward.reindex(rows, predictors, items),
            self.backward.reindex(rows, predictors, items),
        )

    def only(self, predictors: NDArray[np.bool_]) -> "Statistics":
        """The same sums of some predictors, (P,); the others have no part in any."""
        forward, backward = (
            Sums(exact_sums.G[predictors][:, predictors], exact_sums.C[predictors])
            for exact_sums in (self.forward, self.backward)
        )
        return Statistics(forward, backward)


def statistics(
    events: Events,
    catalogue: Catalogue,
    settings: TransitionSettings,
    time: TimeKind,
    target: str | None = None,
    side_information: SideInformation | None = None,
) -> Statistics:
    """Sum the forward and reverse rows of all histories, in exact integers.

    Parameters
    ----------
    events
        The events (E,) of whole users, sorted.
    settings
        Only those that SUMMED names have a part in the sums.
    time
        The meaning of time; where it is "none", a history is a set.
    target
        The behavior that is predicted: ``settings.other_behavior_weight`` is for the targets of
        all others.
    side_information
        What stands beside each user's history; a forward row holds it too.

    Returns
    -------
    Statistics
        Of both directions, G = X'X (P, P) and C = X'Y (P, N).

    Raises
    ------
    DataError
        Where a weight would leave the exact range.
    """
    predictors = Predictors.of(catalogue)
    weight = grid(catalogue, settings.behavior_weights, WEIGHT_BITS)[events.behavior]
    value = target_weights(catalogue, settings, target)[events.behavior]
    value[~predictors.targets(events)] = 0
    p = predictors.rows(events)
    shape = len(predictors), predictors.items
    first = predictors.side_offset
    if time == "none":
        users = np.unique(events.user)
        own = sparse.csr_array((len(users), shape[0]), dtype=np.int64)
        if side_information is not None:
            owned = np.bincount(np.searchsorted(users, events.user), minlength=len(users))
            now = np.zeros_like(users)
            own = side_information.rows(users, now, owned, settings, first, shape[0])
        return Statistics(
            set_sums(events.user, p, weight, value, shape, own, 1 << TARGET_BITS), Sums.zero(*shape)
        )
    decay = decays(catalogue, settings)[events.behavior]
    levels, level = np.unique(np.stack([weight, decay]), axis=1, return_inverse=True)
    table = np.rint(levels[0, :, None] * levels[1, :, None] ** np.arange(settings.window))
    columns = events.user, p, events.item, level.ravel().astype(np.int64), value
    table = table.astype(np.int64)
    beside = Sums.zero(*shape)
    if catalogue.domains_unordered(time):
        unit = events.user * (len(catalogue.domains) + 1) + events.domain + 1
        order = np.argsort(unit, kind="stable")
        columns = unit[order], p[order], events.item[order], columns[3][order], value[order]
        other = np.rint(weight * settings.cross_domain_weight).astype(np.int64)[order]
        beside = cross_domain_sums(*columns, table, events.user[order], other, shape)

    def summed(order: slice) -> Sums:
        user, p, item, level, value = (column[order] for column in columns)
        return _rows(user, p, item, level, value, table, shape)

    with ThreadPoolExecutor(2) as pool:  # a reverse row is a row of the history read backwards
        forward, backward = pool.map(summed, (slice(None), slice(None, None, -1)))
    if side_information is not None and side_information.counts(settings):
        acts = events.user, p, events.item, level.ravel().astype(np.int64), value, events.time
        rows = partial(side_information.rows, settings=settings, first=first)
        for gained in side_information_sums(*acts, table, shape, rows):
            beside = beside + gained
    return Statistics(forward + beside if beside.C.nnz else forward, backward)


def grid(catalogue: Catalogue, weights: dict[str, float], bits: int) -> Ints:
    """Weight of each behavior in units of 2^-bits, (A,); unknown names are an error."""
    for name in weights:
        catalogue.behavior(name)
    real = [weights.get(b.name, b.strength) for b in catalogue.behaviors]
    units: Ints = np.rint(np.array(real) * 2**bits).astype(np.int64)
    return units


def decays(catalogue: Catalogue, settings: TransitionSettings) -> Floats:
    """Decay of each behavior's events, (A,); unknown names are an error."""
    for name in settings.decays:
        catalogue.behavior(name)
    return np.array([settings.decays.get(b.name, settings.decay) for b in catalogue.behaviors])


def target_weights(catalogue: Catalogue, settings: TransitionSettings, target: str | None) -> Ints:
    """Weight of each behavior's events as targets in units of 2^-6, (A,)."""
    weights = grid(catalogue, settings.targets, TARGET_BITS)
    if target is not None:
        other = np.arange(len(weights)) != catalogue.behavior(target)
        weights[other] = np.rint(weights[other] * settings.other_behavior_weight).astype(np.int64)
    return weights


def _rows(
    user: Ints, p: Ints, item: Ints, level: Ints, value: Ints, table: Ints, shape: tuple[int, int]
) -> Sums:
    """Sums of the rows of ordered histories.

    table[l, a - 1] is the weight of an event of level l at age a. With e the later event of a
    pair and e - g the earlier one, the pair meets in the rows of the targets at e + a, so G gains
    sum_a value[e + a] table[level[e], a] table[level[e - g], a + g] for each gap g: one product
    of a (block x ages) with an (ages x gaps) matrix for each level, exact in float64.
    """
    window = table.shape[1]
    if float(table.max(initial=0)) ** 2 * float(value.max(initial=0)) * window >= EXACT:
        raise DataError(
            "expected behavior weights whose sums are exact; received weights of up to "
            f"{table.max() / 2**WEIGHT_BITS:g} in histories and "
            f"{value.max() / 2**TARGET_BITS:g} as targets; scale them down"
        )
    gaps = np.zeros((len(table), window, window))
    for g in range(window):
        gaps[:, : window - g, g] = table[:, g:]
    starts = np.flatnonzero(np.diff(user, prepend=user[:1] - 1))
    lengths = np.diff(starts, append=len(user))
    first = np.repeat(starts, lengths)
    last = first + np.repeat(lengths, lengths)
    target = np.maximum(item, 0)  # an event about a token is worth 0
    order = np.argsort(p, kind="stable")  # row after row of the sums, each in one block alone
    G, C = [], []
    for rows, chunks in _blocks(p[order], shape, window):
        sums_g, sums_c = Accumulator(rows, shape[0]), Accumulator(rows, shape[1])
        for chunk in chunks:
            e = order[chunk, None]
            later = e + 1 + np.arange(window)
            inside = later < last[e]
            later = np.where(inside, later, 0)
            ahead = np.where(inside, value[later], 0)  # (chunk, ages)
            reach = ahead * table[level[e[:, 0]]]
            sums_c.add(p[e], target[later], reach)
            earlier = e - np.arange(window)
            inside = earlier >= first[e]
            earlier = np.where(inside, earlier, 0)
            met = np.zeros(later.shape)
            for place, weights in enumerate(gaps):
                of_level = inside & (level[earlier] == place) if len(gaps) > 1 else inside
                met = np.where(of_level, reach.astype(np.float64) @ weights, met)
            met[:, 1:] *= 1 + (p[earlier] == p[e])[:, 1:]  # x_p^2 holds a pair of equals twice
            sums_g.add(p[e], p[earlier], met.astype(np.int64))
        G.append(sums_g.total())
        C.append(sums_c.total())
    return Sums(stacked(G, shape[0]), stacked(C, shape[1]))


def _blocks(
    p: Ints, shape: tuple[int, int], window: int
) -> Iterator[tuple[range, Iterator[slice]]]:
    """Ranges of rows that cover all P, and the chunks of the sorted events ``p`` in each.

    A range has up to 2^16 events and 2^22 cells, or one row; a chunk has up to 2^16 events.
    """
    begin = np.searchsorted(p, np.arange(shape[0] + 1))
    dense = len(p) * window * 4 >= shape[0] * shape[1]
    most = max(1, exact_sums.CELLS // max(1, shape[0])) if dense else shape[0]
    row = 0
    while row < shape[0]:
        stop = int(np.searchsorted(begin, begin[row] + _BLOCK, "right")) - 1
        stop = min(max(stop, row + 1), row + most, shape[0])
        yield (
            range(row, stop),
            (
                slice(at, min(at + _BLOCK, int(begin[stop])))
                for at in range(int(begin[row]), int(begin[stop]), _BLOCK)
            ),
        )
        row = stop
