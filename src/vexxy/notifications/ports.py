"""What notifications need from outside."""

from collections.abc import Mapping
from typing import Protocol

from vexxy.notifications.types import Response


class Sender(Protocol):
    """Sends one request; never raises for what the other side does."""

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Response:
        """Post the body and return the answer, without following redirects."""
