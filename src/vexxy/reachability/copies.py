"""Files that no package owns and that are the same as a package's: copies at build time.

What runs is the copy, what is vulnerable is the package. Files are the same when their
bytes are, or when the linker's mark of the build is: a copy may have been stripped.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.modules import source_of
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.ownership import implied
from vexxy.reachability.presence import owned_files
from vexxy.reachability.rules import packages
from vexxy.reachability.types import CopiedAccess, Loadable, Reference
from vexxy.reachability.wire import elf
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import Access, ExecutionProfile, FileAccess

# An empty module, or one line that loads another, is the same in many packages.
TRIVIAL_BYTES: Final = 80
HEADER_BYTES: Final = 4096
SOURCE: Final = "content"


class Copies:
    """The package files that are the same as files which were copied.

    A project that the image was built for owns whatever lies below it, copies included;
    so does a language's package. Theirs are compared with the files of packages that
    were installed, of native code in a language's package only with the distribution's.
    """

    def __init__(self, tree: Tree, inventory: Inventory) -> None:
        self._tree: Final = tree
        self._owned: Final = owned_files(tree, inventory.packages)
        self._known: Final[dict[str, tuple[str, ...]]] = {}

    def originals(self, path: str) -> tuple[str, ...]:
        """Return the package files that the file at a canonical path is a copy of."""
        if path not in self._known:
            self._known[path] = tuple(self._of_others(path))
        return self._known[path]

    def _of_others(self, path: str) -> Iterator[str]:
        """Yield the originals that the owner of the copy did not bring itself."""
        if path not in self._tree.entries or path in self._tree.distributed:
            return
        owned, installed = path in self._owned, packages.is_installed(path)
        if owned and installed and not self._is_native(path):
            return
        for original in self._find(path):
            other = packages.is_installed(original) and not installed
            if not owned or other or original in self._tree.distributed:
                yield original

    def with_copied(self, profile: ExecutionProfile) -> ExecutionProfile:
        """Return the profile as if the originals had been touched with their copies."""
        found: dict[tuple[str, Access], CopiedAccess] = {}
        for access in (*profile.files_accessed, *implied(profile)):
            if access.access is Access.METADATA:
                continue
            for copy in dict.fromkeys((access.path, source_of(access.path))):
                for original in self.originals(self._tree.resolve(copy) or copy):
                    key = (original, access.access)
                    found.setdefault(key, _copied(access, original, copy))
        if not found:
            return profile
        return replace(profile, files_accessed=(*profile.files_accessed, *found.values()))

    def with_loadable(self, loadable: Loadable) -> Loadable:
        """Return the overlay with the originals of what could be loaded."""
        references = dict(loadable.references)
        for path in loadable.references:
            for original in self.originals(path):
                how = "is a copy of"
                references.setdefault(original, Reference(original, path, how, SOURCE))
        return replace(loadable, references=references)

    def _find(self, path: str) -> Iterator[str]:
        entry = self._tree.entries[path]
        native = self._is_native(path)
        if entry.size_bytes < TRIVIAL_BYTES:
            return
        same = self._by_size.get(entry.size_bytes, ())
        content = self._tree.read(path) if same or native else None
        for original in same:
            if original == path:
                continue
            if content is not None and self._tree.read(original) == content:
                yield original
        mark = elf.build_id(content or b"") if native else b""
        if mark:
            yield from self._by_build.get(mark, ())

    def _is_native(self, path: str) -> bool:
        return self._tree.read_start(path, len(elf.MAGIC)) == elf.MAGIC

    @cached_property
    def _by_size(self) -> Mapping[int, Sequence[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for path in sorted(self._owned):
            found[self._tree.entries[path].size_bytes].append(path)
        return found

    @cached_property
    def _by_build(self) -> Mapping[bytes, Sequence[str]]:
        found: dict[bytes, list[str]] = defaultdict(list)
        for path in sorted(self._owned):
            if self._tree.executable(path) or ".so" in path.rpartition("/")[2]:
                mark = elf.build_id(self._tree.read_start(path, HEADER_BYTES))
                if mark:
                    found[mark].append(path)
        return found


def distributed_files(tree: Tree, inventory: Inventory) -> frozenset[str]:
    """Return the files that the distribution's own packages brought."""
    owners = (one for one in inventory.packages if one.type in packages.OS_TYPES)
    return owned_files(tree, owners)


def _copied(access: FileAccess, original: str, copy: str) -> CopiedAccess:
    return CopiedAccess(
        path=original,
        access=access.access,
        first_seen_seconds=access.first_seen_seconds,
        process=access.process,
        source=access.source,
        copy=copy,
    )
