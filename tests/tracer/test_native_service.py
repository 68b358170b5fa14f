"""What hits, and the lack of them, say about functions; no kernel is asked."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from vexxy.tracer.functions.native import places, service
from vexxy.tracer.functions.native.types import (
    Frame,
    Hit,
    Place,
    PlaceKind,
    ProbesSeen,
    Uprobe,
    Watchable,
)
from vexxy.tracer.types import Source, Trace
from vexxy.tracer.wire import probe_list

PATH = "/app/server"
ENTRY = Place(PlaceKind.ENTRY, 0x100)
COPY = Place(PlaceKind.INLINED, 0x200, "p.Holder")
CLOSURE = Place(PlaceKind.CLOSURE, 0x300, "p.F.func1")
FOUND = {
    "x/p.F": Watchable("x/p.F", (ENTRY, COPY, CLOSURE)),
    "x/p.Shared": Watchable("x/p.Shared", (COPY,)),
    "x/p.Unsure": Watchable("x/p.Unsure", (Place(PlaceKind.ENTRY, 0x400),), "inlined?"),
    "x/p.Gone": Watchable("x/p.Gone", absent=True),
}


class FakeFunctions:
    def watch(self, names: Iterable[str]) -> dict[str, Watchable]:
        return {name: FOUND[name] for name in names}

    def describe(self, offset: int) -> str:
        return f"f.go:{offset} f" if offset < 0x1000 else ""


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> service.FunctionWatch:
    monkeypatch.setattr(places, "read", lambda _: FakeFunctions())
    return service.FunctionWatch()


def trace(probes: ProbesSeen) -> Trace:
    return Trace(
        source=Source.EBPF,
        duration_seconds=1,
        files=(),
        processes=(),
        network_connections=(),
        syscalls=(),
        refusals=(),
        gaps=(),
        lost_events=0,
        probes=probes,
    )


def seen(*hits: Hit) -> ProbesSeen:
    return ProbesSeen(wanted=4, hits=hits, finished=True)


def test_one_place_of_two_functions_is_probed_once(watch: service.FunctionWatch) -> None:
    probes = watch.add(PATH, b"", names=FOUND)

    assert [probe.offset for probe in probes] == [0x100, 0x200, 0x300, 0x400]
    assert [probe.number for probe in probes] == [0, 1, 2, 3]
    assert [probe.entry for probe in probes] == [True, False, True, True]


def test_a_function_asked_for_again_needs_no_new_probes(
    watch: service.FunctionWatch,
) -> None:
    watch.add(PATH, b"", names=["x/p.F"])

    assert watch.add(PATH, b"", names=["x/p.F", "x/p.Shared"]) == ()


def test_a_hit_in_a_copy_is_a_call_of_each_function_copied_there(
    watch: service.FunctionWatch,
) -> None:
    watch.add(PATH, b"", names=FOUND)
    hit = Hit(1, process_id=3, seconds=0.5, executable=PATH)

    calls, _ = watch.results(trace(seen(hit)))

    assert {call.name for call in calls} == {"F", "Shared"}
    assert {call.module for call in calls} == {"x/p"}
    assert {call.inlined_into for call in calls} == {"p.Holder"}
    assert {call.process_id for call in calls} == {3}


def test_the_first_of_several_hits_is_the_call(watch: service.FunctionWatch) -> None:
    watch.add(PATH, b"", names=["x/p.F"])

    calls, _ = watch.results(trace(seen(Hit(1, seconds=2.0), Hit(2, seconds=1.0), Hit(0))))

    assert [call.first_called_seconds for call in calls] == [1.0]


def test_callers_are_named_even_where_the_process_was_gone(
    watch: service.FunctionWatch,
) -> None:
    """Addresses in the probed file keep their distance to the probe."""
    watch.add(PATH, b"", names=["x/p.F"])
    frames = (Frame(0x55000100), Frame(0x55000201), Frame(0x7F0000000000))

    (call,), _ = watch.results(trace(seen(Hit(0, frames=frames))))

    assert call.stack == (f"f.go:{0x200} f",)


def test_only_what_was_watched_everywhere_until_the_end_counts(
    watch: service.FunctionWatch,
) -> None:
    watch.add(PATH, b"", names=FOUND)

    _, recording = watch.results(trace(seen()))

    assert {one.name: one.places for one in recording.watched} == {
        "x/p.F": 3,
        "x/p.Shared": 1,
    }
    assert {one.name: one.absent for one in recording.unwatched} == {
        "x/p.Unsure": False,
        "x/p.Gone": True,
    }
    assert recording.reasons == ()


@pytest.mark.parametrize(
    "probes",
    [
        replace(seen(), refused={1: "no"}),
        replace(seen(), changed=(PATH,)),
        replace(seen(), finished=False),
        ProbesSeen(),
    ],
    ids=["refused", "changed", "agent died", "old agent"],
)
def test_a_function_with_a_place_that_was_not_watched_is_not_watched(
    watch: service.FunctionWatch, probes: ProbesSeen
) -> None:
    watch.add(PATH, b"", names=["x/p.F"])

    _, recording = watch.results(trace(probes))

    assert recording.watched == ()
    assert [one.name for one in recording.unwatched] == ["x/p.F"]
    assert bool(recording.reasons) is not probes.finished


def test_a_file_that_cannot_be_read_leaves_its_functions_unwatched() -> None:
    watch = service.FunctionWatch()

    assert watch.add(PATH, b"#!/bin/sh\n", names=["f"]) == ()
    _, recording = watch.results(trace(seen()))

    assert recording.watched == ()
    assert "ELF" in recording.unwatched[0].reason


@pytest.mark.parametrize(
    ("name", "module", "own"),
    [
        ("golang.org/x/net/html.Tokenizer.Next", "golang.org/x/net/html", "Tokenizer.Next"),
        ("net/url.Parse", "net/url", "Parse"),
        ("smallvec::SmallVec::insert_many", "smallvec", "SmallVec::insert_many"),
        ("luaY_parser", "liblua.so", "luaY_parser"),
    ],
)
def test_a_call_names_its_module(name: str, module: str, own: str) -> None:
    assert service.split("/usr/lib/liblua.so", name) == (module, own)


def test_the_list_of_probes_says_each_file_once() -> None:
    probes = [
        Uprobe(2, "/b", 8, entry=False),
        Uprobe(0, "/a b\n\udcff", 16, code=b"\x90\xc3", on_host=True),
        Uprobe(1, "/b", 4),
    ]

    assert probe_list.encode(probes).decode() == (
        "file container /b\n"
        "probe 2 8 inside -\n"
        "probe 1 4 entry -\n"
        "file host /a%20b%0A%FF\n"
        "probe 0 16 entry 90c3\n"
        "set\n"
    )
    assert probe_list.encode([]) == b"set\n"
