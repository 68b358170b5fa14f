"""What a Java archive is called, for those that Maven's archiver did not sign.

Gradle leaves no `pom.properties`. The file name tells artifact and version; the group
comes from the manifest, from families that are known to leave it out, or from the
packages of the classes, which is a guess and said to be one.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_FILE_NAME: Final = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.+-]*)")
_CLASSIFIER: Final = re.compile(r"[-.](?:jar-with-dependencies|all|shaded)$")
_DOMAINS: Final = frozenset(
    {"com", "org", "net", "io", "edu", "gov", "dev", "me", "de", "fr"}
)
_GROUP_PARTS: Final = 2
# Published by Gradle or Ant under these groups; the longest prefix that fits counts.
_FAMILIES: Final[Mapping[str, str]] = {
    "spring-": "org.springframework",
    "spring-boot": "org.springframework.boot",
    "spring-security-": "org.springframework.security",
    "spring-data-": "org.springframework.data",
    "spring-cloud-": "org.springframework.cloud",
    "spring-integration-": "org.springframework.integration",
    "spring-batch-": "org.springframework.batch",
    "spring-session-": "org.springframework.session",
    "tomcat-": "org.apache.tomcat",
    "tomcat-embed-": "org.apache.tomcat.embed",
    "elasticsearch": "org.elasticsearch",
    "kafka": "org.apache.kafka",
    "lucene-": "org.apache.lucene",
    "grpc-": "io.grpc",
    "kotlin-": "org.jetbrains.kotlin",
    "micrometer-": "io.micrometer",
    "reactor-": "io.projectreactor",
    "reactor-netty": "io.projectreactor.netty",
    "okhttp": "com.squareup.okhttp3",
    "okio": "com.squareup.okio",
}


@dataclass(frozen=True, slots=True)
class Coordinates:
    """A Maven package.

    Attributes:
        certain: False when the group was guessed from names of classes or of the file.
    """

    group: str
    artifact: str
    version: str
    certain: bool = True


def is_own(file_name: str, package: Coordinates) -> bool:
    """Tell the archive's own package from those that were shaded into it."""
    stem = posixpath.splitext(file_name)[0]
    return stem == package.artifact or stem.startswith(
        f"{package.artifact}-{package.version}"
    )


def guess(
    file_name: str, manifest: Mapping[str, str], members: Iterable[str]
) -> Coordinates | None:
    """Return what the archive probably is, None when nothing tells its version."""
    stem = _CLASSIFIER.sub("", posixpath.splitext(file_name)[0])
    match = _FILE_NAME.fullmatch(stem)
    artifact = match["name"] if match else stem
    version = match["version"] if match else _version(manifest)
    if not version:
        return None
    stated = manifest.get("implementation-vendor-id", "")
    symbolic = manifest.get("bundle-symbolicname", "").partition(";")[0].strip()
    group = (
        _family(artifact)
        or ("" if " " in stated else stated)
        or _group_of_bundle(symbolic, artifact)
    )
    if group:
        return Coordinates(group, artifact, version)
    guessed = _group_of_classes(members) or artifact
    return Coordinates(guessed, artifact, version, certain=False)


def _family(artifact: str) -> str:
    fitting = [prefix for prefix in _FAMILIES if artifact.startswith(prefix)]
    return _FAMILIES[max(fitting, key=len)] if fitting else ""


def _version(manifest: Mapping[str, str]) -> str:
    for key in ("implementation-version", "bundle-version", "specification-version"):
        if manifest.get(key, "")[:1].isdigit():
            return manifest[key]
    return ""


def _group_of_bundle(symbolic_name: str, artifact: str) -> str:
    """Return the group that an OSGi name implies: `org.x.artifact` or `org.x`."""
    if "." not in symbolic_name:
        return ""
    group, _, last = symbolic_name.rpartition(".")
    return group if last in {artifact, artifact.rpartition("-")[2]} else symbolic_name


def _group_of_classes(members: Iterable[str]) -> str:
    """Return the domain and name that all classes share, `org.example`."""
    roots = {
        tuple(name.split("/")[:_GROUP_PARTS])
        for name in members
        if name.endswith(".class") and name.count("/") >= _GROUP_PARTS
    }
    named = [root for root in roots if root[0] in _DOMAINS]
    return ".".join(named[0]) if len(named) == 1 else ""
