"""The engines' JSON and our values, without an engine."""

import resource

import pytest
from docker.errors import APIError
from hypothesis import given
from hypothesis import strategies as st

from vexxy.images.types import Platform
from vexxy.integrations.container_engine import failures, podman_service, progress, wire
from vexxy.sandbox.errors import DiskFull, EngineFailed
from vexxy.sandbox.types import (
    ContainerSpec,
    ContainerStatus,
    Limits,
    Privileges,
    Scratch,
)

DIGEST = "sha256:" + "d" * 64
INDEX = "sha256:" + "1" * 64


def spec(**given: object) -> ContainerSpec:
    values: dict[str, object] = {
        "name": "vexxy-1",
        "image_id": DIGEST,
        "command": None,
        "environment": {"A": "b=c"},
        "labels": {"l": "v"},
        "limits": Limits(),
        "privileges": Privileges(),
        "scratch": (Scratch("/run", mode=0o1777), Scratch("/var/log", 0, 4, 0o775)),
    }
    return ContainerSpec(**(values | given))  # type: ignore[arg-type]


def host(**given: object) -> dict[str, object]:
    body = wire.creation(spec(**given), copies_into_memory=True)
    found: dict[str, object] = body["HostConfig"]
    return found


def test_the_strictest_sandbox_asks_for_nothing() -> None:
    found = host()
    assert found["CapDrop"] == ["ALL"]
    assert found["CapAdd"] == []
    assert found["SecurityOpt"] == ["no-new-privileges"]
    assert found["ReadonlyRootfs"] is True
    assert found["NetworkMode"] == "none"
    assert found["RestartPolicy"] == {"Name": "no"}
    assert "Privileged" not in found
    assert "Binds" not in found
    assert "Devices" not in found


def test_swap_adds_no_memory() -> None:
    found = host()
    assert found["Memory"] == found["MemorySwap"] == Limits().memory_bytes


def test_the_command_and_the_health_check_of_the_image_are_replaced() -> None:
    body = wire.creation(spec(), copies_into_memory=True)
    assert body["Image"] == DIGEST
    assert "Cmd" not in body
    assert body["Healthcheck"] == {"Test": ["NONE"]}
    assert body["Env"] == ["A=b=c"]
    body = wire.creation(spec(command=("a", "b")), copies_into_memory=True)
    assert body["Cmd"] == ["a", "b"]


def test_what_was_granted_is_asked_for_and_no_more() -> None:
    found = host(privileges=Privileges(("SETUID",), writable_root=True))
    assert found["CapDrop"] == ["ALL"]
    assert found["CapAdd"] == ["SETUID"]
    assert found["ReadonlyRootfs"] is False
    assert host(network_allowed=True)["NetworkMode"] == "bridge"
    assert host(runtime="runsc")["Runtime"] == "runsc"
    assert "Runtime" not in host()


def test_scratch_is_memory_where_it_is_filled_and_a_volume_where_not() -> None:
    podman = host()
    assert set(podman["Tmpfs"]) == {"/run", "/var/log"}  # type: ignore[call-overload]
    assert podman["Mounts"] == []
    body = wire.creation(spec(), copies_into_memory=False)
    docker = body["HostConfig"]
    assert set(docker["Tmpfs"]) == {"/run"}
    assert docker["Mounts"] == [{"Type": "volume", "Target": "/var/log"}]


def test_no_limit_is_raised_above_our_own() -> None:
    limits = {entry["Name"]: entry for entry in wire.ulimits(10**9)}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    expected = 10**9 if hard == resource.RLIM_INFINITY else hard
    assert limits["nofile"]["Hard"] == limits["nofile"]["Soft"] == expected


INSPECTED = {
    "Id": "a" * 64,
    "RepoTags": ["docker.io/library/nginx:1.25"],
    "RepoDigests": [
        f"docker.io/library/nginx@{INDEX}",
        f"docker.io/library/nginx@{DIGEST}",
    ],
    "Architecture": "arm64",
    "Os": "linux",
    "Variant": "v8",
    "Size": 5,
    "Config": {
        "User": "101",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}, "9000-9002/tcp": {}},
        "Env": ["PATH=/bin", "EMPTY=", "broken"],
        "Cmd": ["nginx"],
        "Entrypoint": None,
        "Volumes": {"/data": {}},
        "Labels": None,
        "StopSignal": "SIGQUIT",
    },
}


def test_an_image_is_read_with_every_digest_it_is_known_by() -> None:
    image = wire.image_from(INSPECTED, reference="nginx", manifest_digest=DIGEST)
    assert image.image_id == "sha256:" + "a" * 64
    assert (image.manifest_digest, image.index_digest) == (DIGEST, INDEX)
    assert image.name == "nginx"
    assert image.platform == Platform("linux", "arm64", "v8")
    assert image.config.exposed_ports == (80, 9000, 9001, 9002)
    assert image.config.environment == {"PATH": "/bin", "EMPTY": ""}
    assert image.config.stop_signal == "SIGQUIT"
    assert image.config.entrypoint == ()


