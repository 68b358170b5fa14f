"""Packages inside executables and libraries."""

import posixpath
import struct
from collections.abc import Iterator
from typing import Final

from vexxy.images.types import FileEntry
from vexxy.kit.errors import VexxyError
from vexxy.sbom.wire import elf, go_buildinfo, rust_auditable
from vexxy.sbom.wire.survey import Survey

_COMMENT_LIMIT_BYTES: Final = 4096
_PACKER_MARK: Final = b"UPX!"
_PACKER_MARK_WITHIN_BYTES: Final = 1024


def survey_packages(survey: Survey) -> None:
    """Add the modules of every Go binary and the crates of every auditable Rust one."""
    for entry in _candidates(survey):
        try:
            with survey.root.open_file(entry.path) as file:
                binary = elf.read_elf(file)
                if binary is not None:
                    _survey_binary(survey, entry.path, binary)
        except VexxyError as error:
            survey.note(entry.path, error.message)
        except (OSError, ValueError, OverflowError, struct.error) as error:
            survey.note(entry.path, f"an executable that could not be read: {error}")


def _candidates(survey: Survey) -> Iterator[FileEntry]:
    for entry in survey.root.entries.values():
        if entry.size_bytes < elf.HEADER_BYTES:
            continue
        name = posixpath.basename(entry.path)
        if entry.executable or name.endswith(".so") or ".so." in name:
            yield entry


def _survey_binary(survey: Survey, path: str, binary: elf.Elf) -> None:
    info = go_buildinfo.find_build_info(binary)
    if info is not None:
        _add_go(survey, path, info)
        return
    crates = rust_auditable.find_crates(binary)
    if crates is not None:
        for name, version in crates:
            _add(survey, path, ("cargo", name, version))
        return
    reason = _opaque(binary)
    if reason and survey.distribution_files(path) is None:
        survey.note(path, reason)


def _add_go(survey: Survey, path: str, info: go_buildinfo.BuildInfo) -> None:
    version = info.go_version.partition(" ")[0]
    if version.startswith("go"):
        _add(survey, path, ("golang", "stdlib", version))
    else:
        survey.note(path, f"built by an unreleased Go: {info.go_version!r}")
    for name, module_version in info.modules:
        _add(survey, path, ("golang", name, module_version))
    if not info.modules and survey.distribution_files(path) is None:
        survey.note(path, "a Go binary that does not name its modules")


def _add(survey: Survey, path: str, package: tuple[str, str, str]) -> None:
    survey.add_language_package(package, location=path, files=[path], embedded_in=path)


def _opaque(binary: elf.Elf) -> str | None:
    """Return why a binary surely contains packages that nothing in it names."""
    names = {section.name for section in binary.sections}
    if not names:
        packed = _PACKER_MARK in binary.read(0, _PACKER_MARK_WITHIN_BYTES)
        return "a packed binary (UPX): what it contains is unknown" if packed else None
    if ".gopclntab" in names or ".note.go.buildid" in names:
        return "a Go binary without build information"
    comment = binary.section(".comment", limit=_COMMENT_LIMIT_BYTES) or b""
    if b"rustc version" in comment:
        return "a Rust binary without a list of crates (cargo auditable)"
    return None
