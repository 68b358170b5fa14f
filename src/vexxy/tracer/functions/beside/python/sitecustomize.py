"""Imported by every Python that starts in the sandbox: listens, then gets out of the way.

The image's own module of this name is run afterwards, as if this one were not there.
"""

import sys

_HERE = __file__.rpartition("/")[0]


def _listen():
    if sys.version_info < (3, 6):
        return
    import _vexxy_listening
    import _vexxy_recorder

    _vexxy_recorder.begin(_vexxy_listening.listen)


def _pass_on():
    mine = sys.modules["sitecustomize"]
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if entry != _HERE]
    del sys.modules["sitecustomize"]
    try:
        import sitecustomize  # the image's own
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = mine
    finally:
        added = [entry for entry in sys.path if entry not in path]
        # What the image's module took away stays away.
        kept = [entry for entry in path if entry == _HERE or entry in sys.path]
        sys.path[:] = kept + added


try:
    _listen()
finally:
    _pass_on()
