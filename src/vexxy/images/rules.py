"""Which texts are image references and digests.

The grammar is that of distribution/reference: what it refuses, no engine accepts.
"""

import re
from typing import Final

from vexxy.images.errors import InvalidReference
from vexxy.images.types import Platform, Reference

DEFAULT_DOMAIN: Final = "docker.io"
OFFICIAL_PREFIX: Final = "library/"
NAME_LENGTH_MAX: Final = 255
REFERENCE_LENGTH_MAX: Final = 1024
SHOWN_LENGTH_MAX: Final = 80

_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN: Final = re.compile(rf"{_HOST}(?::[0-9]+)?")
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_IMAGE_ID: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


_MACHINES: Final = {
    "x86_64": ("amd64", None),
    "amd64": ("amd64", None),
    "aarch64": ("arm64", None),
    "arm64": ("arm64", None),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", None),
    "ppc64le": ("ppc64le", None),
    "riscv64": ("riscv64", None),
    "s390x": ("s390x", None),
}


def platform_of_machine(machine: str) -> Platform:
    """Return the OCI platform of what `uname -m` calls `machine`."""
    architecture, variant = _MACHINES.get(machine.lower(), (machine, None))
    return Platform(os="linux", architecture=architecture, variant=variant)


def is_digest(text: str) -> bool:
    """Return whether the text is a sha256 or sha512 digest in lower case."""
    return _DIGEST.fullmatch(text) is not None


def parse_reference(text: str) -> Reference:
    """Return the reference, with the registry and `library/` that Docker implies.

    A bare image id (64 hex digits, with or without `sha256:`) is accepted too. No tag
    is added: `nginx` and `nginx:latest` name the same image but were not both written.

    Raises:
        InvalidReference: The text is no reference; the message says which part.
    """
    _refuse_unsafe(text)
    identifier = _IMAGE_ID.fullmatch(text)
    if identifier:
        return Reference(domain="", path="", image_id=f"sha256:{identifier[1]}")
    rest, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise _invalid(text, f"{digest!r} is not a digest such as sha256:<64 hex digits>")
    domain, path = _split_domain(rest)
    path, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _invalid(text, f"{tag!r} is not a tag")
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = OFFICIAL_PREFIX + path
    _check_name(text, domain, path)
    return Reference(domain=domain, path=path, tag=tag or None, digest=digest or None)


def _refuse_unsafe(text: str) -> None:
    if not text:
        raise InvalidReference("no image was named", hint="give a name such as nginx:1.25")
    if len(text) > REFERENCE_LENGTH_MAX:
        raise InvalidReference(
            f"the image reference has {len(text)} characters, more than any registry takes"
        )
    if text.startswith("-"):
        raise _invalid(text, "it starts with '-' and would be read as an option")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _invalid(text, "it contains white space or control characters")


def _split_domain(name: str) -> tuple[str, str]:
    """Split the registry from the path; Docker's rule decides what is a registry."""
    first, slash, rest = name.partition("/")
    names_a_host = (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )
    if not slash or not names_a_host:
        return DEFAULT_DOMAIN, name
    if first == "index.docker.io":
        return DEFAULT_DOMAIN, rest
    return first, rest


def _check_name(text: str, domain: str, path: str) -> None:
    if not _DOMAIN.fullmatch(domain):
        raise _invalid(text, f"{domain!r} is not a registry host")
    if not _PATH.fullmatch(path):
        if path.lower() != path:
            raise _invalid(text, "a repository is written in lower case")
        raise _invalid(text, f"{path!r} is not a repository name")
    if len(domain) + 1 + len(path) > NAME_LENGTH_MAX:
        raise _invalid(text, f"its name is longer than {NAME_LENGTH_MAX} characters")


def _invalid(text: str, reason: str) -> InvalidReference:
    shown = text if len(text) <= SHOWN_LENGTH_MAX else text[:SHOWN_LENGTH_MAX] + "..."
    return InvalidReference(
        f"{shown!r} is not an image reference: {reason}",
        hint="a reference looks like registry.example/team/app:1.2 or app@sha256:<digest>",
    )
