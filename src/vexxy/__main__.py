"""The outermost frame: turns every failure into a sentence and an exit code."""

import signal
import sys
import traceback
from types import FrameType
from typing import Final

import typer

from vexxy.cli import console
from vexxy.cli.app import app
from vexxy.cli.exit import ExitCode, code_of
from vexxy.kit.errors import VexxyError

# What a user typed wrong; of all its kinds typer makes only this one public.
USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(prog_name="vexxy", standalone_mode=False)
    except USAGE_ERROR as error:
        console.report_usage(error)
        sys.exit(ExitCode.USAGE)
    except VexxyError as error:
        console.report(error)
        sys.exit(code_of(error))
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001  the outermost frame: 1 would mean "findings"
        traceback.print_exc()
        console.note("this is a fault of vexxy; the sandbox was removed")
        sys.exit(ExitCode.FAILED)
    if code == ExitCode.INTERRUPTED:
        console.note("interrupted; the sandbox was removed")
    sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as an interrupt does: whoever is asked to stop still cleans up."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
