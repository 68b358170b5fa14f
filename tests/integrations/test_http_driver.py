"""What the built-in driver asks for, and what it makes of answers."""

import http.server
import json
import random
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.patience import until
from vexxy.integrations.http_driver import mutations, pokes, targets
from vexxy.integrations.http_driver.generator import HttpTraffic
from vexxy.integrations.http_driver.program import Driver
from vexxy.integrations.http_driver.targets import Target
from vexxy.sandbox import rules
from vexxy.sandbox.errors import DriverFailed
from vexxy.sandbox.types import Port, TrafficPlan, TrafficReport

PAGE = """
<a href="next.html">n</a> <a href="/abs?x=1#part">a</a> <a href="https://example.com/">out</a>
<a href="mailto:x@example.com">m</a> <a href="http://[bad">b</a>
<script src="/app.js"></script>
<form action="/search"><input name="q"><input type="submit"></form>
<form method="post"><input name="user" value="me"><textarea name="text"></textarea></form>
"""
DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "http://localhost:8000/v1"}],
    "paths": {
        "/pets/{id}": {
            "delete": {},
            "get": {
                "parameters": [
                    {"name": "deep", "in": "query", "schema": {"type": "boolean"}}
                ]
            },
            "parameters": [{"name": "id", "in": "path"}],
        },
        "/pets": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}
                    }
                }
            }
        },
    },
    "components": {
        "schemas": {
            "Pet": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "example": "Rex"},
                    "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
                    "parent": {"$ref": "#/components/schemas/Pet"},
                },
            }
        }
    },
}


def test_a_page_leads_to_its_links_and_forms_and_nowhere_else() -> None:
    found = targets.found_in("/dir/page.html", "text/html; charset=utf-8", PAGE)
    assert found == [
        Target("GET", "/dir/next.html"),
        Target("GET", "/abs?x=1"),
        Target("GET", "/app.js"),
        Target("GET", "/search?q=1"),
        Target("POST", "/dir/page.html", "user=me&text=1", targets.FORM),
    ]


def test_an_openapi_document_leads_to_each_of_its_operations_deletes_last() -> None:
    found = targets.found_in("/openapi.json", "application/json", json.dumps(DOCUMENT))
    assert [target.name for target in found] == [
        "GET /v1/pets/1?deep=true",
        "POST /v1/pets",
        "DELETE /v1/pets/1",
    ]
    body = json.loads(found[1].body)
    assert body["name"] == "Rex"
    assert body["tags"] == ["a"]
    assert found[1].content_type == targets.JSON


def test_a_swagger_2_document_is_read_too() -> None:
    document = {
        "swagger": "2.0",
        "basePath": "/api",
        "paths": {
            "/x": {"put": {"parameters": [{"in": "body", "schema": {"type": "object"}}]}}
        },
    }
    (target,) = targets.operations(document)
    assert (target.name, target.body) == ("PUT /api/x", "{}")


def test_paths_in_json_and_scripts_are_tried() -> None:
    assert targets.found_in("/", "application/json", '{"self": "/items/7"}') == [
        Target("GET", "/items/7")
    ]
    assert targets.found_in("/", "text/javascript", "fetch('/api/me')") == [
        Target("GET", "/api/me")
    ]


@pytest.mark.parametrize(
    "link",
    ["https://example.com/", "//169.254.169.254/latest", "ftp://localhost/", "http://["],
)
def test_a_link_that_leads_away_is_not_followed(link: str) -> None:
    assert targets.local("/", link) is None


@given(st.text(), st.sampled_from(["text/html", "application/json", "text/javascript"]))
def test_no_answer_can_break_the_driver(text: str, kind: str) -> None:
    assert len(targets.found_in("/", kind, text)) <= targets.LINKS_PER_PAGE_MAX


def test_json_that_is_nested_too_deep_is_passed_over() -> None:
    assert targets.found_in("/", "application/json", "[" * 100_000) == []


