"""Files that a shell takes for its own text, whatever they are called.

They are sourced (`. "$HOME/functions"`), given to a shell (`sh /app/job`), fed to it
(`sh < jobs`), or read at its start (`/etc/profile`). Their words are commands.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from typing import Final

from vexxy.reachability.loadable.programs import VALUE
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.wire import tokens
from vexxy.reachability.wire.elf import MAGIC

# How a lead to such a file is written.
READS: Final = "has a shell read"

SHELLS: Final = frozenset({"sh", "dash", "bash", "ash", "ksh", "zsh", "mksh", "busybox"})
NAMES: Final = r"(?:[\w./-]*/)?(?:ba|da|a|k|z|mk|rba)?sh"
WORD: Final = r"""((?:"[^"\n]*"|'[^'\n]*'|\$\([^()\n]*\)|\$\{[^}\n]*\}|[^\s;&|()<>"'`])+)"""
OPTIONS: Final = r"(?:-o\s+\w+\s+|[-+](?!\w*c\b)[\w-]+\s+)*"
BEFORE: Final = r"(?:^|(?<=[\s;&|({`\"'!=]))"
READ: Final = re.compile(
    rf"(?m){BEFORE}(?:\.|source|{NAMES})[ \t]+{OPTIONS}(?!-){WORD}"
    rf"|(?:(?<!<)<(?![<(&])|\bcat[ \t]|\bxargs[ \t]+-a|--(?:rc|init-)file[ =])\s*{WORD}"
)
RUN: Final = re.compile(rf"{BEFORE}{NAMES}[ \t]")
LOGIN: Final = re.compile(
    rf"\b{NAMES}[ \t]+(?:-\w+[ \t]+)*(?:-[a-z]*[il]|--login\b)"
    r"|\b(?:su|runuser)[ \t]+(?:[^\s;|&]+[ \t]+)*(?:-|-l|--login)(?=\s|$)"
    r"|\bsudo[ \t]+(?:[^\s;|&]+[ \t]+)*(?:-i|--login)\b|\blogin\b[ \t]+-f"
)
START_FILES: Final = ("/etc/profile", "/etc/bash.bashrc", "/etc/bashrc", "/etc/environment")
START_DIRECTORIES: Final = ("/etc/profile.d",)
HOME_FILES: Final = (".profile", ".bash_profile", ".bash_login", ".bashrc", ".zshrc")
VARIABLES: Final = ("BASH_ENV", "ENV")
PACKAGES: Final = re.compile(r"-packages/|/node_modules/")
# Naming one of these names no file in it.
ORDINARY: Final = frozenset(
    {
        "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/proc", "/root",
        "/run", "/sbin", "/srv", "/sys", "/usr", "/usr/bin", "/usr/lib",
        "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/sbin",
        "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/run",
    }
)  # fmt: skip
OTHER_LANGUAGES: Final = (
    ".py", ".js", ".mjs", ".cjs", ".ts", ".pl", ".pm", ".rb", ".php", ".lua", ".jar",
)  # fmt: skip
ACCOUNTS: Final = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/shells")
FIXED_LENGTH_MIN: Final = 3


class Shell:
    """Finds the texts that the shells of one image read."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree

    def texts(self, text: str) -> Iterator[str]:
        """Yield the files that a script or command line has a shell read."""
        if LOGIN.search(text):
            yield from self._start_files()
        unknown = False
        for found in READ.finditer(text):
            word = (found[1] or found[2]).replace('"', "").replace("'", "")
            pattern = VALUE.sub("*", word.replace("~/", "/root/"))
            if _says_nothing(pattern):
                unknown = unknown or found[1] is not None
            else:
                yield from self._fitting(pattern)
        if unknown:
            yield from self._named_anyhow(text)

    def of_environment(self, environment: Mapping[str, str]) -> Iterator[str]:
        """Yield the files that variables make every shell read at its start."""
        for name in VARIABLES:
            if environment.get(name):
                yield from self._fitting(environment[name])

    def is_text(self, path: str) -> bool:
        """Return whether a shell can take the file for its text."""
        if path.endswith(OTHER_LANGUAGES) or path in ACCOUNTS:
            return False
        content = self._tree.read_text(path)
        return content is not None and not content.startswith(MAGIC.decode("latin-1"))

    def _fitting(self, pattern: str) -> Iterator[str]:
        """Yield the texts whose path ends as written, or is it."""
        directory, _, name = pattern.rpartition("/")
        if not any(one in pattern for one in "*?["):
            target = self._tree.find_file(pattern) if pattern.startswith("/") else None
            if target is not None or pattern.startswith("/"):
                yield from (one for one in (target,) if one and self.is_text(one))
                return
        if pattern.startswith("/") and not any(one in directory for one in "*?["):
            places = [self._tree.resolve(directory or "/") or directory]
            paths = [path for one in places for path in self._tree.files_in(one)]
            tail = re.compile(translate(name))
            paths = [one for one in paths if tail.match(one.rpartition("/")[2])]
        else:
            # Before a value stands anything: only what follows it is known.
            rest = pattern.lstrip("./")
            known = rest.split("/")
            while len(known) > 1 and _says_nothing(known[0]):
                known.pop(0)
            tail = re.compile("(?:.*/)?" + translate("/".join(known)))
            names = [name] if not any(one in name for one in "*?[") else self._tree.names
            paths = [path for one in names for path in self._tree.files_named(one)]
            paths = [path for path in paths if tail.match(path)]
        yield from (path for path in paths if self.is_text(path))

    def lying(self, pattern: str) -> Iterator[str]:
        """Yield the programs and scripts whose path fits; `*` in front is any directory.

        A pattern that ends with `/**` has all files below. One that says nothing fits
        every program.
        """
        directory, _, name = pattern.rstrip("/").rpartition("/")
        known = [one for one in directory.split("/") if one not in {"", ".", "*", ".."}]
        said = any(sum(map(str.isalnum, one)) >= FIXED_LENGTH_MIN for one in known)
        if not said and directory not in ORDINARY - {"/"}:
            yield from set(self._tree.programs.values())
            return
        deep, tail = name == "**", re.compile(translate(name))
        for place in self._places(directory, known):
            inside = self._tree.files_under(place) if deep else self._tree.files_in(place)
            found = {path: path for path in inside}
            found |= {
                f"{place}/{one}": to for one, to in self._tree.links_in(place).items()
            }
            for path, target in found.items():
                fits = deep or tail.match(path.rpartition("/")[2])
                if fits and (self._tree.executable(target) or self.is_text(target)):
                    yield target

    def _places(self, directory: str, known: Sequence[str]) -> list[str]:
        if directory.startswith("/") and not any(one in directory for one in "*?["):
            return [self._tree.resolve(directory) or directory]
        whole = "" if directory.startswith("/") else "(?:.*/)?"
        tail = re.compile(whole + translate("/".join(known)))
        parents = {*self._tree.directories}
        return [
            one
            for one in parents
            if tail.match(one if not whole else one.lstrip("/"))
            and not PACKAGES.search(one)
        ]

    def _named_anyhow(self, text: str) -> Iterator[str]:
        """Yield every text that a script names, alone or by its directory.

        What it reads is a value (`for one in /etc/job.d/*; do . "$one"; done`).
        """
        data = text.encode("utf-8", "surrogateescape")
        for path in tokens.paths(data):
            canonical = self._tree.resolve(path.rstrip("/"))
            if canonical is None or canonical in ORDINARY:
                continue
            there = canonical in self._tree.entries
            paths = [canonical] if there else self._tree.files_in(canonical)
            yield from (one for one in paths if self.is_text(one))

    def _start_files(self) -> Iterator[str]:
        homes = ("/root", *self._tree.children("/home"))
        wanted = [*START_FILES, *(f"{home}/{one}" for home in homes for one in HOME_FILES)]
        for directory in START_DIRECTORIES:
            wanted += self._tree.files_in(self._tree.resolve(directory) or directory)
        for path in wanted:
            target = self._tree.find_file(path)
            if target is not None and self.is_text(target):
                yield target


def is_shell(path: str) -> bool:
    """Return whether a program is a shell and nothing else, by its name."""
    name = path.rpartition("/")[2].lstrip("-")
    return name in SHELLS and name != "busybox"


def _says_nothing(pattern: str) -> bool:
    name = pattern.rpartition("/")[2]
    fixed = sum(one.isalnum() for one in name)
    directory = pattern.rpartition("/")[0]
    known = directory.startswith("/") and "*" not in directory
    return fixed < FIXED_LENGTH_MIN and not known and "*" in name
