"""Servers that speak S3 and Google Cloud Storage, on this machine's loopback.

moto comes with the development dependencies. MinIO and versitygw are used when their
programs are on PATH or in the folder that VEXXY_TEST_STORAGE_TOOLS names.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.patience import until

KEY_ID = "a-test-key"
SECRET = "a-test-secret-of-some-length"  # noqa: S105  opens nothing but these servers
BUCKET = "vexxyblobs"  # without a dash: moto does not decode what GCS does
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class StorageServer:
    """A server that is up and has the bucket."""

    endpoint: str
    process: subprocess.Popen[bytes]


def find_tool(name: str) -> str | None:
    """Return the path of a server's program."""
    return shutil.which(name, path=os.environ.get("VEXXY_TEST_STORAGE_TOOLS"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _running(
    command: Sequence[str], *, port: int, environment: Mapping[str, str], log: Path
) -> Iterator[StorageServer]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        until(lambda: _accepts(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        endpoint = f"http://127.0.0.1:{port}"
        make_bucket(endpoint)
        yield StorageServer(endpoint, process)
    finally:
        process.kill()
        process.wait()


def make_bucket(endpoint: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name=REGION,
        config=Config(retries={"max_attempts": 10, "mode": "standard"}),
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()


@contextmanager
def moto(folder: Path) -> Iterator[StorageServer]:
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port=port, environment={}, log=folder / "moto.log") as server:
        yield server


@contextmanager
def minio(folder: Path) -> Iterator[StorageServer]:
    port = free_port()
    command = [
        str(find_tool("minio")),
        "server",
        "--quiet",
        "--address",
        f"127.0.0.1:{port}",
    ]
    command += ["--console-address", f"127.0.0.1:{free_port()}", str(folder / "minio")]
    environment = {
        "MINIO_ROOT_USER": KEY_ID,
        "MINIO_ROOT_PASSWORD": SECRET,
        "MINIO_UPDATE": "off",
        "MINIO_BROWSER": "off",
    }
    log = folder / "minio.log"
    with _running(command, port=port, environment=environment, log=log) as server:
        yield server


@contextmanager
def versitygw(folder: Path) -> Iterator[StorageServer]:
    port = free_port()
    data = folder / "versitygw"
    data.mkdir()
    command = [str(find_tool("versitygw")), "--access", KEY_ID, "--secret", SECRET]
    command += ["--port", f"127.0.0.1:{port}", "--region", REGION, "posix", str(data)]
    log = folder / "versitygw.log"
    with _running(command, port=port, environment={}, log=log) as server:
        yield server


def service_account(endpoint: str) -> str:
    """Return a key file of Google's form; it signs, and nobody gives a token for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    lines = pem.decode().replace("\n", "\\n")
    return (
        f'{{"gcs_base_url": "{endpoint}", "private_key_id": "1",'
        f' "client_email": "test@example.com", "private_key": "{lines}"}}'
    )
