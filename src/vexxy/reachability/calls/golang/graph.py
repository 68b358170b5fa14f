"""The Go programs of an image, and whether a function of one could be called."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from vexxy.reachability.calls.golang import program as programs
from vexxy.reachability.calls.golang.closure import DAMAGED, Closure
from vexxy.reachability.calls.types import Reach, Reached
from vexxy.reachability.errors import Unparsable
from vexxy.tracer.functions.native.errors import Unreadable


class Graph:
    """The closures over the Go programs of an image; see `calls.types.CallGraph`.

    `read` gives the bytes of a file, `ran` the names of functions seen called, by file.
    """

    def __init__(
        self,
        read: Callable[[str], bytes | None],
        ran: Mapping[str, Collection[str]],
    ) -> None:
        self._read: Final = read
        self._ran: Final = ran
        self._closures: Final[dict[str, Closure | Reached]] = {}

    def reach(self, files: Sequence[str], name: str) -> Reached:
        """Return whether a function could be called; see `calls.types.CallGraph`."""
        answers = [self._reach(path, name) for path in files]
        for wanted in (Reach.PATH, Reach.OPEN):
            for one in answers:
                if one.reach is wanted:
                    return one
        return answers[0] if answers else Reached(Reach.OPEN, "no file was named")

    def _reach(self, path: str, name: str) -> Reached:
        if path not in self._closures:
            self._closures[path] = self._closed(path)
        closure = self._closures[path]
        return closure if isinstance(closure, Reached) else closure.reach(name)

    def _closed(self, path: str) -> Closure | Reached:
        content = self._read(path)
        if content is None:
            return Reached(Reach.OPEN, f"{path} could not be read")
        try:
            program = programs.read(content)
            if program is None:
                return Reached(
                    Reach.OPEN, f"what could call functions of {path} is unknown"
                )
            return Closure(path, program, self._ran.get(path, ()))
        except (Unparsable, Unreadable, *DAMAGED) as error:
            return Reached(Reach.OPEN, f"{path} was not understood: {error}")
