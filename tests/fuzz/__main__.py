"""Ask the whole interface at least so many things; fail on any surprise.

`make fuzz` runs it. A surprise is a 5xx, an answer that the interface does not document,
or one that is not as documented.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.server import served

CHECKS = (
    "no_fault",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
PHASES = "examples,coverage,fuzzing"


def main() -> int:
    """Run schemathesis against a server of our own; return its verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="at least so many")
    parser.add_argument("--examples", type=int, default=480, help="of each operation")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("rest", nargs="*", help="passed on to schemathesis, after --")
    options = parser.parse_args()
    with served() as (address, environment), tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.ndjson"
        command = [
            str(Path(sys.executable).with_name("st")),
            "run",
            f"{address}/openapi.json",
            f"--checks={','.join(CHECKS)}",
            f"--phases={PHASES}",
            f"--max-examples={options.examples}",
            "--workers=2",
            "--request-timeout=60",
            "--continue-on-failure",
            "--no-shrink",
            "--suppress-health-check=all",
            "--generation-database=none",
            f"--report-ndjson-path={report}",
            "--warnings=off",
            *([f"--seed={options.seed}"] if options.seed is not None else []),
            *options.rest,
        ]
        hooks = {**environment, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"}
        code = subprocess.call(command, env=hooks)
        asked = _asked(report)
    sys.stdout.write(f"{asked} cases (at least {options.cases} wanted)\n")
    return code or int(asked < options.cases)


def _asked(report: Path) -> int:
    """Count the requests that were answered."""
    found = 0
    with report.open() as lines:
        for line in lines:
            found += json.dumps(json.loads(line)).count('"status_code"')
    return found


if __name__ == "__main__":
    sys.exit(main())
