"""Lists, explanations and interests of who asks, from all that is known when they ask."""

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
from penchant.serve.service.live import History, Known, Live
from penchant.serve.service.pagination import LONGEST, Page
from penchant.serve.service.variant import Arm
from penchant.serve.store.records import Shown, now
from penchant.types import Mask


@dataclass(frozen=True)
class Ask:
    """A request for a list.

    history  of items that comes with the request and is not stored
    rules    settings of this request, over the rules of the service
    logged   whether what is listed counts as an impression
    query    a question that the list is to answer
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
class Served:
    """A list with what tells where it came from; ``page`` is that of the list's next part."""

    found: Recommendation
    request: str
    arm: str
    artifact: str
    page: Page | None
    consent: bool
    question: Question | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON types, without the page."""
        told = {"request": self.request, "arm": self.arm, "artifact": self.artifact[:12]}
        asked = self.question and self.question.to_dict()
        return self.found.to_dict() | told | {"consent": self.consent, "question": asked}


def recommend(live: Live, ask: Ask) -> Served:
    """The list of a request, from all that is known when it comes.

    Raises ConfigError for a behavior, domain, rule or k that is not known.
    """
    request_id = uuid4().hex if ask.page is None else ask.page.request
    known = live.known(ask.user, ask.session, ask.history, ask.behavior, request_id)
    arm, head, history = known.arm, known.head, known.given
    before = ask.page.shown if ask.page else ()
    at = now()
    request = ListRequest(
        k=ask.k,
        user=ask.user,
        domain=ask.domain,
        repeats=ask.repeats,
        allowed=_allowed(arm, before, at),
        rules=_rules(live, ask),
        request_id=f"{request_id}/{len(before)}",
        explain=ask.explain and len(history.events) > 0,
    )
    asked = None
    if ask.query is not None:
        asked = read_question(ask.query, head.dataset.catalogue, live.llm)
        request, history = asked.narrowed(request), asked.applied_to(history)
    reranker = None
    if request.rules is not None and request.rules != Rules():
        reranker = arm.reranker(ask.behavior, request.rules)
        if head is not reranker.model:
            reranker = reranker.with_model(head)
    else:
        request = replace(request, rules=None)
    found = replace(build_list(head, history, request, reranker), unknown=known.strange)
    served = Served(found, request_id, arm.name, arm.digest, None, known.consent, asked)
    shown = (*before, *(row.item for row in found.items))
    if ask.logged and found.items:
        live.log.add(_impressions(served, ask, head.dataset.target, len(before), at))
    more = not found.short and len(shown) < LONGEST
    return replace(served, page=Page(request_id, shown) if more else None)


def _allowed(arm: Arm, shown: Sequence[str], at: float) -> Mask | None:
    """Which items the next page may hold, (N,); None for all."""
    allowed = arm.keep(at)
    if shown:
        items = arm.model.dataset.catalogue.items
        allowed = np.ones(len(items.ids), bool) if allowed is None else allowed.copy()
        rows = items.rows(shown)
        allowed[rows[rows >= 0]] = False
    return allowed


def _rules(live: Live, ask: Ask) -> Rules:
    """The rules of the service with those of a request over them."""
    if not ask.rules:
        return live.rules
    settings = live.rules.model_dump() | dict(ask.rules)
    if settings["diversity"] > 0 and settings["method"] == "none":
        settings["method"] = "mmr"
    return parse(Rules, settings, "the request")


def similar(live: Live, item: str, k: int = 10) -> tuple[ScoredItem, ...]:
    """The k items most like one, of those that lists may hold now."""
    live.follow(live.store.revision)
    arm = live.arm_of(item)
    keep, items = arm.keep(now()), arm.model.dataset.catalogue.items
    hidden = 0 if keep is None else int(len(keep) - keep.sum())
    found = arm.model.similar(item, k + hidden)
    if keep is not None:
        found = tuple(one for one in found if keep[items.index[one.item]])
    return found[:k]


def explain(
    live: Live, user: str, item: str, behavior: str | None = None, words: bool = False
) -> dict[str, Any]:
    """Why an item has its score for a user; ConfigError for an item that is not known.

    With ``words`` also as the service's language model says it, or in plain words with a note.
    """
    of = live.known(user, behavior=behavior)
    found = explained(of.head, item, user=user, given=of.given)
    if not words:
        return found.to_dict()
    said = word_explanation(found, of.head.dataset.catalogue, live.llm)
    return found.to_dict() | {"worded": said.to_dict()}


def interests(live: Live, user: str) -> Interests:
    """The interests of a user from all that is known."""
    return interests_of(live.known(user), user)


def named_interests(live: Live, user: str) -> dict[str, Any]:
    """The same as JSON types, with a name and a sentence for each."""
    of = live.known(user)
    found = interests_of(of, user)
    words = name_interests(found, of.head.dataset.catalogue, live.llm)
    return found.to_dict() | {"worded": words.to_dict()}


def interests_of(of: Known, user: str) -> Interests:
    """The interests of a user of whom this is known."""
    return of.head.interests_of(of.given, user)


def steer(live: Live, user: str, interest: str, factor: float) -> Interests:
    """Mute (0), boost (above 1) or leave (1) an interest of a user; lists follow at once.

    Raises ConfigError for an interest that the user does not have.
    """
    of = live.known(user)
    said = set_control(interests_of(of, user), of.said, interest, factor)
    live.store.control(user, said)
    return interests(live, user)


def _impressions(served: Served, ask: Ask, behavior: str, before: int, at: int) -> list[Shown]:
    found = served.found
    user = ask.user if served.consent else None
    told = served.request, user, ask.session, served.arm, served.artifact, behavior
    drawn: dict[int, tuple[str, ...]] = {}
    propensities: Sequence[float] = [1.0] * len(found.items)
    if isinstance(found, Reranked):
        drawn = dict(zip(found.explored, found.candidates, strict=True))
        propensities = found.propensities
    return [
        Shown(
            *told,
            before + place,
            row.item,
            propensities[place - 1],
            list(drawn[place]) if place in drawn else None,
            at,
        )
        for place, row in enumerate(found.items, 1)
    ]
