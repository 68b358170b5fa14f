"""What Python code can still import, run or load."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable import extensions, pyyaml
from vexxy.reachability.loadable.commands import Commands
from vexxy.reachability.loadable.distribution import Distribution
from vexxy.reachability.loadable.employed import Employed
from vexxy.reachability.loadable.entrypoints import EntryPoints
from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.modules import SITE, STANDARD, Modules
from vexxy.reachability.loadable.served import Served
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.loadable.values import Values
from vexxy.reachability.wire import (
    elf,
    pyarchive,
    pydata,
    pysource,
    pystarts,
    pyvalues,
    tokens,
)

SOURCE: Final = "import_graph"
SHEBANG: Final = re.compile(rb"#![^\n]*\b(python|pypy)[\d.]*")
SUFFIXES: Final = (".py", ".pyw", ".wsgi", ".tac", ".py3")
OTHER_SUFFIXES: Final = (".js", ".cjs", ".mjs", ".ts", ".pyc")
LOOKS: Final = re.compile(
    rb"(?m)^[ \t]*[\"']?(?:from\s+[.\w]+\s+import\s|import\s+\w[\w., \t]*(?:#.*)?$"
    rb"|(?:async\s+)?def\s+\w+\s*\(|class\s+\w+.*:\s*$)"
)
# How a file makes Python look for modules where it did not before.
EXTENDS_PATH: Final = (
    "sys.path", "from sys import", "addsitedir", "meta_path", "path_hooks", "PYTHONPATH",
)  # fmt: skip
GIVEN_MODULE: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*(?::[\w.()]+)?")
PLACE: Final = re.compile(r"/[\w./-]+")
FILE_NAME: Final = re.compile(r"[\w./-]{2,200}")
MODULE_OPTION: Final = re.compile(r"-m[\s\"',]+([A-Za-z_][\w.]*)")
WORD: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


class Python:
    """Follows the Python code of one image."""

    def __init__(self, tree: Tree, modules: Modules, commands: Commands) -> None:
        self._tree: Final = tree
        self.modules: Final = modules
        self._commands: Final = commands
        self._linker: Final = Linker(tree)
        self._distribution: Final = Distribution(tree)
        self._served: Final = Served(tree)
        self._values: Final = Values(tree, self._linker)
        self._points: Final = EntryPoints(tree, modules)
        # Files that can run code which is in no file; their language is unfollowed.
        self.unpredictable: set[str] = set()
        # Application files read as modules, and those that `python -m` runs.
        self._imported: set[str] = set()
        self._run: set[str] = set()
        self._employed: Final = Employed(modules)
        self._standard_given: set[str] = set()
        self._importers: dict[str, str] = {}
        self._dynamic: set[str] = set()
        self._waiting: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)

    @cached_property
    def _full_loader(self) -> bool:
        return pyyaml.makes_anything(self._tree)

    def source(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what the source at `path` can load, run as a program."""
        self._imported.discard(path)
        # Of the standard library, names of modules in constants are not followed.
        strings = not self.is_standard(path)
        return self._follow(path, text, pysource.read(text, strings=strings))

    def module(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what the source at `path` can load when it is imported.

        Only an installed file has a name that programs could be known by; a file of the
        application may be run as a program in a way that nothing here shows.
        """
        if self.is_application(path) or path.endswith("/__main__.py"):
            self._imported.add(path)
            return self._follow(path, text, pysource.read(text))
        return self.source(path, pysource.as_module(text))

    def compiled(self, path: str, content: bytes) -> Iterator[Lead]:
        """Yield what a compiled file without a source can load."""
        source = pysource.read_compiled(content)
        if self.is_application(path) and source.strings & (
            pyvalues.UNPICKLERS | pydata.COMPILED_IMPORTS
        ):
            source = replace(source, dynamic=True)
        yield from self._follow(path, "", source)
        if self.is_own(path) and source.strings & ({"exec", "eval"} | pydata.COMPILED_RUNS):
            raise self._unpredictable(path, "exec or eval")

    def archive(self, path: str, content: bytes) -> Iterator[Lead]:
        """Yield what the modules in a zip archive can load, all of them.

        Raises:
            Unparsable: It is damaged, or code in it cannot be followed.
        """
        self.unpredictable.add(path)
        problem: Unparsable | None = None
        for member in pyarchive.members(content):
            try:
                yield from self._member(path, member)
            except Unparsable as error:
                problem = error
        if problem is not None:
            raise problem

    def _member(self, path: str, member: pyarchive.Member) -> Iterator[Lead]:
        if member.name.endswith(pyarchive.NATIVE):
            for name in elf.read(member.content).needed:
                leads = self._leads(self._linker.find(name), "holds code that needs")
                yield from leads
            yield from self.extension(path, member.content)
        elif member.name.endswith(".pyc"):
            yield from self.compiled(path, member.content)
        else:
            yield from self.source(path, member.content.decode("utf-8", "replace"))

    def extension(self, path: str, content: bytes) -> Iterator[Lead]:
        """Yield the modules, and the programs, that an extension module names.

        Raises:
            Unparsable: Its constants cannot be read.
        """
        try:
            constants = extensions.Constants(content)
        except Unparsable:
            self.unpredictable.add(path)
            raise
        for name in constants.modules(self.modules.third_party):
            yield from self._leads(self.modules.find(name), f"holds the name {name}, hence")
        for name, target in constants.programs(self._tree):
            yield Lead(target, f"holds the name {name} of a program,", "command")

    def given(self, text: str) -> Iterator[Lead]:
        """Yield what an argument or a variable of the run names.

        A module named so is the application, though it may be installed like a library.
        """
        if GIVEN_MODULE.fullmatch(text):
            self._employed.note(text.partition(":")[0])
            if text.partition(".")[0] in self.modules.standard:
                self._standard_given.add(text)
        return self.words(text)

    def words(self, text: str) -> Iterator[Lead]:
        """Yield modules that an argument, a variable or a configuration names."""
        yield from self._points.words(text)
        words = set(WORD.findall(text))
        if "/" in text:
            for path in PLACE.findall(text):
                main = self._tree.find_file(f"{path.rstrip('/')}/__main__.py")
                if main is not None:
                    yield Lead(main, "names the directory of the program", SOURCE)
        for word in words:
            if word.partition(".")[0] in self.modules.third_party:
                found = self.modules.run(word)
                # `app:create` is asked of a server, which imports it; `/app` is a place.
                alone = re.search(rf"(?<![\w.:/]){re.escape(word)}(?![\w.:/])", text)
                how = "names" if alone else "asks for"
                yield from self._leads(found, f"{how} the module {word},")
        yield from self._run_modules(text)
        if "import" in text:
            yield from self._imports("", pysource.read(text).imports)
        yield from self._values.said(words)

    def _run_modules(self, text: str) -> Iterator[Lead]:
        """Yield modules that `python -m` runs; those of the standard library too."""
        for name in MODULE_OPTION.findall(text):
            found = [*self.modules.run(name)]
            self._run.update(found)
            yield from self._leads(found, f"names the module {name}, to run,")

    def initial(self) -> Iterator[tuple[str, str]]:
        """Yield (file, text) of `.pth` files, whose import lines run at every start."""
        for directory in self.modules.directories:
            for path in self._tree.files_in(directory):
                if path.endswith(".pth"):
                    yield path, self._tree.read_text(path) or ""

    def _follow(self, path: str, text: str, source: pysource.Source) -> Iterator[Lead]:
        yield from self._imports(path, source.imports)
        self._employed.read(path, source.imports)
        standard = self.is_standard(path)
        application = self.is_application(path)
        if application and self._asks_data(text, source):
            source = replace(source, dynamic=True)
        if not standard:
            yield from self._strings(path, source, application=application)
        if source.entry_points or not standard:
            asks = source.entry_points and not standard
            yield from self._points.looked_up(
                path, replace(source, entry_points=asks), text, application=application
            )
        said = pysource.without_documentation(text) if standard else text
        yield from self._commands.program(
            said, runs=source.runs, indirect=not standard, application=application
        )
        if source.loads_libraries:
            yield from self._values.libraries(text, path=path, own=self.is_own(path))
        if source.runs:
            yield from self._run_modules(text)
        if any(word in text for word in EXTENDS_PATH):
            yield from self._extended(path)
        if application:
            yield from self._application(path, text, source)
        elif pyvalues.is_hidden(text):
            raise self._unpredictable(path, "encoded")

    def _application(self, path: str, text: str, source: pysource.Source) -> Iterator[Lead]:
        literals = set(tokens.literals(text))
        for literal in literals:
            yield from self.words(literal)
            yield from self._archive_named(path, literal)
        if self._distribution.owns(path):
            return
        yield from self._served.leads(path, literals)
        if source.runs:
            yield from self._values.programs(text)
        call = pyvalues.executed(text) or pydata.runs_text(
            text, imported=path in self._imported - self._run
        )
        if call is not None or pyvalues.is_hidden(text):
            raise self._unpredictable(path, call or "encoded")

    def _asks_data(self, text: str, source: pysource.Source) -> bool:
        """Whether what is imported is named by data that a file reads or hands on."""
        by_data = pydata.imports(text, full_loader=self._full_loader)
        if pyvalues.unpickles(text) or by_data is not None:
            return True
        return source.runs and pystarts.by_value(text) is not None

    def _archive_named(self, path: str, literal: str) -> Iterator[Lead]:
        """Yield the archive that a constant names; its suffix may be any."""
        if not FILE_NAME.fullmatch(literal):
            return
        own = path.rpartition("/")[0]
        for base in ("", f"{own}/", f"{self._tree.surroundings.working_directory}/"):
            target = self._tree.find_file(f"{base}{literal}".replace("//", "/"))
            if target is not None and pyarchive.is_archive(self._tree.read(target) or b""):
                yield Lead(target, "names the archive", SOURCE)

    def _unpredictable(self, path: str, how: str) -> Unparsable:
        self.unpredictable.add(path)
        return Unparsable(f"runs code that is in no file ({how})")

    def _extended(self, path: str) -> Iterator[Lead]:
        """Yield what others import and the package of this file may bring along."""
        names = self.modules.extend(path)
        for name, importer in list(self._importers.items()) if names else ():
            if name.partition(".")[0] in names:
                how = f"extends Python's search path, on which {importer} may find"
                yield from self._leads(self.modules.find(name), how)

    def _imports(self, path: str, imports: Iterable[pysource.Import]) -> Iterator[Lead]:
        for one in imports:
            if not one.level and path and not self.is_standard(path):
                self._importers.setdefault(one.module, path)
            if one.level:
                found = [*self.modules.find_relative(path, one.level, one.module)]
                for name in one.names:
                    whole = f"{one.module}.{name}" if one.module else name
                    found += self.modules.find_relative(path, one.level, whole)
            else:
                found = [*self.modules.find(one.module)]
                for name in one.names:
                    found += self.modules.find(f"{one.module}.{name}")
            yield from self._leads(found, "imports")

    def _strings(
        self, path: str, source: pysource.Source, *, application: bool
    ) -> Iterator[Lead]:
        """Names of modules in constants, and whatever lies beside a dynamic import.

        A bare word counts once any reached file of the same package imports by a value.
        """
        dotted = {name for name in source.strings if "." in name.lstrip(".")}
        yield from self._named(dotted)
        bare = source.strings - dotted
        package = self._package(path)
        if application or package in self._dynamic:
            yield from self._named(bare)
        else:
            self._waiting[package].append((path, frozenset(bare)))
        if not source.dynamic:
            return
        how = "imports modules by a name known only at run time, perhaps"
        if application:
            # The name may come from outside the image: any installed module fits.
            for name in self.modules.third_party:
                yield from self._leads(self.modules.any_of(name), how)
            for name in self._standard_given:
                yield from self._leads(self.modules.find(name), how)
        directory = self.modules.package_directory(path)
        if directory is not None:
            yield from self._leads(self.modules.under(directory), how)
        if package not in self._dynamic:
            self._dynamic.add(package)
            for _, names in self._waiting.pop(package, []):
                yield from self._named(names)
            yield from self._named(bare)

    def _named(self, names: Iterable[str]) -> Iterator[Lead]:
        for name in names:
            if name.partition(".")[0] in self.modules.third_party:
                yield from self._leads(
                    self.modules.find(name), f"has the word {name}, hence"
                )

    def _leads(self, paths: Iterable[str], how: str) -> Iterator[Lead]:
        return (Lead(path, how, SOURCE) for path in paths)

    def _package(self, path: str) -> str:
        """Return the top-level package, or the directory, that a file belongs to."""
        found = re.match(r"(.*/(?:site|dist)-packages/[^/]+)", path)
        return path.rpartition("/")[0] if found is None else found[1]

    def is_standard(self, path: str) -> bool:
        """Return whether a file belongs to the standard library."""
        return STANDARD.match(path) is not None and SITE.match(path) is None

    def is_application(self, path: str) -> bool:
        """Return whether a file is neither of the standard library nor installed."""
        if self.is_standard(path):
            return False
        return SITE.match(path) is None or self._employed.has(path)

    def is_own(self, path: str) -> bool:
        """Return whether a file is the application's, and not the distribution's."""
        return self.is_application(path) and not self._distribution.owns(path)


def is_source(path: str, content: bytes, *, read: bool) -> bool:
    """Return whether a text is Python; `read` says that a Python may have read it.

    A server names its module as it likes (`app.wsgi`); a template can have code in it.
    """
    if path.endswith(SUFFIXES) or SHEBANG.match(content):
        return True
    return read and not path.endswith(OTHER_SUFFIXES) and LOOKS.search(content) is not None
