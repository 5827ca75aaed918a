"""The addresses of the console that show; those that change something are in ``forms``."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from penchant.data.dataset import Catalogue
from penchant.data.vocabulary import Vocabulary
from penchant.errors import unknown
from penchant.report import metrics_section
from penchant.serve.api import schemas as s
from penchant.serve.api.problems import Problem
from penchant.serve.api.routes import On, registry_of
from penchant.serve.console import auth, forms, items, overview, users
from penchant.serve.console.api_reference import addresses
from penchant.serve.console.rendering import STATIC, Html, PageRoute, quoted, redirect, render

SUGGESTED = 12
"""Identifiers that a field suggests."""

Asked = Annotated[str, Query(max_length=500)]

pages = APIRouter(include_in_schema=False, route_class=PageRoute, dependencies=[auth.entry("read")])
plain = APIRouter(include_in_schema=False, route_class=PageRoute)


@pages.get("/")
def front(request: Request, live: On) -> Response:
    """The state of the service."""
    live.follow(live.store.revision)
    return render(
        request,
        "overview.html",
        arms=overview.arms(live),
        counts=live.store.counts(),
        traffic=overview.traffic(registry_of(request)),
    )


@pages.get("/console/find")
def find(live: On, user: Asked = "", item: Asked = "") -> Response:
    """To the page of what was searched for."""
    if item:
        return redirect(f"/console/items/{quoted(forms.item_named(live, item, item))}")
    return redirect(f"/console/users/{quoted(user)}" if user else "/")


@pages.get("/console/suggest/users")
def suggested_users(request: Request, live: On, user: Asked = "") -> Response:
    """Known users whose identifier begins so, as options of a field."""
    ids = [one for arm in live.arms.values() for one in _beginning(arm.model.dataset.users, user)]
    options = [(one, None) for one in dict.fromkeys(ids)][:SUGGESTED]
    return render(request, "_options.html", options=options)


@pages.get("/console/suggest/items")
def suggested_items(request: Request, live: On, item: Asked = "") -> Response:
    """Known items whose identifier or title holds this, as options of a field."""
    catalogue = live.arm_of("").model.dataset.catalogue
    options = list(islice(_holding(catalogue, item), SUGGESTED))
    return render(request, "_options.html", options=options)


def _beginning(ids: Vocabulary, start: str) -> list[str]:
    first = bisect_left(ids.ids, start)  # they are sorted
    return [one for one in ids.ids[first : first + SUGGESTED] if one.startswith(start)]


def _holding(catalogue: Catalogue, part: str) -> Iterator[tuple[str, str | None]]:
    part = part.strip().casefold()
    for row, item in enumerate(catalogue.items.ids):
        title = catalogue.title(row)
        if part in item.casefold() or (title and part in title.casefold()):
            yield item, title


@pages.get("/console/users/{user}")
def person(
    request: Request, live: On, user: s.PathName, behavior: Annotated[s.Name | None, Query()] = None
) -> Response:
    """A user: timeline, interests, list."""
    catalogue = live.arm_of(user).model.dataset.catalogue
    return render(
        request,
        "user.html",
        **users.view(live, user, behavior),
        said=None,
        doable=[one.name for one in catalogue.behaviors],
    )


@pages.get("/console/items/{item}")
def thing(request: Request, live: On, item: s.PathName) -> Response:
    """An item: what is known of it, and its neighbors."""
    return render(request, "item.html", **items.about(live, item))


@pages.get("/console/items/{item}/image")
def image(live: On, item: s.PathName) -> Response:
    """The image that the catalogue names for an item."""
    found = items.picture(live, item)
    headers = {"Cache-Control": "private, max-age=300", "Content-Security-Policy": "sandbox"}
    return Response(found.content, media_type=found.kind, headers=headers)


@pages.get("/console/evaluation")
def evaluation(request: Request, live: On, arm: s.Name | None = None) -> Response:
    """What the twin of a run measured."""
    if arm is not None and arm not in live.arms:
        raise unknown("arm", arm, live.arms)
    chosen = live.arms[arm] if arm is not None else next(iter(live.arms.values()))
    of = (
        metrics_section.metrics_table,
        metrics_section.slices,
        metrics_section.calibration,
        metrics_section.weights_section,
    )
    sections = [one(chosen.model) for one in of]
    return render(
        request,
        "evaluation.html",
        arm=chosen,
        arms=list(live.arms),
        headline=metrics_section.headline(chosen.model),
        sections=[one._replace(body=Html(one.body)) for one in sections],
    )


@pages.get("/console/privacy")
def privacy(request: Request, live: On, user: Asked = "") -> Response:
    """Consent and forgetting."""
    return forms.privacy(request, live, user)


@plain.get("/docs")
def docs(request: Request) -> Response:
    """All addresses of the service; no key is needed to read of them."""
    described: dict[str, Any] = request.app.openapi()
    return render(request, "docs.html", info=described["info"], tags=addresses(described))


@plain.get("/console/static/{name}")
def static(name: str) -> Response:
    """A file that pages ask for; its address changes with its content."""
    if name not in STATIC:
        raise Problem(404, "no such file", "look at the overview")
    kind, content = STATIC[name]
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=kind, headers=headers)


ROUTERS = (pages, forms.writes, forms.admin, auth.router, plain)
