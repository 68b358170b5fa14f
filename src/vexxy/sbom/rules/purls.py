"""Package URLs and the packages they name.

Source: purl specification, `PURL-SPECIFICATION.rst` and `PURL-TYPES.rst`.
"""

import re
from collections.abc import Mapping
from typing import Final

from packageurl import PackageURL

from vexxy.sbom.rules import ecosystems
from vexxy.sbom.types import Distribution, Package

_BINARY_REBUILD: Final = re.compile(r"\+b\d+$")
_SEPARATORS: Final = re.compile(r"[-_.]+")


def ecosystem_name(package_type: str, name: str) -> str:
    """Return the name as its ecosystem compares names.

    PyPI takes `Zope.Interface` and `zope-interface` for one (PEP 503); a purl keeps the
    dot, and so do the tools that match purls.
    """
    if package_type == "pypi":
        return _SEPARATORS.sub("-", name).lower()
    return name.lower() if package_type in {"npm", "composer"} else name


def distribution_qualifier(distribution: Distribution | None) -> str | None:
    """Return `debian-12` for the purl qualifier `distro`, None when nothing is known."""
    if distribution is None:
        return None
    release = distribution.version_id or distribution.codename
    return f"{distribution.id}-{release}" if release else distribution.id


def distribution_purl(
    package_type: str,
    name: str,
    version: str,
    *,
    architecture: str,
    distribution: Distribution | None,
) -> str:
    """Return the purl of a deb, apk or rpm package.

    The epoch stays in the version for deb, as Debian writes it, and becomes a qualifier
    for rpm, as the purl specification wants it.
    """
    qualifiers = {"arch": architecture, "distro": distribution_qualifier(distribution)}
    if package_type == "rpm" and ":" in version:
        qualifiers["epoch"], _, version = version.partition(":")
    namespace = _namespace(package_type, distribution)
    return _purl(package_type, namespace, name, version=version, qualifiers=qualifiers)


def language_purl(package_type: str, name: str, version: str) -> str:
    """Return the purl of a language's package from its full name.

    The full name is what `Package.name` holds: `@scope/pkg`, `golang.org/x/net`,
    `group:artifact`, `vendor/package`.
    """
    separator = ":" if package_type == "maven" else "/"
    namespace, _, last = name.rpartition(separator)
    if package_type == "golang" and name == "stdlib":
        version = version.removeprefix("go").partition(" ")[0]
    return _purl(package_type, namespace or None, last, version=version)


def _purl(
    package_type: str,
    namespace: str | None,
    name: str,
    *,
    version: str,
    qualifiers: Mapping[str, str | None] | None = None,
) -> str:
    present = {key: value for key, value in (qualifiers or {}).items() if value}
    return PackageURL(
        type=package_type,
        namespace=namespace,
        name=name,
        version=version or None,
        qualifiers=present or None,
    ).to_string()


def _namespace(package_type: str, distribution: Distribution | None) -> str:
    """Return the vendor; some `os-release` ids name a product of theirs."""
    if distribution is None:
        return {"deb": "debian", "apk": "alpine"}.get(package_type, "redhat")
    vendors = {"rhel": "redhat", "sles": "suse"}
    if distribution.id.startswith("opensuse"):
        return "opensuse"
    return vendors.get(distribution.id, distribution.id)


def debian_source(name: str, version: str, source: str) -> tuple[str, str]:
    """Return name and version of the source package of a Debian binary package.

    `source` is the field as written: empty, `openssl` or `openssl (3.0.15-1)`. A binary
    rebuild (`+b1`) changes the binary's version only.
    """
    source_name, _, rest = source.strip().partition(" ")
    declared = rest.strip().removeprefix("(").removesuffix(")").strip()
    return source_name or name, declared or _BINARY_REBUILD.sub("", version)


