"""Traces as a collector receives them, from a process that the environment configures."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROGRAM = """
from types import SimpleNamespace
from starlette.testclient import TestClient
from vexxy.http import app as floor, telemetry
from vexxy.kit import tracing
from vexxy.settings import ServiceSettings

end = telemetry.install("vexxy")
app = floor.create(SimpleNamespace(settings=ServiceSettings(), sealer=None))

@app.get("/things/{thing_id}")
def read(thing_id: str) -> str:
    with tracing.span("job", job_id="j-1"):
        return "ok"

@app.get("/fail")
def fail() -> str:
    with tracing.span("phase", phase="deploy"):
        raise ValueError("hunter22")

with TestClient(app) as client:
    parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    client.get("/things/7?token=hunter22", headers={"traceparent": parent})
    client.get("/fail")
end()
"""


class Collector:
    """Speaks as much of OTLP over HTTP as an exporter needs."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.silent = False
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> dict[str, Span]:
        found = {}
        for body in self.bodies:
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found |= {span.name: span for span in scope.spans}
        return found


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """What came of two programs, of which one was asked to send traces."""
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    run(OTEL_EXPORTER_OTLP_ENDPOINT=made.url, OTEL_SDK_DISABLED="true")
    made.silent = not made.bodies
    run(OTEL_EXPORTER_OTLP_ENDPOINT=made.url)
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def run(**environment: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        env={"PATH": "", "HOME": "/nonexistent", **environment},
        capture_output=True,
        timeout=120,
    )


def attributes(span: Span) -> dict[str, str]:
    return {item.key: item.value.string_value for item in span.attributes}


def test_a_request_and_what_it_does_are_one_trace(collector: Collector) -> None:
    spans = collector.spans()
    request, job = spans["GET /things/{thing_id}"], spans["job"]
    assert request.trace_id == job.trace_id == bytes.fromhex("ab" * 16)
    assert request.parent_span_id == bytes.fromhex("cd" * 8)
    assert job.parent_span_id == request.span_id
    assert attributes(job)["vexxy.job_id"] == "j-1"
    failed = spans["phase"]
    assert failed.status.code == 2
    assert attributes(failed)["error.type"] == "ValueError"


def test_no_secret_leaves_with_a_trace(collector: Collector) -> None:
    assert collector.bodies
    assert not any(b"hunter22" in body for body in collector.bodies)
    request = collector.spans()["GET /things/{thing_id}"]
    assert attributes(request)["url.query"] == "[redacted]"


def test_nothing_leaves_of_what_is_switched_off(collector: Collector) -> None:
    assert collector.silent
