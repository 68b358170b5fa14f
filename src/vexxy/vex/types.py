"""Values of OpenVEX 0.2.0; names and spelling are the specification's."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Status labels, OpenVEX 0.2.0."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


class Justification(StrEnum):
    """Justification labels, OpenVEX 0.2.0."""

    COMPONENT_NOT_PRESENT = "component_not_present"
    VULNERABLE_CODE_NOT_PRESENT = "vulnerable_code_not_present"
    VULNERABLE_CODE_NOT_IN_EXECUTE_PATH = "vulnerable_code_not_in_execute_path"
    VULNERABLE_CODE_CANNOT_BE_CONTROLLED_BY_ADVERSARY = (
        "vulnerable_code_cannot_be_controlled_by_adversary"
    )
    INLINE_MITIGATIONS_ALREADY_EXIST = "inline_mitigations_already_exist"


@dataclass(frozen=True, slots=True)
class Component:
    """A product or subcomponent: an IRI, identifiers, hashes."""

    id: str
    identifiers: tuple[tuple[str, str], ...] = ()
    hashes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product with the subcomponents that a statement is about."""

    component: Component
    subcomponents: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """A vulnerability: the name scanners report, and every alias."""

    name: str
    id: str | None = None
    description: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim about one vulnerability in some products."""

    vulnerability: Vulnerability
    products: tuple[Product, ...]
    status: Status
    id: str | None = None
    version: int | None = None
    timestamp: datetime | None = None
    last_updated: datetime | None = None
    status_notes: str | None = None
    justification: Justification | None = None
    impact_statement: str | None = None
    action_statement: str | None = None
    action_statement_timestamp: datetime | None = None
    supplier: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """An OpenVEX document."""

    id: str
    author: str
    timestamp: datetime
    version: int
    statements: tuple[Statement, ...]
    role: str | None = None
    last_updated: datetime | None = None
    tooling: str | None = None
