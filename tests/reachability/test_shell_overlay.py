"""What a shell takes for its own text, and the programs that words with values name."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access, Process

SHELL = "/usr/bin/dash"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program(SHELL, "x"), Access.EXECUTED, 0.0)
    planted.link("/bin/sh", SHELL)
    return planted


def tool(tree: Planted, path: str = "/usr/bin/planttool") -> Package:
    return tree.owner(tree.compile(path, "int main(void){return 0;}"), name="planttool")


def entry(tree: Planted, text: str) -> None:
    tree.touched(tree.program("/entry.sh", f"#!/bin/sh\n{text}\n"))


def verdict(tree: Planted, package: Package) -> tuple[str, str]:
    (found,) = tree.judge(package)
    return found.status.value, found.reason


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (". /app/functions", "/app/functions"),
        ("source /app/functions", "/app/functions"),
        ('. "$HOME/functions"', "/app/functions"),
        ("cd /app && . ./functions", "/app/functions"),
        ('[ -r /app/functions ] && . "${BASE:-/app}/functions"', "/app/functions"),
        ("sh /app/job", "/app/job"),
        ("exec /bin/bash -eu -o pipefail /app/job now", "/app/job"),
        ("if x; then sh -x '/app/job'; fi", "/app/job"),
        ("su app -c 'sh /app/job'", "/app/job"),
        ("/bin/sh < /app/job", "/app/job"),
        ("while read -r line; do run $line; done < /app/jobs.list", "/app/jobs.list"),
        ('eval "$(cat /app/job)"', "/app/job"),
        ("for one in /etc/app.d/*; do . $one; done", "/etc/app.d/10-jobs"),
        (". /etc/default/*", "/etc/default/service"),
        (". /etc/default/$NAME", "/etc/default/service"),
        ("exec bash -lc 'true'", "/etc/profile.d/app.sh"),
        ("su - app", "/etc/profile.d/app.sh"),
        ("/app/tool-without-a-mark", "/app/tool-without-a-mark"),
    ],
)
def test_what_a_shell_reads_is_a_script_whatever_its_name(
    tree: Planted, line: str, path: str
) -> None:
    package = tool(tree)
    entry(tree, line)
    tree.write(path, "job() { planttool -x; }\n", mode=0o755 if "mark" in path else 0o644)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert f"{path}, which names the program planttool" in reason


def test_a_file_that_nothing_has_a_shell_read_is_no_script(tree: Planted) -> None:
    package = tool(tree)
    entry(tree, "cp /app/notes /app/functions /data; echo done. see /app/notes")
    tree.write("/app/notes", "planttool is good\n")
    assert verdict(tree, package)[0] == "not_affected"


def test_a_shell_on_the_command_line_reads_its_argument(tree: Planted) -> None:
    package = tool(tree)
    tree.write("/app/job", "planttool -x\n")
    tree.processes.append(Process(1, 0, SHELL, ("sh", "-e", "/app/job")))
    assert verdict(tree, package)[0] == "under_investigation"


def test_what_a_shell_was_seen_reading_is_its_text(tree: Planted) -> None:
    package = tool(tree)
    tree.read_by(SHELL, tree.write("/srv/data", "planttool -x\n"))
    assert verdict(tree, package)[0] == "under_investigation"


def test_a_variable_that_every_shell_reads_names_a_script(tree: Planted) -> None:
    package = tool(tree)
    tree.environment["BASH_ENV"] = tree.write("/app/every", "planttool -x\n")
    assert verdict(tree, package)[0] == "under_investigation"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('exec "$H/bin/planttool" x', "/opt/tools/bin/planttool"),
        ("cd /opt/tools; bin/planttool x", "/opt/tools/bin/planttool"),
        ("../tools/planttool x", "/opt/tools/planttool"),
        ("${A:-/opt}/share/planttool", "/usr/share/tools/share/planttool"),
        ("kind=tool; plant$kind x", "/usr/bin/planttool"),
        ("plant${1}-x --now", "/usr/bin/planttool-x"),
        ("PATH=/opt/tools:$PATH; planttool x", "/opt/tools/planttool"),
    ],
)
def test_a_program_named_by_parts_of_its_path(tree: Planted, text: str, path: str) -> None:
    package = tool(tree, path)
    entry(tree, text)
    assert verdict(tree, package)[0] == "under_investigation"


def test_the_first_of_two_programs_counts_only_while_the_path_is_not_set(
    tree: Planted,
) -> None:
    tree.program("/usr/bin/planttool")
    package = tool(tree, "/opt/tools/bin/planttool")
    entry(tree, "planttool x")
    assert verdict(tree, package)[0] == "not_affected"
    entry(tree, "export PATH=/opt/tools/bin:$PATH\nplanttool x")
    assert verdict(tree, package)[0] == "under_investigation"


def test_a_path_that_is_there_names_no_program_of_its_last_part(tree: Planted) -> None:
    package = tool(tree)
    tree.write("/var/log/planttool/now", "x")
    entry(tree, "mkdir -p /var/log/planttool")
    assert verdict(tree, package)[0] == "not_affected"


def test_a_short_pattern_names_nothing(tree: Planted) -> None:
    package = tool(tree)
    entry(tree, "echo pl$kind $x-$y lib$z")
    assert verdict(tree, package)[0] == "not_affected"


@pytest.mark.parametrize(
    "text",
    [
        'import subprocess\ndef r(k):\n  subprocess.run([f"plant{k}", "-x"])\n',
        'import os\ndef r(h):\n  os.system("%s/bin/planttool -x" % h)\n',
        'import os\ndef r(h):\n  os.system("sh /app/job")\n',
        'import subprocess\ndef r(h):\n  subprocess.run(["/bin/sh", "/app/job"])\n',
    ],
)
def test_programs_that_python_code_names_in_parts(tree: Planted, text: str) -> None:
    package = tool(tree)
    tree.write("/app/job", "planttool -x\n")
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    tree.touched(tree.write("/app/app.py", text))
    assert verdict(tree, package)[0] == "under_investigation"


def test_the_name_that_every_package_has_names_no_script(tree: Planted) -> None:
    package = tool(tree)
    entry(tree, "touch __init__.py")
    tree.write("/app/x/__init__.py", "import os; os.system('planttool')")
    assert verdict(tree, package)[0] == "not_affected"


@pytest.mark.parametrize(
    "text", ['[ -n "$JOB" ] && $JOB x', 'read -r JOB; eval "$JOB"', 'then exec "${JOB}"']
)
def test_a_command_that_only_a_value_names_may_be_any(tree: Planted, text: str) -> None:
    package = tool(tree)
    entry(tree, text)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/entry.sh runs what $JOB holds" in reason


@pytest.mark.parametrize(
    "text",
    [
        "case $1 in\na) true\n;; b) planttool -x ;; esac",
        "cat <<E | sh\n# x\n; planttool -x\nE",
        "'plant'\"tool\" -x",
        "pl\\anttool -x",
        "plant\\\ntool -x",
    ],
)
def test_a_command_is_one_however_it_is_written(tree: Planted, text: str) -> None:
    package = tool(tree)
    entry(tree, text)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/entry.sh names the program planttool" in reason


@pytest.mark.parametrize(
    "text",
    [
        "read C; timeout 5 $C",
        "read C; sudo -u app env A=1 nice -n 5 $C",
        "read C; if $C; then :; fi",
        "read C; X=1 $C",
        "read C; ! $C",
        'read C; sh -c "$C"',
        'read C; su app -c "$C"',
        "read C; exec gosu app $C",
        'C=$(cut -f1 /run/job)\n"$C" x',
        'set -- $(cat /run/job)\n"$@"',
        'run() { "$1" -x; }\nwhile read -r l; do run $l; done',
        'n=$(basename "$1")\n/usr/bin/$n',
        "$(printf '%s%s' plant tool) -x",
        'mapfile -t C < /run/job\n"${C[@]}"',
        "nc -l 80 | sh",
        "echo x | base64 -d | bash -s",
        "exec socat TCP-LISTEN:80,fork EXEC:/bin/sh",
        "nc -l -p 80 -e /bin/sh",
        "cat /data/jobs | xargs -n1 sh -c",
        "parallel -a /data/jobs",
        "awk '{ system($1) }' /data/jobs",
    ],
)
def test_a_value_in_the_place_of_any_command_may_be_any(tree: Planted, text: str) -> None:
    package = tool(tree)
    entry(tree, text)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/entry.sh runs what" in reason


@pytest.mark.parametrize(
    "text",
    [
        "for h in /opt/x/hooks.d/*; do $h; done",
        'B=/opt/x\nfor h in "$B"/hooks.d/*; do "$h"; done',
        'D=$(dirname "$0")\nfor h in $D/hooks.d/*; do [ -x $h ] && $h; done',
        "cd /opt/x\nfor h in hooks.d/*; do ./$h; done",
        'B=/opt/x\nrun-parts "$B/hooks.d"',
        "find /opt/x -type f -exec {} \\;",
        "find /opt/x -type f | xargs -n1 nice",
    ],
)
def test_what_lies_where_a_loop_looks_is_run(tree: Planted, text: str) -> None:
    package = tool(tree, "/opt/x/hooks.d/planttool")
    entry(tree, text)
    status, reason = verdict(tree, package)
    assert status == "under_investigation"
    assert "/entry.sh" in reason


def test_what_lies_elsewhere_is_not(tree: Planted) -> None:
    package = tool(tree, "/opt/x/other/planttool")
    entry(tree, 'B=/opt/x\nfor h in "$B"/hooks.d/*; do "$h"; done')
    tree.program("/opt/x/hooks.d/first")
    assert verdict(tree, package)[0] == "not_affected"


@pytest.mark.parametrize(
    "text",
    [
        'exec "$@"',
        "JOB=other; $JOB x",
        "for JOB in a b; do $JOB; done",
        "$SET x",
        'D=$(dirname "$0"); "$D/other"',
        "P=$(which other); timeout 5 $P",
        "echo ls | sh",
        'for f in /etc/app.d/*.sh; do case $f in *.sh) echo "$f" ;; esac; done',
        'T=5; timeout "$T" other',
        'cd "$(dirname "$0")" && echo "$1"',
        "echo $x | tr a b",
        'set -- other "$@"; exec "$@"',
        "case $1 in x) echo $2 ;; esac",
    ],
)
def test_a_command_whose_value_is_written_is_that_one(tree: Planted, text: str) -> None:
    package = tool(tree)
    tree.environment["SET"] = "other"
    entry(tree, text)
    assert verdict(tree, package)[0] == "not_affected"


@pytest.mark.parametrize(
    ("line", "path", "content"),
    [
        ("npm run job", "/app/package.json", '{"scripts": {"job": "planttool -x"}}'),
        ("yarn -s job", "/app/package.json", '{"scripts": {"job": "planttool -x"}}'),
        ("cd /app && make job", "/app/Makefile", "job:\n\tplanttool -x\n"),
    ],
)
def test_what_a_manifest_runs_is_named_by_its_runner(
    tree: Planted, line: str, path: str, content: str
) -> None:
    package = tool(tree)
    tree.write(path, content)
    entry(tree, line)
    assert verdict(tree, package)[0] == "under_investigation"


def test_a_manifest_that_nothing_runs_names_nothing(tree: Planted) -> None:
    package = tool(tree)
    tree.write("/app/package.json", '{"scripts": {"job": "planttool -x"}}')
    entry(tree, "node /app/server.js")
    assert verdict(tree, package)[0] == "not_affected"
