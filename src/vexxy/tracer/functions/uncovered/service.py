"""PHP: that it ran is known, what it called is not."""

import posixpath
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from vexxy.tracer.functions.types import Beside, Collector, Evidence, Recorded
from vexxy.tracer.types import FunctionRecording, Runtime, Use

PROGRAMS: Final = {
    Runtime.PHP: re.compile(
        r"(php|php-fpm|php-cgi|phpdbg|hhvm|frankenphp)[-0-9.]*|(lib|mod_)php[-\w.]*\.so.*"
    ),
}
RAN: Final = frozenset({Use.EXECUTED, Use.MAPPED})


def plan(environment: Mapping[str, str]) -> Beside:  # noqa: ARG001  as every planner
    """Return that nothing is needed."""
    return Beside()


def _collect(evidence: Evidence, *, runtime: Runtime) -> Recorded | None:
    programs = sorted(
        {
            file.path
            for file in evidence.trace.files
            if file.use in RAN
            and PROGRAMS[runtime].fullmatch(posixpath.basename(file.path))
        }
    )
    if not programs:
        return None
    reasons = [f"functions of {path} are not recorded" for path in programs]
    return Recorded((), FunctionRecording(runtime, 0, reasons=tuple(reasons)))


def collector(runtime: Runtime) -> Collector:
    """Return what tells whether an interpreter of the runtime ran."""
    return partial(_collect, runtime=runtime)
