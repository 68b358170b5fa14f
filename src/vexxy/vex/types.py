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


@dataclass(frozen=True, slots=True)
class Claim:
    """What an analysis says of one vulnerability in one installed package.

    The input of a document. Two claims may name the same package and disagree (two
    copies of one npm package, one binary package in two architectures): a document
    cannot tell the copies apart, so the worst status of them is what it says.

    Attributes:
        vulnerability: The id that scanners report, CVE where there is one.
        aliases: Every other id, in any order; `vulnerability` may be among them.
        description: A sentence about the vulnerability, possibly empty.
        purl: The package, with the qualifiers that the inventory has.
        justification: For `not_affected` only.
        reason: A sentence for a person: why this status.
        confidence_score: 0-1, how sure the status is.
        fixed_versions: Versions that are not vulnerable, for the action statement.
        severity: `critical`, `high`, `medium`, `low`, `negligible`, `unknown`.
        locations: Image paths of the copy that this claim is about.
    """

    vulnerability: str
    purl: str
    status: Status
    reason: str
    confidence_score: float
    justification: Justification | None = None
    aliases: tuple[str, ...] = ()
    description: str = ""
    fixed_versions: tuple[str, ...] = ()
    severity: str = "unknown"
    locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The image that a document is about, by everything a scanner may know it by.

    Attributes:
        name: Last path component of the repository (`nginx`).
        manifest_digest: Digest of the platform's manifest, None when nobody knows it.
        index_digest: Digest of the multi-platform index, None when there is none.
        image_id: Digest of the configuration; no scanner matches it, it is the last
            resort of an image that was never in a registry.
        repo_digests: `repository@sha256:...`, as the engine lists them.
        tags: `repository:tag`, as the engine lists them.
        architecture: `amd64`, empty when unknown.
    """

    name: str
    manifest_digest: str | None = None
    index_digest: str | None = None
    image_id: str | None = None
    repo_digests: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    architecture: str = ""

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests to publish, most specific first; the image id only if alone."""
        listed = (digest.partition("@")[2] for digest in self.repo_digests)
        known = (self.manifest_digest, self.index_digest, *listed)
        found = tuple(dict.fromkeys(digest for digest in known if digest))
        return found or ((self.image_id,) if self.image_id else ())


@dataclass(frozen=True, slots=True)
class Issuance:
    """How a document is published.

    Attributes:
        author: Who says so.
        timestamp: The instant of this edition, UTC.
        id: The IRI of the document; None derives one from the canonical hash.
        tag_products: Also name the image by its tags. Tags move: a statement about
            `nginx?tag=1.25` speaks about whatever that tag names tomorrow.
    """

    author: str
    timestamp: datetime
    id: str | None = None
    role: str | None = None
    tooling: str | None = None
    tag_products: bool = False


class Gravity(StrEnum):
    """What a remark means for the document."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that a check found.

    Attributes:
        rule: `openvex.*` (schema and specification), `go-vex.*` (what the reference
            library refuses), `unsafe.*` (patterns that suppress too much or nothing),
            `target.*` and `consumer.*` (against an image).
        where: JSON pointer into the document, `` for the whole.
    """

    rule: str
    gravity: Gravity
    message: str
    where: str = ""


class Consumer(StrEnum):
    """The tools whose matching is known, by version as studied."""

    GRYPE_0_117 = "grype 0.117"
    GRYPE = "grype 0.119"
    TRIVY = "trivy 0.74"
    VEXCTL = "vexctl 0.4 filter"


class Effect(StrEnum):
    """What a consumer does with a finding when it is given a document."""

    SUPPRESSED = "suppressed"
    KEPT = "kept"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Honor:
    """What one consumer does with one statement for one package.

    Attributes:
        statement: Index into the document's statements.
        purl: The package as that consumer writes it.
        reason: A sentence: why it matches or what keeps it from matching.
    """

    consumer: Consumer
    statement: int
    vulnerability: str
    purl: str
    effect: Effect
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of a validation.

    Attributes:
        document: The document as read, None when it could not be read as OpenVEX.
        remarks: Worst first, then in the order of the document.
        honors: Empty when no target was given.
    """

    document: Document | None
    remarks: tuple[Remark, ...] = ()
    honors: tuple[Honor, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether no remark is an error."""
        return all(remark.gravity is not Gravity.ERROR for remark in self.remarks)


class Change(StrEnum):
    """How a statement differs between two documents or from an inventory."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    STALE = "stale"
    NOW_FIXABLE = "now_fixable"


@dataclass(frozen=True, slots=True)
class Difference:
    """One (vulnerability, package) whose statement differs.

    Attributes:
        vulnerability: Its name in the newer document that has it.
        purl: The subcomponent, or the product where there is none.
        detail: A sentence: what differs.
    """

    change: Change
    vulnerability: str
    purl: str
    before: Statement | None
    after: Statement | None
    detail: str


@dataclass(frozen=True, slots=True)
class SbomLink:
    """A CycloneDX SBOM that a CycloneDX VEX can point into.

    Trivy honors a CycloneDX VEX only through such links, and only when it scans that
    very SBOM.

    Attributes:
        serial_number: UUID without `urn:uuid:`.
        version: `version` of the SBOM.
        refs: (purl, bom-ref) of its components; a purl may occur more than once.
    """

    serial_number: str
    version: int
    refs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Extras:
    """What other formats want to know beyond an OpenVEX document.

    Attributes:
        claims: What the document was built from: severities and locations for SARIF.
        sbom: The SBOM that a CycloneDX VEX points into; None makes it self-contained.
        namespace: URL of the publisher for CSAF; None makes a URN of the author.
    """

    claims: tuple[Claim, ...] = ()
    sbom: SbomLink | None = None
    namespace: str | None = None
