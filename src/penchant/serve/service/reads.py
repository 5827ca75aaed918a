"""Lists, explanations and interests, from everything that is known when the request comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np

from penchant.config import parse
from penchant.llm.tasks.explanation_text import word_explanation
from penchant.llm.tasks.interest_names import name_interests
from penchant.llm.tasks.question import read_question
from penchant.recommendation.explain import explain as explained
from penchant.recommendation.interests import Interests, set_control
from penchant.recommendation.lists import build_list
from penchant.recommendation.question import Question
from penchant.recommendation.request import ListRequest
from penchant.recommendation.results import Recommendation, Reranked, ScoredItem
from penchant.recommendation.rules import Rules
from penchant.serve.service.pagination import MAX_PAGED_ITEMS, Page
from penchant.serve.service.recommendation_service import (
    History,
    RecommendationService,
    RequestContext,
)
from penchant.serve.service.variant import Variant
from penchant.serve.store.records import Impression, now
from penchant.types import Mask


@dataclass(frozen=True)
class RecommendationRequest:
    """A request for a list.

    Parameters
    ----------
    user, session, history
        Who asks: a user, an anonymous session, or a history that comes with the request.
    k
        Number of items.
    behavior, domain
        What is predicted, and of which domain; default: the target, and any domain.
    rules
        Rules of this request, over those of the service.
    repeats
        Whether items of the history may be listed again; None leaves it to the rules.
    explain
        Whether each item comes with its reasons.
    page
        What the pages before have shown.
    logged
        Whether the list is logged as impressions.
    query
        A search text; the list then answers it.
    """

    user: str | None = None
    session: str | None = None
    history: History = ()
    k: int = 10
    behavior: str | None = None
    domain: str | None = None
    rules: Mapping[str, Any] | None = None
    repeats: bool | None = None
    explain: bool = False
    page: Page | None = None
    logged: bool = True
    query: str | None = None


@dataclass(frozen=True)
class ServedList:
    """A list and where it came from; ``page`` asks for the next part of the list."""

    recommendation: Recommendation
    request: str
    variant: str
    artifact: str
    page: Page | None
    consent: bool
    question: Question | None = None

    def to_dict(self) -> dict[str, object]:
        """As JSON types, without the page."""
        return self.recommendation.to_dict() | {
            "request": self.request,
            "variant": self.variant,
            "artifact": self.artifact[:12],
            "consent": self.consent,
            "question": self.question and self.question.to_dict(),
        }


def recommend(service: RecommendationService, request: RecommendationRequest) -> ServedList:
    """The list of a request, from everything that is known when it comes.

    Raises
    ------
    ConfigError
        For an unknown behavior, domain or rule, and for k below 1.
    """
    id = uuid4().hex if request.page is None else request.page.request
    context = service.context(request.user, request.session, request.history, request.behavior, id)
    variant, model, history = context.variant, context.model, context.history
    time, before = now(), request.page.shown if request.page else ()
    wanted = ListRequest(
        k=request.k,
        user=request.user,
        domain=request.domain,
        repeats=request.repeats,
        allowed=_allowed(variant, before, time),
        rules=_rules(service, request),
        request_id=f"{id}/{len(before)}",
        explain=request.explain and len(history.events) > 0,
    )
    parsed = None
    if request.query is not None:
        parsed = read_question(request.query, model.dataset.catalogue, service.llm)
        wanted, history = parsed.narrowed(wanted), parsed.applied_to(history)
    reranker = None
    if wanted.rules is not None and wanted.rules != Rules():
        reranker = variant.reranker(request.behavior, wanted.rules)
        if model is not reranker.model:
            reranker = reranker.with_model(model)
    else:
        wanted = replace(wanted, rules=None)
    found = replace(build_list(model, history, wanted, reranker), unknown=context.unknown_items)
    served = ServedList(found, id, variant.name, variant.digest, None, context.consent, parsed)
    if request.logged and found.items:
        impressions = _impressions(served, request, model.dataset.target, len(before), time)
        service.log.add(impressions)
    shown = (*before, *(row.item for row in found.items))
    more = not found.short and len(shown) < MAX_PAGED_ITEMS
    return replace(served, page=Page(id, shown) if more else None)


def _allowed(variant: Variant, shown: Sequence[str], time: float) -> Mask | None:
    """Which items the next page may hold, (N,); None for all."""
    allowed = variant.keep(time)
    if shown:
        items = variant.model.dataset.catalogue.items
        allowed = np.ones(len(items.ids), bool) if allowed is None else allowed.copy()
        rows = items.rows(shown)
        allowed[rows[rows >= 0]] = False
    return allowed


def _rules(service: RecommendationService, request: RecommendationRequest) -> Rules:
    """The rules of the service, with those of a request over them."""
    if not request.rules:
        return service.rules
    settings = service.rules.model_dump() | dict(request.rules)
    if settings["diversity"] > 0 and settings["method"] == "none":
        settings["method"] = "mmr"
    return parse(Rules, settings, "the request")


def similar(service: RecommendationService, item: str, k: int = 10) -> tuple[ScoredItem, ...]:
    """The k items most similar to one, of those that lists may hold now."""
    service.follow(service.store.revision)
    variant = service.variant_of(item)
    keep, items = variant.keep(now()), variant.model.dataset.catalogue.items
    hidden = 0 if keep is None else int(len(keep) - keep.sum())
    rows = variant.model.similar(item, k + hidden)
    if keep is not None:
        rows = tuple(row for row in rows if keep[items.index[row.item]])
    return rows[:k]


def explain(
    service: RecommendationService,
    user: str,
    item: str,
    behavior: str | None = None,
    words: bool = False,
) -> Mapping[str, Any]:
    """Why an item has its score for a user, as JSON types; ConfigError for an unknown item.

    ``words`` adds sentences of the service's language model, or plain ones with a note.
    """
    context = service.context(user, behavior=behavior)
    explanation = explained(context.model, item, user=user, given=context.history)
    if not words:
        return explanation.to_dict()
    text = word_explanation(explanation, context.model.dataset.catalogue, service.llm)
    return explanation.to_dict() | {"worded": text.to_dict()}


def interests(service: RecommendationService, user: str) -> Interests:
    """The interests of a user, from everything that is known."""
    return interests_of(service.context(user), user)


def named_interests(service: RecommendationService, user: str) -> dict[str, object]:
    """The same as JSON types, with a name and a sentence for each interest."""
    context = service.context(user)
    found = interests_of(context, user)
    words = name_interests(found, context.model.dataset.catalogue, service.llm)
    return found.to_dict() | {"worded": words.to_dict()}


def interests_of(context: RequestContext, user: str) -> Interests:
    """The interests of a user in a context."""
    return context.model.interests_of(context.history, user)


def steer(service: RecommendationService, user: str, interest: str, factor: float) -> Interests:
    """Mute (0), boost (above 1) or reset (1) an interest of a user; lists change at once.

    Raises ConfigError for an interest that the user does not have.
    """
    context = service.context(user)
    controls = set_control(interests_of(context, user), context.controls, interest, factor)
    service.store.set_controls(user, controls)
    return interests(service, user)


def _impressions(
    served: ServedList, request: RecommendationRequest, behavior: str, before: int, time: int
) -> list[Impression]:
    found = served.recommendation
    explored: dict[int, tuple[str, ...]] = {}
    propensities: Sequence[float] = [1.0] * len(found.items)
    if isinstance(found, Reranked):
        explored = dict(zip(found.explored, found.candidates, strict=True))
        propensities = found.propensities
    return [
        Impression(
            request=served.request,
            user=request.user if served.consent else None,
            session=request.session,
            variant=served.variant,
            artifact=served.artifact,
            behavior=behavior,
            position=before + place,
            item=row.item,
            propensity=propensities[place - 1],
            candidates=list(explored[place]) if place in explored else None,
            time=time,
        )
        for place, row in enumerate(found.items, 1)
    ]
