"""Metrics written outside: what they read, and how they are found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from penchant.config.plugins import entry_points, find, name_of
from penchant.data.dataset import Catalogue
from penchant.data.splitting.cases import Cases
from penchant.errors import ConfigError, unknown
from penchant.types import Floats, Ints


@dataclass(frozen=True)
class RankedCases:
    """What a metric reads: the lists of all cases, and where their true items stood.

    cases       the histories, and the domain and behavior that each asks for
    catalogue   of the N items that were ranked
    truth       the true items of all cases, each once in its case, (T,)
    indptr      case b has truth[indptr[b]:indptr[b + 1]], (B + 1,)
    ranks       of each true item among what could be listed, from 1; inf without a score, (T,)
    lists       the k best items of each case, -1 where there are fewer, (B, k)
    popularity  events of each item, (N,); None where they were not given
    """

    cases: Cases
    catalogue: Catalogue
    truth: Ints
    indptr: Ints
    ranks: Floats
    lists: Ints
    popularity: Ints | None = None

    @property
    def k(self) -> int:
        """The length of the lists."""
        return int(self.lists.shape[1])


Metric = Callable[[RankedCases], Floats]
"""A value for each case, (B,) float64; NaN where it has none, which leaves the case out."""


def outside_metrics(metrics: Sequence[str | Metric], built_in: Sequence[str]) -> dict[str, Metric]:
    """The metrics among some that are not built in, by name.

    A callable is named as it is in Python; a name is an entry point of ``penchant.metrics`` or
    "package.module:Name". Raises ConfigError for a name that is not known.
    """
    custom: dict[str, Metric] = {}
    for metric in metrics:
        if callable(metric):
            custom[getattr(metric, "__name__", name_of(metric))] = metric
        elif metric not in built_in:
            loaded = find("penchant.metrics", metric)
            if not callable(loaded):
                known = [*built_in, *entry_points("penchant.metrics")]
                raise unknown("metric", metric, known)
            custom[metric] = loaded
    return custom


def measured_by(metric: Metric, name: str, ranked: RankedCases) -> Floats:
    """The values of a metric, (B,); ConfigError where it gives something else."""
    values = np.asarray(metric(ranked), np.float64)
    if values.shape != (len(ranked.lists),):
        raise ConfigError(
            f"metric {name}: expected a value for each of {len(ranked.lists)} cases, received an "
            f"array of shape {values.shape}"
        )
    return values
