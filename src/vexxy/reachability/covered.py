"""How much of an application's own code a run called, where that is known.

Its own is what no package brought. Only functions of files that were loaded count, and
nothing is said where any of them could have run unseen.
"""

import ast
import warnings
from collections import Counter, defaultdict
from typing import Final

from vexxy.images.errors import FileMissing, FileTooLarge, FileUnreadable
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability.calling import INSTALLED, PYTHON_SUFFIXES, runtime_of
from vexxy.reachability.loadable.modules import STANDARD, source_of
from vexxy.reachability.loadable.node_modules import SOURCE_SUFFIXES
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.wire import jscalls
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import ExecutionProfile, Runtime

COUNTED: Final = frozenset({Runtime.PYTHON, Runtime.NODE})
# Functions of other scripts and archives are not counted, so that nothing is said.
UNCOUNTED: Final = (".rb", ".php", ".inc", ".jar", ".war", ".class")
SOURCE_BYTES_MAX: Final = 8 * 1024 * 1024
Found = Counter[str] | Counter[int]


def percent(
    profile: ExecutionProfile, root: RootFilesystem, inventory: Inventory
) -> float | None:
    """Return the called share of the application's own functions, with one decimal.

    None where no file of it in Python or JavaScript was loaded, where a recorder missed
    anything, or where its functions cannot be counted.
    """
    own = _own(profile, root, inventory)
    if not own or not all(_is_recorded(profile, path) for path in own):
        return None
    called: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for call in profile.functions:
        called[call.path].add((call.name.replace(".<locals>", ""), call.line or 0))
    total = hit = 0
    for path in own:
        defined = _defined(path, root)
        if defined is None:
            return None
        is_python = runtime_of(path) is Runtime.PYTHON
        ran = Counter(name if is_python else line for name, line in called[path])
        total += sum(defined.values())
        hit += sum(min(number, ran[each]) for each, number in defined.items())
    return round(100 * hit / total, 1) if total else None


def _own(
    profile: ExecutionProfile, root: RootFilesystem, inventory: Inventory
) -> frozenset[str]:
    owned = {path for one in inventory.packages for path in one.files}
    suffixes = (*PYTHON_SUFFIXES, *SOURCE_SUFFIXES, *UNCOUNTED)
    found = set()
    for one in profile.files_accessed:
        if one.access in CODE_ACCESSES and one.path.endswith(suffixes):
            source = source_of(one.path)
            found.add(source if source in root.entries else one.path)
    return frozenset(path for path in found - owned if not _is_installed(path))


def _is_installed(path: str) -> bool:
    directory = path.rpartition("/")[0]
    while directory:
        if STANDARD.fullmatch(directory):
            return True
        directory = directory.rpartition("/")[0]
    return INSTALLED.fullmatch(path) is not None or "/node_modules/" in path


def _is_recorded(profile: ExecutionProfile, path: str) -> bool:
    runtime = runtime_of(path)
    return runtime in COUNTED and any(
        one.runtime is runtime
        and one.unit == "function"
        and not one.reasons
        and path not in one.paths_unrecorded
        for one in profile.function_recordings
    )


def _defined(path: str, root: RootFilesystem) -> Found | None:
    """Return the functions of a file, by name or by first line; None if that is unknown.

    Of several in a line nobody can tell which ran, so that lines are counted.
    """
    try:
        content = root.read_bytes(path, limit=SOURCE_BYTES_MAX)
    except (FileMissing, FileTooLarge, FileUnreadable):
        return None
    if runtime_of(path) is Runtime.PYTHON:
        return _python(content) if path.endswith((".py", ".pyw")) else None
    facts = jscalls.parse(path, content)
    if facts.words:
        return None
    functions = facts.functions[1:]
    return Counter(one.line for one in functions if not one.is_class)


def _python(content: bytes) -> Counter[str] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: set[str] = set()
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    while waiting:
        node, around = waiting.pop()
        for child in ast.iter_child_nodes(node):
            inner = around
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{around}.{child.name}" if around else child.name
                if not isinstance(child, ast.ClassDef):
                    found.add(inner)
            waiting.append((child, inner))
    return Counter(found)
