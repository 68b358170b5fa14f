"""Everything that was observed, as files somebody can check the verdicts against."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vexxy.analysis.observation import Observed
from vexxy.analysis.types import Observation
from vexxy.kit import files, jsontext
from vexxy.sbom.types import Inventory


def write(
    observation: Observation, observed: Observed, folder: Path, *, inventory: Inventory
) -> None:
    """Write one file per type of evidence (contract, section 5), and their checksums.

    Files of an earlier analysis under the same names are replaced, others are left.

    Raises:
        NotWritable: No permission or no space.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.NotWritable(
            f"{folder} could not be made: {error.strerror}",
            hint="choose another --evidence",
        ) from error
    sums = []
    found = contents(observation, observed, inventory)
    for name, content in found.items():
        files.write_whole(folder / name, content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    files.write_whole(folder / "SHA256SUMS", "".join(sums).encode())


def contents(
    observation: Observation, observed: Observed, inventory: Inventory
) -> Mapping[str, bytes]:
    """Return the evidence by file name."""
    profile = observation.profile
    trace = observed.trace
    script = observation.script
    functions = {
        "code_coverage.json": _json(
            {
                "functions": profile.functions,
                "recordings": profile.function_recordings,
                "code_coverage_percent": profile.code_coverage_percent,
            }
        )
    }
    return {
        **(functions if profile.function_recordings else {}),
        "profile.json": _json(profile),
        "execution_trace.json": _json(
            {
                "processes": profile.processes,
                "executed_binaries": profile.executed_binaries,
                "loaded_libraries": profile.loaded_libraries,
                "completeness": profile.completeness,
                "sources": profile.sources,
                "gaps": trace.gaps,
                "fallbacks": trace.fallbacks,
            }
        ),
        "file_access_log.json": _json(profile.files_accessed),
        "syscall_log.json": _json(
            {"syscalls": profile.syscalls, "refusals": trace.refusals}
        ),
        "network_log.json": _json(profile.network_connections),
        "traffic.json": _json(observed.traffic),
        "inventory.json": _json(inventory),
        "container_logs.txt": observation.container_log.encode("utf-8", "backslashreplace"),
        "test_script.txt": (
            b""
            if script is None
            else f"exit code: {script.exit_code}\n\n{script.output}".encode()
        ),
    }


def _json(value: Any) -> bytes:  # noqa: ANN401  whatever a slice's values are
    return jsontext.encode(value, indented=True)
