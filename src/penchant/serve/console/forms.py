"""What the console changes: events, interests, item states, consent, erasure."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from penchant.data.dataset import Catalogue
from penchant.report.html import short
from penchant.serve.api import schemas as s
from penchant.serve.api.problems import Problem
from penchant.serve.api.routes import EVENTS, Service
from penchant.serve.console import users
from penchant.serve.console.auth import page_access
from penchant.serve.console.items import resolve
from penchant.serve.console.rendering import PageRoute, is_partial, quoted, redirect, render
from penchant.serve.service import profiles, reads
from penchant.serve.service import writes as service_writes
from penchant.serve.service.recommendation_service import RecommendationService
from penchant.serve.store.records import IncomingEvent, now
from penchant.training.update import EXACT, standing


def _router(scope: str) -> APIRouter:
    options: Any = {"include_in_schema": False, "route_class": PageRoute}
    return APIRouter(prefix="/console", dependencies=[page_access(scope)], **options)


writes, admin = _router("write"), _router("admin")


@dataclass(frozen=True)
class UserForm:
    """A form on a user's page: the user, and the behavior whose list is shown."""

    request: Request
    service: RecommendationService
    user: str
    behavior: str | None

    def items(self) -> list[str]:
        """The items of the list now, to compare with what it becomes."""
        return users.current_list(self.service, self.user, self.behavior)

    def respond(self, previous: list[str], notice: str) -> Response:
        """The part of the page that changes, or the whole page for a browser without scripts."""
        if not is_partial(self.request):
            query = "" if self.behavior is None else f"?behavior={quoted(self.behavior)}"
            return redirect(f"/console/users/{quoted(self.user)}{query}")
        page = users.user_page(self.service, self.user, self.behavior, previous)
        return users.render_user(self.request, "_user_panels.html", page, notice)


def _user_form(
    request: Request,
    service: Service,
    user: s.PathName,
    list_behavior: Annotated[s.Name | None, Form()] = None,
) -> UserForm:
    return UserForm(request, service, user, list_behavior)


OnUserPage = Annotated[UserForm, Depends(_user_form)]


@writes.post("/users/{user}/events")
def event(
    form: OnUserPage, item: Annotated[s.Name, Form()], behavior: Annotated[s.Name, Form()]
) -> Response:
    """Store an event of a user."""
    about, previous = resolve_item(form.service, form.user, item), form.items()
    incoming = IncomingEvent(
        id=uuid4().hex,
        user=form.user,
        session=None,
        kind="item",
        about=about,
        behavior=behavior,
        domain=None,
        time=now(),
        value=None,
    )
    result = service_writes.post(form.service, [incoming])
    EVENTS.labels("accepted").inc(result.accepted)
    EVENTS.labels("refused").inc(len(result.refused))
    if result.refused:
        detail = f"the event was rejected: {result.refused[0][1]}"
        raise Problem(422, detail, "correct it and try again")
    return form.respond(previous, f"Event added: {behavior} of {short(about)}.")


@writes.post("/users/{user}/interests/{interest}")
def steer(
    form: OnUserPage, interest: s.PathName, factor: Annotated[float, Form(ge=0, le=100)]
) -> Response:
    """Mute, boost or reset an interest."""
    previous = form.items()
    label = reads.steer(form.service, form.user, interest, factor).by_id(interest).label
    return form.respond(previous, f"{label}: {users.factor_text(factor)}.")


@writes.post("/users/{user}/profile")
def profile(
    form: OnUserPage,
    text: Annotated[str, Form(max_length=20_000)] = "",
    action: Annotated[Literal["save", "reset"], Form()] = "save",
) -> Response:
    """Save the user's own text of their interests, or generate the text again."""
    previous = form.items()
    if action == "save":
        profiles.save_profile(form.service, form.user, text)
        notice = "Saved as the user's own text."
    else:
        generated = profiles.reset_profile(form.service, form.user, form.service.llm)
        notice = generated.note or "The text was generated from the interests again."
    return form.respond(previous, notice)


def resolve_item(service: RecommendationService, user: str, name: str) -> str:
    """The item with an identifier or, if it is the only one, with a title; else a Problem."""
    catalogue = service.variant_of(user).model.dataset.catalogue
    if name in catalogue.items:
        return name
    rows = _items_titled(catalogue, name)
    if len(rows) == 1:
        return catalogue.items.ids[rows[0]]
    if rows:
        ids = ", ".join(catalogue.items.ids[row] for row in rows[:5])
        detail = f"{len(rows)} items have the title {name!r}"
        raise Problem(422, detail, f"enter one of the item IDs {ids}")
    raise Problem(404, f"unknown item {name!r}", "choose one of the suggestions")


def _items_titled(catalogue: Catalogue, name: str) -> list[int]:
    wanted = name.strip().casefold()
    return [
        row for row, title in enumerate(catalogue.titles) if title and title.casefold() == wanted
    ]


@writes.post("/privacy/consent")
def consent(
    request: Request,
    service: Service,
    user: Annotated[s.Name, Form()],
    given: Annotated[bool, Form()],
) -> Response:
    """Store whether a user consents to personalization."""
    service.store.set_consent(user, given)
    return privacy(request, service, user, consent=given)


@admin.post("/privacy/forget")
def forget(
    request: Request,
    service: Service,
    user: Annotated[s.Name, Form()],
    confirmation: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Forget a user whose identifier was typed twice, and show what was erased."""
    if confirmation != user:
        detail = f"expected {user!r} in both fields, received {confirmation!r} in the second"
        raise Problem(422, detail, "nothing was forgotten; type the user ID again")
    return privacy(request, service, user, receipt=service_writes.forget(service, user))


def privacy(
    request: Request,
    service: RecommendationService,
    user: str,
    consent: bool | None = None,
    receipt: Any = None,
) -> Response:
    """The privacy page, with the result of what was just done."""
    models = [variant.model for variant in service.variants.values()]
    return render(
        request,
        "privacy.html",
        user=user,
        consent=consent,
        receipt=receipt,
        exact=EXACT,
        left=dict.fromkeys(part for model in models for part in standing(model)),
    )


@admin.post("/items/{item}/state")
def state(service: Service, item: s.PathName, hidden: Annotated[bool, Form()]) -> Response:
    """Hide an item, or show it again; lists change at once."""
    resolve(service, item)
    service_writes.set_states(service, {item: {"hidden": hidden}})
    return redirect(f"/console/items/{quoted(item)}")
