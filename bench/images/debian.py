"""The Debian base that every image with a distribution shares.

Main only, without the security suite: what the last point release left open stays
open, so the images have real holes that a fresh installation would not.
"""

import shutil
from pathlib import Path
from typing import Final

from bench.images import engine
from bench.images.recipe import REVISION, SUITE, BuildFailed

EPOCH: Final = "1784000000"
BASE: Final = f"localhost/vexxy/{SUITE}:{REVISION}"
HINT: Final = "apt-get install mmdebstrap debian-archive-keyring"
# As in Debian's own slim images: documentation stays out, now and in every later
# installation, although the package database goes on listing it.
LEFT_OUT: Final = ("doc/*", "man/*", "locale/*", "info/*", "lintian/*")
# Merged from the start; otherwise the package that merges later brings all of perl.
MERGED: Final = ("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",)
MAIN_ONLY: Final = 'sed -i "/security/d;/-updates/d" "$1/etc/apt/sources.list"'
# Runs inside the image, with the engine's build cache holding lists and archives.
INSTALL: Final = """#!/bin/sh
set -e
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
quiet="-qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0"
apt-get $quiet update
apt-get $quiet install --yes --no-install-recommends "$@" >/tmp/apt.log 2>&1 \\
    || { cat /tmp/apt.log; exit 1; }
rm -rf /tmp/apt.log /usr/sbin/policy-rc.d /var/cache/ldconfig/aux-cache /var/log/* \\
    /var/cache/debconf/*-old /var/lib/dpkg/*-old
"""


def base() -> str:
    """Return the reference of the Debian base, building it the first time (a minute)."""
    if not engine.exists(BASE):
        tarball = engine.cache() / f"{SUITE}-minbase-{REVISION}.tar"
        if not tarball.exists():
            engine.timed(f"Debian {SUITE}, minimal", lambda: bootstrap(tarball))
        engine.timed("importing the Debian base", lambda: import_base(tarball))
    return BASE


def bootstrap(tarball: Path) -> None:
    """Write the root file system of a minimal Debian to `tarball`."""
    if shutil.which("mmdebstrap") is None:
        raise BuildFailed(f"mmdebstrap is needed and not installed: {HINT}")
    partial = tarball.with_suffix(".partial")
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{path}" for path in LEFT_OUT]
    try:
        engine.run(
            [
                "mmdebstrap",
                "--variant=minbase",
                "--format=tar",
                "--include=usr-is-merged",
                *MERGED,
                *excluded,
                "--dpkgopt=path-include=/usr/share/doc/*/copyright",
                f"--setup-hook={MAIN_ONLY}",
                SUITE,
                str(partial),
            ],
            step=f"Debian {SUITE} ({HINT})",
            env={"SOURCE_DATE_EPOCH": EPOCH},
        )
        partial.rename(tarball)
    finally:
        partial.unlink(missing_ok=True)


def import_base(tarball: Path) -> None:
    """Make the tarball an image of the engine."""
    engine.run(
        [engine.engine(), "import", "--change", 'CMD ["/bin/sh"]', str(tarball), BASE],
        step="importing the Debian base",
    )


def install_lines(packages: tuple[str, ...]) -> list[str]:
    """Return the Containerfile lines that install Debian packages."""
    if not packages:
        return []
    mounts = " ".join(
        f"--mount=type=cache,id=vexxy-{SUITE}-{name},target={path}"
        for name, path in (
            ("archives", "/var/cache/apt"),
            ("lists", "/var/lib/apt/lists"),
        )
    )
    return [
        "COPY apt-install /tmp/apt-install",
        f"RUN {mounts} sh /tmp/apt-install {' '.join(packages)} && rm /tmp/apt-install",
    ]
