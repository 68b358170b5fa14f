"""What Python code that ran can still import, run or load."""

import py_compile
from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.reachability.wire import pysource
from vexxy.tracer.types import Access, Process

SITE = "/usr/local/lib/python3.11/site-packages"
STANDARD = "/usr/lib/python3.11"
PYTHON = "/usr/bin/python3.11"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program(PYTHON), Access.EXECUTED, 0.0)
    planted.write(f"{STANDARD}/json/__init__.py")
    for name in ("alpha", "beta"):
        planted.write(f"{SITE}/{name}/__init__.py", f'"""{name}"""')
        planted.write(f"{SITE}/{name}/part.py", "")
    return planted


def application(tree: Planted, text: str) -> None:
    tree.touched(tree.write("/app/app.py", text))


def reached(tree: Planted) -> set[str]:
    return set(tree.overlay().references)


@pytest.mark.parametrize(
    "text",
    [
        "import alpha.part\n",
        "from alpha import part\n",
        "from alpha import (\n    # one\n    part as p,\n)\n",
        "def route():\n    try: import alpha.part\n    except ImportError: pass\n",
        "if x: pass; import alpha.part\n",
        "import json, \\\n    alpha.part as p\n",
        'import importlib\nimportlib.import_module("alpha.part")\n',
        '__import__("alpha.part")\n',
        'INSTALLED_APPS = ["alpha.part"]\n',
        'worker = "alpha.part:Worker"\n',
        'exec("import alpha.part")\n',
        'command = ["python3", "-m", "alpha.part"]\n',
    ],
)
def test_every_way_to_name_a_module_is_followed(tree: Planted, text: str) -> None:
    application(tree, text)
    found = reached(tree)
    assert {f"{SITE}/alpha/__init__.py", f"{SITE}/alpha/part.py"} <= found
    assert f"{SITE}/beta/__init__.py" not in found


def test_a_relative_import_stays_in_its_package(tree: Planted) -> None:
    tree.write(f"{SITE}/alpha/part.py", "from . import other\nfrom ..beta import part\n")
    tree.write(f"{SITE}/alpha/other.py")
    application(tree, "import alpha.part")
    assert {f"{SITE}/alpha/other.py", f"{SITE}/beta/part.py"} <= reached(tree)


def test_a_chain_of_imports_shows_its_first_cause(tree: Planted) -> None:
    tree.write(f"{SITE}/alpha/part.py", "def f():\n    import beta\n")
    application(tree, "def g():\n    import alpha.part\n")
    (verdict,) = tree.judge(
        tree.owner(f"{SITE}/beta/__init__.py", type="pypi", name="beta")
    )
    assert verdict.status.value == "under_investigation"
    assert verdict.reason.index("/app/app.py") < verdict.reason.index("alpha/part.py")


def test_a_package_that_nothing_names_is_not_affected(tree: Planted) -> None:
    application(tree, "import alpha\n")
    (verdict,) = tree.judge(
        tree.owner(f"{SITE}/beta/__init__.py", type="pypi", name="beta")
    )
    assert verdict.status.value == "not_affected"


def test_a_name_in_a_table_counts_where_its_package_imports_by_value(tree: Planted) -> None:
    tree.write(f"{SITE}/gamma/__init__.py", "import gamma.table\n")
    tree.write(f"{SITE}/gamma/table.py", 'TABLE = {"b": "beta"}\n')
    tree.touched(f"{SITE}/gamma/__init__.py")
    application(tree, "import gamma\n")
    assert f"{SITE}/beta/__init__.py" not in reached(tree)
    tree.write(f"{SITE}/gamma/load.py", "import importlib\nimportlib.import_module(x)\n")
    tree.touched(f"{SITE}/gamma/load.py")
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_module_imported_by_value_may_be_any_beside_it(tree: Planted) -> None:
    tree.write(f"{SITE}/gamma/__init__.py", "__import__(name)\n")
    lexer = tree.write(f"{SITE}/gamma/lexers/one.py", "import beta\n")
    tree.touched(f"{SITE}/gamma/__init__.py")
    assert {lexer, f"{SITE}/beta/__init__.py"} <= reached(tree)


