"""What every evidence store does, on a disk and behind each protocol.

Against a bucket of your own: VEXXY_TEST_STORAGE_S3_BUCKET (with _ENDPOINT where it is not
Amazon's) or VEXXY_TEST_STORAGE_GCS_BUCKET, and credentials under their usual names.
"""

import io
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import zstandard

from tests.contracts.storage import servers
from tests.contracts.storage.servers import BUCKET, REGION, StorageServer
from vexxy.evidence.errors import BlobMissing, StoreFailed
from vexxy.evidence.ports import BlobStore
from vexxy.integrations.object_storage import connection
from vexxy.integrations.object_storage.blobs import PART_BYTES
from vexxy.integrations.object_storage.options import Backend, Options

# What this machine lacks, by the store it would have been.
MISSING = {
    **{
        kind: f"{name} is not on PATH nor in VEXXY_TEST_STORAGE_TOOLS, so it is not tried;"
        " moto speaks the same protocol and always is"
        for kind, name in {"minio": "minio", "s3-versitygw": "versitygw"}.items()
        if servers.find_tool(name) is None
    },
    **{
        kind: f"{name} names no bucket, so no real one is tried"
        for kind, name in {
            "s3-real": "VEXXY_TEST_STORAGE_S3_BUCKET",
            "gcs-real": "VEXXY_TEST_STORAGE_GCS_BUCKET",
        }.items()
        if name not in os.environ
    },
}
KINDS = ["s3-moto", "gcs-moto", "minio", "s3-versitygw", "s3-real", "gcs-real"]
BUCKETS = [kind for kind in KINDS if kind not in MISSING]
# Those that look at credentials.
STRICT = [kind for kind in BUCKETS if "moto" not in kind and kind != "gcs-real"] or [
    pytest.param("none", marks=pytest.mark.skip("no server here looks at credentials"))
]
Start = Callable[[Path], AbstractContextManager[StorageServer]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Running"]:
    started = Running(tmp_path_factory)
    yield started
    started.end()


class Running:
    """The servers of this module; each is started by the first test that needs it."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._up: dict[str, tuple[AbstractContextManager[StorageServer], StorageServer]]
        self._up = {}

    def server(self, name: str, start: Start) -> StorageServer:
        if name not in self._up:
            context = start(self._folders.mktemp(name))
            self._up[name] = (context, context.__enter__())
        return self._up[name][1]

    def end(self) -> None:
        for context, _ in self._up.values():
            context.__exit__(None, None, None)


def options_of(
    kind: str, running: Running, *, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Options:
    """Return where the store is; credentials go where an operator puts them."""
    prefix = uuid.uuid4().hex
    if kind == "local":
        return Options(backend=Backend.LOCAL, directory=folder / "evidence")
    if kind.endswith("-real"):
        return _real(kind, prefix)
    starts: dict[str, Start] = {
        "minio": servers.minio,
        "s3-versitygw": servers.versitygw,
    }
    start = starts.get(kind, servers.moto)
    endpoint = running.server(start.__name__, start).endpoint
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET)
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "a-token-that-nobody-checks")
    backend = Backend(kind.split("-", maxsplit=1)[0])
    return Options(
        backend=backend,
        bucket=BUCKET,
        prefix=prefix,
        endpoint=endpoint,
        region=REGION,
        presigned=True,
    )


def _real(kind: str, prefix: str) -> Options:
    backend = Backend(kind.removesuffix("-real"))
    name = f"VEXXY_TEST_STORAGE_{backend.upper()}"
    return Options(
        backend=backend,
        bucket=os.environ[f"{name}_BUCKET"],
        prefix=prefix,
        endpoint=os.environ.get(f"{name}_ENDPOINT"),
        presigned=True,
    )


@pytest.fixture(params=["local", *BUCKETS])
def options(
    request: pytest.FixtureRequest,
    running: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Options:
    return options_of(request.param, running, folder=tmp_path, monkeypatch=monkeypatch)


only_buckets = pytest.mark.parametrize("options", BUCKETS, indirect=True)


@pytest.fixture
def store(options: Options) -> Iterator[BlobStore]:
    opened = connection.open_store(options)
    yield opened
    # A real bucket is left as it was found.
    opened.delete([blob.path for blob in opened.list_blobs("")])


def stored(store: BlobStore, path: str) -> bytes:
    return b"".join(store.read(path))


SIZES = {
    "one byte": 1,
    "a piece": 300_000,
    "one part": PART_BYTES,
    "several parts": 2 * PART_BYTES + 1_234_567,
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_blob_comes_back_byte_for_byte(store: BlobStore, size: int) -> None:
    content = os.urandom(size)
    store.put("a/b/c.zst", io.BytesIO(content))

    pieces = list(store.read("a/b/c.zst"))

    assert b"".join(pieces) == content
    assert all(pieces)
    assert store.find_size("a/b/c.zst") == size


def test_a_large_blob_is_read_in_bounded_pieces(store: BlobStore) -> None:
    store.put("large", io.BytesIO(bytes(2 * PART_BYTES)))
    assert max(len(piece) for piece in store.read("large")) <= PART_BYTES


def test_an_absent_blob_is_told_by_the_call_and_not_by_the_first_piece(
    store: BlobStore,
) -> None:
    with pytest.raises(BlobMissing):
        store.read("nothing/here")
    assert store.find_size("nothing/here") is None


def test_a_blob_takes_the_place_of_the_one_before(store: BlobStore) -> None:
    store.put("a", io.BytesIO(b"first, and longer"))
    store.put("a", io.BytesIO(b"second"))
    assert stored(store, "a") == b"second"
    assert [blob.path for blob in store.list_blobs("")] == ["a"]


class BreaksOff(io.BytesIO):
    """A stream that fails after some parts were read."""

    def __init__(self, size: int) -> None:
        super().__init__(bytes(size))
        self._left = 2 * PART_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if self._left <= 0:
            raise OSError("the disk of the writer is gone")
        piece = super().read(size)
        self._left -= len(piece)
        return piece


def test_a_writer_that_breaks_off_stores_nothing(store: BlobStore) -> None:
    with pytest.raises(StoreFailed):
        store.put("half", BreaksOff(4 * PART_BYTES))
    assert store.find_size("half") is None
    assert list(store.list_blobs("")) == []


def test_blobs_are_removed_and_absent_ones_are_no_error(store: BlobStore) -> None:
    for name in "abc":
        store.put(f"x/{name}", io.BytesIO(b"1"))

    store.delete(["x/a", "x/never", "x/b"])
    store.delete(["x/a", "x/never", "x/b"])
    store.delete([])

    assert [blob.path for blob in store.list_blobs("")] == ["x/c"]


def test_a_listing_is_of_the_folder_and_not_of_names_that_begin_alike(
    store: BlobStore,
) -> None:
    for path in ("org/1/a", "org/1/b", "org/10/c", "org1/d"):
        store.put(path, io.BytesIO(path.encode()))

    found = {blob.path: blob.size_bytes for blob in store.list_blobs("org/1")}

    assert found == {"org/1/a": 7, "org/1/b": 7}
    assert list(store.list_blobs("nobody")) == []


def test_a_listing_says_when_a_blob_was_stored(store: BlobStore) -> None:
    store.put("a", io.BytesIO(b"1"))
    (found,) = store.list_blobs("")
    assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=15)


def test_stores_with_other_prefixes_do_not_see_each_other(
    store: BlobStore, options: Options, tmp_path: Path
) -> None:
    aside = replace(options, prefix="aside", directory=tmp_path / "aside")
    store.put("a", io.BytesIO(b"mine"))
    other = connection.open_store(aside)
    assert other.find_size("a") is None
    assert list(other.list_blobs("")) == []


def test_many_writers_of_one_path_leave_one_whole_blob(store: BlobStore) -> None:
    contents = [bytes([number]) * 50_000 for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: store.put("a", io.BytesIO(content)), contents))

    assert stored(store, "a") in contents


def test_nothing_unfinished_is_found_where_nothing_broke_off(store: BlobStore) -> None:
    store.put("org/a", io.BytesIO(b"1"))
    later = datetime.now(UTC) + timedelta(days=1)
    assert store.discard_unfinished("org", before=later) == 0
    assert stored(store, "org/a") == b"1"


def test_a_store_that_is_there_answers(store: BlobStore) -> None:
    store.ping()


@only_buckets
def test_an_absent_bucket_fails_without_naming_it(options: Options) -> None:
    absent = connection.open_store(replace(options, bucket="no-such-bucket-vexxy"))
    acts: list[Callable[[], object]] = [
        absent.ping,
        lambda: absent.put("a", io.BytesIO(b"1")),
        lambda: list(absent.list_blobs("")),
    ]
    for act in acts:
        with pytest.raises(StoreFailed) as failed:
            act()
        said = f"{failed.value.message} {failed.value.hint} {failed.value.kept}"
        assert "no-such-bucket" not in said
        assert str(options.endpoint) not in said


@pytest.mark.parametrize("kind", MISSING)
def test_the_contract_holds_for_a_store_this_machine_lacks(kind: str) -> None:
    pytest.skip(MISSING[kind])


@pytest.mark.parametrize("options", STRICT, indirect=True)
def test_wrong_credentials_fail_without_repeating_them(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    stranger = connection.open_store(options)
    with pytest.raises(StoreFailed) as failed:
        stranger.put("a", io.BytesIO(b"1"))
    assert "not-the-secret" not in f"{failed.value} {failed.value.hint}"


@pytest.mark.parametrize("backend", [Backend.S3, Backend.GCS, Backend.MINIO])
def test_a_server_that_is_gone_fails(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET)
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "a-token-that-nobody-checks")
    endpoint = f"http://127.0.0.1:{servers.free_port()}"
    gone = connection.open_store(Options(backend=backend, bucket=BUCKET, endpoint=endpoint))
    with pytest.raises(StoreFailed):
        gone.find_size("a")


@pytest.mark.parametrize("options", ["local"], indirect=True)
def test_a_disk_gives_no_links(store: BlobStore) -> None:
    store.put("a", io.BytesIO(b"1"))
    assert store.link("a", seconds=60) is None


@only_buckets
def test_links_of_the_bucket_are_given_only_when_wanted(options: Options) -> None:
    quiet = connection.open_store(replace(options, presigned=False))
    assert quiet.link("a", seconds=60) is None


@only_buckets
def test_a_link_of_the_bucket_reads_the_blob_without_credentials(
    options: Options, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a/b", io.BytesIO(zstandard.compress(b"what was packed")))
    if options.backend is Backend.GCS and options.endpoint is not None:
        # A token cannot sign; the key of a service account can, without asking Google.
        monkeypatch.delenv("GOOGLE_BEARER_TOKEN")
        account = servers.service_account(options.endpoint)
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", account)
        store = connection.open_store(options)

    link = store.link("a/b", seconds=60)

    assert link is not None
    answer = httpx.get(link)
    assert answer.content == b"what was packed"  # unpacked by the client, as it was told
    assert answer.headers["Content-Encoding"] == "zstd"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("options", STRICT, indirect=True)
def test_a_link_of_the_bucket_opens_nothing_else(
    options: Options, store: BlobStore
) -> None:
    store.put("a", io.BytesIO(zstandard.compress(b"shared")))
    store.put("b", io.BytesIO(b"private"))
    link = store.link("a", seconds=60)
    assert link is not None
    assert httpx.get(link).content == b"shared"
    assert httpx.get(link.replace("/a?", "/b?")).status_code == 403
