"""How a person would exercise a function that a framework was given."""

import re
from collections.abc import Sequence
from typing import Final

from vexxy.reachability.calls.python.facts import Decorator, Registration, Scope

METHODS: Final = frozenset(
    {"get", "post", "put", "delete", "patch", "head", "options", "websocket"}
)
ROUTES: Final = frozenset({"route", "api_route", "expose", "view", "add_url_rule"})
URLS: Final = re.compile(
    r"add_url_rule|path|re_path|url|add_route|add_api_route|route|"
    r"add_(?:get|post|put|delete|patch|head)"
)
TASKS: Final = frozenset({"task", "shared_task", "periodic_task", "actor", "job"})
COMMANDS: Final = frozenset({"command", "group", "cli"})

__all__ = ["Registration", "label", "registered"]


def label(scope: Scope, keeping: Sequence[Decorator]) -> str:
    """Return what calls a decorated function, empty where no decorator keeps it."""
    for one in keeping:
        name = one.mention.names[-1]
        path = next((text for text in one.texts if text.startswith("/")), "")
        if name in ROUTES and path:
            return f"{'|'.join(one.methods) or 'GET'} {path}"
        if name in METHODS and path:
            return f"{name.upper()} {path}"
        if name in TASKS:
            return f"task {one.texts[0] if one.texts else scope.name}"
        if name in COMMANDS:
            return f"command {one.texts[0] if one.texts else scope.name}"
    if not keeping:
        return ""
    return f"{scope.name}, registered by @{'.'.join(keeping[0].mention.names).strip('.')}"


def registered(registration: Registration) -> str:
    """Return what calls a function that was handed on beside a path, else nothing."""
    if URLS.fullmatch(registration.call) is None:
        return ""
    method = registration.call.rpartition("_")[2]
    verb = method.upper() if method in METHODS else "GET"
    return f"{verb} /{registration.text.lstrip('/')}"
