"""The outermost frame: turns every failure into a sentence and an exit code."""

import signal
import sys
import traceback
from types import FrameType

from vexxy.cli import console
from vexxy.cli.app import app
from vexxy.cli.exit import ExitCode, code_of
from vexxy.kit.errors import VexxyError


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(prog_name="vexxy")
    except VexxyError as error:
        console.report(error)
        sys.exit(code_of(error))
    except KeyboardInterrupt:
        console.note("interrupted; the sandbox was removed")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001  the outermost frame: 1 would mean "findings"
        traceback.print_exc()
        console.note("this is a fault of vexxy; the sandbox was removed")
        sys.exit(ExitCode.FAILED)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as an interrupt does: whoever is asked to stop still cleans up."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
