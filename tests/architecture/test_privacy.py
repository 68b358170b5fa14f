"""What must never be committed."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Assembled, so that this file does not find itself.
PRIVATE = re.compile(
    r"(?<!\w)(?:"
    + "|".join(["/" + "work/", "/" + "root/", "/" + "tmp/bash_jobs", r"\." + "library/"])
    + ")"
)


def test_no_path_of_a_developers_machine_is_committed() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    found = []
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        found += [f"{name}: {match.group()}" for match in PRIVATE.finditer(text)]
    assert found == []
