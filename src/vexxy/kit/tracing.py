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


class _Silent:
    def span(
        self, name: str, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[object]:
        """Return a span of nobody."""
        del name, attributes
        return nullcontext()


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
    told = {
        name: value if isinstance(value, str | int | float | bool) else str(value)
        for name, value in attributes.items()
        if value is not None
    }
    with _installed.tracer.span(name, told):
        yield
