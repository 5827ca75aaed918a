"""Whether a request is allowed: its API key, the scope of the key, and the rate limit."""

from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, Request

from penchant.serve.api.api_keys import ApiKey, ApiKeys, RateLimiter
from penchant.serve.api.problems import Problem

COOKIE = "penchant_key"
"""The cookie of the console, which holds an API key."""


def require_scope(name: str) -> Any:
    """What a route depends on: a key with a scope, and the rate limit."""

    # async, hence without a thread: a key is looked up once in five seconds
    async def check(request: Request) -> None:
        given = request.headers.get("x-api-key")
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        authorize(request, given or (bearer if kind.lower() == "bearer" else None), name)

    return Depends(check)


def authorize(request: Request, given: str | None, scope: str) -> ApiKey | None:
    """The key of a request that is allowed; None in open mode.

    Raises a Problem for a key that is missing, not valid or without the scope, for a cookie that
    another site has sent, and for more requests than the rate limit allows.
    """
    key = _key_of(request, given)
    if key is not None and not key.may(scope):
        remedy = f"create one that has it: penchant keys RUN --add NAME --scopes {scope}"
        raise Problem(403, f"the key {key.name!r} does not have the scope {scope!r}", remedy)
    limiter: RateLimiter = request.app.state.limiter
    if (wait := limiter.wait("open" if key is None else key.id)) > 0:
        seconds = str(max(1, round(wait)))
        detail = "rate limit exceeded"
        raise Problem(429, detail, f"wait {seconds} s", {"Retry-After": seconds})
    return key


def same_site(request: Request) -> None:
    """Refuse a request that another site made a browser send, with a Problem.

    Browsers state the origin of a request in Sec-Fetch-Site, older ones in Origin; a client that
    sends neither is no browser, and holds no cookie.
    """
    if request.method in ("GET", "HEAD"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    else:
        own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not own:
        raise Problem(
            403, "this request comes from another site", "send it from the console itself"
        )


def _key_of(request: Request, given: str | None) -> ApiKey | None:
    """The key of a header, or of the console's cookie."""
    keys: ApiKeys | None = request.app.state.keys
    if keys is None:
        return None
    if given is None and (cookie := request.cookies.get(COOKIE)):
        same_site(request)
        given = cookie
    if not given:
        remedy = "send one as X-API-Key or Authorization: Bearer; penchant keys --add creates one"
        raise Problem(401, "this endpoint needs an API key", remedy, {"WWW-Authenticate": "Bearer"})
    key = keys.check(given)
    if key is None:
        remedy = "ask the operator for a new one; penchant keys lists them"
        raise Problem(401, "this key is not valid", remedy, {"WWW-Authenticate": "Bearer"})
    return key
