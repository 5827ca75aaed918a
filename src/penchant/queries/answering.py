"""The places that a list gives to what its user asked for.

A list follows the user's past; a wish takes a share of its places, and in these stand the items
that fit the wish, those that suit the user first. So a search moves the next list without a past
being forgotten, and a question alone (share 1) has the whole of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penchant.config import QuerySettings
from penchant.data.dataset import Floats, Histories, Ints
from penchant.data.said import Said

_AMONG = 100  # best items between whose first and last a user tells apart
_STEP = 1e-9  # between equal scores that are ranked


class Wish(NamedTuple):
    """A text, and the share of a list that it takes of what earlier ones left, in (0, 1]."""

    text: str
    share: float


class Answered(NamedTuple):
    """Scores of all items, (N,), and which wish brought an item to its place, (N,); -1 none."""

    scores: Floats
    wish: Ints


def wishes(said: Sequence[Said], settings: QuerySettings) -> list[Wish]:
    """What was said, the latest first: share decay^(events since) of what later ones left.

    Said again, it counts once.

    >>> said = [Said("tea", 2, 0), Said("green tea", 0, 0)]
    >>> [(w.text, round(w.share, 3)) for w in wishes(said, QuerySettings(share=0.5, decay=0.8))]
    [('green tea', 0.5), ('tea', 0.32)]
    """
    found: dict[str, Wish] = {}
    for one in sorted(said, key=lambda one: one.after):
        share = settings.share * settings.decay**one.after if one.share is None else one.share
        key = one.text.casefold()
        if key not in found and share >= settings.least:
            found[key] = Wish(one.text, share)
    return list(found.values())


def written(text: str, events: int, settings: QuerySettings, of: int = 0) -> Said:
    """Interests in a user's own words: as if said before all their events, and lasting."""
    return Said(text, events, of, settings.profile)


def answered(
    scores: Floats,
    fits: Sequence[Floats],
    shares: Sequence[float],
    weight: float,
    popular: Ints | None = None,
) -> Answered:
    """The scores of one history (N,) with places for what fits, each (N,), by shares.

    Items have a rank by score and, for each wish, one by

        (score - best score) / (best - 100th best) + weight (fit - best fit) / (best - median fit).

    An item's place is the least of its ranks, each over the share of its list: of the wishes in
    turn, a share of what is left, and of the past the rest. It gets the score that stood at that
    place, so that scores fall along the list as before. Items of -inf stay out, and equal scores
    are told apart by the items' rank by popularity, (N,).

    >>> scores, fit = np.array([5.0, 4.0, 3.0, 2.0]), np.array([0.0, 0.0, 0.0, 9.0])
    >>> answered(scores, [fit], [0.5], 2.0).scores.tolist()
    [5.0, 3.0, 2.0, 4.0]
    """
    inside = np.flatnonzero(scores > -np.inf)
    wish = np.full(len(scores), -1)
    if not len(inside) or not len(fits):
        return Answered(scores, wish)
    own = scores[inside]
    base = _ranks(own, None if popular is None else popular[inside])
    best = own.max()
    some = own[np.argsort(-own, kind="stable")[: _AMONG + 1]]
    # a score that only says that there is none is not a distance
    real = some[some > -1e300]
    gap = float(real[0] - real[-1]) if len(real) else 0.0
    liking = np.maximum(own - best, -10.0 * gap) / gap if gap > 0 else np.zeros(len(own))
    left, keys = 1.0, []
    for fit, share in zip(fits, shares, strict=True):
        mine = fit[inside]
        far = float(mine.max() - np.median(mine))
        fitting = (mine - mine.max()) / far if far > 0 else np.zeros(len(mine))
        rank = _ranks(liking + weight * fitting, base)
        keys.append(rank / (left * share))
        left *= 1.0 - share
    keys.append(base / left if left > 0 else np.full(len(base), np.inf))
    stacked = np.stack(keys)
    of = stacked.argmin(axis=0)
    place = _ranks(-stacked[of, np.arange(len(own))], base).astype(np.int64) - 1
    found = scores.copy()
    found[inside] = _falling(-np.sort(-own))[place]
    lifted = (of < len(fits)) & (place + 1 < base)
    wish[inside[lifted]] = of[lifted]
    return Answered(found, wish)


def said_in(histories: Histories, terms: Sequence[str | None]) -> tuple[Said, ...]:
    """The searches among the events of histories: the terms of a query have one source row.

    ``terms`` (T,) are the words of the tokens, None for a token that is no query's. Searches do not
    count among what came after one.
    """
    events, owner = histories.events, histories.owner
    token = events.token
    word = np.array([term is not None for term in (*terms, None)])[token]
    others = np.concatenate([[0], np.cumsum(~word)])
    found: list[Said] = []
    last = -1
    for at in np.flatnonzero(word).tolist():
        text, of = terms[token[at]] or "", int(owner[at])
        same = found and found[-1].of == of and last == events.row[at]
        if same:
            found[-1] = found[-1]._replace(text=f"{found[-1].text} {text}")
        else:
            after = int(others[histories.indptr[of + 1]] - others[at + 1])
            found.append(Said(text, after, of))
        last = events.row[at]
    return tuple(found)


def _falling(ordered: Floats) -> Floats:
    """Descending scores of which equal ones fall by a step, so that places are told apart."""
    number = np.arange(len(ordered))
    first = np.r_[True, ordered[1:] < ordered[:-1]]
    run = number - np.maximum.accumulate(np.where(first, number, 0))
    return np.minimum.accumulate(ordered - _STEP * np.maximum(1.0, np.abs(ordered)) * run)


def _ranks(values: Floats, ties: Floats | Ints | None = None) -> Floats:
    """The place of each value from the largest down, from 1; equal ones by ``ties``, then row."""
    order = np.lexsort((np.arange(len(values)) if ties is None else ties, -values))
    found = np.empty(len(values))
    found[order] = np.arange(1.0, len(values) + 1)
    return found
