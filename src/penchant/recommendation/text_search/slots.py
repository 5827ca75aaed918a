"""The places that a list gives to what its user asked for.

A list follows the user's past; a wish takes a share of its places, and in these stand the items
that fit the wish, those that suit the user first. So a search moves the next list without a past
being forgotten, and a question alone (share 1) has the whole of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penchant.config import QuerySettings
from penchant.data.dataset import Histories
from penchant.data.text_query import TextQuery
from penchant.types import Floats, Ints

_AMONG = 100  # best items between whose first and last a user tells apart
_STEP = 1e-9  # between equal scores that are ranked
_PLACES = 2000  # of a list, which wishes have their share of
_FITS = 0.4  # of the way from the median to the best fit: what is below is no answer
_NONE = -1e300  # what stands for no score is below


class Wish(NamedTuple):
    """A text, and the share of a list that it takes of what earlier ones left, in (0, 1]."""

    text: str
    share: float


class Answered(NamedTuple):
    """Scores of all items, (N,), and which wish brought an item to its place, (N,); -1 none."""

    scores: Floats
    wish: Ints


def wishes(said: Sequence[TextQuery], settings: QuerySettings) -> dict[int, list[Wish]]:
    """What was said in each history, the latest first, by the history's number.

    Each has share decay^(events since) of what later ones left; said again, it counts once.

    >>> said = [TextQuery("tea", 2, 0), TextQuery("green tea", 0, 0)]
    >>> found = wishes(said, QuerySettings(share=0.5, decay=0.8))
    >>> [(wish.text, round(wish.share, 3)) for wish in found[0]]
    [('green tea', 0.5), ('tea', 0.32)]
    """
    found: dict[int, dict[str, Wish]] = {}
    for one in sorted(said, key=lambda one: one.after):
        share = settings.share * settings.decay**one.after if one.share is None else one.share
        if share >= settings.least:
            found.setdefault(one.of, {}).setdefault(one.text.casefold(), Wish(one.text, share))
    return {of: list(by_text.values()) for of, by_text in found.items()}


def written(text: str, events: int, settings: QuerySettings, of: int = 0) -> TextQuery:
    """Interests in a user's own words: as if said before all their events, and lasting."""
    return TextQuery(text, events, of, settings.profile)


def answered(
    scores: Floats,
    fits: Sequence[Floats],
    shares: Sequence[float],
    weight: float,
    by_popularity: Ints | None = None,
) -> Answered:
    """The scores of one history (N,) with places for what fits, each (N,), by shares.

    Items have a rank by score and, for each wish, one by

        (score - best score) / (best - 100th best) + weight (fit - best fit) / (best - median fit).

    An item's place is the least of its ranks, each over the share of its list: of the wishes in
    turn, a share of what is left, and of the past the rest. A wish has no places for items below
    two fifths of the way from the median to the best fit. An item gets the score that stood at its
    place, so that scores fall along the list as before; past the first 2,000 places all follow by
    score. Items of -inf stay out, and of equal scores the first in ``by_popularity`` (N,), rows of
    items, comes first.

    >>> scores, fit = np.array([5.0, 4.0, 3.0, 2.0]), np.array([0.0, 0.0, 0.0, 9.0])
    >>> answered(scores, [fit], [0.5], 2.0).scores.tolist()
    [5.0, 3.0, 2.0, 4.0]
    """
    wish = np.full(len(scores), -1)
    items = np.arange(len(scores)) if by_popularity is None else by_popularity
    items = items[scores[items] > -np.inf]
    if not len(items) or not len(fits):
        return Answered(scores, wish)
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
    key, of = keys[-1], np.full(len(own), len(fits))
    for number, one in enumerate(keys[:-1]):
        better = one < key
        key, of = np.where(better, one, key), np.where(better, number, of)
    of = np.where(key < np.inf, of, len(fits))
    ahead = np.flatnonzero(key <= _PLACES)
    ahead = ahead[np.argsort(key[ahead], kind="stable")]
    rest = np.ones(len(own), bool)
    rest[ahead] = False
    order = np.concatenate([ahead, np.flatnonzero(rest)])
    found = scores.copy()
    found[items[order]] = _falling(own)
    for number, share in enumerate(shares):
        brought = (np.arange(len(ahead)) < ahead) | (share == 1)
        wish[items[ahead[(of[ahead] == number) & brought]]] = number
    return Answered(found, wish)


def said_in(histories: Histories, terms: Sequence[str | None]) -> tuple[TextQuery, ...]:
    """The searches among the events of histories: the terms of a query have one source row.

    ``terms`` (T,) are the words of the tokens, None for a token that is no query's. Searches do not
    count among what came after one.
    """
    events, owner = histories.events, histories.owner
    token = events.token
    word = np.array([term is not None for term in (*terms, None)])[token]
    others = np.concatenate([[0], np.cumsum(~word)])
    found: list[TextQuery] = []
    last = -1
    for at in np.flatnonzero(word).tolist():
        text, of = terms[token[at]] or "", int(owner[at])
        same = found and found[-1].of == of and last == events.row[at]
        if same:
            found[-1] = found[-1]._replace(text=f"{found[-1].text} {text}")
        else:
            after = int(others[histories.indptr[of + 1]] - others[at + 1])
            found.append(TextQuery(text, after, of))
        last = events.row[at]
    return tuple(found)


def _falling(ordered: Floats) -> Floats:
    """Descending scores of which equal ones fall by a step, so that places are told apart."""
    number = np.arange(len(ordered))
    first = np.r_[True, ordered[1:] < ordered[:-1]]
    run = number - np.maximum.accumulate(np.where(first, number, 0))
    step = np.where(ordered > _NONE, _STEP * np.maximum(1.0, np.abs(ordered)), 0.0)
    return np.minimum.accumulate(ordered - step * run)


def _first_ranks(values: Floats) -> Floats:
    """The places of the largest values, from 1, equal ones in order; inf past the first 2,000."""
    found = np.full(len(values), np.inf)
    some = np.arange(len(values))
    if len(values) > _PLACES:
        some = np.flatnonzero(values >= -np.partition(-values, _PLACES - 1)[_PLACES - 1])
    order = some[np.argsort(-values[some], kind="stable")][:_PLACES]
    found[order] = np.arange(1.0, len(order) + 1)
    return found
