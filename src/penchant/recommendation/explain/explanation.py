"""Why an item is recommended, and what the list would be without an event."""

from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from penchant.data.dataset import Histories
from penchant.recommendation.explain.contributions import Past, Reason, Share, sentence
from penchant.recommendation.fitted import FittedModel, HistoryLike
from penchant.recommendation.ranking import rank
from penchant.recommendation.request import ListRequest
from penchant.recommendation.results import Recommendation

L = TypeVar("L", bound=Recommendation)


class Without(NamedTuple):
    """What happens without the events about one thing of the past.

    rank      of the item as it is, 1 being the first of what can be listed
    deleted   what the transition score loses where the events are masked and all ages stay
    removed   the rank after a history in which they never were (the counterfactual)
    """

    about: str
    title: str | None
    rank: int
    deleted: float
    removed: int


class Deep(NamedTuple):
    """The logit of the sequence expert, by integrated gradients (Sundararajan et al. 2017, eq. 1).

    baseline  the logit of a history whose events say nothing, at their places
    reasons   what each event adds, the largest first
    residue   logit - baseline - the sum of these: the error of the integral
    """

    logit: float
    baseline: float
    reasons: tuple[Reason, ...]
    residue: float


class Explanation(NamedTuple):
    """Why an item has its score.

    score      of the transition expert, and ``reasons`` the events that it is the sum of; without
               such an expert the model's own, and how much of it is gone without each event
    residue    the score less the sum of all contributions: rounding, and nothing else; without a
               transition expert also what events say together, and what needs no history
    factor     by which boosted interests multiply the item's odds
    interests  the same score as a sum over interests; empty without a transition expert
    parts      of a fusion: each part's signed logit, less its mean over the user's 100 best items
    deep       the sequence expert's logit by events; None where the run has none
    carried    what ties the item to the past most: "together", or a modality
    sentence   for a person
    without    the list without what is cited first; None where nothing is
    """

    user: str | None
    item: str
    title: str | None
    score: float
    reasons: tuple[Reason, ...]
    residue: float
    factor: float
    interests: tuple[Share, ...]
    parts: tuple[Share, ...]
    deep: Deep | None
    carried: str | None
    sentence: str
    without: Without | None

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON types."""
        content = self._asdict()
        for name in ("reasons", "interests", "parts"):
            content[name] = [one._asdict() for one in content[name]]
        if self.deep is not None:
            reasons = [one._asdict() for one in self.deep.reasons]
            content["deep"] = {**self.deep._asdict(), "reasons": reasons}
        if self.without is not None:
            content["without"] = self.without._asdict()
        return content


def explain(
    model: FittedModel,
    item: str,
    *,
    user: str | None = None,
    history: HistoryLike | None = None,
    given: Histories | None = None,
) -> Explanation:
    """Say why an item has its score for a user, or for a history of items.

    score = sum over events e of w(behavior) decay^(age - 1) B[e, item], so each event has its
    signed part, and events past the window have none. Of what a user has muted nothing counts.
    A model without a transition expert is explained by what its own score loses without each
    event, and knows no interests.

    Parameters
    ----------
    model
        A fitted model.
    item
        An item by identifier.
    user
        A user by identifier.
    history
        In place of a user: items, or pairs of item and behavior, the oldest first.
    given
        A history that stands in for the one that the dataset has of the user.

    Returns
    -------
    Explanation
        The signed part of each event and interest, what carried the item most, and a sentence.

    Raises
    ------
    ConfigError
        For an item that is not known, and unless there is one of a user and a history.

    Examples
    --------
    >>> from penchant import fit, from_columns
    >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
    >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
    >>> [reason.about for reason in explain(model, "cup", history=["tea"]).reasons]
    ['tea']
    """
    row = int(model.dataset.catalogue.items.rows([item])[0])
    if row < 0:
        raise model.dataset.unknown_item(item)
    if given is None:
        given, _ = model.history_of(user, history)
    past = Past.of(model, given, user)
    own, beside = past.parts(row)
    score = float(past.scores[row])
    scored = np.isfinite(score)
    reasons, interests = past.reasons(row), past.by_interest(row)
    carried = next((one.carried for one in reasons if one.carried), None)
    return Explanation(
        user,
        model.dataset.catalogue.items.ids[row],
        model.dataset.catalogue.title(row),
        score if scored else 0.0,
        reasons,
        score - float(own.sum() + beside.sum()) if scored else 0.0,
        past.factor(row),
        interests,
        _parts(model, past, row),
        _deep(model, past, row),
        carried,
        sentence(reasons, interests),
        _without(model, past, given, row, reasons),
    )


def with_reasons(model: FittedModel, listed: L, given: Histories) -> L:
    """The list with up to three reasons, and a sentence, for each item that the model scored."""
    past = Past.of(model, given, listed.user)
    items = model.dataset.catalogue.items.rows(row.item for row in listed.items)
    past.read(items)
    rows = []
    for ranked, item in zip(listed.items, items.tolist(), strict=True):
        if ranked.source == model.family:
            reasons = past.reasons(item, 3)
            ranked = ranked._replace(
                reasons=tuple(reason._asdict() for reason in reasons),
                because=sentence(reasons, past.by_interest(item)),
            )
        rows.append(ranked)
    return replace(listed, items=tuple(rows))


def _parts(model: FittedModel, past: Past, row: int) -> tuple[Share, ...]:
    """What each part of a fusion adds to the item's logit, less its mean over the best items."""
    parts = model.recommender.feature_parts(past.given, row)
    mass = sum(map(abs, parts.values())) or 1.0
    return tuple(Share(name, name, part, part / mass) for name, part in parts.items())


def _deep(model: FittedModel, past: Past, row: int) -> Deep | None:
    """The sequence expert's part, by events."""
    expert = model.recommender.sequence
    if expert is None or not len(past.given.events):
        return None
    logit, baseline, parts = expert.attributed(past.given, row)
    mass = float(np.abs(parts).sum()) or 1.0
    reasons = []
    for place in np.argsort(-np.abs(parts), kind="stable").tolist():
        if not parts[place]:
            continue
        part = float(parts[place])
        about, title, behavior = past.named(place)
        reasons.append(
            Reason(
                about,
                title,
                behavior,
                age=len(parts) - place,
                contribution=part,
                share=part / mass,
                carried=None,
                interest=past.interest[place],
            )
        )
    return Deep(logit, baseline, tuple(reasons), logit - baseline - float(parts.sum()))


def _without(
    model: FittedModel, past: Past, given: Histories, row: int, reasons: tuple[Reason, ...]
) -> Without | None:
    """The list without the events about what is cited first."""
    cited = next((one for one in reasons if one.age and one.contribution > 0), None)
    if cited is None:
        return None
    of, place = past.given, len(past.given.events) - cited.age
    same = (of.events.item == of.events.item[place]) & (of.events.token == of.events.token[place])
    own, _ = past.parts(row)
    seen = np.setdiff1d(given.events.item[given.events.item >= 0], [row])

    every = ListRequest(k=len(model.dataset.catalogue), repeats=True)

    def place_in(history: Histories) -> int:
        bare = Histories(np.array([-1]), history.indptr, history.events)
        items = rank(model, bare, every).items[0]
        items = items[~np.isin(items, seen)]
        return 1 + int(np.flatnonzero(items == row)[0])

    return Without(
        cited.about,
        cited.title,
        place_in(of),
        float(own[same].sum()),
        place_in(of.keep(~same)),
    )
