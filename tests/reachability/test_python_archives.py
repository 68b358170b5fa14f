"""Python code in archives: zip applications, eggs, wheels, libraries on the path."""

import io
import zipfile
from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import pyarchive
from vexxy.tracer.types import Access

SITE = "/usr/local/lib/python3.11/site-packages"
PYTHON = "/usr/bin/python3.11"
ROUTE = "def route():\n    import beta\n" + "# padding\n" * 50


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program(PYTHON), Access.EXECUTED, 0.0)
    planted.write(f"{SITE}/beta/__init__.py", '"""beta"""')
    return planted


def archive(**members: str | bytes) -> bytes:
    """Return a zip archive; `_DOT_` in a name stands for a dot."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        for name, text in members.items():
            written.writestr(name.replace("_DOT_", "."), text)
    return content.getvalue()


def reached(tree: Planted) -> set[str]:
    return set(tree.overlay().references)


@pytest.mark.parametrize("start", [b"", b"#!/usr/bin/env python3\n"])
@pytest.mark.parametrize("name", ["/app/app.pyz", "/app/app", "/app/app.pex"])
def test_a_zip_application_is_read(tree: Planted, name: str, start: bytes) -> None:
    tree.touched(tree.write(name, start + archive(__main___DOT_py=ROUTE)))
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_zip_application_that_only_a_list_of_jobs_starts(tree: Planted) -> None:
    path = tree.write("/opt/job.pyz", archive(__main___DOT_py=ROUTE))
    tree.touched(tree.program("/start.sh", f"#!/bin/sh\npython3 {path}\n"))
    assert f"{SITE}/beta/__init__.py" in reached(tree)


@pytest.mark.parametrize("suffix", ["zip", "egg", "whl"])
def test_a_module_in_an_archive_is_found_by_its_name(tree: Planted, suffix: str) -> None:
    tree.write(f"/srv/lib.{suffix}", archive(plug_DOT_py=ROUTE))
    tree.touched(tree.write("/app/app.py", "def f():\n    import plug\n"))
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_an_archive_that_nothing_names_or_imports_is_not_read(tree: Planted) -> None:
    tree.write("/srv/lib.zip", archive(plug_DOT_py=ROUTE))
    tree.touched(tree.write("/app/app.py", "import json\n"))
    assert f"{SITE}/beta/__init__.py" not in reached(tree)


def test_an_archive_in_an_archive_is_read_too(tree: Planted) -> None:
    inner = archive(plug_DOT_py=ROUTE)
    tree.touched(tree.write("/app/app.pyz", archive(plug_DOT_whl=inner)))
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_an_extension_module_in_an_archive_needs_its_libraries(tree: Planted) -> None:
    library = tree.library("libplanted.so.1")
    extension = tree.compile(
        "/build/x.so",
        "int f(void);int g(void){return f();}",
        "-shared",
        "-fPIC",
        str(tree.directory) + library,
    )
    content = (tree.directory / extension.lstrip("/")).read_bytes()
    tree.touched(tree.write("/app/app.pyz", archive(_x_DOT_so=content)))
    assert library in reached(tree)


def test_a_damaged_archive_leaves_python_open(tree: Planted) -> None:
    content = bytearray(archive(__main___DOT_py=ROUTE))
    content[40:60] = b"\xff" * 20
    tree.touched(tree.write("/app/app.pyz", bytes(content)))
    assert [one.language for one in tree.overlay().unfollowed] == ["python"]


def test_a_mark_of_archives_among_constants_makes_no_archive() -> None:
    assert not pyarchive.is_archive(b"\x7fELF" + b"x" * 90 + b"PK\x05\x06" + b"x" * 90)
    assert pyarchive.is_archive(b"\x7fELF" + archive(a_DOT_py=""))


def test_more_than_is_looked_into_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyarchive, "CONTENT_BYTES_MAX", 10)
    with pytest.raises(Unparsable, match="more code"):
        list(pyarchive.members(archive(a_DOT_py=ROUTE)))


@pytest.mark.parametrize("name", ["/app/data/bundle.bin", "data/bundle.bin"])
def test_an_archive_of_any_suffix_that_the_application_names(
    tree: Planted, name: str
) -> None:
    tree.write("/app/data/bundle.bin", archive(plug_DOT_py=ROUTE))
    tree.touched(tree.write("/app/app.py", f"sys.path.insert(0, {name!r})\n"))
    assert f"{SITE}/beta/__init__.py" in reached(tree)
