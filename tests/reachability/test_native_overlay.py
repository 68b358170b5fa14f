"""What a real ELF file can load or run; built here by the machine's compiler."""

from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.tracer.types import Access

USES = "int f(void); int main(void){return f();}"
OPENS = """
#include <dlfcn.h>
int main(int c, char **v){ return dlopen(NAME, RTLD_NOW) == 0; }
"""


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def ran(tree: Planted, path: str) -> None:
    tree.touched(path, Access.EXECUTED, 0.0)


def opens(tree: Planted, name: str) -> None:
    """Run a program that opens a library by a name; the name is in its data."""
    tree.compile("/usr/sbin/daemon", OPENS.replace("NAME", f'"{name}"'), "-ldl")
    ran(tree, "/usr/sbin/daemon")


def source_calling(call: str, word: str) -> str:
    return f"""
    #include <stdlib.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int c, char **v){{ const char *w = c > 1 ? v[1] : "{word}"; {call}; }}
    """


def test_the_libraries_a_library_needs_come_with_it(tree: Planted) -> None:
    first = tree.library("libfirst.so.1")
    second = tree.library(
        "libsecond.so.1",
        "int f(void); int g(void){return f();}",
        str(tree.directory) + first,
    )
    opens(tree, "libsecond.so.1")
    found = tree.overlay().references
    assert found[second].via == "/usr/sbin/daemon"
    assert found[first].via == second


def test_a_library_outside_the_search_path_is_found_by_its_runpath(tree: Planted) -> None:
    path = "/opt/daemon/lib/libown.so.1"
    tree.compile(path, "int f(void){return 1;}", "-shared", "-Wl,-soname,libown.so.1")
    tree.compile(
        "/opt/daemon/bin/daemon",
        USES,
        str(tree.directory) + path,
        "-Wl,-rpath,$ORIGIN/../lib",
        "-Wl,--enable-new-dtags",
    )
    tree.link("/usr/bin/daemon", "/opt/daemon/bin/daemon")
    tree.program("/usr/bin/start", "#!/bin/sh\nexec daemon\n")
    tree.touched("/usr/bin/start")
    found = tree.overlay().references
    assert found["/opt/daemon/bin/daemon"].via == "/usr/bin/start"
    assert found[path].via == "/opt/daemon/bin/daemon"


def test_a_directory_of_the_linkers_configuration_is_searched(tree: Planted) -> None:
    tree.write("/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
    tree.write("/etc/ld.so.conf.d/own.conf", "# ours\n/opt/libraries\n")
    tree.compile("/opt/libraries/libodd.so.3", "int f(void){return 1;}", "-shared")
    opens(tree, "libodd.so.3")
    assert "/opt/libraries/libodd.so.3" in tree.overlay().references


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("libplugin.so.2", f"{LIBRARIES}/libplugin.so.2"),
        ("/opt/plugins/one.so", "/opt/plugins/one.so"),
        ("/opt/plugins/%s.so", "/opt/plugins/one.so"),
        ("/opt/plugins", "/opt/plugins/one.so"),
        ("mod_%s.so", "/opt/modules/mod_two.so"),
    ],
)
def test_a_name_in_the_data_can_be_opened(tree: Planted, name: str, file: str) -> None:
    tree.library("libplugin.so.2")
    tree.compile("/opt/plugins/one.so", "int f(void){return 1;}", "-shared")
    tree.compile("/opt/modules/mod_two.so", "int f(void){return 1;}", "-shared")
    opens(tree, name)
    assert file in tree.overlay().references


def test_a_pattern_takes_its_name_from_another_string_or_its_end(tree: Planted) -> None:
    tree.library("libwebp.so.7")
    tree.library("libother.so.7")
    text = """
    #include <dlfcn.h>
    #include <stdio.h>
    int main(int c, char **v){ char n[99];
      puts(c > 2 ? "/plugin/webp" : "x");
      snprintf(n, 99, "lib%s.so.%d", c > 1 ? "webp" : v[1], 7);
      return dlopen(n, 1) == 0; }
    """
    tree.compile("/usr/sbin/daemon", text, "-ldl")
    ran(tree, "/usr/sbin/daemon")
    found = tree.overlay().references
    assert f"{LIBRARIES}/libwebp.so.7" in found
    assert f"{LIBRARIES}/libother.so.7" not in found


def test_a_library_that_nothing_names_stays_out(tree: Planted) -> None:
    tree.library("libnever.so.1")
    opens(tree, "libplugin.so.2")
    assert f"{LIBRARIES}/libnever.so.1" not in tree.overlay().references


def test_a_library_in_a_configuration_that_is_named_but_unread(tree: Planted) -> None:
    tree.library("liblzo2.so.2")
    tree.write("/etc/daemon.conf", "compressor = liblzo2.so.2\n")
    opens(tree, "/etc/daemon.conf")
    found = tree.overlay().references
    assert found[f"{LIBRARIES}/liblzo2.so.2"].via == "/etc/daemon.conf"
    assert "/etc/daemon.conf" not in found


def test_the_name_service_is_loaded_for_those_who_ask_it(tree: Planted) -> None:
    module = tree.library("libnss_ldap.so.2")
    tree.write("/etc/nsswitch.conf", "passwd: files ldap\n")
    text = '#include <pwd.h>\nint main(void){return getpwnam("x") == 0;}'
    tree.compile("/usr/sbin/daemon", text)
    ran(tree, "/usr/sbin/daemon")
    assert module in tree.overlay().references


