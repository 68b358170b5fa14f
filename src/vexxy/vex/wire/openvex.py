"""OpenVEX 0.2.0 as JSON; reading also bears with what go-vex and older tools write."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from vexxy.kit import clock
from vexxy.vex.errors import UnreadableDocument
from vexxy.vex.types import (
    Component,
    Document,
    Gravity,
    Justification,
    Product,
    Remark,
    Statement,
    Status,
    Vulnerability,
)
from vexxy.vex.wire.parsing import Json, parse_object

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"
_CONTEXT_PREFIX: Final = "https://openvex.dev/ns"
_STATEMENTS_MAX: Final = 200_000
_IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_Label = TypeVar("_Label", Status, Justification)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Reading:
    """A document as read, the JSON it came from, and what had to be borne with."""

    raw: dict[str, Json]
    document: Document
    remarks: list[Remark] = field(default_factory=list)


def dump(document: Document) -> bytes:
    """Return the document as JSON in go-vex's field order, ending in a newline."""
    text = json.dumps(to_json(document), ensure_ascii=False, indent=2)
    return f"{text}\n".encode()


def to_json(document: Document) -> dict[str, Json]:
    """Return the document as JSON values; absent fields are left out."""
    return _present(
        {
            "@context": CONTEXT,
            "@id": document.id,
            "author": document.author,
            "role": document.role,
            "timestamp": clock.rfc3339(document.timestamp),
            "last_updated": _instant(document.last_updated),
            "version": document.version,
            "tooling": document.tooling,
            "statements": [_statement(statement) for statement in document.statements],
        }
    )


def _present(values: Mapping[str, Json]) -> dict[str, Json]:
    return {
        name: value for name, value in values.items() if value not in (None, "", [], {})
    }


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else clock.rfc3339(instant)


def _statement(statement: Statement) -> Json:
    vulnerability = statement.vulnerability
    return _present(
        {
            "@id": statement.id,
            "version": statement.version,
            "vulnerability": _present(
                {
                    "@id": vulnerability.id,
                    "name": vulnerability.name,
                    "description": vulnerability.description,
                    "aliases": list(vulnerability.aliases),
                }
            ),
            "timestamp": _instant(statement.timestamp),
            "last_updated": _instant(statement.last_updated),
            "products": [_product(product) for product in statement.products],
            "status": statement.status.value,
            "supplier": statement.supplier,
            "status_notes": statement.status_notes,
            "justification": statement.justification and statement.justification.value,
            "impact_statement": statement.impact_statement,
            "action_statement": statement.action_statement,
            "action_statement_timestamp": _instant(statement.action_statement_timestamp),
        }
    )


def _component(component: Component) -> dict[str, Json]:
    return _present(
        {
            "@id": component.id,
            "identifiers": dict(component.identifiers),
            "hashes": dict(component.hashes),
        }
    )


def _product(product: Product) -> Json:
    leaves: list[Json] = [_component(leaf) for leaf in product.subcomponents]
    return {**_component(product.component), **_present({"subcomponents": leaves})}


def read(data: bytes) -> Reading:
    """Return the document in `data`.

    Fields that cannot be kept are left out with a remark; a statement with an unknown
    status is left out with an error remark, because no reader may guess it.

    Raises:
        UnreadableDocument: No JSON object, or no OpenVEX document.
    """
    raw = parse_object(data)
    context = raw.get("@context")
    if not isinstance(context, str) or not context.startswith(_CONTEXT_PREFIX):
        raise UnreadableDocument(
            "no OpenVEX document: @context does not name https://openvex.dev/ns",
            hint=_other_format(raw),
        )
    reader = _Reader()
    document = reader.document(raw)
    if context != CONTEXT:
        reader.note("openvex.context", f"{context} is read as {CONTEXT}", "/@context")
    return Reading(raw, document, reader.remarks)


def _other_format(raw: Mapping[str, Json]) -> str:
    document = raw.get("document")
    if isinstance(document, dict) and "csaf_version" in document:
        return "This is a CSAF document; only OpenVEX is read."
    if raw.get("bomFormat") == "CycloneDX":
        return "This is a CycloneDX document; only OpenVEX is read."
    return "Give a document whose @context is https://openvex.dev/ns/v0.2.0."


