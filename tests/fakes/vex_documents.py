"""Builders and generators of VEX documents."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from vexxy.vex.types import (
    Claim,
    Component,
    Document,
    Issuance,
    Justification,
    Product,
    Statement,
    Status,
    Target,
    Vulnerability,
)

MANIFEST = "sha256:" + "a" * 64
INDEX = "sha256:" + "b" * 64
IMAGE_ID = "sha256:" + "c" * 64
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIBSSL = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"


def a_target(**given: object) -> Target:
    values: dict[str, object] = {
        "name": "nginx",
        "manifest_digest": MANIFEST,
        "index_digest": INDEX,
        "image_id": IMAGE_ID,
        "repo_digests": (f"docker.io/library/nginx@{INDEX}",),
        "tags": ("docker.io/library/nginx:1.25",),
        "architecture": "amd64",
    }
    return Target(**(values | given))  # type: ignore[arg-type]


def an_issuance(**given: object) -> Issuance:
    values: dict[str, object] = {"author": "VEXxy", "timestamp": NOON}
    return Issuance(**(values | given))  # type: ignore[arg-type]


def a_claim(
    vulnerability: str = "CVE-2026-0001",
    status: Status = Status.NOT_AFFECTED,
    **given: object,
) -> Claim:
    cleared = status is Status.NOT_AFFECTED
    label = Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH
    values: dict[str, object] = {
        "vulnerability": vulnerability,
        "purl": LIBSSL,
        "status": status,
        "reason": "Nothing mapped it in 300 driven seconds.",
        "confidence_score": 0.9,
        "justification": label if cleared else None,
    }
    return Claim(**(values | given))  # type: ignore[arg-type]


def a_statement(
    name: str = "CVE-2026-0001",
    status: Status = Status.NOT_AFFECTED,
    *,
    product: str = f"pkg:oci/nginx@{MANIFEST}",
    leaves: tuple[str, ...] = ("pkg:deb/debian/libssl3@3.0.11-1",),
    **given: object,
) -> Statement:
    label = Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH
    values: dict[str, object] = {
        "vulnerability": Vulnerability(name),
        "products": (Product(Component(product), tuple(Component(i) for i in leaves)),),
        "status": status,
        "justification": label if status is Status.NOT_AFFECTED else None,
        "action_statement": "Upgrade it." if status is Status.AFFECTED else None,
    }
    return Statement(**(values | given))  # type: ignore[arg-type]


def a_document(*statements: Statement, **given: object) -> Document:
    values: dict[str, object] = {
        "id": "https://example.com/vex/1",
        "author": "VEXxy",
        "timestamp": NOON,
        "version": 1,
        "statements": statements or (a_statement(),),
    }
    return Document(**(values | given))  # type: ignore[arg-type]


_WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12
)
_NAMES = st.sampled_from(["CVE-2026-1", "CVE-2026-2", "GHSA-a", "GO-2026-1", "b", "B"])
_INSTANTS = st.integers(0, 10**7).map(lambda s: NOON + timedelta(seconds=s))
_PURLS = st.sampled_from(
    [
        f"pkg:oci/nginx@{MANIFEST}",
        f"pkg:oci/nginx@{INDEX}?repository_url=docker.io/library/nginx",
        "pkg:deb/debian/libssl3@3.0.11-1",
        "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64",
        "pkg:deb/debian/foo@1:2.3",
        "pkg:deb/debian/foo@1%3A2.3",
        "pkg:npm/%40scope/part@1.0.0",
        "pkg:npm/JSONStream@1.0.0",
        "pkg:golang/github.com/A/b/v2@v2.0.0#sub",
        "pkg:pypi/Foo_Bar@1.0%2Blocal",
        "pkg:rpm/amzn/foo@1-1?epoch=1",
        "pkg:oci/nginx",
        "https://example.com/product",
        "nginx",
    ]
)
_COMPONENTS = st.builds(
    Component,
    id=_PURLS,
    identifiers=st.one_of(st.just(()), st.tuples(st.tuples(st.just("purl"), _PURLS))),
    hashes=st.one_of(st.just(()), st.just((("sha-256", "ab"),))),
)
_VULNERABILITIES = st.builds(
    Vulnerability,
    name=_NAMES,
    id=st.one_of(st.none(), st.just("https://example.com/v")),
    description=st.one_of(st.none(), _WORDS),
    aliases=st.lists(_NAMES, unique=True, max_size=3).map(tuple),
)
_PRODUCTS = st.builds(
    Product,
    component=_COMPONENTS,
    subcomponents=st.lists(_COMPONENTS, max_size=3).map(tuple),
)
_MAYBE = st.one_of(st.none(), _WORDS)
statements = st.builds(
    Statement,
    vulnerability=_VULNERABILITIES,
    products=st.lists(_PRODUCTS, max_size=3).map(tuple),
    status=st.sampled_from(Status),
    timestamp=st.one_of(st.none(), _INSTANTS),
    last_updated=st.one_of(st.none(), _INSTANTS),
    status_notes=_MAYBE,
    justification=st.one_of(st.none(), st.sampled_from(Justification)),
    impact_statement=_MAYBE,
    action_statement=_MAYBE,
    supplier=_MAYBE,
)
documents = st.builds(
    Document,
    id=st.just("https://example.com/vex/1"),
    author=_WORDS,
    timestamp=_INSTANTS,
    version=st.integers(1, 99),
    statements=st.lists(statements, min_size=1, max_size=5).map(tuple),
    role=_MAYBE,
    last_updated=st.one_of(st.none(), _INSTANTS),
    tooling=_MAYBE,
)
purls = _PURLS
"""Spellings that a scanner tells apart, and text that is no purl."""

_VERSIONS = st.sampled_from(["1.0-1", "1:1.0-1", "2.0"])
_PACKAGES = st.sampled_from(
    [
        "pkg:deb/debian/liba@{}?arch=amd64",
        "pkg:deb/debian/liba@{}?arch=i386",
        "pkg:deb/debian/libb@{}",
        "pkg:npm/part@{}",
    ]
)
claims = st.builds(
    a_claim,
    vulnerability=st.sampled_from(["CVE-2026-1", "CVE-2026-2", "GHSA-a", "DSA-1"]),
    status=st.sampled_from(Status),
    purl=st.builds(str.format, _PACKAGES, _VERSIONS),
    justification=st.sampled_from(Justification),
    aliases=st.lists(
        st.sampled_from(["CVE-2026-1", "CVE-2026-2", "GHSA-a", "DSA-1"]), max_size=2
    ).map(tuple),
    confidence_score=st.floats(0, 1),
)
