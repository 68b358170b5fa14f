"""Builders of OSV records."""

import json
import zipfile
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def events(*pairs: str) -> list[dict[str, str]]:
    """Build events out of `introduced 0`, `fixed 1.2` ..."""
    return [{kind: version} for kind, version in (pair.split() for pair in pairs)]


def an_affected(
    ecosystem: str = "PyPI", name: str = "thing", *pairs: str, **given: object
) -> Json:
    ranges = [
        {"type": "ECOSYSTEM", "events": events(*(pairs or ("introduced 0", "fixed 2.0")))}
    ]
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges} | given


def a_record(record_id: str = "PYSEC-2026-1", *affected: Json, **given: object) -> Json:
    return {
        "schema_version": "1.7.0",
        "id": record_id,
        "modified": "2027-07-09T00:00:00Z",
        "affected": list(affected) or [an_affected()],
    } | given


def write(folder: Path, *records: Json) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        (folder / f"{record['id']}.json").write_text(json.dumps(record))
    return folder


def pack(path: Path, *records: Json) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    return path
