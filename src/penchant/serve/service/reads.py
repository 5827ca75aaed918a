"""Lists, explanations and interests of who asks, from all that is known when they ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np

from penchant.config import parse
from penchant.errors import ConfigError
from penchant.llm.tasks.explanation_text import worded
from penchant.llm.tasks.interest_names import named
from penchant.llm.tasks.question import Question, question
from penchant.recommendation import Model
from penchant.recommendation.explain import explain as explained
from penchant.recommendation.explain import with_reasons
from penchant.recommendation.interests import Interests, set_control
from penchant.recommendation.ranking import listed, scored
from penchant.recommendation.rerank import Reranked, Rules
from penchant.recommendation.results import POPULAR, Recommendation, ScoredItem
from penchant.serve.service.live import History, Known, Live
from penchant.serve.service.pagination import LONGEST, Page
from penchant.serve.store.records import Shown, now


@dataclass(frozen=True)
class Ask:
    """A request for a list; ``asked`` are rules of this request, over those of the service.

    With a ``query`` the list is what fits that question.
    """

    user: str | None = None
    session: str | None = None
    history: History = ()
    k: int = 10
    behavior: str | None = None
    domain: str | None = None
    asked: Mapping[str, Any] | None = None
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
    if ask.k < 1:
        raise ConfigError(f"expected k of at least 1, received {ask.k}")
    request = uuid4().hex if ask.page is None else ask.page.request
    of = live.known(ask.user, ask.session, ask.history, ask.behavior, request)
    arm, head = of.arm, of.head
    at, keep = now(), arm.keep(now())
    before = ask.page.shown if ask.page else ()
    if before:
        keep = np.ones(len(head.dataset.catalogue), bool) if keep is None else keep.copy()
        rows = head.dataset.catalogue.items.rows(before)
        keep[rows[rows >= 0]] = False
    rules = _rules(live, ask)
    asked = None
    if ask.query is not None:
        asked = question(ask.query, head.dataset.catalogue, live.llm)
        rules = asked.within(rules)
        of = replace(of, given=asked.of(of.given))
        ask = replace(ask, domain=ask.domain or asked.read.domain)
    found: Recommendation
    if rules == Rules():
        found = _plain(head, of, ask, keep)
    else:
        reranker = arm.reranker(ask.behavior, rules)
        if head is not reranker.model:
            reranker = reranker.of(head)
        found = reranker(
            ask.user,
            None if ask.user is not None else [],
            k=ask.k,
            domain=ask.domain,
            request=f"{request}/{len(before)}",
            given=of.given,
            keep=keep,
        )
    if ask.explain and len(of.given.events):
        found = with_reasons(head, found, of.given)
    found = replace(found, user=ask.user, unknown=of.strange)
    served = Served(found, request, arm.name, arm.digest, None, of.consent, asked)
    shown = (*before, *(row.item for row in found.items))
    if ask.logged and found.items:
        live.log.add(_impressions(served, ask, head.dataset.target, len(before), at))
    more = not found.short and len(shown) < LONGEST
    return replace(served, page=Page(request, shown) if more else None)


def _rules(live: Live, ask: Ask) -> Rules:
    if not ask.asked and ask.repeats is None:
        return live.rules
    said = live.rules.model_dump() | dict(ask.asked or {})
    if said["diversity"] > 0 and said["method"] == "none":
        said["method"] = "mmr"
    if ask.repeats is not None:
        arm = next(iter(live.arms.values()))
        said["repeat"] = {b.name: ask.repeats for b in arm.model.dataset.catalogue.behaviors}
    return parse(Rules, said, "the request")


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
    said = worded(found, of.head.dataset.catalogue, live.llm)
    return found.to_dict() | {"worded": said.to_dict()}


def interests(live: Live, user: str) -> Interests:
    """The interests of a user from all that is known."""
    return interests_of(live.known(user), user)


def named_interests(live: Live, user: str) -> dict[str, Any]:
    """The same as JSON types, with a name and a sentence for each."""
    of = live.known(user)
    found = interests_of(of, user)
    words = named(found, of.head.dataset.catalogue, live.llm)
    return found.to_dict() | {"worded": words.to_dict()}


def interests_of(of: Known, user: str) -> Interests:
    """The interests of a user of whom this is known."""
    return of.arm.spaced(of.head).interests_of(of.given, user)


def steer(live: Live, user: str, interest: str, factor: float) -> Interests:
    """Mute (0), boost (above 1) or leave (1) an interest of a user; lists follow at once.

    Raises ConfigError for an interest that the user does not have.
    """
    of = live.known(user)
    said = set_control(interests_of(of, user), of.said, interest, factor)
    live.store.control(user, said)
    return interests(live, user)


def _plain(head: Model, of: Known, ask: Ask, keep: Any) -> Recommendation:
    """The list without any rule."""
    given, catalogue = of.given, head.dataset.catalogue
    row = -1 if ask.domain is None else catalogue.domain_row(ask.domain)
    hidden = None if head.recipe.repeats else given.events.item
    if row >= 0:
        keep = (catalogue.domain == row) & (True if keep is None else keep)
    found = scored(head, given, hidden, ask.user, (keep, ask.k))
    rows = head.named(listed(head, found, ask.k, np.array([-1]), keep))
    source = head.family if any(one.source != POPULAR for one in rows) else POPULAR
    return Recommendation(ask.user, source, rows, len(rows) < ask.k, of.strange)


def _impressions(served: Served, ask: Ask, behavior: str, before: int, at: int) -> list[Shown]:
    found = served.found
    user = ask.user if served.consent else None
    told = served.request, user, ask.session, served.arm, served.artifact, behavior
    drawn: dict[int, tuple[str, ...]] = {}
    propensities: Sequence[float] = [1.0] * len(found.items)
    if isinstance(found, Reranked):
        drawn = dict(zip(found.explored, found.among, strict=True))
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