def test_entry_points_of_a_group_that_code_names(tree: Planted) -> None:
    points = "[own.plugins]\none = beta.part:Plugin\n[other]\nx = gamma\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    tree.write(f"{SITE}/gamma.py")
    tree.touched(tree.write(f"{SITE}/alpha/part.py", 'entry_points(group="own.plugins")'))
    found = reached(tree)
    assert f"{SITE}/beta/part.py" in found
    assert f"{SITE}/gamma.py" not in found


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("for e in entry_points(): e.load()", ""),
        ("eps = entry_points()\nfor g in eps.groups: eps.select(group=g)", ""),
        ("get_entry_map(dist)", ""),
        ("entry_points(**kind)", ""),
        ("entry_points(group='own.' + x)", ""),
        ("entry_points(group=f'own.{x}')", ""),
        ("entry_points(group='own.%s' % x)", ""),
        ("entry_points(group=f'{x}.plugins')", ""),
        ("entry_points(group='%s.plugins' % x)", ""),
        ("entry_points(group=x + '.plugins')", ""),
        ("entry_points(group='.'.join(('own', 'plugins')))", ""),
        ("entry_points().get(GROUP)", "GROUP = 'own.plugins'"),
        ("entry_points(group=G)", "G = ('own', 'plugins')"),
        ("iter_entry_points(x)", "lookup('own', kind='plugins')"),
        ("load_entry_point(a, x, b)", "X = ['own.plugins']"),
    ],
)
def test_entry_points_of_a_group_that_somebody_says(
    tree: Planted, text: str, elsewhere: str
) -> None:
    points = "[own.plugins]\none = beta.part:P\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    tree.touched(tree.write(f"{SITE}/alpha/part.py", text))
    other = f"import alpha.part\n{elsewhere}\n"
    tree.touched(tree.write(f"{SITE}/gamma/other.py", other))
    assert f"{SITE}/beta/part.py" in reached(tree)


def test_entry_points_of_a_group_that_an_importer_of_an_importer_says(
    tree: Planted,
) -> None:
    points = "[own_plugins]\none = beta.part:P\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    tree.touched(tree.write(f"{SITE}/alpha/part.py", "entry_points(group='_'.join(x))"))
    far = tree.write(f"{SITE}/delta/__init__.py", "make('own', 'plugins')\n")
    tree.touched(far)
    assert f"{SITE}/beta/part.py" not in reached(tree)
    tree.touched(tree.write(f"{SITE}/gamma/__init__.py", "import alpha.part\n"))
    tree.write(f"{SITE}/delta/__init__.py", "import gamma\nmake('own', 'plugins')\n")
    assert f"{SITE}/beta/part.py" in reached(tree)


@pytest.mark.parametrize("place", ["argument", "variable", "configuration", "application"])
def test_entry_points_of_a_group_that_the_run_says(tree: Planted, place: str) -> None:
    points = "[own.plugins]\none = beta.part:P\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    tree.touched(tree.write(f"{SITE}/alpha/part.py", "iter_entry_points(x)"))
    assert f"{SITE}/beta/part.py" not in reached(tree)
    if place == "argument":
        words = ("python3", "serve", "--group=own.plugins")
        tree.processes.append(Process(1, 0, "/usr/bin/python3", words))
    elif place == "variable":
        tree.environment["GROUP"] = "own.plugins"
    elif place == "configuration":
        text = "[x]\ngroup = own.plugins\n"
        tree.touched(tree.write("/app/serve.ini", text), Access.DATA)
    else:
        application(tree, "serve(group='own.plugins')\n")
    assert f"{SITE}/beta/part.py" in reached(tree)


