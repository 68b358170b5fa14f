"""What a Python file does with values that are known only at run time.

Asked of application files: they decide what is run, loaded and unpickled; a library
does so on behalf of its caller. An answer too careful opens more than need be.
"""

import re
from collections.abc import Iterator
from typing import Final

from vexxy.reachability.wire import tokens

COMMENTS: Final = re.compile(r"(?m)^[ \t]*#.*$")
# A string that is the whole first argument.
STRING: Final = (
    r"\"\"\"(?s:.*?)\"\"\"|'''(?s:.*?)'''"
    r"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
)
CONSTANT: Final = rf"\s*\(\s*(?:[rRuUbB]{{0,2}}(?:{STRING})\s*)+[,)]"
EXECUTES: Final = re.compile(
    rf"(?<![\w.])(?<!def )(?P<call>exec|eval|compile|execfile)\b(?=\s*\()(?!{CONSTANT})"
    r"|[=(,\[:]\s*(?P<value>exec|eval)(?=\s*[,)\]}\n;])"
    r"|(?P<other>__builtins__|(?:getattr|vars)\(\s*builtins|import\s+builtins\s+as\b|"
    r"\bbuiltins\.(?:exec|eval|compile|__dict__)|from\s+builtins\s+import|"
    r"\b(?:FunctionType|CodeType|InteractiveInterpreter|InteractiveConsole)\s*\(|"
    r"\bmarshal\.loads?\b|from\s+marshal\s+import|\brunsource\b|\bruncode\b)"
)
EXECUTE_WORDS: Final = (
    "exec", "eval", "compile", "builtins", "FunctionType", "CodeType", "marshal",
    "Interactive", "runsource", "runcode",
)  # fmt: skip
# The code itself is in the file, encoded or encrypted; whoever wrote it.
HIDDEN: Final = re.compile(
    r"(?<![\w.])(?:exec|eval)\s*\((?=[^\n]{0,200}\b(?:b64decode|b32decode|a85decode|"
    r"b85decode|unhexlify|fromhex|decrypt|decompress|marshal))"
)
HIDING_WORDS: Final = (
    "b64decode", "b32decode", "a85decode", "b85decode", "unhexlify", "fromhex", "decrypt",
    "decompress", "marshal",
)  # fmt: skip
LOCKED: Final = re.compile(
    r"__pyarmor__|\bpytransform\b|\bpyarmor_runtime\b|\bsourcedefender\b"
)
LOCKING_WORDS: Final = ("pyarmor", "pytransform", "sourcedefender")
# What is read names the classes to import.
UNPICKLES: Final = re.compile(
    r"\b(?:_?c?[pP]ickle|dill|cloudpickle|jsonpickle)\.(?:loads?|Unpickler|decode)\b"
    r"|\b(?:joblib|torch)\.load\b|\bshelve\.open\b|\bread_pickle\b|\bUnpickler\b"
    r"|\bfrom\s+(?:c?[pP]ickle|dill|cloudpickle|jsonpickle|joblib|shelve)\s+import\b"
    r"|\bimport\s+(?:c?[pP]ickle|dill|cloudpickle|jsonpickle|joblib|shelve)\s+as\b"
    r"|\ballow_pickle\s*=\s*True\b|\bunsafe_load|\bUnsafeLoader\b|\byaml\.Loader\b"
)
# Words of a compiled file that does so.
UNPICKLERS: Final = frozenset({"pickle", "cPickle", "dill", "joblib", "shelve"})
UNPICKLE_WORDS: Final = (
    "ickle", "dill", "joblib", "torch", "shelve", "npickler", "unsafe_load", "Loader",
)  # fmt: skip

ANYTHING: Final = "*"
LITERAL: Final = re.compile(
    r"""(?P<prefix>[a-zA-Z]{0,2})(?P<quote>\"\"\"|'''|["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)"""
)
NAME: Final = re.compile(r"[A-Za-z_][\w.]*")
KNOWN: Final = re.compile(r"sys\.executable\b|None\b")
OPENING: Final = re.compile(r"(?:args\s*=\s*|name\s*=\s*|os\.P_\w+\s*,\s*|[\[(]\s*)*")
# They hand on what they are given.
WRAPPERS: Final = re.compile(
    r"(?:(?:[\w.]*\.)?(?:split|(?P<joins>join|Path)|which|find_library|str|fspath|expanduser"
    r"|abspath))\s*\("
)
TEXT_JOINS: Final = re.compile(r"\s*\.join\s*\(")
PARAMETER: Final = r"\b(?:def\s+\w+\s*\(|lambda\b)[^):\n]*(?<![\w.=]){}\b(?!\s*\()"
JOINED: Final = re.compile(r"\s*(?:\+|%|\.format\b|/)")
ITERATED: Final = r"\bfor\s+{}\s+in\s+[\[(]?"
ASSIGNED: Final = r"(?<![\w.]){}\s*(?::[^=\n]+)?=(?!=)\s*"
PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}|%(?:\(\w+\))?[sdr]")
DEPTH_MAX: Final = 3
CALL_CHARACTERS_MAX: Final = 500

