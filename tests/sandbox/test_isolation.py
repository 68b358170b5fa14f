"""What an image is kept from, tried from inside it."""

import re

import pytest

from tests.sandbox.conftest import STATE_OWNER, Runner
from vexxy.sandbox.errors import DiskFull, ImageExited
from vexxy.sandbox.rules import USUAL_CAPABILITIES
from vexxy.sandbox.service import OpenedImage
from vexxy.sandbox.types import MIB, Limits, Privileges

pytestmark = pytest.mark.engine

METADATA = "169.254.169.254"
# 192.0.2.0/24 is for documentation: whoever has a way out gets no answer, not a refusal.
OUTSIDE = "192.0.2.1"
REFUSED = {"Network is unreachable", "Network unreachable", "Connection refused"}


def test_an_image_has_a_network_with_nothing_but_itself(runner: Runner) -> None:
    said = runner.output("cat /proc/net/dev; cat /proc/net/route; cat /proc/net/if_inet6")
    interfaces = re.findall(r"^\s*(\w+):", said, re.MULTILINE)
    assert interfaces == ["lo"]
    assert len(re.findall(r"^\w+\t[0-9A-F]{8}", said, re.MULTILINE)) == 0


@pytest.mark.parametrize("address", [METADATA, OUTSIDE, "10.88.0.1", "172.17.0.1"])
def test_nothing_outside_can_be_reached(runner: Runner, address: str) -> None:
    said = runner.output(f"nc -w 3 {address} 80 </dev/null; echo code $?")
    assert "code 1" in said
    assert any(reason in said for reason in REFUSED), said


def test_a_service_of_the_host_cannot_be_reached(runner: Runner, host_service: int) -> None:
    said = runner.output(f"nc -w 3 127.0.0.1 {host_service} </dev/null; echo code $?")
    assert "Connection refused" in said
    assert "code 1" in said


def test_another_sandbox_cannot_be_reached(runner: Runner) -> None:
    other = runner.start("httpd -f -p 8123 -h /www")
    other.await_ready(timeout_seconds=20)
    said = runner.output("nc -w 3 127.0.0.1 8123 </dev/null; echo code $?")
    assert "Connection refused" in said


def test_an_image_has_no_capability_and_can_gain_none(runner: Runner) -> None:
    said = runner.output("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
    capabilities = dict(re.findall(r"^(Cap\w+):\t([0-9a-f]+)$", said, re.MULTILINE))
    assert set(capabilities) == {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
    assert {int(mask, 16) for mask in capabilities.values()} == {0}
    assert "NoNewPrivs:\t1" in said
    assert "Seccomp:\t2" in said


def test_the_root_is_read_only_and_scratch_is_not(runner: Runner) -> None:
    said = runner.output(
        "touch /etc/x /bin/x /x; for d in /run /var/log /data; do"
        " echo ok > $d/new && echo wrote $d; done; chmod 755 /run/new; echo code $?"
    )
    assert len(re.findall("Read-only file system", said)) == 3
    assert re.findall(r"wrote (\S+)", said) == ["/run", "/var/log"]
    assert "code 0" in said


def test_scratch_holds_what_the_image_has_there_and_its_owner(runner: Runner) -> None:
    said = runner.output(
        "cat /var/log/old.log; ls -lnd /var/lib/service /data; ls -ln /data"
    )
    assert "from the image" in said
    owned = re.findall(rf"{STATE_OWNER}\s+{STATE_OWNER} .* (/\S+)", said)
    assert sorted(owned) == ["/data", "/var/lib/service"]
    assert "seed" in said


def test_the_owner_of_state_can_write_it(runner: Runner) -> None:
    said = runner.output(
        f"su -s /bin/sh -c true root; cat /var/lib/service/state; id -u; echo {STATE_OWNER}"
    )
    # Root without capabilities is nobody special: the directory is its owner's alone.
    assert "kept" not in said


def test_the_image_is_seen_with_its_own_user(runner: Runner) -> None:
    assert "uid=0" in runner.output("id")


def test_too_many_processes_are_refused(runner: Runner) -> None:
    said = runner.output(
        "i=0; while [ $i -lt 60 ]; do sleep 60 & i=$((i+1)); done; echo all $i",
        limits=Limits(process_count=20),
    )
    assert "can't fork" in said
    assert "all 60" not in said


def test_too_much_memory_ends_the_image(runner: Runner) -> None:
    sandbox = runner.start(
        "dd if=/dev/zero of=/dev/null bs=200M count=1",
        limits=Limits(memory_bytes=64 * MIB),
    )
    with pytest.raises(ImageExited, match="137"):
        sandbox.await_ready(timeout_seconds=20, quiet_seconds=20)


def test_scratch_is_limited(runner: Runner) -> None:
    said = runner.output(
        "dd if=/dev/zero of=/tmp/big bs=1M count=20; ls -ln /tmp/big",
        limits=Limits(scratch_bytes=8 * MIB),
    )
    assert "No space left on device" in said


def test_what_is_written_to_a_writable_root_is_limited(runner: Runner) -> None:
    sandbox = runner.start(
        "dd if=/dev/zero of=/etc/big bs=1M count=40 && echo written; sleep 1000",
        limits=Limits(disk_bytes=10 * MIB),
        privileges=Privileges(writable_root=True),
    )
    while "written" not in sandbox.logs():
        assert sandbox.has_ended() is None
    with pytest.raises(DiskFull, match="wrote"):
        sandbox.check()
    assert sandbox.has_ended() is not None


def test_writing_where_nobody_can_measure_is_stopped(runner: Runner) -> None:
    deeper = "i=0; while [ $i -lt 200 ]; do mkdir d && cd d; i=$((i+1)); done"
    sandbox = runner.start(
        f"cd /etc; {deeper}; dd if=/dev/zero of=big bs=1M count=1 && echo written; "
        "sleep 1000",
        privileges=Privileges(writable_root=True),
    )
    while "written" not in sandbox.logs():
        assert sandbox.has_ended() is None
    with pytest.raises(DiskFull, match="cannot be measured"):
        sandbox.check()
    assert sandbox.has_ended() is not None


def test_the_usual_capabilities_are_just_those(runner: Runner) -> None:
    said = runner.output(
        "grep CapBnd /proc/self/status; chown 5:5 /tmp && echo changed",
        privileges=Privileges(capabilities=USUAL_CAPABILITIES),
    )
    mask = int(re.findall(r"CapBnd:\t([0-9a-f]+)", said)[0], 16)
    assert mask == sum(1 << bit for bit in (0, 1, 3, 5, 6, 7, 10))
    assert "changed" in said


def test_an_image_may_listen_on_a_low_port_without_being_root(
    runner: Runner, opened: OpenedImage
) -> None:
    sandbox = runner.start("httpd -f -p 80 -h /www")
    ready = sandbox.await_ready(timeout_seconds=20)
    assert [port.number for port in ready.ports] == [80]


def test_the_environment_is_given(runner: Runner) -> None:
    said = runner.output("echo $NAME", environment={"NAME": "a value with spaces = and '"})
    assert said == "a value with spaces = and '\n"


def test_the_files_of_the_image_are_seen_untouched(
    runner: Runner, opened: OpenedImage
) -> None:
    runner.output("echo x > /etc/new", privileges=Privileges(writable_root=True))
    assert opened.root_path is not None
    assert (opened.root_path / "bin" / "busybox").stat().st_size > 0
    assert not (opened.root_path / "etc" / "new").exists()
