"""Names of Docker Hub: the image in a container engine, scanned through its API."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.images import PROBED, Layout, write_docker_archive
from tests.conformance.scanners import Scanners
from tests.conformance.table import Table
from tests.conformance.test_scanners import TOOLS
from tests.fakes.vex_documents import a_document, a_statement
from vexxy.vex import service
from vexxy.vex.rules import honoring
from vexxy.vex.rules.matching import Shelf
from vexxy.vex.types import Effect, Target

pytestmark = pytest.mark.engine

NAME = "docker.io/library/vexxy-conformance"
_DEADLINE_SECONDS = 30


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a Podman service of our own."""
    podman = shutil.which("podman")
    if podman is None:
        pytest.skip("podman is not installed: names of Docker Hub are not tried")
    path = tmp_path_factory.mktemp("engine") / "podman.sock"
    command = [podman, "system", "service", "--time", "0", f"unix://{path}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _await_socket(path)
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait()


def _await_socket(path: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == 0:
                return
        time.sleep(0.1)
    pytest.fail("the Podman service did not start")


@pytest.fixture(scope="module")
def target(
    engine: str, layouts: dict[str, Layout], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    archive = tmp_path_factory.mktemp("archive") / "image.tar"
    write_docker_archive(layouts["team/web"], archive, tag=f"{NAME}:1")
    subprocess.run(["podman", "load", "-q", "-i", archive], capture_output=True, check=True)
    try:
        inspected = subprocess.run(
            ["podman", "image", "inspect", f"{NAME}:1"], capture_output=True, check=True
        )
        (image,) = json.loads(inspected.stdout)
        yield Target(
            name="vexxy-conformance",
            manifest_digest=image["Digest"],
            repo_digests=tuple(image["RepoDigests"]),
            tags=tuple(image["RepoTags"]),
            architecture="amd64",
        )
    finally:
        subprocess.run(["podman", "rmi", f"{NAME}:1"], capture_output=True, check=False)


def forms(target: Target) -> dict[str, str]:
    """Return the ways to name an image of Docker Hub."""
    purl = f"pkg:oci/{target.name}@{target.manifest_digest}"
    url = f"{purl}?repository_url="
    return {
        "no qualifiers": purl,
        "repository_url=index.docker.io/library/NAME": (
            f"{url}index.docker.io/library/{target.name}"
        ),
        "repository_url=docker.io/library/NAME": f"{url}docker.io/library/{target.name}",
        "repository_url=docker.io/NAME": f"{url}docker.io/{target.name}",
        "repository_url=index.docker.io/library": f"{url}index.docker.io/library",
        "repository_url=docker.io/library (Kubescape)": f"{url}docker.io/library",
        "repository_url=index.docker.io/library/NAME&arch": (
            f"{purl}?arch=amd64&repository_url=index.docker.io/library/{target.name}"
        ),
        "tag in the purl": f"pkg:oci/{target.name}?tag=1",
        "reference with tag as text": f"{NAME}:1",
    }


@pytest.mark.parametrize("tool", TOOLS)
def test_each_form_of_a_docker_hub_name_is_honored_as_predicted(
    scanners: Scanners,
    engine: str,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    table: Table,
    tool: str,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    tried = forms(target)
    document = a_document(
        *(
            a_statement(f.cve, product=form, leaves=(f.purl.partition("?")[0],))
            for f, form in zip(PROBED, tried.values(), strict=False)
        )
    )
    vex = tmp_path / "vex.json"
    vex.write_bytes(service.render(document, service.Format.OPENVEX))
    if tool == "trivy":
        shown = scanners.trivy("image", "--image-src", "docker", f"{NAME}:1", vex=vex)
    else:
        shown = scanners.grype(f"docker:{NAME}:1", vex=vex, name=tool)
    for finding, form in zip(PROBED, tried, strict=False):
        hidden = finding.cve not in shown
        row = "hidden" if hidden else "shown"
        table.record("Docker Hub names, image in an engine", form, tool, row)
        told = honoring.answer(
            TOOLS[tool],
            Shelf(document),
            target=target,
            finding=finding.cve,
            purl=finding.purl,
        )
        assert (told.effect is Effect.SUPPRESSED) == hidden, form
