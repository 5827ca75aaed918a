"""Who may see what: the key in a cookie, and that no other site acts in its name."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from penchant.serve.api.api_keys import Keys
from penchant.serve.api.routes import COOKIE, admitted, same_site
from penchant.serve.console.rendering import LOGIN, PageRoute, redirect, render

_HOURS = 12
"""How long a browser stays logged in."""


def entry(scope: str) -> Any:
    """What a page depends on: a key that opens a scope, its own site, and room in the bucket."""

    def check(request: Request) -> None:
        same_site(request)
        request.state.key = None
        request.state.key = admitted(request, None, scope)

    return Depends(check)


router = APIRouter(
    prefix="/console",
    include_in_schema=False,
    route_class=PageRoute,
    dependencies=[Depends(same_site)],
)


@router.get("/login")
def login(request: Request, next: Annotated[str, Query(max_length=3000)] = "/") -> Response:
    """The form that asks for a key; without keys there is nothing to ask for."""
    if request.app.state.keys is None:
        return redirect(_own(next))
    return render(request, "login.html", next=_own(next), wrong=False)


@router.post("/login")
def logged_in(
    request: Request,
    key: Annotated[str, Form(max_length=500)] = "",
    next: Annotated[str, Form(max_length=3000)] = "/",
) -> Response:
    """Put a valid key into the cookie."""
    keys: Keys | None = request.app.state.keys
    if keys is None:
        return redirect(_own(next))
    if keys.check(key.strip()) is None:
        return render(request, "login.html", 401, next=_own(next), wrong=True)
    found = redirect(_own(next))
    found.set_cookie(COOKIE, key.strip(), max_age=_HOURS * 3600, **_how(request))
    return found


@router.post("/logout")
def logged_out(request: Request) -> Response:
    """Take the cookie back."""
    found = redirect(LOGIN)
    found.delete_cookie(COOKIE, **_how(request))
    return found


def _how(request: Request) -> Any:
    secure = request.url.scheme == "https"
    return {"httponly": True, "samesite": "strict", "secure": secure, "path": "/"}


def _own(address: str) -> str:
    """An address of this service; anything else becomes the overview.

    >>> _own("/console/users/a%2Fb"), _own("//evil.example"), _own("https://evil.example")
    ('/console/users/a%2Fb', '/', '/')
    """
    console = address.startswith(("/console/", "/docs")) and not set(address) & set("\\\r\n\t")
    return address if console and not address.startswith(LOGIN) else "/"
