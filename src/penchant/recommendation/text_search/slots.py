"""The places of a list that go to items which fit a user's texts.

A list follows the user's history; a query takes a share of its places, and these hold the items
that fit it, those that suit the user first. So a search moves the next list while the history still
counts, and a question alone (share 1) has the whole list.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penchant.config import QuerySettings
from penchant.data.dataset import Histories
from penchant.data.text_query import TextQuery
from penchant.types import Floats, Ints

_AMONG = 100  # best items, over whose range of scores a user's preference is measured
_STEP = 1e-9  # between equal scores that are ranked
_PLACES = 2000  # of a list, which queries have their share of
_FITS = 0.4  # of the way from the median to the best fit: what is below does not fit
_NONE = -1e300  # an item without a score is below this


class ActiveQuery(NamedTuple):
    """A text and its share of the places that earlier ones leave, in (0, 1]."""

    text: str
    share: float


class BlendedScores(NamedTuple):
    """Scores of all items, (N,), and which query gave an item its place, (N,); -1 for none."""

    scores: Floats
    query: Ints


def active_queries(
    queries: Sequence[TextQuery], settings: QuerySettings
) -> dict[int, list[ActiveQuery]]:
    """The queries that still count in each history, the latest first, by the history's number.

    Each takes share decay^(events since) of the places that later ones leave; a repeated text
    counts once.

    >>> queries = [TextQuery("tea", 2, 0), TextQuery("green tea", 0, 0)]
    >>> active = active_queries(queries, QuerySettings(share=0.5, decay=0.8))
    >>> [(query.text, round(query.share, 3)) for query in active[0]]
    [('green tea', 0.5), ('tea', 0.32)]
    """
    active: dict[int, dict[str, ActiveQuery]] = {}
    for query in sorted(queries, key=lambda query: query.events_since):
        share = query.share
        if share is None:
            share = settings.share * settings.decay**query.events_since
        if share >= settings.least:
            by_text = active.setdefault(query.history, {})
            by_text.setdefault(query.text.casefold(), ActiveQuery(query.text, share))
    return {history: list(by_text.values()) for history, by_text in active.items()}


def profile_query(text: str, events: int, settings: QuerySettings, history: int = 0) -> TextQuery:
    """Interests in a user's own words, as a query before all events that does not decay."""
    return TextQuery(text, events, history, settings.profile)


def blend_queries(
    scores: Floats,
    fits: Sequence[Floats],
    shares: Sequence[float],
    weight: float,
    by_popularity: Ints | None = None,
) -> BlendedScores:
    """The scores of one history (N,) with places for what fits, each (N,), by shares.

    Items have a rank by score and, for each query, one by

        (score - best score) / (best - 100th best) + weight (fit - best fit) / (best - median fit).

    An item's place is the least of its ranks, each over the share of its list: of the queries in
    turn, a share of what is left, and of the history the rest. A query has no places for items that
    fit less than two fifths of the way from the median to the best fit. An item gets the score that
    stood at its place, so that scores fall along the list as before; past the first 2,000 places
    all follow by score. Items of -inf stay out, and of equal scores the first in
    ``by_popularity`` (N,), rows of items, comes first.

    >>> scores, fit = np.array([5.0, 4.0, 3.0, 2.0]), np.array([0.0, 0.0, 0.0, 9.0])
    >>> blend_queries(scores, [fit], [0.5], 2.0).scores.tolist()
    [5.0, 3.0, 2.0, 4.0]
    """
    query = np.full(len(scores), -1)
    items = np.arange(len(scores)) if by_popularity is None else by_popularity
    items = items[scores[items] > -np.inf]
    if not len(items) or not len(fits):
        return BlendedScores(scores, query)
    items = items[np.argsort(-scores[items], kind="stable")]
    own = scores[items]
    # a score that only says that there is none is not a distance
    real = own[: _AMONG + 1][own[: _AMONG + 1] > _NONE]
    gap = float(real[0] - real[-1]) if len(real) else 0.0
    liking = np.zeros(len(own))
    if gap > 0:  # without a score an item is liked as little as the least that has one
        least = own[own > _NONE][-1]
        liking = (np.maximum(own, least) - own[0]) / gap
    base = np.arange(1.0, len(own) + 1)
    left, keys = 1.0, []
    for fit, share in zip(fits, shares, strict=True):
        mine = fit[items]
        best, middle = float(fit.max()), float(np.median(fit))
        far = best - middle if best > middle else 1.0
        fitting = mine > middle + _FITS * (best - middle)
        value = np.where(fitting, liking + weight * (mine - best) / far, -np.inf)
        keys.append(np.where(fitting, _first_ranks(value) / (left * share), np.inf))
        left *= 1.0 - share
    keys.append(base / left if left > 0 else np.full(len(base), np.inf))
    key, source = keys[-1], np.full(len(own), len(fits))
    for number, other in enumerate(keys[:-1]):
        better = other < key
        key, source = np.where(better, other, key), np.where(better, number, source)
    source = np.where(key < np.inf, source, len(fits))
    ahead = np.flatnonzero(key <= _PLACES)
    ahead = ahead[np.argsort(key[ahead], kind="stable")]
    rest = np.ones(len(own), bool)
    rest[ahead] = False
    order = np.concatenate([ahead, np.flatnonzero(rest)])
    blended = scores.copy()
    blended[items[order]] = _falling(own)
    for number, share in enumerate(shares):
        brought = (np.arange(len(ahead)) < ahead) | (share == 1)
        query[items[ahead[(source[ahead] == number) & brought]]] = number
    return BlendedScores(blended, query)


def queries_in(histories: Histories, terms: Sequence[str | None]) -> tuple[TextQuery, ...]:
    """The searches among the events of histories; the terms of one search share a source row.

    ``terms`` (T,) are the words of the tokens, None for a token of another kind. Only events other
    than searches count as events since a search.
    """
    events, owner = histories.events, histories.owner
    token = events.token
    word = np.array([term is not None for term in (*terms, None)])[token]
    others = np.concatenate([[0], np.cumsum(~word)])
    queries: list[TextQuery] = []
    last = -1
    for at in np.flatnonzero(word).tolist():
        text, history = terms[token[at]] or "", int(owner[at])
        same = queries and queries[-1].history == history and last == events.row[at]
        if same:
            queries[-1] = queries[-1]._replace(text=f"{queries[-1].text} {text}")
        else:
            since = int(others[histories.indptr[history + 1]] - others[at + 1])
            queries.append(TextQuery(text, since, history))
        last = events.row[at]
    return tuple(queries)


def _falling(ordered: Floats) -> Floats:
    """Descending scores of which equal ones fall by a step, so that no two places tie."""
    number = np.arange(len(ordered))
    first = np.r_[True, ordered[1:] < ordered[:-1]]
    run = number - np.maximum.accumulate(np.where(first, number, 0))
    step = np.where(ordered > _NONE, _STEP * np.maximum(1.0, np.abs(ordered)), 0.0)
    return np.minimum.accumulate(ordered - step * run)


def _first_ranks(values: Floats) -> Floats:
    """The places of the largest values, from 1, equal ones in order; inf past the first 2,000."""
    ranks = np.full(len(values), np.inf)
    some = np.arange(len(values))
    if len(values) > _PLACES:
        some = np.flatnonzero(values >= -np.partition(-values, _PLACES - 1)[_PLACES - 1])
    order = some[np.argsort(-values[some], kind="stable")][:_PLACES]
    ranks[order] = np.arange(1.0, len(order) + 1)
    return ranks
