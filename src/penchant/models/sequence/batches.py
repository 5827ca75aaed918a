"""Windows of histories, in batches of one length each: padding is never made or computed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Catalogue, Events
from penchant.types import Ints, TimeKind

GAPS = 32
"""Classes of the time between two events: 0 for none, then one for each doubling of a second."""


@dataclass(frozen=True)
class Inputs:
    """What the network reads of E events, each (E,) int64.

    Parameters
    ----------
    thing
        Row of the item, or N + the row of the token.
    behavior, domain
        Rows; domain has 0 for unknown, so it is one more.
    gap
        Class of the time since the user's event before.
    """

    thing: Ints
    behavior: Ints
    domain: Ints
    gap: Ints

    @classmethod
    def of(cls, events: Events, owner: Ints, catalogue: Catalogue, time: TimeKind) -> "Inputs":
        """Of events in order; ``owner`` (E,) numbers the history that each belongs to."""
        thing = np.where(events.item >= 0, events.item, len(catalogue) + events.token)
        gap = np.zeros(len(events), np.int64)
        if time == "clock" and len(events):
            same = np.diff(owner, prepend=owner[0] - 1) == 0
            gap = np.where(same, _gaps(np.diff(events.time, prepend=events.time[:1])), 0)
        return cls(thing, events.behavior, events.domain + 1, gap)

    @classmethod
    def latest(cls, events: Events, count: int, catalogue: Catalogue, time: TimeKind) -> "Inputs":
        """Of the latest of one history's events."""
        item = events.item[-count:]
        thing = np.where(item >= 0, item, len(catalogue) + events.token[-count:])
        gap = np.zeros(len(item), np.int64)
        if time == "clock":
            since = _gaps(np.diff(events.time[-count - 1 :]))
            gap[len(gap) - len(since) :] = since
        return cls(thing, events.behavior[-count:], events.domain[-count:] + 1, gap)

    def take(self, index: NDArray[np.int64]) -> "Inputs":
        """The inputs at an index of any shape."""
        return Inputs(self.thing[index], self.behavior[index], self.domain[index], self.gap[index])


def _gaps(since: Ints) -> Ints:
    """The class of each time in ms between an event and the one before."""
    seconds = np.maximum(since, 0) // 1000
    return np.minimum(1 + np.frexp(seconds.astype(float))[1], GAPS - 1).astype(np.int64)


def windows(indptr: Ints, length: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Start and length of windows that cover each history, each within ``length`` + 1 events.

    A window of n + 1 events has n inputs and the n events after them as targets, so neighbors
    share one event. A history longer than that is cut at a random place, anew in each epoch.
    """
    starts, sizes = [], []
    for first, last in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True):
        targets = last - first - 1
        if targets < 1:
            continue
        cut = first
        if targets > length:
            head = int(rng.integers(1, length + 1))
            starts.append(cut)
            sizes.append(head)
            cut += head
        while cut < last - 1:
            size = min(length, last - 1 - cut)
            starts.append(cut)
            sizes.append(size)
            cut += size
    return np.array(starts, np.int64), np.array(sizes, np.int64)


def batches(
    starts: Ints, sizes: Ints, events: int, rng: np.random.Generator
) -> Iterator[tuple[Ints, int]]:
    """Batches of (starts, size) of at most ``events`` events, each of one size, in random order.

    >>> rng = np.random.default_rng(0)
    >>> found = batches(np.array([0, 4, 8, 20]), np.array([3, 3, 2, 3]), 6, rng)
    >>> sorted((len(starts), size) for starts, size in found)
    [(1, 2), (1, 3), (2, 3)]
    """
    order = rng.permutation(len(starts))
    order = order[np.argsort(sizes[order], kind="stable")]
    parts = []
    for same in np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1):
        if len(same):
            count = max(1, events // int(sizes[same[0]]))
            parts += [same[place : place + count] for place in range(0, len(same), count)]
    for place in rng.permutation(len(parts)):
        yield starts[parts[place]], int(sizes[parts[place][0]])
