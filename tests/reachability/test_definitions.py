"""When a name that is not found proves anything, and when it does not."""

import json
import zlib
from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from tests.fakes.values import a_match
from vexxy.advisories.types import Symbol
from vexxy.reachability.types import Verdict
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access
from vexxy.vex.types import Justification

SITE = "/usr/local/lib/python3.11/site-packages"
GAMMA = "/app/node_modules/gamma"
ABSENT = Justification.VULNERABLE_CODE_NOT_PRESENT
NOT_IN_PATH = Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH
PRETTY = "function n(r) {\n  return r;\n}\nvar t = n;\nlet e = t;\n" * 20


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def verdict(tree: Planted, package: Package, module: str, name: str) -> Verdict:
    symbol = Symbol(module, name, "a reviewed record")
    (found,) = tree.judge(a_match(package, symbols=(symbol,)))
    return found


def alpha(tree: Planted, **files: str | bytes) -> Package:
    """Plant the Python package `alpha`; `__` stands for a dot in a file's name."""
    tree.touched(tree.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    written = {"__init__.py": "", "part.py": "def other(): pass\n"}
    written |= {name.replace("__", "."): text for name, text in files.items()}
    for name, text in written.items():
        tree.write(f"{SITE}/alpha/{name}", text)
    tree.touched(f"{SITE}/alpha/__init__.py")
    listed = (f"{SITE}/alpha/{name}" for name in written)
    return tree.owner(*listed, type="pypi", name="alpha")


def gamma(tree: Planted, main: str, **files: str | bytes) -> Package:
    """Plant the npm package `gamma`; the file `main` is loaded."""
    tree.touched(tree.program("/usr/bin/node"), Access.EXECUTED, 0.0)
    written = {"package.json": json.dumps({"main": main}), **files}
    paths = [tree.write(f"{GAMMA}/{name}", text) for name, text in written.items()]
    tree.touched(f"{GAMMA}/{main}")
    locations = (f"{GAMMA}/package.json",)
    return tree.owner(*paths, type="npm", name="gamma", locations=locations)


def test_a_name_in_no_file_of_the_package_is_not_present(tree: Planted) -> None:
    python = alpha(tree)
    assert verdict(tree, python, "alpha.parser", "parse").justification is ABSENT
    script = gamma(tree, "lib/index.js", **{"lib/index.js": "exports.other = 1\n"})
    found = verdict(tree, script, "gamma/lib/parser.js", "parseInternal")
    assert found.justification is ABSENT


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("_core__cpython-311-x86_64-linux-gnu__so", b"\0x_1parse\0"),
        ("_core__pyd", b"p\0a\0r\0s\0e\0"),
        ("compiled__pyc", b"\x0d\x0dparse"),
        ("part__wasm", b"\0parse\0"),
        ("blob", b"parse"),
        ("plugins__zip", b"PK"),
        ("other__py", "from beta import parse\n"),
        ("other__py", "class Parser:\n    async def parse(self): pass\n"),
        ("loader__py", "exec(marshal.loads(b''))\n"),
        ("loader__py", "x = '" + "A" * 9000 + "'\n"),
    ],
)
def test_a_python_name_may_be_in_any_kind_of_file(
    tree: Planted, file: str, content: str | bytes
) -> None:
    found = verdict(tree, alpha(tree, **{file: content}), "alpha.parser", "parse")
    assert found.status.value == "affected"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("_core__so", b"\x7fELF\0__pyx_capi__\0other\0"),
        ("_core__so", b"\x7fELF\0CYTHON_COMPRESS_STRINGS\0"),
        ("_core__pyd", b"MZ\0mypyc\0other"),
        ("_core__so", b"\x7fELF\0" + zlib.compress(b"parse " * 20) + b"\0"),
        ("_core__abi3__so", b"\x7fELF\0pyo3\0other\0"),
        ("module__bin__so", b"\x7fELF\0Nuitka\0"),
        ("runtime__so", b"\x7fELF\0pyarmor\0"),
        ("data__bin", b"PK\x03\x04rest"),
        ("loader__pyc", b"\xa7\r\r\nmarshal\0zlib\0decompress\0exec\0"),
        ("core__wasm", b"\0asm\1\0\0\0other"),
    ],
)
def test_code_that_was_compiled_or_packed_proves_nothing_by_a_name_not_in_it(
    tree: Planted, file: str, content: bytes
) -> None:
    found = verdict(tree, alpha(tree, **{file: content}), "alpha.parser", "parse")
    assert found.status.value == "affected"


def test_a_library_in_c_keeps_the_names_that_it_has(tree: Planted) -> None:
    package = alpha(tree, _core__so=b"\x7fELF\0PyInit__core\0other\0")
    assert verdict(tree, package, "alpha.parser", "parse").justification is ABSENT


def test_a_loaded_extension_whose_names_are_compressed_may_hold_any(tree: Planted) -> None:
    twin = {
        "parser__py": "def parse(): pass\n",
        "_p__so": b"\x7fELFCYTHON_COMPRESS_STRINGS",
    }
    package = alpha(tree, **twin)
    assert verdict(tree, package, "alpha.parser", "parse").justification is NOT_IN_PATH
    tree.touched(f"{SITE}/alpha/_p.so", Access.MAPPED)
    assert verdict(tree, package, "alpha.parser", "parse").justification is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("lib/native.node", b"\x7fELF\0other\0"),
        ("lib/native.bin", b"\x7fELF\0other\0"),
        ("lib/code.wasm", b"\0asm\1\0\0\0"),
        ("lib/code.dat", b"\0asm\1\0\0\0"),
        ("lib/main.jsc", b"\x01\x02\xde\xc0"),
        ("lib/main.cache", b"\x01\x02\xde\xc0"),
        ("lib/snapshot.blob", b"\0"),
        ("lib/index.hbc", b"\xc6\x1f\xbc\x03\xc1\x03\x19\x1f"),
    ],
)
def test_a_script_that_became_byte_code_proves_nothing_by_a_name_not_in_it(
    tree: Planted, file: str, content: bytes
) -> None:
    main = {"lib/index.js": "exports.a = 1\n", file: content}
    package = gamma(tree, "lib/index.js", **main)
    found = verdict(tree, package, "lib/parser.js", "parseInternal")
    assert found.status.value == "affected"


