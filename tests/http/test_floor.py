import re
from collections.abc import Callable, Iterator, Mapping

import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.responses import StreamingResponse

from tests.http.floors import Floor
from vexxy.http import openapi
from vexxy.http.bodies import MESSAGE as TOO_LARGE
from vexxy.http.errors import ANSWERS
from vexxy.kit import errors
from vexxy.kit.errors import VexxyError


class Thing(BaseModel):
    name: str
    number: int = 1


def echo(app: FastAPI) -> None:
    @app.get("/echo")
    def read(request: Request) -> dict[str, str]:
        return {
            "id": request.scope["vexxy.request_id"],
            "address": request.scope["vexxy.client_address"],
            "scheme": request.url.scheme,
        }

    @app.post("/things", max_body_size=100)
    def write(thing: Thing) -> Thing:
        return thing


def failing(error: Exception) -> Callable[[FastAPI], None]:
    def add(app: FastAPI) -> None:
        @app.get("/fail")
        def fail() -> None:
            raise error

    return add


def assert_contract_shape(body: Mapping[str, object], *, code: str) -> None:
    assert set(body) == {"error", "message", "details", "timestamp", "request_id"}
    assert body["error"] == code
    assert body["message"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(body["timestamp"]))
    assert body["request_id"]


def kinds() -> list[type[VexxyError]]:
    return list(VexxyError.__subclasses__())


@pytest.mark.parametrize(
    "sent", ["0123abcd", "a-b_c.d:e-1234", "7c1f8a52-3f0e-4b57-9a0c-2f8f4f6f1c11"]
)
def test_a_well_formed_request_id_is_kept(a_floor: Floor, sent: str) -> None:
    answer = a_floor(echo).get("/echo", headers={"X-Request-ID": sent})
    assert answer.headers["X-Request-ID"] == sent == answer.json()["id"]


@pytest.mark.parametrize(
    "sent",
    ["", "short", "a" * 65, "with space", "tab\tinside", "<script>1</script>", "é" * 9],
)
def test_any_other_request_id_is_replaced(a_floor: Floor, sent: str) -> None:
    answer = a_floor(echo).get("/echo", headers={"X-Request-ID": sent.encode()})
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"])


def test_every_kind_of_error_has_its_answer() -> None:
    unanswered = [kind for kind in kinds() if kind not in ANSWERS]
    # These two leave no process; see the outermost frame of each door.
    assert [
        kind.__name__ for kind in unanswered if kind.__module__ == errors.__name__
    ] == []


@pytest.mark.parametrize("kind", list(ANSWERS), ids=lambda kind: kind.__name__)
def test_an_error_of_a_kind_is_answered_in_the_contracts_shape(
    a_floor: Floor, kind: type[VexxyError]
) -> None:
    error = (
        errors.RateLimited("too many", retry_after_seconds=7)
        if kind is errors.RateLimited
        else kind("it happened", hint="do this", details={"quota_type": "credits"})
    )
    answer = a_floor(failing(error)).get("/fail")
    assert answer.status_code == ANSWERS[kind].status
    assert_contract_shape(answer.json(), code=ANSWERS[kind].code)
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"]
    if kind is errors.RateLimited:
        assert answer.headers["Retry-After"] == "7"
    else:
        assert answer.json()["details"]["hint"] == "do this"
        assert answer.json()["details"]["quota_type"] == "credits"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("select password from users where /etc/passwd"),
        ExceptionGroup("several", [ValueError("a secret")]),
        RecursionError("deep"),
    ],
    ids=repr,
)
def test_a_fault_says_nothing_about_itself(a_floor: Floor, error: Exception) -> None:
    answer = a_floor(failing(error)).get("/fail")
    assert answer.status_code == 500
    assert_contract_shape(answer.json(), code="INTERNAL_ERROR")
    assert "secret" not in answer.text
    assert "select" not in answer.text
    assert "Traceback" not in answer.text


def test_a_database_that_is_away_is_no_fault_and_shows_no_sql(a_floor: Floor) -> None:
    error = OperationalError("select 1 from users", {}, Exception("host db.internal"))
    answer = a_floor(failing(error)).get("/fail")
    assert answer.status_code == 503
    assert_contract_shape(answer.json(), code="SERVICE_UNAVAILABLE")
    assert "users" not in answer.text
    assert "internal" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "RESOURCE_NOT_FOUND"),
        ("DELETE", "/echo", 405, "VALIDATION_ERROR"),
        ("TRACE", "/echo", 405, "VALIDATION_ERROR"),
        ("GET", "/docs/assets/../../../etc/passwd", 404, "RESOURCE_NOT_FOUND"),
        ("GET", "/docs/assets/none.js", 404, "RESOURCE_NOT_FOUND"),
    ],
)
def test_a_path_or_method_that_is_not_there_is_answered_alike(
    a_floor: Floor, method: str, path: str, status: int, code: str
) -> None:
    answer = a_floor(echo).request(method, path)
    assert answer.status_code == status
    assert_contract_shape(answer.json(), code=code)


