"""Re-rankers written outside: the last word on the order of a list."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from penchant.config.plugins import entry_points, find
from penchant.data.dataset import Histories
from penchant.errors import ConfigError, unknown
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.results import Reranked, ScoredItem

OutsideReranker = Callable[[tuple[ScoredItem, ...], FittedModel, Histories], Sequence[ScoredItem]]
"""(list, model, the one history that it is for) -> the items of the list in their new order.

It may leave items out, and change what their ``because`` says; it adds none, as an item that is not
on the list may be one that a rule keeps out.
"""


def outside_reranker(name: str) -> OutsideReranker:
    """A re-ranker by name; ConfigError lists the installed ones."""
    reranker: OutsideReranker | None = find("penchant.rerankers", name)
    if reranker is None or not callable(reranker):
        raise unknown(
            "re-ranker", name, entry_points("penchant.rerankers") or ["package.module:Name"]
        )
    return reranker


def reordered(
    listed: Reranked, name: str, rerank: OutsideReranker, model: FittedModel, given: Histories
) -> Reranked:
    """The list as a re-ranker orders it; what was drawn stays known by its new place.

    Raises ConfigError where the re-ranker lists an item twice, or one that was not on the list.
    """
    items = tuple(rerank(listed.items, model, given))
    before = {row.item: place for place, row in enumerate(listed.items)}
    places = [before.get(row.item, -1) for row in items]
    if -1 in places or len(set(places)) < len(places):
        raise ConfigError(
            f"re-ranker {name}: expected items of the list, each once, received "
            f"{', '.join(row.item for row in items)}"
        )
    drawn = dict(zip(listed.explored, listed.candidates, strict=True))
    explored = [(new + 1, drawn[old + 1]) for new, old in enumerate(places) if old + 1 in drawn]
    return replace(
        listed,
        items=items,
        short=listed.short or len(items) < len(listed.items),
        propensities=tuple(listed.propensities[place] for place in places),
        explored=tuple(place for place, _ in explored),
        candidates=tuple(candidates for _, candidates in explored),
    )
