"""Functions of Node.js that ran in a real image, whatever its processes do."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.images.build import build
from tests.e2e.conftest import Cli

pytestmark = [pytest.mark.engine, pytest.mark.kernel]

STARTED = 'printf %s "$SCRIPT" > /tmp/app.js; exec node /tmp/app.js'
EXPRESS = "localhost/dev-c-express"
SHARED = Path(__file__).parents[2].parent / "shared" / "images" / "c-express"
LIVELY = """\
const cluster = require('cluster'), http = require('http');
const child = require('child_process');
const { Worker, isMainThread } = require('worker_threads');
function inThread() {} function inWorker() {} function early() {} function never() {}
function r0() {} function r1() {} function r2() {} function untaken() {}
const routes = { '/0': r0, '/1': r1, '/2': r2, '/3': () => untaken() };
function serve(q, s) { (routes[q.url.split('?')[0]] || r0)(); s.end('x') }
if (!isMainThread) { inThread() }
else if (process.argv[2] === 'killed') { early(); setInterval(() => console.log(1), 900) }
else if (cluster.isWorker) { inWorker(); http.createServer(serve).listen(8999) }
else {
  let left = 4, open = 20;
  for (let i = 0; i < 4; i++) cluster.fork();
  new Worker(__filename);
  cluster.on('listening', () => { if (--left === 0) for (let i = 0; i < 20; i++)
    http.get({ port: 8999, path: '/' + i % 3 + '?t=secret', agent: false }, (r) =>
      r.resume().on('end', () => --open || http.createServer(serve).listen(8080))) });
  if (process.env.BROKEN) {
    const killed = child.spawn(process.execPath, [__filename, 'killed']);
    killed.stdout.once('data', () => killed.kill('SIGKILL'));
    child.execFileSync(process.execPath, ['-e', '0'], { env: {} });
  }
}
"""
CALLED = {"inThread", "inWorker", "serve", "r0", "r1", "r2"}


def profile_of(cli: Cli, place: Path, image: str, *options: str) -> dict[str, Any]:
    """Return the execution profile of an image."""
    result = place / "result.json"
    done = cli.run(
        *("analyze", image, "--coverage", "--duration", "30", *options),
        *("--advisories", str(cli.advisories), "--format", "json"),
        *("--output", str(result)),
    )
    assert result.exists(), done.stderr
    profile: dict[str, Any] = json.loads(result.read_text())["execution_profile"]
    return profile


def node_of(profile: dict[str, Any]) -> dict[str, Any]:
    """Return the recording of Node.js."""
    (found,) = (one for one in profile["function_recordings"] if one["runtime"] == "node")
    recording: dict[str, Any] = found
    return recording


@pytest.mark.parametrize("broken", ["", "1"])
def test_clusters_threads_and_processes_that_fall_silent(
    cli: Cli, tmp_path: Path, broken: str
) -> None:
    profile = profile_of(
        cli,
        tmp_path,
        build("truth-node"),
        *("--command", f"sh -c {shlex.quote(STARTED)}"),
        *("--env", f"SCRIPT={LIVELY}", "--env", f"BROKEN={broken}"),
    )
    recording = node_of(profile)
    calls = {one["name"]: one for one in profile["functions"] if "app.js" in one["path"]}
    assert calls.keys() - {"<anonymous>"} == CALLED | ({"early"} if broken else set())
    assert "secret" not in json.dumps(profile["functions"])
    if not broken:
        assert recording["reasons"] == []
        assert recording["processes"] == 5
        return
    killed, silent = sorted(recording["reasons"], key=lambda one: "did not" in one)
    assert "was ended from outside" in killed
    assert "did not report its functions" in silent


@pytest.mark.shared
def test_called_symbols_of_the_express_image_are_the_truth(
    cli: Cli, tmp_path: Path
) -> None:
    if not SHARED.exists():
        pytest.skip("the shared images are not here")
    if subprocess.run(["podman", "image", "exists", EXPRESS], check=False).returncode:
        pytest.skip(f"the image {EXPRESS} is not built")
    script = tmp_path / "test.sh"
    lines = (SHARED / "test.sh").read_text().split("waitport 8080\n")[1]
    script.write_text(lines.replace("sleep ${LINGER:-0}", ""))
    profile = profile_of(cli, tmp_path, EXPRESS, "--test-script", str(script))
    assert node_of(profile)["reasons"] == []
    assert node_of(profile)["paths_unrecorded"] == []
    called = {
        (one["path"], one["name"].rpartition(".")[2]): one for one in profile["functions"]
    }
    for advisory in json.loads((SHARED / "truth.json").read_text())["advisories"]:
        for symbol, truth in advisory["symbols"].items():
            file, _, name = symbol.partition("#")
            key = (f"{advisory['path']}/{file}", name.rpartition(".")[2])
            seen = key in called and called[key]["request"] != "GET /login"
            # Our own traffic logs in, which the script does not.
            assert not name or seen is truth["called"], symbol
