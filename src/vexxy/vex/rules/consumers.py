"""The identifiers that Grype and Trivy know an image and a package by.

Ported from their source as studied (docs/vex.md names the files).
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from vexxy.vex.rules import purls
from vexxy.vex.types import Consumer, Target

_HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_GRYPE_NAMESPACES: Final = {trivy: syft for syft, trivy in purls.NAMESPACE_TWINS.items()}


@lru_cache(maxsize=256)
def product_ids(consumer: Consumer, target: Target) -> tuple[str, ...]:
    """Return the identifiers that a tool tests as the product, in its order.

    Empty for an image that Trivy knows no repository digest of: it then has no product
    id at all, and no statement about the image can match.
    """
    match consumer:
        case Consumer.VEXCTL:
            return ()
        case Consumer.TRIVY:
            return _trivy_ids(target)
        case Consumer.GRYPE | Consumer.GRYPE_0_117:
            old = consumer is Consumer.GRYPE_0_117
            ids = [i for tag in target.tags for i in _grype_tag_ids(tag, old=old)]
            for digest in target.repo_digests:
                ids += _grype_digest_ids(digest, old=old)
            return tuple(dict.fromkeys(ids))


def _repository(reference: str) -> tuple[str, str]:
    """Return (registry, path) as go-containerregistry reads a reference."""
    name = reference.partition("@")[0]
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        head, rest = "index.docker.io", name
    if head == "docker.io":
        head = "index.docker.io"
    last = rest.rpartition("/")[2]
    if ":" in last:
        rest = rest.rpartition(":")[0]
    if head == "index.docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return head, rest


def _repository_urls(registry: str, path: str) -> tuple[str, ...]:
    if registry.lower() not in _HUB:
        return (f"{registry}/{path}",)
    whole = path if "/" in path else f"library/{path}"
    short = whole.removeprefix("library/")
    urls = (f"index.docker.io/{whole}", f"docker.io/{whole}", f"docker.io/{short}")
    return tuple(dict.fromkeys(urls))


def _oci(name: str, version: str, **qualifiers: str) -> str:
    return str(purls.Purl("oci", "", name, version, qualifiers))


def _grype_tag_ids(tag: str, *, old: bool) -> list[str]:
    if old:
        name, colon, label = tag.partition(":")
        return [tag, _oci(name, "", tag=label)] if colon else [tag]
    repository, colon, label = tag.rpartition(":")
    if not colon or "/" in label or not label:
        return [tag]
    registry, path = _repository(tag)
    name = path.rpartition("/")[2] or repository
    urls = _repository_urls(registry, path)
    return [
        tag,
        _oci(name, "", tag=label),
        *(_oci(name, "", tag=label, repository_url=url) for url in urls),
    ]


def _grype_digest_ids(repo_digest: str, *, old: bool) -> list[str]:
    digest = repo_digest.partition("@")[2]
    if not digest.startswith("sha256:"):
        return [repo_digest]
    registry, path = _repository(repo_digest)
    parent, _, name = path.rpartition("/")
    if old:
        host = "index.docker.io" if registry.lower() in _HUB else registry
        url = f"{host}/{parent}" if parent else host
        made = [_oci(name, digest, repository_url=url)]
    else:
        urls = _repository_urls(registry, path)
        made = [_oci(name, digest)]
        made += [_oci(name, digest, repository_url=url) for url in urls]
    return [repo_digest, *made, digest.removeprefix("sha256:")]


def _trivy_ids(target: Target) -> tuple[str, ...]:
    if not target.repo_digests:
        return ()
    first = target.repo_digests[0]
    registry, path = _repository(first)
    qualifiers = {"repository_url": f"{registry}/{path}"}
    if target.architecture:
        qualifiers["arch"] = target.architecture
    name = path.rpartition("/")[2].lower()
    return (_oci(name, first.partition("@")[2], **qualifiers),)


@lru_cache(maxsize=1 << 16)
def package_id(consumer: Consumer, text: str) -> str:
    """Return the inventory's purl as a tool would write it."""
    purl = purls.find(text)
    if purl is None or purl.type not in {"deb", "rpm", "apk", "golang", "npm"}:
        return text
    trivy = consumer is Consumer.TRIVY
    if purl.type in {"deb", "rpm"}:
        return str(_with_epoch(purl, apart=trivy or purl.type == "rpm", trivy=trivy))
    if purl.type == "golang" and purl.name == "stdlib" and not purl.namespace:
        version = purl.version.removeprefix("v").removeprefix("go")
        purl = replace(purl, version=f"v{version}" if trivy else version)
    if purl.type == "npm" and trivy:
        purl = replace(purl, name=purl.name.lower(), namespace=purl.namespace.lower())
    return str(purl)


def _with_epoch(purl: purls.Purl, *, apart: bool, trivy: bool) -> purls.Purl:
    names = purls.NAMESPACE_TWINS if trivy else _GRYPE_NAMESPACES
    version, epoch = purls.split_epoch(purl)
    qualifiers = {k: v for k, v in purl.qualifiers.items() if k != "epoch"}
    if epoch and apart:
        qualifiers["epoch"] = epoch
    elif epoch:
        version = f"{epoch}:{version}"
    namespace = names.get(purl.namespace, purl.namespace)
    return replace(purl, namespace=namespace, version=version, qualifiers=qualifiers)