# The call is looked up by its name.
REFLECTED: Final = re.compile(
    r"\bgetattr\(\s*(?:os|subprocess|pty)\s*,|[)\]]\.(?:system|popen|exec[lv]\w*|Popen)\("
    r"|\bgetattr\(\s*sh\s*,|\.subprocess_(?:exec|shell)\s*\(\s*[\w.]+\s*,\s*(?![\"'])"
)
# The package `sh` has each program as a function.
SHELL_NAMES: Final = re.compile(
    r"\bfrom\s+sh\s+import\s*(?:\(([^)]*)\)|([^\n#]*))|\bsh\.(\w{3,})\s*\("
)
STARTERS: Final = {
    "subprocess": "run call check_call check_output Popen getoutput getstatusoutput",
    "os": "system popen execl execle execlp execlpe execv execve execvp execvpe spawnl "
    "spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp",
    "asyncio": "create_subprocess_exec create_subprocess_shell",
    "pty": "spawn",
    "pexpect": "spawn run runu spawnu",
    "sh": "Command",
    "anyio": "run_process open_process",
    "trio": "run_process open_process",
    "delegator": "run",
    "invoke": "run",
    "posix": "system popen execv execve posix_spawn posix_spawnp",
    "distutils.spawn": "spawn",
    "multiprocessing.util": "spawnv_passfds",
    "webbrowser": "get",
}
LOADERS: Final = {
    "ctypes": "CDLL PyDLL WinDLL cdll.LoadLibrary pydll.LoadLibrary",
    "ctypes.util": "find_library",
    "ffi": "dlopen",
}

# One of them is in every file that calls a loader, under whatever name.
LOADER_WORDS: Final = ("CDLL", "PyDLL", "WinDLL", "cdll", "pydll", "find_library", "dlopen")


def executed(text: str) -> str | None:
    """Return what runs text or code made at run time; None if nothing does."""
    if not any(word in text for word in EXECUTE_WORDS):
        return None
    found = EXECUTES.search(COMMENTS.sub("", text))
    if found is None:
        return None
    return (found["call"] or found["value"] or found["other"]).strip(" (")


def is_hidden(text: str) -> bool:
    """Return whether a file decodes or decrypts the code that it runs."""
    executes = "exec" in text or "eval" in text
    if executes and any(one in text for one in HIDING_WORDS):
        return any(tokens.starting(HIDDEN, ("exec", "eval"), text)) or _is_locked(text)
    return _is_locked(text)


def _is_locked(text: str) -> bool:
    return any(one in text for one in LOCKING_WORDS) and LOCKED.search(text) is not None


def unpickles(text: str) -> bool:
    """Return whether a file reads data that can name any class."""
    return any(one in text for one in UNPICKLE_WORDS) and UNPICKLES.search(text) is not None


def commands(text: str) -> frozenset[str]:
    """Return the names of programs that are started by value, `*` for what is not fixed."""
    return _values(text, STARTERS, first_word=True)


def libraries(text: str) -> frozenset[str]:
    """Return the names of libraries that are loaded by value, `*` for what is not fixed."""
    if not any(one in text for one in LOADER_WORDS):
        return frozenset()
    return _values(text, LOADERS, first_word=False)


def _values(text: str, calls: dict[str, str], *, first_word: bool) -> frozenset[str]:
    text = COMMENTS.sub("", text)
    found = {ANYTHING} if first_word and REFLECTED.search(text) else set()
    if first_word and " sh" in text:
        listed = ",".join("".join(one) for one in SHELL_NAMES.findall(text))
        found |= {one.replace("_", "-") for one in re.findall(r"\w{3,}", listed)}
    for call in re.finditer(_expression(text, calls), text):
        for pattern in _given(text, call, first_word=first_word):
            start = pattern.lstrip().split() if first_word else [pattern]
            name = (start or [""])[0].rpartition("/")[2]
            if ANYTHING in pattern and (ANYTHING in name or not name):
                found.add(name or ANYTHING)
    return frozenset(found)


def _given(text: str, call: re.Match[str], *, first_word: bool) -> Iterator[str]:
    """Yield the forms of the argument of a call, or of what is handed on to be called."""
    after = call["after"]
    if after and (after.strip() == "(" or first_word):
        yield from _argument(text, call.end(), DEPTH_MAX)
    elif first_word and "." in call[0] and not call[0].endswith("Popen"):
        yield ANYTHING


