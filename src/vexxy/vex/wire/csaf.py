"""CSAF 2.0, profile `csaf_vex`, out only.

The numbers of mandatory tests (6.1.x) in comments are those of the CSAF standard.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from vexxy.kit import clock
from vexxy.vex.errors import NothingToState
from vexxy.vex.rules import identity, merging, purls
from vexxy.vex.types import Component, Document, Statement, Status
from vexxy.vex.wire.parsing import Json

_STATUS: Final[Mapping[Status, str]] = {
    Status.NOT_AFFECTED: "known_not_affected",
    Status.AFFECTED: "known_affected",
    Status.FIXED: "fixed",
    Status.UNDER_INVESTIGATION: "under_investigation",
}


_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}")


@dataclass(slots=True)
class _Tree:
    """The products named so far; the same component gets the same id."""

    names: dict[str, str] = field(default_factory=dict)
    relationships: dict[str, Json] = field(default_factory=dict)

    def product(self, component: Component) -> str:
        text = merging.identifier(component)
        return self.names.setdefault(text, f"P{len(self.names) + 1}")

    def part(self, product: Component, leaf: Component) -> str:
        """Return the id of a package as installed in an image."""
        whole, part = self.product(product), self.product(leaf)
        composite = f"{whole}:{part}"
        name = f"{merging.identifier(leaf)} in {merging.identifier(product)}"
        self.relationships.setdefault(
            composite,
            {
                "category": "default_component_of",
                "product_reference": part,
                "relates_to_product_reference": whole,
                # No purl here: Grype reads it without the image around it, and would
                # hide the finding in every image that has the package.
                "full_product_name": {"name": name, "product_id": composite},
            },
        )
        return composite

    def write(self) -> Json:
        tree: dict[str, Json] = {
            "full_product_names": [_named(text, id_) for text, id_ in self.names.items()]
        }
        if self.relationships:
            tree["relationships"] = list(self.relationships.values())
        return tree


def _named(text: str, product_id: str) -> Json:
    named: dict[str, Json] = {"name": text, "product_id": product_id}
    if purls.find(text) is not None:
        named["product_identification_helper"] = {"purl": text}
    return named


def dump(document: Document, *, namespace: str | None) -> bytes:
    """Return a CSAF document with every statement about a vulnerability with a CVE.

    Trivy 0.74 ends with a nil pointer at an entry without `cve`, so the others are
    named in a note of the document, and are carried by OpenVEX and CycloneDX.

    Raises:
        NothingToState: No statement is about a CVE and a product.
    """
    tree = _Tree()
    groups: dict[str, list[Statement]] = defaultdict(list)
    for statement in document.statements:
        if statement.products:
            groups[statement.vulnerability.name].append(statement)
    carried = {name: group for name, group in groups.items() if _is_cve(name)}
    if not carried:
        raise NothingToState
    vulnerabilities: list[Json] = [
        _vulnerability(document, carried[name], tree) for name in sorted(carried)
    ]
    csaf: dict[str, Json] = {
        "document": _head(document, namespace, left_out=sorted({*groups} - {*carried})),
        "product_tree": tree.write(),
        "vulnerabilities": vulnerabilities,
    }
    text = json.dumps(csaf, ensure_ascii=False, indent=2, sort_keys=True)  # 6.2.13
    return f"{text}\n".encode()


def _is_cve(name: str) -> bool:
    return _CVE.fullmatch(name) is not None


def _head(document: Document, namespace: str | None, *, left_out: Sequence[str]) -> Json:
    author = document.author or "unknown"
    head: dict[str, Json] = {
        "category": "csaf_vex",
        "csaf_version": "2.0",
        "title": f"VEX {_short(document.id)}",
        "lang": "en",
        "publisher": {
            "category": "other",
            "name": author,
            "namespace": namespace or f"urn:x-vex-author:{quote(author, safe='')}",
        },
        "tracking": _tracking(document),
    }
    if left_out:
        text = (
            "Statements about vulnerabilities without a CVE are not carried here: "
            + ", ".join(left_out)
        )
        head["notes"] = [{"category": "general", "text": text, "title": "Left out"}]
    return head


def _short(iri: str) -> str:
    return iri.rstrip("/").rpartition("/")[2] or "document"


def _tracking(document: Document) -> Json:
    """Return id and history.

    Versions are semantic because a gap in the minor numbers is allowed (6.1.21): an
    OpenVEX document does not carry the dates of its earlier editions.
    """
    now = document.last_updated or document.timestamp
    oldest = min(identity.effective_timestamp(document, s) for s in document.statements)
    number = f"1.{max(document.version, 1) - 1}.0"
    history: list[Json] = [
        {"date": clock.rfc3339(now), "number": number, "summary": "This edition."}
    ]
    first = now
    if document.version > 1:
        first = min(oldest, now)
        start = {
            "date": clock.rfc3339(first),
            "number": "1.0.0",
            "summary": "The oldest statement still in force.",
        }
        history.insert(0, {**start})
    return {
        "id": _short(document.id),
        "status": "final",
        "version": number,
        "initial_release_date": clock.rfc3339(first),
        "current_release_date": clock.rfc3339(now),
        "revision_history": history,
        "generator": {"engine": _engine(document.tooling or "vexxy")},
    }


def _engine(tooling: str) -> Json:
    name, _, version = tooling.partition("/")
    return {"name": name, "version": version} if version else {"name": name}


def _vulnerability(
    document: Document, statements: Sequence[Statement], tree: _Tree
) -> Json:
    ids = [(statement, _product_ids(statement, tree)) for statement in statements]
    first = statements[0].vulnerability
    entry: dict[str, Json] = {"cve": first.name}
    aliases = sorted({a for s in statements for a in s.vulnerability.aliases})
    if aliases:
        entry["ids"] = [{"system_name": _system(a), "text": a} for a in aliases]
    text = first.description or f"{first.name}; see its record for a description."
    notes: list[Json] = [{"category": "description", "text": text}]
    notes += [
        {"category": "details", "text": f"{', '.join(products)}: {statement.status_notes}"}
        for statement, products in ids
        if statement.status_notes
    ]
    entry["notes"] = notes
    entry["product_status"] = _product_status(ids)
    parts = {
        "flags": _flags(document, ids),
        "threats": _threats(ids),
        "remediations": _remediations(ids),
    }
    return entry | {name: listed for name, listed in parts.items() if listed}


def _system(identifier: str) -> str:
    return identifier.partition("-")[0] or "id"


def _product_ids(statement: Statement, tree: _Tree) -> list[str]:
    found = []
    for product in statement.products:
        if not product.subcomponents:
            found.append(tree.product(product.component))
        found += [tree.part(product.component, leaf) for leaf in product.subcomponents]
    return list(dict.fromkeys(found))


_Ids = Sequence[tuple[Statement, Sequence[str]]]


def _product_status(ids: _Ids) -> Json:
    """Return products by status; a product in two keeps the first it got (6.1.6)."""
    seen: set[str] = set()
    listed: dict[str, list[Json]] = {}
    for statement, products in ids:
        fresh = [product for product in products if product not in seen]
        seen.update(fresh)
        if fresh:
            listed.setdefault(_STATUS[statement.status], []).extend(fresh)
    return {name: products for name, products in sorted(listed.items())}  # noqa: C416  widens the value type


def _flags(document: Document, ids: _Ids) -> list[Json]:
    return [
        {
            "label": statement.justification.value,
            "date": clock.rfc3339(identity.effective_timestamp(document, statement)),
            "product_ids": list(products),
        }
        for statement, products in ids
        if statement.status is Status.NOT_AFFECTED and statement.justification
    ]


def _threats(ids: _Ids) -> list[Json]:
    return [
        {"category": "impact", "details": text, "product_ids": list(products)}
        for statement, products in ids
        if statement.status is Status.NOT_AFFECTED
        for text in _impact(statement)
    ]


def _impact(statement: Statement) -> Iterable[str]:
    if statement.impact_statement:
        yield statement.impact_statement


def _remediations(ids: _Ids) -> list[Json]:
    found: list[Json] = []
    for statement, products in ids:
        if statement.status is not Status.AFFECTED:
            continue
        action = statement.action_statement or "No action is known."
        upgrade = action.startswith("Upgrade ")
        found.append(
            {
                "category": "vendor_fix" if upgrade else "none_available",
                "details": action,
                "product_ids": list(products),
            }
        )
    return found
