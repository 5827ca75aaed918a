"""The web application over a live service, and what a worker makes of its settings."""

import logging
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from threadpoolctl import threadpool_limits

from penchant import __version__
from penchant.serve import console
from penchant.serve.api import problems, profile_routes, routes
from penchant.serve.api.api_keys import Bucket, Keys
from penchant.serve.api.middleware import Guard
from penchant.serve.service.live import Live
from penchant.serve.settings import Settings
from penchant.serve.store.store import Store

_KEYS = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "HTTPBearer": {"type": "http", "scheme": "bearer"},
}
THREADS = 8
"""Requests that a worker works on at once; further ones wait their turn."""

_POLL = 1.0  # seconds after which a worker that nobody asks looks for changes
log = logging.getLogger(__name__)


def application(settings: Settings) -> Any:
    """The ASGI application of one worker."""
    _one_core()
    store = Store(settings.database)
    app = _app(Live(store, settings))
    app.state.keys = None if settings.open else Keys(store)
    app.state.bucket = Bucket(settings.rate)
    hosts = frozenset(settings.hosts) or None
    return Guard(app, settings.limit, settings.timeout, hosts)


def _one_core() -> None:
    """Requests are many and small: a core for each is faster than all cores for one at a time."""
    threadpool_limits(1)
    sys.setswitchinterval(0.0005)  # a short request need not wait 5 ms for one that computes
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)


def _app(live: Live) -> FastAPI:
    ending = threading.Event()

    def follow() -> None:
        while not ending.wait(_POLL):
            try:
                live.follow(live.store.revision)
            except Exception as error:  # a store that is away for a while ends no worker
                problems.told(error)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        thread = threading.Thread(target=follow, name="follow", daemon=True)
        thread.start()
        yield
        ending.set()
        live.close()

    app = FastAPI(
        title="Penchant",
        version=__version__,
        summary="Recommendations that follow each event at once.",
        description=(
            "Events count from the answer on. Every problem is told as RFC 9457 has it, with a "
            "remedy. Keys go into X-API-Key or Authorization: Bearer."
        ),
        lifespan=lifespan,
        responses=problems.DESCRIBED,
        docs_url=None,
        redoc_url=None,
    )
    app.state.live = live
    app.state.counted = "PROMETHEUS_MULTIPROC_DIR" in os.environ
    for router in (*routes.ROUTERS, *profile_routes.ROUTERS, *console.ROUTERS):
        app.include_router(router)
    problems.described(app)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """The OpenAPI description with the schema of problems, and without FastAPI's own of 422."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        found = plain()
        schemas = found["components"]["schemas"]
        if "ProblemOut" not in schemas:
            made = problems.ProblemOut.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            schemas.update(made.pop("$defs", {}))
            schemas["ProblemOut"] = made
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            found["components"]["securitySchemes"] = _KEYS
            for path in found["paths"].values():
                for one in path.values():
                    one["responses"]["422"] = problems.DESCRIBED[422]
                    if one["tags"] != routes.health.tags:
                        one["security"] = [{name: []} for name in _KEYS]
        return found

    app.openapi = openapi  # type: ignore[method-assign]