class _Reader:
    """Reads one document and collects remarks on the way."""

    def __init__(self) -> None:
        self.remarks: list[Remark] = []

    def note(self, rule: str, message: str, where: str, *, error: bool = False) -> None:
        gravity = Gravity.ERROR if error else Gravity.WARNING
        self.remarks.append(Remark(rule, gravity, message, where))

    def document(self, raw: Mapping[str, Json]) -> Document:
        listed = raw.get("statements")
        items = listed if isinstance(listed, list) else []
        if len(items) > _STATEMENTS_MAX:
            raise UnreadableDocument(
                f"{len(items):,} statements; at most {_STATEMENTS_MAX:,} are read"
            )
        iri = self._text(raw, "@id", "")
        if iri is not None and not _IRI.fullmatch(iri):
            self.note("openvex.iri", "@id is no IRI", "/@id", error=True)
        version = raw.get("version")
        read = (self._statement(item, f"/statements/{i}") for i, item in enumerate(items))
        statements = tuple(statement for statement in read if statement)
        stamps = [s.timestamp for s in statements if s.timestamp]
        return Document(
            id=iri or "",
            author=self._text(raw, "author", "") or "",
            timestamp=self._instant(raw, "timestamp", "") or max(stamps, default=_EPOCH),
            version=version if type(version) is int else 0,
            statements=statements,
            role=self._text(raw, "role", ""),
            last_updated=self._instant(raw, "last_updated", ""),
            tooling=self._text(raw, "tooling", ""),
        )

    def _statement(self, raw: Json, where: str) -> Statement | None:
        if not isinstance(raw, dict):
            self.note("openvex.statement", "the statement is no object", where, error=True)
            return None
        vulnerability = self._vulnerability(raw.get("vulnerability"), where)
        status = _label(Status, raw.get("status"))
        if vulnerability is None or status is None:
            what = (
                "vulnerability"
                if vulnerability is None
                else f"status {raw.get('status')!r}"
            )
            self.note("openvex.statement", f"left out: no valid {what}", where, error=True)
            return None
        justification = _label(Justification, raw.get("justification"))
        if raw.get("justification") and justification is None:
            message = f"unknown justification {raw['justification']!r} is left out"
            self.note("openvex.justification", message, where, error=True)
        version = raw.get("version")
        return Statement(
            vulnerability=vulnerability,
            products=self._products(raw, where),
            status=status,
            id=self._text(raw, "@id", where),
            version=version if type(version) is int else None,
            timestamp=self._instant(raw, "timestamp", where),
            last_updated=self._instant(raw, "last_updated", where),
            status_notes=self._text(raw, "status_notes", where),
            justification=justification,
            impact_statement=self._text(raw, "impact_statement", where),
            action_statement=self._text(raw, "action_statement", where),
            action_statement_timestamp=self._instant(
                raw, "action_statement_timestamp", where
            ),
            supplier=self._text(raw, "supplier", where),
        )

    def _vulnerability(self, raw: Json, where: str) -> Vulnerability | None:
        if isinstance(raw, str) and raw:
            self.note("openvex.legacy", "the vulnerability is a bare text", where)
            return Vulnerability(name=raw)
        if not isinstance(raw, dict):
            return None
        name = raw.get("name") or raw.get("@id")
        if not isinstance(name, str):
            return None
        return Vulnerability(
            name=name,
            id=self._text(raw, "@id", where),
            description=self._text(raw, "description", where),
            aliases=_texts(raw.get("aliases")),
        )

    def _products(self, raw: Mapping[str, Json], where: str) -> tuple[Product, ...]:
        listed = raw.get("products")
        items = listed if isinstance(listed, list) else []
        # OpenVEX 0.0.x lists subcomponents beside the products, for all of them.
        shared = _items(raw.get("subcomponents"))
        found = []
        for number, item in enumerate(items):
            place = f"{where}/products/{number}"
            component = self._component(item, place)
            if component is None:
                continue
            leaves = shared + (
                _items(item.get("subcomponents")) if isinstance(item, dict) else []
            )
            read = (
                self._component(leaf, f"{place}/subcomponents/{n}")
                for n, leaf in enumerate(leaves)
            )
            found.append(Product(component, tuple(leaf for leaf in read if leaf)))
        return tuple(found)

    def _component(self, raw: Json, where: str) -> Component | None:
        if isinstance(raw, str) and raw:
            self.note("openvex.legacy", "the component is a bare text", where)
            return Component(id=raw)
        if not isinstance(raw, dict):
            self.note("openvex.component", "left out: no object", where, error=True)
            return None
        if "supplier" in raw:
            self.note("go-vex.supplier", "a supplier here is not OpenVEX; left out", where)
        component = Component(
            id=self._text(raw, "@id", where) or "",
            identifiers=_pairs(raw.get("identifiers")),
            hashes=_pairs(raw.get("hashes")),
        )
        if component == Component(id=""):
            self.note("openvex.component", "left out: it names nothing", where, error=True)
            return None
        return component

    def _text(self, raw: Mapping[str, Json], name: str, where: str) -> str | None:
        value = raw.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return value
        self.note("openvex.text", f"{name} is no text", f"{where}/{name}", error=True)
        return None

    def _instant(self, raw: Mapping[str, Json], name: str, where: str) -> datetime | None:
        text = self._text(raw, name, where)
        if text is None:
            return None
        try:
            return clock.parse_rfc3339(text)
        except (ValueError, OverflowError):
            message = f"{name} {text[:40]!r} is no RFC 3339 instant"
            self.note("openvex.instant", message, f"{where}/{name}", error=True)
            return None


def _label(kind: type[_Label], value: Json) -> _Label | None:
    try:
        return kind(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v for v in _items(value) if isinstance(v, str)))


def _pairs(value: Json) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple((k, v) for k, v in value.items() if isinstance(v, str))
