"""Methods that a Ruby told, and Rubies that told nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.tracer.functions.ruby import service
from vexxy.tracer.functions.types import Evidence, Recorded
from vexxy.tracer.types import Process, Source, Trace, TracedFile, Use

HELLO = b"H\tstart\t7\t1.0\t3.1.2\t99\t/usr/bin/ruby3.1\n"
RUBY = Process(7, 1, "/usr/bin/ruby3.1", ("ruby", "app.rb"))
APPLICATION = """\
module M; def self.s; 1; end; def self.never; end; end
class C
  x = [1].map { |i| i + 1 }
  def m; [1].each { |v| inner(v) }; end
  def inner(v); v; end
  def never; end
end
def in_thread; end
def in_child; end
C.new.m; M.s
Thread.new { in_thread }.join
Process.wait(fork { in_child; Process.kill(:KILL, Process.pid) })
exit!(0)
"""


def collected(
    told: dict[str, bytes],
    *processes: Process,
    files: tuple[TracedFile, ...] = (),
    root: Path = Path("/"),
) -> Recorded | None:
    trace = Trace(Source.EBPF, 9.0, files, processes, (), (), (), (), 0)
    return service.collect(Evidence(told, (), trace, RootFilesystem(root), 0.0))


def test_called_methods_are_told_and_no_others(tmp_path: Path) -> None:
    if shutil.which("ruby") is None:
        pytest.skip("there is no Ruby on this machine")
    place = tmp_path / ".vexxy"
    for name, content in service.plan({}).files.items():
        (place / name).parent.mkdir(parents=True)
        (place / name).write_bytes(content)
    (tmp_path / ".vexxy-out").mkdir()
    (tmp_path / "app.rb").write_text(APPLICATION)
    environment = {**os.environ, "RUBYOPT": f"-r{place}/ruby/record.rb"}
    subprocess.run(["ruby", tmp_path / "app.rb"], env=environment, check=True)
    out = tmp_path / ".vexxy-out"
    found = collected({path.name: path.read_bytes() for path in out.iterdir()})
    assert found is not None
    mine = {call.name for call in found.calls if call.path.endswith("app.rb")}
    assert mine == {"C.m", "C.inner", "M.s", "Object.in_thread", "Object.in_child"}
    assert found.recording.reasons == ()


def test_a_method_is_told_with_its_gem(tmp_path: Path) -> None:
    folder = tmp_path / "gems" / "rack-2.2.3" / "lib"
    folder.mkdir(parents=True)
    (folder / "rack.rb").write_text("")
    line = b"F\t2.5\t4\t/gems/rack-2.2.3/lib/rack.rb\tRack.call\t/app.rb:1 <main>\n"
    before = b"B\t/usr/lib/ruby/rubygems.rb\n"
    found = collected({"ruby-7-99": HELLO + before + line}, RUBY, root=tmp_path)
    assert found is not None
    (call,) = found.calls
    assert (call.module, call.name, call.line) == ("rack/lib/rack.rb", "Rack.call", 4)
    assert call.stack == ("/app.rb:1 <main>",)
    assert found.recording.reasons == ()
    assert found.recording.paths_unrecorded == ("/usr/lib/ruby/rubygems.rb",)


def test_a_ruby_that_did_not_report_is_a_reason() -> None:
    again = Process(9, 7, "/usr/bin/ruby3.1", ("ruby", "-e", "0"))
    found = collected({"ruby-7-99": HELLO}, RUBY, again)
    assert found is not None
    (reason,) = found.recording.reasons
    assert reason.startswith("/usr/bin/ruby3.1 (process 9) did not report")


def test_a_ruby_inside_another_program_is_a_reason() -> None:
    library = TracedFile(
        "/usr/lib/libruby-3.1.so.3.1", Use.MAPPED, (0, 0), 0.0, process="/bin/passenger"
    )
    found = collected({}, files=(library,))
    assert found is not None
    (reason,) = found.recording.reasons
    assert reason.startswith("/bin/passenger may hold a Ruby")


def test_damaged_lines_are_a_reason() -> None:
    found = collected({"ruby-7-99": HELLO + b"F\tx\nF\t1.0\t2"}, RUBY)
    assert found is not None
    assert found.recording.reasons == ("2 lines of the Ruby recorder were damaged",)


def test_without_ruby_there_is_no_recording() -> None:
    assert collected({}) is None