def test_mutations_are_the_same_in_every_run() -> None:
    target = Target("POST", "/x?a=1&b=2", '{"a": 1}', targets.JSON)
    first, again = (
        list(mutations.mutated(target, random.Random(0)))  # noqa: S311  repeatable
        for _ in range(2)
    )
    assert first == again
    assert len(first) == 3
    assert all(bent != target or headers for bent, headers in first)


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, kind, body = {
            "/": (200, "text/html", b"<a href='/a'>a</a>"),
            "/a": (302, "text/plain", b""),
            "/b": (200, "text/plain", b"end"),
        }.get(self.path.partition("?")[0], (404, "text/plain", b"no"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/b")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's
        """Say nothing."""


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[Port]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Port(server.server_address[1], "http")
        server.shutdown()
        thread.join()


@pytest.fixture
def site() -> Iterator[Port]:
    with serving(Site) as port:
        yield port


def reports(captured: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_a_site_is_crawled_through_links_and_redirects(
    site: Port, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    plan = TrafficPlan(
        ports=(site,), duration_seconds=30, seed_paths=("/seed",), requests_max=30
    )
    Driver(plan).run()
    last = reports(capfdbinary.readouterr().out.decode())[-1]
    assert set(last["paths"]) == {"GET /", "GET /a", "GET /b"}
    assert last["statuses"]["404"] >= 1
    assert last["statuses"]["302"] >= 1
    assert last["answered"] <= last["sent"] <= 31


def test_fuzzing_bends_requests_after_the_first_pass(
    site: Port, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    plan = TrafficPlan(ports=(site,), duration_seconds=30, fuzz=True, requests_max=60)
    Driver(plan).run()
    last = reports(capfdbinary.readouterr().out.decode())[-1]
    assert last["mutated"] > 10
    assert last["passes"] >= 1


def test_what_does_not_answer_is_not_counted(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Site) as unused:
        port = Port(unused.server_address[1], "http")
    Driver(TrafficPlan(ports=(port,), duration_seconds=30, requests_max=5)).run()
    last = reports(capfdbinary.readouterr().out.decode())[-1]
    assert (last["sent"], last["answered"]) == (5, 0)
    assert last["errors"]


class Broken(Site):
    def do_GET(self) -> None:
        self.send_error(503)


def test_errors_are_kept_as_evidence_and_count_as_no_answer(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    with serving(Broken) as port:
        Driver(TrafficPlan(ports=(port,), duration_seconds=30, requests_max=5)).run()
    last = reports(capfdbinary.readouterr().out.decode())[-1]
    assert (last["sent"], last["answered"], last["paths"]) == (5, 0, [])
    assert last["statuses"] == {"503": 5}


def driven(plan: TrafficPlan, captured: pytest.CaptureFixture[bytes]) -> TrafficReport:
    Driver(plan).run()
    last = captured.readouterr().out.splitlines()[-1]
    return msgspec.json.decode(last, type=TrafficReport)


def test_a_port_that_only_fails_is_told_beside_one_that_answers(
    site: Port, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with serving(Broken) as broken:
        ports = (site, broken)
        report = driven(TrafficPlan(ports, 30, requests_max=60), capfdbinary)
    good, bad = report.by_port[site.number], report.by_port[broken.number]
    assert good.answered == good.statuses["200"] + good.statuses["302"] == report.answered
    assert (bad.answered, set(bad.statuses)) == (0, {"501", "503"})
    assert sum(bad.statuses.values()) == bad.sent
    assert report.sent == good.sent + bad.sent
    (limit,) = rules.traffic_limits(ports, report)
    assert limit.startswith(f"no HTTP request to port {broken.number} succeeded (501")


class Endless(Site):
    """Every page leads to a hundred more."""

    def do_GET(self) -> None:
        body = "".join(f"<a href='{number}/'>x</a>" for number in range(100)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_site_without_end_leaves_their_share_to_the_others(
    site: Port, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with serving(Endless) as endless:
        ports = (endless, site)
        report = driven(TrafficPlan(ports, 30, requests_max=100), capfdbinary)
    assert report.by_port[endless.number].sent >= 50
    assert report.by_port[site.number].sent >= 30
    assert "GET /b" in report.paths
    # Its pages are all the same; nothing is missing at the other port.
    (limit,) = rules.traffic_limits(ports, report)
    assert limit.startswith(f"port {endless.number} was not exercised")


class Redis(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(b"+PONG\r\n" if line.startswith(b"PING") else b"$-1\r\n")


def test_other_protocols_are_spoken_to_in_their_words() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Redis) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        said = dict(pokes.poke(server.server_address[1], "redis"))
        server.shutdown()
        thread.join()
    assert said["redis PING"]
    assert said["redis EVAL"]


def test_the_program_runs_by_itself_and_reports(site: Port) -> None:
    plan = TrafficPlan(ports=(site,), duration_seconds=60)
    with HttpTraffic().start(plan, enter=()) as traffic:
        until(lambda: "GET /b" in traffic.report().paths)
        report = traffic.stop()
    assert report.statuses["404"] > 0
    assert report.answered == report.statuses["200"] + report.statuses["302"]


def test_a_program_that_cannot_start_is_told() -> None:
    plan = TrafficPlan(ports=(Port(1),), duration_seconds=1)
    running = HttpTraffic().start(plan, enter=("false",))
    running._process.wait(60)
    with pytest.raises(DriverFailed):
        running.stop()
    with pytest.raises(DriverFailed):
        HttpTraffic().start(plan, enter=("/no/such/program",))


def test_a_driver_that_dies_on_the_way_is_told(site: Port) -> None:
    """Its answers so far are no drive of the whole window."""
    running = HttpTraffic().start(TrafficPlan(ports=(site,), duration_seconds=60), enter=())
    until(lambda: running.report().sent > 0 or running._process.poll() is not None)
    running._process.kill()
    running._process.wait(60)

    report = running.stop()

    assert report.sent > 0
    assert "exit code" in report.failure


def test_a_schema_that_holds_itself_many_times_ends() -> None:
    names = [f"p{number}" for number in range(40)]
    node = {"type": "object", "properties": {name: {"$ref": "#/node"} for name in names}}

    made = json.dumps(targets.example({"node": node}, node))

    assert len(made) < 100_000


@pytest.mark.parametrize(
    "body", [b"<![foo[ x ]]>", b"<a href='\xed\xa0\x80'>", b"<form method=\x00>"]
)
def test_a_page_that_breaks_the_parser_does_not_end_the_drive(
    body: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    class Odd(Site):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Odd) as port:
        Driver(TrafficPlan(ports=(port,), duration_seconds=30, requests_max=20)).run()

    assert reports(capfdbinary.readouterr().out.decode())[-1]["answered"] >= 20


Answers = dict[str, tuple[int, str, str]]
HTML = "text/html"
LOGIN = "<form method=post>{n} <input name=token value={n}><input type='password'></form>"
WELCOME = "<h1>Welcome</h1>"


def answering(answers: Answers) -> type[http.server.BaseHTTPRequestHandler]:
    """Return a server of these answers by path; `*` is for all others."""

    class Planned(Site):
        asked = 0

        def do_GET(self) -> None:
            type(self).asked += 1
            path = self.path.partition("?")[0]
            status, kind, body = answers.get(path, answers.get("*", (404, HTML, "no")))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body.format(path=path))
                body = ""
            if kind:
                self.send_header("Content-Type", kind)
            data = body.replace("{n}", str(self.asked)).replace("{path}", path).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_OPTIONS(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

    return Planned


TO_LOGIN = (302, "", "/login?next={path}")
SHUT: dict[str, Answers] = {
    "all go to a login": {"*": TO_LOGIN, "/login": (200, HTML, LOGIN)},
    "the login answers at every path": {"*": (200, HTML, LOGIN)},
    "a health check and style sheets are open": {
        "*": TO_LOGIN,
        "/login": (200, HTML, LOGIN),
        "/healthz": (200, "text/plain", "ok"),
        "/static/": (200, "text/css", "a{}"),
    },
    "unknown paths are not found": {
        "/": TO_LOGIN,
        "/admin": TO_LOGIN,
        "/login": (200, HTML, "<a href='/sso/start'>Sign in</a>"),
    },
    "only the first page leads to a login": {
        "/": TO_LOGIN,
        "/login": (200, HTML, "<button>Sign in</button>"),
    },
    "a login without a form lies at the root": {
        "*": (302, "", "/"),
        "/": (200, HTML, "<script src='/app.js'></script>"),
        "/app.js": (200, "text/javascript", "login()"),
    },
    "somebody else signs in": {"*": (302, "", "https://sso.example.com/{path}")},
    "one page is at every path": {"*": (200, HTML, "<p>{n} you asked for {path}</p>")},
    "an application of one page is refused everything": {
        "*": (401, "application/json", "{}"),
        "/": (200, HTML, "<script src='/app.js'></script>"),
        "/app.js": (200, "text/javascript", "fetch('/api/me')"),
    },
    "nothing but redirects": {"/": (301, "", "/a"), "/a": (302, "", "/b")},
}
OPEN: dict[str, Answers] = {
    "a static welcome page": {
        "/": (200, HTML, WELCOME),
        "/index.html": (200, HTML, WELCOME),
    },
    "a welcome page and what is forbidden": {
        "/": (200, HTML, WELCOME),
        "/static/": (403, HTML, "no"),
    },
    "pages beside a login": {
        "/": (200, HTML, WELCOME),
        "/admin": TO_LOGIN,
        "/login": (200, HTML, LOGIN),
    },
    "an interface behind an application of one page": {
        "*": (200, HTML, "<p>app</p>"),
        "/api": (200, "application/json", '{"items": ["one"]}'),
    },
    "the root leads to the documentation": {
        "/": (307, "", "/docs"),
        "/docs": (200, HTML, WELCOME),
    },
    "a redirect to another port": {"*": (301, "", "https://localhost{path}")},
}


@pytest.mark.parametrize("name", SHUT)
def test_a_server_that_lets_nobody_in_was_not_exercised(
    name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with serving(answering(SHUT[name])) as port:
        report = driven(TrafficPlan((port,), 30, fuzz=True, requests_max=45), capfdbinary)
    assert report.answered
    (limit,) = rules.traffic_limits((port,), report)
    assert limit.startswith(f"port {port.number} was not exercised: every answer")


@pytest.mark.parametrize("name", OPEN)
def test_a_server_that_tells_paths_apart_was_exercised(
    name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with serving(answering(OPEN[name])) as port:
        report = driven(TrafficPlan((port,), 30, fuzz=True, requests_max=45), capfdbinary)
    assert report.answered
    assert rules.traffic_limits((port,), report) == ()
