"""One git repository, read as data: no hooks, filters, drivers or configuration of it."""

import os
import re
import subprocess
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from vexxy.integrations.fixes.errors import GitFailed, GitMissing, NoRepository

_SECONDS: Final = 60
_OUTPUT_BYTES_MAX: Final = 256 << 20
_FILES_MAX: Final = 40
_COMMITS_MAX: Final = 20
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}(?:\^1)?")
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


class GitHistory:
    """A repository's history; `path` is a clone or its git directory."""

    def __init__(self, path: Path) -> None:
        inner = path / ".git"
        self._directory: Final = inner if inner.exists() else path
        if not (self._directory / "HEAD").is_file():
            raise NoRepository(path)
        self.list_files = lru_cache(maxsize=8)(self._list_files)
        self._messages = lru_cache(maxsize=1)(self._read_messages)

    def diff(self, commit: str, *, suffixes: Sequence[str]) -> str | None:
        """Return what a commit changes against its first parent, without context."""
        if _COMMIT.fullmatch(commit) is None:
            return None
        return self._git(
            *("diff", "-U0", "-w", "-M", "--no-ext-diff", "--no-textconv", "--no-color"),
            *("--src-prefix=a/", "--dst-prefix=b/", f"{commit}^1", commit, "--"),
            *(f"*{suffix}" for suffix in suffixes),
        )

    def read(self, revision: str, path: str) -> str | None:
        """Return the text of a file at a revision, None if it is not there."""
        if _COMMIT.fullmatch(revision) is None:
            return None
        return self._git("cat-file", "blob", f"{revision}:{path}")

    def _list_files(self, revision: str) -> frozenset[str]:
        if _COMMIT.fullmatch(revision) is None:
            return frozenset()
        listed = self._git("ls-tree", "-r", "-z", "--name-only", revision)
        return frozenset((listed or "").split("\0")) - {""}

    def find_files(
        self, revision: str, word: str, *, suffixes: Sequence[str]
    ) -> tuple[str, ...]:
        """Return the files that mention a word at a revision."""
        if _COMMIT.fullmatch(revision) is None or not word:
            return ()
        found = self._git(
            *("grep", "-l", "-z", "-w", "-F", "--no-color", "--no-textconv", "-e", word),
            *(revision, "--"),
            *(f"*{suffix}" for suffix in suffixes),
        )
        names = [one.partition(":")[2] for one in (found or "").split("\0") if one]
        return tuple(names) if len(names) <= _FILES_MAX else ()

    def find_commits(self, phrases: Collection[str]) -> tuple[str, ...]:
        """Return the commits whose message has one of the phrases, newest first."""
        if not phrases:
            return ()
        wanted = [phrase.lower() for phrase in phrases]
        found = (
            commit
            for commit, message in self._messages()
            if any(phrase in message for phrase in wanted)
        )
        return tuple(islice(found, _COMMITS_MAX))

    def _read_messages(self) -> tuple[tuple[str, str], ...]:
        """Return every commit with its message in lower case; read once, asked often."""
        text = self._git("log", "--all", "--no-color", "-z", "--format=%H%n%B") or ""
        parts = (one.partition("\n") for one in text.lower().split("\0"))
        return tuple((commit, message) for commit, _, message in parts if message)

    def _git(self, *arguments: str) -> str | None:
        """Return what git prints, None where it refuses (an unknown commit or file)."""
        command = ["git", f"--git-dir={self._directory}", *_SAFE, *arguments]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        except subprocess.TimeoutExpired as problem:
            raise GitFailed(f"git did not answer within {_SECONDS} s") from problem
        except OSError as problem:
            raise GitMissing from problem
        if done.returncode or len(done.stdout) > _OUTPUT_BYTES_MAX:
            return None
        return done.stdout.decode("utf-8", "replace")


class Clones:
    """Repositories below one folder: `owner/name`, `owner+name` or `name`, bare or not."""

    def __init__(self, folder: Path) -> None:
        self._places: Final = _survey(folder)
        self._known: dict[str, GitHistory | None] = {}

    def find(self, repository: str) -> GitHistory | None:
        """Return the repository `owner/name`, None if it is not here."""
        wanted = repository.lower().removesuffix(".git")
        if wanted not in self._known:
            place = self._places.get(wanted)
            self._known[wanted] = GitHistory(place) if place else None
        return self._known[wanted]


def _survey(folder: Path) -> dict[str, Path]:
    """Return the repositories two levels below the folder, by owner and name."""
    found: dict[str, Path] = {}
    for one in sorted(folder.iterdir()) if folder.is_dir() else ():
        for place in (one, one / "repo"):
            if _is_repository(place) and "+" in one.name:
                found[one.name.lower().replace("+", "/", 1)] = place
        for inner in sorted(one.iterdir()) if one.is_dir() else ():
            if _is_repository(inner) and inner.name != "repo":
                found[f"{one.name}/{inner.name.removesuffix('.git')}".lower()] = inner
    return found


def _is_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() or (path / ".git").exists()