def test_plugins_of_a_framework_come_with_it(tree: Planted) -> None:
    tree.compile(f"{LIBRARIES}/security/pam_own.so", "int f(void){return 1;}", "-shared")
    pam = tree.library("libpam.so.0")
    tree.touched(pam, Access.MAPPED)
    assert f"{LIBRARIES}/security/pam_own.so" in tree.overlay().references


@pytest.mark.parametrize(
    "call",
    ["return system(w)", "return popen(w, v[0]) == 0", "return execlp(w, w, (char *)0)"],
)
def test_a_bare_word_is_a_program_where_one_can_be_started_by_it(
    tree: Planted, call: str
) -> None:
    gzip = tree.program("/usr/bin/gzip")
    tree.compile("/usr/sbin/daemon", source_calling(call, "gzip"))
    ran(tree, "/usr/sbin/daemon")
    assert gzip in tree.overlay().references


def test_a_word_kept_as_the_end_of_another_string_is_found(tree: Planted) -> None:
    """Linkers merge strings with the same end: here "cp" has no copy of its own."""
    copy = tree.program("/usr/bin/cp")
    text = source_calling('puts(c > 2 ? "tcp" : "x"); return execlp(w, w, (char *)0)', "cp")
    tree.compile("/usr/sbin/daemon", text)
    ran(tree, "/usr/sbin/daemon")
    assert copy in tree.overlay().references


def test_a_command_line_names_its_first_word_and_those_it_hands_on(tree: Planted) -> None:
    programs = {name: tree.program(f"/usr/bin/{name}") for name in ("sort", "tee", "find")}
    line = "nice sort -u %s | tee /tmp/out; do not find it"
    tree.compile("/usr/sbin/daemon", source_calling("return system(w)", line))
    ran(tree, "/usr/sbin/daemon")
    found = tree.overlay().references
    assert programs["sort"] in found
    assert programs["tee"] in found
    assert programs["find"] not in found


def test_a_content_coding_of_a_server_is_no_program(tree: Planted) -> None:
    gzip = tree.program("/usr/bin/gzip")
    tree.compile("/usr/sbin/daemon", source_calling("return puts(w)", "gzip"))
    ran(tree, "/usr/sbin/daemon")
    assert gzip not in tree.overlay().references


def test_an_absolute_path_is_a_program_whoever_holds_it(tree: Planted) -> None:
    helper = tree.program("/usr/lib/daemon/helper")
    tree.compile("/usr/sbin/daemon", source_calling("return puts(w)", helper))
    ran(tree, "/usr/sbin/daemon")
    assert tree.overlay().references[helper].source == "elf"


def test_a_shell_is_started_by_those_who_ask_for_one(tree: Planted) -> None:
    tree.program("/usr/bin/dash")
    tree.link("/bin", "usr/bin")
    tree.link("/usr/bin/sh", "dash")
    tree.compile("/usr/sbin/daemon", source_calling("return system(w)", "exit 0"))
    ran(tree, "/usr/sbin/daemon")
    assert "/usr/bin/dash" in tree.overlay().references


def test_a_static_program_may_start_what_it_names(tree: Planted) -> None:
    gzip = tree.program("/usr/bin/gzip")
    tree.compile("/usr/sbin/daemon", source_calling("return system(w)", "gzip"), "-static")
    ran(tree, "/usr/sbin/daemon")
    assert gzip in tree.overlay().references


def test_a_damaged_library_leaves_native_code_open(tree: Planted) -> None:
    path = tree.write(f"{LIBRARIES}/libbroken.so.1", b"\x7fELF\x02\x01" + b"\xff" * 60)
    tree.touched(path, Access.MAPPED)
    (unfollowed,) = tree.overlay().unfollowed
    assert unfollowed.language == "native code"
    assert path in unfollowed.reason
    never = tree.owner(tree.library("libnever.so.1"))
    (verdict,) = tree.judge(never)
    assert verdict.status.value == "under_investigation"


def test_a_program_without_its_libraries_in_the_trace_is_a_gap(tree: Planted) -> None:
    first = tree.library("libfirst.so.1")
    tree.compile("/usr/sbin/daemon", USES, str(tree.directory) + first)
    ran(tree, "/usr/sbin/daemon")
    assert "something ran unseen" in tree.overlay().gaps[0]
    tree.touched(first, Access.MAPPED)
    assert tree.overlay().gaps == ()


@pytest.mark.parametrize("name", ["ld-helper", "node_agent", "java-wrapper", "python-x"])
def test_a_name_like_that_of_an_interpreter_exempts_nothing(
    tree: Planted, name: str
) -> None:
    tool = tree.program("/usr/bin/planttool")
    tree.compile(f"/usr/sbin/{name}", source_calling("system(w)", "planttool -x"))
    ran(tree, f"/usr/sbin/{name}")
    assert tool in tree.overlay().references


def test_a_library_named_like_the_c_library_is_followed(tree: Planted) -> None:
    planted = tree.library("libplanted.so.1")
    text = OPENS.replace("NAME", '"libplanted.so.1"')
    tree.touched(tree.library("libc-client.so.2007e", text), Access.MAPPED, 0.0)
    assert planted in tree.overlay().references


def test_a_program_outside_path_is_found_by_its_name(tree: Planted) -> None:
    tool = tree.program("/opt/app/bin/planttool")
    tree.compile("/usr/sbin/daemon", source_calling("execvp(w, v)", "planttool"))
    ran(tree, "/usr/sbin/daemon")
    assert tool in tree.overlay().references
