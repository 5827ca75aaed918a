"""Popularity: the same scores for everyone, over all time or with a half-life."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from penchant.config import Settings
from penchant.data.dataset import Dataset, Histories
from penchant.errors import ConfigError
from penchant.models.base import Family, Recommender
from penchant.models.baselines.interactions import strengths
from penchant.types import Arrays, Floats, Scores

DAY = 86_400_000  # milliseconds


class PopularitySettings(Settings):
    """Nothing can be set: the events of the target behavior are counted."""


class RecentSettings(Settings):
    """Popularity that fades.

    Parameters
    ----------
    half_life
        Days after which an event counts half, back from the last training event.
    """

    half_life: Annotated[float, Field(gt=0, le=36_500)] = 30.0


@dataclass(frozen=True)
class Popular(Recommender):
    """Scores every history alike.

    Parameters
    ----------
    popularity
        Weight of each item's events, (N,) float64; -inf for an item without any.
    """

    name: str
    settings: Settings
    popularity: Floats

    def score(self, histories: Histories) -> Scores:
        return np.tile(self.popularity, (len(histories), 1))

    def arrays(self) -> Arrays:
        return {"popularity": self.popularity}


def counted(dataset: Dataset, factor: Floats | float = 1.0) -> Floats:
    """Summed strength of each item's events of the target, times a factor (E,); (N,) float64.

    All positive behaviors count where the target has no event; an item without any has -inf.

    >>> from penchant.data.io.from_columns import from_columns
    >>> data = from_columns(["u", "v", "v"], ["a", "a", "b"], ["view", "view", "hide"])
    >>> counted(data).tolist()
    [2.0, -inf]
    """
    events, N = dataset.events, len(dataset.catalogue)
    weight = strengths(dataset.catalogue)[events.behavior] * (events.item >= 0)
    target = weight * (events.behavior == dataset.catalogue.behavior(dataset.target))
    weight = target if target.any() else weight
    touched, item = weight > 0, events.item[weight > 0]
    total = np.bincount(item, (weight * factor)[touched], N)
    return np.where(np.bincount(item, minlength=N) > 0, total, -np.inf)


def fit_popularity(dataset: Dataset, seed: int = 0) -> Callable[[PopularitySettings], Popular]:
    """Count the target's events; no chance enters."""
    popularity = counted(dataset)
    return lambda settings: Popular("popularity", settings, popularity)


def fit_recent(dataset: Dataset, seed: int = 0) -> Callable[[RecentSettings], Popular]:
    """Count the target's events, each times 2^(-age / half-life); no chance enters.

    Raises ConfigError where the dataset's time is no clock.
    """
    if dataset.time != "clock":
        raise ConfigError(
            f"recent popularity has a half-life in days: expected a dataset whose time is a clock, "
            f"received {dataset.name!r} with time {dataset.time!r}; use popularity instead"
        )
    time = dataset.events.time
    age = (time.max(initial=0) - time) / DAY
    return lambda settings: Popular(
        "recent", settings, counted(dataset, 0.5 ** (age / settings.half_life))
    )


POPULARITY = Family(
    "popularity",
    PopularitySettings,
    {},
    fit_popularity,
    lambda arrays, dataset, settings: Popular("popularity", settings, arrays["popularity"]),
)
RECENT = Family(
    "recent",
    RecentSettings,
    {"half_life": (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0)},
    fit_recent,
    lambda arrays, dataset, settings: Popular("recent", settings, arrays["popularity"]),
)
