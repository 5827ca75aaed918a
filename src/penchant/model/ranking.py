"""From the scores of a recommender to lists: what is hidden, how ties fall, what is probable."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Histories, Ints
from penchant.evaluate import Listed, mask, outside, top
from penchant.interests import steered
from penchant.listing import Block
from penchant.models.base import Scores
from penchant.models.calibration import LISTED
from penchant.models.fusion import Fusion

if TYPE_CHECKING:
    from penchant.model.model import Model

_UNSCORED = -np.finfo(np.float64).max  # an item without a score comes after all that have one


class Scored(NamedTuple):
    """Scores of all items after some histories, (B, N): -inf for what no list may hold.

    ``best`` are the best of each, which probabilities are of; None in a run without calibration.
    """

    histories: Histories
    scores: Scores
    best: Listed | None


def scored(
    model: "Model",
    histories: Histories,
    hidden: Ints | None,
    user: str | None = None,
    wanted: tuple[NDArray[np.bool_] | None, int] | None = None,
) -> Scored:
    """Score all items, without those that are ``hidden`` and those of muted interests.

    ``hidden`` (E,) is, for each event, the item that it keeps out of its history's list, -1 for
    none. ``user`` names whose the one history is, where the dataset may not know them. ``wanted``
    says what will be asked of one history: so many of the best that a list may hold, (N,) or all;
    what is below them need not be exact.
    """
    one = model.recommender
    if wanted is None or not isinstance(one, Fusion) or model.controls.get(user or ""):
        scores = one.score(histories)
    else:
        shown = np.ones(len(model.dataset.catalogue), bool)
        if hidden is not None:
            shown[hidden[hidden >= 0]] = False
        keep, count = wanted
        asked = [(shown, LISTED if keep is not None else max(LISTED, count))]
        if keep is not None:
            asked.append((shown & keep, count))
        scores = one.best(histories, asked)
    muted = _steered(model, scores, histories, user)
    scores[scores == -np.inf] = _UNSCORED
    strangers = histories.lengths == 0
    if model.transition is not None and strangers.any():
        # how few events a history has is all that is known of a stranger
        beside = np.diff(model.transition.beside(histories).indptr)
        strangers &= beside <= bool(model.transition.settings.opening)
    scores[strangers] = _UNSCORED
    mask(scores, histories, hidden)
    scores[muted] = -np.inf
    best = None if model.calibration is None else top(scores, LISTED)
    return Scored(histories, scores, best)


def listed(
    model: "Model", found: Scored, k: int, domain: Ints, keep: NDArray[np.bool_] | None = None
) -> Block:
    """The k best items of each history; with k = N all that can be listed, best first.

    ``domain`` (B,) is a row of the domains, -1 for all of them, and ``keep`` (N,) what any list may
    hold. Items without a score follow those that have one, the more popular first.
    """
    scores = found.scores
    if keep is not None:
        scores = np.where(keep, scores, -np.inf)
    elif (domain >= 0).any():
        scores = scores.copy()
    outside(scores, model.dataset.catalogue, domain)
    order = model.by_popularity  # among equal scores the more popular comes first
    best = None if scores is not found.scores else _among(model, found.best, k)
    if best is None:
        best = top(scores[:, order], k)
        best = Listed(np.where(best.items >= 0, order[best.items], -1), best.scores)
    items = best.items
    popular = (best.scores == _UNSCORED) & (items >= 0)
    share = model.popularity[items] / max(1, model.popularity.sum())
    probability = np.full(items.shape, np.nan)
    if model.calibration is not None and found.best is not None:
        values = np.where(found.best.scores == _UNSCORED, -np.inf, found.best.scores)
        r = model.calibration.probabilities(values, found.histories.lengths)
        for case, rows in enumerate(found.best.items):
            by_row = np.argsort(rows)
            among = by_row[np.minimum(np.searchsorted(rows[by_row], items[case]), len(rows) - 1)]
            probability[case] = np.where(rows[among] == items[case], r[case, among], np.nan)
        probability[items < 0] = np.nan
    values = np.where(popular, share, best.scores)
    return Block(found.histories.users, items, values, popular, probability)


def _among(model: "Model", best: Listed | None, k: int) -> Listed | None:
    """The k best of one history among its best that are known; None where they may miss one."""
    if best is None or best.items.shape[0] != 1 or best.items.shape[1] <= k:
        return None
    scores = best.scores[0]
    if scores[-1] == scores[k - 1] or scores[k - 1] <= _UNSCORED:
        return None  # further ones may be as good
    order = np.lexsort((model.by_popularity_rank[best.items[0]], -scores))[:k]
    return Listed(best.items[:, order], best.scores[:, order])


def _steered(
    model: "Model", scores: Scores, histories: Histories, user: str | None
) -> tuple[Ints, Ints]:
    """Bring the rows of users with controls to what they want; the cells that these hide."""
    rows, hidden = [], []
    if user is not None:
        asked = {0: user} if model.controls.get(user) else {}
    else:
        known = model.dataset.users.rows(model.controls)
        places = np.flatnonzero(np.isin(histories.users, known[known >= 0]))
        asked = {int(at): model.dataset.users.ids[histories.users[at]] for at in places}
    for row, name in asked.items():
        given = histories.take(np.array([row]))
        scores[row], out = steered(model.recommender, given, model.interests_of(given, name))
        hidden.append(np.flatnonzero(out))
        rows.append(np.full(len(hidden[-1]), row))
    return np.concatenate([[], *rows]).astype(int), np.concatenate([[], *hidden]).astype(int)
