"""Functions out of patches, fixes out of changelogs, patches out of archives."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.fakes.osv import a_record, write
from vexxy.advisories import service
from vexxy.advisories.ports import PatchedSource
from vexxy.advisories.rules import changelogs, patches
from vexxy.integrations.debian.apt import Apt
from vexxy.integrations.debian.errors import AptFailed, AptMissing
from vexxy.integrations.debian.patches import DebianPatches, read_tar
from vexxy.kit.errors import NotFound

PATCH = """\
Description: fix CVE-2099-1111, do not overrun
Author: nobody
--- a/src/parse.c
+++ b/src/parse.c
@@ -10,6 +10,7 @@ static int parse_head(struct buffer *b)
 \tint n = 0;
+\tif (b->len < 4) return -1;
 \treturn n;
 }
"""


def functions(text: str, path: str = "debian/patches/CVE-2099-1111.patch") -> set[str]:
    found = patches.changed_functions({path: text})
    return {f"{one.module}:{one.function}" for many in found.values() for one in many}


def in_file(path: str, *body: str, header: str = "") -> str:
    hunk = "\n".join(body)
    return f"--- a/{path}\n+++ b/{path}\n@@ -1,9 +1,9 @@ {header}\n{hunk}\n"


def test_the_hunks_header_names_the_function() -> None:
    assert functions(PATCH) == {"src/parse.c:parse_head"}


def test_a_definition_inside_the_hunk_wins_over_its_header() -> None:
    text = in_file(
        "a.c",
        " \treturn before;",
        " }",
        " ",
        " int",
        " second(struct x *x,",
        "        int n)",
        " {",
        "-\tcopy(x, n);",
        "+\tcopy(x, limit(n));",
        header="first(void)",
    )
    assert functions(text) == {"a.c:second"}


def test_a_change_between_functions_belongs_to_none() -> None:
    text = in_file(
        "a.c", " }", " ", "-#define LIMIT 5", "+#define LIMIT 4", header="f(void)"
    )
    assert functions(text) == set()


def test_a_function_that_the_patch_adds_is_left_out() -> None:
    text = in_file(
        "a.c",
        "+static int",
        "+check(int n)",
        "+{",
        "+\treturn n < 4;",
        "+}",
        " int",
        " use(int n)",
        " {",
        "+\tif (!check(n)) return 0;",
        " \treturn run(n);",
    )
    assert functions(text) == {"a.c:use"}


def test_a_changed_signature_is_the_same_function() -> None:
    text = in_file("a.c", "-int f(int n)", "+int f(size_t n)", " {", "+\tint m = 0;")
    assert functions(text) == {"a.c:f"}


def test_calls_prototypes_and_comments_define_nothing() -> None:
    text = in_file(
        "a.c",
        " int prototype(int n);",
        " if (x)",
        " DEFINE_THING(name)",
        "-\t/* old words */",
        "+\t/* new words */",
        "+",
        header="real(int n)",
    )
    assert functions(text) == set()
    assert functions(text + "+\tn++;\n") == {"a.c:real"}


@pytest.mark.parametrize(
    "path",
    ["tests/a.c", "src/test/a.c", "docs/x.py", "src/test_parse.py", "lib/parse_test.c"],
)
def test_tests_and_documentation_are_no_vulnerable_code(path: str) -> None:
    assert functions(in_file(path, "+\tn++;", header="f(int n)")) == set()


def test_python_and_perl_are_read_too() -> None:
    python = in_file("lib/a.py", "+        x = 1", header="def load(self, name):")
    perl = in_file("lib/A.pm", " sub inner {", "+    $x = 1;")
    assert functions(python) == {"lib/a.py:load"}
    assert functions(perl) == {"lib/A.pm:inner"}


def test_a_patch_serves_the_cves_of_its_name_or_else_of_its_description() -> None:
    found = patches.changed_functions(
        {
            "debian/patches/cve-2099-2222.patch": PATCH,
            "debian/patches/overrun.patch": PATCH,
            "debian/patches/feature.patch": PATCH.partition("\n")[2].partition("\n")[2],
        }
    )
    assert set(found) == {"CVE-2099-1111", "CVE-2099-2222"}
    assert found["CVE-2099-1111"][0].patch == "debian/patches/overrun.patch"


def test_a_patch_for_several_holes_is_less_sure() -> None:
    one = patches.changed_functions({"CVE-2099-1111.patch": PATCH})
    two = patches.changed_functions({"CVE-2099-1111-CVE-2099-2222.patch": PATCH})
    assert one["CVE-2099-1111"][0].confidence == patches.CONFIDENCE_HEADER
    assert two["CVE-2099-2222"][0].confidence == patches.CONFIDENCE_SHARED
    both = patches.changed_functions(
        {"a-CVE-2099-1111-CVE-2099-2222": PATCH, "b-CVE-2099-1111": PATCH}
    )
    assert both["CVE-2099-1111"][0].confidence == patches.CONFIDENCE_HEADER


def test_a_definition_inside_the_hunk_is_surer_than_the_header() -> None:
    """The header may name the function before the one that is changed."""
    text = in_file(
        "a.c",
        " int",
        " second(int n)",
        " {",
        "-\tcopy(n);",
        "+\tcopy(1);",
        header="f(void)",
    )
    found = patches.changed_functions({"CVE-2099-1111.patch": text})
    (change,) = found["CVE-2099-1111"]
    assert (change.function, change.confidence) == ("second", patches.CONFIDENCE)


@pytest.mark.parametrize(
    "text", ["", "@@", "@@ -1 +1 @@\n+x", "--- \n+++ \n@@ -1 +1 @@\n+x"]
)
def test_what_is_no_patch_names_nothing(text: str) -> None:
    assert functions(text) == set()


def test_a_changelog_tells_the_first_version_that_names_a_hole() -> None:
    text = """\
