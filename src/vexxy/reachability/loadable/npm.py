"""What a text makes npm, its like or node run: scripts of manifests, local programs.

Source: npm documentation, "scripts" (pre and post scripts, PATH with `node_modules/.bin`)
and "npx". Any word counts that is the name of a script, for arguments may be a list.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.commands import Commands
from vexxy.reachability.loadable.tree import Lead, Tree

SOURCE: Final = "command"
SYSTEM: Final = ("/usr/share/", "/usr/lib/", "/usr/local/lib/", "/opt/yarn", "/proc/")
RUNNERS: Final = re.compile(
    r"(?<![\w.-])(?:npm|pnpm|yarn|bun|npx|pnpx|bunx|corepack|npm-run-all2?|run-[sp]|nodemon"
    r"|concurrently|wireit|turbo|nx|lerna|(?:npm|yarn|pnpm)\.c?js)(?![\w-])"
    r"|\bnpm-cli|[\"'\s]--run\b"
)
# Parts of them, which are much faster to look for.
RUNNER_WORDS: Final = (
    "npm", "yarn", "bun", "npx", "pnpx", "corepack", "run-s", "run-p", "nodemon", "--run",
    "concurrently", "wireit", "turbo ", "nx ", "lerna",
)  # fmt: skip
NODE_WORDS: Final = ("node ", "node\t", "nodejs ", "nodemon ")
STARTER_WORDS: Final = ("tsx ", "forever ", "bun ", "deno ", "pm2")
# Runners that look for a program beside the packages, not for a script of a manifest.
LOCAL: Final = re.compile(
    r"\b(?:npx|pnpx|bunx|dlx|yarn|pnpm)\b|\b(?:npm|bun)\s+(?:exec|x)\b|[\"']exec[\"']"
)
BIN: Final = re.compile(r"node_modules/\.bin/([\w.-]+)")
# Which script is run is a value.
COMPUTED: Final = re.compile(
    r"\b(?:npm|pnpm|yarn|bun)[\"']?\s*(?:,\s*\[?\s*)?(?:[\"']?run(?:-script)?[\"']?[\s,]+)?"
    r"(?:[\"']?-[\w=-]+[\"']?[\s,]+)*(?:[\"'`]\s*\+|\$|%s|\{\w*\})"
    r"|\brun(?:-script)?[\"']\s*,(?!\s*[\"'`\]])"
    r"|[\"'](?:npm|pnpm|yarn)[\"']\s*,\s*(?![\[\"'])[A-Za-z_$]"
)
WORDS: Final = re.compile(r"[\w@][\w:.@/*-]*")
STARTS: Final = re.compile(
    r"(?<![\w.-])(?:node|nodejs|tsx|ts-node|nodemon|forever|bun|deno|pm2(?:-runtime)?)"
    r"((?:[ \t]+(?:-[\w=./:@-]+|start|run))*)[ \t]+([\w@./][\w./@-]*)"
)


# Code and modules given to node itself. What is before a word is looked at after it: an
# expression that starts with fixed letters is many times faster.
EVALUATES: Final = re.compile(
    r"node(?<!\wnode)(?:js)?(?=\s)[^\n;|&]*?(?:\s-(?:e|p|pe|r)\b|\s--(?:eval|print|require|import|loader)\b)"
    r"|NODE_OPTIONS(?<!\wNODE_OPTIONS)\b"
)


class Npm:
    """Follows commands that mean a script of a manifest or a program beside packages."""

    def __init__(self, tree: Tree, commands: Commands) -> None:
        self._tree: Final = tree
        self._commands: Final = commands
        self._followed: set[tuple[str, str]] = set()

    def scripts(self, text: str) -> Iterator[Lead]:
        """Yield what the scripts of manifests that a text names can start."""
        if not self._manifests:
            return
        for name in set(BIN.findall(text)):
            for directory in self._manifests:
                yield from self._local(directory, name, "names the program")
        known = any(word in text for word in RUNNER_WORDS)
        if not known or RUNNERS.search(text) is None:
            return
        words = set(WORDS.findall(text))
        patterns = [one for one in words if "*" in one]
        computed = COMPUTED.search(text) is not None
        for directory, scripts in self._manifests.items():
            for name in scripts:
                stem = re.sub(r"^(pre|post)(?=\w)", "", name)
                named = name in words or stem in words or f"npm:{name}" in words
                like = any(fnmatchcase(name, one) for one in patterns)
                if named or like or computed:
                    yield from self._script(directory, name)
            if LOCAL.search(text):
                for word in words:
                    yield from self._local(directory, word, "names the program")

    def files(self, text: str) -> Iterator[str]:
        """Yield the paths that a text gives to node as a script, as written."""
        node = "node" in text and any(word in text for word in NODE_WORDS)
        if not node and not any(word in text for word in STARTER_WORDS):
            return
        for found in STARTS.finditer(text):
            yield found[2]

    @property
    def directories(self) -> tuple[str, ...]:
        """Directories of the applications' manifests."""
        return tuple(self._manifests)

    def _script(self, directory: str, name: str) -> Iterator[Lead]:
        if (directory, name) in self._followed:
            return
        self._followed.add((directory, name))
        text = self._manifests[directory][name]
        how = f"starts the npm script {name} of {directory}/package.json, which"
        # A text for a shell, which is read here and never run.
        for lead in self._commands.line(text, shell=True):  # noqa: S604  said above
            yield Lead(lead.target, f"{how} {lead.how}", SOURCE)
        for word in set(WORDS.findall(text)):
            yield from self._local(directory, word, f"{how} names the program")
        yield from self.scripts(text)

    def _local(self, directory: str, word: str, how: str) -> Iterator[Lead]:
        """Yield the program that a word means in the nearest `node_modules/.bin`."""
        if "/" in word.lstrip("@") or "*" in word:
            return
        current = directory
        while True:
            target = self._tree.find_file(f"{current}/node_modules/.bin/{word}")
            if target is not None:
                yield Lead(target, f"{how} {word},", SOURCE)
                return
            if not current:
                return
            current = current.rpartition("/")[0]

    @cached_property
    def _manifests(self) -> Mapping[str, Mapping[str, str]]:
        """The scripts of every application's manifest, by its directory."""
        found = {}
        for path in self._tree.files_named("package.json"):
            if "/node_modules/" in path or path.startswith(SYSTEM):
                continue
            try:
                parsed = json.loads(self._tree.read_text(path) or "{}")
            except (ValueError, RecursionError):
                parsed = {}
            scripts = parsed.get("scripts") if isinstance(parsed, dict) else None
            given = scripts if isinstance(scripts, dict) else {}
            found[path.rpartition("/")[0]] = {
                name: text for name, text in given.items() if isinstance(text, str)
            }
        return found
