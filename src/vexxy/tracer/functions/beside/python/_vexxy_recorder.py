"""Writes down the first call of each function of this process, at once.

Runs inside the image's own interpreter, 3.6 or newer, before anything of the image but
`.pth` files. So: no import that is not built in, no Python function of anybody else's, no
file kept open, and one `write` a line, so that a killed process has told everything. The
lines are read by `vexxy.tracer.functions.wire.python`.
"""

import posix
import sys
import time

HERE = __file__.rpartition("/")[0]
TOLD = HERE.rpartition("/")[0].rpartition("/")[0] + "/.vexxy-out/"
STACK_MAX = 30
DEPTH_MAX = 400
FIELD_MAX = 1000
FUNCTIONS_MAX = 200000
# Names for the request of an application's server: PEP 3333 and ASGI 3.
REQUEST_NAMES = ("environ", "env", "scope")
FUNCTION_FLAGS = 3  # CO_OPTIMIZED and CO_NEWLOCALS: neither class body nor module
IGNORED = (RecursionError, MemoryError)

_open = posix.open
_close = posix.close
_write_bytes = posix.write
_getpid = posix.getpid
_now = time.monotonic

_begun = "%d" % (_now() * 1000000)
_known = set()
_pending = []
_noted = set()
_process = [0, ""]
_state = {"mode": "none", "directory": ""}


def _field(value):
    if type(value) is not str:
        return ""
    if len(value) > FIELD_MAX:
        value = value[:FIELD_MAX]
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _encoded(fields):
    line = "\t".join(fields) + "\n"
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return line.encode("utf-8", "replace")


def _append(data):
    """Write to the process's own file, which is found by its name each time.

    A descriptor would be closed by a program that becomes a daemon, and its number
    given to something else.
    """
    path = _process[1]
    try:
        file = _open(path, posix.O_WRONLY | posix.O_APPEND | posix.O_CLOEXEC)
    except OSError:
        # Nothing is there yet, or it is of another user that this process was before.
        path = "%s-%d" % (path, posix.geteuid())
        flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CLOEXEC | posix.O_CREAT
        file = _open(path, flags, 0o666)
    try:
        return _write_bytes(file, data) == len(data)
    finally:
        _close(file)


def _tell(fields):
    if _process[0] != _getpid():
        _hello("fork")
    data = _encoded(fields)
    try:
        if _pending:
            _append(b"".join(_pending))
            del _pending[:]
        _append(data)
    except OSError:
        # No descriptor was free, or no space left: the reader sees the space by itself.
        _pending.append(data)


def note(reason):
    """Tell why something may have been called unseen, each reason once a process."""
    if reason not in _noted:
        _noted.add(reason)
        _tell(("R", _field(reason)))


def _executable():
    try:
        return posix.readlink("/proc/self/exe")
    except OSError:
        return sys.executable or ""