def test_a_file_that_the_record_does_not_list_is_searched_too(tree: Planted) -> None:
    package = alpha(tree)
    tree.write(f"{SITE}/alpha/_built.so", b"\0parse\0")
    assert verdict(tree, package, "alpha.parser", "parse").justification is None


def test_a_module_without_a_name_is_looked_for_by_its_own(tree: Planted) -> None:
    assert verdict(tree, alpha(tree), "alpha.parser", "").justification is ABSENT
    moved = alpha(tree, _core__so=b"\0alpha.parser\0")
    assert verdict(tree, moved, "alpha.parser", "").justification is None


@pytest.mark.parametrize(
    ("main", "text"),
    [
        ("dist/gamma.js", "exports.x = 1\n"),
        ("lib/gamma.min.js", "exports.x = 1\n"),
        ("lib/gamma.bundle.js", "exports.x = 1\n"),
        ("lib/gamma.js", "a(b);" * 4000),
        ("lib/gamma.js", "// a licence\n" * 900 + "a(b);" * 4000),
        ("lib/gamma.js", PRETTY),
        ("lib/gamma.js", "var m = __webpack_require__(1);\n"),
        ("lib/gamma.js", "var _0x3f2a = ['x'];\n"),
        ("lib/gamma.js", "exports.parseInternal = 1\n"),
    ],
)
def test_a_bundle_proves_nothing(tree: Planted, main: str, text: str) -> None:
    package = gamma(tree, main, **{main: text, "lib/beside.js": ""})
    found = verdict(tree, package, "gamma/lib/parser.js", "parseInternal")
    assert found.status.value == "affected"


@pytest.mark.parametrize(
    "module",
    ["gamma/src/parser.ts", "src/parser.js", "lib/parser.ts", "packages/g/lib/parser.js",
     "source/parser.js", "other/parser.js", "lib/deep/index.js"],
)  # fmt: skip
def test_a_file_of_the_repository_need_not_be_in_the_package(
    tree: Planted, module: str
) -> None:
    package = gamma(tree, "lib/index.js", **{"lib/index.js": "exports.a = 1\n"})
    found = verdict(tree, package, module, "parseInternal")
    assert found.status.value == "affected"


@pytest.mark.parametrize(
    "file", ["lib/parser.es.js", "lib/native.node", "lib/code.wasm", "lib/index.js.map"]
)
def test_a_script_may_have_become_another_file(tree: Planted, file: str) -> None:
    main = {"lib/index.js": "exports.a = 1\n", file: "\0parseInternal\0"}
    package = gamma(tree, "lib/index.js", **main)
    found = verdict(tree, package, "lib/parser.js", "parseInternal")
    assert found.status.value == "affected"


@pytest.mark.parametrize(
    "text",
    [
        "from alpha._impl import _inner as helper\n",
        "from alpha._impl import (\n    a,\n    _inner as helper,\n)\n",
        "from alpha import _impl\nhelper = _impl._inner\n",
        "from alpha._impl import *\n",
        "helper = functools.partial(_impl._inner, 1)\n",
        "try:\n    from beta import helper\nexcept ImportError:\n    def helper(): pass\n",
        "",
    ],
)
def test_a_module_that_hands_a_name_on_proves_nothing(tree: Planted, text: str) -> None:
    package = alpha(tree, compat__py=text)
    found = verdict(tree, package, "alpha.compat", "helper")
    assert found.status.value == "affected"
    assert "alpha/compat.py does not define" in str(found.evidence)


def test_a_method_that_is_inherited_is_defined_elsewhere(tree: Planted) -> None:
    package = alpha(tree, compat__py="class Parser(Base):\n    def other(self): pass\n")
    assert verdict(tree, package, "alpha.compat", "Parser.parse").justification is None
    own = verdict(tree, package, "alpha.compat", "Parser.other")
    assert own.justification is NOT_IN_PATH


def test_a_loaded_extension_may_hold_what_its_python_twin_defines(tree: Planted) -> None:
    twin = {"parser__py": "def parse(): pass\n", "_parser__so": b"\0parse\0"}
    package = alpha(tree, **twin)
    assert verdict(tree, package, "alpha.parser", "parse").justification is NOT_IN_PATH
    tree.touched(f"{SITE}/alpha/_parser.so", Access.MAPPED)
    assert verdict(tree, package, "alpha.parser", "parse").justification is None


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("function parse(s) { return s }\n", True),
        ("exports.parse = function (s) { return s }\n", True),
        ("const parse = async (s, t) => s\n", True),
        ("class A { parse(s) { return s } }\n", True),
        ("exports.parse = require('./impl').inner\n", False),
        ("export { inner as parse } from './impl.js'\n", False),
        ("module.exports = require('./impl')\n", False),
    ],
)
def test_a_script_that_hands_a_name_on_proves_nothing(
    tree: Planted, text: str, *, own: bool
) -> None:
    files = {"lib/index.js": "exports.a = 1\n", "lib/parser.js": text}
    package = gamma(tree, "lib/index.js", **files)
    found = verdict(tree, package, "lib/parser.js", "parse")
    assert found.justification is (NOT_IN_PATH if own else None)
