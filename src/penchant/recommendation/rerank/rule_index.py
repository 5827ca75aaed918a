"""What rules need to know of a catalogue, built once for many requests."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from penchant.features.kernels import Rows
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.rerank.filters import Availability, filters, groups, titles, values
from penchant.recommendation.rerank.outside_rerankers import OutsideReranker, outside_reranker
from penchant.recommendation.rerank.similarity import known_rows
from penchant.recommendation.rules import Rules
from penchant.types import Ints, Mask


@dataclass(frozen=True)
class RuleIndex:
    """The items of a model as its rules see them.

    Raises ConfigError for a behavior, column or re-ranker that is not known.
    """

    model: FittedModel
    rules: Rules

    def __post_init__(self) -> None:
        for name in self.rules.repeat:
            self.model.dataset.catalogue.behavior(name)
        _ = self.filters, self.labels, self.codes, self.availability, self.outside_rerankers

    @cached_property
    def filters(self) -> dict[str, Mask]:
        """Which items pass each filter, (N,) each."""
        return filters(self.model.dataset.catalogue, self.rules)

    @cached_property
    def availability(self) -> Availability | None:
        """When each item is available; None where no rule needs it."""
        if self.rules.available_at is None:
            return None
        return Availability(self.model.dataset.catalogue)

    @cached_property
    def labels(self) -> dict[str, Ints]:
        """Numbers of the items by which equal ones are collapsed, (N,) each, by rule."""
        catalogue, rules = self.model.dataset.catalogue, self.rules
        labels = {} if rules.collapse is None else {"collapse": groups(catalogue, rules.collapse)}
        return labels if rules.near is None else labels | {"title": titles(catalogue)}

    @cached_property
    def codes(self) -> Ints:
        """Numbers of the items' values in each capped column, (N, columns); -1 without one."""
        catalogue = self.model.dataset.catalogue
        columns = [values(catalogue, name) for name in self.rules.cap]
        return np.stack(columns, axis=1) if columns else np.zeros((len(catalogue), 0), np.int64)

    @cached_property
    def outside_rerankers(self) -> dict[str, OutsideReranker]:
        """Re-rankers written outside, which order the list last, by name."""
        return {name: outside_reranker(name) for name in self.rules.rerankers}

    @cached_property
    def rows(self) -> list[Rows]:
        """What cosines of items are taken of, (N, D) each."""
        return known_rows(self.model)

    def passing(self, domain: str | None, allowed: Mask | None) -> tuple[dict[str, int], Mask]:
        """How many items each filter keeps out, and which pass all, (N,)."""
        catalogue, rules = self.model.dataset.catalogue, self.rules
        masks = ({} if allowed is None else {"available": allowed}) | self.filters
        domain = rules.domain if domain is None else domain
        if domain is not None:
            masks = {"domain": catalogue.domain == catalogue.domain_row(domain), **masks}
        if self.availability is not None and rules.available_at is not None:
            masks["available_at"] = self.availability.at(rules.available_at)
        passing, removed = np.ones(len(catalogue), bool), {}
        for name, mask in masks.items():
            removed[name] = int(np.count_nonzero(passing & ~mask))
            passing &= mask
        return removed, passing
