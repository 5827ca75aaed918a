"""What is changed from the console: events, interests, states of items, consent, forgetting."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from penchant.data.dataset import Catalogue
from penchant.report.html import short
from penchant.serve.api import schemas as s
from penchant.serve.api.problems import Problem
from penchant.serve.api.routes import EVENTS, On
from penchant.serve.console import users
from penchant.serve.console.auth import entry
from penchant.serve.console.items import found
from penchant.serve.console.rendering import PageRoute, quoted, redirect, render, wants_part
from penchant.serve.service import profiles, reads
from penchant.serve.service import writes as incoming
from penchant.serve.service.live import Live
from penchant.serve.store.records import Posted, now
from penchant.training.update import EXACT, standing


def _router(scope: str) -> APIRouter:
    how: Any = {"include_in_schema": False, "route_class": PageRoute}
    return APIRouter(prefix="/console", dependencies=[entry(scope)], **how)


writes, admin = _router("write"), _router("admin")


@writes.post("/users/{user}/events")
def event(
    request: Request,
    live: On,
    user: s.PathName,
    item: Annotated[s.Name, Form()],
    behavior: Annotated[s.Name, Form()],
    asked: Annotated[s.Name | None, Form()] = None,
) -> Response:
    """Keep an event of a user; the list for the behavior ``asked`` has followed."""
    known = item_named(live, user, item)
    before = users.listed(live, user, asked)
    told = uuid4().hex, user, None, "item", known, behavior, None, now(), None
    added = incoming.post(live, [Posted(*told)])
    EVENTS.labels("accepted").inc(added.accepted)
    EVENTS.labels("refused").inc(len(added.refused))
    if added.refused:
        raise Problem(
            422, f"the event was not kept: {added.refused[0][1]}", "change it, or leave it"
        )
    return _moved(request, live, user, asked, before, f"Kept: {behavior} of {short(known)}.")


@writes.post("/users/{user}/interests/{interest}")
def steer(
    request: Request,
    live: On,
    user: s.PathName,
    interest: s.PathName,
    factor: Annotated[float, Form(ge=0, le=100)],
    asked: Annotated[s.Name | None, Form()] = None,
) -> Response:
    """Mute, boost or leave an interest."""
    before = users.listed(live, user, asked)
    label = reads.steer(live, user, interest, factor).by_id(interest).label
    said = f"{label}: {users.weighed(factor)}."
    return _moved(request, live, user, asked, before, said)


@writes.post("/users/{user}/profile")
def profile(
    request: Request,
    live: On,
    user: s.PathName,
    text: Annotated[str, Form(max_length=20_000)] = "",
    done: Annotated[Literal["keep", "reset"], Form()] = "keep",
    asked: Annotated[s.Name | None, Form()] = None,
) -> Response:
    """Keep what a user writes of their interests, or have the text made of them again."""
    before = users.listed(live, user, asked)
    if done == "keep":
        profiles.write(live, user, text)
        said = "Kept: the text is the user's own."
    else:
        found = profiles.reset(live, user, live.llm)
        said = found.note or "The text is made of the interests again."
    return _moved(request, live, user, asked, before, said)


def _moved(
    request: Request, live: Live, user: str, asked: str | None, before: list[str], said: str
) -> Response:
    """The part of a user's page that follows, or the whole page where there is no script."""
    if not wants_part(request):
        behavior = "" if asked is None else f"?behavior={quoted(asked)}"
        return redirect(f"/console/users/{quoted(user)}{behavior}")
    view = users.view(live, user, asked, before)
    return render(request, "_live.html", **view, said=said)


def item_named(live: Live, user: str, name: str) -> str:
    """The item of an identifier or, where one alone has it, of a title; else a Problem."""
    catalogue = live.arm_of(user).model.dataset.catalogue
    if name in catalogue.items:
        return name
    rows = _titled(catalogue, name)
    if len(rows) == 1:
        return catalogue.items.ids[rows[0]]
    if rows:
        named = ", ".join(catalogue.items.ids[row] for row in rows[:5])
        raise Problem(422, f"{len(rows)} items are called {name!r}", f"choose one of {named}")
    raise Problem(404, f"no item {name!r} is known", "choose one of those that the field suggests")


def _titled(catalogue: Catalogue, name: str) -> list[int]:
    asked = name.strip().casefold()
    return [
        row for row, title in enumerate(catalogue.titles) if title and title.casefold() == asked
    ]


@writes.post("/privacy/consent")
def consent(
    request: Request,
    live: On,
    user: Annotated[s.Name, Form()],
    given: Annotated[bool, Form()],
) -> Response:
    """Keep whether a user consents to personalization."""
    live.store.consent(user, given)
    return privacy(request, live, user, consent=given)


@admin.post("/privacy/forget")
def forget(
    request: Request,
    live: On,
    user: Annotated[s.Name, Form()],
    again: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Forget a user whose identifier was typed twice, and show what was erased."""
    if again != user:
        detail = f"expected {user!r} in both fields, received {again!r} in the second"
        raise Problem(422, detail, "nothing was forgotten; type the identifier again")
    return privacy(request, live, user, receipt=incoming.forget(live, user))


def privacy(
    request: Request,
    live: Live,
    user: str,
    consent: bool | None = None,
    receipt: dict[str, Any] | None = None,
) -> Response:
    """The page of privacy, with what was just done."""
    left = dict.fromkeys(one for arm in live.arms.values() for one in standing(arm.model))
    return render(
        request,
        "privacy.html",
        user=user,
        consent=consent,
        receipt=receipt,
        exact=EXACT,
        left=left,
    )


@admin.post("/items/{item}/state")
def state(live: On, item: s.PathName, hidden: Annotated[bool, Form()]) -> Response:
    """Hide an item, or show it again; lists follow at once."""
    found(live, item)
    incoming.set_states(live, {item: {"hidden": hidden}})
    return redirect(f"/console/items/{quoted(item)}")
