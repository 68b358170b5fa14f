"""A root file system planted in a directory, and a run of it that never happened."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.fakes.values import a_completeness, a_match, a_package, a_profile
from vexxy.advisories.types import Match
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import service
from vexxy.reachability.types import Loadable, Settings, Verdict
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access, ExecutionProfile, FileAccess, Process

LIBRARIES = "/usr/lib/x86_64-linux-gnu"


class Planted:
    """A tree in which things are planted, and the accesses of its run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.accesses: list[FileAccess] = []
        self.processes: list[Process] = []
        self.outside: list[FileAccess] = []
        self.environment: dict[str, str] = {}
        self.working_directory = "/"

    def write(self, path: str, text: str | bytes = "", *, mode: int = 0o644) -> str:
        target = self.directory / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        target.chmod(mode)
        return path

    def program(self, path: str, text: str = "#!/bin/true\n") -> str:
        return self.write(path, text, mode=0o755)

    def link(self, path: str, target: str) -> None:
        place = self.directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    def compile(self, path: str, source: str, *options: str) -> str:
        """Build an ELF file with the machine's compiler."""
        target = self.directory / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = self.directory.parent / "source.c"
        text.write_text(source)
        command = ["gcc", "-w", "-O1", "-o", str(target), str(text), *options]
        subprocess.run(command, check=True, capture_output=True)
        return path

    def library(self, name: str, source: str = "int f(void){return 1;}", *more: str) -> str:
        """Build a shared library in the usual directory."""
        options = ("-shared", "-fPIC", f"-Wl,-soname,{name}", *more)
        return self.compile(f"{LIBRARIES}/{name}", source, *options)

    def touched(self, path: str, access: Access = Access.CODE, at: float = 1.0) -> None:
        self.accesses.append(FileAccess(path, access, at))

    def read_by(self, program: str, path: str, access: Access = Access.DATA) -> None:
        self.accesses.append(FileAccess(path, access, 1.0, program))

    def ran_outside(self, path: str, access: Access = Access.CODE) -> None:
        self.outside.append(FileAccess(path, access, 1.0, "/usr/bin/interpreter"))

    def profile(self, **completeness: object) -> ExecutionProfile:
        """Return the run; something is always executed, or it would be no run."""
        init = FileAccess("/sbin/init-of-the-test", Access.EXECUTED, 0.0)
        return replace(
            a_profile(completeness=a_completeness(**completeness)),
            files_accessed=(init, *self.accesses),
            processes=tuple(self.processes),
            files_outside_image=tuple(self.outside),
        )

    def overlay(self) -> Loadable:
        root = RootFilesystem(self.directory)
        inventory = Inventory(None, ())
        return service.overlay(root, self.profile(), inventory, settings=self.settings())

    def settings(self) -> Settings:
        return Settings(
            environment=self.environment, working_directory=self.working_directory
        )

    def judge(
        self,
        *findings: Match | Package,
        driven: bool = True,
        completeness: Mapping[str, object] | None = None,
        inventory: Inventory | None = None,
    ) -> tuple[Verdict, ...]:
        matches = [one if isinstance(one, Match) else a_match(one) for one in findings]
        packages = tuple(match.package for match in matches)
        return service.judge(
            matches,
            inventory=inventory or Inventory(None, packages),
            profile=self.profile(**(completeness or {})),
            root=RootFilesystem(self.directory),
            driven=driven,
            settings=self.settings(),
        )

    def owner(self, *files: str, **given: object) -> Package:
        name = str(given.pop("name", "planted"))
        return a_package(name, **({"files": files, "source_name": name} | given))
