"""What a use of a file means, and what a trace says of an image."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.tracer import rules
from vexxy.tracer.types import (
    Access,
    Gap,
    Process,
    Source,
    Trace,
    TracedFile,
    Use,
    Window,
)

WINDOW = Window(sandbox_id="sandbox", ready_seconds=2.0, traffic_requests=7)


class Root:
    """A root file system of a few names; a link leads to the name it stands for."""

    def __init__(
        self, files: Mapping[str, int], links: Mapping[str, str] | None = None
    ) -> None:
        self.files = files
        self.links = links or {}

    def resolve(self, path: str) -> str | None:
        for link, target in self.links.items():
            if path == link or path.startswith(link + "/"):
                path = target + path[len(link) :]
        return path if path in self.files else None

    def identity(self, path: str) -> tuple[int, int] | None:
        inode = self.files.get(path)
        return None if inode is None else (1, inode)

    def by_identity(self, identity: tuple[int, int]) -> tuple[str, ...]:
        return tuple(path for path, inode in self.files.items() if inode == identity[1])


def used(path: str, use: Use = Use.READ, at: float = 1.0, **more: bool) -> TracedFile:
    return TracedFile(path, use, (1, 1), at, **more)


def traced(*files: TracedFile, **more: object) -> Trace:
    empty = Trace(Source.EBPF, 10.0, files, (), (), (), (), (), 0)
    return replace(empty, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "access"),
    [
        ("/usr/lib/python3/dist-packages/requests/api.py", Access.CODE),
        ("/usr/lib/python3/dist-packages/requests/__pycache__/api.cpython-311.pyc", "code"),
        ("/app/site-packages/a.pth", Access.CODE),
        ("/app/lib/app.jar", Access.CODE),
        ("/usr/lib/x86_64-linux-gnu/libssl.so.3", Access.CODE),
        ("/srv/something-unknown", Access.CODE),
        ("/srv/model.bin", Access.CODE),
        ("/etc/profile", Access.CODE),
        ("/etc/default/nginx", Access.CODE),
        ("/usr/share/doc/pkg/examples/run", Access.CODE),
        ("/usr/share/doc/pkg/setup.py", Access.CODE),
        ("/etc/passwd", Access.DATA),
        ("/usr/share/zoneinfo/Europe/Berlin", Access.DATA),
        ("/usr/lib/locale/C.utf8/LC_CTYPE", Access.DATA),
        ("/etc/ssl/certs/ca-certificates.crt", Access.DATA),
        ("/srv/static/logo.PNG", Access.DATA),
        ("/srv/static/index.html", Access.DATA),
        ("/app/LICENSE", Access.DATA),
        ("/app/package.json", Access.METADATA),
        ("/var/lib/dpkg/status", Access.METADATA),
        ("/var/lib/dpkg/status.d/base", Access.METADATA),
        ("/var/lib/dpkg/info/libc6.list", Access.METADATA),
        ("/lib/apk/db/installed", Access.METADATA),
        ("/var/lib/rpm/rpmdb.sqlite", Access.METADATA),
        ("/etc/ld.so.cache", Access.METADATA),
        ("/app/requests-2.32.0.dist-info/METADATA", Access.METADATA),
        ("/app/requests-2.32.0.dist-info/entry_points.txt", Access.METADATA),
        ("/app/old.egg-info/PKG-INFO", Access.METADATA),
        ("/app/old.egg-info", Access.METADATA),
        ("/app/odd.dist-info/sneaky.py", Access.CODE),
        ("/gems/specifications/rack-3.0.gemspec", Access.METADATA),
    ],
)
def test_what_is_read_has_a_class_by_its_kind(path: str, access: str) -> None:
    assert rules.access_of(path, Use.READ) == access


@pytest.mark.parametrize("use", [Use.WRITTEN, Use.DIRECTORY, Use.REFERRED])
def test_to_write_list_or_name_a_file_uses_nothing(use: Use) -> None:
    assert rules.access_of("/app/main.py", use) is None


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=12))
def test_a_name_without_a_known_kind_counts_as_code(name: str) -> None:
    """What nobody listed as harmless is not harmless."""
    path = f"/srv/{name}.unheard-of"
    assert rules.access_of(path, Use.READ) is Access.CODE


@given(
    st.sampled_from(sorted(rules.CODE_SUFFIXES)),
    st.sampled_from(rules.DATA_DIRECTORIES),
)
def test_code_stays_code_wherever_it_lies(suffix: str, directory: str) -> None:
    assert rules.access_of(f"{directory}x.{suffix}", Use.READ) is Access.CODE


def test_no_kind_is_both_code_and_data() -> None:
    assert not rules.CODE_SUFFIXES & rules.DATA_SUFFIXES


def test_the_strongest_use_of_a_file_is_kept() -> None:
    trace = traced(
        used("/bin/tool", Use.READ, 1.0),
        used("/bin/tool", Use.EXECUTED, 3.0),
        used("/bin/tool", Use.MAPPED, 2.0),
    )

    profile = rules.profile(trace, root=Root({"/bin/tool": 1}), window=WINDOW)

    (file,) = profile.files_accessed
    assert (file.access, file.first_seen_seconds) == (Access.EXECUTED, 3.0)
    assert profile.executed_binaries == ("/bin/tool",)
    assert profile.loaded_libraries == ()


def test_paths_are_canonical_in_the_image() -> None:
    root = Root({"/usr/lib/libz.so.1.3": 1}, {"/lib": "/usr/lib"})

    profile = rules.profile(
        traced(used("/lib/libz.so.1.3", Use.MAPPED)), root=root, window=WINDOW
    )

    assert profile.loaded_libraries == ("/usr/lib/libz.so.1.3",)


def test_every_name_of_a_hard_linked_file_was_used() -> None:
    root = Root({"/usr/bin/perl": 5, "/usr/bin/perl5.36": 5, "/usr/bin/other": 6})

    profile = rules.profile(
        traced(used("/usr/bin/perl", Use.EXECUTED)), root=root, window=WINDOW
    )

    assert profile.executed_binaries == ("/usr/bin/perl", "/usr/bin/perl5.36")


def test_what_the_image_does_not_hold_is_kept_apart() -> None:
    trace = traced(
        used("/tmp/made.sh", Use.EXECUTED),  # noqa: S108  a path in a container
        used("/proc/cpuinfo"),
        used("/dev/shm/x"),  # noqa: S108  a path in a container
        used("/app/main.py"),
    )

    profile = rules.profile(trace, root=Root({"/app/main.py": 1}), window=WINDOW)

    assert [file.path for file in profile.files_accessed] == ["/app/main.py"]
    # Memory that anyone can fill is no file of the kernel's.
    outside = {file.path for file in profile.files_outside_image}
    assert outside == {"/dev/shm/x", "/tmp/made.sh"}  # noqa: S108
    assert profile.executed_binaries == ("/tmp/made.sh",)  # noqa: S108
    assert not profile.completeness.partial


def test_the_recorders_own_files_are_no_part_of_the_image() -> None:
    trace = traced(
        used("/.vexxy/python/sitecustomize.py"),
        used("/.vexxy/python/first.so", Use.MAPPED),
        used("/.vexxy-out/code.py"),
    )
    profile = rules.profile(trace, root=Root({}), window=WINDOW)
    outside = [file.path for file in profile.files_outside_image]
    assert outside == ["/.vexxy-out/code.py"]  # that place is the image's to write
    assert profile.loaded_libraries == ()


def test_processes_carry_canonical_paths() -> None:
    root = Root({"/usr/bin/dash": 1, "/usr/bin/run": 2}, {"/bin": "/usr/bin"})
    process = Process(1, 0, "/bin/dash", ("run",), "/bin/run")

    profile = rules.profile(traced(processes=(process,)), root=root, window=WINDOW)

    assert profile.processes[0].executable == "/usr/bin/dash"
    assert profile.processes[0].script == "/usr/bin/run"


def test_a_whole_observation_is_complete() -> None:
    profile = rules.profile(traced(), root=Root({}), window=WINDOW)

    whole = profile.completeness
    assert not whole.partial
    assert whole.observed_seconds == 8.0
    assert whole.ready_seconds == 2.0
    assert whole.traffic_requests == 7
    assert whole.reasons == ()


@pytest.mark.parametrize(
    ("trace", "window"),
    [
        (traced(lost_events=1), WINDOW),
        (traced(gaps=(Gap("io_uring", "seen"),)), WINDOW),
        (traced(used("memfd:payload", Use.EXECUTED, deleted=True)), WINDOW),
        (traced(used("/tmp/gone.so", Use.MAPPED, deleted=True)), WINDOW),  # noqa: S108
        (traced(), replace(WINDOW, reasons=("the driver failed",))),
    ],
)
def test_whatever_may_have_run_unseen_makes_it_partial(
    trace: Trace, window: Window
) -> None:
    completeness = rules.profile(trace, root=Root({}), window=window).completeness

    assert completeness.partial
    assert len(completeness.reasons) == 1


@pytest.mark.parametrize(
    "file",
    [
        used("memfd:doublemapper", Use.MAPPED, deleted=True),
        used("/tmp/notes", Use.READ, deleted=True),  # noqa: S108
        used("/usr/lib/libz.so", Use.MAPPED, deleted=True),
    ],
)
def test_a_removed_file_is_no_gap_where_it_is_known_or_never_ran(file: TracedFile) -> None:
    root = Root({"/usr/lib/libz.so": 1})

    assert not rules.profile(traced(file), root=root, window=WINDOW).completeness.partial


def test_a_lesser_source_is_told_and_limits_nothing() -> None:
    trace = traced(source=Source.FANOTIFY, fallbacks=("ebpf: not permitted",))

    profile = rules.profile(trace, root=Root({}), window=WINDOW)

    assert profile.sources == (Source.FANOTIFY,)
    assert profile.completeness.reasons == ("ebpf: not permitted",)
    assert not profile.completeness.partial


def test_never_ready_is_observed_from_the_start() -> None:
    window = replace(WINDOW, ready_seconds=None)

    completeness = rules.profile(traced(), root=Root({}), window=window).completeness

    assert completeness.ready_seconds is None
    assert completeness.observed_seconds == 10.0
