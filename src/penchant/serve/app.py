"""The web application of a worker."""

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
from penchant.serve.api.api_keys import ApiKeys, RateLimiter
from penchant.serve.api.middleware import ServiceMiddleware
from penchant.serve.service.recommendation_service import RecommendationService
from penchant.serve.settings import ServiceSettings
from penchant.serve.store.store import Store

_SECURITY_SCHEMES = {
    "APIKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "HTTPBearer": {"type": "http", "scheme": "bearer"},
}
THREADS = 8
"""Requests that a worker handles at once; further ones wait."""

_POLL_SECONDS = 1.0  # seconds after which an idle worker looks for changes
log = logging.getLogger(__name__)


def application(settings: ServiceSettings) -> Any:
    """The ASGI application of one worker."""
    _limit_threads()
    store = Store(settings.database)
    app = _build_app(RecommendationService(store, settings))
    app.state.keys = None if settings.open else ApiKeys(store)
    app.state.limiter = RateLimiter(settings.rate)
    hosts = frozenset(settings.hosts) or None
    return ServiceMiddleware(app, settings.limit, settings.timeout, hosts)


def _limit_threads() -> None:
    """Requests are many and small: one core for each is faster than all cores for one."""
    threadpool_limits(1)
    sys.setswitchinterval(0.0005)  # a short request need not wait 5 ms for a long one
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)


def _build_app(service: RecommendationService) -> FastAPI:
    ending = threading.Event()

    def follow() -> None:
        while not ending.wait(_POLL_SECONDS):
            try:
                service.follow(service.store.revision)
            except Exception as error:  # a store that is down for a while ends no worker
                problems.log_error(error)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        thread = threading.Thread(target=follow, name="follow", daemon=True)
        thread.start()
        yield
        ending.set()
        service.close()

    app = FastAPI(
        title="Penchant",
        version=__version__,
        summary="Recommendations that reflect each event immediately.",
        description=(
            "An accepted event is used by the next request. Errors are problem details (RFC 9457) "
            "with a remedy. Send your key as X-API-Key or Authorization: Bearer."
        ),
        lifespan=lifespan,
        responses=problems.PROBLEM_RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.multiprocess = "PROMETHEUS_MULTIPROC_DIR" in os.environ
    for router in (*routes.ROUTERS, *profile_routes.ROUTERS, *console.ROUTERS):
        app.include_router(router)
    problems.add_exception_handlers(app)
    _complete_openapi(app)
    return app


def _complete_openapi(app: FastAPI) -> None:
    """The OpenAPI schema with problem details in place of FastAPI's own errors of 422."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        schema = plain()
        schemas = schema["components"]["schemas"]
        if "ProblemOut" not in schemas:
            problem = problems.ProblemOut.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            schemas.update(problem.pop("$defs", {}))
            schemas["ProblemOut"] = problem
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schema["components"]["securitySchemes"] = _SECURITY_SCHEMES
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"]["422"] = problems.PROBLEM_RESPONSES[422]
                    if operation["tags"] != routes.health.tags:
                        operation["security"] = [{name: []} for name in _SECURITY_SCHEMES]
        return schema

    app.openapi = openapi  # type: ignore[method-assign]
