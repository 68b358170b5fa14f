"""What Python code does by names and code that are known only at run time."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.wire import pyvalues
from vexxy.tracer.types import Access, Process

SITE = "/usr/local/lib/python3.11/site-packages"
STANDARD = "/usr/lib/python3.11"
PYTHON = "/usr/bin/python3.11"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program(PYTHON), Access.EXECUTED, 0.0)
    planted.write(f"{STANDARD}/os.py")
    planted.write(f"{STANDARD}/json/__init__.py")
    planted.write(f"{SITE}/alpha/__init__.py", '"""alpha"""')
    planted.write(f"{SITE}/beta/__init__.py", '"""beta"""')
    return planted


def application(tree: Planted, text: str) -> None:
    tree.touched(tree.write("/app/app.py", text))


def reached(tree: Planted) -> set[str]:
    return set(tree.overlay().references)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("/opt/libs", "sys.path.insert(0, '/opt/libs')\nimport gamma\n"),
        ("/app/lib", "sys.path.append(join(dirname(__file__), 'lib'))\nimport gamma\n"),
        ("/opt/job/x/y", "run(['python3', '-c', 'import gamma'], env={'PYTHONPATH': D})\n"),
        ("/opt/libs", "site.addsitedir(os.environ['LIBS'])\nfrom gamma import x\n"),
    ],
)
def test_a_module_in_a_directory_that_is_searched_later(
    tree: Planted, place: str, text: str
) -> None:
    gamma = tree.write(f"{place}/gamma/__init__.py")
    application(tree, text)
    assert gamma in reached(tree)
    application(tree, "import json\n")
    assert gamma not in reached(tree)


def test_a_described_package_outside_the_path_counts_where_any_is_imported(
    tree: Planted,
) -> None:
    tree.write("/usr/share/svc/gamma-1.dist-info/METADATA")
    gamma = tree.write("/usr/share/svc/gamma/__init__.py")
    application(tree, "import importlib\ndef f(x): return importlib.import_module(x)\n")
    assert gamma in reached(tree)


def test_a_vendored_package_counts_once_its_vendor_extends_the_path(tree: Planted) -> None:
    gamma = tree.write(f"{SITE}/alpha/_vendor/gamma/__init__.py")
    tree.write(f"{SITE}/alpha/_vendor/gamma-1.dist-info/METADATA")
    application(tree, "import alpha, gamma\n")
    assert gamma not in reached(tree)
    tree.write(f"{SITE}/alpha/__init__.py", "import sys\nsys.path.append(VENDORED)\n")
    assert gamma in reached(tree)
    application(tree, "import gamma\n")
    assert gamma not in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "exec(base64.b64decode('aW1wb3J0IGJldGE='))\n",
        "def f(x):\n    return eval(x)\n",
        "eval(compile(tree, 'f', 'exec'))\n",
        "run = exec\nrun(text)\n",
        "__builtins__['ex' + 'ec'](text)\n",
        "from builtins import exec as run\nrun(text)\n",
        "types.FunctionType(marshal.loads(x), {})()\n",
        "from pyarmor_runtime import __pyarmor__\n__pyarmor__(__name__, b'x')\n",
    ],
)
def test_code_that_is_in_no_file_leaves_python_open(tree: Planted, text: str) -> None:
    application(tree, text)
    (unfollowed,) = tree.overlay().unfollowed
    assert unfollowed.language == "python"
    assert unfollowed.reason.startswith("/app/app.py runs code that is in no file")


@pytest.mark.parametrize(
    "text",
    [
        "exec('import json')\n",
        "re.compile(x)\n",
        "model.eval()\n",
        "ast.literal_eval(x)\n",
        "cursor.execute(x)\n",
        "# exec(x)\n",
        "def eval(x): pass\n",
    ],
)
def test_what_only_looks_like_it_leaves_nothing_open(tree: Planted, text: str) -> None:
    application(tree, text)
    assert tree.overlay().unfollowed == ()


def test_a_library_may_compile_what_it_is_given_but_not_hide_its_own(tree: Planted) -> None:
    tree.touched(tree.write(f"{SITE}/alpha/__init__.py", "exec(compile(x, 'f', 'exec'))\n"))
    assert tree.overlay().unfollowed == ()
    tree.write(f"{SITE}/alpha/__init__.py", "exec(zlib.decompress(b64decode('x')))\n")
    assert [one.language for one in tree.overlay().unfollowed] == ["python"]


@pytest.mark.parametrize(
    "text", ["pickle.load(f)\n", "joblib.load('m.pkl')\n", "yaml.unsafe_load(text)\n"]
)
def test_data_that_names_classes_can_import_anything(tree: Planted, text: str) -> None:
    application(tree, text)
    assert f"{SITE}/beta/__init__.py" in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\ndef f(x): subprocess.run(shlex.split(os.environ['CMD']))\n",
        "import subprocess as s\ndef f(x): s.check_output(x)\n",
        "from subprocess import (\n    Popen as P,\n)\ndef f(x): P([x, '-v'])\n",
        "import os\nos.execvp(args[0], args)\n",
        "import subprocess\nasyncio.to_thread(subprocess.run, command)\n",
        "import subprocess\nrun = subprocess.run\n",
        "import os, subprocess\ngetattr(os, 'sys' + 'tem')(x)\n",
    ],
)
def test_a_command_that_is_a_value_can_be_any(tree: Planted, text: str) -> None:
    tool = tree.program("/usr/bin/planttool")
    application(tree, text)
    found = tree.overlay().references[tool]
    assert found.how.startswith("starts programs by a name known only at run time")


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess\nsubprocess.run(['jq', x])\n",
        "import subprocess\nCMD = ['jq', '-r']\nsubprocess.run(CMD, input=x)\n",
        "import subprocess\nsubprocess.run([sys.executable, '-m', x])\n",
        "import subprocess\nsubprocess.run([os.path.join(D, 'bin', 'jq')])\n",
        "import subprocess\np: subprocess.Popen | None = None\napp.run(port)\n",
        "import os\nos.system(f'jq {x}')\n",
    ],
)
def test_a_command_whose_name_is_constant_is_only_that(tree: Planted, text: str) -> None:
    tree.program("/usr/bin/jq")
    tool = tree.program("/usr/bin/planttool")
    application(tree, text)
    assert tool not in reached(tree)


@pytest.mark.parametrize(
    "text",
    [
        "ctypes.CDLL(f'libplant{n}.so.1')\n",
        "ctypes.CDLL(f'lib{n}.so.1')\n",
        "ctypes.CDLL('lib' + n + '.so.1')\n",
        "ctypes.CDLL(ctypes.util.find_library(os.environ['L']))\n",
        "from ctypes.util import find_library as f\nf(n)\n",
        "ffi = cffi.FFI()\nffi.dlopen(name)\n",
    ],
)
def test_a_library_by_a_value_can_be_any_that_fits(tree: Planted, text: str) -> None:
    planted = tree.library("libplanted.so.1")
    application(tree, f"import ctypes\n{text}")
    assert planted in reached(tree)


def test_of_a_library_only_words_that_are_said_name_what_it_loads(tree: Planted) -> None:
    planted = tree.library("libplanted.so.1")
    tree.touched(tree.write(f"{SITE}/alpha/__init__.py", "import ctypes\nCDLL(n)\n"))
    assert planted not in reached(tree)
    tree.environment = {"CODEC": "planted"}
    tree.touched(tree.write(f"{SITE}/alpha/__init__.py", "import ctypes\nctypes.CDLL(n)\n"))
    assert planted in reached(tree)


def test_a_module_run_by_its_name_brings_its_main(tree: Planted) -> None:
    main = tree.write(f"{SITE}/alpha/__main__.py", "import beta\n")
    tree.processes.append(Process(1, 0, PYTHON, ("python3", "-m", "alpha")))
    assert {main, f"{SITE}/beta/__init__.py"} <= reached(tree)


def test_standard_modules_that_a_script_runs_or_imports_count(tree: Planted) -> None:
    tree.write(f"{STANDARD}/sqlite3/__init__.py")
    tree.write(f"{STANDARD}/dbm/gnu.py")
    text = "#!/bin/sh\npython3 -c 'import sqlite3'\npython3 -m dbm.gnu\n"
    tree.touched(tree.program("/start.sh", text))
    assert {f"{STANDARD}/sqlite3/__init__.py", f"{STANDARD}/dbm/gnu.py"} <= reached(tree)


def test_a_python_that_only_a_job_starts_brings_what_extensions_need(
    tmp_path: Path,
) -> None:
    tree = Planted(tmp_path / "root")
    tree.program(PYTHON)
    library = tree.library("libplanted.so.1")
    tree.compile(
        "/opt/venv/lib/python3.11/site-packages/alpha/_x.so",
        "int f(void);int g(void){return f();}",
        "-shared",
        "-fPIC",
        str(tree.directory) + library,
    )
    tree.touched(tree.program("/usr/sbin/cron"), Access.EXECUTED, 0.0)
    tree.write("/etc/cron.d/job", f"0 3 * * * root {PYTHON} -m alpha\n")
    assert library in reached(tree)


@pytest.mark.parametrize("name", ["app.wsgi", "service.tac", "worker.job"])
def test_a_module_of_another_suffix_is_read(tree: Planted, name: str) -> None:
    text = "def application(environ, start):\n    import beta\n"
    tree.touched(tree.write(f"/app/{name}", text))
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_value_is_followed_through_one_assignment() -> None:
    text = "import os\nTOOL = f'plant{kind}'\nos.system(TOOL)\n"
    assert pyvalues.commands(text) == {"plant*"}


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("/app/static/vendor/jquery.js", "app = Flask(__name__)\n"),
        ("/app/ui/node_modules/jquery/jquery.js", "send_from_directory('ui', path)\n"),
        ("/app/web/dist/x.mjs", "app.mount('/', StaticFiles(directory='./web/dist'))\n"),
    ],
)
def test_code_that_an_application_serves_to_browsers(
    tree: Planted, place: str, text: str
) -> None:
    script = tree.write(place)
    other = tree.write("/app/tools/build.js")
    application(tree, text)
    found = tree.overlay().references
    assert found[script].how == "may serve to browsers"
    assert other not in found


@pytest.mark.parametrize("start", ["argument", "script", "variable"])
def test_an_application_that_is_installed_like_a_library(tree: Planted, start: str) -> None:
    text = "import importlib\ndef f(x): return importlib.import_module(x)\n"
    tree.touched(tree.write(f"{SITE}/service/__init__.py", text))
    assert f"{SITE}/beta/__init__.py" not in reached(tree)
    if start == "argument":
        words = ("gunicorn", "service.web:create()")
        tree.processes.append(Process(1, 0, PYTHON, words))
    elif start == "variable":
        tree.environment = {"SETTINGS_MODULE": "service.settings"}
    else:
        script = f"#!{PYTHON}\nfrom service.cli import main\nmain()\n"
        tree.touched(tree.program("/usr/local/bin/service", script), Access.EXECUTED)
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_launcher_is_not_the_application(tree: Planted) -> None:
    text = "import importlib\ndef f(x): return importlib.import_module(x)\n"
    tree.touched(tree.write(f"{SITE}/gunicorn/__init__.py", text))
    tree.processes.append(Process(1, 0, PYTHON, ("gunicorn", "app:app")))
    script = f"#!{PYTHON}\nfrom gunicorn.app import run\n"
    tree.touched(tree.program("/usr/local/bin/gunicorn", script), Access.EXECUTED)
    assert f"{SITE}/beta/__init__.py" not in reached(tree)


def test_a_directory_that_is_run_starts_with_its_main(tree: Planted) -> None:
    tree.write("/opt/job/__main__.py", "import beta\n")
    tree.touched(tree.program("/start.sh", "#!/bin/sh\npython3 /opt/job\n"))
    assert f"{SITE}/beta/__init__.py" in reached(tree)


def test_a_standard_module_that_a_variable_names_counts_where_any_is_imported(
    tree: Planted,
) -> None:
    module = tree.write(f"{STANDARD}/dbm/gnu.py")
    tree.environment = {"STORE": "dbm.gnu"}
    application(tree, "import json\n")
    assert module not in reached(tree)
    application(tree, "import importlib\ndef f(x): return importlib.import_module(x)\n")
    assert module in reached(tree)
