"""Build the images of the tests, the demo and the benchmarks.

python -m bench.images list
python -m bench.images build NAME...        prints one reference a line
python -m bench.images archive NAME FILE    writes an OCI archive
"""

import sys
from pathlib import Path

from bench.images import build as builder
from bench.images import engine, recipe


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    try:
        match arguments:
            case ["list"]:
                for name in recipe.names():
                    print(f"{name:18} {recipe.load(name).description}")
            case ["build", *names] if names:
                for name in recipe.names() if names == ["all"] else names:
                    print(builder.build(name), flush=True)
            case ["archive", name, target]:
                builder.archive(name, Path(target))
            case _:
                engine.say(__doc__ or "")
                return 2
    except recipe.BuildFailed as error:
        engine.say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
