"""What scripts, configuration, command lines and interpreters lead to."""

from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.tracer.types import Access, Process

SHELL = "/usr/bin/dash"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.program("/usr/bin/perl")
    planted.program("/usr/bin/tar")
    planted.program("/usr/bin/never")
    return planted


def reached(tree: Planted) -> set[str]:
    return set(tree.overlay().references)


def test_a_shell_script_can_run_any_program_it_names(tree: Planted) -> None:
    script = tree.program(
        "/entrypoint.sh", '#!/bin/sh\n# never\nif x; then exec tar "$@"; fi\n'
    )
    tree.touched(script)
    found = reached(tree)
    assert "/usr/bin/tar" in found
    assert "/usr/bin/never" not in found


def test_a_script_names_another_by_its_name_alone(tree: Planted) -> None:
    tree.touched(tree.program("/app/start.sh", "#!/bin/sh\ncd /app; ./jobs/nightly.sh\n"))
    nightly = tree.program("/app/jobs/nightly.sh", "#!/bin/sh\ntar c /data\n")
    found = tree.overlay().references
    assert found[nightly].via == "/app/start.sh"
    assert found["/usr/bin/tar"].via == nightly


def test_a_running_cron_reads_its_tables_some_day(tree: Planted) -> None:
    tree.touched(tree.program("/usr/sbin/cron"), Access.EXECUTED)
    tree.write("/etc/cron.d/job", "0 4 * * * root perl -e 1\n")
    assert "/usr/bin/perl" in reached(tree)


def test_tables_without_a_cron_that_runs_start_nothing(tree: Planted) -> None:
    tree.touched(tree.program("/usr/sbin/other"), Access.EXECUTED)
    tree.write("/etc/cron.d/job", "0 4 * * * root perl -e 1\n")
    assert "/usr/bin/perl" not in reached(tree)


def test_a_supervisor_that_read_its_configuration_can_start_all_of_it(
    tree: Planted,
) -> None:
    path = tree.write("/etc/supervisord.conf", "[program:x]\ncommand=tar cf - /\n")
    tree.touched(path, Access.DATA)
    assert "/usr/bin/tar" in reached(tree)


def test_a_word_in_other_configuration_is_no_program(tree: Planted) -> None:
    tree.touched(tree.write("/etc/nginx/nginx.conf", "tar on;\n"), Access.DATA)
    assert "/usr/bin/tar" not in reached(tree)


@pytest.mark.parametrize("access", [Access.DATA, Access.CODE])
def test_a_plugin_in_configuration_that_was_read(tree: Planted, access: Access) -> None:
    """Whether a recorder takes an unknown kind of file for code or for data."""
    tree.write("/usr/lib/nginx/modules/echo.so", b"\x7fELF damaged, but there")
    configuration = "load_module /usr/lib/nginx/modules/echo.so;\n"
    tree.touched(tree.write("/etc/nginx/nginx.conf", configuration), access)
    assert "/usr/lib/nginx/modules/echo.so" in reached(tree)


def test_an_argument_with_a_command_line_is_a_script(tree: Planted) -> None:
    line = "test -f /x || tar cf - /"
    tree.processes.append(Process(1, 0, SHELL, ("sh", "-c", line)))
    assert "/usr/bin/tar" in reached(tree)


def test_a_variable_names_a_program_and_its_value_is_not_shown(tree: Planted) -> None:
    tree.environment["HOOK"] = "/usr/bin/tar secret-value"
    loadable = tree.overlay()
    assert "/usr/bin/tar" in loadable.references
    assert "secret-value" not in repr(loadable)


def test_login_shells_in_a_list_of_accounts_are_not_started(tree: Planted) -> None:
    tree.touched(tree.write("/etc/passwd", "root:x:0:0::/:/usr/bin/tar\n"), Access.DATA)
    assert "/usr/bin/tar" not in reached(tree)


def test_a_script_that_could_be_run_brings_its_interpreter(tree: Planted) -> None:
    job = tree.program("/app/job", "#!/usr/bin/perl\nprint 1;\n")
    tree.touched(tree.program("/app/start.sh", f"#!/bin/sh\n{job}\n"))
    loadable = tree.overlay()
    assert loadable.references["/usr/bin/perl"].via == job
    assert [one.language for one in loadable.unfollowed] == ["perl"]


@pytest.mark.parametrize("how", ["executed", "loadable"])
def test_what_a_perl_loads_is_never_called_clean(tree: Planted, how: str) -> None:
    if how == "executed":
        tree.touched("/usr/bin/perl", Access.EXECUTED)
    else:
        tree.touched(tree.program("/start.sh", "#!/bin/sh\nperl -e 1\n"))
    module = tree.write("/usr/share/perl5/Own/Module.pm", "1;")
    library = tree.write("/usr/lib/x86_64-linux-gnu/perl5/auto/Own/Own.so", b"\x7fELF")
    other = tree.write("/usr/share/other/table.pmx", "1;")
    verdicts = tree.judge(tree.owner(module), tree.owner(library), tree.owner(other))
    statuses = [one.status.value for one in verdicts]
    assert statuses == ["under_investigation", "under_investigation", "not_affected"]


@pytest.mark.parametrize(
    ("runtime", "file", "kind"),
    [
        ("/usr/bin/ruby3.1", "/var/lib/gems/3.1.0/gems/x/lib/x.rb", "gem"),
        ("/usr/sbin/php-fpm8.2", "/srv/vendor/x/x.php", "composer"),
        ("/usr/lib/jvm/default/bin/java", "/srv/lib/x.jar", "maven"),
        ("/usr/bin/tclsh8.6", "/usr/share/tcltk/x/x.tcl", "deb"),
        (f"{LIBRARIES}/liblua5.3.so.0", "/usr/share/lua/5.3/x.lua", "deb"),
        ("/usr/bin/dotnet", "/srv/x.dll", "nuget"),
    ],
)
def test_every_unfollowed_runtime_keeps_its_packages_open(
    tree: Planted, runtime: str, file: str, kind: str
) -> None:
    tree.touched(tree.program(runtime), Access.EXECUTED)
    tree.write(file, "code")
    (verdict,) = tree.judge(tree.owner(file, type=kind))
    assert verdict.status.value == "under_investigation"
    assert runtime in verdict.reason


def test_an_unfollowed_runtime_that_cannot_start_opens_nothing(tree: Planted) -> None:
    tree.program("/usr/bin/ruby3.1")
    file = tree.write("/var/lib/gems/x/lib/x.rb", "code")
    (verdict,) = tree.judge(tree.owner(file, type="gem"))
    assert verdict.status.value == "not_affected"


def test_code_below_a_served_directory_may_reach_a_browser(tree: Planted) -> None:
    script = tree.write("/usr/share/javascript/jquery/jquery.js", "x")
    configuration = "location /js { alias /usr/share/javascript/; }\n"
    tree.touched(tree.write("/etc/nginx/site.conf", configuration), Access.DATA)
    (verdict,) = tree.judge(tree.owner(script))
    assert verdict.status.value == "under_investigation"
    assert "browsers" in verdict.reason


def test_a_word_of_a_variable_can_be_a_program(tree: Planted) -> None:
    tree.environment = {"JOB_CMD": "tar -x"}
    tree.touched(tree.program("/entry.sh", "#!/bin/sh\n$JOB_CMD\n"))
    assert "/usr/bin/tar" in reached(tree)
