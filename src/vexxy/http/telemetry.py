"""OpenTelemetry: off unless its own environment names say where traces go.

The libraries are an optional extra (`pip install vexxy-enterprise[telemetry]`). The
request's own span is FastAPI's, which begins to speak as soon as a provider is set.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final

from vexxy.kit import logging, tracing
from vexxy.kit.redaction import REDACTED
from vexxy.kit.tracing import Attribute

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span, Tracer

log: Final = logging.logger(__name__)
# Any of these asks for traces (opentelemetry.io, SDK environment variables).
ASKED_BY: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
NANOSECONDS: Final = 1_000_000_000
QUERY: Final = "url.query"
DISABLED: Final = "OTEL_SDK_DISABLED"


def asked(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment names a receiver and does not switch it off."""
    if environment.get(DISABLED, "").lower() == "true":
        return False
    return any(environment.get(name) for name in ASKED_BY)


def install(service_name: str) -> Callable[[], None]:
    """Send traces where the environment says; return what ends that.

    Without the environment, or without the libraries, nothing is sent; the second is
    said in the log.
    """
    if not asked(os.environ):
        return _nothing
    try:
        return _installed(service_name)
    except ImportError:
        log.warning(
            "telemetry.absent", hint="pip install 'vexxy-enterprise[telemetry]' for traces"
        )
        return _nothing


def _nothing() -> None:
    """End nothing."""


def _installed(service_name: str) -> Callable[[], None]:
    from opentelemetry import trace  # noqa: PLC0415  an optional extra
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME", service_name)
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(_without_queries())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    tracing.install(Spans(provider.get_tracer("vexxy")))
    return provider.shutdown


def _without_queries() -> "SpanProcessor":
    from opentelemetry.sdk.trace import Span, SpanProcessor  # noqa: PLC0415  optional

    class WithoutQueries(SpanProcessor):
        """Takes the query out of a request's span: a signed link's proof stands there."""

        def on_start(self, span: Span, parent_context: object = None) -> None:
            """Replace it before anybody can export it."""
            del parent_context
            if QUERY in (span.attributes or {}):
                span.set_attribute(QUERY, REDACTED)

    return WithoutQueries()


class Spans:
    """Our spans, on a tracer of OpenTelemetry."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer

    def span(
        self, name: str, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[object]:
        """Open a span below the one that is current."""
        return self._open(name, attributes)

    @contextmanager
    def _open(self, name: str, attributes: Mapping[str, Attribute]) -> Iterator[None]:
        # Not the library's own note of an error: it holds the message and a traceback.
        with (
            self._tracer.start_as_current_span(
                name,
                attributes=_ours(attributes),
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _Noted(span),
        ):
            yield

    def past(
        self, name: str, attributes: Mapping[str, Attribute], *, began: float, ended: float
    ) -> None:
        """Record a span that is over."""
        span = self._tracer.start_span(
            name, attributes=_ours(attributes), start_time=int(began * NANOSECONDS)
        )
        span.end(int(ended * NANOSECONDS))


class _Noted:
    """Notes the kind of an error that leaves a span, and nothing that it says."""

    def __init__(self, span: "Span") -> None:
        self._span = span

    def __enter__(self) -> None:
        """Wait for an error."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Note it, and let it go on."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415  optional

        if kind is not None:
            self._span.set_attribute("error.type", kind.__name__)
            self._span.set_status(StatusCode.ERROR)


def _ours(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {f"vexxy.{name}": value for name, value in attributes.items()}