def test_entry_points_of_a_package_that_has_the_name_of_the_group(tree: Planted) -> None:
    points = "[alpha.plugins]\none = beta.part:P\n[distutils.commands]\nx = gamma\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    gamma = tree.write(f"{SITE}/gamma.py")
    tree.touched(tree.write(f"{SITE}/alpha/part.py", "load_entry_point(a, section, b)"))
    found = reached(tree)
    assert f"{SITE}/beta/part.py" in found
    assert gamma not in found


def test_entry_points_of_a_group_that_data_of_the_package_says(tree: Planted) -> None:
    points = "[own.plugins]\none = beta.part:P\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    tree.write(f"{SITE}/alpha/data/groups.json", '["own.plugins"]')
    tree.touched(tree.write(f"{SITE}/alpha/part.py", "iter_entry_points(x)"))
    assert f"{SITE}/beta/part.py" in reached(tree)


def test_entry_points_of_a_value_in_an_application_are_all_of_them(tree: Planted) -> None:
    points = "[own.plugins]\none = beta.part:P\n"
    tree.write(f"{SITE}/beta-1.0.dist-info/entry_points.txt", points)
    application(tree, "entry_points(group=request.form['g'])\n")
    assert f"{SITE}/beta/part.py" in reached(tree)


def test_an_extension_module_brings_its_bundled_libraries(tree: Planted) -> None:
    bundled = "/usr/local/lib/python3.11/site-packages/alpha.libs/libown-1a2b.so.1"
    options = ("-shared", "-fPIC", "-Wl,-soname,libown-1a2b.so.1")
    tree.compile(bundled, "int f(void){return 1;}", *options)
    extension = f"{SITE}/alpha/_fast.cpython-311-x86_64-linux-gnu.so"
    rpath = ("-Wl,-rpath,$ORIGIN/../alpha.libs", str(tree.directory) + bundled)
    tree.compile(extension, "int f(void);int g(void){return f();}", "-shared", *rpath)
    application(tree, "from alpha import _fast\n")
    found = tree.overlay().references
    assert found[bundled].via == extension


def test_an_extension_module_names_modules_of_its_own(tree: Planted) -> None:
    extension = f"{SITE}/alpha/_fast.abi3.so"
    tree.compile(extension, 'const char *n(void){return "beta";}', "-shared", "-fPIC")
    tree.touched(extension, Access.MAPPED)
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_library_opened_through_ctypes(tree: Planted) -> None:
    by_name, found = tree.library("libexif.so.12"), tree.library("libmagic.so.1")
    text = 'import ctypes\nCDLL("libexif.so.12")\nfind_library("magic")\n'
    application(tree, text)
    assert {by_name, found} <= reached(tree)


def test_programs_count_where_python_can_start_them(tree: Planted) -> None:
    jq = tree.program("/usr/bin/jq")
    application(tree, 'WORD = "jq"\n')
    assert jq not in reached(tree)
    application(tree, 'import subprocess\nsubprocess.run(["jq", ".a"])\n')
    assert jq in reached(tree)


def test_a_word_in_a_sentence_is_no_program(tree: Planted) -> None:
    find = tree.program("/usr/bin/find")
    application(tree, 'import subprocess\n"""find the file, then sort it"""\n')
    assert find not in reached(tree)


def test_a_module_named_in_a_configuration_beside_the_application(tree: Planted) -> None:
    tree.write("/app/formats.ini", "signature = beta\n")
    application(tree, "import json\n")
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_module_named_by_an_argument(tree: Planted) -> None:
    tree.processes.append(Process(1, 0, PYTHON, ("python3", "-m", "beta.part")))
    assert f"{SITE}/beta/part.py" in reached(tree)


def test_import_lines_of_pth_files_run_at_every_start(tree: Planted) -> None:
    tree.write(f"{SITE}/own.pth", "/opt/more\nimport alpha.part\n")
    tree.write("/opt/more/gamma.py")
    application(tree, "import gamma\n")
    assert {"/opt/more/gamma.py", f"{SITE}/alpha/part.py"} <= reached(tree)


