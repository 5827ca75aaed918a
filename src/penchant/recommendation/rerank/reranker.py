"""From a ranking to a list by rules: filters, seen items, collapse, selection, exploration."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from penchant.data.dataset import Histories
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.ranking import named_items, rank, source_of
from penchant.recommendation.request import ListRequest
from penchant.recommendation.rerank.deduplication import Deduplicator, RankingTooShort
from penchant.recommendation.rerank.diversity import (
    Caps,
    Gain,
    Plain,
    Selected,
    relevance_of,
    select,
    varied,
)
from penchant.recommendation.rerank.exploration import Drawn, draw, generator, positions, strata
from penchant.recommendation.rerank.interest_quota import (
    Balanced,
    checked,
    guaranteed,
    main_interest,
)
from penchant.recommendation.rerank.outside_rerankers import reordered
from penchant.recommendation.rerank.rule_index import RuleIndex
from penchant.recommendation.rerank.similarity import similarities
from penchant.recommendation.results import RecommendationBatch, Reranked
from penchant.recommendation.rules import Rules
from penchant.types import Floats, Ints, Mask


class _ListedPlaces(NamedTuple):
    """Places of a ranking that are listed, those of the list that were drawn, items removed."""

    places: list[int]
    drawn: dict[int, Drawn]
    removed: dict[str, int]


@dataclass(frozen=True)
class _Ranking:
    """The best of one history: rows and scores, of ``available`` items that may be listed."""

    batch: RecommendationBatch
    available: int
    request: ListRequest

    @property
    def items(self) -> Ints:
        rows: Ints = self.batch.items[0]
        return rows


class Reranker:
    """Makes lists by rules; what does not depend on the request is made once, for many of them.

    Parameters
    ----------
    model
        Whose ranking the rules apply to.
    rules
        The rules; they apply in the order that ``Rules`` gives.
    index
        What the rules need to know of the items, where it is at hand.

    Raises
    ------
    ConfigError
        For a behavior or column of the rules that is not known.
    """

    def __init__(self, model: FittedModel, rules: Rules, index: RuleIndex | None = None) -> None:
        self.model, self.rules = model, rules
        self.index = RuleIndex(model, rules) if index is None else index

    def with_model(self, model: FittedModel) -> "Reranker":
        """The same rules for the same model with other controls of its users."""
        return Reranker(model, self.rules, self.index)

    def __call__(self, histories: Histories, request: ListRequest) -> Reranked:
        """The list of one history.

        The ranking is read as far as the rules need, so that no list is short that the catalogue
        could fill. Scores, sources and probabilities are those of the ranking. Relevance is a score
        on a scale from 0 to 1 among the pool; see ``diversity.relevance_of``.

        Raises ConfigError for an unknown domain or behavior, a quota in a run that finds no
        interests, and places to explore past the list; DataError for interests or similarities of
        another shape.
        """
        model, rules = self.model, self.rules
        known = request.user is None or len(histories.events) > 0
        if rules.quota > 0 and request.interests is None and known:
            own = model.interests_of(histories, request.user)
            request = replace(request, interests=own)
        head = model.with_target(request.behavior)
        removed, passing = self.index.passing(request.domain, request.allowed)
        repeats = rules.repeat if request.repeats is None else request.repeats
        # the whole ranking is read only where its first part does not fill the list
        depth = 4 * max(rules.pool, request.k + rules.explore_among)
        while True:
            inner = replace(request, k=depth, domain=None, allowed=passing, repeats=repeats)
            batch = rank(head, histories, inner)
            available = int(batch.available[0])
            ranking = _Ranking(_places(batch, batch.items[0] >= 0), available, request)
            try:
                listed = self._filled(ranking)
                break
            except RankingTooShort:
                depth *= 8
        removed["seen"] = int(np.count_nonzero(passing)) - available
        items = named_items(head, _places(ranking.batch, listed.places))
        propensities, ids = [1.0] * len(items), model.dataset.catalogue.items.ids
        for place, drawn in listed.drawn.items():
            propensities[place] = drawn.propensity
        reranked = Reranked(
            request.user,
            source_of(head, items),
            items,
            short=len(items) < request.k,
            propensities=tuple(propensities),
            explored=tuple(place + 1 for place in listed.drawn),
            candidates=tuple(
                tuple(ids[item] for item in drawn.candidates) for drawn in listed.drawn.values()
            ),
            removed=removed | listed.removed,
            left=available - sum(listed.removed.values()),
        )
        for name, reranker in self.index.outside_rerankers.items():
            reranked = reordered(reranked, name, reranker, head, histories)
        return reranked

    def _filled(self, ranking: _Ranking) -> _ListedPlaces:
        """What ``_listed`` finds, with no more places drawn than can be filled."""
        slots, filled = self.rules.explore, -1
        while filled != slots:  # a slot that caps or the catalogue leave empty is none
            slots = slots if filled < 0 else filled
            listed = self._listed(ranking, slots)
            filled = len(listed.drawn)
        return listed

    def _listed(self, ranking: _Ranking, slots: int) -> _ListedPlaces:
        """The list of a ranking, with so many places drawn."""
        rules, items, request = self.rules, ranking.items, ranking.request
        rng = generator(rules.seed, request.user, request.request_id)
        labels, codes = self.index.labels, self.index.codes
        content = list(self.model.content.values()) if isinstance(rules.near, float) else []
        unique = Deduplicator(items, labels, content, rules.near, ranking.available)
        caps = Caps(codes, list(rules.cap.values()), list(rules.cap))
        at = positions(rules.explore_at[:slots], slots, request.k, rng)
        fixed = request.k - len(at)
        size = max(rules.pool, request.k + rules.explore_among * bool(at))
        pool = np.array(unique.take(size), np.int64)
        place_of = np.zeros(len(codes), np.int64)
        place_of[items] = np.arange(len(items))
        relevance = np.zeros(len(codes))  # of what lies past the pool
        scores, popular = ranking.batch.scores[0], ranking.batch.popular[0]
        relevance[pool] = relevance_of(scores[place_of[pool]], popular[place_of[pool]])
        chosen, capped = self._selected(pool, relevance[pool], fixed, caps, request)
        listed = pool[chosen].tolist()
        capped_by = {int(pool[place]): column for place, column in capped.items()}
        taken = {*listed, *capped_by}

        def rest() -> Iterator[int]:
            yield from (item for item in pool.tolist() if item not in taken)
            while more := unique.take(1):
                yield from more

        below = rest()
        while len(listed) < fixed and (item := next(below, None)) is not None:
            column = caps.full(item)
            if column is None:
                caps.take(item)
                listed.append(item)
            else:
                capped_by[item] = column
        of_slots, unfit = strata(below, len(at), rules.explore_among, caps)
        capped_by |= unfit
        temperature = rules.temperature if rules.explore_by == "softmax" else None
        drawn = {}
        for position, of_slot in zip(at, of_slots, strict=False):
            choice = draw(of_slot, relevance, rng, temperature)
            position = min(position, len(listed))  # where the list ends before it
            listed.insert(position, choice.item)
            drawn[position] = choice
        removed = dict(unique.removed) | {f"cap {column}": 0 for column in rules.cap}
        for column in capped_by.values():
            removed[f"cap {column}"] += 1
        return _ListedPlaces(place_of[listed].tolist(), drawn, removed)

    def _selected(
        self, pool: Ints, relevance: Floats, k: int, caps: Caps, request: ListRequest
    ) -> Selected:
        """What is taken of the pool, by the method and the quota."""
        rules, interests = self.rules, request.interests
        gain: Gain = Plain(relevance)
        main, least = None, None
        if rules.method != "none" and rules.diversity > 0:
            count = len(self.index.codes)
            alike = similarities(pool, count, self.index.rows, request.similarity)
            gain = varied(rules.method, relevance, alike, rules.diversity)
        if rules.quota > 0 and interests is not None:
            shares, target = checked(interests, pool)
            if target.sum() > 0:
                gain = Balanced(gain, shares, target, rules.quota)
                main, least = main_interest(shares), guaranteed(target, k, rules.quota)
        selected = select(gain, pool, k, caps, main, least)
        if main is None or rules.method != "none":
            return selected
        # which items are listed balances the interests; their order need not pay for it
        return selected._replace(chosen=sorted(selected.chosen))


def _places(batch: RecommendationBatch, which: Mask | list[int]) -> RecommendationBatch:
    """Some places of the first list of a batch, in the order given."""
    return batch._replace(
        items=batch.items[:1, which],
        scores=batch.scores[:1, which],
        popular=batch.popular[:1, which],
        probability=batch.probability[:1, which],
        queries=None if batch.queries is None else batch.queries[:1, which],
    )
