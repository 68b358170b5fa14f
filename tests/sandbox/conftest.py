"""One small image on a real engine, for every test that runs something in it."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.fakes import engines, image_archive
from tests.fakes.image_archive import Recipe
from tests.fakes.patience import until
from vexxy.sandbox import service
from vexxy.sandbox.life import Sandbox
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.service import OpenedImage
from vexxy.sandbox.types import ContainerStatus, SandboxRequest

STATE_OWNER = 4321

# Everything a test wants to see of an image's files is in this one.
RECIPE = Recipe(
    # Another run of these tests, at the same time, has an image of its own.
    environment={"SEED": uuid.uuid4().hex},
    volumes=("/data",),
    files={
        "var/lib/": b"",
        "var/lib/service/": b"",
        "var/lib/service/state": b"kept\n",
        "var/log/old.log": b"from the image\n",
        "data/": b"",
        "data/seed": b"seed\n",
    },
    owners={
        "var/lib/service/": STATE_OWNER,
        "var/lib/service/state": STATE_OWNER,
        "data/": STATE_OWNER,
    },
    modes={"var/lib/service/": 0o700},
)


@pytest.fixture(scope="session")
def engine() -> Iterator[ContainerEngine]:
    yield from engines.real_engine()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "image.tar"
    path.write_bytes(image_archive.docker_archive(RECIPE))
    return path


@pytest.fixture(scope="session")
def opened(engine: ContainerEngine, archive: Path) -> Iterator[OpenedImage]:
    with service.open_image(engine, str(archive)) as found:
        yield found


class Runner:
    """Starts sandboxes of the image, and removes them when the test ends."""

    def __init__(
        self, engine: ContainerEngine, opened: OpenedImage, stack: ExitStack
    ) -> None:
        self.engine = engine
        self._opened = opened
        self._stack = stack

    def prepare(self, script: str, **given: object) -> Sandbox:
        values: dict[str, object] = {
            "image": self._opened.image,
            "command": ("/bin/sh", "-c", script),
        }
        request = SandboxRequest(**(values | given))  # type: ignore[arg-type]
        return self._stack.enter_context(
            service.open_sandbox(self.engine, self._opened, request)
        )

    def start(self, script: str, **given: object) -> Sandbox:
        sandbox = self.prepare(script, **given)
        sandbox.start()
        return sandbox

    def output(self, script: str, **given: object) -> str:
        """Return what a script that ends by itself wrote."""
        sandbox = self.start(script, **given)
        until(lambda: self.state(sandbox) is ContainerStatus.EXITED)
        return sandbox.logs()

    def state(self, sandbox: Sandbox) -> ContainerStatus:
        return self.engine.state(sandbox.prepared.container_id).status


@contextmanager
def _runner(engine: ContainerEngine, opened: OpenedImage) -> Iterator[Runner]:
    with ExitStack() as stack:
        yield Runner(engine, opened, stack)


@pytest.fixture
def host_service() -> Iterator[int]:
    """Something of this machine that listens on every address; yields its port."""
    with socket.create_server(("", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def runner(engine: ContainerEngine, opened: OpenedImage) -> Iterator[Runner]:
    with _runner(engine, opened) as made:
        yield made
