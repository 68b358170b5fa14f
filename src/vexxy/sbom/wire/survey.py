"""What the readers of installed packages share: one root, one walk, one list of finds."""

import bisect
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import FileEntry
from vexxy.kit.errors import VexxyError
from vexxy.sbom.rules import ecosystems, owners, purls
from vexxy.sbom.types import Distribution, Package, Problem

METADATA_LIMIT_BYTES: Final = 64 * 1024 * 1024
PROBLEMS_MAX: Final = 1000
# What is worth missing: programs, libraries, modules. Images are built without
# documentation, examples in it included.
_CODE: Final = re.compile(
    r"(?!/usr/share/doc/).*(/s?bin/[^/]+|/libexec/.*[^/]|\.so(\.[\w.]+)?|"
    r"\.(py|pm|pl|rb|php|js|mjs|cjs|node|jar|a))"
)


@dataclass(frozen=True, slots=True)
class Installed:
    """What a distribution's database says about one package.

    Attributes:
        location: The file of the database.
        files: Paths that the package owns, as written; None when no list is left.
    """

    type: str
    name: str
    version: str
    architecture: str
    source: tuple[str, str]
    location: str
    files: Iterable[str] | None


class Survey:
    """One search for packages in one root file system.

    A reader adds packages as it finds them and a problem for whatever it could not read:
    an unreadable file must never look like an absent package.
    """

    def __init__(self, root: RootFilesystem, distribution: Distribution | None) -> None:
        self.root: Final = root
        self.distribution: Final = distribution
        self.packages: Final[list[Package]] = []
        self.problems: Final[list[Problem]] = []

    def read(self, path: str, *, limit: int = METADATA_LIMIT_BYTES) -> bytes | None:
        """Return the content of a file, or None after noting why it was not read."""
        try:
            return self.root.read_bytes(path, limit=limit)
        except VexxyError as error:
            self.note(path, error.message)
            return None

    def read_text(self, path: str, *, limit: int = METADATA_LIMIT_BYTES) -> str | None:
        """Return the content as text, undecodable bytes replaced; None as `read`."""
        content = self.read(path, limit=limit)
        return None if content is None else content.decode("utf-8", "replace")

    def read_paths(self, path: str) -> list[str] | None:
        """Return the lines of a list of paths, spelled as the walk spells them."""
        content = self.read(path)
        return None if content is None else os.fsdecode(content).splitlines()

    def note(self, path: str, message: str) -> None:
        """Record that something at `path` may hide packages."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(path=path, message=message))
        elif len(self.problems) == PROBLEMS_MAX:
            self.problems.append(Problem(path="/", message="more problems, not listed"))

    def add_installed(self, installed: Installed) -> None:
        """Add a package of the distribution."""
        listed = tuple(installed.files or ())
        self.packages.append(
            Package(
                purl=purls.distribution_purl(
                    installed.type,
                    installed.name,
                    installed.version,
                    architecture=installed.architecture,
                    distribution=self.distribution,
                ),
                type=installed.type,
                name=installed.name,
                version=installed.version,
                ecosystem=ecosystems.ecosystem_of(installed.type, self.distribution),
                source_name=installed.source[0],
                source_version=installed.source[1],
                architecture=installed.architecture,
                locations=(installed.location,),
                files=self.existing(listed),
                files_known=installed.files is not None,
                missing=self.missing(listed),
            )
        )

    def add_language_package(
        self,
        package: tuple[str, str, str],
        *,
        location: str,
        files: Iterable[str] | None = (),
        embedded_in: str | None = None,
        missing: tuple[str, ...] = (),
    ) -> None:
        """Add a package `(purl type, full name, version)` found at `location`.

        `files` are canonical already; None when the metadata does not tell them.
        """
        package_type, name, version = package
        self.packages.append(
            Package(
                purl=purls.language_purl(package_type, name, version),
                type=package_type,
                name=purls.ecosystem_name(package_type, name),
                version=version,
                ecosystem=ecosystems.ecosystem_of(package_type, None),
                locations=(location,),
                files=tuple(sorted(files or ())),
                embedded_in=embedded_in,
                files_known=files is not None,
                missing=missing,
            )
        )

    def named(self, name: str) -> Sequence[FileEntry]:
        """Return every regular file whose last path component is `name`."""
        return self._by_name.get(name, ())

    def suffixed(self, *suffixes: str) -> Sequence[FileEntry]:
        """Return every regular file whose name ends in one of the suffixes (`.jar`)."""
        wanted = set(suffixes)
        return [
            entry
            for suffix, entries in self._by_suffix.items()
            if suffix in wanted
            for entry in entries
        ]

    def below(self, directory: str) -> Sequence[str]:
        """Return the paths of every regular file under a canonical directory."""
        # "0" is the character after "/", so this is the end of the directory's range.
        start = bisect.bisect_left(self._paths, directory + "/")
        end = bisect.bisect_left(self._paths, directory + "0")
        return self._paths[start:end]

    def siblings(self, directory: str) -> Sequence[str]:
        """Return the paths of the regular files right in a canonical directory."""
        return self._by_directory.get(directory, ())

    def existing(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return the canonical paths of those that are regular files now, sorted.

        Byte code that an interpreter left beside an owned module is added: no package
        lists it, yet it is what gets loaded.
        """
        found: set[str] = set()
        for path in paths:
            entry = self.root.find_file(path)
            if entry is None:
                continue
            found.add(entry.path)
            if entry.path.endswith(".py"):
                found.update(self._bytecode.get(entry.path, ()))
        return tuple(sorted(found))

    def missing(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return the paths of code that nothing is at, sorted."""
        code = (path for path in paths if _CODE.fullmatch(path))
        gone = (path for path in code if self.root.find_file(path) is None)
        return tuple(sorted(path for path in gone if self.root.resolve(path) is None))

    def distribution_files(self, path: str) -> frozenset[str] | None:
        """Return every file of the distribution's package that owns `path`, if one does.

        Right only after the distribution's databases were surveyed.
        """
        package = self._distribution_owners.get(path)
        return None if package is None else frozenset(package.files)

    @cached_property
    def _distribution_owners(self) -> dict[str, Package]:
        return {
            path: package
            for package in self.packages
            if package.type in owners.DISTRIBUTION_TYPES
            for path in package.files
        }

    @cached_property
    def _paths(self) -> list[str]:
        return list(self.root.entries)

    @cached_property
    def _by_directory(self) -> dict[str, list[str]]:
        directories: dict[str, list[str]] = defaultdict(list)
        for path in self._paths:
            directories[posixpath.dirname(path)].append(path)
        return dict(directories)

    @cached_property
    def _by_name(self) -> dict[str, list[FileEntry]]:
        names: dict[str, list[FileEntry]] = defaultdict(list)
        for entry in self.root.entries.values():
            names[posixpath.basename(entry.path)].append(entry)
        return dict(names)

    @cached_property
    def _by_suffix(self) -> dict[str, list[FileEntry]]:
        suffixes: dict[str, list[FileEntry]] = defaultdict(list)
        for name, entries in self._by_name.items():
            suffixes[posixpath.splitext(name)[1].lower()].extend(entries)
        return dict(suffixes)

    @cached_property
    def _bytecode(self) -> dict[str, list[str]]:
        """Byte code by the module it was made from (PEP 3147, and the old place)."""
        compiled: dict[str, list[str]] = defaultdict(list)
        for entry in self.suffixed(".pyc"):
            directory, name = posixpath.split(entry.path)
            if posixpath.basename(directory) == "__pycache__":
                directory = posixpath.dirname(directory)
            module = name.partition(".")[0]
            compiled[posixpath.join(directory, module + ".py")].append(entry.path)
        return dict(compiled)
