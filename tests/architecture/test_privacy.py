"""What must never be committed."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
# Assembled, here and below, so that this file does not find itself.
PRIVATE: Final = re.compile(
    "|".join(["/" + "work/", "/" + "root/", "/" + "tmp/bash_jobs", r"\." + "library/"])
)
# Text that has such a name and is no path of a developer's machine.
EXPLAINED: Final = {
    # A process's own view of its root directory, through which a write may be named.
    "tests/sandbox/test_rules.py": "/proc/self/" + "root/opt/x",
    # What `~` stands for in an image whose user is root.
    "src/vexxy/reachability/loadable/shell.py": '"~/", "/' + 'root/"',
}


def private_paths(name: str, text: str) -> Iterator[str]:
    explained = EXPLAINED.get(name)
    if explained is not None:
        text = text.replace(explained, "")
    for match in PRIVATE.finditer(text):
        yield f"{name}: {match.group()}"


def test_no_path_of_a_developers_machine_is_committed() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    found: list[str] = []
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            text = path.read_bytes().decode("utf-8", "ignore")
            found += private_paths(name, text)
    assert found == []


@pytest.mark.parametrize("before", ["", " ", "'", "=", "file://", "/host", "/home/me"])
@pytest.mark.parametrize("folder", ["work", "root"])
def test_a_private_folder_is_found_wherever_it_is_in_a_path(
    before: str, folder: str
) -> None:
    assert list(private_paths("docs/page.md", f"see {before}/{folder}/notes"))


@pytest.mark.parametrize("name", EXPLAINED)
def test_an_explanation_covers_its_own_text_only(name: str) -> None:
    explained = EXPLAINED[name]
    assert list(private_paths("elsewhere.py", explained))
    assert not list(private_paths(name, explained))
    assert list(private_paths(name, f"{explained} /" + "root/notes"))