thing (1:2.0-1+deb12u2) bookworm-security; urgency=high

  * Complete the fix of CVE-2099-1111. CVE-2099-3333.

 -- Nobody <nobody@example.org>  Mon, 01 Jan 2099 00:00:00 +0000

thing (1:2.0-1+deb12u1) bookworm-security; urgency=high

  * Fix CVE-2099-1111 and CVE-2099-2222 (see thing (1.0) docs; really).
"""
    assert changelogs.first_fixes(text) == {
        "CVE-2099-1111": "1:2.0-1+deb12u1",
        "CVE-2099-2222": "1:2.0-1+deb12u1",
        "CVE-2099-3333": "1:2.0-1+deb12u2",
    }
    assert changelogs.first_fixes("") == {}


def a_tar(path: Path, **members: str) -> Path:
    with tarfile.open(path, "w:xz") as archive:
        for name, text in members.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("debian/patches/link.patch")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def test_only_regular_files_of_the_patch_folder_are_read(tmp_path: Path) -> None:
    path = a_tar(
        tmp_path / "x.debian.tar.xz",
        **{
            "debian/patches/a.patch": PATCH,
            "debian/rules": "x",
            "../debian/patches/b": "x",
        },
    )
    assert read_tar(path) == {"debian/patches/a.patch": PATCH}


def test_an_old_diff_is_one_patch(tmp_path: Path) -> None:
    path = tmp_path / "thing_1.0-1.diff.gz"
    path.write_bytes(gzip.compress(PATCH.encode()))
    assert read_tar(path) == {"thing_1.0-1.diff.gz": PATCH}


class FakePatches:
    """Two packages, one of which cannot be read."""

    def read_patches(self, package: str) -> PatchedSource:
        if package != "thing":
            raise NotFound(f"there is no {package}")
        return PatchedSource(
            "thing", "1.0-1", {"debian/patches/CVE-2099-1111.patch": PATCH}
        )


def test_derived_functions_name_package_version_and_patch(tmp_path: Path) -> None:
    found = service.derive_debian_symbols(["nowhere", "thing"], source=FakePatches())
    (line,) = found.lines
    assert (line.ecosystem, line.package) == ("Debian", "thing")
    assert line.symbol.provenance == "Debian thing 1.0-1 debian/patches/CVE-2099-1111.patch"
    assert found.packages == ("thing",)
    assert found.vulnerabilities == 1
    assert [problem.path for problem in found.problems] == ["nowhere"]

    database = tmp_path / "advisories.db"
    service.import_path(database, write(tmp_path / "osv", a_record("A")))
    service.store_symbols(database, found.lines)
    assert service.status(database).derived_symbols == 1


APT = """\
#!/bin/sh
case "$*" in
*indextargets*) printf 'http://deb.example/debian\\tbookworm\\tmain\\t$(SIGNED_BY)\\n' ;;
*showsrc*thing*) printf 'Version: 1.0-1\\n\\nVersion: 1.0-10\\n' ;;
*showsrc*) echo 'E: Unable to locate package' >&2; exit 100 ;;
*thing=*)
  for last do :; done
  file=t_${last#*=}.debian.tar.xz
  echo "'http://deb.example/$file' $file 1 SHA256:${last#*=}" ;;
*download-file*SHA256:1.0-10) echo 'E: Failed to fetch: 404' >&2; exit 100 ;;
*download-file*) for last do out=$place; place=$last; done; cp "$VEXXY_TEST_TAR" "$out" ;;
esac
"""


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs on PATH that answer as apt does; the newest version gives a 404."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("apt-get", "apt-cache", "apt-helper"):
        (folder / name).write_text(APT)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("vexxy.integrations.debian.apt._HELPER", str(folder / "apt-helper"))
    tar = a_tar(tmp_path / "t.tar.xz", **{"debian/patches/CVE-2099-1111.patch": PATCH})
    monkeypatch.setenv("VEXXY_TEST_TAR", str(tar))
    return folder


@pytest.mark.usefixtures("fake_apt")
def test_the_newest_version_that_the_mirror_has_is_read() -> None:
    with Apt() as apt:
        found = DebianPatches(apt).read_patches("thing")
    assert found.version == "1.0-1"
    assert set(found.patches) == {"debian/patches/CVE-2099-1111.patch"}


@pytest.mark.usefixtures("fake_apt")
def test_an_unknown_package_is_said_in_apts_words() -> None:
    with Apt() as apt, pytest.raises(AptFailed, match="Unable to locate"):
        DebianPatches(apt).read_patches("nowhere")


def test_without_apt_there_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(AptMissing) as caught:
        Apt()
    assert "Debian or Ubuntu" in str(caught.value.hint)
