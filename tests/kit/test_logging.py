import io
import json
import logging as standard
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vexxy.kit import logging, redaction

ORGANIZATION = UUID(int=7)
# Built here, so that no reader and no scanner takes one for real.
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl"
API_KEY = "vxy_" + "A1b2C3d4E5f6G7h8"
STRIPE = "sk_" + "live_" + "a1b2c3d4e5"
PASSWORD = "correct horse battery"  # noqa: S105  what must not be seen


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged from now on."""
    stream = io.StringIO()
    root = standard.getLogger()
    before = (root.level, list(root.handlers))
    logging.configure(level="INFO", form="json", stream=stream)
    yield stream
    logging.unconfigured()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_is_an_object_with_the_ids_of_what_it_is_about(lines: io.StringIO) -> None:
    log = logging.logger("vexxy.test")
    with logging.bound(request_id="r-1"), logging.bound(job_id=ORGANIZATION):
        log.info("job.started", attempt=2)
    log.info("outside")
    first, second = read(lines)
    assert first["event"] == "job.started"
    assert first["level"] == "info"
    assert first["source"] == "vexxy.test"
    assert first["timestamp"].endswith("Z")
    assert (first["request_id"], first["job_id"]) == ("r-1", str(ORGANIZATION))
    assert first["attempt"] == 2
    assert "request_id" not in second


def test_an_id_that_a_thread_finds_is_in_the_line_of_the_request(
    lines: io.StringIO,
) -> None:
    import contextvars  # noqa: PLC0415  only here

    with logging.bound(request_id="r-1"):
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(lambda: logging.note(organization_id=ORGANIZATION),)
        )
        thread.start()
        thread.join()
        logging.logger("x").info("request")
    assert read(lines)[0]["organization_id"] == str(ORGANIZATION)


def test_less_than_the_level_is_not_written(lines: io.StringIO) -> None:
    logging.logger("x").debug("too much")
    assert lines.getvalue() == ""


def test_what_libraries_log_takes_the_same_way(lines: io.StringIO) -> None:
    standard.getLogger("uvicorn.error").error("token=%s", API_KEY)
    standard.getLogger("uvicorn.access").info("GET /?signature=abc")
    (line,) = read(lines)
    assert line["source"] == "uvicorn.error"
    assert API_KEY not in lines.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "hashedPassword",
        "token",
        "access_token",
        "refresh-token",
        "key",
        "api_key",
        "apiKey",
        "idempotency_key",
        "JWT_SECRET_KEY",
        "environment",
        "cookie",
        "set-cookie",
        "Cookies",
        "authorization",
        "Proxy-Authorization",
        "signature",
        "test_script",
        "database_dsn",
    ],
)
def test_what_a_name_calls_a_secret_is_never_written(lines: io.StringIO, name: str) -> None:
    log = logging.logger("x")
    log.info("flat", **{name: PASSWORD})
    log.info("deep", config={"outer": [{name: {"inner": PASSWORD}}]})
    assert PASSWORD not in lines.getvalue()
    assert lines.getvalue().count(redaction.REDACTED) == 2


@pytest.mark.parametrize(
    "name", ["key_id", "token_type", "kind", "monkey", "organization_id"]
)
def test_what_is_no_secret_is_written(lines: io.StringIO, name: str) -> None:
    logging.logger("x").info("flat", **{name: "as it is"})
    assert "as it is" in lines.getvalue()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {JWT}", JWT),
        (f"the token {JWT} is old", JWT),
        (f"curl -H 'X-API-Key: {API_KEY}'", API_KEY),
        (f"stripe said no to {STRIPE}", STRIPE),
        ("postgresql://vexxy:hunter22@db/vexxy is away", "hunter22"),
        ("redis://:hunter22@cache:6379/0", "hunter22"),
        ("GET /download?token=hunter22&x=1", "hunter22"),
        ("DB_PASSWORD=hunter22 ./start", "hunter22"),
        ('{"password": "hunter22"}', "hunter22"),
        ("Cookie: session=hunter22", "hunter22"),
        ("[SQL: insert]\n[parameters: {'a': 'hunter22'}]", "hunter22"),
        ("DETAIL:  Key (email)=(hunter22) already exists.", "hunter22"),
        ("basic aHVudGVyMjI6eA==", "aHVudGVyMjI6eA=="),
    ],
)
def test_what_looks_like_a_secret_is_not_written(
    lines: io.StringIO, text: str, secret: str
) -> None:
    log = logging.logger("x")
    log.info(text)
    log.info("an event", note=text, more=[text], other={"x": (text,)})
    assert secret not in lines.getvalue()


def test_an_error_shows_its_place_and_not_its_secrets(lines: io.StringIO) -> None:
    def refuse() -> None:
        raise ValueError(f"refused {JWT}")

    try:
        refuse()
    except ValueError:
        logging.logger("x").exception("failed")
    (line,) = read(lines)
    assert "ValueError" in line["exception"]
    assert "test_an_error_shows_its_place" in line["exception"]
    assert JWT not in lines.getvalue()


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_text_without_a_secret_is_left_as_it_is(value: object) -> None:
    assume(redaction._SUSPECT.search(json.dumps(value)) is None)
    assert redaction.redacted_event(None, "info", {"note": value}) == {"note": value}


def test_a_text_log_is_for_people() -> None:
    stream = io.StringIO()
    root = standard.getLogger()
    before = (root.level, list(root.handlers))
    logging.configure(level="INFO", form="text", stream=stream)
    logging.logger("x").info("request", status=200, password=PASSWORD)
    logging.unconfigured()
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    assert "status=200" in stream.getvalue()
    assert PASSWORD not in stream.getvalue()


def test_before_anybody_configures_an_error_draws_no_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(password: str) -> None:
        del password
        raise ValueError("refused")

    try:
        refuse(PASSWORD)
    except ValueError:
        logging.logger("x").exception("failed")
    written = capsys.readouterr().err
    assert "ValueError: refused" in written
    assert PASSWORD not in written


EXPENSIVE = (
    *("token" * 12_000, "token=" * 10_000, "a" * 60_000 + "key", "a-" * 30_000 + "key"),
    *("a." * 30_000 + "://", "a://:" * 12_000, "eyJ-" * 15_000, "eyJaaaaa" * 7_500),
    *("[parameters: " * 5_000, "bearer" + " " * 60_000, "token" + " " * 60_000),
)


def test_a_text_that_was_made_to_be_expensive_is_read_in_no_time() -> None:
    """A path of 4 kB once held the event loop for minutes; here 60 kB would for days."""
    program = (
        "import sys; from vexxy.kit.redaction import redacted_text\n"
        "for text in sys.stdin: redacted_text(text)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(EXPENSIVE),
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "a=token=hunter22",
        "session-eyJhbGciOi.eyJzdWIiOi.hunter22",
        "url.postgresql://vexxy:hunter22@db/vexxy",
        "1.https://vexxy:hunter22@db/vexxy",
        "[parameters: {'password': 'hunter22'",
    ],
)
def test_a_secret_is_found_beside_other_text(text: str) -> None:
    assert "hunter22" not in redaction.redacted_text(text)


def test_a_standard_error_that_was_replaced_is_written_to(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was when logging was configured may be closed by now."""
    del lines  # restores what was configured
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    logging.configure()
    first.close()
    monkeypatch.setattr(sys, "stderr", second)

    logging.logger(__name__).warning("still.told")

    assert "still.told" in second.getvalue()
