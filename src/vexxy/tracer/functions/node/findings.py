"""Calls of all processes: files, names and lines for what V8 reported."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from vexxy.kit.errors import VexxyError
from vexxy.tracer.functions.node import naming, rules, sourcemaps
from vexxy.tracer.functions.node.naming import Source as Script
from vexxy.tracer.functions.node.sourcemaps import Original, SourceMap
from vexxy.tracer.functions.node.wire import Call
from vexxy.tracer.functions.types import ImageFiles
from vexxy.tracer.types import FunctionCall, Source

MAP_BYTES_MAX: Final = 64 * 1024 * 1024
EVALUATING: Final = (b"eval", b"Function", b"vm")
ANONYMOUS: Final = "<anonymous>"
SCRIPT: Final = re.compile(r"/[^/]*\.[mc]?[jt]sx?$|^(webpack|turbopack)")
"""How code made from text names itself where it is a module of its own."""

_Place = tuple[str, int | None]
"""Path and line."""


@dataclass(slots=True)
class Findings:
    """What was called, the earliest of each function.

    Attributes:
        unrecorded: Files some of whose functions may have been called unseen.
        reasons: What forbids to conclude from silence anywhere; sentences.
    """

    root: ImageFiles
    started_seconds: float
    calls: dict[tuple[str, int | None, str], FunctionCall] = field(default_factory=dict)
    unrecorded: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)
    _texts: dict[str, list[Call]] = field(default_factory=dict)

    def leave_out(self, path: str) -> None:
        """Note a file of which some functions were run unseen."""
        self.unrecorded.add(self.root.resolve(path) or path)

    def add_all(self, calls: Iterable[Call]) -> None:
        """Take in all calls, file by file."""
        by_path: dict[str, list[Call]] = {}
        for call in calls:
            path = rules.file_path(call.url)
            if path:
                by_path.setdefault(self.root.resolve(path) or path, []).append(call)
            else:
                self._texts.setdefault(call.url, []).append(call)
        loaded = {}
        for path, found in by_path.items():
            content = self._content(path)
            if content is None:
                self._add_unread(path, found)
                continue
            loaded[path] = content
            self._add_file(path, content, found)
        if self._texts:
            self._add_texts(loaded)

    def _content(self, path: str) -> bytes | None:
        try:
            return self.root.read_bytes(path, limit=naming.SOURCE_BYTES_MAX)
        except VexxyError:
            return None

    def _add_unread(self, path: str, calls: Iterable[Call]) -> None:
        """Take in calls of a file that the image does not hold, or too large a one."""
        self.unrecorded.add(path)
        for call in calls:
            self._add(call, (path, None), call.name)

    def _add_file(self, path: str, content: bytes, calls: list[Call]) -> None:
        script = Script(content, _suffix(path))
        maps = self._map(path, content)
        originals = _Originals(maps or SourceMap())
        shift = _shift(script, calls)
        for call in calls:
            start, end = call.start - shift, call.end - shift
            if (start <= 0 and end >= script.length) or call.name in naming.STATIC:
                continue  # the module itself, or the body of a class
            found = script.find(call.name, start, end)
            if found is None:
                # What ran is not what the image holds: changed while it was loaded.
                self.unrecorded.add(path)
                self._add(call, (path, None), call.name)
                continue
            for name in found.names:
                self._add(call, (path, found.line), name)
            place = maps.original(*script.position(start)) if maps else None
            if place:
                self._add_original(call, place, originals.script(place.source))

    def _map(self, path: str, content: bytes) -> SourceMap | None:
        url = sourcemaps.address(content)
        if url is None:
            return None

        def read(name: str) -> bytes:
            return self.root.read_bytes(name, limit=MAP_BYTES_MAX)

        try:
            return sourcemaps.load(url, path, read)
        except (VexxyError, ValueError):
            return None

    def _add_original(self, call: Call, place: Original, script: Script | None) -> None:
        found = script.find_around(place.line, place.column) if script else None
        if found is None:
            self.unrecorded.add(place.source)
            self._add(call, (place.source, place.line), call.name)
            return
        for name in found.names:
            self._add(call, (place.source, found.line), name)

    def _add_texts(self, loaded: Mapping[str, bytes]) -> None:
        """Take in code made from text, which may be a copy of what a file holds.

        A file that may have made it is left out where a function of it has the name of
        one that ran, or where the text calls itself a file of its own.
        """
        makers = {
            path: content
            for path, content in loaded.items()
            if any(word in content for word in EVALUATING)
        }
        files = {url for url in self._texts if SCRIPT.search(url)}
        self.unrecorded |= files | {"data:" for url in self._texts if url[:5] == "data:"}
        for url in files:
            last = posixpath.basename(url).encode()
            holders = {path for path, content in makers.items() if last in content}
            self.unrecorded |= holders or makers.keys()
        if "" in self._texts and not makers:
            self.reasons.append("code was run that was made from text by no known file")
        names = {call.name for calls in self._texts.values() for call in calls} - {""}
        names = {name.split()[-1].rpartition(".")[2] for name in names if name.split()}
        for path, content in makers.items():
            if any(name.encode() in content for name in names) and Script(
                content, _suffix(path)
            ).defines(names):
                self.unrecorded.add(path)

    def _add(self, call: Call, place: _Place, name: str) -> None:
        seconds = max(0.0, call.seconds - self.started_seconds)
        name = name or call.name or ANONYMOUS
        key = (*place, name)
        known = self.calls.get(key)
        if known is not None and (known.first_called_seconds or 0.0) <= seconds:
            return
        path, line = place
        self.calls[key] = FunctionCall(
            module=rules.module_name(path),
            name=name,
            path=path,
            source=Source.COVERAGE,
            line=line,
            process=call.executable,
            process_id=call.process_id,
            first_called_seconds=seconds,
            request=call.request,
        )


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lstrip(".")


def _shift(script: Script, calls: list[Call]) -> int:
    """Return how many code units were written before the file when it was loaded."""
    ends = max(call.end for call in calls)
    return naming.WRAPPER if ends > script.length else 0


@dataclass(slots=True)
class _Originals:
    """The files that a bundle was made from."""

    maps: SourceMap
    _scripts: dict[str, Script | None] = field(default_factory=dict)

    def script(self, source: str) -> Script | None:
        if source not in self._scripts:
            text = self.maps.contents.get(source)
            suffix = _suffix(source)
            made = Script(text.encode("utf-8", "replace"), suffix) if text else None
            self._scripts[source] = made
        return self._scripts[source]
