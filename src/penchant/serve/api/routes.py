"""The endpoints of the service: each reads a request and answers with JSON."""

import json
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY

from penchant.errors import ConfigError
from penchant.privacy.subject_access import collect
from penchant.serve.api import schemas as s
from penchant.serve.api.authorization import require_scope
from penchant.serve.api.event_schemas import Batch, EventIn, EventsOut
from penchant.serve.api.problems import Problem
from penchant.serve.service import pagination, reads
from penchant.serve.service import writes as service_writes
from penchant.serve.service.reads import RecommendationRequest
from penchant.serve.service.recommendation_service import History, RecommendationService
from penchant.serve.store.records import now
from penchant.serve.store.subject_access import SubjectAccess

EVENTS = Counter("penchant_events", "Events posted.", ["outcome"])
LISTS = Counter("penchant_lists", "Lists served.", ["variant", "source"])


async def service_of(request: Request) -> RecommendationService:
    """The service behind a request."""
    service: RecommendationService = request.app.state.service
    return service


Service = Annotated[RecommendationService, Depends(service_of)]
READ, WRITE, ADMIN = [require_scope("read")], [require_scope("write")], [require_scope("admin")]
lists, writes, admin, health = (
    APIRouter(tags=["lists"], dependencies=READ),
    APIRouter(tags=["events and users"], dependencies=WRITE),
    APIRouter(tags=["items and operations"], dependencies=ADMIN),
    APIRouter(tags=["health"]),
)


