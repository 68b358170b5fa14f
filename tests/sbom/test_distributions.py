"""Packages of distributions: dpkg and apk databases and what they own."""

import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.sbom import service
from vexxy.sbom.types import Distribution, Inventory, Package

DEBIAN = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
Survey = Callable[..., Inventory]


def paragraph(name: str, version: str, **fields: str) -> str:
    lines = [
        f"Package: {name}",
        "Status: install ok installed",
        "Architecture: amd64",
        f"Version: {version}",
    ]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in fields.items()]
    return "\n".join(lines) + "\nDescription: a line\n and: another\n\n"


def by_name(inventory: Inventory) -> dict[str, Package]:
    return {package.name: package for package in inventory.packages}


def test_a_debian_package_has_its_source_its_purl_and_its_files(survey: Survey) -> None:
    inventory = survey(
        {
            "/etc/os-release": DEBIAN,
            "/var/lib/dpkg/status": paragraph("libssl3", "3.0.15-1", Source="openssl"),
            "/var/lib/dpkg/info/libssl3.list": "/.\n/lib\n/lib/libssl.so.3\n/gone\n",
            "/usr/lib/libssl.so.3": "code",
        },
        links={"/lib": "usr/lib"},
    )

    assert inventory.distribution == Distribution("debian", "12", "bookworm")
    assert inventory.packages == (
        Package(
            purl="pkg:deb/debian/libssl3@3.0.15-1?arch=amd64&distro=debian-12",
            type="deb",
            name="libssl3",
            version="3.0.15-1",
            ecosystem="Debian:12",
            source_name="openssl",
            source_version="3.0.15-1",
            architecture="amd64",
            locations=("/var/lib/dpkg/status",),
            files=("/usr/lib/libssl.so.3",),
        ),
    )
    assert inventory.sources == ("dpkg",)
    assert inventory.problems == ()


@pytest.mark.parametrize(
    ("version", "fields", "source"),
    [
        ("1:2.3-4", {}, ("pkg", "1:2.3-4")),
        ("2.3-4+b1", {"Source": "src (2.3-4)"}, ("src", "2.3-4")),
        ("2.3-4+b1", {}, ("pkg", "2.3-4")),
        ("2.3-4", {"Source": "src"}, ("src", "2.3-4")),
        ("9.9", {"Source": "src (1:1.0~rc1-2)"}, ("src", "1:1.0~rc1-2")),
    ],
)
def test_advisories_are_asked_by_source_package(
    survey: Survey, version: str, fields: dict[str, str], source: tuple[str, str]
) -> None:
    inventory = survey({"/var/lib/dpkg/status": paragraph("pkg", version, **fields)})

    package = by_name(inventory)["pkg"]

    assert (package.source_name, package.source_version) == source


def test_only_unpacked_packages_count(survey: Survey) -> None:
    removed = paragraph("removed", "1").replace("ok installed", "ok config-files")
    broken = paragraph("broken", "1").replace("ok installed", "reinstreq half-configured")

    inventory = survey({"/var/lib/dpkg/status": removed + broken + paragraph("whole", "1")})

    assert set(by_name(inventory)) == {"broken", "whole"}


def test_two_architectures_of_one_package_are_two(survey: Survey) -> None:
    foreign = paragraph("libc6", "2.36", Multi_Arch="same").replace("amd64", "i386")
    inventory = survey(
        {
            "/var/lib/dpkg/status": paragraph("libc6", "2.36", Multi_Arch="same") + foreign,
            "/var/lib/dpkg/info/libc6:amd64.list": "/usr/lib/64.so\n",
            "/var/lib/dpkg/info/libc6:i386.list": "/usr/lib/32.so\n",
            "/usr/lib/64.so": "",
            "/usr/lib/32.so": "",
        }
    )

    files = {package.architecture: package.files for package in inventory.packages}

    assert files == {"amd64": ("/usr/lib/64.so",), "i386": ("/usr/lib/32.so",)}


def test_a_link_belongs_to_who_brought_the_link(survey: Survey) -> None:
    """Else `libz-dev` would own the library behind its `libz.so`."""
    inventory = survey(
        {
            "/var/lib/dpkg/status": paragraph("libz-dev", "1"),
            "/var/lib/dpkg/info/libz-dev.list": "/usr/lib/libz.so\n/usr/include/z.h\n",
            "/usr/lib/libz.so.1": "code",
            "/usr/include/z.h": "",
        },
        links={"/usr/lib/libz.so": "libz.so.1"},
    )

    assert by_name(inventory)["libz-dev"].files == ("/usr/include/z.h",)


def test_a_diverted_file_stays_with_its_package(survey: Survey) -> None:
    inventory = survey(
        {
            "/var/lib/dpkg/status": paragraph("dash", "1") + paragraph("bash", "1"),
            "/var/lib/dpkg/info/dash.list": "/bin/sh\n",
            "/var/lib/dpkg/info/bash.list": "/bin/sh\n",
            "/var/lib/dpkg/diversions": "/bin/sh\n/bin/sh.distrib\ndash\n",
            "/bin/sh": "",
            "/bin/sh.distrib": "",
        }
    )

    assert by_name(inventory)["dash"].files == ("/bin/sh",)
    assert by_name(inventory)["bash"].files == ("/bin/sh.distrib",)


