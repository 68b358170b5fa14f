"""Ecosystems, purls, and whether two inventories are of one image."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from vexxy.sbom import service
from vexxy.sbom.errors import SbomMismatch
from vexxy.sbom.rules import comparison, ecosystems, owners, purls
from vexxy.sbom.types import Distribution, Inventory, Package, Subject

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("kind", "distribution", "ecosystem"),
    [
        ("deb", Distribution("debian", "12"), "Debian:12"),
        ("deb", Distribution("debian", "", "trixie"), "Debian"),
        ("deb", Distribution("ubuntu", "22.04"), "Ubuntu:22.04:LTS"),
        ("deb", Distribution("ubuntu", "22.10"), "Ubuntu:22.10"),
        ("deb", Distribution("ubuntu", "23.04"), "Ubuntu:23.04"),
        ("apk", Distribution("alpine", "3.20.3"), "Alpine:v3.20"),
        ("apk", Distribution("alpine", "3.21.0_alpha2024"), "Alpine:v3.21"),
        ("apk", Distribution("alpine", "edge"), ""),
        ("apk", Distribution("wolfi", "20230201"), "Wolfi"),
        ("rpm", Distribution("rocky", "9.3"), "Rocky Linux:9"),
        ("rpm", Distribution("almalinux", "8.10"), "AlmaLinux:8"),
        ("rpm", Distribution("rhel", "9.4"), "Red Hat:enterprise_linux:9"),
        ("rpm", Distribution("opensuse-leap", "15.6"), "openSUSE:Leap 15.6"),
        ("rpm", Distribution("opensuse-tumbleweed", "20250101"), "openSUSE:Tumbleweed"),
        ("rpm", Distribution("sles", "15.5"), "SUSE:Linux Enterprise Server 15 SP5"),
        ("rpm", Distribution("fedora", "40"), ""),
        ("deb", None, ""),
        ("pypi", Distribution("debian", "12"), "PyPI"),
        ("golang", None, "Go"),
        ("cargo", None, "crates.io"),
        ("gem", None, "RubyGems"),
        ("composer", None, "Packagist"),
        ("generic", Distribution("debian", "12"), ""),
    ],
)
def test_ecosystems_are_named_as_osv_names_them(
    kind: str, distribution: Distribution | None, ecosystem: str
) -> None:
    assert ecosystems.ecosystem_of(kind, distribution) == ecosystem


versions = st.from_regex(
    r"([0-9]:)?[0-9][0-9a-z.+~]{0,8}(-[0-9a-z.+~]{1,5})?", fullmatch=True
)
debian_names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,10}", fullmatch=True)


@given(name=debian_names, version=versions, kind=st.sampled_from(["deb", "rpm", "apk"]))
def test_a_purl_keeps_name_version_and_epoch(name: str, version: str, kind: str) -> None:
    distribution = Distribution("debian", "12")
    text = purls.distribution_purl(
        kind, name, version, architecture="amd64", distribution=distribution
    )

    package = purls.package_of_purl(text, distribution=None)

    assert package is not None
    assert (package.name, package.version, package.architecture) == (name, version, "amd64")
    assert package.purl == text
    assert ("epoch" in text) == (kind == "rpm" and ":" in version)


@given(st.text(max_size=40))
def test_no_text_makes_the_purl_reader_fail(text: str) -> None:
    package = purls.package_of_purl(text, distribution=None)

    assert package is None or PackageURL.from_string(package.purl)


def test_trivys_epoch_of_debian_is_part_of_the_version() -> None:
    package = purls.package_of_purl(
        "pkg:deb/debian/tar@1.34-1?arch=amd64&epoch=1",
        distribution=Distribution("debian", "12"),
    )

    assert package is not None
    assert package.version == "1:1.34-1"
    assert package.purl == "pkg:deb/debian/tar@1:1.34-1?arch=amd64"


@pytest.mark.parametrize(
    ("file_name", "version", "source"),
    [
        ("openssl-3.0.7-1.el9.src.rpm", "1:3.0.7-1.el9", ("openssl", "1:3.0.7-1.el9")),
        ("gcc-c++-12-3.nosrc.rpm", "12-3", ("gcc-c++", "12-3")),
        ("(none)", "1-1", ("", "")),
    ],
)
def test_a_source_rpm_is_read_from_its_file_name(
    file_name: str, version: str, source: tuple[str, str]
) -> None:
    assert purls.source_of_rpm(file_name, version) == source


def deb(name: str, version: str = "1", **facts: object) -> Package:
    purl = f"pkg:deb/debian/{name}@{version}"
    return dataclasses.replace(
        Package(purl=purl, type="deb", name=name, version=version, ecosystem="Debian:12"),
        **facts,  # type: ignore[arg-type]
    )


def npm(name: str, version: str = "1", **facts: object) -> Package:
    purl = f"pkg:npm/{name}@{version}"
    return dataclasses.replace(
        Package(purl=purl, type="npm", name=name, version=version, ecosystem="npm"),
        **facts,  # type: ignore[arg-type]
    )


def an_inventory(*packages: Package, digests: tuple[str, ...] = ()) -> Inventory:
    return Inventory(None, packages, subject=Subject("app", digests))


def test_a_shared_digest_settles_whose_sbom_it_is() -> None:
    given_sbom = an_inventory(deb("a"), digests=(DIGEST,))

    assert comparison.mismatch(given_sbom, an_inventory(deb("b")), digests=[DIGEST]) is None
    assert comparison.mismatch(given_sbom, an_inventory(deb("b"))) is not None


def test_other_digests_do_not_condemn_equal_packages() -> None:
    """Saving an image changes its manifest's digest, not what is in it."""
    given_sbom = an_inventory(deb("a"), digests=("sha256:" + "b" * 64,))

    assert comparison.mismatch(given_sbom, an_inventory(deb("a")), digests=[DIGEST]) is None


