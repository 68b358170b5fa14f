"""Look-ups inside a root: right as the image's own kernel would be, and never outside."""

import ctypes
import errno
import os
import pathlib
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vexxy.images.errors import FileMissing, FileTooLarge
from vexxy.images.rootfs import RootFilesystem


def a_root(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "root"
    (root / "usr/lib/deep").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/libz.so.1.2").write_text("code")
    (root / "usr/lib/libz.so.1").symlink_to("libz.so.1.2")
    (root / "usr/lib/libz.so").symlink_to("/lib/libz.so.1")
    (root / "loop").symlink_to("loop")
    (root / "escape").symlink_to("../../../../etc/passwd")
    (root / "absolute").symlink_to("/etc/hosts")
    (root / "etc/hosts").write_text("127.0.0.1 here\n")
    os.link(root / "usr/lib/libz.so.1.2", root / "usr/lib/deep/copy.so")
    return root


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/lib", "/usr/lib"),
        ("/lib/libz.so", "/usr/lib/libz.so.1.2"),
        ("lib/./libz.so.1", "/usr/lib/libz.so.1.2"),
        ("/usr/lib/deep/../libz.so", "/usr/lib/libz.so.1.2"),
        ("/../../lib/libz.so", "/usr/lib/libz.so.1.2"),
        ("/absolute", "/etc/hosts"),
        ("/escape", None),
        ("/loop", None),
        ("/loop/x", None),
        ("/missing/../etc/hosts", None),
        ("/etc/hosts/x", None),
        ("/etc/ho\0sts", None),
        ("/" + "n" * 5000, None),
    ],
)
def test_a_path_resolves_as_inside_the_image(
    tmp_path: pathlib.Path, path: str, canonical: str | None
) -> None:
    assert RootFilesystem(a_root(tmp_path)).resolve(path) == canonical


def test_an_entry_is_located_without_following_its_own_link(tmp_path: pathlib.Path) -> None:
    root = RootFilesystem(a_root(tmp_path))

    assert root.locate("/lib/libz.so") == "/usr/lib/libz.so"
    assert root.locate("/lib/new-file") == "/usr/lib/new-file"
    assert root.locate("/nowhere/new-file") is None
    assert root.find_file("/lib/libz.so") is None
    found = root.find_file("/lib/libz.so.1.2")
    assert found is not None
    assert found.path == "/usr/lib/libz.so.1.2"


def test_the_walk_lists_regular_files_once_each_and_skips_the_kernel(
    tmp_path: pathlib.Path,
) -> None:
    host = a_root(tmp_path)
    (host / "proc").mkdir()
    (host / "proc/cpuinfo").write_text("not ours")
    os.mkfifo(host / "etc/pipe")

    entries = RootFilesystem(host).walk()

    assert [entry.path for entry in entries] == [
        "/etc/hosts",
        "/usr/lib/deep/copy.so",
        "/usr/lib/libz.so.1.2",
    ]
    assert entries[2].size_bytes == 4


def test_hard_links_share_an_identity(tmp_path: pathlib.Path) -> None:
    root = RootFilesystem(a_root(tmp_path))

    identity = root.identity("/lib/libz.so")

    assert identity is not None
    assert root.by_identity(identity) == ("/usr/lib/deep/copy.so", "/usr/lib/libz.so.1.2")
    assert root.identity("/nowhere") is None
    assert root.by_identity((0, 0)) == ()


def test_reading_follows_links_inside_the_image(tmp_path: pathlib.Path) -> None:
    root = RootFilesystem(a_root(tmp_path))

    assert root.read_bytes("/absolute") == b"127.0.0.1 here\n"
    with pytest.raises(FileMissing):
        root.read_bytes("/escape")
    with pytest.raises(FileMissing):
        root.read_bytes("/usr/lib")
    with pytest.raises(FileTooLarge):
        root.read_bytes("/etc/hosts", limit=3)


def test_a_named_pipe_does_not_hold_the_reader(tmp_path: pathlib.Path) -> None:
    host = a_root(tmp_path)
    os.mkfifo(host / "etc/pipe")

    with pytest.raises(FileMissing):
        RootFilesystem(host).read_bytes("/etc/pipe")


def test_a_link_put_in_the_way_after_the_look_up_is_refused(tmp_path: pathlib.Path) -> None:
    """Goal: no escape by a race. Method: make the answer of resolve() stale."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "hosts").write_text("the host's")
    host = a_root(tmp_path)

    class Stale(RootFilesystem):
        def resolve(self, path: str) -> str | None:
            canonical = super().resolve(path)
            (host / "etc").rename(host / "etc-before")
            (host / "etc").symlink_to(outside)
            return canonical

    with pytest.raises(FileMissing):
        Stale(host).read_bytes("/etc/hosts")


OPENAT2 = 437  # the same number on every architecture
RESOLVE_IN_ROOT = 0x10


def kernel_resolve(root: pathlib.Path, path: str) -> str | None:
    """Ask the kernel itself: openat2(2) with the root as its root."""
    libc = ctypes.CDLL(None, use_errno=True)
    holder = os.open(root, os.O_PATH)
    try:
        how = struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC, 0, RESOLVE_IN_ROOT)
        found = libc.syscall(OPENAT2, holder, os.fsencode(path or "."), how, len(how))
        if found < 0:
            if ctypes.get_errno() in {errno.ENOSYS, errno.EPERM}:
                pytest.skip("this kernel or its sandbox does not allow openat2")
            return None
        real = str(pathlib.Path(f"/proc/self/fd/{found}").readlink())
        os.close(found)
    finally:
        os.close(holder)
    assert real.startswith(str(root))
    return real.removeprefix(str(root)) or "/"


names = st.sampled_from(["a", "b", "c", ".", "..", ""])
paths = st.lists(names, min_size=1, max_size=6).map("/".join)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    links=st.dictionaries(paths, st.tuples(st.booleans(), paths), min_size=1, max_size=6),
    asked=paths,
)
def test_links_lead_where_the_kernel_says_and_never_outside(
    tmp_path_factory: pytest.TempPathFactory,
    links: dict[str, tuple[bool, str]],
    asked: str,
) -> None:
    """Goal: right and never outside. Method: random links, the kernel as referee."""
    host = tmp_path_factory.mktemp("tree").resolve()
    (host / "a/b").mkdir(parents=True)
    (host / "c").write_text("inside")
    for place, (absolute, target) in links.items():
        parts = [part for part in place.split("/") if part not in {"", ".", ".."}]
        link = host.joinpath("a", *parts)
        if not link.exists() and not link.is_symlink() and link.parent.is_dir():
            link.symlink_to(("/" if absolute else "") + target or ".")
    root = RootFilesystem(host)

    canonical = root.resolve(asked)

    expected = kernel_resolve(host, asked)
    # The kernel wants `c/` to be a folder; a package's list may well name a file so.
    lenient = expected is None and canonical == "/c"
    assert canonical == expected or lenient
    if canonical is not None:
        assert os.path.realpath(f"{host}{canonical}") == f"{host}{canonical}".rstrip("/")
        assert root.resolve(canonical) == canonical
