"""Which files are configuration, by their names, and which of their values are commands.

A configuration file is not code, so naming one makes nothing loadable; what it names in
turn does. A command stands under a key that speaks of one, or in a line of a crontab.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

# How a lead to a configuration file is written; it is read, never listed as loadable.
MENTIONS: Final = "names the configuration"

CONFIGURATION_BYTES_MAX: Final = 4 * 1024 * 1024
SUFFIXES: Final = (
    "", ".conf", ".cfg", ".cnf", ".ini", ".json", ".yaml", ".yml", ".toml", ".xml", ".env",
    ".properties", ".service", ".load", ".list", ".rc", ".config", ".local", ".d", ".txt",
    ".cron", ".crontab", ".tab", ".jobs", ".hcl", ".tmpl", ".template", ".tpl", ".timer",
    ".json5", ".jsonc", ".plist", ".xconf", ".settings", ".desktop", ".policy", ".rules",
    ".cf", ".mk", ".ninja", ".just", ".mc", ".in",
)  # fmt: skip
ELSEWHERE: Final = (
    "/proc/", "/sys/", "/dev/", "/usr/share/zoneinfo/", "/usr/share/locale/",
    "/usr/share/doc/", "/usr/share/i18n/", "/etc/ssl/certs/", "/usr/share/ca-certificates/",
    "/var/lib/dpkg/", "/lib/apk/db/", "/var/lib/apk/", "/var/lib/rpm/", "/var/log/",
    "/usr/bin/", "/usr/sbin/", "/usr/share/perl", "/usr/share/common-licenses/",
)  # fmt: skip
# Lists of login shells; only what starts login shells runs one (see `commands.DAEMONS`).
ACCOUNTS: Final = frozenset({"/etc/passwd", "/etc/shells", "/etc/passwd-"})
# They describe packages: a name in them is no use of it.
MANIFESTS: Final = frozenset(
    {
        "package.json", "package-lock.json", "composer.lock", "yarn.lock", "poetry.lock",
        "composer.json", "requirements.txt", "Pipfile", "Pipfile.lock", "pyproject.toml",
        "setup.cfg", "RECORD", "METADATA", "LICENSE", "README",
    }
)  # fmt: skip

KEYS: Final = (
    r"(?:cmd|command|exec|run|(?<!de)(?<!sub)(?<!tran)script|hook|program|prog\b|handler"
    r"|shell|action|entry_?point|argv?\b|args|invoke|spawn|launch|binary|\bbin\b|helper"
    r"|notif(?:y|ication)|pipe\b|filter|worker|jobs?\b|tasks?\b|tool|start|stop|reload"
    r"|callback|trigger|convert|processor|daemon|editor|pager|mailer|sendmail|browser"
    r"|viewer|before|after|\bpre|\bpost|steps?\b|\btest\b|check|probe|cron2?\b)"
)
NAME: Final = rf"[\w.-]{{0,60}}?{KEYS}[\w.-]{{0,60}}"
# Any key with such a word in it: `execute-command: x`, `"onHook": ["x"]`, `<exec>x</exec>`;
# at the start of a line without a sign, too: `exec-start x`.
KEY: Final = re.compile(
    rf"(?mi)(?:^|(?<=[\s{{,\[;<\"'])){NAME}(?:\[[^\]\n]{{0,60}}\])?(?:[\"']?\s{{0,40}}[:=]|>)"
    rf"|^[ \t]*{NAME}[ \t]+(?=[^\s=:])"
    r"|^[ \t]*(?:[\w-]+[ \t]+){1,2}(?:[a-z]+[-_](?:[\w-]*[-_])?)?"
    r"(?:script|command|program|exec|hook)[ \t]+(?=[^\s=:])"
)
# Five or more fields of time, or a nickname, before a command; a sixth counts as its word.
CRONTAB: Final = re.compile(
    r"(?m)^[ \t]*(?:@\w+[ \t]+|(?:[\d*][\d*/,~?-]*[ \t]+){2}"
    r"(?:(?:[\d*?][\w*/,~#?-]*|[A-Za-z]{3}(?:[,-][A-Za-z]{3})*)[ \t]+){3})(\S.*)$"
)
# Commands that are told by a sign, by the first word of the line, or by a block.
SIGNED: Final = re.compile(
    r"(?m)(?:^|(?<=[\s\"'=:,]))\|[ \t]*([A-Za-z/][^\n\"|]*)|\bprg:(\S+)"
    r"|=[ \t]*[\"']?!([^\n]+)|[ \t]\^([A-Za-z/][\w./-]*)"
    r"|^[\w*.+-]+/[\w*.+-]+[ \t]*;[ \t]*([^\n]+)"
    r"|\b(?:Try)?(?:System|SHELL)\(([^)\n]+)"
    r"|^[ \t]*(?:client-(?:dis)?connect|up|down|route-up|route-pre-down|ipchange"
    r"|learn-address"
    r"|auth-user-pass-verify|tls-verify|extend(?:-sh|fix)?|pass(?:_persist)?|procfix|sh)"
    r"[ \t]+(\S[^\n]*)"
    r"|\b(?:popen|execute)\s*\(\s*[\"'\[]([^\"'\n\]]+)"
)
BLOCKS: Final = re.compile(
    r"(?ms)^[ \t]*(?:post|pre|first|last)(?:rotate|action|remove)\b(.{0,1500}?)"
    r"^[ \t]*endscript"
)
BUILD: Final = re.compile(r"(?:GNU)?[Mm]akefile|[Jj]ustfile|.+\.(?:mk|ninja|just)")
SWITCHES: Final = frozenset(
    {"true", "false", "yes", "no", "on", "off", "none", "null", "test", "[", "]"}
)
QUOTED: Final = re.compile(r"[ \t]*(\"[^\"\n]*\"|'[^'\n]*'|\[[^\]]{0,2000}\])")
OPENS: Final = re.compile(r"[\[{(|>&\\,+-]*")
VALUE_LENGTH_MAX: Final = 1000
BLOCK_LINES_MAX: Final = 200


def commands(text: str) -> Iterator[str]:
    """Yield the values of a configuration that are commands, as they are written."""
    for found in CRONTAB.finditer(text):
        yield found[1]
    for found in BLOCKS.finditer(text):
        yield found[1]
    for found in SIGNED.finditer(text):
        yield next(one for one in found.groups() if one is not None)
    for found in KEY.finditer(text):
        value = _value(text, found.end())
        if value.strip().strip("\"',;}] ").lower() not in SWITCHES:
            yield value
        if OPENS.fullmatch(value.strip()):
            yield from _block(text, found.start())


def build_files(names: Iterable[str]) -> Iterator[str]:
    """Yield the names of files in which a builder looks up what it starts."""
    return (one for one in names if BUILD.fullmatch(one))


def _value(text: str, at: int) -> str:
    quoted = QUOTED.match(text, at)
    if quoted is not None:
        return quoted[1]
    end = text.find("\n", at, at + VALUE_LENGTH_MAX)
    return text[at : end if end >= 0 else at + VALUE_LENGTH_MAX]


def _block(text: str, at: int) -> Iterator[str]:
    """Yield the lines below a key whose own line holds no value, as far as indented."""
    first = text.rfind("\n", 0, at) + 1
    key = text[first : text.find("\n", at)]
    indent = _indent(key)
    below = text.find("\n", at)
    for _ in range(BLOCK_LINES_MAX):
        if below < 0:
            return
        end = text.find("\n", below + 1)
        line = text[below + 1 : end if end >= 0 else len(text)]
        item = line.lstrip().startswith("-") and _indent(line) == indent
        if line.strip() and not item and _indent(line) <= indent:
            return
        if line.strip("\"'- ,\t").lower() not in SWITCHES:
            yield line[:VALUE_LENGTH_MAX]
        below = end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def is_configuration(path: str) -> bool:
    """Return whether a file may be configuration, by its name."""
    name = path.rpartition("/")[2]
    if (
        path in ACCOUNTS
        or path.startswith(ELSEWHERE)
        or name in MANIFESTS
        or "-info/" in path
    ):
        return False
    suffix = name[name.rfind(".") :] if "." in name[1:] else ""
    return suffix in SUFFIXES