@pytest.mark.parametrize(
    ("content", "loc"),
    [
        (b"{}", ["body", "name"]),
        (b'{"name": 3}', ["body", "name"]),
        (b"{", ["body", "1"]),
        (b"[1]", ["body"]),
        (b'{"name": "x", "number": "\\ud800"}', ["body", "number"]),
    ],
)
def test_a_malformed_body_says_where(
    a_floor: Floor, content: bytes, loc: list[str]
) -> None:
    answer = a_floor(echo).post(
        "/things", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert_contract_shape(answer.json(), code="VALIDATION_ERROR")
    assert answer.json()["details"]["errors"][0]["loc"] == loc


@pytest.mark.parametrize("content", [b"\xff\xfe", b"9" * 5000, b"[" * 90])
def test_a_body_that_no_parser_takes_is_the_clients_fault(
    a_floor: Floor, content: bytes
) -> None:
    def add(app: FastAPI) -> None:
        @app.post("/wide")
        def write(thing: Thing) -> Thing:
            return thing

    answer = a_floor(add).post(
        "/wide", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert_contract_shape(answer.json(), code="VALIDATION_ERROR")
    assert answer.json()["details"]["errors"]


def test_a_body_over_the_limit_of_its_route_is_refused_by_its_header(
    a_floor: Floor,
) -> None:
    answer = a_floor(echo).post("/things", json={"name": "x" * 200})
    assert answer.status_code == 413
    assert_contract_shape(answer.json(), code="PAYLOAD_TOO_LARGE")
    assert answer.json()["message"] == TOO_LARGE


def test_a_body_that_is_sent_in_pieces_is_counted(a_floor: Floor) -> None:
    pieces = (b'{"name": "' + b"x" * 50 for _ in range(10))
    answer = a_floor(echo).post(
        "/things", content=pieces, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert_contract_shape(answer.json(), code="PAYLOAD_TOO_LARGE")


def test_a_content_length_that_lies_is_not_believed(a_floor: Floor) -> None:
    answer = a_floor(echo).post(
        "/things",
        content=b'{"name": "' + b"x" * 300 + b'"}',
        headers={"Content-Type": "application/json", "Content-Length": "20"},
    )
    assert answer.status_code == 413


def test_a_large_length_on_a_route_that_reads_nothing_is_refused_alike(
    a_floor: Floor,
) -> None:
    def add(app: FastAPI) -> None:
        @app.post("/nothing", max_body_size=10)
        def write() -> None:
            return None

    answer = a_floor(add).post("/nothing", content=b"x" * 11)
    assert answer.status_code == 413
    assert_contract_shape(answer.json(), code="PAYLOAD_TOO_LARGE")


def test_a_fault_in_the_middle_of_an_answer_breaks_it_off(a_floor: Floor) -> None:
    def add(app: FastAPI) -> None:
        @app.get("/half")
        def read() -> StreamingResponse:
            def pieces() -> Iterator[bytes]:
                yield b"one"
                raise RuntimeError("in the middle")

            return StreamingResponse(pieces())

    with pytest.raises(RuntimeError, match="in the middle"):
        a_floor(add).get("/half")


def test_what_an_answer_carries_keeps_a_browser_from_more(a_floor: Floor) -> None:
    client = a_floor(echo)
    for path in ("/echo", "/nowhere", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers


def test_https_is_asked_for_again_only_where_it_was_spoken(a_floor: Floor) -> None:
    answer = a_floor(echo, base_url="https://testserver").get("/echo")
    assert "max-age=" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_runs_only_what_comes_from_here(
    a_floor: Floor, path: str
) -> None:
    client = a_floor(echo)
    page = client.get(path)
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text
    # The policy runs no script that stands in a page.
    assert re.findall(r"<script(?![^>]*\bsrc=)", page.text) == []
    for source in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(source).status_code == 200, source


def test_every_kind_of_error_is_documented_with_an_example() -> None:
    for kind, answer in ANSWERS.items():
        entry = openapi.responses(kind)[int(answer.status)]
        example = entry["content"]["application/json"]["examples"][answer.code]["value"]
        assert_contract_shape(example, code=answer.code)


def test_one_status_with_two_codes_shows_both() -> None:
    entry = openapi.responses(errors.RateLimited, errors.QuotaExceeded)[429]
    assert set(entry["content"]["application/json"]["examples"]) == {
        "RATE_LIMITED",
        "QUOTA_EXCEEDED",
    }
