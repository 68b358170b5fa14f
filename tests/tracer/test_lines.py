"""The agent's lines: read whole or counted, never ignored."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.tracer.types import Source, Use
from vexxy.tracer.wire import assembly as assembling
from vexxy.tracer.wire import lines
from vexxy.tracer.wire.assembly import Assembly


def file_line(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "event": "file",
        "use": ["read"],
        "path": "/x",
        "process_id": 1,
        "device": 1,
        "inode": 2,
        "seconds": 0.5,
    }
    return json.dumps(fields | changes).encode()


def test_a_line_becomes_its_event() -> None:
    event = lines.decode(file_line(use=["read", "written"], deleted=True))

    assert event == lines.File((Use.READ, Use.WRITTEN), "/x", 1, 1, 2, 0.5, deleted=True)


def test_a_path_that_is_no_text_keeps_its_bytes() -> None:
    event = lines.decode(
        rb'{"event":"refused","syscall":"open","error":"EROFS",'
        rb'"path":"/\udcff","arguments":[],"process_id":1,"seconds":0}'
    )

    assert isinstance(event, lines.Refused)
    assert event.path == "/\udcff"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"event":"unheard-of"}',
        b'{"event":"file"}',
        file_line(use=["borrowed"]),
        file_line(inode="two"),
        file_line(source="rumour"),
        file_line()[:-1],
        b'{"event":"lost","surprises":3}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(lines.MalformedLineError):
        lines.decode(line)


@given(st.binary(max_size=80))
def test_any_bytes_are_an_event_or_refused(line: bytes) -> None:
    try:
        event = lines.decode(line)
    except lines.MalformedLineError:
        return
    assert isinstance(event, lines.Event)


def execution(process_id: int, path: str, **more: object) -> lines.Exec:
    return lines.Exec(path, process_id, process_id % 100, 1, 1, 0.0, **more)  # type: ignore[arg-type]


def test_a_child_inherits_its_parents_program_until_it_executes_another() -> None:
    assembly = Assembly()
    assembly.add(execution(101, "/bin/sh"))
    assembly.add(lines.Fork(102, 2, 101, 0.1))
    assembly.add(lines.File((Use.READ,), "/early", 102, 1, 2, 0.2))
    assembly.add(execution(102, "/bin/cat"))
    assembly.add(lines.File((Use.READ,), "/late", 102, 1, 3, 0.3))

    trace = assembly.trace(1.0)

    by_path = {file.path: file.process for file in trace.files}
    assert by_path["/early"] == "/bin/sh"
    assert by_path["/late"] == "/bin/cat"
    assert [(p.process_id, p.parent_process_id) for p in trace.processes] == [
        (1, 0),
        (2, 1),
    ]


def test_a_process_number_that_is_used_again_is_another_process() -> None:
    assembly = Assembly()
    assembly.add(execution(101, "/bin/sh"))
    assembly.add(lines.Exit(101, 0, 0.1))
    assembly.add(lines.File((Use.READ,), "/x", 101, 1, 2, 0.2))

    assert assembly.trace(1.0).files[-1].process == ""


def test_a_script_is_executed_as_well_as_its_interpreter() -> None:
    assembly = Assembly()
    assembly.add(execution(101, "/bin/sh", script="/app/run"))

    executed = {file.path for file in assembly.trace(1.0).files if file.use is Use.EXECUTED}

    assert executed == {"/bin/sh", "/app/run"}


def test_the_first_use_of_a_kind_is_the_one_that_counts() -> None:
    assembly = Assembly()
    for seconds in (0.25, 4.0):
        assembly.add(lines.File((Use.READ,), "/app/a.py", 1, 1, 2, seconds))

    (file,) = assembly.trace(5.0).files
    assert file.first_seen_seconds == 0.25
    assert assembly.counters(5.0).seconds_since_new_code == 4.75


def test_data_and_a_second_look_are_not_new_code() -> None:
    assembly = Assembly()
    assembly.add(lines.File((Use.READ,), "/app/lib.so", 1, 1, 2, 1.0))
    assembly.add(
        lines.File((Use.MAPPED,), "/app/lib.so", 1, 1, 2, 2.0, source=Source.PROC_MAPS)
    )
    assembly.add(lines.File((Use.READ,), "/app/a.txt", 1, 1, 3, 3.0))

    assert assembly.counters(4.0).seconds_since_new_code == 3.0


def test_before_any_code_there_is_no_time_since() -> None:
    assert Assembly().counters(4.0).seconds_since_new_code is None


def test_the_same_refusal_is_counted_not_repeated() -> None:
    assembly = Assembly()
    for seconds in (1.0, 2.0, 3.0):
        assembly.add(lines.Refused("mkdir", "EROFS", "/x", (0, 0, 0), 1, seconds))

    (refusal,) = assembly.refusals()
    assert (refusal.count, refusal.first_seen_seconds) == (3, 1.0)


def test_everything_lost_on_the_way_is_counted() -> None:
    assembly = Assembly()
    assembly.add(lines.Lost(files=3, overflows=2, refusals_beyond_bound=9))
    assembly.add(lines.End(8.0, lines_lost=4))
    assembly.malformed = 1

    trace = assembly.trace(99.0)

    assert trace.lost_events == 10
    assert trace.duration_seconds == 8.0


def test_a_path_too_long_to_tell_is_a_gap() -> None:
    assembly = Assembly()
    assembly.add(lines.File((Use.READ,), "/deep", 1, 1, 2, 0.0, truncated=True))

    assert [gap.kind for gap in assembly.trace(1.0).gaps] == ["long_path"]


def test_an_image_cannot_have_more_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assembling, "NAMED_MAX", 10)
    assembly = Assembly()

    for number in range(25):
        assembly.add(lines.File((Use.READ,), f"/{number}", 1, 1, number, 0.1))
        assembly.add(lines.Refused("open", "EROFS", f"/{number}", (), 1, 0.1))
        assembly.add(lines.File((Use.READ,), "/0", 1, 1, 0, 0.2))

    assert assembly.counters(1.0).files + assembly.counters(1.0).refusals == 10
    assert "too_much" in {gap.kind for gap in assembly.trace(1.0).gaps}


def test_the_paths_that_are_kept_have_a_length_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assembling, "NAMED_CHARACTERS_MAX", 4000)
    assembly = Assembly()

    for number in range(25):
        assembly.add(lines.File((Use.READ,), f"/{number:01000}", 1, 1, number, 0.1))

    assert assembly.counters(1.0).files == 3
    assert assembly.trace(1.0).gaps
