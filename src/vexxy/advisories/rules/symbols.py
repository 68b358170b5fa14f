"""Vulnerable functions out of the ecosystem's own fields of a record.

Sources: Go vulnerability database (`imports[].path/symbols`), RustSec
(`affects.functions`), GitHub (`affected_functions`), PyPA (`imports[].attribute/modules`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from vexxy.advisories.rules.names import family
from vexxy.advisories.types import Symbol

_EXPORTED: Final = re.compile(r"\(([^()]+)\)(?:\.(.+))?")


def record_symbols(
    ecosystem: str, specific: Mapping[str, object], *, record_id: str
) -> tuple[Symbol, ...]:
    """Return the functions that one `affected` entry names, in its order.

    Fields of an unknown shape are passed over: they are no part of the OSV schema.
    """
    named = family(ecosystem)
    found: Iterator[Symbol]
    if named == "Go":
        found = _go(specific, record_id)
    elif named == "crates.io":
        found = _rust(specific, record_id)
    else:
        found = _listed(named, specific, record_id)
    return tuple(dict.fromkeys(found))


def _go(specific: Mapping[str, object], record_id: str) -> Iterator[Symbol]:
    """Read `imports`; one without symbols names its whole package."""
    for one in _mappings(specific.get("imports")):
        path = one.get("path")
        if not isinstance(path, str):
            continue
        platforms = _platforms(_strings(one.get("goos")), _strings(one.get("goarch")))
        for name in _strings(one.get("symbols")) or ("",):
            yield Symbol(path, name, record_id, platforms=platforms)


def _platforms(systems: tuple[str, ...], machines: tuple[str, ...]) -> tuple[str, ...]:
    if systems and machines:
        return tuple(f"{system}/{machine}" for system in systems for machine in machines)
    return systems or machines


def _rust(specific: Mapping[str, object], record_id: str) -> Iterator[Symbol]:
    affects = specific.get("affects")
    if isinstance(affects, Mapping):
        platforms = _platforms(_strings(affects.get("os")), _strings(affects.get("arch")))
        for path in _strings(affects.get("functions")):
            module, _, name = path.rpartition("::")
            yield Symbol(module, name, record_id, platforms=platforms)


def _listed(named: str, specific: Mapping[str, object], record_id: str) -> Iterator[Symbol]:
    for path in _strings(specific.get("affected_functions")):
        module, name = _split(path, classes=named == "PyPI")
        yield Symbol(module, name, record_id)
    for one in _mappings(specific.get("imports")):
        attribute = one.get("attribute")
        if isinstance(attribute, str):
            for module in _strings(one.get("modules")):
                yield Symbol(module, attribute, record_id)


def _split(path: str, *, classes: bool) -> tuple[str, str]:
    """Part module from function; a class belongs to the function's name.

    GitHub writes `(minimist)` for what a module itself exports: the whole module.
    """
    exported = _EXPORTED.fullmatch(path.strip())
    if exported is not None:
        return exported[1], exported[2] or ""
    parts = path.strip().removesuffix("()").split(".")
    last = len(parts) - 1
    first = next((at for at, part in enumerate(parts) if part[:1].isupper()), last)
    place = min(first, last) if classes else last
    return ".".join(parts[:place]), ".".join(parts[place:])


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, Mapping | list | tuple):  # RustSec once wrote {name: [versions]}
        return tuple(one for one in value if isinstance(one, str) and one)
    return ()


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    if isinstance(value, list | tuple):
        yield from (one for one in value if isinstance(one, Mapping))
