"""What a person or a program sees while something runs; all of it on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from vexxy.kit import jsontext
from vexxy.kit.errors import InvalidInput, VexxyError
from vexxy.kit.progress import Listener, Progress

# Often enough to show life in a log, seldom enough not to fill it.
PLAIN_INTERVAL_SECONDS: Final = 10.0

# A table in a file or a pipe has room; only a terminal has an edge.
PIPE_COLUMNS: Final = 200

STDERR: Final = Console(
    stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPE_COLUMNS
)


def _left(progress: Progress) -> str:
    if progress.remaining_seconds is None:
        return ""
    minutes, seconds = divmod(max(0, round(progress.remaining_seconds)), 60)
    return f"{minutes}:{seconds:02d} left" if minutes else f"{seconds} s left"


class PlainLines:
    """A line per phase, and one every few seconds inside a long one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._phase = ""
        self._last = 0.0

    def __call__(self, progress: Progress, /) -> None:
        """Write a line if this step says something new."""
        now = time.monotonic()
        if progress.phase == self._phase and now - self._last < PLAIN_INTERVAL_SECONDS:
            return
        self._phase, self._last = progress.phase, now
        parts = (progress.phase, progress.detail, _left(progress))
        text = " · ".join(part for part in parts if part)
        self._stream.write(f"[{progress.percent:3d} %] {clean(text)}\n")
        self._stream.flush()


class JsonLines:
    """One JSON object per step, for programs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, progress: Progress, /) -> None:
        """Write the step."""
        self._stream.write(jsontext.encode(progress).decode() + "\n")
        self._stream.flush()


class Terminal:
    """A bar that moves, with the phase and the time left."""

    def __init__(self) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}", style="dim"),
            console=STDERR,
            transient=True,
        )
        self._task = self._bar.add_task("Starting", total=100, detail="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress, /) -> None:
        """Move the bar."""
        parts = (progress.detail, _left(progress))
        self._bar.update(
            self._task,
            description=escape(clean(progress.phase)),
            completed=progress.percent,
            detail=escape(clean(" · ".join(part for part in parts if part))),
        )


@contextmanager
def listener(*, json_lines: bool) -> Iterator[Listener]:
    """Provide the listener that fits where standard error goes."""
    if json_lines:
        yield JsonLines(sys.stderr)
    elif STDERR.is_terminal:
        with Terminal() as terminal:
            yield terminal
    else:
        yield PlainLines(sys.stderr)


def stdout() -> Console:
    """Return a console for what a command answers, on standard output."""
    wide = None if sys.stdout.isatty() else PIPE_COLUMNS
    return Console(highlight=False, width=wide)


def clean(text: str) -> str:
    """Return the text without anything that could steer a terminal.

    Names of packages, files and advisories, logs and output of scripts are written by
    whoever made the image.
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def report(error: VexxyError) -> None:
    """Tell what happened, what was kept and what to do next."""
    STDERR.print(f"[bold red]error:[/] {escape(clean(error.message))}", soft_wrap=True)
    if error.kept:
        STDERR.print(f"  kept: {escape(clean(error.kept))}", soft_wrap=True)
    if error.hint:
        STDERR.print(f"  next: {escape(clean(error.hint))}", soft_wrap=True)


def report_usage(error: Exception) -> None:
    """Tell what was typed wrong, as other errors are told; typer's own are framed.

    A command that was given nothing at all answers with its help.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        STDERR.print(escape(str(error)), soft_wrap=True)
        return
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "vexxy"
    report(InvalidInput(message.rstrip("."), hint=f"`{command} --help` lists the options"))


def warn(text: str) -> None:
    """Say something that does not stop the work."""
    STDERR.print(f"[yellow]warning:[/] {escape(clean(text))}", soft_wrap=True)


def note(text: str) -> None:
    """Say something that helps."""
    STDERR.print(escape(clean(text)), soft_wrap=True)
