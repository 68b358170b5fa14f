import string
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.evidence import rules
from vexxy.evidence.errors import LinkRefused, UnknownContentType
from vexxy.evidence.types import EvidenceType, LinkGrant

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KEY, OLD_KEY, STRANGERS_KEY = rules.link_keys([b"k" * 32, b"o" * 32, b"s" * 32])
EVIDENCE, ORGANIZATION = uuid4(), uuid4()
TOKEN_CHARACTERS = string.ascii_letters + string.digits + "-_"


def a_link(
    *, key: bytes = KEY, evidence: UUID = EVIDENCE, lasts: timedelta = timedelta(minutes=5)
) -> str:
    grant = LinkGrant(organization_id=ORGANIZATION, expires_at=NOW + lasts)
    return rules.sign(key, evidence, grant=grant)


def test_a_link_says_whose_evidence_it_opens_and_until_when() -> None:
    grant = rules.verify([KEY], EVIDENCE, token=a_link(), now=NOW)
    assert grant == LinkGrant(
        organization_id=ORGANIZATION, expires_at=NOW + timedelta(minutes=5)
    )


def test_a_link_signed_before_a_rotation_still_opens() -> None:
    token = a_link(key=OLD_KEY)
    assert rules.verify([KEY, OLD_KEY], EVIDENCE, token=token, now=NOW)


def test_a_link_needs_nothing_escaped_in_a_url() -> None:
    assert set(a_link()) <= set(TOKEN_CHARACTERS)


@pytest.mark.parametrize(
    "token",
    [
        a_link(key=STRANGERS_KEY),
        a_link(evidence=uuid4()),
        a_link(lasts=timedelta(0)),
        a_link(lasts=timedelta(days=-1)),
        "",
        "=",
        "a",
        "x" * 75,
        "x" * 10_000,
        a_link() + "=",
        a_link() + "A",
        a_link()[:-1],
        "é" * 75,
        " " + a_link(),
        a_link() + "\n",
    ],
    # Signed anew by each process, so no names of theirs.
    ids=lambda token: f"{len(token)} characters",
)
def test_a_link_that_is_not_ours_or_not_valid_any_more_is_refused(token: str) -> None:
    with pytest.raises(LinkRefused) as refused:
        rules.verify([KEY], EVIDENCE, token=token, now=NOW)
    assert refused.value.message == LinkRefused().message


@given(place=st.integers(0, 74), other=st.sampled_from(TOKEN_CHARACTERS))
def test_no_character_of_a_link_can_be_changed(place: int, other: str) -> None:
    token = a_link()
    changed = token[:place] + other + token[place + 1 :]
    if changed == token:
        assert rules.verify([KEY], EVIDENCE, token=changed, now=NOW)
        return
    with pytest.raises(LinkRefused):
        rules.verify([KEY], EVIDENCE, token=changed, now=NOW)


@given(st.text(max_size=200))
def test_any_text_for_a_link_is_refused_and_never_a_fault(text: str) -> None:
    with pytest.raises(LinkRefused):
        rules.verify([KEY], EVIDENCE, token=text, now=NOW)


def test_the_key_of_links_opens_nothing_else_the_secret_protects() -> None:
    assert KEY != b"k" * 32
    assert len(KEY) == 32


def test_an_address_names_the_organization_first() -> None:
    blob = uuid4()
    path = rules.address(ORGANIZATION, "ab" * 32, blob_id=blob)
    assert path == f"{ORGANIZATION}/ab/{'ab' * 32}/{blob}.zst"
    assert path.startswith(rules.folder(ORGANIZATION) + "/")


@pytest.mark.parametrize("kind", EvidenceType)
@pytest.mark.parametrize("content_type", [*rules.EXTENSIONS, "text/html"])
def test_a_download_is_named_in_our_own_words(
    kind: EvidenceType, content_type: str
) -> None:
    name = rules.file_name(kind, content_type, checksum="0f" * 32)
    allowed = set(string.ascii_lowercase + string.digits + "_-.")
    assert set(name) <= allowed
    assert not name.endswith(".html")


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/plain\r\nX: y", ""],
)
def test_a_type_that_a_browser_would_run_is_not_kept(content_type: str) -> None:
    with pytest.raises(UnknownContentType):
        rules.check_content_type(content_type)


def test_evidence_expires_after_the_days_of_retention() -> None:
    assert rules.expires_at(NOW, retention_days=90) == NOW + timedelta(days=90)
