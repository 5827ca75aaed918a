"""From a ranking to a list by the rules: filters, seen items, collapse, selection, exploration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from penchant.data.dataset import Histories
from penchant.errors import ConfigError
from penchant.features.kernels import Rows
from penchant.recommendation.model import Model
from penchant.recommendation.ranking import listed, scored
from penchant.recommendation.rerank.deduplication import TooShort, Walk
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
from penchant.recommendation.rerank.filters import (
    Availability,
    Mask,
    filters,
    groups,
    titles,
    values,
)
from penchant.recommendation.rerank.interest_quota import (
    Balanced,
    InterestShares,
    checked,
    guaranteed,
    main_interest,
)
from penchant.recommendation.rerank.outside import OutsideReranker, outside_reranker, reordered
from penchant.recommendation.rerank.rules import Rules
from penchant.recommendation.rerank.similarity import Similarity, known_rows, similarities
from penchant.recommendation.results import POPULAR, RecommendationBatch, Reranked
from penchant.types import Floats, Ints

History = Sequence[str | tuple[str, str]]


@dataclass(frozen=True)
class Reranker:
    """A model with rules: what does not depend on who asks is made once, for many requests."""

    model: Model
    rules: Rules

    def __post_init__(self) -> None:
        for name in self.rules.repeat:
            self.model.dataset.catalogue.behavior(name)
        # so that a column that is not there is an error before the first request
        _ = self.filters, self.labels, self.codes, self.availability, self.rerankers

    @cached_property
    def filters(self) -> dict[str, Mask]:
        """Which items pass each filter, (N,) each."""
        return filters(self.model.dataset.catalogue, self.rules)

    @cached_property
    def availability(self) -> Availability | None:
        """When each item is available; None where no rule asks."""
        if self.rules.available_at is None:
            return None
        return Availability(self.model.dataset.catalogue)

    @cached_property
    def rerankers(self) -> dict[str, OutsideReranker]:
        """What orders the list last, by name."""
        return {name: outside_reranker(name) for name in self.rules.rerankers}

    @cached_property
    def labels(self) -> dict[str, Ints]:
        """Numbers of the items by which equal ones are collapsed, (N,) each, by rule."""
        catalogue, rules = self.model.dataset.catalogue, self.rules
        found = {} if rules.collapse is None else {"collapse": groups(catalogue, rules.collapse)}
        return found if rules.near is None else found | {"title": titles(catalogue)}

    @cached_property
    def codes(self) -> Ints:
        """Numbers of the items' values in each capped column, (N, columns); -1 without one."""
        catalogue = self.model.dataset.catalogue
        columns = [values(catalogue, name) for name in self.rules.cap]
        return np.stack(columns, axis=1) if columns else np.zeros((len(catalogue), 0), np.int64)

    @cached_property
    def rows(self) -> list[Rows]:
        """What cosines of items are taken of, (N, D) each."""
        return known_rows(self.model)

    def __call__(
        self,
        user: str | None = None,
        history: History | None = None,
        *,
        k: int = 10,
        behavior: str | None = None,
        domain: str | None = None,
        request: str = "",
        interests: InterestShares | None = None,
        similarity: Similarity | None = None,
        given: Histories | None = None,
        keep: Mask | None = None,
    ) -> Reranked:
        """The list of one request; see ``reranked``.

        ``given`` stands in for the history, and ``keep`` (N,) says what any list may hold now: a
        filter before all others.
        """
        model, rules = self.model, self.rules
        if (user is None) == (history is None):
            raise ConfigError("expected a user or a history, one of the two")
        if k < 1:
            raise ConfigError(f"expected k of at least 1, received {k}")
        mine, strange = model.histories(history or [])
        if given is not None:
            mine = given
        elif user is not None:
            mine = model.dataset.history(user)
        if rules.quota > 0 and interests is None and (user is None or len(mine.events)):
            interests = model.interests_of(mine, user)
        head = model.with_target(behavior)
        removed, passed = self._passed(domain, keep)
        # the whole ranking is read only where its first part does not fill the list
        depth = 4 * max(rules.pool, k + rules.explore_among)
        while True:
            found = scored(head, mine, self._hidden(mine), user, (passed, depth))
            left = int(np.count_nonzero(passed & (found.scores[0] > -np.inf)))
            ranking = _first(listed(head, found, min(depth, left), np.array([-1]), passed))
            try:
                order, drawn, after = self._filled(
                    ranking, left, k, (user, request), interests, similarity
                )
                break
            except TooShort:
                depth *= 8
        removed["seen"] = int(np.count_nonzero(passed)) - left
        removed |= after
        rows = head.named(_some(ranking, order))
        source = model.family if any(row.source != POPULAR for row in rows) else POPULAR
        propensities, ids = [1.0] * len(rows), model.dataset.catalogue.items.ids
        for place, one in drawn.items():
            propensities[place] = one.propensity
        reranking = Reranked(
            *(user, source, rows, len(rows) < k, strange),
            propensities=tuple(propensities),
            explored=tuple(place + 1 for place in drawn),
            among=tuple(tuple(ids[item] for item in one.among) for one in drawn.values()),
            removed=removed,
            left=left - sum(after.values()),
        )
        for name, rerank in self.rerankers.items():
            reranking = reordered(reranking, name, rerank, head, mine)
        return reranking

    def of(self, model: Model) -> "Reranker":
        """The same rules for the same model in which users have said something else."""
        same = replace(self)
        same.__dict__.update(self.__dict__ | {"model": model})
        return same

    def _filled(
        self,
        ranking: RecommendationBatch,
        left: int,
        k: int,
        seed: tuple[str | None, str],
        interests: InterestShares | None,
        similarity: Similarity | None,
    ) -> tuple[list[int], dict[int, Drawn], dict[str, int]]:
        """What ``_listed`` finds, with no more places drawn than can be filled."""
        slots, filled = self.rules.explore, -1
        while filled != slots:  # a slot that caps or the catalogue leave empty is none
            slots = slots if filled < 0 else filled
            rng = generator(self.rules.seed, *seed)
            found = self._listed(ranking, left, k, slots, rng, interests, similarity)
            filled = len(found[1])
        return found

    def _passed(self, domain: str | None, keep: Mask | None) -> tuple[dict[str, int], Mask]:
        """How many items each filter keeps out, and which pass all, (N,)."""
        catalogue, rules = self.model.dataset.catalogue, self.rules
        masks = ({} if keep is None else {"available": keep}) | self.filters
        domain = rules.domain if domain is None else domain
        if domain is not None:
            masks = {"domain": catalogue.domain == catalogue.domain_row(domain), **masks}
        if self.availability is not None and rules.available_at is not None:
            masks["available_at"] = self.availability.at(rules.available_at)
        left, removed = np.ones(len(catalogue), bool), {}
        for name, mask in masks.items():
            removed[name] = int(np.count_nonzero(left & ~mask))
            left &= mask
        return removed, left

    def _hidden(self, given: Histories) -> Ints:
        """The item that each event keeps out of the list, -1 for none, (E,)."""
        again = [
            self.rules.repeat.get(behavior.name, self.model.recipe.repeats)
            for behavior in self.model.dataset.catalogue.behaviors
        ]
        return np.where(np.array(again, bool)[given.events.behavior], -1, given.events.item)

    def _listed(
        self,
        ranking: RecommendationBatch,
        left: int,
        k: int,
        slots: int,
        rng: np.random.Generator,
        interests: InterestShares | None,
        similarity: Similarity | None,
    ) -> tuple[list[int], dict[int, Drawn], dict[str, int]]:
        """Places in the ranking that are listed, those drawn, and what else was removed."""
        rules, items = self.rules, ranking.items[0]
        content = list(self.model.content.values()) if isinstance(rules.near, float) else []
        walk = Walk(items, self.labels, content, rules.near, left)
        caps = Caps(self.codes, list(rules.cap.values()), list(rules.cap))
        at = positions(rules.explore_at[:slots], slots, k, rng)
        fixed = k - len(at)
        pool = np.array(walk.further(max(rules.pool, k + rules.explore_among * bool(at))), np.int64)
        place_of = np.zeros(len(self.codes), np.int64)
        place_of[items] = np.arange(len(items))
        relevance = np.zeros(len(self.codes))  # of what lies past the pool
        places = place_of[pool]
        relevance[pool] = relevance_of(ranking.scores[0][places], ranking.popular[0][places])
        chosen, capped = self._selected(pool, relevance[pool], fixed, caps, interests, similarity)
        listed = pool[chosen].tolist()
        shut = {int(pool[place]): name for place, name in capped.items()}
        taken = {*listed, *shut}

        def rest() -> Iterator[int]:
            yield from (item for item in pool.tolist() if item not in taken)
            while more := walk.further(1):
                yield from more

        below = rest()
        while len(listed) < fixed and (item := next(below, None)) is not None:
            column = caps.full(item)
            if column is None:
                caps.take(item)
                listed.append(item)
            else:
                shut[item] = column
        of_slots, unfit = strata(below, len(at), rules.explore_among, caps)
        shut |= unfit
        temperature = rules.temperature if rules.explore_by == "softmax" else None
        drawn = {}
        for position, of_slot in zip(at, of_slots, strict=False):
            one = draw(of_slot, relevance, rng, temperature)
            position = min(position, len(listed))  # where the list ends before it
            listed.insert(position, one.item)
            drawn[position] = one
        after = dict(walk.removed) | {f"cap {name}": 0 for name in rules.cap}
        for name in shut.values():
            after[f"cap {name}"] += 1
        return place_of[listed].tolist(), drawn, after

    def _selected(
        self,
        pool: Ints,
        relevance: Floats,
        k: int,
        caps: Caps,
        interests: InterestShares | None,
        similarity: Similarity | None,
    ) -> Selected:
        """What is taken of the pool, by the method and the quota."""
        rules = self.rules
        gain: Gain = Plain(relevance)
        main, least = None, None
        if rules.method != "none" and rules.diversity > 0:
            like = similarities(pool, len(self.codes), self.rows, similarity)
            gain = varied(rules.method, relevance, like, rules.diversity)
        if rules.quota > 0 and interests is not None:
            shares, target = checked(interests, pool)
            if target.sum() > 0:
                gain = Balanced(gain, shares, target, rules.quota)
                main, least = main_interest(shares), guaranteed(target, k, rules.quota)
        found = select(gain, pool, k, caps, main, least)
        if main is None or rules.method != "none":
            return found
        # which items are listed balances the interests; their order need not pay for it
        return found._replace(chosen=sorted(found.chosen))


