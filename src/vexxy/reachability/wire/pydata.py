"""Calls of Python code by which data, and no text of the image, names what is loaded.

The standard library and common packages have many besides `exec` and `pickle`. Asked of
application files only: of a library, its caller decides what it is given.
"""

import re
from collections.abc import Iterable
from typing import Final

from vexxy.reachability.wire import pysource, pyvalues

# Each: words of which one must be there, then what says that it is used.
RUNS_TEXT: Final = (
    (("Interactive", "interact"), (r"\bInteractive(?:Console|Interpreter)\b"
     r"|\bcode\.interact\b|\bfrom\s+code\s+import\b|\bimport\s+code\s+as\b")),
    (("timeit",), (r"\bfrom\s+timeit\s+import\b|\bimport\s+timeit\s+as\b"
     rf"|\btimeit\.(?:timeit|repeat|Timer)\b(?!{pyvalues.CONSTANT})")),
    (("rofile", "pdb", "bdb"), (r"\b(?:cProfile|profile|i?pdb|bdb)\b[^\n]{0,60}"
     rf"\.run(?:ctx|eval)?\b(?!{pyvalues.CONSTANT})|\bimport\s+bdb\b|\bfrom\s+bdb\s+import\b"
     r"|\bfrom\s+(?:cProfile|profile|i?pdb)\s+import\b[^\n]*\brun|\.(?:runctx|runeval)\s*\(")),
    (("PyRun_", "Py_CompileString", "pythonapi"),
     r"\bpythonapi\b|\bPyRun_|\bPy_CompileString"),
    (("interpreters",), (r"\b_(?:xx)?(?:sub)?interpreters\b|\bconcurrent\.interpreters\b"
     r"|\bfrom\s+concurrent\s+import\b[^\n]*\binterpreters\b|\bimport\s+interpreters\b")),
    (("pandas", "polars", "numexpr"), (r"\b(?:pd|pandas|ne|numexpr)\.(?:eval|evaluate)\b"
     r"|\bfrom\s+(?:pandas|numexpr)\s+import\b[^\n]*\beval|\.(?:eval|query)\s*\(\s*(?!\))")),
    (("sympify", "parse_expr", "lambdify", "sympy", "parse_latex"),
     r"\b(?:sympify|parse_expr|lambdify|parse_latex)\b|\bsympy\.S\("),
    (("logging",), (r"\bconfig\.listen\s*\("
     r"|\bfrom\s+logging\.config\s+import\b[^\n]*\blisten\b")),
    (("doctest",), r"\bdoctest\.\w|\bfrom\s+doctest\s+import\b"),
    (("keras", "tensorflow", "mlflow"), r"\bload_model\b"),
    (("asteval", "RestrictedPython"), r"\b(?:asteval|RestrictedPython)\b"),
)  # fmt: skip
IMPORTS: Final = (
    (("multiprocessing",), (r"\bmultiprocessing\.(?:connection|managers|reduction)\b"
     r"|\bfrom\s+multiprocessing\s+import\b[^\n]*\b(?:connection|managers|reduction)\b"
     r"|\b(?:Base|Sync|SharedMemory)Manager\b")),
    (("ickle", "python-serialize"), (r"\b\w*PickleSerializer\b|x-python-serialize"
     r"|[\"'](?:cloud|c)?pickle[\"']|\bserializer\.Pickle|\bserializers\.pickle")),
    (("yaml",), (r"\byaml\.unsafe_load|\bC?UnsafeLoader\b|\byaml\.C?Loader\b"
     r"|\bfrom\s+yaml\s+import\b[^\n]*(?<!as )\b(?:C?Loader|unsafe_load\w*)\b"
     r"|\btyp\s*=\s*[\"']unsafe[\"']")),
    (("zipimport",), r"\bzipimport(?:er)?\b"),
    (("loadTests", "TestLoader", "unittest", "discover"), (r"\bloadTestsFromNames?\b"
     r"|\bTestLoader\b[^\n]*\.discover\b|\bdefaultTestLoader\.discover\b")),
    (("lazy_loader", "lazy_import", "apipkg"), r"\b(?:lazy_loader|lazy_import|apipkg)\b"),
    (("pydoc",), r"\b(?:import|from)\s+pydoc\b"),
    (("register_instance",), r"\bregister_instance\s*\("),
    (("CGIHTTP", "CGIXMLRPC"), r"\bCGI(?:HTTP|XMLRPC)RequestHandler\b"),
    (("_gcd_import", "_find_and_load", "EntryPoint("),
     r"\b_gcd_import\b|\b_find_and_load|\bEntryPoint\("),
    (("allow_pickle",), r"\ballow_pickle\s*=\s*(?!False|None|0)"),
    (("torch", "joblib"), (r"\bfrom\s+(?:torch|joblib)\s+import\b[^\n]*\bload\b"
     r"|\bimport\s+torch\s+as\b")),
    (("dictConfig", "fileConfig"), (r"\bfileConfig\b(?:(?!\s*\()|(?=\s*\()"
     rf"(?!{pyvalues.CONSTANT}))(?<!import fileConfig)")),
)  # fmt: skip
# The debugger of a web framework runs what is typed into the page of an error.
DEBUGGER: Final = (
    (
        ("lask", "werkzeug", "ottle", "ash", "uart"),
        re.compile(
            r"\bDebuggedApplication\b|\buse_debugger\s*=\s*(?!False|None|0)"
            r"|\.debug\s*=\s*True\b|\[[\"']DEBUG[\"']\]\s*=\s*True"
            r"|\.run(?:_server|_simple)?\s*\([^()]*\bdebug\s*=\s*(?!False|None|0)"
        ),
    ),
)
# Since PyYAML 5.4 it makes only objects of what is imported already.
FULL_LOADER: Final = re.compile(r"\bfull_load|\bC?FullLoader\b")
RUNS: Final = tuple((words, re.compile(text)) for words, text in RUNS_TEXT)
LOADS: Final = tuple((words, re.compile(text)) for words, text in IMPORTS)
YAML_LOAD: Final = re.compile(r"\b(?P<name>\w+)\.load(?:_all)?\s*\(")
YAML_NAMES: Final = re.compile(r"\bimport\b[^\n]*\byaml\b(?:\s+as\s+(\w+))?")
YAML_BARE: Final = re.compile(r"\bfrom\s+yaml\s+import\b[^\n]*\bload\b")
RESTRICTED: Final = re.compile(r"Safe|BaseLoader|FullLoader|full_load")
DICT_CONFIG: Final = re.compile(r"\bdictConfig\s*\(\s*(?P<given>[^\s,)]*)")
# Words of a compiled file that does so; its text is not there to be looked at closer.
COMPILED_IMPORTS: Final = frozenset(
    {"Listener", "BaseManager", "SyncManager", "unsafe_load", "UnsafeLoader",
     "zipimporter", "loadTestsFromName", "loadTestsFromNames", "lazy_loader", "pydoc",
     "register_instance", "PickleSerializer", "allow_pickle", "_gcd_import", "cloudpickle",
     "jsonpickle", "read_pickle", "Unpickler", "CGIHTTPRequestHandler", "fileConfig",
     "x-python-serialize"}
)  # fmt: skip
COMPILED_RUNS: Final = frozenset(
    {"InteractiveConsole", "InteractiveInterpreter", "interact", "runctx", "runeval",
     "timeit", "bdb", "pythonapi", "PyRun_SimpleString", "PyRun_String", "run_string",
     "_xxsubinterpreters", "_interpreters", "sympify", "parse_expr", "lambdify",
     "DebuggedApplication", "use_debugger", "marshal", "FunctionType", "CodeType"}
)  # fmt: skip


