"""Where a shell's text runs what a value holds, and what that value may be.

A command stands at the start of a line, behind a sign or a word of the shell, and behind
a program that runs another (`timeout 5 $C`). What a text sets itself is looked up as it is
written; anything else is known only at run time.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final

from vexxy.reachability.loadable import comments
from vexxy.reachability.loadable.programs import VALUE

SHELLS: Final = r"(?:/[\w./-]*/)?(?:ba|da|a|k|z|mk)?sh\b"
RUNNERS: Final = (
    r"(?:exec|eval|command|builtin|nohup|setsid|time|timeout|nice|ionice|stdbuf|env|sudo"
    r"|doas|(?:su|runuser)(?:[ \t]+[\w-]+){1,3}[ \t]+-c|su|runuser|gosu|su-exec"
    r"|setpriv|chroot|chpst|s6-setuidgid|xargs|parallel|watch"
    rf"|flock|unshare|nsenter|tini|dumb-init|trap|busybox|{SHELLS})"
)
# What stands between a runner and its command: options, numbers, variables, an account.
GIVEN: Final = (
    r"(?:[ \t]+(?:-[ugnskCPIJjaLdtp][ \t]+[\w./:@$\"-]+|--?[\w=./:{}-]*|[\d][\w.]*"
    r"|[A-Za-z_]\w*=[^\s;&|]*)){0,8}"
)
ACCOUNT: Final = (
    r"(?:(?<=gosu)|(?<=su-exec)|(?<=chroot)|(?<=setuidgid)|(?<=flock))[ \t]+\S+"
)
SIGN: Final = (
    r"(?:^|[;&|({`!]|\b(?:then|do|else|elif|if|while|until)(?=[ \t\"'(!$])"
    r"|\)[ \t]+(?=[\"']?\$))"
)
ASSIGNED: Final = r"(?:[A-Za-z_]\w*=[^\s;&|]*[ \t]+){0,8}"
AHEAD: Final = rf"{ASSIGNED}(?:{RUNNERS}(?:{ACCOUNT})?{GIVEN}[ \t]+){{0,4}}"
COMMAND: Final = re.compile(
    rf"(?m){SIGN}[ \t]*(?:![ \t]+)?{AHEAD}[\"']?((?:[\w./~-]*/|\./)?[$`][^\s;&|<>\"']*)"
)
NAME: Final = re.compile(r"\$\{?(?:!)?([A-Za-z_]\w*)")
ARGUMENTS: Final = re.compile(r"\$\{?[@*1]")
# Programs that say where a file is, or that repeat what the text says.
TELLERS: Final = re.compile(
    r"[$`]\(?[ \t]*(?:which|command[ \t]+-v|type[ \t]+-[pP]|readlink|realpath|dirname|pwd"
    r"|basename[ \t]+[\"']?\$\{?0|uname|hash|id|nproc|tty|getconf|dpkg|arch)\b"
)
CAT: Final = re.compile(r"[$`]\(?[ \t]*(?:cat|<)[ \t]*[\"']?(/[\w./-]+)[\"']?[ \t]*[)`]")
READS: Final = r"\b(?:read|mapfile|readarray|getopts)\b[^\n;|&]{0,200}\b"
# A text that comes from elsewhere, for a shell; `echo` and `cat <<` say it in the script.
FED: Final = re.compile(
    rf"(?m)^(.*?)\|[ \t]*(?:sudo[ \t]+)?{SHELLS}(?:[ \t]+-\w*)*[ \t]*(?:$|[;&|)])"
)
SAID: Final = re.compile(r"(?:^|[;&|({]|\bdo\b|\bthen\b)[ \t]*(?:echo|printf)[^$`|]*$|<<")
HANDED: Final = re.compile(
    rf"\bxargs\b{GIVEN}[ \t]+(?:{SHELLS}(?:[ \t]+-\w+)*"
    r"(?:[ \t]*$|[ \t]+[\"']?(?:\{\}|%|\$))"
    r"|\{\}|%)"
    r"|\bparallel(?:[ \t]+(?:-[jaIP][ \t]+\S+|-\S+|[\d.]+%?|/\S+|<|::::?)){0,9}"
    r"[ \t]*(?=$|[;|&)])"
    rf"|\b(?:EXEC|SYSTEM|exec|system):[\"']?(?:{SHELLS}|\$)"
    r"|\b(?:nc|ncat|netcat)\b[^\n;|]{0,200}[ \t](?:-e|-c|--exec|--sh-exec)[ \t]+[\"']?"
    rf"(?:{SHELLS}|\$)"
    r"|\bawk\b[^\n]{0,150}(?:\bsystem\([ \t]*[^\"\s)]|[$\w][ \t]*\|[ \t]*getline"
    r"|\|[ \t]*\"(?:ba|da)?sh\")",
    re.MULTILINE,
)
FUNCTION: Final = re.compile(r"(?m)^[ \t]*(?:function[ \t]+)?([\w-]+)[ \t]*\(\)[ \t]*\{?")
SET: Final = re.compile(r"\bset[ \t]+--[ \t]+(.*)")
LOOP: Final = re.compile(r"\bfor[ \t]+(\w+)[ \t]+in[ \t]+([^;\n]+)")
RUN_PARTS: Final = re.compile(r"\brun-parts\b(?:[ \t]+-\S+)*[ \t]+([^\s;&|)]+)")
FIND: Final = re.compile(
    rf"\bfind[ \t]+([^\s;&|-][^\s;&|]*)[^\n]{{0,400}}?"
    rf"(?:-(?:exec|execdir|ok)[ \t]+(?:{SHELLS}(?:[ \t]+-\w+)*[ \t]+)?[\"']?\{{\}}"
    rf"|\|[ \t]*(?:xargs|while|parallel)\b)"
)
LOOPED: Final = re.compile(rf"(?m){SIGN}[ \t]*{AHEAD}[\"']?(?:\./)?\$\{{?([A-Za-z_]\w*)")
LOOPS_MAX: Final = 64
DEPTH_MAX: Final = 4
FIXED_MIN: Final = 4


def unknown(
    text: str, environment: Mapping[str, str], there: Callable[[str], bool]
) -> str | None:
    """Return a command that no text and no variable of the image says.

    `there` says whether a file is in the image; `$(cat file)` of one is read as a text.
    """
    text = comments.CONTINUED.sub("", text)
    for found in FED.finditer(text):
        if not SAID.search(found[1]):
            return "a shell's input"
    if HANDED.search(text) is not None:
        return "its input"
    if "$" not in text and "`" not in text:
        return None
    script = _Script(text, environment, there)
    for found in COMMAND.finditer(text):
        name = script.unknown(_whole(text, found), found.start(1))
        if name is not None:
            return name
    return None


def _whole(text: str, found: re.Match[str]) -> str:
    """Return the word that a command starts with, its substitutions whole."""
    word = found[1]
    if "$(" in word or word.startswith("`"):
        end = text.find("\n", found.start(1))
        return text[found.start(1) : end if end >= 0 else len(text)]
    return word


class _Script:
    def __init__(
        self, text: str, environment: Mapping[str, str], there: Callable[[str], bool]
    ) -> None:
        self._there: Final = there
        self._text: Final = text
        self._environment: Final = environment
        self._functions: Final = [*FUNCTION.finditer(text)]

    def unknown(self, word: str, at: int) -> str | None:
        last = word.rpartition("/")[2] if not re.search(r"[(`]", word) else word
        if "$" not in last and "`" not in last:
            return None
        if re.match(r"\$\(|`", last):
            return None if self._told(last) else "a command"
        if ARGUMENTS.match(last):
            return self._arguments(at)
        if sum(one.isalnum() for one in VALUE.sub("", last)) >= FIXED_MIN:
            return None
        found = NAME.match(last) or NAME.search(last)
        if found is None or self._known(found[1], DEPTH_MAX):
            return None
        return f"${found[1]}"

    def _told(self, substitution: str) -> bool:
        """Whether what a command prints is known: a path of the system, a file here."""
        if TELLERS.match(substitution) or substitution.startswith("$(("):
            return True
        found = CAT.match(substitution)
        return found is not None and self._there(found[1])

    def _arguments(self, at: int) -> str | None:
        """Whether arguments at a place are values: `set -- $x`, `run $x` of a function."""
        for found in SET.finditer(self._text):
            rest = re.sub(r"\$\{?[@*0#]\}?", "", found[1])
            if re.match(r"[\"']?(?:\$\(|`|\$)", rest.strip().strip("\"'")):
                return "what `set --` took"
        inside = [one for one in self._functions if one.end() <= at]
        if not inside:
            return None
        name = inside[-1][1]
        end = re.compile(r"(?m)^[ \t]*\}|\}[ \t]*$").search(self._text, inside[-1].end())
        if end is not None and end.start() < at and "\n" in self._text[end.start() : at]:
            return None
        call = rf"(?m)(?:^|[\s;&|(]){re.escape(name)}[ \t]+[\"']?[$`](?!\{{?[@*0])"
        return f"the argument of {name}" if re.search(call, self._text) else None

    def _known(self, name: str, depth: int) -> bool:
        if depth == 0 or re.search(rf"{READS}{name}\b", self._text):
            return False
        values = [found[1] for found in re.finditer(rf"\b{name}\+?=(.*)", self._text)]
        loops = [one[2] for one in LOOP.finditer(self._text) if one[1] == name]
        if re.search(rf"\bfor[ \t]+{name}\b(?!.*\bin\b)", self._text):
            loops.append('"$@"')
        if name in self._environment or re.search(rf"\$\{{{name}:?=", self._text):
            return True
        if not values and not loops:
            return False
        return all(self._said(one, depth) for one in (*values, *loops))

    def _said(self, value: str, depth: int) -> bool:
        """Whether a value is written in the text, or its arguments."""
        value = value.lstrip().removeprefix("(").lstrip()
        bare = value.lstrip("\"'")
        if re.match(r"\$\(|`", bare):
            return self._told(bare)
        found = NAME.match(bare)
        if found is None or re.match(r"\$\{\w+[^}\w]", bare):
            return True
        after = bare[found.end() :].lstrip("}")
        return bool(re.match(r"[\w/.-]", after)) or self._known(found[1], depth - 1)


def directories(text: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield patterns of the files that a text runs one after the other.

    `*` stands for what no text says; a directory whose files all count ends with `/**`.
    """
    if not any(one in text for one in ("run-parts", "find", "for ")):
        return
    text = comments.CONTINUED.sub("", text)
    for found in islice(RUN_PARTS.finditer(text), LOOPS_MAX):
        yield _written(f"{found[1]}/*", text, environment)
    for found in islice(FIND.finditer(text), LOOPS_MAX):
        yield _written(f"{found[1]}/**", text, environment)
    run = {found[1] for found in LOOPED.finditer(text)}
    for found in islice(LOOP.finditer(text), LOOPS_MAX):
        for word in re.findall(r"(?:\$\([^()]*\)|[^\s])+", found[2]):
            if found[1] in run and any(one in word for one in "*?["):
                yield _written(word, text, environment)


def _written(word: str, text: str, environment: Mapping[str, str]) -> str:
    """Return a word with the values that the text or the image gives its variables."""
    word = re.sub(r"[\"']", "", word)
    for _ in range(DEPTH_MAX):
        found = re.search(r"\$\{?([A-Za-z_]\w*)\}?", word)
        if found is None:
            break
        said = re.findall(rf"\b{found[1]}=[\"']?((?:\$\([^()\n]*\)|[^\s;&|\"'])*)", text)
        said = list(dict.fromkeys(said)) or [environment.get(found[1], "*")]
        value = said[0] if len(said) == 1 else "*"
        word = word.replace(found[0], value)
    return re.sub(r"\$\([^()]*\)|`[^`]*`", "*", VALUE.sub("*", word))
