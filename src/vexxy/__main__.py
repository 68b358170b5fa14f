"""The outermost frame: turns every failure into a sentence and an exit code."""

import sys

from vexxy.cli import console
from vexxy.cli.app import app
from vexxy.cli.exit import ExitCode, code_of
from vexxy.kit.errors import VexxyError


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="vexxy")
    except VexxyError as error:
        console.report(error)
        sys.exit(code_of(error))
    except KeyboardInterrupt:
        console.note("interrupted; the sandbox was removed")
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