def test_the_only_repository_digest_stands_in_where_the_engine_tells_no_other() -> None:
    found = {**INSPECTED, "RepoDigests": [f"registry.example:5000/team/app@{DIGEST}"]}
    found["RepoTags"] = []
    image = wire.image_from(found, reference="x", manifest_digest=None)
    assert (image.manifest_digest, image.index_digest) == (DIGEST, None)
    assert image.name == "app"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("created", ContainerStatus.CREATED),
        ("initialized", ContainerStatus.CREATED),
        ("running", ContainerStatus.RUNNING),
        ("exited", ContainerStatus.EXITED),
        ("dead", ContainerStatus.EXITED),
        ("stopped", ContainerStatus.EXITED),
    ],
)
def test_the_words_of_both_engines_mean_one_state(
    word: str, status: ContainerStatus
) -> None:
    state = {"Status": word, "Pid": 7, "ExitCode": 3}
    found = wire.state_from({"State": state})
    assert found.status is status
    assert (found.exit_code == 3) == (status is ContainerStatus.EXITED)
    assert (found.process_id == 7) == (status is not ContainerStatus.EXITED)


def test_the_names_of_loaded_images_are_read_from_either_engine() -> None:
    said = "Loaded image: a:1\nLoaded image ID: sha256:b\nnoise\nLoaded image(s): c:1,d:2\n"
    assert progress.loaded_names(said) == ("a:1", "sha256:b", "c:1", "d:2")


def test_progress_of_a_pull_is_told_in_bytes() -> None:
    heard: list[int] = []
    events = [
        {"status": "Pulling"},
        {"id": "a", "status": "Down", "progressDetail": {"current": 5, "total": 10}},
        {"id": "b", "status": "Down", "progressDetail": {"current": 10, "total": 10}},
    ]
    progress.follow_pull(
        events, reference="x", listener=lambda said: heard.append(said.percent)
    )
    assert heard == [0, 50, 75]


def test_an_error_in_the_stream_of_a_pull_is_a_failure() -> None:
    with pytest.raises(EngineFailed, match="manifest unknown"):
        progress.follow_pull(
            [{"error": "manifest unknown"}], reference="x", listener=lambda _: None
        )


def test_a_full_disk_is_told_from_other_refusals() -> None:
    assert isinstance(failures.refused("load", "write: No space left on device"), DiskFull)
    assert type(failures.refused("load", "bad header")) is EngineFailed


@pytest.mark.parametrize(
    ("unified", "found", "chosen"),
    [
        (True, ["crun", "runc"], None),
        (False, ["crun", "runc"], "runc"),
        (True, ["runc"], "runc"),
        (False, ["crun"], None),
        (False, [], None),
    ],
)
def test_the_runtime_is_chosen_by_what_the_machine_can_do(
    unified: bool,  # noqa: FBT001  a column of the table
    found: list[str],
    chosen: str | None,
) -> None:
    assert podman_service.choose_runtime(unified=unified, found=found) == chosen


@given(st.dictionaries(st.text(), st.none()))
def test_ports_of_any_spelling_are_read_without_failing(exposed: dict[str, None]) -> None:
    ports = wire.tcp_ports(exposed)
    assert list(ports) == sorted(set(ports))


@pytest.mark.parametrize(
    ("entry", "first", "last"),
    [
        ("80/tcp", 80, 80),
        ("1-9999999999/tcp", 1, 65535),
        ("8000-8002", 8000, 8002),
        ("65534-99999/tcp", 65534, 65535),
    ],
)
def test_ranges_end_at_the_last_port_there_is(entry: str, first: int, last: int) -> None:
    ports = wire.tcp_ports({entry: {}})
    assert ports == tuple(range(first, last + 1))


@pytest.mark.parametrize("entry", ["0/tcp", "99999/tcp", "80/udp", "9-1/tcp", "٣/tcp"])
def test_what_is_no_tcp_port_is_left_out(entry: str) -> None:
    assert wire.tcp_ports({entry: {}, "9" * 9999: {}}) == ()


def test_a_fault_that_passes_is_asked_again_and_any_other_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "PASSING_SECONDS", 0.0)
    answers = iter(
        [
            "failed to convert ImageData to ImageInspect 'x'",
            "layer not known",
            "read /proc/26687/cgroup: no such process",
        ]
    )

    def ask() -> str:
        for text in answers:
            raise APIError(text)
        return "answered"

    assert failures.patiently(ask) == "answered"
    answers = iter(["no such image"])
    with pytest.raises(APIError, match="no such image"):
        failures.patiently(ask)


def test_a_fault_that_does_not_pass_is_told_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "PASSING_SECONDS", 0.0)

    def ask() -> str:
        raise APIError("layer not known")

    with pytest.raises(EngineFailed, match="layer not known"), failures.translated("look"):
        failures.patiently(ask)
