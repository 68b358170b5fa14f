"""Package URLs as the readers of VEX compare them, and the forms they write.

Parsing follows packageurl-go, not the Python library: two spellings that a scanner
tells apart must stay apart here too (the Python library lowercases npm names; Go's
does not, so `pkg:npm/JSONStream` is matched only when its capitals are kept).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

_LOWER_NAMESPACE: Final = frozenset(
    {"alpm", "apk", "bitbucket", "composer", "deb", "github", "golang", "rpm", "qpkg"}
)
_LOWER_NAME: Final = frozenset(
    {"alpm", "apk", "bitbucket", "bitnami", "composer", "deb", "github", "golang"}
)
_TYPE: Final = re.compile(r"[a-z][a-z0-9.+-]*")
_KEY: Final = re.compile(r"[a-z._-][a-z0-9._-]*")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")

# os-release ID (Syft) and operating-system family (Trivy) where the two differ.
NAMESPACE_TWINS: Final[Mapping[str, str]] = {
    "amzn": "amazon",
    "almalinux": "alma",
    "ol": "oracle",
    "mariner": "cbl-mariner",
    "sles": "suse",
}
_NAMESPACES: Final[Mapping[str, str]] = {
    **NAMESPACE_TWINS,
    **{trivy: syft for syft, trivy in NAMESPACE_TWINS.items()},
}
_OS_TYPES: Final = frozenset({"deb", "rpm", "apk"})


@dataclass(frozen=True, slots=True)
class Purl:
    """A package URL in parts, percent-decoded."""

    type: str
    namespace: str
    name: str
    version: str = ""
    qualifiers: Mapping[str, str] = field(default_factory=dict)
    subpath: str = ""

    def __str__(self) -> str:
        path = "/".join(_escape(p) for p in (*self.namespace.split("/"), self.name) if p)
        text = f"pkg:{self.type}/{path}"
        if self.version:
            text += f"@{_escape(self.version)}"
        if self.qualifiers:
            pairs = sorted(self.qualifiers.items())
            text += "?" + "&".join(f"{k}={_escape(v, safe=':/')}" for k, v in pairs)
        return f"{text}#{_escape(self.subpath, safe='/%')}" if self.subpath else text


def _escape(text: str, *, safe: str = ":~") -> str:
    return quote(text, safe=safe, errors="surrogateescape")


def _decode(text: str) -> str:
    if _BROKEN_ESCAPE.search(text):
        raise ValueError(f"{text!r} has a broken percent escape")
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def parse(text: str) -> Purl:
    """Return the parts of a package URL, normalized as packageurl-go does.

    Raises:
        ValueError: `text` is no package URL.
    """
    if text[:4].lower() != "pkg:":
        raise ValueError(f"{text!r} is no package URL: it does not start with pkg:")
    rest, _, subpath = text[4:].lstrip("/").partition("#")
    rest, _, query = rest.partition("?")
    type_, slash, rest = rest.partition("/")
    type_ = type_.lower()
    if not slash or not _TYPE.fullmatch(type_):
        raise ValueError(f"{text!r} has no valid type")
    version = ""
    if rest.rfind("@") > 0:
        rest, _, version = rest.rpartition("@")
    namespace, _, name = rest.rpartition("/")
    if not name or (type_ != "npm" and rest.startswith("@")):
        raise ValueError(f"{text!r} has no name")
    name = _decode(name)
    namespace = "/".join(_decode(part) for part in namespace.split("/") if part)
    return Purl(
        type=type_,
        namespace=namespace.lower() if type_ in _LOWER_NAMESPACE else namespace,
        name=_adjusted_name(type_, name),
        version=_decode(version),
        qualifiers=_qualifiers(query),
        subpath=subpath.strip("/"),
    )


def _adjusted_name(type_: str, name: str) -> str:
    if type_ == "pypi":
        return name.replace("_", "-").lower()
    return name.lower() if type_ in _LOWER_NAME else name


def _qualifiers(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, _, value = pair.partition("=")
        key = key.lower()
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no qualifier name")
        if not value:
            continue
        if key in found:
            raise ValueError(f"the qualifier {key!r} is given twice")
        found[key] = _decode(value)
    return found


@lru_cache(maxsize=1 << 16)
def find(text: str) -> Purl | None:
    """Return the parts, or None when `text` is no package URL."""
    try:
        return parse(text)
    except ValueError:
        return None


def matches(general: str, specific: str) -> bool:
    """Tell whether go-vex's `PurlMatches(general, specific)` holds.

    Type, namespace and name equal; the version equal or absent in `general`; every
    qualifier of `general` in `specific` with the same value; subpaths are ignored.
    """
    left, right = find(general), find(specific)
    if left is None or right is None:
        return False
    if (left.type, left.namespace, left.name) != (right.type, right.namespace, right.name):
        return False
    if left.version and left.version != right.version:
        return False
    return all(right.qualifiers.get(key) == value for key, value in left.qualifiers.items())


def key(text: str) -> str:
    """Return one spelling for every spelling of an identifier."""
    purl = find(text)
    return text if purl is None else str(purl)


def unqualified(text: str) -> str:
    """Return the purl with no qualifier but a needed `epoch`, and no subpath.

    rpm keeps the epoch out of the version, so the epoch is part of the identity.
    """
    purl = find(text)
    if purl is None:
        return text
    return str(_plain(purl))


def _plain(purl: Purl) -> Purl:
    version, epoch = split_epoch(purl)
    if purl.type == "deb" and epoch:
        return replace(purl, version=f"{epoch}:{version}", qualifiers={}, subpath="")
    kept = {"epoch": epoch} if epoch else {}
    return replace(purl, version=version, qualifiers=kept, subpath="")


def split_epoch(purl: Purl) -> tuple[str, str]:
    """Return (version without epoch, epoch or empty); an epoch of 0 is none."""
    if purl.type not in {"deb", "rpm"}:
        return purl.version, ""
    epoch, colon, rest = purl.version.partition(":")
    if colon and epoch.isdigit():
        version = rest
    else:
        version, epoch = purl.version, purl.qualifiers.get("epoch", "")
    return version, "" if epoch.strip("0") == "" else epoch


@lru_cache(maxsize=1 << 16)
def subcomponent_forms(text: str) -> tuple[str, ...]:
    """Return the unqualified forms under which scanners know a package.

    Syft writes a Debian epoch into the version and Trivy into a qualifier; the two
    name some distributions and Go's standard library differently. All forms together
    name one package and nothing else. Text that is no purl is returned alone.
    """
    purl = find(text)
    if purl is None:
        return (text,)
    forms = [_plain(purl)]
    version, epoch = split_epoch(purl)
    if purl.type == "deb" and epoch:
        forms.append(replace(forms[0], version=version, qualifiers={"epoch": epoch}))
    if purl.type in _OS_TYPES and purl.namespace in _NAMESPACES:
        twin = _NAMESPACES[purl.namespace]
        forms += [replace(form, namespace=twin) for form in tuple(forms)]
    if purl.type == "golang" and not purl.namespace and purl.name == "stdlib":
        bare = version.removeprefix("v").removeprefix("go")
        forms += [replace(forms[0], version=v) for v in (bare, f"v{bare}")]
    if purl.type == "npm" and purl.name != purl.name.lower():
        forms.append(
            replace(forms[0], name=purl.name.lower(), namespace=purl.namespace.lower())
        )
    return tuple(dict.fromkeys(str(form) for form in forms))
