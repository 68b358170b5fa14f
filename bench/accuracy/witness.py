"""Check the truth without vexxy: strace watches the image through three stages.

Stage one starts the image and leaves it alone, stage two runs `test.sh`, stage three runs
`all.sh`, which takes every other route. A row's label says in which stage its code is
first used; what strace saw must agree. Package ownership is read from the image's own
records (dpkg lists, RECORD, folders of npm), again without vexxy.
"""

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from bench.accuracy.truth import Component, Truth
from bench.images import build, engine
from bench.images.recipe import FOLDER

CALLS: Final = "trace=execve,execveat,open,openat,openat2,mmap"
CODE: Final = re.compile(r"\.(py|pyc|js|cjs|mjs|node|json|ejs)$|\.so(\.|$)")
OPENED: Final = re.compile(r"^(\d+) +([\d.]+) open\w*\(.*\) = \d+<(/[^>]*)>")
MAPPED: Final = re.compile(r"^(\d+) +([\d.]+) mmap\([^)]*PROT_EXEC[^)]*, \d+<(/[^>]*)>")
EXECUTED: Final = re.compile(r'^(\d+) +([\d.]+) execve(?:at)?\("([^"]+)".* = 0$')
RESUMED: Final = re.compile(r"^(\d+) +([\d.]+) <\.\.\. (\w+) resumed>(.*)$")
UNFINISHED: Final = re.compile(r"^(\d+) +([\d.]+) (.*) <unfinished \.\.\.>$")
IDLE_SECONDS: Final = 8


def observe(truth: Truth) -> tuple[dict[str, str], dict[str, str]]:
    """Run the three stages; return path -> first stage, for code and for every file."""
    reference = build.build(truth.image)
    log = engine.cache() / f"strace-{truth.image}.log"
    name = f"vexxy-truth-{os.getpid()}"
    podman = ["podman", "create", "--name", name, *engine.ULIMITS, "--tmpfs", "/tmp"]  # noqa: S108  inside the container
    engine.run([*podman, reference], step="creating the container")
    try:
        engine.run(["podman", "init", name], step="preparing the container")
        with strace(inspect(name, "{{.State.Pid}}"), log):
            marks = stages(truth, name)
    finally:
        engine.run(["podman", "rm", "--force", "--time", "0", name], step="removing it")
    return read_log(log, marks)


def stages(truth: Truth, name: str) -> list[float]:
    """Take the container through the stages; return when the second and third began."""
    engine.run(["podman", "start", name], step="starting the container")
    host = inspect(name, "{{.NetworkSettings.IPAddress}}")
    environment = {"HOST": host, "PORT": str(truth.port)}
    time.sleep(IDLE_SECONDS)
    marks = []
    for script in ("test.sh", "all.sh"):
        marks.append(time.time())
        path = FOLDER / truth.image / script
        engine.run([str(path)], step=script, env=environment)
        time.sleep(1)
    return marks


def inspect(name: str, field: str) -> str:
    """Return one field of the container's state."""
    return engine.run(["podman", "inspect", "-f", field, name], step="inspect").strip()


@contextlib.contextmanager
def strace(process_id: str, log: Path) -> Iterator[None]:
    """Trace the process and all its children into `log`."""
    tool = engine.tool("strace", "apt-get install strace")
    command = [tool, "-f", "-ttt", "-y", "-s", "512", "-e", CALLS, "-o", str(log)]
    with subprocess.Popen([*command, "-p", process_id], stderr=subprocess.PIPE) as tracer:
        if tracer.stderr:
            tracer.stderr.readline()  # "attached"
        try:
            yield
        finally:
            tracer.terminate()


def read_log(log: Path, marks: list[float]) -> tuple[dict[str, str], dict[str, str]]:
    """Return path -> first stage, for files used as code and for every file."""
    code: dict[str, str] = {}
    every: dict[str, str] = {}
    for pattern, line in lines_of(log):
        found = pattern.match(line)
        if not found:
            continue
        at, path = float(found[2]), os.path.normpath(found[3])
        stage = "idle" if at < marks[0] else "driven" if at < marks[1] else "all"
        every.setdefault(path, stage)
        if pattern is not OPENED or CODE.search(path):
            code.setdefault(path, stage)
    return code, every