def runs_text(text: str, *, imported: bool = False) -> str | None:
    """Return what of a file runs text that it is given; None if nothing does.

    `imported` says that it is not run as a program: its own start of a server, under
    `if __name__ == "__main__"`, with a debugger, is not taken then.
    """
    served = pysource.as_module(text) if imported else text
    return _first(text, RUNS) or _first(served, DEBUGGER)


def imports(text: str, *, full_loader: bool = True) -> str | None:
    """Return what of a file imports what data names; None if nothing does.

    `full_loader` says whether PyYAML's loader of that name can.
    """
    found = _first(text, LOADS) or _yaml(text) or _configured(text)
    if found is None and full_loader and "yaml" in text:
        full = FULL_LOADER.search(pyvalues.COMMENTS.sub("", text))
        return full and full[0]
    return found


def _first(
    text: str, kinds: Iterable[tuple[tuple[str, ...], re.Pattern[str]]]
) -> str | None:
    said: str | None = None
    for words, expression in kinds:
        if any(word in text for word in words):
            said = pyvalues.COMMENTS.sub("", text) if said is None else said
            found = expression.search(said)
            if found is not None:
                return found[0].split("\n")[-1].strip(" (=,")[-60:] or words[0]
    return None


def _yaml(text: str) -> str | None:
    """Return a `yaml.load` that is not told to be safe; older ones are not by default."""
    if "yaml" not in text or "load" not in text:
        return None
    said = pyvalues.COMMENTS.sub("", text)
    names = {alias or "yaml" for alias in YAML_NAMES.findall(said)}
    for call in YAML_LOAD.finditer(said):
        given = pyvalues.operands(said, call.end())
        renamed = re.search(r"\bLoader\b", given) and "SafeLoader as Loader" in said
        if call["name"] in names and not (renamed or RESTRICTED.search(given)):
            return f"{call['name']}.load"
    if YAML_BARE.search(said) and not RESTRICTED.search(said):
        return "load of yaml"
    return None


def _configured(text: str) -> str | None:
    """Return a `dictConfig` of what is no dictionary written in the file."""
    if "dictConfig" not in text:
        return None
    for found in DICT_CONFIG.finditer(pyvalues.COMMENTS.sub("", text)):
        given = found["given"]
        written = given.startswith(("{", "dict(")) or (
            given.isidentifier()
            and re.search(rf"(?m)^\s*{given}\s*(?::[^=\n]+)?=\s*(?:\{{|dict\()", text)
        )
        if not written:
            return "dictConfig"
    return None
