"""Ways to hear of the first call of each function; which one depends on the version.

The same rules as in `_vexxy_recorder`: nothing is imported that is not built in.
"""

import posix
import sys

from _vexxy_recorder import HERE, guarded, note

_getframe = sys._getframe
_native = None

# 3.12 and newer: the interpreter tells, once for each code object.


def _listen_by_monitoring():
    monitoring = sys.monitoring
    free = [tool for tool in (4, 3, 1, 2, 5, 0) if monitoring.get_tool(tool) is None]
    if not free:
        note("every tool of sys.monitoring is taken")
        return False
    disable = monitoring.DISABLE

    def started(code, offset):
        frame = _getframe(1)
        return None if guarded(code, frame, frame.f_back) else disable

    monitoring.use_tool_id(free[0], "vexxy")
    monitoring.register_callback(free[0], monitoring.events.PY_START, started)
    monitoring.set_events(free[0], monitoring.events.PY_START)
    if len(free) < 6:
        note("another tool of sys.monitoring was there before")
    return True


def _suspect(event, arguments):
    # Functions that a tracing function calls are hidden from every other tool.
    if event == "sys.settrace" or event == "sys.setprofile":
        note("the program traces itself (%s)" % event)
    elif event == "sys.monitoring.register_callback":
        note("the program traces itself (sys.monitoring)")


# 3.6 to 3.11: a compiled module marks code objects and calls for new ones only.


def _loaded():
    path = "%s/_vexxy_first-%s.so" % (HERE, posix.uname().machine)
    compiled = hasattr(sys, "getobjects") or sys.maxsize < 2**32
    if sys.implementation.name != "cpython" or compiled:
        return None
    import _imp

    spec = sys.modules["_frozen_importlib"].ModuleSpec("_vexxy_first", None, origin=path)
    try:
        return _imp.create_dynamic(spec)
    except ImportError:
        return None


def _probe():
    return None


def _listen_to_frames():
    heard = []

    def entered(code):
        if code is _probe.__code__:
            heard.append(code)
            return
        if guarded(code, None, _getframe().f_back):
            raise RecursionError  # unmarks it

    if not _native.listen_frames(entered):
        return False
    _probe()
    if not heard:
        _native.stop()
    return bool(heard)


def _listen_to_threads():
    def entered(code):
        frame = _getframe(1)
        if guarded(code, frame, frame.f_back):
            raise RecursionError  # unmarks it

    def arm():
        return _native.listen_thread(entered)

    return bool(arm()) and _in_new_threads(arm)


def _listen_by_profile():
    def called(frame, event, argument):
        if event == "call":
            guarded(frame.f_code, frame, frame.f_back)

    set_profile = sys.setprofile

    def arm():
        set_profile(called)

    arm()
    return _in_new_threads(arm)


def _in_new_threads(arm):
    import _thread

    start = _thread.start_new_thread
    older = getattr(_thread, "start_new", start)

    def begin(function, arguments, named):
        arm()
        function(*arguments, **named)

    def start_new_thread(function, args, kwargs={}):
        return start(begin, (function, args, kwargs))

    # A `.pth` file may have imported `threading`, which keeps the function by itself.
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is start or value is older:
                setattr(module, name, start_new_thread)
    for name in ("setprofile", "settrace"):
        setattr(sys, name, _noting(name, getattr(sys, name)))
    return True


def _noting(name, taken):
    def noted(function):
        note("the program traces itself (sys.%s)" % name)
        taken(function)

    return noted


def _watch_frames():
    import atexit

    def ask():
        if not _native.is_listening():
            note("something else evaluates the program's frames")

    atexit.register(ask)


def listen():
    """Listen in the best way this interpreter has; return its name."""
    global _native
    if sys.version_info >= (3, 12) and _listen_by_monitoring():
        sys.addaudithook(_suspect)
        return "monitoring"
    _native = _loaded() if sys.version_info < (3, 12) else None
    if _native is not None:
        if sys.version_info >= (3, 9) and _listen_to_frames():
            _watch_frames()
            return "frames"
        if _listen_to_threads():
            return "threads"
    return "profile" if _listen_by_profile() else "none"
