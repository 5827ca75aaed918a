"""Whether what is cited matters: the score's fall without it, beside that without another event."""

from dataclasses import dataclass

import numpy as np

from penchant.data.hashing import hashes, uniform
from penchant.evaluation.metrics import Interval
from penchant.recommendation.explain.contributions import Past
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.ranking import named_items, rank
from penchant.recommendation.request import ListRequest
from penchant.storage.json_records import JsonRecord
from penchant.types import Floats

FEWEST = 10
"""Events from which on a user is asked."""

_CITED = 3
_DRAWS = 1000


@dataclass(frozen=True)
class Fidelity(JsonRecord):
    """Median falls of the score of ``users``' first items, with 95 % intervals over users.

    cited, uncited  without the event that is cited first, and without one that is not cited
    ratio           of the two; a bound without end is NaN
    """

    users: int
    cited: Interval
    uncited: Interval
    ratio: Interval


def fidelity(model: FittedModel, users: int = 300, seed: int = 0) -> Fidelity:
    """How far the score of a user's first item falls without the event that is cited first.

    Deleted is one event, its ages kept: the one that explains most, and one drawn from those that
    are not among the three cited. The score is the model's own: of a fusion the log-odds. Asked are
    users with 10 events or more, drawn by a hash.
    """
    data = model.dataset
    lengths = np.bincount(data.events.user, minlength=len(data.users))
    able = np.flatnonzero(lengths >= FEWEST)
    place = uniform(hashes("fidelity", [data.users.ids[user] for user in able], seed))
    chosen = able[np.argsort(place, kind="stable")[:users]]
    rng = np.random.default_rng(seed)
    falls = [
        fall
        for user in np.sort(chosen).tolist()
        if (fall := _falls(model, data.users.ids[user], rng)) is not None
    ]
    if not falls:
        return Fidelity(0, *[Interval(np.nan, np.nan, np.nan)] * 3)
    both = np.array(falls)
    draws = rng.integers(0, len(both), (_DRAWS, len(both)))
    medians = np.median(both[draws], axis=1)
    whole = np.median(both, axis=0)
    return Fidelity(
        users=len(both),
        cited=_interval(whole[0], medians[:, 0]),
        uncited=_interval(whole[1], medians[:, 1]),
        ratio=_interval(_ratio(whole[None])[0], _ratio(medians)),
    )


def _falls(model: FittedModel, user: str, rng: np.random.Generator) -> tuple[float, float] | None:
    """The fall without the event cited first, and without one that is not cited."""
    history = model.dataset.history(user)
    best = rank(model, history, ListRequest(k=1, user=user))
    items = named_items(model, best)
    if not items or items[0].source != model.family:
        return None
    item = int(best.items[0, 0])
    past = Past.of(model, history, user)
    own, _ = past.parts(item)
    cited = np.argsort(-own, kind="stable")[:_CITED]
    others = np.setdiff1d(np.arange(len(own)), cited)
    if not len(others) or own[cited[0]] <= 0:
        return None
    places = [cited[0], rng.choice(others)]
    before = model.recommender.score(past.given)[0, item]
    after = [
        float(model.recommender.without_event(past.given, int(place))[0, item]) for place in places
    ]
    return float(before - after[0]), float(before - after[1])


def _ratio(medians: Floats) -> Floats:
    """Cited over uncited, (n,); inf where the second is 0 or less."""
    cited, uncited = medians.T
    safe = np.where(uncited > 0, uncited, 1.0)
    return np.where(uncited > 0, cited / safe, np.inf)


def _interval(value: float, draws: Floats) -> Interval:
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return Interval(*(float(v) if np.isfinite(v) else np.nan for v in (value, low, high)))
