"""From the scores of a recommender to lists: what is hidden, how ties fall, what is probable."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Histories
from penchant.data.text_query import TextQuery
from penchant.models.calibration import LISTED
from penchant.models.topk import TopK, mask_seen, top_k, topk_threshold
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.interests import apply_controls
from penchant.recommendation.request import ListRequest
from penchant.recommendation.results import (
    ASKED,
    POPULAR,
    Recommendation,
    RecommendationBatch,
    ScoredItem,
)
from penchant.recommendation.text_search import ActiveQuery, active_queries, profile_query
from penchant.types import Floats, Ints, Mask, Scores

_UNSCORED = -np.finfo(np.float64).max  # an item without a score comes after all that have one
_FEW = 1 << 12  # items of which the best are found by sorting them all


class ScoredHistories(NamedTuple):
    """Scores of all items after some histories, (B, N): -inf for what no list may hold.

    best     the best items of each, of which there are probabilities; None without a calibration
    among    rows (I,) that hold all requested items of the one history; None where not known
    queries  the texts that gave items their places, (B, N); None where none did
    """

    histories: Histories
    scores: Scores
    best: TopK | None
    among: Ints | None = None
    queries: NDArray[np.object_] | None = None


def rank(model: FittedModel, histories: Histories, request: ListRequest) -> RecommendationBatch:
    """The k best items of each history; with k = N all that can be listed, best first.

    Items without a score follow those that have one, the more popular first. The model predicts the
    behavior of its target, and rules, query and explanation of the request have no part here.

    Parameters
    ----------
    model
        The model, for the behavior that is requested.
    histories
        B histories.
    request
        ``k``, ``user``, ``domain``, ``repeats`` and ``allowed`` of it are read.

    Returns
    -------
    RecommendationBatch
        Lists (B, k), padded where fewer items are left.

    Raises
    ------
    ConfigError
        For an unknown domain.
    """
    catalogue, allowed = model.dataset.catalogue, request.allowed
    if request.domain is not None:
        mine = catalogue.domain == catalogue.domain_row(request.domain)
        allowed = mine if allowed is None else mine & allowed
    hidden = seen_items(model, histories, request.repeats)
    scored = score_histories(
        model, histories, hidden, user=request.user, allowed=allowed, k=request.k
    )
    return list_items(model, scored, request.k, allowed)


def named_items(
    model: FittedModel, batch: RecommendationBatch, case: int = 0
) -> tuple[ScoredItem, ...]:
    """One list of a batch, its items by name."""
    catalogue = model.dataset.catalogue
    columns = (batch.items, batch.scores, batch.popular, batch.probability)
    queries = [None] * batch.items.shape[1] if batch.queries is None else batch.queries[case]
    return tuple(
        ScoredItem(
            catalogue.items.ids[item],
            float(score),
            catalogue.title(item),
            POPULAR if popular else model.family if text is None else ASKED,
            None if np.isnan(probability) else float(probability),
            because=None if text is None else f"because you asked for “{text}”",
        )
        for item, score, popular, probability, text in zip(
            *(column[case] for column in columns), queries, strict=True
        )
        if item >= 0
    )


def name_list(
    model: FittedModel, batch: RecommendationBatch, request: ListRequest
) -> Recommendation:
    """The first list of a batch as the answer to a request."""
    items = named_items(model, batch)
    return Recommendation(request.user, source_of(model, items), items, len(items) < request.k)


def source_of(model: FittedModel, items: Sequence[ScoredItem]) -> str:
    """Where a list comes from: the model's family, or "popular" where it scored no item."""
    return model.family if any(item.source != POPULAR for item in items) else POPULAR


def seen_items(
    model: FittedModel, histories: Histories, repeats: bool | Mapping[str, bool] | None
) -> Ints | None:
    """The item that each event keeps out of its history's list, -1 for none, (E,); None for none.

    ``repeats`` as in ``ListRequest``.
    """
    items = histories.events.item
    if isinstance(repeats, Mapping):
        may_repeat = [
            repeats.get(behavior.name, model.recipe.repeats)
            for behavior in model.dataset.catalogue.behaviors
        ]
        return np.where(np.array(may_repeat, bool)[histories.events.behavior], -1, items)
    return None if (model.recipe.repeats if repeats is None else repeats) else items


