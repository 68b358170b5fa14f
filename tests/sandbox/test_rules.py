"""The ladder, the scratch directories, owners and placement: values in, values out."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.images.types import Platform
from vexxy.sandbox import rules, wire
from vexxy.sandbox.rules import USUAL_CAPABILITIES
from vexxy.sandbox.types import (
    EngineInfo,
    Obstacle,
    Owner,
    Placement,
    Port,
    PortTraffic,
    Privileges,
    Scratch,
    TrafficReport,
)

STRICT = Privileges()
LOOSEST = Privileges(USUAL_CAPABILITIES, writable_root=True)
HERE = Owner(process_id=1, started_ticks=1, boot_id="boot", pid_namespace="pid:[1]")
ENGINE = EngineInfo(
    name="docker",
    version="1",
    address="unix:///run/docker.sock",
    platform=Platform("linux", "amd64"),
    rootless=False,
    default_runtime="runc",
    runtimes=("runc",),
    host_processes=True,
    starts_in_two_steps=False,
)


@dataclass(frozen=True)
class Denied:
    syscall: str
    error: str
    path: str = ""


def exited(logs: str = "", *, known: bool = True, code: int | None = 1) -> Obstacle:
    return Obstacle(ready=False, exit_code=code, logs=logs, refusals_known=known)


READY = Obstacle(ready=True, exit_code=None, logs="", refusals_known=True)


@pytest.mark.parametrize(
    "refusal",
    [
        Denied("setuid", "EPERM"),
        Denied("setgroups", "EPERM"),
        Denied("fchownat", "EPERM", "/var/lib/x"),
        Denied("openat", "EACCES", "/etc/app/secret"),
        Denied("bind", "EACCES"),
    ],
)
def test_a_missing_privilege_gives_the_usual_capabilities(refusal: Denied) -> None:
    looser = rules.relax(STRICT, exited(), [refusal])
    assert looser is not None
    assert looser.privileges == Privileges(USUAL_CAPABILITIES)
    assert refusal.syscall in looser.reason
    assert refusal.error in looser.reason


def test_a_read_only_root_that_is_written_becomes_writable() -> None:
    looser = rules.relax(STRICT, exited(), [Denied("openat", "EROFS", "/app/cache")])
    assert looser is not None
    assert looser.privileges == Privileges(writable_root=True)
    assert "/app/cache" in looser.reason


def test_both_are_given_in_one_step() -> None:
    refusals = [Denied("setuid", "EPERM"), Denied("mkdir", "EROFS", "/app/x")]
    looser = rules.relax(STRICT, exited(), refusals)
    assert looser is not None
    assert looser.privileges == LOOSEST


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chown: /data: Operation not permitted", Privileges(USUAL_CAPABILITIES)),
        ("mkdir: Read-only file system", Privileges(writable_root=True)),
    ],
)
def test_the_log_is_believed_where_the_kernel_was_not_asked(
    line: str, expected: Privileges
) -> None:
    looser = rules.relax(STRICT, exited(f"starting\n{line}\n", known=False), [])
    assert looser is not None
    assert looser.privileges == expected
    assert line in looser.reason


def test_a_failure_of_the_images_own_is_not_tried_again() -> None:
    assert rules.relax(STRICT, exited("no configuration given\n"), []) is None
    pyc = Denied("openat", "EROFS", "/usr/lib/python3/__pycache__/x.cpython-311.pyc.1")
    assert rules.relax(STRICT, exited(), [pyc]) is None


def test_a_failure_nobody_can_explain_is_tried_once_with_everything() -> None:
    looser = rules.relax(STRICT, exited(known=False), [])
    assert looser is not None
    assert looser.privileges == LOOSEST
    assert rules.relax(LOOSEST, exited(known=False), []) is None


def test_a_ready_image_is_restarted_for_a_refused_write_once() -> None:
    write = Denied("mkdirat", "EROFS", "/opt/plugins")
    looser = rules.relax(STRICT, READY, [write])
    assert looser is not None
    assert looser.privileges == Privileges(writable_root=True)
    assert "/opt/plugins" in looser.reason
    assert rules.relax(looser.privileges, READY, [write]) is None


@pytest.mark.parametrize(
    "path",
    [
        "/app/__pycache__/x.pyc",
        "/proc/sys/net/core/somaxconn",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ],
)
def test_a_write_that_nothing_depends_on_restarts_and_limits_nothing(path: str) -> None:
    harmless = Denied("openat", "EROFS", path)
    assert rules.relax(STRICT, READY, [harmless]) is None
    assert rules.observation_limits([harmless]) == ()


@pytest.mark.parametrize("path", ["/sys/../opt/x", "/proc/self/root/opt/x"])
def test_a_detour_through_the_kernels_files_is_a_write(path: str) -> None:
    assert rules.relax(STRICT, READY, [Denied("openat", "EROFS", path)]) is not None


def test_a_ready_image_is_restarted_for_a_refused_identity_and_not_for_chown() -> None:
    chown = Denied("chown", "EPERM", "/srv/x")
    assert rules.relax(STRICT, READY, [chown]) is None
    looser = rules.relax(STRICT, READY, [Denied("setgid", "EPERM")])
    assert looser is not None
    assert looser.privileges == Privileges(USUAL_CAPABILITIES)


refusals_of_any_kind = st.lists(
    st.builds(
        Denied,
        st.sampled_from(["setuid", "openat", "chown", "mkdir", "mount", "bpf"]),
        st.sampled_from(["EPERM", "EACCES", "EROFS"]),
        st.sampled_from(["", "/app/x", "/x/__pycache__/y.pyc"]),
    ),
    max_size=5,
)
obstacles = st.builds(
    Obstacle,
    st.booleans(),
    st.sampled_from([None, 0, 1]),
    st.sampled_from(["", "Permission denied", "Read-only file system"]),
    st.booleans(),
)


@given(obstacles, refusals_of_any_kind)
def test_the_ladder_only_goes_down_and_ends(
    obstacle: Obstacle, refusals: list[Denied]
) -> None:
    privileges = STRICT
    for _ in range(3):
        looser = rules.relax(privileges, obstacle, refusals)
        if looser is None:
            return
        assert set(privileges.capabilities) <= set(looser.privileges.capabilities)
        assert set(looser.privileges.capabilities) <= set(USUAL_CAPABILITIES)
        assert looser.privileges.writable_root >= privileges.writable_root
        assert looser.privileges != privileges
        assert looser.reason
        privileges = looser.privileges
    assert rules.relax(privileges, obstacle, refusals) is None


def test_scratch_keeps_the_owner_and_leaves_code_alone() -> None:
    present = [
        Scratch("/var/log", 0, 4, 0o775),
        Scratch("/var/lib/redis", 101, 101, 0o750),
        Scratch("/var/lib/dpkg", 0, 0, 0o755),
        Scratch("/usr/lib", 0, 0, 0o755),
    ]
    found = rules.scratch_directories(present, volumes=["/data", "/data/inner"])
    paths = {scratch.path for scratch in found}
    assert paths == {"/data", "/var/lib/redis", "/var/log", *rules.ALWAYS_SCRATCH}
    assert found[3] == Scratch("/var/lib/redis", 101, 101, 0o750)


def test_the_root_itself_is_never_scratch() -> None:
    found = rules.scratch_directories((), volumes=["/"])
    assert {scratch.path for scratch in found} == rules.ALWAYS_SCRATCH


def test_refused_writes_are_told_and_bytecode_is_not() -> None:
    refusals = [Denied("openat", "EROFS", f"/app/{name}") for name in "abcdefg"]
    refusals.append(Denied("openat", "EROFS", "/app/__pycache__/a.pyc"))
    (sentence,) = rules.observation_limits(refusals)
    assert "/app/a" in sentence
    assert "2 more" in sentence
    assert "pycache" not in sentence
    assert rules.observation_limits(refusals[-1:]) == ()


@pytest.mark.parametrize(
    ("status", "expected"),
    [("200", True), ("304", True), ("404", False), ("503", False), ("tcp", False)],
)
def test_only_2xx_and_3xx_are_success(status: str, *, expected: bool) -> None:
    assert rules.is_success(status) is expected


WEB = Port(80, "http")
REDIS = Port(6379, "redis")


def traffic(**by_port: PortTraffic) -> TrafficReport:
    known = {int(name.strip("_")): one for name, one in by_port.items()}
    return TrafficReport(
        sent=sum(one.sent for one in known.values()),
        answered=sum(one.answered for one in known.values()),
        by_port=known,
    )


def test_a_server_that_only_failed_proves_nothing() -> None:
    failed = PortTraffic(162, 0, {"503": 160, "404": 2})
    redis = PortTraffic(3, 3, {"redis": 3})
    assert rules.traffic_limits((WEB, REDIS), traffic(_80=failed, _6379=redis)) == (
        "no HTTP request to port 80 succeeded (404: 2, 503: 160)",
    )
    silent = traffic(_80=PortTraffic(9), _6379=PortTraffic(9))
    assert rules.traffic_limits((WEB, REDIS), silent) == (
        "no HTTP request to port 80 succeeded (none was answered)",
        "nothing answered the built-in driver at port 6379 (redis)",
    )


def test_what_one_port_answers_says_nothing_about_another() -> None:
    good = PortTraffic(90, 80, {"200": 80, "404": 10})
    broken = PortTraffic(90, 0, {"502": 90})
    web = (WEB, Port(8443, "https"), Port(9090, "http"))
    assert rules.traffic_limits(web, traffic(_80=good, _8443=broken)) == (
        "no HTTP request to port 8443 succeeded (502: 90)",
        "no HTTP request to port 9090 succeeded (none was sent)",
    )


def test_one_success_at_each_port_limits_nothing() -> None:
    mixed = PortTraffic(5, 1, {"200": 1, "404": 4})
    assert rules.traffic_limits((WEB,), traffic(_80=mixed)) == ()
    redis = PortTraffic(5, 5, {"redis": 5})
    assert rules.traffic_limits((REDIS,), traffic(_6379=redis)) == ()
    assert rules.traffic_limits((WEB, REDIS), traffic(_80=mixed, _6379=redis)) == ()
    assert rules.traffic_limits((WEB,), TrafficReport()) == ()


def test_an_owner_that_ended_is_gone_and_one_that_runs_is_not() -> None:
    owner = replace(HERE, process_id=77, started_ticks=500)
    assert rules.is_gone(owner, HERE, None) is True
    assert rules.is_gone(owner, HERE, 500) is False
    # The kernel gave the number to a later process.
    assert rules.is_gone(owner, HERE, 501) is True


def test_an_owner_of_elsewhere_cannot_be_judged() -> None:
    assert rules.is_gone(replace(HERE, boot_id="other"), HERE, None) is None
    assert rules.is_gone(replace(HERE, pid_namespace="pid:[2]"), HERE, None) is None


@given(st.builds(Owner, st.integers(1), st.integers(0), st.text(), st.text()))
def test_an_owner_survives_its_labels(owner: Owner) -> None:
    found = wire.labels("id", owner, loaded_image=None, keep=False)
    assert wire.find_owner(found) == owner


def test_labels_of_somebody_else_name_no_owner() -> None:
    assert wire.find_owner({}) is None
    assert wire.find_owner({wire.OWNER_LABEL: "x", wire.STARTED_LABEL: "1"}) is None


def plan(engine: EngineInfo = ENGINE, **given: object) -> Placement:
    values: dict[str, object] = {"root_here": True, "tracing": None, "helper_image": True}
    return rules.plan(engine, **(values | given)).placement  # type: ignore[arg-type]


def test_root_beside_the_engine_needs_no_helper() -> None:
    assert plan() is Placement.LOCAL


def test_a_virtual_machine_or_a_plain_user_needs_a_helper() -> None:
    assert plan(replace(ENGINE, host_processes=False)) is Placement.HELPER
    assert plan(root_here=False) is Placement.HELPER
    assert plan(root_here=False, helper_image=False) is Placement.IMPOSSIBLE


def test_a_rootless_engine_has_no_helper_to_offer() -> None:
    rootless = replace(ENGINE, rootless=True)
    found = rules.plan(rootless, root_here=False, tracing=None, helper_image=True)
    assert found.placement is Placement.IMPOSSIBLE
    assert found.hint
    assert any("root" in reason for reason in found.reasons)


@pytest.mark.parametrize("runtime", ["runsc", "/usr/bin/runsc", "kata", "krun"])
def test_a_runtime_that_hides_the_image_is_told(runtime: str) -> None:
    assert len(rules.blind_spots(runtime)) == 1


@pytest.mark.parametrize("runtime", [None, "runc", "/usr/bin/crun"])
def test_an_ordinary_runtime_hides_nothing(runtime: str | None) -> None:
    assert rules.blind_spots(runtime) == ()
