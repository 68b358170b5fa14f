"""Run every benchmark, one after the other; each prints its own ratios."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NO_BENCHMARK = {"images"}  # builds what the others measure


def main() -> int:
    """Run them all; return how many failed."""
    names = [path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_")]
    folders = [path.parent.name for path in HERE.glob("*/__main__.py")]
    wanted = sys.argv[1:] or sorted({*names, *folders} - NO_BENCHMARK)
    failed = 0
    for name in wanted:
        print(f"== bench.{name}", flush=True)
        command = [sys.executable, "-m", f"bench.{name}"]
        failed += bool(subprocess.call(command, cwd=HERE.parent))
    return failed


if __name__ == "__main__":
    sys.exit(main())
