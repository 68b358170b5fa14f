"""Data that nobody read in a run, and who could read it."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access

OPENS = '#include <stdio.h>\nint main(void){return fopen("%s","r")!=0;}'


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    return planted


def data(tree: Planted, *paths: str, name: str) -> Package:
    return tree.owner(*(tree.write(one, "data") for one in paths), name=name)


def zones(tree: Planted) -> Package:
    return data(tree, "/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/A/B", name="tzdata")


def certificates(tree: Planted) -> Package:
    path = "/usr/share/ca-certificates/mozilla/A.crt"
    return data(tree, path, name="ca-certificates")


def verdict(tree: Planted, package: Package) -> tuple[str, str]:
    (found,) = tree.judge(package)
    return found.status.value, found.reason


def test_time_zones_are_open_where_an_application_can_ask_for_one(tree: Planted) -> None:
    package = zones(tree)
    tree.touched(tree.write("/app/app.py", "from zoneinfo import ZoneInfo\n"))
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/app/app.py ran and can read time zones" in reason


def test_time_zones_are_open_where_a_variable_names_one(tree: Planted) -> None:
    tree.environment["TZ"] = "Europe/Berlin"
    assert verdict(tree, zones(tree))[0] == "under_investigation"


def test_time_zones_are_clear_where_nothing_speaks_of_them(tree: Planted) -> None:
    assert verdict(tree, zones(tree))[0] == "not_affected"


@pytest.mark.parametrize(
    "path", ["/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/bin/node", "/usr/bin/java"]
)
def test_certificates_are_open_where_one_that_checks_them_ran(
    tree: Planted, path: str
) -> None:
    package = certificates(tree)
    tree.touched(tree.program(path), Access.MAPPED)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert f"{path} ran and checks certificates" in reason


def test_certificates_are_open_where_one_that_checks_them_could_run(tree: Planted) -> None:
    package = certificates(tree)
    tree.program("/usr/bin/curl", "x")
    tree.touched(tree.program("/entry.sh", "#!/bin/sh\n[ -e /x ] && curl x\n"))
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/usr/bin/curl, which checks certificates" in reason


def test_certificates_are_open_where_a_static_program_holds_their_path(
    tree: Planted,
) -> None:
    package = certificates(tree)
    path = tree.compile("/app/server", OPENS % "/etc/ssl/certs/ca-certificates.crt")
    tree.touched(path, Access.EXECUTED)
    assert verdict(tree, package)[0] == "under_investigation"


def test_certificates_are_clear_where_nothing_can_check_them(tree: Planted) -> None:
    assert verdict(tree, certificates(tree))[0] == "not_affected"


def test_other_data_is_open_where_its_directory_is_named(tree: Planted) -> None:
    package = data(tree, "/usr/share/plantdata/a/table.bin", name="plant-data")
    path = tree.compile("/usr/sbin/daemon", OPENS % "/usr/share/plantdata")
    tree.touched(path, Access.EXECUTED)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/usr/sbin/daemon ran and holds the name of its directory" in reason


def test_a_longer_name_is_another_directory(tree: Planted) -> None:
    package = data(tree, "/usr/share/plantdata/a/table.bin", name="plant-data")
    path = tree.compile("/usr/sbin/daemon", OPENS % "/usr/share/plantdata-more")
    tree.touched(path, Access.EXECUTED)
    assert verdict(tree, package)[0] == "not_affected"


@pytest.mark.parametrize(
    ("runtime", "path"),
    [
        ("gs", "/usr/share/ghostscript/10/Resource/Init/gs_init.ps"),
        ("php-fpm8.2", "/usr/share/php/Foo/lib.inc"),
        ("vim.basic", "/usr/share/vim/vim90/filetype.vim"),
        ("gawk", "/usr/share/awk/join.awk"),
        ("xsltproc", "/usr/share/xml/style/page.xsl"),
    ],
)
def test_code_of_small_languages_is_open_where_their_runtime_ran(
    tree: Planted, runtime: str, path: str
) -> None:
    package = tree.owner(tree.write(path, "code"), name="plant-common")
    assert verdict(tree, package)[0] == "not_affected"
    tree.touched(tree.program(f"/usr/bin/{runtime}", "x"), Access.EXECUTED)
    assert verdict(tree, package)[0] == "under_investigation"
