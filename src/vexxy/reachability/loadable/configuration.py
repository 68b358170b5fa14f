"""Which files are configuration, by their names.

A configuration file is not code, so naming one makes nothing loadable; what it names in
turn does.
"""

from typing import Final

# How a lead to a configuration file is written; it is read, never listed as loadable.
MENTIONS: Final = "names the configuration"

CONFIGURATION_BYTES_MAX: Final = 4 * 1024 * 1024
SUFFIXES: Final = (
    "", ".conf", ".cfg", ".cnf", ".ini", ".json", ".yaml", ".yml", ".toml", ".xml", ".env",
    ".properties", ".service", ".load", ".list", ".rc", ".config", ".local", ".d", ".txt",
)  # fmt: skip
ELSEWHERE: Final = (
    "/proc/", "/sys/", "/dev/", "/usr/share/zoneinfo/", "/usr/share/locale/",
    "/usr/share/doc/", "/usr/share/i18n/", "/etc/ssl/certs/", "/usr/share/ca-certificates/",
    "/var/lib/dpkg/", "/lib/apk/db/", "/var/lib/apk/", "/var/lib/rpm/", "/var/log/",
    "/usr/bin/", "/usr/sbin/", "/usr/share/perl", "/usr/share/common-licenses/",
)  # fmt: skip
# Lists of login shells; only what starts login shells runs one (see `commands.DAEMONS`).
ACCOUNTS: Final = frozenset({"/etc/passwd", "/etc/shells", "/etc/passwd-"})
# They describe packages: a name in them is no use of it.
MANIFESTS: Final = frozenset(
    {
        "package.json", "package-lock.json", "composer.lock", "yarn.lock", "poetry.lock",
        "composer.json", "requirements.txt", "Pipfile", "Pipfile.lock", "pyproject.toml",
        "setup.cfg", "RECORD", "METADATA", "LICENSE", "README",
    }
)  # fmt: skip


def is_configuration(path: str) -> bool:
    """Return whether a file may be configuration, by its name."""
    name = path.rpartition("/")[2]
    if (
        path in ACCOUNTS
        or path.startswith(ELSEWHERE)
        or name in MANIFESTS
        or "-info/" in path
    ):
        return False
    suffix = name[name.rfind(".") :] if "." in name[1:] else ""
    return suffix in SUFFIXES
