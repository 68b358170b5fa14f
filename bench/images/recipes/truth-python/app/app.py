"""Ground truth by construction: each route loads one more component, in one way.

`../test.sh` takes some of the routes and `../all.sh` takes every one; what neither can
make the application load is never loaded. `/debug/modules` is for the check alone.
"""

import configparser
import ctypes
import importlib
import importlib.metadata
import json
import mimetypes
import os
import subprocess
import sys

import bottle
import pkg_resources  # brings the copies that setuptools vendors
import pygments.formatters
import pygments.lexers
import waitress
from vendor import six  # a copy without metadata; the installed six is never imported

PYTHON_FILES = "/usr/local/lib/python3.11/dist-packages"
BY_NAME = {"md2": "mistune", "xml": "xmltodict"}

# Read, but not run: an installed version, a data file of a package, the package database.
VERSION = importlib.metadata.version("ecdsa")
with open(f"{PYTHON_FILES}/pytz/zoneinfo/Europe/Berlin", "rb") as zone:
    ZONE = len(zone.read())
with open("/var/lib/dpkg/status", encoding="utf-8") as status:
    INSTALLED = sum(line.startswith("Package: ") for line in status)
mimetypes.init()

app = bottle.Bottle()


@app.get("/")
def index():
    known = [pkg_resources.parse_version(VERSION).public, six.__version__]
    return {"known": known, "zone": ZONE, "installed": INSTALLED}


@app.get("/table")  # driven; the name is in an import statement
def table():
    import tabulate

    return tabulate.tabulate([[1, 2]])


@app.get("/convert/<name>")  # driven with md2 only; the names are in a table
def convert(name):
    return str(importlib.import_module(BY_NAME[name]).__version__)


@app.get("/highlight/<name>")  # driven with "python"; unknown names load every plugin
def highlight(name):
    try:
        lexer = pygments.lexers.get_lexer_by_name(name)
    except pygments.util.ClassNotFound:
        return "highlight: unknown"
    return pygments.highlight("x = 1", lexer, pygments.formatters.HtmlFormatter())


@app.get("/query")  # driven: runs a program of another package
def query():
    return subprocess.run(["jq", ".a"], input=b'{"a": 1}', capture_output=True).stdout


@app.get("/sign")  # driven: a Python of its own, which imports jwt
def sign():
    return subprocess.check_output([sys.executable, "/app/sign.py"])


@app.get("/exif")  # driven: dlopen through ctypes
def exif():
    return str(ctypes.CDLL("libexif.so.12").exif_tag_table_count())


@app.get("/markdown")  # not driven
def markdown():
    import markdown as library

    return library.markdown("*a*")


@app.get("/configured")  # not driven; the name is in a file of its own
def configured():
    formats = configparser.ConfigParser()
    formats.read(os.environ["FORMATS"])
    return importlib.import_module(formats["formats"]["signature"]).__name__


@app.get("/yaml")  # not driven: dlopen through ctypes
def yaml():
    library = ctypes.CDLL("libyaml-0.so.2")
    library.yaml_get_version_string.restype = ctypes.c_char_p
    return library.yaml_get_version_string()


@app.get("/sql")  # not driven
def sql():
    return subprocess.check_output(["sqlite3", ":memory:", "select 1;"])


@app.get("/report")  # not driven: a shell script, a program, and a Python that it runs
def report():
    return subprocess.check_output(["/app/report.sh"])


@app.get("/debug/modules")
def modules():
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return json.dumps(sorted(file for file in files if file))


waitress.serve(app, host="0.0.0.0", port=8080, threads=2)
