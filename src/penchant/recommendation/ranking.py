"""From the scores of a recommender to lists: what is hidden, how ties fall, what is probable."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Histories
from penchant.data.text_query import TextQuery
from penchant.models.calibration import LISTED
from penchant.models.topk import TopK, mask_other_domains, mask_seen, top_k, topk_threshold
from penchant.recommendation.interests import apply_controls
from penchant.recommendation.results import RecommendationBatch
from penchant.recommendation.text_search import ActiveQuery, active_queries, profile_query
from penchant.types import Floats, Ints, Scores

if TYPE_CHECKING:
    from penchant.recommendation.model import Model

_UNSCORED = -np.finfo(np.float64).max  # an item without a score comes after all that have one
_FEW = 1 << 12  # items of which the best are found by sorting them all


class Scored(NamedTuple):
    """Scores of all items after some histories, (B, N): -inf for what no list may hold.

    ``best`` are the best of each, which probabilities are of; None in a run without calibration.
    ``among`` (I,) are the items of one history among which all are that were asked for; None
    where that is not known. ``asked`` (B, N) are the texts that moved items; None where none did.
    """

    histories: Histories
    scores: Scores
    best: TopK | None
    among: Ints | None = None
    asked: NDArray[np.object_] | None = None


def scored(
    model: "Model",
    histories: Histories,
    hidden: Ints | None,
    user: str | None = None,
    wanted: tuple[NDArray[np.bool_] | None, int] | None = None,
    domain: Ints | None = None,
) -> Scored:
    """Score all items, without those that are ``hidden`` and those of muted interests.

    ``hidden`` (E,) is, for each event, the item that it keeps out of its history's list, -1 for
    none. ``user`` names whose the one history is, where the dataset may not know them. ``wanted``
    says what will be asked of one history: so many of the best that a list may hold, (N,) or all;
    what is below them need not be exact.

    What users said in words takes its places last, among the items of a history's ``domain`` (B,),
    -1 for all: probabilities are of the scores without it.
    """
    one, among = model.recommender, None
    keep = None if wanted is None else wanted[0]
    told = _told(model, histories, user)
    wanted = None if told else wanted
    if wanted is None or model.controls.get(user or ""):
        scores = one.score(histories)
    else:
        # as many more as are hidden, and no set of those that are not need be made
        more = 0 if hidden is None else len(hidden)
        keep, count = wanted
        scores, among = one.best(histories, [(None, LISTED + more), (keep, count + more)])
    muted = _steered(model, scores, histories, user)
    if among is None:
        scores[scores == -np.inf] = _UNSCORED
    strangers = histories.lengths == 0
    among = None if strangers.any() else among
    if model.transition is not None and strangers.any():
        # how few events a history has is all that is known of a stranger
        beside = np.diff(model.transition.beside(histories).indptr)
        strangers &= beside <= bool(model.transition.settings.short_history_weight)
    scores[strangers] = _UNSCORED
    mask_seen(scores, histories, hidden)
    scores[muted] = -np.inf
    if among is None and wanted is not None and not strangers.any():
        among = _among(scores[0], *wanted)
    best = None
    if model.calibration is not None:
        best = top_k(scores, LISTED) if among is None else _first(scores[0], among, among, LISTED)
    asked = None
    if told:
        asked = np.full(scores.shape, None, object)
        for row, said in told.items():
            may = keep
            if domain is not None and domain[row] >= 0:
                may = model.dataset.catalogue.domain == domain[row]
            _answer(model, scores[row], asked[row], said, may)
    return Scored(histories, scores, best, among, asked)


def listed(
    model: "Model", found: Scored, k: int, domain: Ints, keep: NDArray[np.bool_] | None = None
) -> RecommendationBatch:
    """The k best items of each history; with k = N all that can be listed, best first.

    ``domain`` (B,) is a row of the domains, -1 for all of them, and ``keep`` (N,) what any list may
    hold; of one history that was scored for what was ``wanted``, no more than that. Items without a
    score follow those that have one, the more popular first.
    """
    best = _listed(model, found, k, domain, keep)
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
    asked = None
    if found.asked is not None:
        asked = np.take_along_axis(found.asked, np.maximum(items, 0), axis=1)
        asked[items < 0] = None
    return RecommendationBatch(found.histories.users, items, values, popular, probability, asked)


def _told(model: "Model", histories: Histories, user: str | None) -> dict[int, list[ActiveQuery]]:
    """What the users of some histories said in words, by the history's number."""
    said = histories.queries
    if said is None:
        said = model.text_matcher.queries(histories) + _written(model, histories, user)
    return active_queries(said, model.recipe.queries)


