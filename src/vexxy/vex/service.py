"""Build, join, compare and check VEX documents.

The signatures that other slices call; the decisions are in `rules`, formats in `wire`.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from vexxy.images.types import Image
from vexxy.vex.types import Claim, Difference, Document, Issuance, Report, Target


def target_of(image: Image) -> Target:
    """Return the identity that documents about `image` are written for."""
    raise NotImplementedError


def build_document(
    claims: Sequence[Claim],
    *,
    target: Target,
    issuance: Issuance,
    previous: Document | None = None,
) -> Document | None:
    """Return the document, or None when there is nothing to state.

    OpenVEX demands at least one statement, so an image without findings has no
    document: say so instead of publishing an empty one.
    """
    raise NotImplementedError


def merge(documents: Sequence[Document], *, issuance: Issuance) -> Document:
    """Return one document with one current statement per key; the newest wins."""
    raise NotImplementedError


def diff(
    before: Document,
    after: Document,
    *,
    packages: Collection[str] | None = None,
    fixable: Collection[tuple[str, str]] = (),
) -> tuple[Difference, ...]:
    """Return what differs, with what is stale and what can now be fixed."""
    raise NotImplementedError


def read_document(path: Path) -> Document:
    """Return the OpenVEX document in a file."""
    raise NotImplementedError


def validate(
    source: Document | Path,
    *,
    target: Target | None = None,
    packages: Sequence[str] = (),
) -> Report:
    """Return what is wrong, and which tool would honor which statement."""
    raise NotImplementedError


def render(document: Document, format_name: str) -> bytes:
    """Return the document as `openvex`, `cyclonedx`, `csaf` or `sarif`."""
    raise NotImplementedError
