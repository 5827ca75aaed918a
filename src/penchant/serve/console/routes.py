"""The pages of the console that show something; those that change something are in ``forms``."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from penchant.data.dataset import Catalogue
from penchant.data.vocabulary import Vocabulary
from penchant.errors import unknown
from penchant.report import metrics_section
from penchant.serve.api import schemas as s
from penchant.serve.api.problems import Problem
from penchant.serve.api.routes import Service, registry_of
from penchant.serve.console import auth, forms, items, overview, users
from penchant.serve.console.api_reference import endpoints
from penchant.serve.console.rendering import (
    STATIC,
    PageRoute,
    SafeHtml,
    page_fields,
    quoted,
    redirect,
    render,
)

SUGGESTED = 12
"""Identifiers that a field suggests."""

SearchText = Annotated[str, Query(max_length=500)]

pages = APIRouter(
    include_in_schema=False, route_class=PageRoute, dependencies=[auth.page_access("read")]
)
public = APIRouter(include_in_schema=False, route_class=PageRoute)


@pages.get("/")
def overview_page(request: Request, service: Service) -> Response:
    """The state of the service."""
    service.follow(service.store.revision)
    return render(
        request,
        "overview.html",
        variants=overview.variant_summaries(service),
        rows=service.store.counts(),
        traffic=overview.traffic(registry_of(request)),
    )


@pages.get("/console/find")
def search(service: Service, user: SearchText = "", item: SearchText = "") -> Response:
    """The page of the user or item that was searched for."""
    if item:
        return redirect(f"/console/items/{quoted(forms.resolve_item(service, item, item))}")
    return redirect(f"/console/users/{quoted(user)}" if user else "/")


@pages.get("/console/suggest/users")
def suggested_users(request: Request, service: Service, user: SearchText = "") -> Response:
    """Known users whose identifier starts with a text, as options of a field."""
    vocabularies = [variant.model.dataset.users for variant in service.variants.values()]
    ids = dict.fromkeys(id for users in vocabularies for id in _ids_starting_with(users, user))
    return render(request, "_options.html", options=[(id, None) for id in ids][:SUGGESTED])


@pages.get("/console/suggest/items")
def suggested_items(request: Request, service: Service, item: SearchText = "") -> Response:
    """Known items whose identifier or title contains a text, as options of a field."""
    catalogue = service.variant_of("").model.dataset.catalogue
    options = list(islice(_items_matching(catalogue, item), SUGGESTED))
    return render(request, "_options.html", options=options)


def _ids_starting_with(vocabulary: Vocabulary, start: str) -> list[str]:
    first = bisect_left(vocabulary.ids, start)  # they are sorted
    return [id for id in vocabulary.ids[first : first + SUGGESTED] if id.startswith(start)]


def _items_matching(catalogue: Catalogue, part: str) -> Iterator[tuple[str, str | None]]:
    part = part.strip().casefold()
    for row, item in enumerate(catalogue.items.ids):
        title = catalogue.title(row)
        if part in item.casefold() or (title and part in title.casefold()):
            yield item, title


@pages.get("/console/users/{user}")
def user_page(
    request: Request,
    service: Service,
    user: s.PathName,
    behavior: Annotated[s.Name | None, Query()] = None,
) -> Response:
    """A user: timeline, interests, recommendations."""
    return users.render_user(request, "user.html", users.user_page(service, user, behavior))


@pages.get("/console/items/{item}")
def item_page(request: Request, service: Service, item: s.PathName) -> Response:
    """An item: its columns, and similar items."""
    return render(request, "item.html", **page_fields(items.item_page(service, item)))


@pages.get("/console/items/{item}/image")
def image(service: Service, item: s.PathName) -> Response:
    """The image that the catalogue names for an item."""
    file = items.item_image(service, item)
    headers = {"Cache-Control": "private, max-age=300", "Content-Security-Policy": "sandbox"}
    return Response(file.content, media_type=file.kind, headers=headers)


@pages.get("/console/evaluation")
def evaluation(request: Request, service: Service, variant: s.Name | None = None) -> Response:
    """What the model of a variant measured on its test events."""
    if variant is not None and variant not in service.variants:
        raise unknown("variant", variant, service.variants)
    chosen = service.variants[variant or next(iter(service.variants))]
    sections = [
        section(chosen.model)
        for section in (
            metrics_section.metrics_table,
            metrics_section.slices,
            metrics_section.calibration,
            metrics_section.weights_section,
        )
    ]
    return render(
        request,
        "evaluation.html",
        variant=chosen,
        variants=list(service.variants),
        headline=metrics_section.headline(chosen.model),
        sections=[section._replace(body=SafeHtml(section.body)) for section in sections],
    )


@pages.get("/console/privacy")
def privacy(request: Request, service: Service, user: SearchText = "") -> Response:
    """Consent and erasure."""
    return forms.privacy(request, service, user)


@public.get("/docs")
def docs(request: Request) -> Response:
    """All endpoints of the service; no key is needed to read about them."""
    schema = request.app.openapi()
    return render(request, "docs.html", info=schema["info"], tags=endpoints(schema))


@public.get("/console/static/{name}")
def static(name: str) -> Response:
    """A file that pages ask for; its address changes with its content."""
    if name not in STATIC:
        raise Problem(404, "no such file", "go to the overview page")
    kind, content = STATIC[name]
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=kind, headers=headers)


ROUTERS = (pages, forms.writes, forms.admin, auth.router, public)
