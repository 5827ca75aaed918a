"""The ASGI middleware of the service: paths, limits, timeouts, security headers, metrics."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter, Histogram

from penchant.serve.api.problems import log_error, problem_response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

REQUESTS = Counter(
    "penchant_requests", "Requests by route, method and status.", ["route", "method", "status"]
)
SECONDS = Histogram(
    "penchant_request_seconds",
    "Seconds from request to response.",
    ["route"],
    buckets=(0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
]
_BODIES = {"POST", "PUT", "PATCH"}
_METHODS = _BODIES | {"GET", "HEAD", "DELETE", "OPTIONS"}
_FORMS = "/console/"
log = logging.getLogger("penchant.serve.access")


class _TooLargeError(Exception):
    pass


@dataclass(frozen=True)
class ServiceMiddleware:
    """Limits and metrics around an app.

    limit    bytes of a body
    timeout  seconds for a request, including its body
    hosts    names that the service answers under; None for any
    """

    app: ASGI
    limit: int = 1 << 20
    timeout: float = 30.0
    hosts: frozenset[str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        # a slash in an identifier stays %2F until the identifier is read
        raw = scope.get("raw_path") or scope["path"].encode()
        scope["path"] = raw.decode("latin-1")
        status, sent, size = 500, False, 0
        problem = self._rejection(scope)

        async def counted_send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, sent
            if size > self.limit and not sent and problem is None:
                raise _TooLargeError  # whatever the app responded to half a body
            if message["type"] == "http.response.start":
                status, sent = message["status"], True
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        async def limited_receive() -> MutableMapping[str, Any]:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.limit:
                raise _TooLargeError
            return message

        if problem is None:
            try:
                async with asyncio.timeout(self.timeout):
                    await self.app(scope, limited_receive, counted_send)
            except _TooLargeError:
                problem = self._large()
            except TimeoutError:
                problem = problem_response(
                    504, "the request took too long", "request less, or try again in a moment"
                )
            except Exception as error:  # logged without its message, which may hold user data
                log_error(error)
                problem = problem_response(
                    500, "internal error of the service", "contact the operator of the service"
                )
        if problem is not None and not sent:
            await problem(scope, receive, counted_send)
        route = scope.get("route")
        path = getattr(route, "path", "unknown")
        seconds = time.perf_counter() - began
        method = scope["method"] if scope["method"] in _METHODS else "other"
        REQUESTS.labels(path, method, status).inc()
        SECONDS.labels(path).observe(seconds)
        # the route alone: no identifier, no query
        log.info("%s %s %d %.1f ms", method, path, status, 1000 * seconds)

    def _rejection(self, scope: Scope) -> Any:
        headers = dict(scope["headers"])
        if self.hosts is not None:
            host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].strip("[]")
            if host not in self.hosts:
                return problem_response(
                    421,
                    "this host name is not served",
                    "use the address that penchant serve prints",
                )
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self.limit:
            return self._large()
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        has_body = length not in (b"", b"0") or b"transfer-encoding" in headers
        form = scope["path"].startswith(_FORMS) and kind == b"application/x-www-form-urlencoded"
        if scope["method"] in _BODIES and has_body and kind != b"application/json" and not form:
            return problem_response(
                415, "expected a JSON body", "send Content-Type: application/json"
            )
        return None

    def _large(self) -> Any:
        return problem_response(
            413, f"the body has more than {self.limit:,} bytes", "send smaller batches"
        )