def reranked(
    model: Model,
    user: str | None = None,
    history: History | None = None,
    *,
    rules: Rules,
    k: int = 10,
    behavior: str | None = None,
    domain: str | None = None,
    request: str = "",
    interests: InterestShares | None = None,
    similarity: Similarity | None = None,
) -> Reranked:
    """The k items for a known user, or for a history of items, oldest first, by rules.

    The whole ranking is read, so that rules leave no list short that the catalogue could fill; the
    order in which they apply is that of ``Rules``. Scores, sources and probabilities are those that
    ``Model.recommend`` gives. Relevance is a score on a scale from 0 to 1 among the pool; see
    ``selection.relevance_of``. ``request`` is part of the seed of what is drawn: the same request
    of a user has the same list. ``interests``, for ``quota``, stand in for those that the model
    finds, and ``similarity`` for the cosines of what is known of the items. For many requests, keep
    a ``Reranker``.

    Raises ConfigError for a domain, behavior or column that is not known, a k below 1, a quota
    in a run that finds no interests, and places to explore past the list; DataError for interests
    or similarities of another shape.
    """
    return Reranker(model, rules)(
        user,
        history,
        k=k,
        behavior=behavior,
        domain=domain,
        request=request,
        interests=interests,
        similarity=similarity,
    )


def _first(found: RecommendationBatch) -> RecommendationBatch:
    """The first list of a block, without padding."""
    return _some(found, found.items[0] >= 0)


def _some(found: RecommendationBatch, which: Mask | list[int]) -> RecommendationBatch:
    """Some places of the first list of a block, in the order given."""
    return RecommendationBatch(
        found.users[:1],
        found.items[:1, which],
        found.scores[:1, which],
        found.popular[:1, which],
        found.probability[:1, which],
        None if found.asked is None else found.asked[:1, which],
    )
