"""What users set for their interests: mute, boost; lists follow without training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Histories
from penchant.errors import ConfigError
from penchant.models.base import Recommender
from penchant.recommendation.interests.clusters import Interests
from penchant.storage.json_records import JsonRecord
from penchant.types import Floats

_OVERLAP = 0.5  # of the items of the smaller: what makes two interests the same


@dataclass(frozen=True)
class Control(JsonRecord):
    """A user's setting for an interest: ``factor`` 0 mutes it, above 1 boosts it.

    ``items`` are those that it held then, by which it is recognized when it has grown.
    """

    id: str
    factor: float
    items: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.factor <= 100:
            raise ConfigError(
                f"interest {self.id}: expected a factor from 0 (mute) to 100, received "
                f"{self.factor}"
            )


class ControlledScores(NamedTuple):
    """Scores of all items, (N,), and which of them a muted interest hides, (N,)."""

    scores: Floats
    hidden: NDArray[np.bool_]


def match_controls(interests: Interests, controls: Sequence[Control]) -> Interests:
    """The interests with the ids and factors of the controls that they match.

    An interest is that of a control where they share half of the items of the smaller of both;
    of several the one that shares most. Each control is of one interest at most.
    """
    clusters = list(interests.clusters)
    taken: set[int] = set()
    for control in controls:
        before = set(control.items)
        shared = [len(before.intersection(interest.items)) for interest in clusters]
        least = [min(len(before), len(interest.items)) for interest in clusters]
        fit = [
            place
            for place in range(len(clusters))
            if place not in taken and shared[place] >= max(1, _OVERLAP * least[place])
        ]
        if fit:
            best = max(fit, key=lambda place: (shared[place], -place))
            taken.add(best)
            clusters[best] = replace(clusters[best], id=control.id, factor=control.factor)
    return replace(interests, clusters=tuple(clusters))


def set_control(
    interests: Interests, controls: Sequence[Control], interest: str, factor: float
) -> tuple[Control, ...]:
    """The controls of a user with one set anew; a factor of 1 removes it.

    Raises ConfigError for an interest that the user does not have.
    """
    items = interests.by_id(interest).items
    others = tuple(control for control in controls if control.id != interest)
    return others if factor == 1 else (*others, Control(interest, factor, items))


def apply_controls(
    recommender: Recommender, history: Histories, interests: Interests
) -> ControlledScores:
    """Scores of one history under its user's controls.

    The events of a muted interest are taken out of the history, and items that belong mostly to it
    are hidden. A boost by f multiplies an item's odds by f to the power of the share in which it
    belongs to that interest: log(f) share is added to a logit, and a score of the transition
    expert, which is in units of its target, is multiplied.
    """
    unmuted = np.ones(len(history.events), bool)
    for interest in interests.clusters:
        if interest.factor == 0:
            unmuted[interest.rows] = False
    scores = np.full(len(interests.space.vectors), -np.inf)
    if unmuted.any():
        scores = recommender.score(history.keep(unmuted))[0].astype(np.float64)
    shares = interests.shares(np.arange(len(scores)))
    factors = np.array([interest.factor for interest in interests.clusters])
    gain = shares @ np.log(np.where(factors > 0, factors, 1.0))
    if recommender.logits:
        scores = scores + gain
    else:
        scores = np.where(scores > 0, scores * np.exp(gain), scores)
    return ControlledScores(scores, shares[:, factors == 0].sum(axis=1) > 0.5)
