"""apt with lists of its own: the machine's sources, turned to source packages."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from vexxy.advisories.rules import order
from vexxy.integrations.debian.errors import AptFailed, AptMissing

_UPDATE_SECONDS: Final = 300
_ASK_SECONDS: Final = 60
_DOWNLOAD_SECONDS: Final = 300
_TARGETS: Final = "$(SITE)\t$(RELEASE)\t$(COMPONENT)\t$(SIGNED_BY)"
_HELPER: Final = "/usr/lib/apt/apt-helper"
_URI: Final = re.compile(r"'([^']+\.(?:debian\.tar\.\w+|diff\.gz))' (\S+) \d+ (\S+)")


class Apt:
    """A private view of the archive; use it in a `with`, which removes it again."""

    def __init__(self) -> None:
        if shutil.which("apt-get") is None:
            raise AptMissing
        self._folder = TemporaryDirectory(prefix="vexxy-apt-")
        self._root = Path(self._folder.name)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._folder.cleanup)
            self._prepare()
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def _prepare(self) -> None:
        """Write a source list like the machine's, of source packages, and fetch it."""
        (self._root / "lists" / "partial").mkdir(parents=True)
        (self._root / "cache" / "archives" / "partial").mkdir(parents=True)
        (self._root / "status").touch()
        asked = ["apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"]
        lines = []
        for target in sorted(set(_run(asked, seconds=_ASK_SECONDS).splitlines())):
            site, release, component, signed_by = target.split("\t")
            known = signed_by and not signed_by.startswith("$(")
            option = f"[signed-by={signed_by}] " if known else ""
            lines.append(f"deb-src {option}{site} {release} {component}\n")
        if not lines:
            raise AptFailed("apt knows no archive", hint="run `apt-get update` first")
        (self._root / "sources.list").write_text("".join(lines))
        self._apt("update", seconds=_UPDATE_SECONDS)

    def _apt(self, *arguments: str, seconds: int) -> str:
        options = {
            "Dir::Etc::sourcelist": self._root / "sources.list",
            "Dir::Etc::sourceparts": "/nonexistent",
            "Dir::State::lists": self._root / "lists",
            "Dir::State::status": self._root / "status",
            "Dir::Cache": self._root / "cache",
            "APT::Sandbox::User": "",
            "Debug::NoLocking": "true",
        }
        flags = [part for name, to in options.items() for part in ("-o", f"{name}={to}")]
        program = "apt-cache" if arguments[0] == "showsrc" else "apt-get"
        return _run([program, "-qq", *flags, *arguments], seconds=seconds)

    def fetch_packaging(self, package: str) -> tuple[Path, str]:
        """Download a source package's `.debian.tar`; return it and the version.

        That of the newest version which the mirror really has: some lack the files of
        the last security update. apt checks the digest that the signed index gives.

        Raises:
            AptFailed: There is no such package, or none of its versions can be fetched.
        """
        failure: AptFailed | None = None
        for version in self._list_versions(package):
            try:
                return self._fetch(package, version)
            except AptFailed as problem:
                failure = failure or problem
        raise failure or AptFailed(f"no archive known here has a source package {package}")

    def _list_versions(self, package: str) -> list[str]:
        """Return the versions of a source package, newest first."""
        text = self._apt("showsrc", "--only-source", package, seconds=_ASK_SECONDS)
        versions = set(re.findall(r"^Version: (\S+)$", text, re.MULTILINE))
        return sorted(versions, key=order.DPKG, reverse=True)

    def _fetch(self, package: str, version: str) -> tuple[Path, str]:
        wanted = f"{package}={version}"
        text = self._apt(
            "source", "--only-source", "--print-uris", wanted, seconds=_ASK_SECONDS
        )
        found = _URI.search(text)
        if found is None:
            raise AptFailed(f"{package} has no packaging archive (a native package?)")
        uri, name, digest = found.groups()
        path = self._root / Path(name).name
        try:
            _download(uri, path, digest)
        except AptFailed:
            # Some mirrors know a `+` or `~` only as it is, and not as `%2b` or `%7e`.
            if unquote(uri) == uri:
                raise
            _download(unquote(uri), path, digest)
        return path, version


def _download(uri: str, path: Path, digest: str) -> None:
    command = [_HELPER, "-o", "APT::Sandbox::User=", "download-file", uri, str(path)]
    _run([*command, digest], seconds=_DOWNLOAD_SECONDS)


def _run(command: Sequence[str], *, seconds: int) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as problem:
        raise AptFailed(f"apt did not answer within {seconds} s") from problem
    except OSError as problem:
        raise AptMissing from problem
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        raise AptFailed((lines or ["apt failed"])[0].removeprefix("E: "))
    return done.stdout
