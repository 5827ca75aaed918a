"""The addresses of the service: each reads a request, asks the live service, answers."""

import json
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import uuid4

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY

from penchant.errors import ConfigError
from penchant.privacy.subject_access import collect
from penchant.serve.api import schemas as s
from penchant.serve.api.api_keys import Bucket, Key, Keys
from penchant.serve.api.problems import Problem
from penchant.serve.service import pagination, reads
from penchant.serve.service import writes as incoming
from penchant.serve.service.live import History, Live
from penchant.serve.service.reads import Ask
from penchant.serve.store.records import now
from penchant.serve.store.subject_access import Held

EVENTS = Counter("penchant_events", "Events posted.", ["outcome"])
LISTS = Counter("penchant_lists", "Lists served.", ["arm", "source"])
COOKIE = "penchant_key"


def scope(name: str) -> Any:
    """What a route depends on: a key that opens a scope, and room in its bucket."""

    # without a thread of its own: a key is looked up once in five seconds
    async def check(request: Request) -> None:
        given = request.headers.get("x-api-key")
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        admitted(request, given or (bearer if kind.lower() == "bearer" else None), name)

    return Depends(check)


def admitted(request: Request, given: str | None, scope: str) -> Key | None:
    """The key of a request that may go on; None where the service asks for none.

    Raises a Problem for a key that is missing, not valid or of another scope, for a cookie that
    another site has sent along, and for more requests than a key may make.
    """
    found = _key_of(request, given)
    if found is not None and not found.may(scope):
        remedy = f"use one that does: penchant keys --add NAME --scopes {scope}"
        raise Problem(403, f"the key {found.name!r} does not open {scope!r}", remedy)
    bucket: Bucket = request.app.state.bucket
    if (wait := bucket.wait("open" if found is None else found.id)) > 0:
        seconds = str(max(1, round(wait)))
        detail = "more requests than this key may make"
        raise Problem(429, detail, f"wait {seconds} s", {"Retry-After": seconds})
    return found


def same_site(request: Request) -> None:
    """Refuse what another site has a browser send: a Problem, with or without keys.

    Browsers say where a request comes from in Sec-Fetch-Site, older ones in Origin; what says
    neither is no browser, and nobody is logged in there.
    """
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not own:
        raise Problem(403, "this request comes from another site", "use the console itself")


def _key_of(request: Request, given: str | None) -> Key | None:
    """The key of a header, or of the console's cookie."""
    keys: Keys | None = request.app.state.keys
    if keys is None:
        return None
    if given is None and (cookie := request.cookies.get(COOKIE)):
        same_site(request)
        given = cookie
    if not given:
        remedy = "send it as X-API-Key or Authorization: Bearer; penchant keys --add makes one"
        raise Problem(401, "a key is needed here", remedy, {"WWW-Authenticate": "Bearer"})
    found = keys.check(given)
    if found is None:
        remedy = "ask who runs the service for another; penchant keys lists them"
        raise Problem(401, "this key is not valid", remedy, {"WWW-Authenticate": "Bearer"})
    return found


async def live_of(request: Request) -> Live:
    """The live service behind a request."""
    live: Live = request.app.state.live
    return live


On = Annotated[Live, Depends(live_of)]
READ, WRITE, ADMIN = [scope("read")], [scope("write")], [scope("admin")]
lists, writes, admin, health = (
    APIRouter(tags=["lists"], dependencies=READ),
    APIRouter(tags=["events and people"], dependencies=WRITE),
    APIRouter(tags=["items and operation"], dependencies=ADMIN),
    APIRouter(tags=["health"]),
)