def test_code_without_its_source_is_read_from_the_compiled_file(tree: Planted) -> None:
    source = tree.directory.parent / "hidden.py"
    source.write_text("def f():\n    import beta.part\n")
    compiled = tree.directory / f"{SITE}/hidden.pyc".lstrip("/")
    py_compile.compile(str(source), cfile=str(compiled))
    tree.touched(f"{SITE}/hidden.pyc")
    assert f"{SITE}/beta/part.py" in reached(tree)


def test_a_cached_compiled_file_is_its_source(tree: Planted) -> None:
    """A trace sees `__pycache__`, which no package owns, and not the source."""
    tree.touched(f"{SITE}/beta/__pycache__/__init__.cpython-311.pyc")
    (verdict,) = tree.judge(
        tree.owner(f"{SITE}/beta/__init__.py", type="pypi", name="beta")
    )
    assert verdict.status.value == "affected"


def test_an_unreadable_module_leaves_python_open(tree: Planted) -> None:
    path = tree.write(f"{SITE}/alpha/part.py", "x")
    with (tree.directory / path.lstrip("/")).open("ab") as file:
        file.truncate(300 * 1024 * 1024)
    tree.touched(path)
    assert [one.language for one in tree.overlay().unfollowed] == ["python"]


def test_a_python_that_could_start_opens_every_package(tmp_path: Path) -> None:
    tree = Planted(tmp_path / "root")
    tree.program(PYTHON)
    tree.link("/usr/bin/python3", "python3.11")
    file = tree.write(f"{SITE}/beta/__init__.py")
    tree.touched(tree.program("/start.sh", "#!/bin/sh\npython3 /opt/tool\n"))
    (verdict,) = tree.judge(tree.owner(file, type="pypi", name="beta"))
    assert verdict.status.value == "under_investigation"
    assert LIBRARIES not in verdict.reason


def test_what_only_a_program_does_does_not_count_for_a_module() -> None:
    text = (
        "import json\n"
        "def work(): pass\n"
        "if __name__ == '__main__':\n"
        "    import subprocess\n"
        "\n"
        "    subprocess.run(['perl'])\n"
        "AFTER = 1\n"
    )

    said = pysource.as_module(text)

    assert "subprocess" not in said
    assert "AFTER" in said
    assert pysource.as_module("if x:\n    import a\n") == "if x:\n    import a\n"


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("iter_entry_points('flask.commands')", False),
        ("entry_points(group='x.plugins')", False),
        ("entry_points(group=name)", True),
        ("entry_points().get(name)", True),
        ("iter_entry_points(GROUP)", True),
    ],
)
def test_a_group_that_is_written_down_is_known(text: str, *, unknown: bool) -> None:
    assert pysource.read(text).entry_points is unknown


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\ndef f(x): return importlib.import_module(x)\n",
        "import importlib\ndef f(): return importlib.import_module('be' + 'ta')\n",
        "import pkgutil\ndef f(): return list(pkgutil.iter_modules())\n",
        "import pydoc\ndef f(x): return pydoc.locate(x)\n",
        "from pydoc import locate\ndef f(x): return locate(x)\n",
        "from importlib import import_module as load\ndef f(x): return load(x)\n",
        "import importlib\nload = importlib.import_module\ndef f(x): return load(x)\n",
    ],
)
def test_an_application_that_imports_a_value_can_import_anything(
    tree: Planted, text: str
) -> None:
    application(tree, text)
    assert {f"{SITE}/alpha/__init__.py", f"{SITE}/beta/__init__.py"} <= reached(tree)


def test_an_importer_that_is_only_imported_loads_nothing() -> None:
    text = "from importlib import (\n    import_module,\n)\nimport_module('alpha')\n"
    assert not pysource.read(text).dynamic