def score_histories(
    model: FittedModel,
    histories: Histories,
    hidden: Ints | None = None,
    *,
    user: str | None = None,
    allowed: Mask | None = None,
    k: int | None = None,
) -> ScoredHistories:
    """Score all items, without those that are hidden and those of muted interests.

    Parameters
    ----------
    model
        The model.
    histories
        B histories.
    hidden
        The item that each event keeps out of its history's list, -1 for none, (E,).
    user
        Whose the one history is, where the dataset need not know them.
    allowed
        Which items may be listed, (N,). Queries take their places among these.
    k
        How many of the best allowed items of one history are needed: the scores of those below them
        need not be exact. Default: all.

    Returns
    -------
    ScoredHistories
        Scores (B, N). Probabilities are of the scores before queries took their places.
    """
    recommender, among = model.recommender, None
    controlled = _controlled_users(model, histories, user)
    active = _active_queries(model, histories, user)
    count = None if active or len(histories) != 1 else k
    if count is None or controlled:
        scores = recommender.score(histories)
    else:
        # as many more as are hidden, and no set of those that are not need be made
        more = 0 if hidden is None else len(hidden)
        wanted = [(None, LISTED + more), (allowed, count + more)]
        scores, among = recommender.best(histories, wanted)
    muted = _apply_controls(model, scores, histories, controlled)
    if among is None:
        scores[scores == -np.inf] = _UNSCORED
    strangers = histories.lengths == 0
    among = None if strangers.any() else among
    if model.transition is not None and strangers.any():
        # how few events a history has is all that is known of a stranger
        beside = np.diff(model.transition.side_inputs(histories).indptr)
        strangers &= beside <= bool(model.transition.settings.short_history_weight)
    scores[strangers] = _UNSCORED
    mask_seen(scores, histories, hidden)
    scores[muted] = -np.inf
    if among is None and count is not None and not strangers.any():
        among = _candidates(scores[0], allowed, count)
    best = None
    if model.calibration is not None:
        best = top_k(scores, LISTED) if among is None else _first(scores[0], among, among, LISTED)
    texts = None
    if active:
        texts = np.full(scores.shape, None, object)
        for row, queries in active.items():
            _blend_queries(model, scores[row], texts[row], queries, allowed)
    return ScoredHistories(histories, scores, best, among, texts)


def list_items(
    model: FittedModel, scored: ScoredHistories, k: int, allowed: Mask | None = None
) -> RecommendationBatch:
    """The k best allowed items of each history that was scored; see ``rank``."""
    top = _top_items(model, scored, k, allowed)
    items = top.items
    popular = (top.scores == _UNSCORED) & (items >= 0)
    share = model.popularity[items] / max(1, model.popularity.sum())
    probability = np.full(items.shape, np.nan)
    if model.calibration is not None and scored.best is not None:
        values = np.where(scored.best.scores == _UNSCORED, -np.inf, scored.best.scores)
        r = model.calibration.probabilities(values, scored.histories.lengths)
        for case, rows in enumerate(scored.best.items):
            by_row = np.argsort(rows)
            among = by_row[np.minimum(np.searchsorted(rows[by_row], items[case]), len(rows) - 1)]
            probability[case] = np.where(rows[among] == items[case], r[case, among], np.nan)
        probability[items < 0] = np.nan
    values = np.where(popular, share, top.scores)
    queries = None
    if scored.queries is not None:
        queries = np.take_along_axis(scored.queries, np.maximum(items, 0), axis=1)
        queries[items < 0] = None
    open_ = scored.scores > -np.inf
    available = np.count_nonzero(open_ if allowed is None else open_ & allowed, axis=1)
    users = scored.histories.users
    return RecommendationBatch(users, items, values, popular, probability, available, queries)


def _active_queries(
    model: FittedModel, histories: Histories, user: str | None
) -> dict[int, list[ActiveQuery]]:
    """The searches and texts that count for some histories, by the history's number."""
    queries = histories.queries
    if queries is None:
        matcher = model.text_matcher
        queries = matcher.queries(histories) + _profile_queries(model, histories, user)
    return active_queries(queries, model.recipe.queries)


