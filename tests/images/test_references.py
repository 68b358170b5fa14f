"""References as distribution/reference reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.images import rules
from vexxy.images.errors import InvalidReference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full", "name"),
    [
        ("nginx", "docker.io/library/nginx", "nginx"),
        ("nginx:1.25", "docker.io/library/nginx:1.25", "nginx"),
        ("docker.io/nginx", "docker.io/library/nginx", "nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx", "nginx"),
        ("team/app:1.0-rc.1", "docker.io/team/app:1.0-rc.1", "app"),
        ("localhost/dev-a:latest", "localhost/dev-a:latest", "dev-a"),
        ("localhost:5000/x/y__z", "localhost:5000/x/y__z", "y__z"),
        ("[::1]:5000/app", "[::1]:5000/app", "app"),
        ("ghcr.io/Upper" + "", None, None),
        ("quay.io/a/b/c@" + DIGEST, "quay.io/a/b/c@" + DIGEST, "c"),
        ("a:1@" + DIGEST, "docker.io/library/a:1@" + DIGEST, "a"),
    ],
)
def test_a_reference_is_normalized(text: str, full: str | None, name: str | None) -> None:
    if full is None:
        with pytest.raises(InvalidReference, match="lower case"):
            rules.parse_reference(text)
        return
    reference = rules.parse_reference(text)

    assert str(reference) == full
    assert reference.name == name
    assert rules.parse_reference(full) == reference


@pytest.mark.parametrize("text", [DIGEST, DIGEST.removeprefix("sha256:")])
def test_an_image_id_is_no_repository(text: str) -> None:
    reference = rules.parse_reference(text)

    assert reference.image_id == DIGEST
    assert reference.repository == ""
    assert str(reference) == DIGEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-v",
        "--privileged",
        "-x.example/app",
        "ngi nx",
        "nginx\n",
        "nginx:",
        "nginx:-tag",
        "nginx:" + "t" * 129,
        "nginx@sha256:123",
        "nginx@" + DIGEST.upper(),
        "nginx@md5:" + "0" * 32,
        "a//b",
        "/nginx",
        "nginx/",
        "a..b",
        "_a",
        "reg.example:port/app",
        "-reg.example/app",
        "user@169.254.169.254/x",
        "https://reg.example/app",
        "../../etc/passwd",
        "n" * 256,
        "n" * 2000,
        "caf\u00e9",
    ],
)
def test_what_no_engine_accepts_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        rules.parse_reference(text)


component = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+){0,2}", fullmatch=True)
hosts = st.sampled_from(["", "localhost/", "localhost:5000/", "reg.example/", "[::1]/"])
tags = st.one_of(st.just(""), st.from_regex(r":[\w][\w.-]{0,20}", fullmatch=True))


suffixes = st.tuples(tags.filter(str.isascii), st.sampled_from(["", "@" + DIGEST]))


@given(
    host=hosts,
    path=st.lists(component, min_size=1, max_size=3).map("/".join),
    suffix=suffixes.map("".join),
)
def test_writing_and_reading_again_is_the_same_reference(
    host: str, path: str, suffix: str
) -> None:
    text = host + path + suffix
    if len(host + path) > 200:
        return

    try:
        reference = rules.parse_reference(text)
    except InvalidReference:
        # `1.2/x` names the host 1.2; only such a reading may refuse a well-formed name.
        assert "." in path.split("/", maxsplit=1)[0]
        return

    assert rules.parse_reference(str(reference)) == reference


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    try:
        reference = rules.parse_reference(text)
    except InvalidReference:
        return

    assert not str(reference).startswith("-")
    assert not any(character.isspace() for character in str(reference))
