"""Values of deciding again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from vexxy.reachability.grounds import Ground

Finding = Mapping[str, Any]


class KeptPackage(msgspec.Struct, frozen=True):
    """What is kept of one installed package.

    Attributes:
        questions: What advisories about it are found by, `<ecosystem> <name>`.
        ground: Packed; see `wire`.
    """

    purl: str
    questions: tuple[str, ...]
    ground: bytes


class Statement(msgspec.Struct, frozen=True):
    """One decision about one vulnerability of one installed package.

    Attributes:
        ordinal: Place of the package in the inventory.
        match_digest: Of what the advisories said when it was decided.
        finding: An entry of `reachability_results`; None when it no longer applies.
    """

    ordinal: int
    vulnerability_id: str
    match_digest: bytes
    finding: dict[str, Any] | None


class Kept(msgspec.Struct, frozen=True):
    """Everything that stays of one analysis, to begin with."""

    packages: tuple[KeptPackage, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """One package of a stored analysis with the statements that hold about it."""

    analysis_id: UUID
    ordinal: int
    ground: Ground
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Revision:
    """One step in the history of an analysis's statements.

    Attributes:
        statements: How many were decided, or withdrawn, in it.
    """

    number: int
    decided_at: datetime
    cause: str
    statements: int


@dataclass(frozen=True, slots=True)
class Current:
    """The statements that hold."""

    revision: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk through the stored packages is."""

    analysis_id: UUID
    ordinal: int


@dataclass(frozen=True, slots=True)
class Pass:
    """What one batch did.

    Attributes:
        packages: Stored packages that were looked at.
        changed: Analyses with a new statement, and how many they got.
        after: Where the next batch begins; None when this was the last one.
    """

    packages: int
    changed: Mapping[UUID, int]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Published:
    """What one analysis says now.

    Attributes:
        statements: How many were decided or withdrawn since the edition before.
        version: Of the VEX document; None without one.
    """

    analysis_id: UUID
    revision: int
    statements: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Spread:
    """What a change of the advisories set off.

    Attributes:
        questions: Package names about which something else is known now.
        organizations: How many have such a package and get a job.
    """

    questions: int
    organizations: int
