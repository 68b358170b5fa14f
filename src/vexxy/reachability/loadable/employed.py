"""Installed Python packages that are the application themselves.

Many an application is installed like a library (`pip install .`). What a start script
imports, or an argument or a variable names, is one, unless it runs those of others.
"""

from collections.abc import Iterable
from typing import Final

from vexxy.reachability.loadable.modules import PACKAGE, Modules
from vexxy.reachability.wire.pysource import Import

# They are started and import what they are told to: the application is another.
LAUNCHERS: Final = frozenset(
    {
        "aiohttp", "alembic", "ansible", "black", "bottle", "celery", "channels",
        "coverage", "daphne", "ddtrace", "debugpy", "django", "dramatiq", "fastapi",
        "fastapi_cli", "flask", "flask_cli", "gevent", "granian", "gunicorn", "huey",
        "hypercorn", "importlib_metadata", "invoke", "ipykernel", "IPython", "jupyter",
        "jupyter_core", "jupyterlab", "locust", "meinheld", "mypy", "newrelic",
        "opentelemetry", "pbr", "pip", "pipenv", "pkg_resources", "poetry", "pre_commit",
        "prefect", "pytest", "rq", "sanic", "scrapy", "setproctitle", "setuptools", "site",
        "starlette", "supervisor", "tornado", "tox", "twisted", "uvicorn", "uvloop",
        "uwsgi", "virtualenv", "waitress", "watchdog", "watchfiles", "werkzeug", "wheel",
    }
)  # fmt: skip


class Employed:
    """The packages of one image that are taken for the application."""

    def __init__(self, modules: Modules) -> None:
        self._modules: Final = modules
        self._directories: set[str] = set()

    def note(self, name: str) -> None:
        """Take the package of a module that the run names."""
        top = name.partition(".")[0]
        if top in self._modules.third_party and top not in LAUNCHERS:
            found = (PACKAGE.match(path) for path in self._modules.find(top))
            self._directories.update(one[0] for one in found if one is not None)

    def read(self, path: str, imports: Iterable[Import]) -> None:
        """Take what the start script at `path` imports; other files start nothing."""
        if path.rpartition("/")[0].endswith("/bin"):
            for one in imports:
                if not one.level:
                    self.note(one.module)

    def has(self, path: str) -> bool:
        """Return whether the installed file at `path` is the application's."""
        found = PACKAGE.match(path) if self._directories else None
        return found is not None and found[0] in self._directories
