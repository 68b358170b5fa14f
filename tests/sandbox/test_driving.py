"""Programs beside a sandbox: what they see, say and cannot do."""

import re
from pathlib import Path

import pytest

from tests.fakes.patience import until
from tests.sandbox.conftest import Runner
from vexxy.integrations.http_driver.generator import HttpTraffic
from vexxy.sandbox import driver
from vexxy.sandbox.errors import DriverFailed
from vexxy.sandbox.types import Port, ReadyWhen, TrafficPlan

pytestmark = pytest.mark.engine

# By name, as the contract's example does.
ASK = """
echo $HOST:$PORT:$PORTS
curl -sS http://localhost:$PORT/about.html
"""
SERVER = "httpd -f -p 8080 -h /www"


def test_a_script_gets_host_and_port_and_reaches_the_image(runner: Runner) -> None:
    sandbox = runner.start(SERVER)
    sandbox.await_ready(timeout_seconds=20)
    run = sandbox.run_script(ASK, timeout_seconds=30)
    assert (run.exit_code, run.output) == (0, "127.0.0.1:8080:8080\nabout\n")


def test_a_script_with_an_interpreter_is_run_by_it(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    run = sandbox.run_script(
        "#!/usr/bin/awk -f\nBEGIN { print 1 + 1; exit 5 }\n", timeout_seconds=20
    )
    assert (run.exit_code, run.output) == (5, "2\n")
    run = sandbox.run_script("#!/bin/sh -e\nfalse\necho on\n", timeout_seconds=20)
    assert (run.exit_code, run.output) == (1, "")


def test_the_exit_code_and_both_outputs_are_kept(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    run = sandbox.run_script("echo out; echo err >&2; exit 7", timeout_seconds=20)
    assert run.exit_code == 7
    assert run.output == "out\nerr\n"
    assert not run.truncated


def test_a_script_that_takes_too_long_is_ended_with_its_children(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    run = sandbox.run_script("echo begun; sleep 1000 & sleep 1000", timeout_seconds=1)
    assert run.exit_code is None
    assert run.output == "begun\n"
    assert run.duration_seconds < 20


def test_output_without_end_is_cut(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    run = sandbox.run_script("head -c 3000000 /dev/zero | tr '\\0' x", timeout_seconds=30)
    assert run.truncated
    assert len(run.output) == driver.OUTPUT_BYTES_MAX
    assert run.exit_code == 0


def test_a_script_is_nobody_and_sees_no_secret_of_the_host(runner: Runner) -> None:
    sandbox = runner.start("sleep 1000")
    run = sandbox.run_script(
        "id -u; grep CapEff /proc/self/status; ls /home /run /var /etc/shadow; ls /",
        timeout_seconds=20,
    )
    assert run.output.startswith("65534\nCapEff:\t0000000000000000\n")
    assert run.output.count("No such file") == 4
    assert "root" not in run.output.splitlines()


def test_a_script_is_in_none_of_the_images_namespaces_but_the_network(
    runner: Runner,
) -> None:
    sandbox = runner.start("sleep 1000")
    run = sandbox.run_script(
        "for n in net pid mnt ipc uts; do readlink /proc/self/ns/$n; done; ps ax",
        timeout_seconds=20,
    )
    found = dict(re.findall(r"(\w+):\[(\d+)\]", run.output))
    for name, number in found.items():
        image = str(Path(f"/proc/{sandbox.process_id}/ns/{name}").readlink())
        assert (image == f"{name}:[{number}]") == (name == "net")
    assert len(found) == 5
    assert "sleep 1000" not in run.output


def test_nothing_is_driven_after_the_image_has_ended(runner: Runner) -> None:
    sandbox = runner.start("exit 0")
    until(lambda: sandbox.has_ended() is not None)
    with pytest.raises(DriverFailed, match="ended"):
        sandbox.run_script("true", timeout_seconds=5)


def test_the_built_in_driver_finds_pages_and_counts_answers(runner: Runner) -> None:
    sandbox = runner.start(SERVER)
    ready = sandbox.await_ready(timeout_seconds=20)
    assert ready.when is ReadyWhen.ANSWERS
    assert ready.ports == (Port(8080, "http"),)
    plan = TrafficPlan(ports=ready.ports, duration_seconds=60)
    with sandbox.start_traffic(HttpTraffic(), plan) as traffic:
        until(lambda: traffic.report().passes > 0 or sandbox.has_ended() is not None)
        report = traffic.stop()
    assert sandbox.has_ended() is None
    assert report.sent >= 28
    assert report.answered == report.statuses["200"] >= 4
    assert {"GET /", "GET /index.html", "GET /about.html"} <= set(report.paths)
    assert report.statuses["404"] >= 20
    (port,) = report.by_port.values()
    assert (port.sent, port.answered) == (report.sent, report.answered)
