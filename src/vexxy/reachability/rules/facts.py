"""What a decision needs to know about one match; gathered elsewhere, judged here."""

from dataclasses import dataclass
from enum import StrEnum

from vexxy.advisories.types import Symbol
from vexxy.reachability.calls.types import Reach, Reached
from vexxy.reachability.rules.observation import Observation
from vexxy.reachability.types import Reference, Unfollowed
from vexxy.tracer.types import FileAccess


class Presence(StrEnum):
    """Whether the package's files are in the root file system."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class SymbolState(StrEnum):
    """How near one vulnerable function came to running, nearest first.

    `LOADED`: its module is loaded. `NOT_CALLED`: its module is loaded and
    every call was recorded, none of it. `LOADABLE`: not loaded, something could
    load it. `NOT_LOADED`: its file exists and nothing loads it. `ABSENT`: provably not in
    this version or not linked. `UNKNOWN`: nobody could find out.
    """

    CALLED = "called"
    LOADED = "loaded"
    NOT_CALLED = "not_called"
    LOADABLE = "loadable"
    NOT_LOADED = "not_loaded"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SymbolFact:
    """One vulnerable function, looked up in this image and this run.

    Attributes:
        detail: What was found, as a sentence with paths.
        reached: Whether it could still be called; None where nobody asked, because the
            functions that ran were not recorded completely.
        unlinked: Whether a linker left it out of a program: that says nothing about the
            version, so other names of the same list may well fit.
    """

    symbol: Symbol
    state: SymbolState
    detail: str
    reached: Reached | None = None
    unlinked: bool = False

    @property
    def silent(self) -> bool:
        """Whether it did not run, or its file was not loaded, and nothing leads to it."""
        if self.state is SymbolState.NOT_LOADED:
            return True
        quiet = self.state in {SymbolState.NOT_CALLED, SymbolState.LOADABLE}
        return quiet and self.reached is not None and self.reached.reach is Reach.NO_PATH


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one installed package that its verdict rests on.

    Attributes:
        presence_detail: Why the presence is what it is, a sentence.
        data_only: True when the package brings no code, so that reading is its use.
        accesses: Its files, or the binary that contains it, as they were touched;
            metadata left out, strongest first.
        chains: For each file that could still be loaded, the references that lead to
            it, first cause first; at most a few, shortest first.
        chain_count: How many files could still be loaded.
        unfollowed: Languages that could load the package in ways nobody can predict.
        served: Code for browsers among its files that was read, perhaps for a client.
        payload: Data of a language's package that was read, perhaps by a foreign program.
        reader: Who could read a package of data that nobody read, and why; a sentence.
        linked: Why its code may be a part of a program that was built in the image.
        unlinked: Why the code of its static archives is in no such program.
        preconditions: What was seen of what the hole further needs; sentences.
        file_count: Files the package has in this root.
    """

    observation: Observation
    presence: Presence = Presence.PRESENT
    presence_detail: str = ""
    kernel: bool = False
    data_only: bool = False
    accesses: tuple[FileAccess, ...] = ()
    chains: tuple[tuple[Reference, ...], ...] = ()
    chain_count: int = 0
    unfollowed: tuple[Unfollowed, ...] = ()
    served: tuple[str, ...] = ()
    payload: tuple[str, ...] = ()
    symbols: tuple[SymbolFact, ...] = ()
    reader: str = ""
    linked: str = ""
    unlinked: str = ""
    file_count: int = 0
    embedded_in: str | None = None
    preconditions: tuple[str, ...] = ()

    @property
    def loadable(self) -> bool:
        """Whether something could still load the package."""
        return bool(self.chains or self.unfollowed)
