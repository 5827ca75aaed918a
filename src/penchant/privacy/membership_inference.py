"""Membership inference: can the losses of a model tell whom it was fitted on?

Two attacks on users' own histories. By threshold: who was fitted on has the lower loss. By shadows
(Carlini et al. 2022, with one variance for all, as they advise where shadows are few): how much
likelier a loss is among shadow models that were fitted on the user than among those that were not.
The shadows share the events of everybody else with the model, and its settings: this attacker knows
all but who is a member, which is the worst case.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from penchant.data.arrays import blocks, ranges
from penchant.data.dataset import Dataset, Histories
from penchant.errors import DataError
from penchant.models.base import Recommender
from penchant.types import Floats, Ints, Progress

WEAK = 0.60
"""AUC before forgetting below which an attack cannot tell whether forgetting helps."""

FEWEST = 4  # target events of whoever is attacked
_FLOOR = 1e-4  # share of an item that a regression gives nothing
_CASES = 20  # latest events of each user that are asked for
_DRAWS = 1000

FitFunction = Callable[[Dataset], Recommender]


@dataclass(frozen=True)
class AttackGroups:
    """Rows of users: ``members`` are fitted on, ``others`` are not; and the data without others."""

    members: Ints
    others: Ints
    data: Dataset


def sample_groups(dataset: Dataset, each: int = 500, seed: int = 0) -> AttackGroups:
    """Members and others, ``each`` of them, by chance among users of at least 4 target events.

    Raises DataError where there are fewer users than that.
    """
    target = dataset.events.behavior == dataset.catalogue.behavior(dataset.target)
    events = dataset.events.user[target & (dataset.events.item >= 0)]
    able = np.flatnonzero(np.bincount(events, minlength=len(dataset.users)) >= FEWEST)
    if len(able) < 2 * each:
        raise DataError(
            f"expected {2 * each} users of at least {FEWEST} events of {dataset.target!r}, "
            f"received {len(able)}; ask for fewer"
        )
    chosen = np.random.default_rng(seed).permutation(able)[: 2 * each]
    members, others = np.sort(chosen[:each]), np.sort(chosen[each:])
    return AttackGroups(members, others, without_events_of(dataset, others))


def without_events_of(dataset: Dataset, users: Ints) -> Dataset:
    """The dataset, its users and catalogue as they are, without the events of some users."""
    return dataset.with_events(dataset.events.take(~np.isin(dataset.events.user, users)))


def losses(model: Recommender, dataset: Dataset, users: Ints) -> Floats:
    """Mean loss of each user's latest target events, each after all that came before, (users,).

    A deep expert or a fusion has the loss of its softmax; a regression's scores are no logits:
    there it is -log of the item's share of the positive scores. Nobody is asked by name, so what
    stands beside a history tells nothing.
    """
    events = dataset.events.sorted()
    start = events.indptr(len(dataset.users))
    right = (events.behavior == dataset.catalogue.behavior(dataset.target)) & (events.item >= 0)
    places = [
        np.flatnonzero(right[start[user] + 1 : start[user + 1]])[-_CASES:] + start[user] + 1
        for user in users
    ]
    owner = np.repeat(np.arange(len(users)), [len(one) for one in places])
    place = np.concatenate(places)
    first = start[users][owner]
    loss = np.zeros(len(place))
    for part in blocks(len(place), max(1, (1 << 22) // len(dataset.catalogue))):
        begin, end = first[part], place[part]
        size = end - begin
        indptr = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
        nobody = np.full(len(size), -1)
        history = Histories(nobody, indptr, events.take(ranges(begin, size)))
        scores = np.asarray(model.score(history), np.float64)
        truth = events.item[end]
        loss[part] = _softmax(scores, truth) if model.logits else _share(scores, truth)
    count = np.bincount(owner, minlength=len(users))
    return np.bincount(owner, loss, len(users)) / np.maximum(count, 1)


def _softmax(scores: Floats, truth: Ints) -> Floats:
    scores = np.maximum(scores, np.finfo(np.float64).min / 2)
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    loss: Floats = np.minimum(total - scores[np.arange(len(truth)), truth], -np.log(_FLOOR) * 4)
    return loss


def _share(scores: Floats, truth: Ints) -> Floats:
    positive = np.maximum(scores, 0.0)
    share = positive[np.arange(len(truth)), truth] / np.maximum(positive.sum(axis=1), 1e-300)
    loss: Floats = -np.log(share + _FLOOR)
    return loss


@dataclass(frozen=True)
class Shadows:
    """Losses of users under models of which each was fitted on a random half of them.

    loss    (models, users)
    inside  which of the users a model was fitted on, (models, users)
    """

    loss: Floats
    inside: Any

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        users: Ints,
        fitted: FitFunction,
        models: int = 8,
        seed: int = 0,
        progress: Progress = lambda text: None,
    ) -> "Shadows":
        """Fit an even number of them: each user is in half, the other half is its complement."""
        rng = np.random.default_rng(seed)
        found: list[Floats] = []
        inside = []
        for _ in range(max(1, models // 2)):
            half = np.zeros(len(users), bool)
            half[rng.permutation(len(users))[: len(users) // 2]] = True
            for kept in (half, ~half):
                progress(f"shadow {len(found) + 1} of {2 * max(1, models // 2)}")
                shadow = fitted(without_events_of(dataset, users[~kept]))
                found.append(losses(shadow, dataset, users))
                inside.append(kept)
        return cls(np.array(found), np.array(inside))

    def ratio(self, loss: Floats) -> Floats:
        """Log likelihood ratio of losses (users,); what is above 0 speaks for a member."""
        inner = np.where(self.inside, self.loss, np.nan)
        outer = np.where(self.inside, np.nan, self.loss)
        means = np.nanmean(inner, axis=0), np.nanmean(outer, axis=0)
        deviation = [
            max(float(np.sqrt(np.nanmean((of - mean) ** 2))), 1e-9)
            for of, mean in zip((inner, outer), means, strict=True)
        ]
        logs = [
            -(((loss - mean) / s) ** 2) / 2 - np.log(s)
            for mean, s in zip(means, deviation, strict=True)
        ]
        return np.asarray(logs[0] - logs[1])


def auc(members: Floats, others: Floats) -> float:
    """How often a member's score is above another's; equal ones count half.

    >>> auc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    both = np.concatenate([members, others])
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    below = rank[place[: len(members)]].sum() - len(members) * (len(members) + 1) / 2
    return float(below / (len(members) * len(others)))


