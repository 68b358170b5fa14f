"""What programs of Java, .NET, Ruby and others start, by the words in them."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access

JAVA = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"
STARTER = "java/lang/ProcessBuilder"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def tool(tree: Planted) -> Package:
    path = tree.compile("/usr/bin/planttool", "int main(void){return 0;}")
    return tree.owner(path, name="planttool")


def a_class(*literals: str, names: tuple[str, ...] = (STARTER,)) -> bytes:
    """Return a class file: its table of constants, and nothing behind it."""
    pool = b"\5" + b"\0" * 8  # a long number, which takes two places
    count = 3
    for one in names:
        pool += b"\1" + struct.pack(">H", len(one)) + one.encode()
        count += 1
    for one in literals:
        pool += b"\1" + struct.pack(">H", len(one)) + one.encode()
        pool += b"\10" + struct.pack(">H", count)
        count += 2
    return b"\xca\xfe\xba\xbe\0\0\0\x3d" + struct.pack(">H", count) + pool


def a_jar(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", ".").replace("_in_", "/"), data)
    return content.getvalue()


def verdict(tree: Planted, package: Package, runtime: str) -> tuple[str, str]:
    tree.touched(tree.program(runtime, "x"), Access.EXECUTED, 0.0)
    (found,) = tree.judge(package)
    return found.status.value, found.reason


@pytest.mark.parametrize(
    "literal",
    ["planttool", "planttool -x \1", "\1/bin/planttool", "/opt/bin/planttool", "plant\1l"],
)
def test_a_literal_of_a_class_names_a_program(tree: Planted, literal: str) -> None:
    package = tool(tree)
    tree.touched(tree.write("/app/app.jar", a_jar(A__class=a_class(literal))))
    status, reason = verdict(tree, package, JAVA)
    assert status == "under_investigation"
    assert "/app/app.jar names" in reason


def test_a_name_and_its_call_are_in_two_classes_of_an_inner_archive(tree: Planted) -> None:
    package = tool(tree)
    inner = a_jar(A__class=a_class(), B__class=a_class("planttool", names=("Names",)))
    tree.write("/app/app.war", a_jar(lib_in_inner__jar=inner))
    assert verdict(tree, package, JAVA)[0] == "under_investigation"


def test_a_loose_class_and_a_damaged_one_are_read(tree: Planted) -> None:
    package = tool(tree)
    tree.write("/app/Main.class", STARTER.encode() + b" planttool ")
    assert verdict(tree, package, JAVA)[0] == "under_investigation"


def test_configuration_in_an_archive_names_a_command(tree: Planted) -> None:
    package = tool(tree)
    text = b"job:\n  command: planttool -x\n"
    tree.write("/app/app.jar", a_jar(application__yml=text))
    assert verdict(tree, package, JAVA)[0] == "under_investigation"


def test_a_library_in_an_archive_needs_others(tree: Planted) -> None:
    package = tree.owner(tree.library("libplanted.so.1"), name="libplanted1")
    built = tree.compile(
        "/tmp/native.so",  # noqa: S108  inside the planted root
        "int f(void);int g(void){return f();}",
        "-shared", "-fPIC", f"-L{tree.directory}{LIBRARIES}", "-l:libplanted.so.1",
    )  # fmt: skip
    file = tree.directory / built.lstrip("/")
    tree.write("/app/app.jar", a_jar(linux_in_native__so=file.read_bytes()))
    file.unlink()
    status, reason = verdict(tree, package, JAVA)
    assert status == "under_investigation"
    assert "unpacks linux/native.so" in reason


def test_names_without_a_call_that_starts_programs_are_words(tree: Planted) -> None:
    package = tool(tree)
    members = a_class("planttool", names=("java/lang/Object",))
    tree.write("/app/app.jar", a_jar(A__class=members))
    assert verdict(tree, package, JAVA)[0] == "not_affected"


def test_the_name_of_a_method_is_no_literal(tree: Planted) -> None:
    package = tool(tree)
    members = a_class("other", names=(STARTER, "planttool"))
    tree.write("/app/app.jar", a_jar(A__class=members))
    assert verdict(tree, package, JAVA)[0] == "not_affected"


def test_a_damaged_archive_may_start_anything(tree: Planted) -> None:
    package = tool(tree)
    tree.write("/app/app.jar", b"PK damaged")
    assert verdict(tree, package, JAVA)[0] == "under_investigation"


def test_a_literal_of_an_assembly_names_a_program(tree: Planted) -> None:
    package = tool(tree)
    text = "planttool -x".encode("utf-16-le")
    tree.write("/app/app.dll", b"MZ\0ProcessStartInfo\0\x19" + text + b"\0")
    assert verdict(tree, package, "/usr/bin/dotnet")[0] == "under_investigation"


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        ("ruby3.1", "/app/app.rb", "get('/c'){ `planttool -x` }\n"),
        ("ruby3.1", "/app/app.rb", "get('/c'){ %x{planttool -x} }\n"),
        ("ruby3.1", "/app/app.rb", "Open3.capture2e('planttool', '-x')\n"),
        ("ruby3.1", "/app/config.ru", "run { system File.join(DIR, 'bin/planttool') }\n"),
        ("ruby3.1", "/app/Rakefile", 'sh "x"; system "#{DIR}/bin/planttool -x"\n'),
        ("perl", "/app/app.pl", "my $out = qx(planttool -x);\n"),
        ("perl", "/app/app.cgi", "open(my $f, '-|', 'planttool', '-x');\n"),
        ("php8.2", "/app/app.php", "<?php $p = new Process(['planttool']);\n"),
        ("php8.2", "/app/app.phtml", "<?php echo `planttool -x`;\n"),
        ("lua5.4", "/app/app.lua", "os.execute('planttool -x')\n"),
        ("Rscript", "/app/app.R", "system2('planttool', '-x')\n"),
    ],
)
def test_programs_that_scripts_of_other_languages_start(
    tree: Planted, runtime: str, path: str, text: str
) -> None:
    package = tool(tree)
    tree.write(path, text)
    assert verdict(tree, package, f"/usr/bin/{runtime}")[0] == "under_investigation"


def test_a_comment_of_another_language_starts_nothing(tree: Planted) -> None:
    package = tool(tree)
    tree.write("/app/app.rb", "# `planttool -x`\nsystem('other')\n")
    assert verdict(tree, package, "/usr/bin/ruby3.1")[0] == "not_affected"


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        ("ruby3.1", "/app/app.rb", "get('/c'){ system(params[:c]) }\n"),
        ("ruby3.1", "/app/app.rb", "def r(x) = Open3.capture2e(x)\n"),
        ("perl", "/app/app.pl", "system $ENV{JOB};\n"),
        ("php8.2", "/app/index.php", "<?php shell_exec($_GET['x']);\n"),
        ("php8.2", "/app/index.php", '<?php exec("{$job} -x");\n'),
        (
            "node",
            "/app/server.js",
            "const {exec} = require('child_process'); r((q)=>exec(q.c));\n",
        ),
        (
            "node",
            "/app/server.js",
            "const cp = require('child_process'); r(q => cp.spawn(`${q.c}`));\n",
        ),
    ],
)
def test_an_application_that_starts_a_value_may_start_any_program(
    tree: Planted, runtime: str, path: str, text: str
) -> None:
    package = tool(tree)
    tree.touched(tree.write(path, text))
    status, reason = verdict(tree, package, f"/usr/bin/{runtime}")
    assert status == "under_investigation"
    assert f"{path} starts what" in reason


@pytest.mark.parametrize(
    ("runtime", "path", "text"),
    [
        ("ruby3.1", "/usr/local/bundle/gems/x/x.rb", "system(command)\n"),
        ("php8.2", "/app/index.php", "<?php $job = 'other'; exec($job);\n"),
        ("node", "/app/server.js", "require('child_process'); /x/.exec(word);\n"),
    ],
)
def test_a_package_or_a_written_value_starts_what_is_written(
    tree: Planted, runtime: str, path: str, text: str
) -> None:
    package = tool(tree)
    tree.touched(tree.write(path, text))
    assert verdict(tree, package, f"/usr/bin/{runtime}")[0] == "not_affected"