def test_byte_code_belongs_to_the_module_it_was_made_from(survey: Survey) -> None:
    inventory = survey(
        {
            "/var/lib/dpkg/status": paragraph("python3-x", "1"),
            "/var/lib/dpkg/info/python3-x.list": "/usr/lib/x.py\n",
            "/usr/lib/x.py": "",
            "/usr/lib/__pycache__/x.cpython-311.pyc": "",
            "/usr/lib/__pycache__/xx.cpython-311.pyc": "",
        }
    )

    assert by_name(inventory)["python3-x"].files == (
        "/usr/lib/__pycache__/x.cpython-311.pyc",
        "/usr/lib/x.py",
    )


def test_distroless_images_are_read(survey: Survey) -> None:
    inventory = survey(
        {
            "/var/lib/dpkg/status.d/tzdata": (
                "Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n"
            ),
            "/var/lib/dpkg/status.d/tzdata.md5sums": "0" * 32 + "  usr/share/zone/UTC\n",
            "/usr/share/zone/UTC": "",
        }
    )

    package = by_name(inventory)["tzdata"]

    assert package.files == ("/usr/share/zone/UTC",)
    assert package.locations == ("/var/lib/dpkg/status.d/tzdata",)


def test_a_package_whose_list_was_deleted_has_unknown_files(survey: Survey) -> None:
    package = by_name(survey({"/var/lib/dpkg/status": paragraph("a", "1")}))["a"]

    assert not package.files_known


def test_a_debian_image_without_a_database_is_no_empty_image(survey: Survey) -> None:
    inventory = survey({"/etc/os-release": DEBIAN})

    assert [problem.message for problem in inventory.problems] == [
        "no readable dpkg database: debian packages are unknown"
    ]


def test_a_package_without_a_version_is_a_problem(survey: Survey) -> None:
    inventory = survey({"/var/lib/dpkg/status": "Package: odd\nStatus: a b installed\n"})

    assert inventory.packages == ()
    assert "odd has no version" in inventory.problems[0].message


def test_apk_packages_have_origin_and_files(survey: Survey) -> None:
    inventory = survey(
        {
            "/etc/os-release": "ID=alpine\nVERSION_ID=3.20.3\n",
            "/lib/apk/db/installed": (
                "P:ssl_client\nV:1.36.1-r29\nA:x86_64\no:busybox\nF:usr\nF:usr/bin\n"
                "R:ssl_client\nZ:Q1abc=\nF:\nR:rootfile\n\nP:nover\n\n"
            ),
            "/usr/bin/ssl_client": "",
            "/rootfile": "",
        }
    )

    package = by_name(inventory)["ssl_client"]

    assert package.purl == (
        "pkg:apk/alpine/ssl_client@1.36.1-r29?arch=x86_64&distro=alpine-3.20.3"
    )
    assert package.ecosystem == "Alpine:v3.20"
    assert (package.source_name, package.source_version) == ("busybox", "1.36.1-r29")
    assert package.files == ("/rootfile", "/usr/bin/ssl_client")
    assert "nover" in inventory.problems[0].message


def test_apk_tools_3_is_read_once_through_merged_usr(survey: Survey) -> None:
    inventory = survey(
        {"/usr/lib/apk/db/installed": "P:a\nV:1-r0\n\n"}, links={"/lib": "usr/lib"}
    )

    assert len(inventory.packages) == 1


def test_this_machines_own_packages_are_read_as_dpkg_reads_them(
    tmp_path: pathlib.Path,
) -> None:
    """Goal: agree with dpkg itself on every installed package, its source included."""
    if shutil.which("dpkg-query") is None:
        pytest.skip("dpkg-query is not here: only Debian machines can be the referee")
    place = tmp_path / "var/lib/dpkg"
    place.mkdir(parents=True)
    shutil.copy("/var/lib/dpkg/status", place)
    form = (
        "${Package}\t${Version}\t${source:Package}\t${source:Version}\t"
        "${Architecture}\t${db:Status-Status}\n"
    )
    answer = subprocess.run(
        ["dpkg-query", f"--admindir={place}", "-W", f"-f={form}"],
        check=True,
        capture_output=True,
        text=True,
    )
    rows = [line.split("\t") for line in answer.stdout.splitlines()]
    expected = {tuple(row[:5]) for row in rows if row[5] == "installed"}

    inventory = service.inventory(RootFilesystem(tmp_path))

    assert expected
    assert {
        (
            package.name,
            package.version,
            package.source_name,
            package.source_version,
            package.architecture,
        )
        for package in inventory.packages
    } == expected


def test_code_that_is_listed_and_gone_is_told(survey: Survey) -> None:
    """Documentation is left out of most images and proves nothing."""
    listed = (
        "/usr/bin",
        "/usr/bin/own-config",
        "/usr/lib/libown.so.1",
        "/usr/share/doc/own/examples/run.py",
    )
    inventory = survey(
        {
            "/var/lib/dpkg/status": paragraph("own", "1.0-1"),
            "/var/lib/dpkg/info/own.list": "\n".join(listed) + "\n",
            "/usr/bin/own-config": "#!/bin/sh\n",
        }
    )
    assert by_name(inventory)["own"].files == ("/usr/bin/own-config",)
    assert by_name(inventory)["own"].missing == ("/usr/lib/libown.so.1",)
