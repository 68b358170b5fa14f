"""Whether a server let the driver past its first page.

A server that sends everybody to a login answers every request with success, and none of
them reached the code behind it. Pages are compared without what differs in every answer:
tokens, numbers, paths, values of attributes.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final
from urllib.parse import urljoin, urlsplit

from vexxy.integrations.http_driver.targets import NOWHERE, Target
from vexxy.sandbox import rules

COMPARED_CHARACTERS: Final = 64 * 1024
PAGES_MAX: Final = 2000
TAG: Final = re.compile(r"<(\w+)[^<>]{0,4096}>")
CHANGING: Final = re.compile(r"(?:/|%2f)[\w.~%/?=&;+-]*|[\w+/=-]{16,}|\d+", re.IGNORECASE)
PASSWORD: Final = re.compile(r"<input[^<>]{0,512}type\s*=\s*[\"']?password", re.IGNORECASE)
SIGN_IN: Final = re.compile(
    r"log[-_]?[io]n|sign[-_]?(?:in|up)|\bauth|sso|oauth|saml|session|password|register",
    re.IGNORECASE,
)
# Open to everybody also where nothing else is.
OPEN: Final = re.compile(
    r"/+(?:\w+/)*(?:health\w*|live\w*|ready\w*|ping|status|metrics|version|info|robots\.txt"
    r"|favicon\.ico|manifest\.json|sitemap\.xml|\.well-known/.*)/?",
    re.IGNORECASE,
)
ASSET: Final = re.compile(
    r"text/css|image/|font/|.*javascript|application/wasm|.*/x?-?font"
)
# The answer is about the server, not about what was asked for.
BODILESS: Final = frozenset({"HEAD", "OPTIONS"})
DENIED: Final = frozenset({"401", "403", "407"})
GATE_PATHS_MIN: Final = 2
SAME: Final = (
    "every answer was the same page, such as a login; a test script that signs in would "
    "reach more"
)
REDIRECTS: Final = "every answer that was no error was a redirect"


class Pages:
    """What one port's answers were, as far as it tells pages apart."""

    def __init__(self) -> None:
        self._successes: dict[tuple[str, str, str], str] = {}
        self._redirected: dict[str, set[str]] = defaultdict(set)
        self._to_other_port = 0
        self._redirects = 0
        self._sign_in: set[str] = set()
        self._nowhere: str | None = None
        self._denied: set[str] = set()
        self._missing: set[str] = set()

    def note(
        self, target: Target, status: str, *, headers: Mapping[str, str], text: str
    ) -> None:
        """Take an answer."""
        path = target.path.partition("?")[0]
        if status in DENIED:
            self._denied.add(path)
        elif not rules.is_success(status):
            self._missing.add(path)
        elif "Location" in headers:
            self._note_redirect(path, headers["Location"])
        elif target.method not in BODILESS:
            self._note_page(target, headers.get("Content-Type", ""), text)

    def _note_redirect(self, path: str, location: str) -> None:
        self._redirects += 1
        try:
            parts = urlsplit(urljoin(f"http://localhost{path}", location))
            host = parts.hostname or ""
            elsewhere = bool(parts.port) or parts.scheme == "https"
        except ValueError:
            return
        if parts.path.rstrip("/") == path.rstrip("/"):
            self._to_other_port += elsewhere
            return
        local = host in {"localhost", "127.0.0.1"}
        self._redirected[parts.path or "/" if local else f"//{host}"].add(path)

    def _note_page(self, target: Target, kind: str, text: str) -> None:
        path = target.path.partition("?")[0]
        digest = _digest(text)
        if path == NOWHERE:
            self._nowhere = digest
        if PASSWORD.search(text) is not None:
            self._sign_in.add(path)
            self._sign_in.add(digest)
        if len(self._successes) < PAGES_MAX:
            self._successes[target.method, path, digest] = kind if text.strip() else ""

    @property
    def hindrance(self) -> str:
        """Say what kept the driver before the first page; empty if nothing did."""
        if not self._successes:
            only = self._redirects and self._to_other_port < self._redirects
            return REDIRECTS if only else ""
        gates = self._gates()
        shut = len(self._denied) >= GATE_PATHS_MIN and len(self._denied) > len(
            self._missing
        )
        if not (gates or self._sign_in or shut or self._nowhere is not None):
            return ""
        entries = {one[2] for one in self._successes if one[1] in gates} | self._sign_in
        if self._nowhere is not None:
            entries.add(self._nowhere)
        behind = {
            digest
            for (_, path, digest), kind in self._successes.items()
            if kind and not ASSET.match(kind) and not OPEN.fullmatch(path)
            if not entries & {digest, path} and path not in gates
            if not SIGN_IN.search(path)
        }
        # Where the rest is refused, one page is the entry.
        return "" if len(behind) > shut else SAME

    def _gates(self) -> set[str]:
        """Return where redirects from several paths, or to a login, lead."""
        return {
            where
            for where, paths in self._redirected.items()
            if len(paths) >= GATE_PATHS_MIN or SIGN_IN.search(where)
        }


def _digest(text: str) -> str:
    plain = CHANGING.sub("", TAG.sub(r"<\1>", text[:COMPARED_CHARACTERS]))
    words = " ".join(plain.split())
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()