def test_one_system_package_of_another_version_is_another_image() -> None:
    common = [deb(f"p{number}") for number in range(100)]

    reason = comparison.mismatch(
        an_inventory(*common, deb("openssl", "2")),
        an_inventory(*common, deb("openssl", "1")),
    )

    assert reason == (
        "1 of the 101 system packages it lists are not in the image (openssl 2); "
        "1 of the 101 system packages in the image are not listed (openssl 1)"
    )


def test_tools_may_disagree_about_language_packages_of_a_system() -> None:
    assert (
        comparison.mismatch(an_inventory(deb("a"), npm("x")), an_inventory(deb("a")))
        is None
    )


def test_an_image_of_languages_only_must_share_most_of_them() -> None:
    found = an_inventory(*[npm(f"p{number}") for number in range(9)])

    same = an_inventory(*[npm(f"p{number}") for number in range(6)], npm("x"), npm("y"))
    other = an_inventory(
        *[npm(f"p{number}") for number in range(5)], npm("x"), npm("y"), npm("z")
    )

    assert comparison.mismatch(same, found) is None
    reason = comparison.mismatch(other, found)
    assert reason is not None
    assert reason.startswith("only 5 of the 8 packages it lists are in the image")


def test_an_empty_sbom_is_of_no_image_with_packages() -> None:
    assert comparison.mismatch(an_inventory(), an_inventory(deb("a"))) is not None
    assert comparison.mismatch(an_inventory(), an_inventory()) is None


def test_an_sbom_gets_the_files_of_every_copy_in_the_image() -> None:
    listed = an_inventory(deb("a"), npm("qs"), npm("gone", files=("/x",)))
    found = an_inventory(
        deb("a", files=("/usr/a",)),
        npm("qs", files=("/1/qs.js",), locations=("/1",)),
        npm("qs", files=("/2/qs.js",), locations=("/2",)),
        npm("not-listed"),
    )

    joined = service.reconcile(listed, found)

    assert [
        (package.name, package.files, package.files_known) for package in joined.packages
    ] == [
        ("a", ("/usr/a",), True),
        ("qs", ("/1/qs.js",), True),
        ("qs", ("/2/qs.js",), True),
        ("gone", (), False),
    ]


def test_an_sbom_of_another_image_is_refused() -> None:
    with pytest.raises(SbomMismatch, match="describes another image: 1 of the 1 system"):
        service.reconcile(an_inventory(deb("a", "2")), an_inventory(deb("a", "1")))


def test_a_binary_leads_to_itself_and_to_what_is_embedded() -> None:
    tool = deb("tool", files=("/usr/bin/tool",))
    module = npm("module", embedded_in="/usr/bin/tool")

    index = owners.index_owners(an_inventory(tool, module))

    assert index == {"/usr/bin/tool": (tool, module)}
