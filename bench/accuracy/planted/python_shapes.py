"""How planted Python functions are written, used and found by name."""

from typing import Final

# shape -> (definition, symbol, use); NAME is unique to the row, M the module at hand.
SHAPES: Final = {
    "function": ("def NAME(x):\n    return x + 1\n", "NAME", "M.NAME(1)"),
    "method": (
        "class KNAME:\n    def run_NAME(self, x):\n        return x\n",
        "KNAME.run_NAME",
        "M.KNAME().run_NAME(1)",
    ),
    "common name": (
        "class KNAME:\n    def parse(self, x):\n        return x\n",
        "KNAME.parse",
        "M.KNAME().parse(1)",
    ),
    "static method": (
        "class KNAME:\n    @staticmethod\n    def make_NAME(x):\n        return x\n",
        "KNAME.make_NAME",
        "M.KNAME.make_NAME(1)",
    ),
    "class method": (
        "class KNAME:\n    @classmethod\n    def of_NAME(cls, x):\n        return x\n",
        "KNAME.of_NAME",
        "M.KNAME.of_NAME(1)",
    ),
    "property": (
        "class KNAME:\n    @property\n    def size_NAME(self):\n        return 1\n",
        "KNAME.size_NAME",
        "M.KNAME().size_NAME",
    ),
    "call operator": (
        "class KNAME:\n    def __call__(self, x):\n        return x\n",
        "KNAME.__call__",
        "M.KNAME()(1)",
    ),
    "constructor": (
        "class KNAME:\n    def __init__(self, x):\n        self.x = x\n",
        "KNAME.__init__",
        "M.KNAME(1)",
    ),
    "context manager": (
        (
            "class KNAME:\n    def __enter__(self):\n        return self\n"
            "    def __exit__(self, *a):\n        return None\n"
        ),
        "KNAME.__enter__",
        "M.entered(M.KNAME())",
    ),
    "equality": (
        "class KNAME:\n    def __eq__(self, other):\n        return True\n",
        "KNAME.__eq__",
        "M.KNAME() == 3",
    ),
    "text": (
        "class KNAME:\n    def __str__(self):\n        return 'x'\n",
        "KNAME.__str__",
        "f'{M.KNAME()}'",
    ),
    "item": (
        "class KNAME:\n    def __getitem__(self, at):\n        return at\n",
        "KNAME.__getitem__",
        "M.KNAME()[3]",
    ),
    "iteration": (
        "class KNAME:\n    def __iter__(self):\n        return iter((1, 2))\n",
        "KNAME.__iter__",
        "list(M.KNAME())",
    ),
    "finalizer": (
        "class KNAME:\n    def __del__(self):\n        COUNT.append(1)\n",
        "KNAME.__del__",
        "bool(M.KNAME())",
    ),
    "generator": (
        "def NAME(x):\n    yield x\n    yield x + 1\n",
        "NAME",
        "list(M.NAME(1))",
    ),
    "coroutine": (
        "async def NAME(x):\n    return x\n",
        "NAME",
        "asyncio.run(M.NAME(1))",
    ),
    "closure": (
        (
            "def build_NAME():\n    def inner_NAME(x):\n        return x\n"
            "    return inner_NAME\n"
        ),
        "build_NAME.inner_NAME",
        "M.build_NAME()(1)",
    ),
    "decorated": ("@traced\ndef NAME(x):\n    return x\n", "NAME", "M.NAME(1)"),
    "cached": (
        "@functools.lru_cache\ndef NAME(x):\n    return x\n",
        "NAME",
        "M.NAME(1)",
    ),
    "inherited": (
        (
            "class BNAME:\n    def go_NAME(self):\n        return 1\n\n\n"
            "class KNAME(BNAME):\n    pass\n"
        ),
        "BNAME.go_NAME",
        "M.KNAME().go_NAME()",
    ),
    "template method": (
        "class KNAME(Worker):\n    def step(self):\n        return 1\n",
        "KNAME.step",
        "M.KNAME().work()",
    ),
    "private helper": (
        "def _help_NAME(x):\n    return x\n\n\ndef NAME(x):\n    return _help_NAME(x)\n",
        "_help_NAME",
        "M.NAME(1)",
    ),
    "sort key": ("def NAME(x):\n    return -x\n", "NAME", "sorted([1, 2], key=M.NAME)"),
    "substitution": (
        "def NAME(found):\n    return 'b'\n",
        "NAME",
        "re.sub('a', M.NAME, 'aa')",
    ),
    "partial": (
        "def NAME(x, y):\n    return x + y\n",
        "NAME",
        "functools.partial(M.NAME, 1)(2)",
    ),
    "after an error": (
        "def NAME(error):\n    return str(error)\n",
        "NAME",
        "M.failing(M.NAME)",
    ),
    "thread": ("def NAME(x):\n    return x\n", "NAME", "in_thread(M.NAME)"),
    "forked child": ("def NAME(x):\n    return x\n", "NAME", "in_fork(M.NAME)"),
    "child process": (
        "def NAME(x):\n    return x\n",
        "NAME",
        (
            "subprocess.run([sys.executable, '-c',"
            " 'from vxplant import M; M.NAME(1)'], check=True).returncode"
        ),
    ),
    "default argument": (
        "def NAME(x):\n    return x\n\n\ndef by_NAME(x, how=NAME):\n    return how(x)\n",
        "NAME",
        "M.by_NAME(1)",
    ),
    "table": (
        "def NAME(x):\n    return x\n\n\nTABLE_NAME = {'a': NAME}\n",
        "NAME",
        "M.TABLE_NAME['a'](1)",
    ),
}
HEAD: Final = """import functools

COUNT = []


def traced(function):
    @functools.wraps(function)
    def wrapper(*given):
        return function(*given)

    return wrapper


def entered(manager):
    with manager as inside:
        return inside


def failing(handler):
    try:
        raise ValueError("bad")
    except ValueError as error:
        return handler(error)


class Worker:
    def work(self):
        return self.step()

    def step(self):
        return 0


"""
APP: Final = """import asyncio
import functools
import http.server
import importlib
import importlib.metadata
import json
import operator
import os
import re
import subprocess
import sys
import threading
import urllib.parse

from vxplant import core
import vxcopy

ROUTES = {}


def route(path):
    def add(function):
        ROUTES[path] = function
        return function

    return add


def in_thread(function):
    thread = threading.Thread(target=function, args=(1,))
    thread.start()
    thread.join()


def in_fork(function):
    child = os.fork()
    if child == 0:
        function(1)
        os._exit(0)
    os.waitpid(child, 0)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        handler = ROUTES.get(url.path)
        if handler is None:
            self.send_error(404)
            return
        body = repr(handler(query)).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given):
        pass


"""
MAIN: Final = """
if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
# mechanism -> (module, definition, symbol, handler); N is "a" or "b".
DYNAMIC_SHAPES: Final = {
    "getattr of a module": (
        "actions",
        "def act_N(x=1):\n    return x\n",
        "act_N",
        "from vxplant import actions\n    return getattr(actions, q['name'])()",
        "act_N",
    ),
    "globals": (
        "verbs",
        "def verb_N():\n    return 1\n",
        "verb_N",
        "from vxplant import verbs\n    return verbs.dispatch(q['name'])",
        "N",
    ),
    "registry": (
        "registry",
        "@register\ndef job_N():\n    return 1\n",
        "job_N",
        "from vxplant import registry\n    return registry.JOBS[q['name']]()",
        "job_N",
    ),
    "prefix of a method": (
        "shell",
        "    def cmd_N(self):\n        return 1\n",
        "Shell.cmd_N",
        "from vxplant import shell\n    return shell.Shell().onecmd(q['name'])",
        "N",
    ),
    "imported by name": (
        "plug_N",
        "def main_N():\n    return 1\n\n\ndef main():\n    return main_N()\n",
        "main_N",
        "return importlib.import_module('vxplant.plug_' + q['name']).main()",
        "N",
    ),
    "configured": (
        "hooks",
        "def hook_N():\n    return 1\n",
        "hook_N",
        (
            "path = json.load(open('/app/app.json'))[q['name']]\n"
            "    module, _, name = path.partition(':')\n"
            "    return getattr(importlib.import_module(module), name)()"
        ),
        "hook-N",
    ),
    "subclasses": (
        "formats",
        (
            "class FormatN(Format):\n    name = 'N'\n\n    def render_N(self):\n"
            "        return 1\n\n    render = render_N\n"
        ),
        "FormatN.render_N",
        "from vxplant import formats\n    return formats.find(q['name'])().render()",
        "N",
    ),
    "eval": (
        "terms",
        "def term_N(x):\n    return x\n",
        "term_N",
        (
            "from vxplant import terms\n"
            "    text = {'A': 'term_A(1)', 'B': 'term_B(1)'}[q['name']]\n"
            "    return eval(text, vars(terms))"
        ),
        "N",
    ),
    "attrgetter": (
        "fields",
        (
            "class Fields:\n    pass\n\n\nclass FieldsN(Fields):\n    @property\n"
            "    def field_N(self):\n        return 1\n"
        ),
        "FieldsN.field_N",
        (
            "from vxplant import fields\n"
            "    one = getattr(fields, 'Fields' + q['name'][-1])()\n"
            "    return operator.attrgetter(q['name'])(one)"
        ),
        "field_N",
    ),
    "entry point": (
        "exts",
        "def ext_N():\n    return 1\n",
        "ext_N",
        (
            "found = importlib.metadata.entry_points(group='vxplant.exts')\n"
            "    return found[q['name']].load()()"
        ),
        "ext-N",
    ),
}
CLOSED: Final = ("globals", "registry", "prefix of a method", "subclasses")
DYNAMIC_HEADS: Final = {
    "verbs": "def dispatch(name):\n    return globals()['verb_' + name]()\n\n\n",
    "registry": "JOBS = {}\n\n\ndef register(function):\n"
    "    JOBS[function.__name__] = function\n    return function\n\n\n",
    "shell": "class Shell:\n    def onecmd(self, name):\n"
    "        return getattr(self, 'cmd_' + name)()\n\n",
    "formats": "class Format:\n    name = ''\n\n\ndef find(name):\n"
    "    return next(c for c in Format.__subclasses__() if c.name == name)\n\n\n",
}