def interval(members: Floats, others: Floats, seed: int = 0) -> dict[str, float]:
    """An AUC with its 95 % interval by 1,000 bootstrap draws of members and of others."""
    rng = np.random.default_rng(seed)
    drawn_ = [
        auc(rng.choice(members, len(members)), rng.choice(others, len(others)))
        for _ in range(_DRAWS)
    ]
    low, high = np.quantile(drawn_, [0.025, 0.975])
    return {"value": auc(members, others), "low": float(low), "high": float(high)}


def verdict(before: float, after: dict[str, float]) -> str:
    """What an attack says of forgetting, in words.

    >>> verdict(0.55, {"value": 0.5, "low": 0.46, "high": 0.54})
    'too weak to tell'
    """
    if before < WEAK:
        return "too weak to tell"
    if after["low"] <= 0.5 <= after["high"]:
        return "revealed members before, reveals none after"
    return "still tells members after" if after["low"] > 0.5 else "tells the forgotten by absence"


def attack(
    groups: AttackGroups,
    dataset: Dataset,
    before: Recommender,
    after: Recommender,
    shadows: Shadows | None = None,
    seed: int = 0,
) -> dict[str, object]:
    """Both attacks on a model before and after its members were forgotten, as JSON types.

    ``dataset`` holds the histories of members and others; the shadows are of the members, then the
    others.
    """
    users = np.concatenate([groups.members, groups.others])
    split = len(groups.members)
    loss = {"before": losses(before, dataset, users), "after": losses(after, dataset, users)}
    scores: dict[str, dict[str, Floats]] = {"threshold": {when: -of for when, of in loss.items()}}
    if shadows is not None:
        scores["shadow"] = {when: shadows.ratio(of) for when, of in loss.items()}
    report: dict[str, object] = {"members": split, "others": len(users) - split}
    for name, of in scores.items():
        areas = {when: interval(s[:split], s[split:], seed) for when, s in of.items()}
        outcome = verdict(areas["before"]["value"], areas["after"])
        report[name] = {"auc": areas, "verdict": outcome}
    return report