def _written(model: "Model", histories: Histories, user: str | None) -> tuple[TextQuery, ...]:
    """The interests that users of a run have written themselves, as said before all events."""
    ids, found = model.dataset.users.ids, []
    if not model.profiles:
        return ()
    for row, known in enumerate(histories.users.tolist()):
        name = user if user is not None else ids[known] if known >= 0 else None
        profile = model.profiles.get(name or "")
        if profile is not None and profile.edited:
            before = int(histories.lengths[row])
            found.append(profile_query(profile.text, before, model.recipe.queries, row))
    return tuple(found)


def _answer(
    model: "Model",
    scores: Floats,
    asked: NDArray[np.object_],
    said: Sequence[ActiveQuery],
    keep: NDArray[np.bool_] | None,
) -> None:
    """Give what was said its places among the scores of one history, (N,), in place."""
    open_ = scores > -np.inf if keep is None else (scores > -np.inf) & keep
    own = np.where(open_, scores, -np.inf)
    if not (own[open_] > _UNSCORED).any():  # nothing is known but what is popular
        own = np.where(open_, np.log1p(model.popularity) - model.by_popularity_rank * 1e-9, own)
    weight = model.recipe.queries.weight
    found, part = model.text_matcher.blend(own, said, weight, model.by_popularity)
    scores[open_] = found.scores[open_]
    for number, one in enumerate(part):
        asked[found.query == number] = one.text


def _among(scores: Floats, keep: NDArray[np.bool_] | None, count: int) -> Ints | None:
    """Some items among which the best of all and of some are; None where they are too many."""
    kept = scores if keep is None else np.where(keep, scores, -np.inf)
    low = min(topk_threshold(scores[None], LISTED).min(), topk_threshold(kept[None], count).min())
    among = np.flatnonzero(scores >= low)
    return among if len(among) < _FEW else None


def _listed(
    model: "Model", found: Scored, k: int, domain: Ints, keep: NDArray[np.bool_] | None
) -> TopK:
    """The items of ``listed``; among equal scores the more popular comes first."""
    scores, among = found.scores, found.among
    if among is not None and (domain < 0).all():
        among = among if keep is None else among[keep[among]]
        return _first(scores[0], among, model.by_popularity_rank[among], k)
    if keep is not None:
        scores = np.where(keep, scores, -np.inf)
    elif (domain >= 0).any():
        scores = scores.copy()
    mask_other_domains(scores, model.dataset.catalogue, domain)
    best = top_k(scores[:, model.by_popularity], k)
    return TopK(np.where(best.items >= 0, model.by_popularity[best.items], -1), best.scores)


def _first(scores: Floats, items: Ints, ties: Ints, k: int) -> TopK:
    """The k best of some items (I,) by scores of all (N,), (1, k); ``ties`` (I,) ascend."""
    order = np.lexsort((ties, -scores[items]))[:k]
    order = order[scores[items[order]] > -np.inf]
    found = TopK(np.full((1, k), -1), np.full((1, k), -np.inf))
    found.items[0, : len(order)] = items[order]
    found.scores[0, : len(order)] = scores[items[order]]
    return found


def _steered(
    model: "Model", scores: Scores, histories: Histories, user: str | None
) -> tuple[Ints, Ints]:
    """Bring the rows of users with controls to what they want; the cells that these hide."""
    rows, hidden = [], []
    if user is not None:
        asked = {0: user} if model.controls.get(user) else {}
    elif not model.controls:
        asked = {}
    else:
        known = model.dataset.users.rows(model.controls)
        places = np.flatnonzero(np.isin(histories.users, known[known >= 0]))
        asked = {int(at): model.dataset.users.ids[histories.users[at]] for at in places}
    for row, name in asked.items():
        given = histories.take(np.array([row]))
        scores[row], out = apply_controls(model.recommender, given, model.interests_of(given, name))
        hidden.append(np.flatnonzero(out))
        rows.append(np.full(len(hidden[-1]), row))
    return np.concatenate([[], *rows]).astype(int), np.concatenate([[], *hidden]).astype(int)