def _expression(text: str, calls: dict[str, str]) -> str:
    """Return an expression for the calls, under the names they are imported with."""
    parts = []
    for module, names in calls.items():
        last = module.rpartition(".")[2]
        written = "|".join(re.escape(one) for one in names.split())
        aliases = re.findall(rf"\bimport\s+{re.escape(module)}\s+as\s+(\w+)", text)
        owners = "|".join({last, re.escape(module), *aliases})
        parts.append(rf"(?<![\w.])(?:{owners})\.(?:{written})")
        parts += _imported(text, module, names.split())
    return rf"(?:{'|'.join(parts)})\b(?P<after>\s*[(,]\s*)?"


def _imported(text: str, module: str, names: list[str]) -> Iterator[str]:
    pattern = rf"\bfrom\s+{re.escape(module)}\s+import\s*(\([^)]*\)|[^\n]*)"
    for found in re.finditer(pattern, text):
        for part in found[1].strip("()").split(","):
            words = part.split()
            if words[:1] == ["*"]:
                yield from (rf"(?<![\w.]){re.escape(one)}" for one in names)
            elif words and any(one.partition(".")[0] == words[0] for one in names):
                yield rf"(?<![\w.]){words[-1]}(?:\.LoadLibrary)?"


def _argument(text: str, at: int, depth: int) -> Iterator[str]:
    """Yield the forms that the expression at a place can take, `*` for what is a value."""
    at = _skip(OPENING, text, at)
    wrapper = WRAPPERS.match(text, at)
    literal = LITERAL.match(text, at)
    if KNOWN.match(text, at):
        return
    if literal is not None:
        between = TEXT_JOINS.match(text, literal.end())
        if between is not None and depth:
            yield from _joined(text, between.end(), literal["text"], depth=depth - 1)
        else:
            yield _form(literal, joined=JOINED.match(text, literal.end()) is not None)
    elif wrapper is not None and depth:
        yield from _wrapped(text, wrapper, depth - 1)
    else:
        name = NAME.match(text, at)
        called = name is not None and text[name.end() : name.end() + 1] in {"(", "["}
        if name is None or called or not depth:
            yield ANYTHING
        elif JOINED.match(text, name.end()):
            for form in _assigned(text, name[0], depth - 1):
                yield form if ANYTHING in form else form + ANYTHING
        else:
            yield from _assigned(text, name[0], depth - 1)


def _wrapped(text: str, wrapper: re.Match[str], depth: int) -> Iterator[str]:
    """Yield the forms of what a call joins: its last literal, else its argument."""
    at = wrapper.end()
    inner = operands(text, at)
    literals = list(LITERAL.finditer(inner))
    asked = re.search(r"environ|getenv|\.get\(|\w\[", inner)
    if not literals or asked is not None or not wrapper["joins"]:
        yield from _argument(text, at, depth)
    elif inner[literals[-1].end() :].strip(" \n\t,)]"):
        # A path whose end is a value.
        yield ANYTHING
    else:
        yield _form(literals[-1], joined=False)


def _joined(text: str, at: int, between: str, *, depth: int) -> Iterator[str]:
    """Yield the forms of `" ".join([...])`: what it starts with, if that is fixed."""
    for form in _argument(text, at, depth):
        fixed = ANYTHING in form or between[:1].isspace()
        yield form if fixed else form + ANYTHING


def operands(text: str, at: int) -> str:
    """Return what stands between the parentheses of a call."""
    open_ones = 1
    for end in range(at, min(len(text), at + CALL_CHARACTERS_MAX)):
        open_ones += (text[end] == "(") - (text[end] == ")")
        if not open_ones:
            return text[at:end]
    return text[at : at + CALL_CHARACTERS_MAX]


def _assigned(text: str, name: str, depth: int) -> Iterator[str]:
    places = [
        found.end()
        for form in (ASSIGNED, ITERATED)
        for found in re.finditer(form.format(re.escape(name)), text)
    ]
    if not places or re.search(PARAMETER.format(re.escape(name)), text):
        yield ANYTHING
    for at in places:
        yield from _argument(text, at, depth)


def _form(literal: re.Match[str], *, joined: bool) -> str:
    text = literal["text"]
    values = "f" in literal["prefix"].lower() or joined
    text = PLACEHOLDER.sub(ANYTHING, text) if values else text
    return text + ANYTHING if joined and ANYTHING not in text else text


def _skip(expression: re.Pattern[str], text: str, at: int) -> int:
    found = expression.match(text, at)
    return at if found is None else found.end()
