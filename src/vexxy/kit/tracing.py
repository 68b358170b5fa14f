"""Spans of traces; a door decides who receives them.

Until one installs a tracer, a span costs a call and records nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Protocol

Attribute = str | int | float | bool


class Tracer(Protocol):
    """Opens spans; the innermost open one is the parent of the next."""

    def span(
        self, name: str, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[object]:
        """Return a span that ends with the block and notes an error that leaves it."""

    def past(
        self, name: str, attributes: Mapping[str, Attribute], *, began: float, ended: float
    ) -> None:
        """Record a span that is over, under the one that is open; seconds since 1970."""


class _Silent:
    def span(
        self, name: str, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[object]:
        """Return a span of nobody."""
        del name, attributes
        return nullcontext()

    def past(
        self, name: str, attributes: Mapping[str, Attribute], *, began: float, ended: float
    ) -> None:
        """Record nothing."""


class _Installed:
    tracer: Tracer = _Silent()


_installed: Final = _Installed()


def install(tracer: Tracer) -> None:
    """Hand every span to this tracer from now on, in this process."""
    _installed.tracer = tracer


@contextmanager
def span(name: str, **attributes: object) -> Iterator[None]:
    """Record how long the block takes, under the span that is open now.

    Attributes are ids and names of ours, never what a user sent.
    """
    with _installed.tracer.span(name, _told(attributes)):
        yield


def past(name: str, *, began: float, ended: float, **attributes: object) -> None:
    """Record a block that another process ran, as what is open now saw it.

    Args:
        name: As of `span`.
        began: Seconds since 1970.
        ended: The same.
        attributes: As of `span`.
    """
    _installed.tracer.past(name, _told(attributes), began=began, ended=ended)


def _told(attributes: Mapping[str, object]) -> dict[str, Attribute]:
    return {
        name: value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in attributes.items()
        if value is not None
    }
