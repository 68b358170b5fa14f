"""Libraries and programs that native code names in part, or by a value."""

from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import Access, Process

DAEMON = "/usr/sbin/daemon"
PLANTED = f"{LIBRARIES}/libplanted.so.1"
SHARED = ("-shared", "-fPIC")
LIBRARY = "int f(void){return 1;}"
HEADERS = """
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
"""
BY_FORMAT = 'char b[99]; snprintf(b, 99, "%s", v[c]); return dlopen(b, 1) != 0;'
BY_PARTS = (
    'char b[99] = "lib"; strcat(b, v[c]); strcat(b, ".so.1"); return dlopen(b, 1) != 0;'
)


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def daemon(tree: Planted, body: str, *options: str) -> None:
    """Run a program of this body."""
    text = f"{HEADERS}int main(int c, char **v) {{ {body} }}"
    tree.touched(tree.compile(DAEMON, text, *options, "-ldl"), Access.EXECUTED, 0.0)


def opens_like(tree: Planted, pattern: str) -> None:
    daemon(tree, BY_FORMAT.replace('"%s"', f'"{pattern}"'))


@pytest.mark.parametrize(
    "body",
    [
        'return dlopen(getenv("CODEC"), 1) != 0;',
        'dlopen("libc.so.6", 1); return dlopen(getenv("CODEC"), 1) != 0;',
        BY_PARTS,
        BY_FORMAT.replace("%s", "lib%s.so.1"),
        BY_FORMAT.replace("%s", "%s/%s.so"),
    ],
)
def test_a_library_that_nothing_needs_is_for_who_opens_by_a_value(
    tree: Planted, body: str
) -> None:
    tree.library("libplanted.so.1")
    daemon(tree, body)
    found = tree.overlay().references
    assert found[PLANTED].via == DAEMON


def test_a_library_that_another_program_needs_is_for_that_program(tree: Planted) -> None:
    library = tree.library("libneeded.so.1")
    needs = "int f(void); int main(void){return f();}"
    tree.compile("/usr/bin/idle", needs, str(tree.directory) + library)
    daemon(tree, 'return dlopen(getenv("CODEC"), 1) != 0;')
    assert library not in tree.overlay().references


def test_a_program_of_the_distribution_opens_what_its_packages_say(tree: Planted) -> None:
    package = tree.owner(tree.library("libplanted.so.1"))
    daemon(tree, 'return dlopen(getenv("CODEC"), 1) != 0;')
    owner = tree.owner(DAEMON, name="daemon")
    (verdict,) = tree.judge(package, inventory=Inventory(None, (package, owner)))
    assert verdict.status.value == "not_affected"


@pytest.mark.parametrize("said", ["argument", "variable", "configuration"])
@pytest.mark.parametrize("pattern", ["lib%s.so.1", "%s/%s.so", "%s.so"])
def test_a_name_that_is_said_elsewhere(tree: Planted, said: str, pattern: str) -> None:
    """The library is one that another program needs, so that only the name leads to it."""
    library = tree.library("libplanted.so.1")
    needs = "int f(void); int main(void){return f();}"
    tree.compile("/usr/bin/idle", needs, str(tree.directory) + library)
    opens_like(tree, pattern)
    word = "planted" if pattern.startswith("lib") else "libplanted"
    if said == "argument":
        tree.processes.append(Process(1, 0, DAEMON, ("daemon", "--codec", word)))
    elif said == "variable":
        tree.environment["CODEC"] = word
    else:
        tree.touched(tree.write("/etc/daemon.yaml", f"codec: {word}\n"), Access.DATA)
    reference = tree.overlay().references[library]
    assert reference.via == DAEMON
    assert word in reference.how


def test_a_name_without_an_ending_is_a_library_for_who_opens_some(tree: Planted) -> None:
    path = tree.compile("/opt/app/mods/rlm_own.so", LIBRARY, *SHARED)
    tree.write("/opt/app/lib/libused.so")
    daemon(
        tree,
        'char b[99]; snprintf(b, 99, "%s/%s%s", getenv("D"), "rlm_own", ".so");'
        'dlopen("libused.so", 1); return dlopen(b, 1) != 0;',
    )
    assert path in tree.overlay().references