def answered(content: Any, status: int = 200) -> Response:
    """An answer of JSON."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body.encode("utf-8", "backslashreplace"), status, media_type="application/json")


def shows(model: Any) -> dict[str, Any]:
    """What a route that answers by itself shows in the description."""
    return {"response_model": None, "responses": {200: {"model": model}}}


@lists.get("/users/{user}/recommendations", **shows(s.ListOut))
def recommendations(
    live: On,
    user: s.PathName,
    query: Annotated[s.Asking, Query()],
) -> Response:
    """The best items for a user, from all events that were answered before."""
    return _served(live, user, None, (), query)


@lists.post("/recommendations", **shows(s.ListOut))
def anonymous(live: On, body: s.AskIn) -> Response:
    """The best items for a session, or for a history that comes along and is not kept."""
    target = next(iter(live.arms.values())).model.dataset.target
    history = tuple(
        one if isinstance(one, str) else (one.item, one.behavior or target) for one in body.history
    )
    return _served(live, None, body.session, history, body)


def _served(
    live: Live, user: str | None, session: str | None, history: History, asked: s.Asking
) -> Response:
    shown = None if asked.page is None else pagination.read(asked.page)
    ask = Ask(
        user,
        session,
        history,
        k=asked.k,
        behavior=asked.behavior,
        domain=asked.domain,
        rules=asked.asked,
        repeats=asked.repeats,
        explain=asked.explain,
        page=shown,
        query=asked.query,
    )
    served = reads.recommend(live, ask)
    LISTS.labels(served.arm, served.found.source).inc()
    return answered(served.to_dict() | {"next": served.page and pagination.token(served.page)})


@lists.get("/items/{item}/similar", **shows(s.SimilarOut))
def similar(live: On, item: s.PathName, k: Annotated[int, Query(ge=1, le=200)] = 10) -> Response:
    """The items most like one."""
    _there(live, item)
    rows = [row._asdict() for row in reads.similar(live, item, k)]
    return answered({"item": item, "items": rows})


@lists.get("/users/{user}/interests", **shows(s.InterestsOut))
def interests(live: On, user: s.PathName, worded: bool = False) -> Response:
    """What a user is interested in, and what they have made of it.

    ``worded`` adds a name and a sentence for each: by the service's language model, where one is
    set up and answers, else in plain words.
    """
    if worded:
        return answered(reads.named_interests(live, user) | {"user": user})
    return answered(reads.interests(live, user).to_dict() | {"user": user})


@lists.get("/users/{user}/explanations/{item}", response_model=None)
def explanation(
    live: On,
    user: s.PathName,
    item: s.PathName,
    behavior: s.Name | None = None,
    worded: bool = False,
) -> Response:
    """Why an item has its score for a user: events, interests, parts, the list without.

    ``worded`` adds two sentences of the service's language model, checked against these facts.
    """
    _there(live, item)
    return answered(reads.explain(live, user, item, behavior, worded))


def _there(live: Live, item: str) -> None:
    live.follow(live.store.revision)
    if item not in live.arm_of(item).model.dataset.catalogue.items:
        raise Problem(404, "this item is not known", "POST /items adds it")


@writes.post("/events", **shows(s.EventsOut))
def events(live: On, body: s.EventIn | s.Batch) -> Response:
    """Keep one event or a batch: on disk when this is answered, counted by the next request."""
    batch, at = body if isinstance(body, list) else [body], now()
    late = [(place, "timestamp: more than a day ahead") for place, e in enumerate(batch) if e.ahead(at)]  # noqa: E501  # fmt: skip
    ahead = {place for place, _ in late}
    kept = [place for place in range(len(batch)) if place not in ahead]
    number = uuid4().hex
    added = incoming.post(live, [batch[p].posted(f"{number}-{p}", at) for p in kept])
    refused = sorted([*late, *((kept[place], reason) for place, reason in added.refused)])
    EVENTS.labels("accepted").inc(added.accepted)
    EVENTS.labels("duplicate").inc(added.duplicates)
    EVENTS.labels("refused").inc(len(refused))
    if refused and not added.accepted + added.duplicates:
        raise Problem(422, f"no event was kept; the first: {refused[0][1]}", "mend and send again")
    names = live.arm_of("").model.dataset.catalogue.items
    content = {
        "accepted": added.accepted,
        "duplicates": added.duplicates,
        "refused": [{"index": place, "reason": reason} for place, reason in refused],
        "unknown_items": sum(1 for e in batch if e.item is not None and e.item not in names),
    }
    return answered(content)


@writes.put("/sessions/{session}/user", **shows(s.MergedOut))
def sign_in(live: On, session: s.PathName, body: s.SignIn) -> Response:
    """Give an anonymous session, and what comes of it later, to a user."""
    return answered({"user": body.user, "events": live.store.merge(session, body.user)})


@writes.patch("/users/{user}/interests/{interest}", **shows(s.InterestsOut))
def steer(live: On, user: s.PathName, interest: s.PathName, body: s.FactorIn) -> Response:
    """Mute, boost or leave an interest; lists follow at once."""
    if interest not in {one.id for one in reads.interests(live, user).clusters}:
        raise Problem(404, "this user has no such interest", "GET .../interests lists them")
    found = reads.steer(live, user, interest, body.factor)
    return answered(found.to_dict() | {"user": user})


@writes.put("/users/{user}/consent", status_code=204)
def consent(live: On, user: s.PathName, body: s.ConsentIn) -> None:
    """Say whether a user consents to personalization: without it, lists are the popular items."""
    live.store.consent(user, body.personalisation)


@writes.delete("/users/{user}", **shows(s.ForgottenOut))
def forget(live: On, user: s.PathName) -> Response:
    """Forget a user: no answer reads anything of theirs from now on."""
    return answered(incoming.forget(live, user))


@admin.get("/users/{user}/export", **shows(s.SubjectOut))
def export(live: On, user: s.PathName) -> Response:
    """All that is held about a user, for them: events, attributes, impressions, consent."""
    live.log.flush()
    live.follow(live.store.revision)
    runs = {a.name: a.model for a in live.arms.values() if not live.erased(a, user)}
    try:
        return answered(collect(user, runs, Held(live.store).held(user)))
    except ConfigError as error:
        raise Problem(404, "nothing is held about this user", "check the identifier") from error


@admin.post("/items", **shows(s.ItemsOut))
def put_items(
    live: On,
    body: s.ItemIn | Annotated[list[s.ItemIn], s.Field(min_length=1, max_length=s.BATCH)],
) -> Response:
    """Add items or describe old ones anew; the next request may be answered with them."""
    batch = body if isinstance(body, list) else [body]
    items = {}
    for one in batch:
        cells = one.model_dump(exclude_none=True)
        for name in ("image", "audio"):
            if name in cells:
                raise Problem(422, f"{name}: files are not read from here", "add items with files by penchant update --items")  # noqa: E501  # fmt: skip
        items[cells.pop("item")] = cells
    incoming.put_items(live, items)
    return answered({"items": len(items)})


@admin.patch("/items/{item}", status_code=204)
def state(live: On, item: s.PathName, body: s.StateIn) -> None:
    """Hide an item or show it again, say what is in stock and when it may be listed."""
    _there(live, item)
    said = {name: getattr(body, name) for name in body.model_fields_set}
    incoming.set_states(live, {item: said})


@admin.delete("/items/{item}", status_code=204)
def delete_item(live: On, item: s.PathName) -> None:
    """Take an item out of all lists, until it is posted again."""
    _there(live, item)
    incoming.set_states(live, {item: {"deleted": True}})


@admin.post("/admin/reload", **shows(s.ReloadOut))
def reload(live: On, body: s.ReloadIn) -> Response:
    """Serve another artifact, on all workers, without a request dropped.

    A broken one, or one that the gate refuses, is answered with 409 and changes nothing.
    """
    try:
        arm = live.reload(body.arm, body.path, body.force)
    except ConfigError as error:
        raise Problem(409, str(error), "look at penchant evaluate of both runs") from error
    return answered({"arm": arm.name, "artifact": arm.digest[:12]})


@admin.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Counts and times of all workers, for Prometheus."""
    return Response(generate_latest(registry_of(request)), media_type=CONTENT_TYPE_LATEST)


def registry_of(request: Request) -> CollectorRegistry:
    """What holds the counts of all workers."""
    if not request.app.state.counted:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


@health.get("/healthz", **shows(s.HealthOut))
async def alive() -> Response:
    """Whether this worker runs."""
    return answered({"status": "ok"})


@health.get("/readyz", **shows(s.HealthOut))
def ready(live: On) -> Response:
    """Whether this worker reaches the store and has an artifact."""
    live.follow(live.store.revision)
    return answered({"status": "ok"})


ROUTERS: tuple[APIRouter, ...] = (lists, writes, admin, health)
