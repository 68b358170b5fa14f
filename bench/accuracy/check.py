"""python -m bench.accuracy.check [--write] IMAGE...: does the truth hold?

Needs root, podman and strace. `--write` notes in `truth.json` what was checked, and when.
"""

import datetime as dt
import json
import sys
from pathlib import Path

from bench.accuracy import truth as truths
from bench.accuracy.witness import Owners, observe
from bench.images import build, engine
from bench.images.recipe import FOLDER, BuildFailed


def main(arguments: list[str]) -> int:
    """Check the images; return 0 when every row holds."""
    names = [name for name in arguments if name != "--write"] or truths.images()
    wrong = 0
    for name in names:
        wrong += check(name, write="--write" in arguments)
    return 1 if wrong else 0


def check(name: str, *, write: bool) -> int:
    """Check one image; return how many rows do not hold."""
    truth = truths.load(name)
    code, every = observe(truth)
    reference = build.build(name)
    mounted = engine.run(["podman", "image", "mount", reference], step="mounting").strip()
    problems = []
    try:
        owners = Owners(Path(mounted))
        seen = owners.canonical(code), owners.canonical(every)
        for row in truth.components:
            problem = judge(row, owners.files(row), seen)
            if problem:
                problems.append(f"{row.type} {row.name} {row.at} ({row.label}): {problem}")
        if write and not problems:
            note(name, owners)
    finally:
        engine.run(["podman", "image", "umount", reference], step="unmounting")
    print(f"{name}: {len(truth.components)} rows, {len(problems)} wrong")
    for problem in problems:
        print(f"  {problem}")
    return len(problems)


def judge(
    row: truths.Component, files: set[str], seen: tuple[dict[str, str], dict[str, str]]
) -> str:
    """Return what contradicts the row's label, empty when nothing does."""
    code, every = seen
    if row.symbols:
        return ""  # functions are decided by the program's text; strace sees none
    used = sorted((truths.STAGES.index(code[path]), path) for path in files if path in code)
    first = truths.STAGES[used[0][0]] if used else None
    if row.label == "data only":
        return "" if files & every.keys() else "no file was read"
    if first != row.meaning.first:
        return f"first used: {first} {used[0][1] if used else ''}"
    return ""


def note(name: str, owners: Owners) -> None:
    """Write into the truth when and how it was checked, and the source packages."""
    path = FOLDER / name / "truth.json"
    document = json.loads(path.read_text())
    for row in document["components"]:
        if row["type"] == "deb":
            row["source"] = owners.source(row["name"])
    document["checked"] = {
        "at": dt.datetime.now(dt.UTC).date().isoformat(),
        "how": "strace of every process through three stages (idle, test.sh, all.sh); "
        "file owners from dpkg lists, RECORD and npm folders",
        "rows": len(document["components"]),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildFailed as error:
        sys.exit(f"error: {error}")