def test_a_directory_is_put_before_a_directory_of_plugins(tree: Planted) -> None:
    path = tree.compile("/srv/own/mods/one.so", LIBRARY, *SHARED)
    other = tree.compile("/srv/own/other/one.so", LIBRARY, *SHARED)
    call = 'snprintf(b, 99, "%s/mods/%s.so", v[1], v[2])'
    daemon(tree, f'char b[99]; {call}; dlopen("libc.so.6", 1); return dlopen(b, 1) != 0;')
    found = tree.overlay().references
    assert path in found
    assert other not in found


@pytest.mark.parametrize(
    "name", ["/plugins", "/plugins/", "/plugins/%s.so", "/plugins/%s/%s.so"]
)
@pytest.mark.parametrize("file", ["one.so", "a/b/c/d/one.so"])
def test_a_directory_right_below_the_root_holds_plugins(
    tree: Planted, name: str, file: str
) -> None:
    path = tree.compile(f"/plugins/{file}", LIBRARY, *SHARED)
    daemon(tree, f'return puts("{name}");')
    assert path in tree.overlay().references


def test_a_directory_right_below_the_root_is_served(tree: Planted) -> None:
    script = tree.write("/www/vendor/jquery/jquery.js", "x")
    tree.touched(tree.write("/etc/daemon.conf", "root /www;\n"), Access.DATA)
    assert script in tree.overlay().references


@pytest.mark.parametrize("name", ["/usr", "/opt", "/var"])
def test_a_directory_of_the_system_says_nothing(tree: Planted, name: str) -> None:
    path = tree.compile(f"{name}/own/one.so", LIBRARY, *SHARED)
    daemon(tree, f'return puts("{name}");')
    assert path not in tree.overlay().references


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/opt/app/bin/own-tool", '"%s/%s", getenv("D"), "own-tool"'),
        ("/opt/app/bin/own-tool", '"%s/bin/%s", "/opt/app", "own-tool"'),
        ("/usr/libexec/own-tool", '"%s/%s", "/usr/libexec", "own-tool"'),
        ("/usr/bin/own-tool", '"%s/%s", getenv("D"), "own-tool"'),
        ("/opt/app/bin/own-tool", '"%s/own%s", getenv("D"), v[1]'),
        ("/opt/app/bin/dc", '"%s/%s", getenv("D"), "dc"'),
    ],
)
@pytest.mark.parametrize("call", ["execv(b, v)", "execle(b, b, NULL, v)"])
def test_a_program_whose_directory_is_put_before_its_name(
    tree: Planted, path: str, body: str, call: str
) -> None:
    tree.program(path)
    daemon(tree, f"char b[99]; snprintf(b, 99, {body}); return {call};")
    assert tree.overlay().references[path].via == DAEMON


def test_a_program_that_is_named_from_where_another_lies(tree: Planted) -> None:
    path = tree.program("/opt/app/libexec/own-tool")
    daemon(tree, 'return execv("../libexec/own-tool", v);')
    assert tree.overlay().references[path].via == DAEMON


def test_a_word_in_the_distributions_server_is_no_program_of_path(tree: Planted) -> None:
    """Its own restart calls execve; "gzip" is a content coding there."""
    package = tree.owner(tree.program("/usr/bin/gzip"), name="gzip")
    daemon(tree, 'if (c > 2) execve(v[0], v, v); return puts("gzip");')
    owner = tree.owner(DAEMON, name="daemon")
    (verdict,) = tree.judge(package, inventory=Inventory(None, (package, owner)))
    assert verdict.status.value == "not_affected"


@pytest.mark.parametrize("pattern", ["plant%s -x", "plant%s", "/usr/bin/%s-planttool <%s"])
def test_a_command_whose_name_is_completed(tree: Planted, pattern: str) -> None:
    path = tree.program("/usr/bin/planttool")
    other = tree.program("/usr/bin/own-planttool")
    daemon(tree, f'char b[99]; snprintf(b, 99, "{pattern}", v[1]); return system(b);')
    found = tree.overlay().references
    assert (other if "-planttool" in pattern else path) in found