def json_response(content: Any, status: int = 200) -> Response:
    """A response of JSON."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "backslashreplace"), status, media_type="application/json")


def documents(model: Any) -> dict[str, Any]:
    """The response model in the OpenAPI schema of a route that serializes its own response."""
    return {"response_model": None, "responses": {200: {"model": model}}}


@lists.get("/users/{user}/recommendations", **documents(s.ListOut))
def recommendations(
    service: Service,
    user: s.PathName,
    query: Annotated[s.ListQuery, Query()],
) -> Response:
    """Get recommendations for a user, from all events that were accepted before."""
    return _recommend(service, user, None, (), query)


@lists.post("/recommendations", **documents(s.ListOut))
def anonymous(service: Service, body: s.AnonymousListIn) -> Response:
    """Get recommendations for a session, or for a history of the request, which is not stored."""
    target = service.main.model.dataset.target
    history = tuple(
        event if isinstance(event, str) else (event.item, event.behavior or target)
        for event in body.history
    )
    return _recommend(service, None, body.session, history, body)


def _recommend(
    service: RecommendationService,
    user: str | None,
    session: str | None,
    history: History,
    query: s.ListQuery,
) -> Response:
    served = reads.recommend(
        service,
        RecommendationRequest(
            user=user,
            session=session,
            history=history,
            k=query.k,
            behavior=query.behavior,
            domain=query.domain,
            rules=query.rules,
            repeats=query.repeats,
            explain=query.explain,
            page=None if query.page is None else pagination.parse_token(query.page),
            query=query.query,
        ),
    )
    LISTS.labels(served.variant, served.recommendation.source).inc()
    following = served.page and pagination.encode_token(served.page)
    return json_response(served.to_dict() | {"next": following})


@lists.get("/items/{item}/similar", **documents(s.SimilarOut))
def similar(
    service: Service, item: s.PathName, k: Annotated[int, Query(ge=1, le=200)] = 10
) -> Response:
    """Get the items most similar to one."""
    _require_item(service, item)
    rows = [row._asdict() for row in reads.similar(service, item, k)]
    return json_response({"item": item, "items": rows})


@lists.get("/users/{user}/interests", **documents(s.InterestsOut))
def interests(service: Service, user: s.PathName, worded: bool = False) -> Response:
    """Get the interests of a user, with their factors.

    ``worded`` adds a name and a sentence for each: written by the language model of the service,
    if there is one and it answers, else generated.
    """
    if worded:
        return json_response(reads.named_interests(service, user) | {"user": user})
    return json_response(reads.interests(service, user).to_dict() | {"user": user})


@lists.get("/users/{user}/explanations/{item}", response_model=None)
def explanation(
    service: Service,
    user: s.PathName,
    item: s.PathName,
    behavior: s.Name | None = None,
    worded: bool = False,
) -> Response:
    """Explain the score of an item for a user: by events, interests and parts of the model.

    ``worded`` adds two sentences of the language model, checked against these facts.
    """
    _require_item(service, item)
    return json_response(reads.explain(service, user, item, behavior, worded))


def _require_item(service: RecommendationService, item: str) -> None:
    service.follow(service.store.revision)
    if item not in service.variant_of(item).model.dataset.catalogue.items:
        raise Problem(404, f"unknown item {item[:200]!r}", "POST /items adds it")


@writes.post("/events", **documents(EventsOut))
def events(service: Service, body: EventIn | Batch) -> Response:
    """Store an event or a batch: on disk when this responds, and used by the next request."""
    batch, at = body if isinstance(body, list) else [body], now()
    late = [(place, "timestamp: more than a day in the future") for place, e in enumerate(batch) if e.ahead(at)]  # noqa: E501  # fmt: skip
    ahead = {place for place, _ in late}
    kept = [place for place in range(len(batch)) if place not in ahead]
    number = uuid4().hex
    added = service_writes.post(service, [batch[p].to_record(f"{number}-{p}", at) for p in kept])
    refused = sorted([*late, *((kept[place], reason) for place, reason in added.refused)])
    EVENTS.labels("accepted").inc(added.accepted)
    EVENTS.labels("duplicate").inc(added.duplicates)
    EVENTS.labels("refused").inc(len(refused))
    if refused and not added.accepted + added.duplicates:
        raise Problem(
            422, f"no event was stored; the first: {refused[0][1]}", "correct it and send it again"
        )
    names = service.main.model.dataset.catalogue.items
    content = {
        "accepted": added.accepted,
        "duplicates": added.duplicates,
        "refused": [{"index": place, "reason": reason} for place, reason in refused],
        "unknown_items": sum(1 for e in batch if e.item is not None and e.item not in names),
    }
    return json_response(content)


@writes.put("/sessions/{session}/user", **documents(s.MergedOut))
def sign_in(service: Service, session: s.PathName, body: s.SignIn) -> Response:
    """Assign an anonymous session, and its later events, to a user."""
    return json_response({"user": body.user, "events": service.store.merge(session, body.user)})


@writes.patch("/users/{user}/interests/{interest}", **documents(s.InterestsOut))
def steer(service: Service, user: s.PathName, interest: s.PathName, body: s.FactorIn) -> Response:
    """Mute, boost or reset an interest; lists change at once."""
    if interest not in {entry.id for entry in reads.interests(service, user).clusters}:
        raise Problem(404, "this user has no such interest", "GET .../interests lists them")
    found = reads.steer(service, user, interest, body.factor)
    return json_response(found.to_dict() | {"user": user})


@writes.put("/users/{user}/consent", status_code=204)
def consent(service: Service, user: s.PathName, body: s.ConsentIn) -> None:
    """Set whether a user consents to personalization; without it, lists are popular items."""
    service.store.set_consent(user, body.personalization)


@writes.delete("/users/{user}", **documents(s.ForgottenOut))
def forget(service: Service, user: s.PathName) -> Response:
    """Forget a user: from now on, no response uses any of their data."""
    return json_response(service_writes.forget(service, user))


@admin.get("/users/{user}/export", **documents(s.SubjectOut))
def export(service: Service, user: s.PathName) -> Response:
    """Export everything that is stored about a user: events, attributes, impressions, consent."""
    service.log.flush()
    service.follow(service.store.revision)
    runs = {v.name: v.model for v in service.variants.values() if not service.erased(v, user)}
    try:
        return json_response(collect(user, runs, SubjectAccess(service.store).records(user)))
    except ConfigError as error:
        raise Problem(404, "nothing is stored about this user", "check the identifier") from error


@admin.post("/items", **documents(s.ItemsOut))
def put_items(
    service: Service,
    body: s.ItemIn | Annotated[list[s.ItemIn], s.Field(min_length=1, max_length=s.BATCH)],
) -> Response:
    """Add items or replace their columns; the next list may contain them."""
    batch = body if isinstance(body, list) else [body]
    items = {}
    for item in batch:
        cells = item.model_dump(exclude_none=True)
        for name in ("image", "audio"):
            if name in cells:
                raise Problem(422, f"{name}: files cannot be posted", "add items with files by penchant update --items")  # noqa: E501  # fmt: skip
        items[cells.pop("item")] = cells
    service_writes.put_items(service, items)
    return json_response({"items": len(items)})


@admin.patch("/items/{item}", status_code=204)
def state(service: Service, item: s.PathName, body: s.StateIn) -> None:
    """Hide an item or show it again, or set its stock and availability."""
    _require_item(service, item)
    changed = {name: getattr(body, name) for name in body.model_fields_set}
    service_writes.set_states(service, {item: changed})


@admin.delete("/items/{item}", status_code=204)
def delete_item(service: Service, item: s.PathName) -> None:
    """Remove an item from all lists, until it is posted again."""
    _require_item(service, item)
    service_writes.set_states(service, {item: {"deleted": True}})


@admin.post("/admin/reload", **documents(s.ReloadOut))
def reload(service: Service, body: s.ReloadIn) -> Response:
    """Serve another artifact on all workers, without dropping a request.

    A damaged one, or one that the release gate rejects, is answered with 409 and changes nothing.
    """
    try:
        variant = service.reload(body.variant, body.path, body.force)
    except ConfigError as error:
        raise Problem(409, str(error), "compare penchant evaluate of both runs") from error
    return json_response({"variant": variant.name, "artifact": variant.digest[:12]})


@admin.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Get counts and response times of all workers, for Prometheus."""
    return Response(generate_latest(registry_of(request)), media_type=CONTENT_TYPE_LATEST)


def registry_of(request: Request) -> CollectorRegistry:
    """The registry with the counts of all workers."""
    if not request.app.state.multiprocess:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


@health.get("/healthz", **documents(s.HealthOut))
async def alive() -> Response:
    """Check that this worker runs."""
    return json_response({"status": "ok"})


@health.get("/readyz", **documents(s.HealthOut))
def ready(service: Service) -> Response:
    """Check that this worker reaches the store and has a model."""
    service.follow(service.store.revision)
    return json_response({"status": "ok"})


ROUTERS: tuple[APIRouter, ...] = (lists, writes, admin, health)
