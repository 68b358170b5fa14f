"""What looks clean and is not: every case here once could have been a false verdict."""

from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from tests.fakes.values import a_match
from vexxy.advisories.types import Symbol
from vexxy.reachability.wire import gopclntab
from vexxy.tracer.types import Access

SITE = "/usr/local/lib/python3.11/site-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


@pytest.mark.parametrize("place", ["start", "end"])
def test_a_packed_program_leaves_native_code_open(tree: Planted, place: str) -> None:
    path = tree.compile("/usr/sbin/daemon", "int main(void){return 0;}")
    file = tree.directory / path.lstrip("/")
    content = file.read_bytes()
    cookie = b"MEI\x0c\x0b\x0a\x0b\x0e"
    packed = (
        content[:600] + b"UPX!" + content[604:] if place == "start" else content + cookie
    )
    file.write_bytes(packed)
    tree.touched(path, Access.EXECUTED)
    (verdict,) = tree.judge(tree.owner(tree.library("libnever.so.1")))
    assert verdict.status.value == "under_investigation"
    assert "compressed" in verdict.reason


def test_a_minified_bundle_may_hold_any_function(tree: Planted) -> None:
    root = "/app/node_modules/qs"
    tree.write(f"{root}/package.json", "{}")
    bundle = tree.write(f"{root}/dist/qs.js", "!function(){" + "a(b);" * 4000 + "}()")
    tree.touched(bundle)
    package = tree.owner(bundle, type="npm", name="qs", locations=(f"{root}/package.json",))
    symbol = Symbol("lib/parse.js", "parseObject", "a reviewed record")
    (verdict,) = tree.judge(a_match(package, symbols=(symbol,)))
    assert verdict.status.value == "affected"


def test_a_lua_linked_into_a_server_opens_lua_packages(tree: Planted) -> None:
    text = '#include <stdlib.h>\nint main(void){return getenv("LUA_PATH") != 0;}'
    tree.touched(tree.compile("/usr/sbin/daemon", text), Access.EXECUTED)
    module = tree.write("/usr/share/lua/5.1/own.lua", "return {}")
    (verdict,) = tree.judge(tree.owner(module))
    assert verdict.status.value == "under_investigation"
    assert "linked in" in verdict.reason


def test_an_archive_on_the_search_path_of_python(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED)
    tree.touched(tree.write(f"{SITE}/used.py"))
    egg = tree.write(f"{SITE}/own-1.0.egg", "PK")
    tree.write(f"{SITE}/easy-install.pth", "./own-1.0.egg\n")
    package = tree.owner(type="pypi", name="own", embedded_in=egg)
    (verdict,) = tree.judge(package)
    assert verdict.status.value == "under_investigation"


def test_a_library_that_only_an_extension_of_perl_needs(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/perl"), Access.EXECUTED)
    library = tree.library("libmysqlclient.so.21")
    driver = f"{LIBRARIES}/perl5/5.36/auto/DBD/mysql/mysql.so"
    source = "int f(void);int g(void){return f();}"
    tree.compile(driver, source, "-shared", str(tree.directory) + library)
    (verdict,) = tree.judge(tree.owner(library))
    assert verdict.status.value == "under_investigation"
    assert driver in verdict.reason


def test_a_program_that_only_a_module_of_perl_starts(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/perl"), Access.EXECUTED)
    tree.write("/usr/share/perl5/Own.pm", 'sub f { system("convert", $_[0]); } 1;')
    (verdict,) = tree.judge(tree.owner(tree.program("/usr/bin/convert")))
    assert verdict.status.value == "under_investigation"


@pytest.mark.parametrize(
    "text",
    [
        "new Worker('./task.js')",
        "fork('./task')",
        "new Worker(path.join(__dirname, 'jobs', 'deep.js'))",
    ],
)
def test_a_file_that_another_thread_or_process_starts_with(
    tree: Planted, text: str
) -> None:
    tree.touched(tree.program("/usr/bin/node"), Access.EXECUTED)
    tree.touched(tree.write("/app/server.js", text))
    tree.write("/app/task.js", "require('own')")
    tree.write("/app/jobs/deep.js", "require('own')")
    file = tree.write("/app/node_modules/own/index.js", "")
    (verdict,) = tree.judge(tree.owner(file, type="npm", name="own"))
    assert verdict.status.value == "under_investigation"


def test_a_script_named_beside_the_application(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED)
    text = 'import subprocess, sys\nsubprocess.run([sys.executable, "batch.py"])\n'
    tree.touched(tree.write("/app/app.py", text))
    tree.write("/app/batch.py", "import own\n")
    file = tree.write(f"{SITE}/own/__init__.py")
    (verdict,) = tree.judge(tree.owner(file, type="pypi", name="own"))
    assert verdict.status.value == "under_investigation"


def test_the_data_of_a_language_package_read_by_another_program(tree: Planted) -> None:
    """The hole of certifi is in its certificates, and curl can read them too."""
    code = tree.write(f"{SITE}/certifi/core.py", "")
    data = tree.write(f"{SITE}/certifi/cacert.pem", "x")
    tree.touched(data, Access.DATA)
    (verdict,) = tree.judge(tree.owner(code, data, type="pypi", name="certifi"))
    assert verdict.status.value == "under_investigation"
    assert "cacert.pem" in verdict.reason


def test_the_functions_of_a_go_program_itself_have_another_name() -> None:
    names = gopclntab.table({"main.main", "main.Serve", "own.test/x/part.F"})
    assert gopclntab.is_linked(names, "own.test/x", "Serve")
    assert not gopclntab.is_linked(names, "own.test/x", "Other")


def test_hashed_import_paths_are_told_from_written_ones() -> None:
    assert gopclntab.are_paths_kept(frozenset({"own.test/x/part.F"}))
    assert not gopclntab.are_paths_kept(
        frozenset({"main.main", "aHx3Yd.Zq", "net/http.Get"})
    )


def test_a_module_behind_a_link(tree: Planted) -> None:
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED)
    package = tree.write("/usr/share/own/pkg/__init__.py")
    single = tree.write("/usr/share/own/single.py")
    tree.link(f"{SITE}/pkg", "/usr/share/own/pkg")
    tree.link(f"{SITE}/single.py", "/usr/share/own/single.py")
    tree.write(f"{SITE}/other.py")
    text = "def f():\n    import pkg\n    return __import__('single')\n"
    tree.touched(tree.write("/app/app.py", text))
    assert {package, single} <= set(tree.overlay().references)


def test_a_plugin_behind_a_link(tree: Planted) -> None:
    plugin = tree.write("/opt/vendor/one.so", b"\x7fELF damaged, but there")
    tree.link("/usr/lib/daemon/one.so", plugin)
    tree.write("/usr/lib/daemon/README", "x")
    text = 'int main(int c, char **v){ return "/usr/lib/daemon"[c]; }'
    tree.touched(tree.compile("/usr/sbin/daemon", text), Access.EXECUTED)
    assert plugin in tree.overlay().references


def test_a_library_outside_the_search_path_known_by_its_short_name(tree: Planted) -> None:
    """Its directory comes from a variable that a script sets."""
    library = tree.write("/opt/vendor/lib/libown.so.1.2.3", b"\x7fELF damaged, but there")
    tree.link("/opt/vendor/lib/libown.so.1", "libown.so.1.2.3")
    text = 'int main(int c, char **v){ return "libown.so.1"[c]; }'
    tree.touched(tree.compile("/usr/sbin/daemon", text), Access.EXECUTED)
    assert library in tree.overlay().references
