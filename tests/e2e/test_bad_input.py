"""Whatever is wrong: a sentence, the right exit code, and nothing left behind."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Cli, owned_by
from vexxy.cli.exit import ExitCode
from vexxy.integrations.container_engine.podman_service import PodmanService
from vexxy.sandbox.ports import ContainerEngine

pytestmark = [pytest.mark.engine, pytest.mark.kernel]

Archive = Callable[..., str]


@pytest.fixture(autouse=True)
def nothing_stays(engine: ContainerEngine, cli: Cli) -> Iterator[None]:
    yield
    assert owned_by(engine, *cli.started) == []


def test_an_image_nobody_has_is_bad_usage(cli: Cli) -> None:
    done = cli.analyze("localhost/no/such-image:1")

    assert done.returncode == ExitCode.USAGE
    assert "no/such-image" in done.stderr


def test_a_missing_database_does_not_hide_a_wrong_name(cli: Cli) -> None:
    done = cli.run("analyze", "localhost/no/such-image:1")

    assert done.returncode == ExitCode.PREREQUISITES
    assert "no advisory database" in done.stderr
    assert "no image localhost/no/such-image:1" in " ".join(done.stderr.split())
    assert "advisories bundled" in " ".join(done.stderr.split())


@pytest.mark.parametrize("reference", ["-rm", "UPPER/case", "a b", "x:" + "y" * 200])
def test_a_reference_that_is_none_is_refused(cli: Cli, reference: str) -> None:
    assert cli.analyze("--", reference).returncode == ExitCode.USAGE


def test_a_corrupt_archive_is_refused(cli: Cli, archive: Archive) -> None:
    path = Path(archive())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    done = cli.analyze(str(path))

    assert done.returncode == ExitCode.USAGE
    assert path.name in done.stderr


def test_an_image_for_another_machine_is_refused(cli: Cli, archive: Archive) -> None:
    done = cli.analyze(archive(architecture="s390x"))

    assert done.returncode == ExitCode.USAGE
    assert "s390x" in done.stderr


def test_an_image_that_exits_at_once_shows_its_last_words(
    cli: Cli, archive: Archive
) -> None:
    command = ("/bin/sh", "-c", "echo no configuration found; exit 7")

    done = cli.analyze(archive(command=command))

    assert done.returncode == ExitCode.FAILED
    assert "code 7" in done.stderr
    assert "no configuration found" in done.stderr


def test_a_port_that_never_opens_is_named(cli: Cli, archive: Archive) -> None:
    done = cli.analyze(archive(), "--port", "4321", "--ready-timeout", "3")

    assert done.returncode == ExitCode.FAILED
    assert "port 4321 did not answer" in done.stderr


def test_a_command_that_does_not_exist_is_said(cli: Cli, archive: Archive) -> None:
    done = cli.analyze(archive(command=("/bin/nowhere",)))

    assert done.returncode in {ExitCode.USAGE, ExitCode.FAILED}
    assert "/bin/nowhere" in done.stderr


def test_a_writable_root_is_given_from_the_start_where_it_is_asked_for(
    cli: Cli, archive: Archive, tmp_path: Path
) -> None:
    saved = tmp_path / "result.json"
    command = ("/bin/sh", "-c", "echo made > /etc/made; ls /etc/made || exit 3")

    done = cli.analyze(
        archive(command=command, ports=()),
        *("--writable-root", "--format", "json", "--output", str(saved)),
    )

    assert done.returncode == ExitCode.DONE, done.stderr
    result = json.loads(saved.read_text())
    (relaxation,) = result["summary"]["relaxations"]
    assert "it was asked for" in relaxation


def test_a_failing_script_clears_nobody_and_bad_advisories_do_not_hide_good_ones(
    cli: Cli, archive: Archive, tmp_path: Path
) -> None:
    (cli.advisories / "broken.json").write_text('{"id": "VXTEST-9", "affected": [{')
    script = tmp_path / "drive.sh"
    script.write_text("echo trying $HOST:$PORT; exit 5\n")
    output = tmp_path / "result.json"

    done = cli.analyze(
        archive(),
        *("--test-script", str(script), "--format", "json", "--output", str(output)),
    )

    assert done.returncode == ExitCode.FAILED
    assert "exit code 5" in done.stderr
    assert "broken.json" in done.stderr
    result = json.loads(output.read_text())
    statuses = {
        found["vulnerability_id"]: found["status"]
        for found in result["reachability_results"]
    }
    assert statuses == {"CVE-2026-0001": "under_investigation", "CVE-2026-0002": "affected"}
    assert "trying 127.0.0.1:80" in result["summary"]["script"]["output"]
    assert result["execution_profile"]["completeness"]["partial"] is True


def test_an_sbom_of_another_image_is_refused(
    cli: Cli, archive: Archive, tmp_path: Path
) -> None:
    sbom = tmp_path / "sbom.json"
    sbom.write_text(
        json.dumps(
            {
                "bomFormat": "CycloneDX",
                "specVersion": "1.6",
                "components": [
                    {
                        "type": "library",
                        "name": "nginx",
                        "version": "1.22.1-9",
                        "purl": "pkg:deb/debian/nginx@1.22.1-9?arch=amd64&distro=debian-12",
                    }
                ],
            }
        )
    )

    done = cli.analyze(archive(), "--sbom", str(sbom))

    assert done.returncode == ExitCode.USAGE
    assert "another image" in done.stderr


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"bomFormat": "CycloneDX"'])
def test_something_that_is_no_sbom_is_refused(
    cli: Cli, archive: Archive, *, tmp_path: Path, content: str
) -> None:
    sbom = tmp_path / "sbom.json"
    sbom.write_text(content)

    assert cli.analyze(archive(), "--sbom", str(sbom)).returncode == ExitCode.USAGE


def test_no_usable_advisory_is_bad_usage(cli: Cli, archive: Archive) -> None:
    for path in cli.advisories.iterdir():
        path.write_text("{")

    assert cli.analyze(archive()).returncode == ExitCode.USAGE


def test_without_advisories_nothing_is_called_clean(cli: Cli, archive: Archive) -> None:
    done = cli.run("analyze", archive(), "--duration", "30")

    assert done.returncode == ExitCode.PREREQUISITES
    assert "vexxy advisories update" in done.stderr


def test_a_full_disk_keeps_the_result_that_was_there(
    cli: Cli, archive: Archive, tmp_path: Path
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)], check=True
    )
    try:
        output = folder / "result.json"
        output.write_text("yesterday's")
        done = cli.analyze(archive(), "--format", "json", "--output", str(output))

        assert done.returncode == ExitCode.FAILED
        assert "No space left" in done.stderr
        assert output.read_text() == "yesterday's"
        assert [path.name for path in folder.iterdir()] == ["result.json"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_removes_the_sandbox(
    cli: Cli, archive: Archive, *, engine: ContainerEngine, number: signal.Signals
) -> None:
    process = cli.start(archive())
    process.send_signal(number)
    _, told = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED
    assert "interrupted; the sandbox was removed" in told
    assert owned_by(engine, process.pid) == []


def test_what_a_kill_left_behind_is_swept_by_the_next_run(
    cli: Cli, archive: Archive, engine: ContainerEngine
) -> None:
    process = cli.start(archive())
    process.kill()
    process.communicate()
    assert owned_by(engine, process.pid) != []

    cli.analyze("localhost/no/such-image:1")

    assert owned_by(engine, process.pid) == []


def test_an_engine_that_goes_away_is_said_and_swept_later(
    cli: Cli, archive: Archive, engine: ContainerEngine
) -> None:
    service = PodmanService()
    process = cli.start(archive(), VEXXY_ENGINE=service.address)
    service.close()
    _, errors = process.communicate(timeout=400)

    assert process.returncode == ExitCode.FAILED
    assert "engine" in errors
    cli.analyze("localhost/no/such-image:1")
    assert owned_by(engine, process.pid) == []
