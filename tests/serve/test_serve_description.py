"""Requests made from the service's own description: none is an error of the service."""

import pytest

pytest.importorskip("fastapi", reason="fastapi is not installed; it is in the extra serve")
pytest.importorskip("schemathesis", reason="schemathesis is not installed")

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from penchant.serve.app import application
from penchant.serve.settings import ServiceSettings
from serving import run_of, world

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    home = tmp_path_factory.mktemp("described")
    run = run_of(home / "run", data=world(150, 120))
    told = {"runs": {"main": str(run)}, "database": f"sqlite:///{home / 'store.sqlite'}"}
    app = application(ServiceSettings(**told, open=True, rate=0.0))
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    app.app.state.service.close()


@pytest.mark.parametrize("examples", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_no_request_is_an_error_of_the_service(described, examples):
    count = 0
    few = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    for result in described.get_all_operations():
        operation = result.ok()

        @few
        @given(operation.as_strategy())
        def holds(case):
            nonlocal count
            count += 1
            case.call_and_validate(checks=CHECKS)

        holds()
    assert count > 12 * examples
