import io
import json
import logging as standard
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from tests.api.running import a_client, a_member, a_service
from tests.http.floors import Floor
from tests.http.test_floor import assert_contract_shape, echo
from vexxy.http import metrics as kept
from vexxy.http import telemetry
from vexxy.kit import logging, metrics, tracing
from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = standard.getLogger()
    before = (root.level, list(root.handlers))
    logging.configure(level="INFO", form="json", stream=stream)
    yield stream
    logging.unconfigured()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = tracing._installed.tracer
    tracing.install(telemetry.Spans(provider.get_tracer("test")))
    yield exporter
    tracing.install(before)
    provider.shutdown()


def samples(page: bytes) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_a_request_is_one_line_without_its_query_or_headers(
    a_floor: Floor, lines: io.StringIO
) -> None:
    client = a_floor(echo)
    client.get(
        "/echo?token=hunter22",
        headers={"X-Request-ID": "request-0001", "Authorization": "Bearer hunter2222"},
    )
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    (line,) = [line for line in found if line["event"] == "request"]
    assert (line["request_id"], line["method"], line["path"]) == (
        "request-0001",
        "GET",
        "/echo",
    )
    assert (line["status"], line["address"]) == (200, "203.0.113.9")
    assert line["milliseconds"] >= 0
    assert "hunter22" not in lines.getvalue()


def test_a_fault_is_recorded_under_its_request_id(
    a_floor: Floor, lines: io.StringIO
) -> None:
    def add(app: FastAPI) -> None:
        @app.get("/fail")
        def fail() -> None:
            raise RuntimeError("what happened")

    answer = a_floor(add).get("/fail")
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    fault = next(line for line in found if line["event"] == "request.failed")
    assert fault["request_id"] == answer.json()["request_id"]
    assert "what happened" in fault["exception"]


def test_probes_leave_no_line(a_floor: Floor, lines: io.StringIO) -> None:
    def add(app: FastAPI) -> None:
        @app.get("/health/live")
        def live() -> str:
            return "ok"

    a_floor(add).get("/health/live")
    assert '"request"' not in lines.getvalue()


def test_everything_that_is_counted_can_be_kept_and_read(db_system: Database) -> None:
    recorder = kept.Prometheus()
    for item in metrics.EVERY:
        labels = dict.fromkeys(item.labels, "x")
        if isinstance(item, metrics.Counter):
            recorder.count(item, 2, labels)
        else:
            recorder.observe(item, 0.5, labels)
    page = samples(kept.page(recorder, db_system))
    for item in metrics.EVERY:
        labels = sorted(dict.fromkeys(item.labels, "x").items())
        name = item.name if isinstance(item, metrics.Counter) else f"{item.name}_count"
        assert page[f"{name}{labels}"] in {1, 2}, name
    assert page["vexxy_database_up[]"] == 1


def test_every_name_says_its_unit_and_whether_it_only_grows() -> None:
    for item in metrics.EVERY:
        ending = "_total" if isinstance(item, metrics.Counter) else "_seconds"
        assert item.name.startswith("vexxy_")
        assert item.name.endswith(ending)
    assert len({item.name for item in metrics.EVERY}) == len(metrics.EVERY)


def test_a_database_that_is_away_is_a_number_and_no_failure(tmp_path: Path) -> None:
    from vexxy.kit.db import Role  # noqa: PLC0415  only here

    away = Database(f"postgresql://nobody@/none?host={tmp_path}", role=Role.SYSTEM)
    page = samples(kept.page(kept.Prometheus(), away))
    assert page["vexxy_database_up[]"] == 0


def test_counting_without_a_recorder_costs_nothing_and_keeps_nothing() -> None:
    metrics.JOBS_FINISHED.count(kind="analysis", outcome="done")
    metrics.PHASE_SECONDS.observe(1.0, phase="deploy")


def test_the_metrics_are_served_and_counted_by_route(database_url: str) -> None:
    with a_service(database_url) as service, a_client(service) as client:
        member = a_member(service)
        for path in ("/nowhere/1", "/nowhere/2"):
            client.get(path, headers=member.headers)
        answer = client.get("/metrics")
        page = samples(answer.content)
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    labels = [("method", "GET"), ("route", "unmatched"), ("status", "404")]
    assert page[f"vexxy_http_requests_total{labels}"] == 2


def test_a_worker_answers_prometheus_where_it_is_told() -> None:
    recorder = kept.Prometheus()
    recorder.count(metrics.LOST_EVENTS, 3, {})
    server = kept.serve(recorder, listen="127.0.0.1:0")
    page = httpx.get(f"http://127.0.0.1:{server.server_port}/metrics").content
    with pytest.raises(Unavailable, match="WORKER_METRICS_LISTEN"):
        kept.serve(recorder, listen=f"127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    assert samples(page)["vexxy_lost_events_total[]"] == 3
    with pytest.raises(Unavailable, match="WORKER_METRICS_LISTEN"):
        kept.serve(recorder, listen="nonsense")


def test_a_token_guards_the_metrics_where_one_is_set(database_url: str) -> None:
    with (
        a_service(database_url, metrics_token="a token of Prometheus") as service,  # noqa: S106
        a_client(service) as client,
    ):
        refused = client.get("/metrics")
        wrong = client.get("/metrics", headers={"Authorization": "Bearer another"})
        right = client.get(
            "/metrics", headers={"Authorization": "Bearer a token of Prometheus"}
        )
    assert (refused.status_code, wrong.status_code, right.status_code) == (401, 401, 200)
    assert_contract_shape(refused.json(), code="UNAUTHORIZED")


def test_a_span_of_ours_has_its_parent_and_its_ids(spans: InMemorySpanExporter) -> None:
    with (
        tracing.span("job", job_id="j-1"),
        tracing.span("phase", phase="deploy", extra=None),
    ):
        pass
    inner, outer = spans.get_finished_spans()
    assert (outer.name, inner.name) == ("job", "phase")
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert dict(inner.attributes or {}) == {"vexxy.phase": "deploy"}


def test_what_another_process_did_is_a_span_of_its_own_time(
    spans: InMemorySpanExporter,
) -> None:
    with tracing.span("job"):
        tracing.past("phase", began=1000.0, ended=1002.5, phase="deploy")
    phase, job = spans.get_finished_spans()
    assert (phase.start_time, phase.end_time) == (1_000_000_000_000, 1_002_500_000_000)
    assert phase.parent is not None
    assert phase.parent.span_id == job.context.span_id


def test_a_transaction_is_a_span_without_its_sql(
    spans: InMemorySpanExporter, db_system: Database
) -> None:
    with db_system.transaction():
        pass
    (span,) = spans.get_finished_spans()
    assert span.name == "transaction"
    assert dict(span.attributes or {}) == {"vexxy.role": "vexxy_system"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
                "OTEL_SDK_DISABLED": "true",
            },
            False,
        ),
    ],
)
def test_nothing_is_traced_unless_it_is_asked_for(
    environment: dict[str, str], *, expected: bool
) -> None:
    assert telemetry.asked(environment) is expected
