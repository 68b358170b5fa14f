"""Python applications that import, run or start what only data names."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.wire import pystarts
from vexxy.tracer.types import Access, Process

SITE = "/usr/local/lib/python3.11/site-packages"
BETA = f"{SITE}/beta/__init__.py"
RENAMED = """
try:
    from yaml import CSafeLoader as Loader
except ImportError:
    from yaml import SafeLoader as Loader
import yaml
yaml.load(x, Loader=Loader)
"""
START = 'from flask import Flask\nif __name__ == "__main__":\n    app.run(debug=True)\n'


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    planted.write("/usr/lib/python3.11/os.py")
    planted.write(f"{SITE}/alpha/__init__.py", '"""alpha"""')
    planted.write(BETA, '"""beta"""')
    return planted


def application(tree: Planted, text: str) -> None:
    tree.touched(tree.write("/app/app.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "from multiprocessing.connection import Listener\nListener(a).accept().recv()\n",
        "from multiprocessing import connection as c\nc.Client(a).recv()\n",
        "from multiprocessing.managers import BaseManager\nBaseManager(a).connect()\n",
        "SESSION_SERIALIZER = 'django.contrib.sessions.serializers.PickleSerializer'\n",
        "app = Celery()\nconf.accept_content = ['json', 'pickle']\n",
        "import yaml\ny = yaml.load(x)\n",
        "import yaml as y\ny.load(x, Loader=y.Loader)\n",
        "import os, yaml\nyaml.load(x)\n",
        "import os, yaml as y\ny.load(x)\n",
        "import yaml\nyaml.load_all(x, yaml.UnsafeLoader)\n",
        "from yaml import load, Loader\nload(x, Loader)\n",
        "from yaml import load\nload(x)\n",
        "import yaml\nyaml.load(x, Loader=yaml.FullLoader)\n",
        "from ruamel.yaml import YAML\nYAML(typ='unsafe').load(x)\n",
        "import zipimport\nzipimport.zipimporter(x).load_module('m')\n",
        "import unittest\nunittest.defaultTestLoader.loadTestsFromName(x)\n",
        "import logging.config\nlogging.config.dictConfig(json.loads(x))\n",
        "from logging.config import fileConfig\nfileConfig(x)\n",
        "import lazy_loader as lazy\nlazy.load('be' + x)\n",
        "import pydoc\npydoc.browse(8080)\n",
        "server.register_instance(service, allow_dotted_names=True)\n",
        "import numpy as np\nnp.load(x, allow_pickle=flag)\n",
        "from torch import load\nload(x)\n",
        "import importlib\nimportlib._bootstrap._gcd_import(x)\n",
        "http.server.test(HandlerClass=http.server.CGIHTTPRequestHandler)\n",
    ],
)
def test_data_that_names_what_is_imported(tree: Planted, text: str) -> None:
    application(tree, text)
    found = tree.overlay().references[BETA]
    assert found.via == "/app/app.py"
    assert found.how == "imports modules by a name known only at run time, perhaps"


@pytest.mark.parametrize(
    "text",
    [
        "import yaml\nyaml.load(x, Loader=yaml.SafeLoader)\nyaml.safe_load(x)\n",
        "import yaml\nyaml.load(open(os.path.join(a, b)), Loader=yaml.CSafeLoader)\n",
        RENAMED,
        "LOGGING = {'version': 1}\nlogging.config.dictConfig(LOGGING)\n",
        "logging.config.dictConfig({'version': 1})\n",
        "logging.config.fileConfig('logging.ini')\n",
        "import multiprocessing\nmultiprocessing.Process(target=f).start()\n",
        "# yaml.load(x)\nimport yaml\n",
        "np.load(x, allow_pickle=False)\n",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'json.tool', x])\n",
        "import sys\nprint(sys.executable)\n",
        "session.query(User).all()\nmodel.eval()\n",
        "timeit.timeit('f()')\n",
        "uvicorn.run(app, debug=True)\n",
        START,
    ],
)
def test_what_only_looks_like_it_opens_nothing(tree: Planted, text: str) -> None:
    application(tree, text)
    overlay = tree.overlay()
    assert overlay.unfollowed == ()
    assert BETA not in overlay.references


def test_a_late_full_loader_makes_only_what_is_imported_already(tree: Planted) -> None:
    application(tree, "import yaml\nyaml.load(x, Loader=yaml.FullLoader)\n")
    tree.write(f"{SITE}/PyYAML-5.3.1.dist-info/METADATA")
    assert BETA in tree.overlay().references
    (tree.directory / f"{SITE}/PyYAML-5.3.1.dist-info/METADATA".lstrip("/")).unlink()
    tree.write(f"{SITE}/PyYAML-6.0.2.dist-info/METADATA")
    assert BETA not in tree.overlay().references


@pytest.mark.parametrize(
    "text",
    [
        "import code\ncode.InteractiveInterpreter().runsource(x)\n",
        "from code import InteractiveConsole as C\nC().push(x)\n",
        "import code\ncode.interact(local=x)\n",
        "import timeit\ntimeit.timeit(x)\n",
        "import cProfile\ncProfile.run(x)\n",
        "import cProfile\ncProfile.Profile().runctx(x, {}, {})\n",
        "import bdb\nbdb.Bdb().run(x)\n",
        "import pdb\npdb.runeval(x)\n",
        "import ctypes\nctypes.pythonapi.PyRun_SimpleString(x)\n",
        "import _xxsubinterpreters as i\ni.run_string(i.create(), x)\n",
        "from concurrent import interpreters\ninterpreters.create().exec(x)\n",
        "import pandas as pd\npd.eval(x)\n",
        "import pandas as pd\nframe.query(x)\n",
        "from sympy import sympify\nsympify(x)\n",
        "from sympy.parsing.sympy_parser import parse_expr\nparse_expr(x)\n",
        "from flask import Flask\napp.run(debug=True)\n",
        "from werkzeug import serving\nserving.run_simple(h, 1, a, use_debugger=True)\n",
        "import logging.config\nlogging.config.listen(9030).start()\n",
        "import doctest\ndoctest.testfile(x)\n",
    ],
)
def test_text_that_is_run_leaves_python_open(tree: Planted, text: str) -> None:
    application(tree, text)
    (unfollowed,) = tree.overlay().unfollowed
    assert unfollowed.language == "python"
    assert unfollowed.reason.startswith("/app/app.py runs code that is in no file")


def test_a_debugger_counts_where_the_file_is_run_as_a_program(tree: Planted) -> None:
    tree.touched(tree.write("/app/app.py", START), Access.EXECUTED)
    assert [one.language for one in tree.overlay().unfollowed] == ["python"]


@pytest.mark.parametrize(
    "text",
    [
        "subprocess.run([sys.executable, '-m', x])",
        "subprocess.run([sys.executable, '-u', '-m', f'be{x}'])",
        "subprocess.Popen([sys.executable, '-c', x])",
        "subprocess.run([sys.executable, x])",
        "subprocess.run([sys.executable, *x])",
        "subprocess.run([sys.executable] + x)",
        "subprocess.run([sys.executable], input=x)",
        "subprocess.run(['/usr/bin/python3.11', '-'], input=x)",
        "os.execv(sys.executable, [sys.executable, '-m', x])",
        "os.execl(sys.executable, sys.executable, '-m', x)",
        "await asyncio.create_subprocess_exec(sys.executable, '-m', x)",
        "os.system('python3 -m ' + x)",
        "os.system(f'python3 -m {x}')",
        "os.system(f'{sys.executable} -W ignore {x}')",
        "os.system('python3 -c \"%s\"' % x)",
        "PY = sys.executable\nsubprocess.run([PY, '-m', x])",
        "py = shutil.which('python3')\nsubprocess.run([py, x])",
    ],
)
def test_a_python_that_is_started_by_a_value_imports_by_a_value(
    tree: Planted, text: str
) -> None:
    application(tree, f"import asyncio, os, shutil, subprocess, sys\n{text}\n")
    assert BETA in tree.overlay().references


@pytest.mark.parametrize(
    "text",
    [
        "run([sys.executable, '-m', 'pip', 'install', x])",
        "run([sys.executable, 'manage.py', x])",
        "run(['python3', '-c', 'import json', x])",
        "os.execv(sys.executable, [sys.executable] + sys.argv)",
        "os.system(f'python3 -m json.tool {x}')",
        "os.system('python3 script.py ' + x)",
        "classifiers = ['python', 'ruby', x]",
    ],
)
def test_a_python_whose_script_is_written_there_is_followed_by_it(text: str) -> None:
    assert pystarts.by_value(text) is None


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("T = 'plant'\ndef f(x): os.system(T + 'tool -x')", False),
        ("subprocess.run(' '.join(['plant' + 'tool', '-x']), shell=True)", False),
        ("subprocess.run(' '.join([x, '-x']), shell=True)", True),
        ("subprocess.run('-'.join(['plant', x]), shell=True)", False),
        ("subprocess.run(['plant' + x])", False),
        ("subprocess.run(shlex.split('plant' + x))", False),
        ("os.system(''.join(x))", True),
        ("subprocess.run([os.path.join('/opt/tools', x)])", True),
        ("def f(tool):\n    os.system(tool)\ntool = 'jq'", True),
        ("loop.subprocess_exec(P, x)", True),
        ("from sh import planttool\nplanttool('-x')", False),
        ("import sh\ngetattr(sh, x)('-x')", True),
        ("from distutils.spawn import spawn\nspawn([x])", True),
    ],
)
def test_a_command_put_together_counts_by_what_it_starts_with(
    tree: Planted, text: str, *, other: bool
) -> None:
    tool = tree.program("/usr/bin/planttool")
    tool = tool if "-'.join" not in text else tree.program("/usr/bin/plant-tool")
    unlike = tree.program("/usr/bin/unlike")
    application(tree, f"import os, shlex, subprocess\n{text}\n")
    found = set(tree.overlay().references)
    assert tool in found
    assert (unlike in found) is other


def test_a_server_that_is_given_the_application_does_not_run_it_as_a_program(
    tree: Planted,
) -> None:
    words = ("python3", "-m", "gunicorn", "-b", "0.0.0.0:80", "app:app")
    tree.processes.append(Process(1, 0, "/usr/bin/python3.11", words))
    tree.environment = {"PYTHONPATH": "/app"}
    tree.working_directory = "/app"
    application(tree, START)
    assert tree.overlay().unfollowed == ()
    tree.processes[0] = Process(1, 0, "/usr/bin/python3.11", ("python3", "-m", "app"))
    assert [one.language for one in tree.overlay().unfollowed] == ["python"]
