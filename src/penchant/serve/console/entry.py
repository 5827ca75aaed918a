"""Who may see what: the key in a cookie, and that no other site acts in its name."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from penchant.serve.console.pages import LOGIN, PageRoute, redirect, render
from penchant.serve.keys import Bucket, Keys
from penchant.serve.problems import Problem
from penchant.serve.routes import COOKIE, key_of

_HOURS = 12
"""How long a browser stays logged in."""


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


def entry(scope: str) -> Any:
    """What a page depends on: a key that opens a scope, its own site, and room in the bucket."""

    def check(request: Request) -> None:
        same_site(request)
        key = key_of(request, None)
        request.state.key = key
        if key is not None and not key.may(scope):
            detail = f"the key {key.name!r} does not open {scope!r}"
            raise Problem(403, detail, f"log in with one that does: penchant keys --scopes {scope}")
        bucket: Bucket = request.app.state.bucket
        if (wait := bucket.wait(key.id if key else "open")) > 0:
            seconds = str(max(1, round(wait)))
            detail = "more requests than this key may make"
            raise Problem(429, detail, f"wait {seconds} s", {"Retry-After": seconds})

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