def _image():
    """Return what tells this run of a program from the next one of the same process.

    The address where its stack starts (proc(5), field 28 of stat) is random; a second
    interpreter in one process must not pass for a second run.
    """
    try:
        file = _open("/proc/self/stat", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.read(file, 4096).rpartition(b")")[2].split()[25].decode()
        finally:
            _close(file)
    except (OSError, IndexError):
        return _begun


def _hello(kind):
    pid = _getpid()
    _process[:] = [pid, "%spython-%d-%s" % (TOLD, pid, _begun)]
    try:
        _close(_open(_process[1], posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL, 0o666))
        # The user may change before the next line, and the mask must not matter.
        posix.chmod(_process[1], 0o666)
    except OSError:
        pass
    arguments = getattr(sys, "orig_argv", None) or getattr(sys, "argv", None) or []
    library = getattr(sys, "_stdlib_dir", None) or _library()
    fields = ["H", kind, "%d" % pid, "%d" % posix.getppid(), "%.6f" % _now()]
    fields += ["%d.%d" % sys.version_info[:2], _state["mode"], _image(), _executable(), library]
    _tell([_field(field) for field in fields + arguments[:20]])


def _library():
    module = sys.modules.get("os")
    return (getattr(module, "__file__", "") or "").rpartition("/")[0]


def _before():
    """Tell the files that may have called functions before anybody listened."""
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if type(path) is not str:
            path = "<frozen %s>" % name
            loader = getattr(module, "__loader__", None)
            if getattr(loader, "__name__", "") != "FrozenImporter":
                continue
        if not path.startswith(HERE):
            _tell(("B", _field(path)))


def _request(code, frame):
    names = code.co_varnames
    for wanted in REQUEST_NAMES:
        if wanted not in names:
            continue
        found = frame.f_locals.get(wanted)
        if type(found) is not dict:
            continue
        method = found.get("REQUEST_METHOD") or found.get("method")
        path = found.get("PATH_INFO") or found.get("path")
        if found.get("type") == "websocket":
            method = "WEBSOCKET"
        if type(method) is str and type(path) is str:
            return method + " " + path.partition("?")[0][:200]
    return ""


def _place(path):
    if path[:1] in "/<":
        return path
    return _state["directory"] + "/" + path


def _first(code, frame, caller):
    """Tell of a code object that is entered for the first time.

    Args:
        code: What is entered.
        frame: Its own, None where it does not exist yet.
        caller: Its caller's, None at the bottom.
    """
    name = code.co_name
    if code.co_flags & FUNCTION_FLAGS != FUNCTION_FLAGS:
        return
    if name == "__annotate__" or (name[:1] == "<" and name != "<lambda>"):
        return  # part of the body around it
    path = code.co_filename
    if path.startswith(HERE):
        return
    line = code.co_firstlineno
    name = getattr(code, "co_qualname", name)
    key = (path, line, name)
    if key in _known:
        return
    if len(_known) >= FUNCTIONS_MAX:
        note("more than %d functions were called" % FUNCTIONS_MAX)
        return
    stack, request, depth = [], "", 0
    while caller is not None and depth < DEPTH_MAX:
        above = caller.f_code
        if len(stack) < STACK_MAX and not above.co_filename.startswith(HERE):
            called = getattr(above, "co_qualname", above.co_name)
            stack.append(
                _field("%s:%s %s" % (_place(above.co_filename), caller.f_lineno, called))
            )
        request = request or _request(above, caller)
        caller = caller.f_back
        depth += 1
    around = ""
    if frame is not None and path[:1] == "<":
        around = frame.f_globals.get("__file__")
    fields = ["F", "%.6f" % _now(), "%d" % line, _field(_place(path)), _field(name)]
    _tell(fields + [_field(request), _field(around)] + stack)
    _known.add(key)


def guarded(code, frame, caller):
    """Tell of it; True where the next call should be told, too.

    What a signal handler raises meanwhile is the program's and goes on its way.
    """
    try:
        _first(code, frame, caller)
    except (KeyboardInterrupt, SystemExit):
        raise
    except IGNORED:
        return True
    except BaseException as error:
        trace = error.__traceback__
        while trace.tb_next is not None:
            trace = trace.tb_next
        if not trace.tb_frame.f_code.co_filename.startswith(HERE):
            raise
        note("the recorder failed: " + type(error).__name__)
    return False


def begin(listen):
    """Say hello and listen from now on.

    Args:
        listen: Begins to call `guarded`; returns the name of how it does so.
    """
    try:
        _state["directory"] = posix.getcwd()
    except OSError:
        pass
    _process[:] = [_getpid(), "%spython-%d-%s" % (TOLD, _getpid(), _begun)]
    try:
        _state["mode"] = listen()
        _hello("start")
        _before()
        if hasattr(posix, "register_at_fork"):
            posix.register_at_fork(after_in_child=lambda: _hello("fork"))
    except Exception as error:
        note("the recorder could not begin: " + type(error).__name__)
