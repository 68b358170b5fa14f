"""Image configurations, as archives hold them and engines show them.

Source: OCI image specification, `config.md`; Docker's `inspect` uses the same names.
"""

from collections.abc import Mapping
from typing import Final

from vexxy.images.errors import InvalidArchive
from vexxy.images.types import ImageConfig, Platform

PORT_MAX: Final = 65_535


def read_config(fields: Mapping[str, object]) -> ImageConfig:
    """Return the execution parameters of the `config` object of an image.

    Values of a wrong kind are an error: an image that runs differently from what we
    read would be judged by somebody else's run.

    Raises:
        InvalidArchive: A field has a value that the specification does not allow.
    """
    return ImageConfig(
        user=_text(fields, "User"),
        exposed_ports=_ports(fields),
        entrypoint=_texts(fields, "Entrypoint"),
        command=_texts(fields, "Cmd"),
        environment=_environment(fields),
        working_directory=_text(fields, "WorkingDir"),
        volumes=tuple(sorted(_mapping(fields, "Volumes"))),
        labels={key: str(value) for key, value in _mapping(fields, "Labels").items()},
        stop_signal=_text(fields, "StopSignal") or "SIGTERM",
        health_check=health_check(_mapping(fields, "Healthcheck")),
    )


def health_check(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Return the command of a `Healthcheck`, empty where there is none.

    Source: Docker image specification 1.2: `["CMD", argument...]`, `["CMD-SHELL",
    line]`, `["NONE"]`. OCI has no such field; engines carry it all the same.
    """
    kind, *words = _texts(fields, "Test") or ("NONE",)
    return () if kind == "NONE" else tuple(words)


def read_platform(fields: Mapping[str, object]) -> Platform:
    """Return the platform of a configuration or of a descriptor's `platform`."""
    variant = fields.get("variant")
    return Platform(
        os=str(fields.get("os") or "linux"),
        architecture=str(fields.get("architecture") or "unknown"),
        variant=str(variant) if variant else None,
    )


def _wrong(name: str) -> InvalidArchive:
    return InvalidArchive(f"the image's configuration has a {name} of the wrong kind")


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise _wrong(name)
    return value


def _texts(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(name)
    return tuple(value)


def _mapping(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = fields.get(name) or {}
    if not isinstance(value, dict):
        raise _wrong(name)
    return value


def _ports(fields: Mapping[str, object]) -> tuple[int, ...]:
    """Return the TCP ports; UDP ports cannot be driven by a request."""
    ports = set()
    for port in _mapping(fields, "ExposedPorts"):
        number, _, protocol = port.partition("/")
        if not number.isdecimal() or not 0 < int(number) <= PORT_MAX:
            raise _wrong("ExposedPorts")
        if protocol in {"", "tcp"}:
            ports.add(int(number))
    return tuple(sorted(ports))


def _environment(fields: Mapping[str, object]) -> dict[str, str]:
    pairs = (text.partition("=") for text in _texts(fields, "Env"))
    return {name: value for name, _, value in pairs if name}
