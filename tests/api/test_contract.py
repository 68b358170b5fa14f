"""What the interface says about itself, and that it keeps to it.

A bounded part of `make fuzz`, which asks the same things twenty thousand times.
"""

import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import text

from tests.api import running
from tests.api.running import Member
from tests.fuzz.checks import no_fault
from vexxy import asgi
from vexxy.bootstrap import Service
from vexxy.http import watching
from vexxy.serving.connections import BoundedProtocol

CHECKS = [
    no_fault,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
WHOLE = text(
    "update users set role = 'owner', is_active = true where id = :id"
    " returning token_generation"
)
BOUNDED = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
Headers = Callable[[], dict[str, str]]


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url, default_tier="professional") as made:
        yield made


@pytest.fixture(scope="module")
def member(service: Service) -> Member:
    return running.a_member(service)


@pytest.fixture(scope="module")
def address(service: Service) -> Iterator[str]:
    """The address of the application, served as in production."""
    before = watching.STREAM_SECONDS_MAX
    # A stream that stays open is right, and nothing to wait for here.
    watching.STREAM_SECONDS_MAX = 0.1  # type: ignore[misc]
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        asgi.build(service),
        http=BoundedProtocol,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()
    watching.STREAM_SECONDS_MAX = before  # type: ignore[misc]


@pytest.fixture(scope="module")
def headers(service: Service, member: Member) -> Headers:
    """Credentials that hold: some cases log out everywhere or remove the member."""

    def make() -> dict[str, str]:
        with service.system.transaction() as session:
            generation = session.execute(WHOLE, {"id": member.user_id}).scalar_one()
        issued = service.identity.tokens.issue(
            user_id=member.user_id,
            organization_id=member.organization_id,
            email="somebody@example.com",
            generation=generation,
        )
        return {
            "Authorization": f"Bearer {issued.access_token}",
            "X-Service-Key": str(running.SETTINGS["core_service_key"]),
        }

    return make


def test_no_question_surprises_it(address: str, headers: Headers) -> None:
    """No 5xx, no answer that is not documented, none that is not as documented."""
    interface = schemathesis.openapi.from_url(f"{address}/openapi.json")
    asked: Counter[str] = Counter()
    for found in interface.get_all_operations():
        operation = found.ok()

        @BOUNDED
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            asked[f"{case.method} {case.path}"] += 1
            case.call_and_validate(headers=headers(), checks=CHECKS)

        ask()
    assert len(asked) > 40


@pytest.fixture(scope="module")
def document(service: Service) -> dict[str, Any]:
    return asgi.build(service).openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "responses" in operation
    ]
    assert len(found) > 40
    return found


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    silent = [
        name
        for name, operation in operations(document)
        if not operation.get("summary") or not operation.get("description")
    ]
    assert silent == []


def test_every_error_of_every_operation_has_the_one_shape_and_an_example(
    document: dict[str, Any],
) -> None:
    for name, operation in operations(document):
        if "/health" in name:
            continue  # 503 there is the same report as 200
        errors = {
            status: answer
            for status, answer in operation["responses"].items()
            if int(status) >= 400
        }
        assert errors, name
        for status, answer in errors.items():
            content = answer["content"]["application/json"]
            assert content["schema"]["$ref"].endswith("/ErrorBody"), (name, status)
            assert content["examples"], (name, status)


def test_what_needs_a_caller_says_401_and_403(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if {"bearer": []} in operation.get("security", []):
            assert {"401", "403", "429", "500", "503"} <= set(operation["responses"]), name


def test_every_post_that_makes_something_honours_the_key(document: dict[str, Any]) -> None:
    deaf = [
        name
        for name, operation in operations(document)
        if name.startswith("POST ")
        and {"201", "202"} & set(operation["responses"])
        # Answers alike whatever happens, and writes after its answer.
        and name != "POST /api/v1/auth/password-reset"
        and "Idempotency-Key" not in str(operation.get("parameters", ""))
    ]
    assert deaf == []


def test_every_list_is_bounded(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "limit":
                assert parameter["schema"]["maximum"] <= 200, name
                assert parameter["schema"]["default"] == 50, name
            if parameter["name"] in {"skip", "offset"}:
                assert parameter["schema"]["maximum"] == 10_000_000, name


def test_names_are_snake_case(document: dict[str, Any]) -> None:
    for name, body in document["components"]["schemas"].items():
        for field in body.get("properties", {}):
            assert re.fullmatch(r"[a-z][a-z0-9_]*", field), (name, field)


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    bare = []
    for name, operation in operations(document):
        content = (
            operation.get("requestBody", {}).get("content", {}).get("application/json")
        )
        if content is None:
            continue
        asked = content["schema"]
        reference = asked.get("anyOf", [asked])[0].get("$ref", "")
        body = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
        fields = body.get("properties", {}).values()
        shown = "examples" in content or "example" in content or "examples" in body
        if not shown and not any("examples" in field for field in fields):
            bare.append(name)
    assert bare == []