def _profile_queries(
    model: FittedModel, histories: Histories, user: str | None
) -> tuple[TextQuery, ...]:
    """The interests that users of a run have written themselves, as queries before all events."""
    if not model.profiles:
        return ()
    ids, queries = model.dataset.users.ids, []
    for row, known in enumerate(histories.users.tolist()):
        name = user if user is not None else ids[known] if known >= 0 else None
        profile = model.profiles.get(name or "")
        if profile is not None and profile.edited:
            length = int(histories.lengths[row])
            queries.append(profile_query(profile.text, length, model.recipe.queries, row))
    return tuple(queries)


def _blend_queries(
    model: FittedModel,
    scores: Floats,
    texts: NDArray[np.object_],
    queries: Sequence[ActiveQuery],
    allowed: Mask | None,
) -> None:
    """Give queries their places among the scores of one history, (N,), in place."""
    open_ = scores > -np.inf if allowed is None else (scores > -np.inf) & allowed
    own = np.where(open_, scores, -np.inf)
    if not (own[open_] > _UNSCORED).any():  # nothing is known but what is popular
        own = np.where(open_, np.log1p(model.popularity) - model.by_popularity_rank * 1e-9, own)
    weight = model.recipe.queries.weight
    blended, part = model.text_matcher.blend(own, queries, weight, model.by_popularity)
    scores[open_] = blended.scores[open_]
    for number, query in enumerate(part):
        texts[blended.query == number] = query.text


def _candidates(scores: Floats, allowed: Mask | None, count: int) -> Ints | None:
    """Items that hold the best of all and of the allowed ones; None where they are too many."""
    own = scores if allowed is None else np.where(allowed, scores, -np.inf)
    low = min(topk_threshold(scores[None], LISTED).min(), topk_threshold(own[None], count).min())
    among = np.flatnonzero(scores >= low)
    return among if len(among) < _FEW else None


def _top_items(model: FittedModel, scored: ScoredHistories, k: int, allowed: Mask | None) -> TopK:
    """The items of ``list_items``; among equal scores the more popular comes first."""
    scores, among = scored.scores, scored.among
    if among is not None:
        among = among if allowed is None else among[allowed[among]]
        return _first(scores[0], among, model.by_popularity_rank[among], k)
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    best = top_k(scores[:, model.by_popularity], k)
    return TopK(np.where(best.items >= 0, model.by_popularity[best.items], -1), best.scores)


def _first(scores: Floats, items: Ints, ties: Ints, k: int) -> TopK:
    """The k best of some items (I,) by scores of all (N,), (1, k); ``ties`` (I,) ascend."""
    order = np.lexsort((ties, -scores[items]))[:k]
    order = order[scores[items[order]] > -np.inf]
    top = TopK(np.full((1, k), -1), np.full((1, k), -np.inf))
    top.items[0, : len(order)] = items[order]
    top.scores[0, : len(order)] = scores[items[order]]
    return top


def _controlled_users(model: FittedModel, histories: Histories, user: str | None) -> dict[int, str]:
    """The users with controls among some histories, by the history's number."""
    if user is not None:
        return {0: user} if model.controls.get(user) else {}
    if not model.controls:
        return {}
    known = model.dataset.users.rows(model.controls)
    rows = np.flatnonzero(np.isin(histories.users, known[known >= 0]))
    return {int(row): model.dataset.users.ids[histories.users[row]] for row in rows}


def _apply_controls(
    model: FittedModel, scores: Scores, histories: Histories, controlled: Mapping[int, str]
) -> tuple[Ints, Ints]:
    """Score the histories of users with controls anew; the cells that these hide."""
    rows, hidden = [], []
    for row, name in controlled.items():
        history = histories.take(np.array([row]))
        interests = model.interests_of(history, name)
        scores[row], muted = apply_controls(model.recommender, history, interests)
        hidden.append(np.flatnonzero(muted))
        rows.append(np.full(len(hidden[-1]), row))
    return np.concatenate([[], *rows]).astype(int), np.concatenate([[], *hidden]).astype(int)