def purl_with_source(package: Package) -> str:
    """Return the purl with `upstream`, which is where Grype looks for a source package."""
    changed = (package.source_name, package.source_version) not in {
        ("", ""),
        (package.name, package.version),
    }
    if not changed:
        return package.purl
    upstream = package.source_name
    if package.source_version not in {"", package.version}:
        upstream = f"{upstream}@{package.source_version}"
    purl = PackageURL.from_string(package.purl)
    qualifiers = dict(purl.qualifiers or {}) | {"upstream": upstream}
    return purl._replace(qualifiers=qualifiers).to_string()


def package_of_purl(text: str, *, distribution: Distribution | None) -> Package | None:
    """Return the package a purl names, as an SBOM gives it; None if it names none.

    Source packages come from the `upstream` qualifier that Syft writes; it is taken out
    of the purl, because it is no part of what the package is.
    """
    try:
        purl = PackageURL.from_string(text)
    except ValueError:
        return None
    qualifiers = dict(purl.qualifiers or {})
    upstream = str(qualifiers.pop("upstream", ""))
    version = purl.version or ""
    name = ecosystem_name(purl.type, _full_name(purl))
    if purl.type == "rpm" and "epoch" in qualifiers:
        version = f"{qualifiers['epoch']}:{version}"
    if purl.type == "deb" and "epoch" in qualifiers:  # how Trivy writes it
        version = f"{qualifiers.pop('epoch')}:{version}"
    if name == "stdlib" and purl.type == "golang":
        version = "go" + version.removeprefix("go")
    source_name, source_version = _upstream(purl.type, upstream, (name, version))
    canonical = PackageURL(
        purl.type,
        purl.namespace,
        purl.name,
        version.partition(":")[2] if purl.type == "rpm" and ":" in version else version,
        qualifiers,
        purl.subpath,
    )
    if name == "stdlib" and purl.type == "golang":
        canonical = purl
    return Package(
        purl=canonical.to_string(),
        type=purl.type,
        name=name,
        version=version,
        ecosystem=ecosystems.ecosystem_of(
            purl.type, distribution or _distribution_of(purl, qualifiers)
        ),
        source_name=source_name,
        source_version=source_version,
        architecture=str(qualifiers.get("arch", "")),
        files_known=False,
    )


def _full_name(purl: PackageURL) -> str:
    if purl.type in {"deb", "apk", "rpm"} or not purl.namespace:
        return purl.name
    return f"{purl.namespace}{':' if purl.type == 'maven' else '/'}{purl.name}"


def _upstream(
    package_type: str, upstream: str, package: tuple[str, str]
) -> tuple[str, str]:
    """Return the source package; Syft writes `name`, `name@version` or a source rpm."""
    name, version = package
    if package_type not in {"deb", "apk", "rpm"}:
        return "", ""
    if package_type == "rpm" and upstream.endswith(".src.rpm"):
        return source_of_rpm(upstream, version)
    source_name, _, source_version = upstream.partition("@")
    if package_type == "deb" and not source_version:
        source_version = _BINARY_REBUILD.sub("", version)
    return source_name or name, source_version or version


def source_of_rpm(file_name: str, version: str) -> tuple[str, str]:
    """Return name and version of a source package from `name-version-release.src.rpm`.

    The file name has no epoch: the binary's is kept when it has one.
    """
    stem = file_name.removesuffix(".rpm").removesuffix(".src").removesuffix(".nosrc")
    parts = stem.rsplit("-", 2)
    if len(parts) != 3:  # noqa: PLR2004  name, version, release
        return "", ""
    epoch, colon, _ = version.partition(":")
    return parts[0], f"{epoch + colon if colon else ''}{parts[1]}-{parts[2]}"


def _distribution_of(
    purl: PackageURL, qualifiers: Mapping[str, object]
) -> Distribution | None:
    """Return what `distro=debian-12` says, for SBOMs that name no distribution."""
    distro = str(qualifiers.get("distro", ""))
    if not distro:
        return None
    identifier, _, release = distro.rpartition("-")
    if not identifier:
        return Distribution(id=purl.namespace or distro)
    return Distribution(id=identifier, version_id=release)