def lines_of(log: Path) -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield each line, interrupted calls joined, with each pattern to try."""
    waiting: dict[str, str] = {}
    for line in log.read_text(errors="replace").splitlines():
        whole = line
        if cut := UNFINISHED.match(line):
            waiting[cut[1]] = cut[3]
            continue
        if rest := RESUMED.match(line):
            whole = f"{rest[1]} {rest[2]} {waiting.pop(rest[1], '')}{rest[4]}"
        for pattern in (OPENED, MAPPED, EXECUTED):
            yield pattern, whole


class Owners:
    """The files of each component, from the image's own records.

    Args:
        root: Where the image is mounted.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._twins = self._hard_links()

    def files(self, row: Component) -> set[str]:
        """Return the canonical paths of the files that the component owns."""
        match row.type:
            case "deb":
                listed = self._deb(row.name)
            case "pypi":
                listed = self._pypi(row)
            case "npm":
                listed = self._npm(row)
            case _:
                listed = {row.at}
        canonical = {self._canonical(path) for path in listed}
        return canonical.union(*(self._twins.get(path, ()) for path in canonical))

    def canonical(self, seen: Mapping[str, str]) -> dict[str, str]:
        """Return path -> first stage with every link resolved as inside the image.

        The kernel runs the interpreter that a script's first line names without a call
        that strace could show, so it is added here.
        """
        found: dict[str, str] = {}
        for path, stage in seen.items():
            real = self._canonical(path)
            found.setdefault(real, stage)
            if not CODE.search(real) and (interpreter := self._interpreter(real)):
                found.setdefault(self._canonical(interpreter), stage)
        return found

    def _interpreter(self, path: str) -> str | None:
        host = self._root / path.lstrip("/")
        if not host.is_file():
            return None
        with host.open("rb") as file:
            first = file.readline(256)
        words = first[2:].split() if first.startswith(b"#!") else []
        return words[0].decode() if words else None

    def source(self, name: str) -> str:
        """Return the source package of a Debian package."""
        status = (self._root / "var/lib/dpkg/status").read_text()
        for paragraph in status.split("\n\n"):
            if re.search(rf"^Package: {re.escape(name)}$", paragraph, re.MULTILINE):
                found = re.search(r"^Source: (\S+)", paragraph, re.MULTILINE)
                return found[1] if found else name
        raise LookupError(f"{name} is not installed in the image")

    def _deb(self, name: str) -> set[str]:
        lists = self._root / "var/lib/dpkg/info"
        found = [*lists.glob(f"{name}.list"), *lists.glob(f"{name}:*.list")]
        listed = {line for path in found for line in path.read_text().splitlines()}
        if not listed:
            raise LookupError(f"{name} is not installed in the image")
        return {path for path in listed if not path.startswith("/usr/share/doc/")}

    def _pypi(self, row: Component) -> set[str]:
        site = self._root / (row.at or "/usr/local/lib/python3.11/dist-packages").lstrip(
            "/"
        )
        wanted = re.sub(r"[-_.]+", "-", row.name).lower()
        for folder in site.glob("*.dist-info"):
            if re.sub(r"[-_.]+", "-", folder.name.split("-")[0]).lower() == wanted:
                return self._record(folder, site)
        raise LookupError(f"{row.name} is not installed in the image")

    def _record(self, folder: Path, site: Path) -> set[str]:
        if not (folder / "RECORD").exists():
            raise LookupError(f"{folder} has no RECORD")
        record = (folder / "RECORD").read_text()
        paths = (line.split(",")[0] for line in record.splitlines())
        inside = "/" + str(site.relative_to(self._root))
        return {f"{inside}/{path}" for path in paths if ".dist-info/" not in path}

    def _npm(self, row: Component) -> set[str]:
        folder = self._root / (row.at or f"/app/node_modules/{row.name}").lstrip("/")
        if not (folder / "package.json").exists():
            raise LookupError(f"{row.name} is not installed in the image")
        return {
            "/" + str(path.relative_to(self._root))
            for path in folder.rglob("*")
            if path.is_file()
            and path.name != "package.json"
            and "node_modules" not in path.relative_to(folder).parts
        }

    def _canonical(self, path: str) -> str:
        """Resolve links as inside the image; a file that is not there stays as written."""
        current = Path("/")
        for part in Path(path).parts[1:]:
            current = current / part
            for _ in range(10):
                host = self._root / str(current).lstrip("/")
                if not host.is_symlink():
                    break
                current = Path(os.path.normpath(current.parent / host.readlink()))
        return str(current)

    def _hard_links(self) -> dict[str, set[str]]:
        inodes: dict[int, set[str]] = {}
        for path in (self._root / "opt").rglob("*"):
            if path.is_file() and not path.is_symlink():
                inodes.setdefault(path.stat().st_ino, set()).add(str(path))
        twins: dict[str, set[str]] = {}
        for path in (self._root / "usr/lib").rglob("*.so*"):
            if not path.is_symlink() and path.stat().st_ino in inodes:
                names = {
                    "/" + p[len(str(self._root)) + 1 :] for p in inodes[path.stat().st_ino]
                }
                twins["/" + str(path.relative_to(self._root))] = names
        return twins
