"""Run every benchmark, one after the other; each prints its own ratios."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run them all; return how many failed."""
    names = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    wanted = sys.argv[1:] or names
    failed = 0
    for name in wanted:
        print(f"== bench/{name}.py", flush=True)
        failed += bool(subprocess.call([sys.executable, str(HERE / f"{name}.py")]))
    return failed


if __name__ == "__main__":
    sys.exit(main())
