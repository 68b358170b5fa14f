"""Starts the traffic program beside a sandbox and listens to its reports."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from vexxy.sandbox import driver
from vexxy.sandbox.errors import DriverFailed
from vexxy.sandbox.types import TrafficPlan, TrafficReport

LISTEN_SECONDS_MAX: Final = 5.0


class HttpTraffic:
    """Sends traffic; see `sandbox.ports.TrafficGenerator`."""

    def start(self, plan: TrafficPlan, *, enter: Sequence[str]) -> "RunningHttpTraffic":
        """Begin to send traffic from a process of its own."""
        command = [
            *enter,
            sys.executable,
            "-I",
            "-m",
            "vexxy.integrations.http_driver.program",
        ]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"LANG": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as error:
            raise DriverFailed(f"the traffic program could not run: {error}") from error
        return RunningHttpTraffic(process, plan)


class RunningHttpTraffic:
    """The running program; see `sandbox.ports.RunningTraffic`."""

    def __init__(self, process: subprocess.Popen[bytes], plan: TrafficPlan) -> None:
        self._process = process
        self._last = TrafficReport()
        self._said = b""
        self._give(plan)
        self._listeners = [
            threading.Thread(target=act, daemon=True)
            for act in (self._listen, self._listen_to_errors)
        ]
        for thread in self._listeners:
            thread.start()

    def report(self) -> TrafficReport:
        """Return what was done so far."""
        return self._last

    def stop(self) -> TrafficReport:
        """End it and return what was done.

        Raises:
            DriverFailed: It ended by itself with an error and had sent nothing.
        """
        code = self._process.poll()
        self._end()
        if code:
            said = self._said.decode("utf-8", "replace").strip()[-500:]
            why = said or f"exit code {code}"
            if not self._last.sent:
                raise DriverFailed(f"the traffic program failed: {why}")
            return dataclasses.replace(self._last, failure=why)
        return self._last

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, whatever happened."""
        self._end()

    def _end(self) -> None:
        driver.end(self._process)
        for thread in self._listeners:
            thread.join(LISTEN_SECONDS_MAX)

    def _give(self, plan: TrafficPlan) -> None:
        assert self._process.stdin is not None  # noqa: S101  asked for with PIPE
        try:
            self._process.stdin.write(msgspec.json.encode(plan) + b"\n")
            self._process.stdin.close()
        except BrokenPipeError:
            # It ended already; `stop` tells why.
            return

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  asked for with PIPE
        with self._process.stdout as lines:
            for line in lines:
                try:
                    self._last = msgspec.json.decode(line, type=TrafficReport)
                except msgspec.MsgspecError:
                    continue

    def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101  asked for with PIPE
        with self._process.stderr as text:
            for line in text:
                self._said = (self._said + line)[-4096:]
