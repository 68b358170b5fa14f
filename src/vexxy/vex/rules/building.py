"""Statements from claims: one per vulnerability and package, the worst copy deciding."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vexxy.vex.errors import UnusableClaim
from vexxy.vex.rules import purls
from vexxy.vex.types import (
    Claim,
    Component,
    Issuance,
    Justification,
    Product,
    Statement,
    Status,
    Target,
    Vulnerability,
)

# Worst first: copies that a document cannot tell apart share the worst of their states.
_WORST: Final = (
    Status.AFFECTED,
    Status.UNDER_INVESTIGATION,
    Status.NOT_AFFECTED,
    Status.FIXED,
)
SUPPRESSING: Final = frozenset({Status.NOT_AFFECTED, Status.FIXED})
# The weakest claim first: of two justifications, the one that promises less.
_WEAKEST: Final = (
    Justification.INLINE_MITIGATIONS_ALREADY_EXIST,
    Justification.VULNERABLE_CODE_CANNOT_BE_CONTROLLED_BY_ADVERSARY,
    Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH,
    Justification.VULNERABLE_CODE_NOT_PRESENT,
    Justification.COMPONENT_NOT_PRESENT,
)
_FIXED_VERSIONS_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class _Subject:
    """What one statement is about; `ids` never holds `name`."""

    name: str
    ids: tuple[str, ...]
    forms: tuple[str, ...]


def statements(
    claims: Sequence[Claim], *, target: Target, issuance: Issuance
) -> tuple[Statement, ...]:
    """Return one statement per vulnerability and package.

    Ordered by vulnerability, with those that keep a finding visible first: `vexctl
    filter` ignores the product and obeys the first statement of a vulnerability.
    """
    components = product_components(target, tags=issuance.tag_products)
    groups = _without_doubted(_grouped(claims))
    shared = _contested_ids(groups)
    made = [
        _statement(subject, group, components=components, contested=shared)
        for subject, group in groups.items()
    ]
    return tuple(sorted(made, key=order))


def order(statement: Statement) -> tuple[str, bool, str]:
    """Return the key that statements are sorted by within an edition."""
    first = statement.products[0] if statement.products else None
    leaf = first.subcomponents[0].id if first and first.subcomponents else ""
    return statement.vulnerability.name, statement.status in SUPPRESSING, leaf


def product_components(target: Target, *, tags: bool) -> tuple[Component, ...]:
    """Return the image under the identifiers that Grype and Trivy both match.

    A digest without qualifiers: with `repository_url` each tool matches only its own
    spelling (docs/vex.md holds the table). Tags only on request, because they move.
    """
    ids = [f"pkg:oci/{name}@{d}" for d in target.digests for name in _names(target)]
    if tags:
        for tag in target.tags:
            repository, colon, label = tag.rpartition(":")
            if colon and "/" not in label:
                ids.append(f"pkg:oci/{repository.rpartition('/')[2]}?tag={label}")
    return tuple(Component(id=iri) for iri in dict.fromkeys(ids))


def _names(target: Target) -> tuple[str, ...]:
    """Return every name the image has in a registry: scanners take it from there."""
    listed = (digest.partition("@")[0] for digest in target.repo_digests)
    names = [repository.rpartition("/")[2] for repository in listed]
    own = target.name or ("" if names else "image")
    return tuple(dict.fromkeys(n.lower() for n in (own, *sorted(names)) if n))


def _grouped(claims: Iterable[Claim]) -> dict[_Subject, list[Claim]]:
    gathered: dict[tuple[str, tuple[str, ...]], list[Claim]] = defaultdict(list)
    for claim in claims:
        forms = purls.subcomponent_forms(claim.purl)
        gathered[_name(claim), forms].append(claim)
    return {
        _Subject(name, _aliases(name, group), forms): group
        for (name, forms), group in gathered.items()
    }


def _without_doubted(groups: dict[_Subject, list[Claim]]) -> dict[_Subject, list[Claim]]:
    """Return the groups but those that clear what another one leaves open.

    `GHSA-1` cleared and `CVE-2, also known as GHSA-1` open: the alias links the two
    only on one side, and a reader of either id must find it open.
    """
    open_ids = {
        (identifier, subject.forms)
        for subject, group in groups.items()
        if _status(group) not in SUPPRESSING
        for identifier in (subject.name, *subject.ids)
    }
    return {
        subject: group
        for subject, group in groups.items()
        if _status(group) not in SUPPRESSING
        or (subject.name, subject.forms) not in open_ids
    }


def _status(claims: Iterable[Claim]) -> Status:
    return min((claim.status for claim in claims), key=_WORST.index)


def _name(claim: Claim) -> str:
    """Return the CVE that a claim is about if it is about exactly one, else its id."""
    ids = {claim.vulnerability, *claim.aliases}
    cves = [identifier for identifier in ids if identifier.startswith("CVE-")]
    return cves[0] if len(cves) == 1 else claim.vulnerability


def _aliases(name: str, claims: Iterable[Claim]) -> tuple[str, ...]:
    ids = {i for claim in claims for i in (claim.vulnerability, *claim.aliases)}
    return tuple(sorted(ids - {name}))


def _contested_ids(groups: Iterable[_Subject]) -> frozenset[tuple[str, tuple[str, ...]]]:
    """Return the (id, package) pairs that more than one statement would answer for.

    An advisory such as a DSA stands for several CVEs. A scanner that reports it would
    be told the state of one of them, so such an id is an alias of none.
    """
    uses = Counter(
        (identifier, subject.forms)
        for subject in groups
        for identifier in (subject.name, *subject.ids)
    )
    return frozenset(pair for pair, count in uses.items() if count > 1)


def _statement(
    subject: _Subject,
    claims: Sequence[Claim],
    *,
    components: tuple[Component, ...],
    contested: frozenset[tuple[str, tuple[str, ...]]],
) -> Statement:
    status = _status(claims)
    deciding = [claim for claim in claims if claim.status is status]
    leaves = tuple(Component(id=form) for form in subject.forms)
    aliases = tuple(i for i in subject.ids if (i, subject.forms) not in contested)
    reasons = " ".join(dict.fromkeys(c.reason for c in deciding if c.reason))
    told = status is Status.NOT_AFFECTED
    return Statement(
        vulnerability=Vulnerability(
            name=subject.name,
            description=next((c.description for c in claims if c.description), None),
            aliases=aliases,
        ),
        products=tuple(Product(component, leaves) for component in components),
        status=status,
        status_notes=_notes(deciding, copies=len(claims), reason="" if told else reasons),
        justification=_justification(deciding) if told else None,
        impact_statement=(reasons or None) if told else None,
        action_statement=_action(deciding) if status is Status.AFFECTED else None,
    )


def _justification(claims: Sequence[Claim]) -> Justification:
    given = {claim.justification for claim in claims}
    for claim in claims:
        if claim.justification is None:
            raise UnusableClaim(claim.vulnerability, claim.purl)
    return next(label for label in _WEAKEST if label in given)


def _notes(claims: Sequence[Claim], *, copies: int, reason: str) -> str:
    """Return a line a program can read, then the reason where it has no other field.

    A clean bill is as sure as its least sure copy; an alarm as sure as its surest.
    """
    scores = [claim.confidence_score for claim in claims]
    score = min(scores) if claims[0].status in SUPPRESSING else max(scores)
    line = f"confidence={score:.2f} copies={copies}"
    return f"{line}. {reason}" if reason else line


def _action(claims: Iterable[Claim]) -> str:
    claims = tuple(claims)
    purl = purls.find(claims[0].purl)
    name = claims[0].purl if purl is None else purl.name
    fixed = list(dict.fromkeys(v for claim in claims for v in claim.fixed_versions))
    if not fixed:
        return f"No fixed version of {name} is known: mitigate, replace or remove it."
    shown = " or ".join(fixed[:_FIXED_VERSIONS_SHOWN])
    return f"Upgrade {name} to version {shown}."
