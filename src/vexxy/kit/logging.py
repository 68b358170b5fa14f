"""Logs: one JSON object a line, with the ids of what it is about and no secret."""

import logging as standard
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO
from uuid import UUID

import msgspec
import structlog
from structlog.typing import EventDict, Processor

from vexxy.kit import redaction

Id = str | int | UUID | None

# One dictionary a request or job. It is shared by the threads that work for it, so an
# organization that a thread finds out is in the line that the event loop writes.
_ids: ContextVar[dict[str, Id] | None] = ContextVar("vexxy_log_ids", default=None)

# Loggers that say again, with less care, what our own line about a request says.
SILENCED: Final = ("uvicorn.access", "httpx", "httpcore")


def logger(name: str) -> Any:  # noqa: ANN401  structlog's loggers are lazy proxies
    """Return the logger of a module; its lines carry the module's name."""
    return structlog.get_logger(source=name)


@contextmanager
def bound(**ids: Id) -> Iterator[None]:
    """Put the ids on every line that is written inside."""
    token = _ids.set({**(_ids.get() or {}), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def note(**ids: Id) -> None:
    """Add ids to the innermost `bound`, also for the thread that opened it."""
    current = _ids.get()
    if current is not None:
        current.update(ids)


def configure(
    *, level: str = "INFO", form: str = "json", stream: TextIO | None = None
) -> None:
    """Write to the stream (standard error), as `json` or as `text` for people.

    Lines of libraries that use Python's own logging take the same way.
    """
    number = standard.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=_processors(form),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream) if stream else _StandardError(),
        cache_logger_on_first_use=False,
    )
    root = standard.getLogger()
    for handler in [item for item in root.handlers if isinstance(item, _Forward)]:
        root.removeHandler(handler)
    root.addHandler(_Forward())
    root.setLevel(number)
    for name in ("uvicorn", "uvicorn.error", *SILENCED):
        standard.getLogger(name).handlers.clear()
        standard.getLogger(name).propagate = True
    for name in SILENCED:
        standard.getLogger(name).setLevel(standard.WARNING)


def unconfigured() -> None:
    """Write warnings and worse to standard error, until somebody configures more.

    Without this the library would draw every exception with the values of its local
    variables, passwords among them.
    """
    structlog.configure(
        processors=_processors("json"),
        wrapper_class=structlog.make_filtering_bound_logger(standard.WARNING),
        logger_factory=_StandardError(),
        cache_logger_on_first_use=False,
    )


def _processors(form: str) -> list[Processor]:
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=False)
        if form == "text"
        else structlog.processors.JSONRenderer(serializer=_serialized)
    )
    return [
        _with_ids,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redaction.redacted_event,
        last,
    ]


def _with_ids(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {**(_ids.get() or {}), **event}


def _serialized(event: Any, **_options: object) -> str:  # noqa: ANN401  any event
    return msgspec.json.encode(event, enc_hook=str).decode()


class _StandardError:
    """Makes loggers for standard error as it is when a line is written."""

    def __call__(self, *_arguments: object) -> structlog.WriteLogger:
        """Return one; tests and supervisors put another stream in its place."""
        return structlog.WriteLogger(sys.stderr)


class _Forward(standard.Handler):
    """Hands what libraries log to our own processors."""

    def emit(self, record: standard.LogRecord) -> None:
        """Write the record as one of our lines."""
        logger(record.name).log(
            record.levelno, record.getMessage(), exc_info=record.exc_info or None
        )


unconfigured()
