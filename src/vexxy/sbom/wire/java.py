"""Java archives, and archives inside them.

Source: the JAR File Specification; Maven's archiver writes `pom.properties` below
`META-INF/maven/<group>/<artifact>/`.
"""

import io
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from vexxy.kit.errors import VexxyError
from vexxy.sbom.wire import java_names
from vexxy.sbom.wire.java_names import Coordinates
from vexxy.sbom.wire.survey import Survey

SUFFIXES: Final = (".jar", ".war", ".ear", ".hpi", ".jpi", ".par", ".sar", ".kar")
DEPTH_MAX: Final = 4
ENTRIES_MAX: Final = 200_000
NESTED_LIMIT_BYTES: Final = 256 * 1024 * 1024
TOTAL_LIMIT_BYTES: Final = 1024 * 1024 * 1024
_TEXT_LIMIT_BYTES: Final = 1024 * 1024
_POM: Final = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")
_DAMAGED: Final = (
    zipfile.BadZipFile,
    ValueError,
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,  # an encrypted member
)


class _Budget:
    """How much may still be unpacked; a bomb runs out instead of filling the memory."""

    def __init__(self) -> None:
        self.left_bytes = TOTAL_LIMIT_BYTES

    def take(self, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
        """Return a member's content; raises ValueError past the limit or the budget."""
        limit = min(limit, self.left_bytes)
        with archive.open(name) as member:
            content = member.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"{name} unpacks to more than {limit} bytes")
        self.left_bytes -= len(content)
        return content


def survey_packages(survey: Survey) -> None:
    """Add the Maven packages in every archive, at most four archives deep."""
    budget = _Budget()
    for entry in survey.suffixed(*SUFFIXES):
        try:
            with survey.root.open_file(entry.path) as file:
                reader = _Reader(survey, entry.path, budget)
                reader.read(file, [entry.path])
        except VexxyError as error:
            survey.note(entry.path, error.message)


class _Reader:
    """Reads one archive of the image with what is nested in it."""

    def __init__(self, survey: Survey, path: str, budget: _Budget) -> None:
        self._survey: Final = survey
        self._path: Final = path
        self._budget: Final = budget

    def read(self, file: BinaryIO, trail: list[str]) -> None:
        """Add what the archive at the end of `trail` is and contains."""
        shown = "!/".join(trail)
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                if len(names) > ENTRIES_MAX:
                    raise ValueError(f"it has {len(names)} entries")
                self._identify(archive, names, trail)
                for name in names:
                    if name.lower().endswith(SUFFIXES):
                        self._descend(archive, name, trail)
        except _DAMAGED as error:
            self._survey.note(self._path, f"{shown} could not be read: {error}")

    def _descend(self, archive: zipfile.ZipFile, name: str, trail: list[str]) -> None:
        if len(trail) >= DEPTH_MAX:
            self._survey.note(self._path, f"{name} is nested too deep to be read")
            return
        try:
            content = self._budget.take(archive, name, NESTED_LIMIT_BYTES)
        except _DAMAGED as error:
            self._survey.note(self._path, f"{name} could not be read: {error}")
            return
        self.read(io.BytesIO(content), [*trail, name])

    def _identify(
        self, archive: zipfile.ZipFile, names: list[str], trail: list[str]
    ) -> None:
        """Add every package that the archive names; several mean that it was shaded."""
        found = list(self._poms(archive, names))
        own, shown = posixpath.basename(trail[-1]), "!/".join(trail)
        if not any(java_names.is_own(own, package) for package in found):
            guess = java_names.guess(own, self._manifest(archive), names)
            if guess is not None:
                found.append(guess)
            elif not found and any(name.endswith(".class") for name in names):
                self._survey.note(self._path, f"{shown} does not say what it is")
        for package in found:
            name = f"{package.group}:{package.artifact}"
            if not package.certain:
                self._survey.note(
                    self._path, f"{shown} does not name its Maven group; taken for {name}"
                )
            self._survey.add_language_package(
                ("maven", name, package.version),
                location=self._path,
                files=[self._path],
                embedded_in=self._path if len(trail) > 1 else None,
            )

    def _poms(self, archive: zipfile.ZipFile, names: list[str]) -> Iterator[Coordinates]:
        for name in names:
            if not _POM.fullmatch(name):
                continue
            fields = _properties(self._budget.take(archive, name, _TEXT_LIMIT_BYTES))
            values = [fields.get(key, "") for key in ("groupId", "artifactId", "version")]
            if all(values):
                yield Coordinates(values[0], values[1], values[2])
            else:
                self._survey.note(self._path, f"{name} lacks group, artifact or version")

    def _manifest(self, archive: zipfile.ZipFile) -> dict[str, str]:
        try:
            content = self._budget.take(archive, "META-INF/MANIFEST.MF", _TEXT_LIMIT_BYTES)
        except KeyError:
            return {}
        text = content.decode("utf-8", "replace").replace("\r\n", "\n")
        main = text.replace("\n ", "").partition("\n\n")[0]
        pairs = (line.partition(":") for line in main.splitlines())
        return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _properties(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}
