"""Which kind of SBOM document it is, by its content and never by its name."""

from typing import Final

import msgspec

from vexxy.sbom.errors import InvalidSbom
from vexxy.sbom.types import Inventory
from vexxy.sbom.wire import cyclonedx, spdx, syft

_HINT: Final = "give CycloneDX (JSON, XML), SPDX 2 (JSON, tag-value) or Syft JSON"


class _Marks(msgspec.Struct):
    """The fields that tell the formats apart."""

    cyclonedx: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="bomFormat")
    spdx: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="spdxVersion")
    syft: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="artifacts")
    linked: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="@context")
    predicate: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="predicate")


def read_document(content: bytes, *, wrapped: bool = False) -> Inventory:
    """Return the inventory of a document; an in-toto statement is opened first.

    Raises:
        InvalidSbom: The document is damaged or of a kind that is not read.
    """
    start = content.lstrip()[:1]
    if start == b"<":
        return cyclonedx.read_xml(content)
    if start != b"{":
        if b"SPDXVersion:" in content[:65536]:
            return spdx.read_tag_value(content)
        raise InvalidSbom("this is no SBOM: neither JSON, XML nor SPDX tags", hint=_HINT)
    try:
        marks = msgspec.json.decode(content, type=_Marks)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidSbom(f"the document is no whole JSON: {error}") from error
    if len(marks.cyclonedx):
        return cyclonedx.read_json(content)
    if len(marks.spdx):
        return spdx.read_json(content)
    if len(marks.syft):
        return syft.read_json(content)
    if len(marks.predicate) and not wrapped:
        return read_document(bytes(marks.predicate), wrapped=True)
    if b"spdx.org/rdf/3" in bytes(marks.linked):
        raise InvalidSbom("SPDX 3 is not read", hint=_HINT)
    raise InvalidSbom("the JSON is none of the SBOM formats that are read", hint=_HINT)
