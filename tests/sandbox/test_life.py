"""A sandbox from prepared to gone, on a real engine."""

import re

import pytest

from tests.fakes.patience import until
from tests.sandbox.conftest import Runner
from vexxy.integrations.container_engine.adapter import Engine
from vexxy.sandbox import service
from vexxy.sandbox.errors import (
    EngineFailed,
    EngineUnavailable,
    ImageExited,
    ImageUnsuitable,
    PortNeverOpened,
)
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.service import OpenedImage
from vexxy.sandbox.types import ContainerStatus, ReadyWhen, SandboxRequest

pytestmark = pytest.mark.engine


def test_nothing_of_the_image_has_run_when_it_is_prepared(runner: Runner) -> None:
    sandbox = runner.prepare("echo ran > /tmp/ran; sleep 1000")
    prepared = sandbox.prepared
    if runner.engine.info().starts_in_two_steps:
        assert prepared.process_id is not None
        assert prepared.root_path is not None
        assert (prepared.root_path / "bin" / "busybox").exists()
    assert runner.state(sandbox) is ContainerStatus.CREATED
    assert sandbox.logs() == ""
    sandbox.start()
    if prepared.process_id is not None:
        assert sandbox.process_id == prepared.process_id


def test_an_image_with_a_port_is_ready_when_it_answers(runner: Runner) -> None:
    sandbox = runner.start("httpd -f -p 80 -h /www", ports=(80,))
    ready = sandbox.await_ready(timeout_seconds=20)
    assert ready.when is ReadyWhen.ANSWERS
    assert [(port.number, port.protocol) for port in ready.ports] == [(80, "http")]


def test_ports_that_nobody_named_are_found(runner: Runner) -> None:
    sandbox = runner.start("httpd -p 8081 -h /www; httpd -f -p 8082 -h /www")
    ready = sandbox.await_ready(timeout_seconds=20, quiet_seconds=0.3)
    assert [port.number for port in ready.ports] == [8081, 8082]


def test_an_image_without_ports_is_ready_when_it_settles(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    ready = sandbox.await_ready(timeout_seconds=20, quiet_seconds=0.2)
    assert ready.when is ReadyWhen.SETTLED


def test_a_batch_job_is_ready_when_it_has_done_its_work(runner: Runner) -> None:
    sandbox = runner.start("echo done")
    assert sandbox.await_ready(timeout_seconds=20).when is ReadyWhen.FINISHED
    ending = sandbox.end()
    assert ending.exited_by_itself
    assert (ending.exit_code, ending.logs) == (0, "done\n")


def test_an_image_that_exits_at_once_fails_with_code_and_log(runner: Runner) -> None:
    sandbox = runner.start("echo cannot read the configuration >&2; exit 4")
    with pytest.raises(ImageExited, match="cannot read the configuration") as caught:
        sandbox.await_ready(timeout_seconds=20)
    assert caught.value.exit_code == 4
    assert "code 4" in caught.value.message
    assert caught.value.hint


def test_a_port_that_never_opens_fails_with_the_log(runner: Runner) -> None:
    sandbox = runner.start("echo listening elsewhere; sleep 1000", ports=(81,))
    with pytest.raises(PortNeverOpened, match="port 81 did not answer") as caught:
        sandbox.await_ready(timeout_seconds=0.5)
    assert "listening elsewhere" in caught.value.logs


def test_a_command_that_does_not_exist_is_told_clearly(
    engine: ContainerEngine, opened: OpenedImage
) -> None:
    request = SandboxRequest(image=opened.image, command=("/no/such/program",))
    with pytest.raises(ImageUnsuitable, match="no/such/program"):
        _start(engine, opened, request)
    assert _left_behind(engine, opened) == 0


def test_another_runtime_than_asked_for_is_never_used_silently(
    engine: ContainerEngine, opened: OpenedImage
) -> None:
    request = SandboxRequest(
        image=opened.image, command=("/bin/true",), runtime="no-such-runtime"
    )
    with pytest.raises((EngineUnavailable, EngineFailed), match="runtime"):
        _start(engine, opened, request)
    assert _left_behind(engine, opened) == 0


def test_an_image_that_listens_to_its_signal_ends_gracefully(runner: Runner) -> None:
    sandbox = runner.start("trap 'echo bye; exit 0' TERM; echo up; while true; do :; done")
    until(lambda: "up" in sandbox.logs())
    ending = sandbox.end(timeout_seconds=20)
    assert not ending.exited_by_itself
    assert (ending.exit_code, ending.logs) == (0, "up\nbye\n")


def test_an_image_that_ignores_its_signal_is_not_waited_for(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    # The first process has no handler, so this would take ten minutes otherwise.
    assert sandbox.end(timeout_seconds=600).exit_code == 137


def test_a_network_is_given_only_when_it_is_allowed(runner: Runner) -> None:
    if not has_bridge(runner.engine):
        pytest.skip("this engine was started without a network to give")
    try:
        said = runner.output("cat /proc/net/dev", network_allowed=True)
    except EngineFailed as error:
        pytest.skip(f"this engine has no network to give: {error.message}")
    assert len(re.findall(r"^\s*(\w+):", said, re.MULTILINE)) > 1


def test_what_was_used_is_known(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    usage = sandbox.end().usage
    assert usage.memory_peak_bytes is not None
    assert usage.memory_peak_bytes > 0
    assert usage.cpu_seconds is not None


def test_everything_is_removed_when_the_block_ends_with_an_error(
    engine: ContainerEngine, opened: OpenedImage
) -> None:
    request = SandboxRequest(image=opened.image, command=("/bin/sh", "-c", "sleep 1000"))
    with pytest.raises(KeyboardInterrupt):
        _start(engine, opened, request, then=KeyboardInterrupt())
    assert _left_behind(engine, opened) == 0


def test_a_sandbox_that_is_kept_does_not_go_on_running(
    engine: ContainerEngine, opened: OpenedImage
) -> None:
    request = SandboxRequest(image=opened.image, command=("/bin/sh", "-c", "sleep 1000"))
    with service.open_sandbox(engine, opened, request, keep=True) as sandbox:
        sandbox.start()
    container_id = sandbox.prepared.container_id
    assert engine.state(container_id).status is ContainerStatus.EXITED
    engine.remove(container_id)


def has_bridge(engine: ContainerEngine) -> bool:
    """Return whether the engine has the network that `bridge` stands for."""
    assert isinstance(engine, Engine)
    names = [network["Name"] for network in engine.client.networks()]
    return bool({"bridge", "podman"} & set(names))


def _start(
    engine: ContainerEngine,
    opened: OpenedImage,
    request: SandboxRequest,
    *,
    then: BaseException | None = None,
) -> None:
    with service.open_sandbox(engine, opened, request) as sandbox:
        sandbox.start()
        if then is not None:
            raise then


def _left_behind(engine: ContainerEngine, opened: OpenedImage) -> int:
    """Count containers of this test session beside the one that shows the files."""
    owned = engine.list_owned().values()
    mine = [labels for labels in owned if labels.get("io.vexxy.loaded-image")]
    here = [labels for labels in mine if opened.image.image_id in labels.values()]
    return len(here) - 1
