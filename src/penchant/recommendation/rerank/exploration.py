"""Exploration: places of the list that are drawn, with the exact probability of what they hold."""

import json
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from penchant.errors import ConfigError
from penchant.recommendation.rerank.diversity import Caps
from penchant.types import Floats


class Drawn(NamedTuple):
    """What a drawn place of the list holds.

    propensity  the probability of this item at this place, given which places are drawn
    candidates  the items that it was drawn from, the best first
    """

    item: int
    propensity: float
    candidates: tuple[int, ...]


def generator(seed: int, user: str | None, request: str) -> np.random.Generator:
    """The draws of one request: the same for the same (seed, user, request), on every machine.

    >>> generator(0, "ann", "1").random() == generator(0, "ann", "1").random()
    True
    """
    # as JSON, no two triples are one text
    named = json.dumps([seed, user, request]).encode()
    return np.random.default_rng(int.from_bytes(blake2b(named, digest_size=16).digest()))


def positions(at: Sequence[int], count: int, k: int, rng: np.random.Generator) -> list[int]:
    """The places of a list of k that are drawn, from 0, ascending; ``at`` gives them from 1.

    Raises ConfigError for more places than the list has, or for one past its end.
    """
    if count > k or max(at, default=0) > k:
        raise ConfigError(
            f"expected places to explore among the {k} of the list, received "
            f"{', '.join(map(str, at)) or count}"
        )
    if at:
        return sorted(place - 1 for place in at)
    return sorted(rng.choice(k, count, replace=False).tolist())


def strata(
    candidates: Iterable[int], slots: int, among: int, caps: Caps | None = None
) -> tuple[list[list[int]], dict[int, str]]:
    """Candidates of each slot, of which it draws one; and those that a cap keeps out, by column.

    Slots share no candidate, so that their draws are independent of each other and each
    probability is exact: candidate j goes to slot j mod ``slots``, the best ones first. A value
    whose cap has room for n more items is spread over no more than n slots, so that no draw can
    break a cap. The candidates end after ``among``, or once no slot is empty where that is later.

    >>> strata(range(9), 2, 5)
    ([[0, 2, 4], [1, 3]], {})
    """
    of_slots: list[list[int]] = [[] for _ in range(slots)]
    holders: dict[tuple[str, int], set[int]] = {}
    capped: dict[int, str] = {}
    for candidate in candidates if slots else ():
        open_to = set(range(slots))
        held = []
        for column, code, room in caps.rooms(candidate) if caps else ():
            slots_of = holders.setdefault((column, code), set())
            held.append(slots_of)
            if len(slots_of) >= room:
                open_to &= slots_of
            if not open_to:
                capped[candidate] = column
                break
        if not open_to:
            continue
        slot = min(open_to, key=lambda slot: (len(of_slots[slot]), slot))
        of_slots[slot].append(candidate)
        for slots_of in held:
            slots_of.add(slot)
        if sum(map(len, of_slots)) >= among and all(of_slots):
            break
    return [of_slot for of_slot in of_slots if of_slot], capped


def draw(
    of_slot: Sequence[int],
    relevance: Floats,
    rng: np.random.Generator,
    temperature: float | None = None,
) -> Drawn:
    """One of a slot's items: each as likely, or by the softmax of relevance / temperature.

    ``relevance`` (N,) is that of all items.

    >>> draw([3, 5], np.ones(6), np.random.default_rng(0)).propensity
    0.5
    """
    z = np.zeros(len(of_slot)) if temperature is None else relevance[list(of_slot)] / temperature
    p = np.exp(z - z.max())
    p /= p.sum()
    chosen = min(int(np.searchsorted(np.cumsum(p), rng.random(), "right")), len(p) - 1)
    return Drawn(of_slot[chosen], float(p[chosen]), tuple(of_slot))
