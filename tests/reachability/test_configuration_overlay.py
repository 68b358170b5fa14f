"""Configuration that names what may be loaded, of any size."""

from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.loadable.configuration import CONFIGURATION_BYTES_MAX, commands
from vexxy.reachability.wire import jssource
from vexxy.tracer.types import Access

SITE = "/usr/local/lib/python3.11/site-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path)
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    planted.write(f"{SITE}/alpha/__init__.py")
    planted.touched(planted.write("/app/app.py", "import json\n"))
    return planted


def test_a_large_file_that_was_read_is_looked_into(tree: Planted) -> None:
    padding = " " * 300_000
    tree.touched(tree.write("/app/z.json", f'{{"m": "alpha"{padding}}}'), Access.DATA)

    assert f"{SITE}/alpha/__init__.py" in tree.overlay().references


def test_one_that_is_too_large_and_was_read_makes_silence_worthless(tree: Planted) -> None:
    padding = " " * CONFIGURATION_BYTES_MAX
    tree.touched(tree.write("/app/z.json", f'{{"m": "alpha"{padding}}}'), Access.DATA)

    (gap,) = tree.overlay().gaps

    assert "/app/z.json was read and is too large" in gap


def test_a_large_binary_is_no_configuration_that_could_not_be_read(tree: Planted) -> None:
    content = "\x7fELF\0" + " " * CONFIGURATION_BYTES_MAX
    tree.touched(tree.write("/mirror", content), Access.EXECUTED)

    assert tree.overlay().gaps == ()


def test_comments_that_never_end_do_not_keep_the_reader() -> None:
    """Read in linear time this takes moments; in quadratic time, hours."""
    assert jssource.read("import/*" * 400_000) is not None


@pytest.mark.parametrize(
    "text",
    [
        "- id: x\n  execute-command: planttool\n",
        "hooks:\n  onUpload:\n    - planttool\n    - -x\n",
        "pre_start:\n- planttool -x\n",
        "jobs:\n  nightly:\n    run: |\n      cd /\n      planttool -x\n",
        '{"id": 1, "onHook": ["planttool", "-x"]}',
        '{\n "handler": {\n  "name": "/opt/bin/planttool"\n }\n}',
        "[hooks]\nScript = planttool -x\n",
        "<hook><command>planttool</command></hook>\n",
        "<exec program='planttool'/>\n",
        "notification-script planttool\n",
        "external-check command planttool\n",
        "JOB_CMD='planttool -x'\n",
        "0 3 * * * planttool -x\n",
        "*/5 0 3 * * mon-fri root planttool -x\n",
        "@every 1h planttool\n",
        "@daily planttool\n",
    ],
)
def test_a_command_in_configuration_under_any_key_that_speaks_of_one(
    tree: Planted, text: str
) -> None:
    package = tree.owner(tree.program("/usr/bin/planttool"), name="planttool")
    tree.touched(tree.write("/etc/service/hooks.yaml", text), Access.DATA)

    (verdict,) = tree.judge(package)

    assert verdict.status.value == "under_investigation"
    assert "/etc/service/hooks.yaml names the program" in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "encoding: planttool\nrun: true\n",
        '{"description": "like planttool", "name": "planttool"}',
        "run:\n  x: 1\nname: planttool\n",
        "10 20 30 words before planttool\n",
    ],
)
def test_the_name_of_a_program_under_another_key_is_a_word(
    tree: Planted, text: str
) -> None:
    package = tree.owner(tree.program("/usr/bin/planttool"), name="planttool")
    tree.touched(tree.write("/etc/service/hooks.yaml", text), Access.DATA)

    (verdict,) = tree.judge(package)

    assert verdict.status.value == "not_affected"


def test_a_configuration_of_one_long_line_is_read_in_moments() -> None:
    assert len(list(commands("run" * 300_000 + '"cmd":' * 5_000))) > 1