def test_the_rpath_of_a_program_serves_its_libraries(tree: Planted) -> None:
    tree.library("libplanted.so.1")
    soname = "-Wl,-soname,libplanted.so.1"
    own = tree.compile("/opt/app/lib/libplanted.so.1", LIBRARY, *SHARED, soname)
    needs = "int f(void); int m(void){return f();}"
    middle = "/opt/app/lib/libmiddle.so"
    tree.compile(middle, needs, *SHARED, str(tree.directory) + own)
    option = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../../opt/app/lib"
    daemon(tree, 'return dlopen("libmiddle.so", 1) != 0;', option)
    reference = tree.overlay().references[own]
    assert reference.via == middle
    assert DAEMON in reference.how


def test_the_runpath_of_a_program_serves_only_itself(tree: Planted) -> None:
    usual = tree.library("libplanted.so.1")
    soname = "-Wl,-soname,libplanted.so.1"
    own = tree.compile("/opt/app/lib/libplanted.so.1", LIBRARY, *SHARED, soname)
    needs = "int f(void); int m(void){return f();}"
    tree.compile("/opt/app/lib/libmiddle.so", needs, *SHARED, str(tree.directory) + own)
    option = "-Wl,--enable-new-dtags,-rpath,/opt/app/lib"
    daemon(tree, 'return dlopen("libmiddle.so", 1) != 0;', option)
    found = tree.overlay().references
    assert usual in found
    assert own not in found


LISTS = """
    char b[300]; DIR *d = opendir("plugins"); struct dirent *e;
    while (d && (e = readdir(d))) {
        snprintf(b, 300, "./plugins/%s", e->d_name);
        dlopen(b, 1);
    }
    return 0;
"""


@pytest.mark.parametrize(
    ("program", "plugin", "body"),
    [
        ("/opt/svc/daemon", "/opt/svc/plugins/foo.so", LISTS),
        ("/usr/local/bin/daemon", "/opt/svc/plugins/foo.so", LISTS),
        (
            "/usr/local/bin/daemon",
            "/opt/svc/ext/foo.so",
            'char b[99]; chdir(v[0]); snprintf(b, 99, "ext/%s", v[1]); dlopen(b, 1);',
        ),
        (
            "/opt/d/bin/daemon",
            "/opt/d/lib/mods/foo.so",
            'char b[99]; snprintf(b, 99, "%s/../lib/mods/%s", v[0], v[1]); dlopen(b, 1);',
        ),
        (
            "/opt/d/bin/daemon",
            "/opt/d/bin/mods/ext_foo.so",
            'char b[99]; snprintf(b, 99, "mods/ext_%s", v[1]); dlopen(b, 1);',
        ),
        (
            "/opt/d/bin/daemon",
            "/opt/d/mods/run",
            'char b[99]; realpath("/../mods/", b); execl(b, b, NULL);',
        ),
    ],
)
def test_a_directory_is_named_from_where_the_program_works_or_lies(
    tree: Planted, program: str, plugin: str, body: str
) -> None:
    tree.compile(plugin, LIBRARY, *SHARED)
    tree.working_directory = "/opt/svc"
    text = f"#include <dirent.h>\n{HEADERS}int main(int c, char **v) {{ {body} }}"
    tree.touched(tree.compile(program, text, "-ldl"), Access.EXECUTED, 0.0)
    reference = tree.overlay().references[plugin]
    assert reference.via == program
    assert plugin.rpartition("/")[0] in reference.how


def test_a_relative_name_of_the_distributions_says_nothing(tree: Planted) -> None:
    plugin = tree.compile("/opt/svc/plugins/foo.so", LIBRARY, *SHARED)
    tree.working_directory = "/opt/svc"
    daemon(tree, 'return puts("plugins") + (int)(long)v;')
    package = tree.owner(plugin)
    owner = tree.owner(DAEMON, name="daemon")
    (verdict,) = tree.judge(package, inventory=Inventory(None, (package, owner)))
    assert verdict.status.value == "not_affected"
