"""Classes that a Java virtual machine logged, and machines that logged none."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.tracer.functions.jvm import service, wire
from vexxy.tracer.functions.types import TOLD_PATH, Evidence
from vexxy.tracer.functions.uncovered import service as uncovered
from vexxy.tracer.types import Process, Runtime, Source, Trace, TracedFile, Use

APPLICATION = """\
public class App {
    static class Used { int value() { return 1; } }
    static class Never { }
    public static void main(String[] given) {
        Runnable shown = () -> System.out.println(new Used().value());
        shown.run();
        Runtime.getRuntime().halt(0);
    }
}
"""
JAVA = Process(7, 1, "/usr/lib/jvm/java-17-openjdk-amd64/bin/java", ("java", "App"))


def evidence(
    told: dict[str, bytes], *processes: Process, files: tuple[TracedFile, ...] = ()
) -> Evidence:
    trace = Trace(Source.EBPF, 9.0, files, processes, (), (), (), (), 0)
    return Evidence(told, (), trace, RootFilesystem(Path("/")), 0.0)


def test_loaded_classes_are_told_and_others_not(tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("there is no Java compiler on this machine")
    (tmp_path / "App.java").write_text(APPLICATION)
    subprocess.run(["javac", "App.java"], cwd=tmp_path, check=True)
    wanted = service.plan({}).environment[service.VARIABLE]
    done = subprocess.run(
        ["java", "-cp", str(tmp_path), "App"],
        env={**os.environ, service.VARIABLE: wanted.replace(TOLD_PATH, str(tmp_path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
    logs = {path.name: path.read_bytes() for path in tmp_path.glob("*.log")}
    (number,) = wire.processes(logs)
    found = service.collect(
        evidence(logs, Process(number, 1, "/usr/bin/java", ("java", "App")))
    )
    assert found is not None
    mine = {call.module for call in found.calls if call.path.startswith(str(tmp_path))}
    assert mine == {"App", "App$Used"}
    assert str(tmp_path / "App$Used.class") in {call.path for call in found.calls}
    assert found.recording.reasons == ()
    assert found.recording.unit == "class"


def test_a_machine_without_a_log_is_a_reason() -> None:
    found = service.collect(evidence({}, JAVA))
    assert found is not None
    (reason,) = found.recording.reasons
    assert "logged no classes" in reason


def test_a_machine_inside_another_program_is_a_reason() -> None:
    library = TracedFile(
        "/usr/lib/jvm/lib/server/libjvm.so", Use.MAPPED, (0, 0), 0.0, process="/bin/jsvc"
    )
    found = service.collect(evidence({}, files=(library,)))
    assert found is not None
    (reason,) = found.recording.reasons
    assert reason.startswith("/bin/jsvc holds")


def test_no_machine_no_recording() -> None:
    assert service.collect(evidence({})) is None


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("file:/app/a%20b.jar", "/app/a b.jar"),
        ("jar:file:/app/boot.jar!/BOOT-INF/lib/x.jar!/", "/app/boot.jar"),
        (
            "jar:nested:/app/boot.jar/!BOOT-INF/lib/x.jar!/",
            "/app/boot.jar",
        ),
        ("jrt:/java.base", ""),
        ("shared objects file", ""),
    ],
)
def test_a_source_leads_to_the_archive(source: str, path: str) -> None:
    line = f"[12ns] a.B source: {source}\n".encode()
    (loaded,) = wire.read({"jvm-7-x.log": line})
    assert loaded.path == path


@pytest.mark.parametrize(
    ("runtime", "path"),
    [
        (Runtime.PHP, "/usr/sbin/php-fpm8.2"),
        (Runtime.PHP, "/usr/lib/apache2/modules/libphp8.2.so"),
    ],
)
def test_what_is_not_covered_is_named(runtime: Runtime, path: str) -> None:
    file = TracedFile(path, Use.EXECUTED, (0, 0), 0.0)
    collect = uncovered.collector(runtime)
    found = collect(evidence({}, files=(file,)))
    assert found is not None
    assert found.recording.runtime is runtime
    assert found.recording.reasons == (f"functions of {path} are not recorded",)
    assert collect(evidence({})) is None
