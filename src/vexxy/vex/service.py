"""Build, join, compare and check VEX documents.

The doors and the pipeline call this; the decisions are in `rules`, the formats in
`wire`.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from vexxy.images.types import Image
from vexxy.vex.errors import NothingToState, UnreadableDocument
from vexxy.vex.rules import (
    building,
    checking,
    differences,
    editions,
    honoring,
    merging,
    surveying,
)
from vexxy.vex.types import (
    Claim,
    Difference,
    Document,
    Extras,
    Gravity,
    Honor,
    Issuance,
    Remark,
    Report,
    Target,
)
from vexxy.vex.wire import csaf, cyclonedx, openvex, parsing, sarif

_GRAVITIES: Final = (Gravity.ERROR, Gravity.WARNING, Gravity.NOTE)


class Format(StrEnum):
    """The formats that a document can be written in."""

    OPENVEX = "openvex"
    CYCLONEDX = "cyclonedx"
    CSAF = "csaf"
    SARIF = "sarif"


def target_of(image: Image) -> Target:
    """Return the identity that documents about `image` are written for."""
    named = "@" not in image.reference and "/" not in image.reference.rpartition(":")[2]
    tagged = named and ":" in image.reference
    return Target(
        name=image.name,
        manifest_digest=image.manifest_digest,
        index_digest=image.index_digest,
        image_id=image.image_id,
        repo_digests=image.repo_digests,
        tags=(image.reference,) if tagged else (),
        architecture=image.platform.architecture,
    )


def build_document(
    claims: Sequence[Claim],
    *,
    target: Target,
    issuance: Issuance,
    previous: Document | None = None,
) -> Document | None:
    """Return the document, or None when there is nothing to state.

    OpenVEX demands at least one statement, so an image without findings has no
    document: say so instead of publishing an empty one. With `previous` this is its
    next edition, or `previous` itself when nothing changed.

    Raises:
        UnusableClaim: A claim is `not_affected` without a justification.
    """
    statements = building.statements(claims, target=target, issuance=issuance)
    if not statements:
        return None
    if previous is None:
        return editions.first(statements, issuance)
    return editions.following(previous, statements, issuance)


def merge(documents: Sequence[Document], *, issuance: Issuance) -> Document:
    """Return one document with one current statement per key; the newest word wins.

    Raises:
        NothingToState: The documents hold no statement about any product.
    """
    statements = merging.current_statements(documents)
    if not statements:
        raise NothingToState
    return editions.first(statements, issuance)


def diff(
    before: Document,
    after: Document,
    *,
    packages: Collection[str] | None = None,
    fixable: Collection[tuple[str, str]] = (),
) -> tuple[Difference, ...]:
    """Return what differs: new, gone, changed, stale, now fixable.

    Args:
        before: The older document.
        after: The newer one; stale and now fixable are told of it.
        packages: Purls of an inventory; None leaves staleness out.
        fixable: (vulnerability id, package purl) pairs for which a fix is known.
    """
    found = differences.between(before, after)
    if packages is not None:
        found += differences.stale(after, packages)
    return found + differences.now_fixable(after, fixable)


def read_document(path: Path) -> Document:
    """Return the OpenVEX document in a file, leaving out what cannot be kept.

    Raises:
        UnreadableDocument: No such file, or no OpenVEX document within the limits.
    """
    try:
        return openvex.read(_content(path)).document
    except UnreadableDocument as error:
        if str(path) in error.message:
            raise
        raise UnreadableDocument(f"{path}: {error.message}", hint=error.hint) from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(parsing.SIZE_MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableDocument(
            f"{path} cannot be read: {error.strerror}", hint="Give a file to read."
        ) from error


def validate(
    source: Document | Path,
    *,
    target: Target | None = None,
    packages: Sequence[str] = (),
) -> Report:
    """Return what is wrong, and which tool would honor which statement.

    Args:
        source: A document, or a file that may hold anything.
        target: The image to test against; None leaves that part out.
        packages: Purls of the image's inventory; without them a statement's own
            subcomponents stand for the packages, and what it hides unsaid is not told.
    """
    try:
        data = _content(source) if isinstance(source, Path) else openvex.dump(source)
        reading = openvex.read(data)
    except UnreadableDocument as error:
        remark = Remark("openvex.unreadable", Gravity.ERROR, error.message)
        return Report(None, (remark,))
    document = reading.document
    # A schema library takes seconds to load where its format checkers are installed;
    # only who validates pays for it.
    from vexxy.vex.wire import openvex_schema  # noqa: PLC0415  see above

    remarks = [*openvex_schema.check(reading.raw), *reading.remarks]
    remarks += checking.remarks(document)
    honors: tuple[Honor, ...] = ()
    if target is not None:
        honors = honoring.honors(document, target=target, packages=packages)
        remarks += surveying.remarks(
            document, target=target, packages=packages, honors=honors
        )
    ordered = sorted(remarks, key=lambda remark: _GRAVITIES.index(remark.gravity))
    return Report(document, tuple(ordered), honors)


def render(document: Document, form: Format, *, extras: Extras | None = None) -> bytes:
    """Return the document in another format."""
    more = extras or Extras()
    match form:
        case Format.OPENVEX:
            return openvex.dump(document)
        case Format.CYCLONEDX:
            return cyclonedx.dump(document, sbom=more.sbom)
        case Format.CSAF:
            return csaf.dump(document, namespace=more.namespace)
        case Format.SARIF:
            return sarif.dump(document, claims=more.claims)
