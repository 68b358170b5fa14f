"""Derive the functions that ship with the product from the fixes of known holes.

    python scripts/derive_symbols.py OSV_FOLDER CLONES OUT_FOLDER [ECOSYSTEM ...]

OSV_FOLDER holds `PyPI` and `npm` with OSV records, CLONES git repositories as OWNER/NAME
or OWNER+NAME. Writes `pypi.tsv` and `npm.tsv`: names and sources, no code.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vexxy.advisories import derivation
from vexxy.advisories.types import OverlayLine, Symbol
from vexxy.advisories.wire import fixes, overlay
from vexxy.advisories.wire.fixes import FixRecord
from vexxy.integrations.fixes.git import Clones

# Fixes that a person found in a project's history, where its record links none.
FOUND: Final = {
    "CVE-2020-1747": ("yaml/pyyaml", "5080ba513377b6355a0502104846ee804656f1e0"),
    "CVE-2021-20270": ("pygments/pygments", "f91804ff4772e3ab41f46e28d370f57898700333"),
    "CVE-2022-40898": ("pypa/wheel", "88f02bc335d5404991e532e7f3b0fc80437bf4e0"),
    "CVE-2024-3651": ("kjd/idna", "5beb28b9dd77912c0dd656d8b0fdba3eb80222e7"),
    "CVE-2026-32597": ("jpadilla/pyjwt", "051ea341b5573fe3edcd53042f347929b92c2b92"),
    "CVE-2026-41205": ("sqlalchemy/mako", "e05ac61989a7fb9dd7dcde6cfd72dc48328719a3"),
    "CVE-2026-44431": ("urllib3/urllib3", "5ec0de499b9166ca71c65ab04f2a7e4eb0d66fcc"),
    "CVE-2026-42308": ("python-pillow/Pillow", "ec8272044d2adfc97a5f4b6e921c1a908318d9cb"),
}
# Where published packages keep what their sources are built into, under the same names.
BUILT: Final = {
    "moment": {
        "src/lib/locale/locales.js": ("moment.js", "dist/moment.js"),
        "src/lib/create/from-string.js": ("moment.js", "dist/moment.js"),
    },
    "node-fetch": {"src/index.js": ("lib/index.js", "lib/index.mjs", "lib/index.es.js")},
    "handlebars": {
        "lib/handlebars/compiler/javascript-compiler.js": (
            "dist/cjs/handlebars/compiler/javascript-compiler.js",
            "dist/amd/handlebars/compiler/javascript-compiler.js",
        )
    },
}
# lodash is also published as a file for each function.
OWN_FILES: Final = {
    "baseSet": "_baseSet.js",
    "parseInt": "parseInt.js",
    "template": "template.js",
    "toNumber": "toNumber.js",
    "trim": "trim.js",
    "trimEnd": "trimEnd.js",
    "trimStart": "trimStart.js",
}
HEADER: Final = """\
# Functions that the commits fixing known vulnerabilities change, by vulnerability. Derived
# with scripts/derive_symbols.py on {date} from the projects' own repositories; each line
# names its commit and the versions that the record calls affected. Names of modules and
# functions only. A function may be absent from an older installed version. What a fix adds
# is not listed, nor are the callers of what it changes. How sure a name is: see
# docs/functions.md.
"""


def read(folder: Path) -> list[FixRecord]:
    """Return what the records tell of their fixes, commits found by hand included."""
    found = (fixes.parse(path.read_bytes()) for path in sorted(folder.glob("*.json")))
    return [with_found(one) for one in found if one is not None]


def with_found(record: FixRecord) -> FixRecord:
    """Return the record with the commit that is known for it, if it links none."""
    known = next((FOUND[one] for one in record.ids if one in FOUND), None)
    if known is None:
        return record
    return record._replace(commits=(known,))


def built(lines: Iterable[OverlayLine]) -> Iterator[OverlayLine]:
    """Yield each line, and again for the files that its module is built into."""
    for line in lines:
        yield line
        places = BUILT.get(line.package, {}).get(line.symbol.module, ())
        if line.package == "lodash" and line.symbol.name in OWN_FILES:
            places = (OWN_FILES[line.symbol.name],)
        for path in places:
            origin = f"{line.symbol.provenance}; built from {line.symbol.module}"
            symbol: Symbol = replace(line.symbol, module=path, provenance=origin)
            yield replace(line, symbol=symbol)


def main() -> None:
    """Write the overlays."""
    records, clones, out = map(Path, sys.argv[1:4])
    histories = Clones(clones)
    for ecosystem in sys.argv[4:] or ("PyPI", "npm"):
        found = derivation.derive_records(read(records / ecosystem), histories=histories)
        header = HEADER.format(date=datetime.now(UTC).date())
        text = header + overlay.dump(built(found.lines))
        (out / f"{ecosystem.lower()}.tsv").write_text(text, encoding="utf-8")
        sys.stdout.write(
            f"{ecosystem}: {len(found.lines)} functions of {found.vulnerabilities} "
            f"vulnerabilities in {len(found.packages)} packages; "
            f"{len(found.problems)} records without\n"
        )


if __name__ == "__main__":
    main()
