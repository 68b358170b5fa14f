"""Make `src/vexxy/advisories/bundled` anew: facts for the offline demonstration.

    python scripts/bundle_advisories.py OSV_FOLDER

OSV_FOLDER holds records of PyPI, npm and Go as their databases publish them; those that
hit the versions below are taken, facts only. Debian's are derived from the changelogs of
the packages whose security update is newer than the last point release; for this the
script runs on Debian 12, with apt.
"""

import gzip
import json
import re
import subprocess
import sys
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from vexxy.advisories import service
from vexxy.advisories.rules import changelogs, names, order
from vexxy.advisories.rules.ranges import uncovered
from vexxy.advisories.wire import records
from vexxy.sbom.types import Inventory, Package

ROOT: Final = Path(__file__).parents[1]
OUT: Final = ROOT / "src" / "vexxy" / "advisories" / "bundled"
RELEASE: Final = "bookworm"
ECOSYSTEM: Final = "Debian:12"
HELPER: Final = "/usr/lib/apt/apt-helper"
TYPES: Final = {"PyPI": "pypi", "npm": "npm", "Go": "golang"}

# Versions of 2020-2023, as the images of `bench/images` have them.
INSTALLED: Final = {
    "PyPI": """Flask==1.1.2 Flask==2.0.1 Jinja2==2.11.2 Mako==1.1.3 Markdown==3.3.4
        Pillow==9.3.0 PyJWT==1.7.1 PyYAML==5.3.1 Pygments==2.7.3 Werkzeug==1.0.1
        Werkzeug==2.0.1 bleach==3.2.3 bottle==0.12.23 certifi==2020.12.5 click==7.1.2
        cryptography==38.0.1 ecdsa==0.13 feedparser==6.0.2 gunicorn==20.1.0 html5lib==1.1
        httplib2==0.18.0 idna==2.10 itsdangerous==1.1.0 lxml==4.9.1 mistune==0.8.4
        oauthlib==3.2.0 pip==22.3 pyasn1==0.4.8 requests==2.25.1 rsa==4.0 setuptools==65.5.0
        sqlparse==0.4.2 tornado==6.1 urllib3==1.26.4 waitress==2.1.0 wheel==0.37.1""",
    "npm": """express==4.17.1 lodash==4.17.15 qs==6.5.2 qs==6.7.0 ws==7.2.0 ejs==2.7.4
        jsonwebtoken==8.5.1 marked==0.7.0 minimist==1.2.0 minimist==0.0.8
        path-to-regexp==0.1.7 body-parser==1.19.0 send==0.17.1 serve-static==1.14.1
        cookie==0.4.0 semver==7.3.2 handlebars==4.5.3 ini==1.3.5 js-yaml==3.13.0
        node-fetch==2.6.0 moment==2.24.0 mime==1.4.1 debug==2.6.9 ms==2.0.0""",
    "Go": "stdlib==1.21.13 golang.org/x/net==0.7.0 golang.org/x/crypto==0.4.0 "
    "golang.org/x/text==0.3.0",
}
# Sources whose security updates an image of the last point release lacks.
SOURCES: Final = """
    apache2 apr-util apt brotli curl cyrus-sasl2 expat glibc gnutls28 krb5 libevent
    libpng1.6 libssh2 libwebp libxml2 memcached nginx nodejs openssl pcre2 perl python3.11
    redis sqlite3 systemd tar tiff unzip util-linux xz-utils zlib
""".split()  # noqa: SIM905  a list of thirty names reads better as text


class Update(NamedTuple):
    """A source package with a security update, and the binaries it is built into."""

    source: str
    before: str
    version: str
    binaries: tuple[tuple[str, str], ...]


def run(*command: str, folder: str | None = None) -> str:
    """Return what a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout


def paragraphs() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield release and fields of every binary package that apt knows."""
    form = "$(RELEASE)\t$(FILENAME)"
    for line in run(
        "apt-get", "indextargets", "--format", form, "Created-By: Packages"
    ).splitlines():
        release, file = line.split("\t")
        for block in run(HELPER, "cat-file", file).split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", block, re.MULTILINE))
            if "Package" in fields:
                yield release, fields


def updates() -> Iterator[Update]:
    """Yield the sources whose newest version is not in the point release."""
    point: dict[str, set[str]] = defaultdict(set)
    built: dict[str, dict[str, list[tuple[int, str, str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for release, fields in paragraphs():
        found = re.match(r"(\S+)(?: \((.*)\))?", fields.get("Source", fields["Package"]))
        if found is None or found[1] not in SOURCES:
            continue
        version = found[2] or fields["Version"]
        if release == RELEASE:
            point[found[1]].add(version)
        binary = (int(fields["Size"]), fields["Package"], fields["Version"])
        built[found[1]][version].append(binary)
    for source, versions in sorted(built.items()):
        newest = max(versions, key=order.DPKG)
        before = max(point[source], key=order.DPKG)
        if order.DPKG(newest) > order.DPKG(before):
            binaries = tuple(one[1:] for one in sorted(versions[newest])[:6])
            yield Update(source, before, newest, binaries)


def read_changelog(update: Update) -> str:
    """Return the changelog out of the first binary that carries it."""
    for package, version in update.binaries:
        with TemporaryDirectory() as folder:
            run("apt-get", "-qq", "download", f"{package}={version}", folder=folder)
            archive = next(Path(folder).glob("*.deb"))
            packed = Path(folder) / "data.tar"
            with packed.open("wb") as file:
                subprocess.run(
                    ["dpkg-deb", "--fsys-tarfile", archive], stdout=file, check=True
                )
            with tarfile.open(packed) as tar:
                for member in tar:
                    name = member.name.rpartition("/")[2]
                    native = "-" not in version and name == "changelog.gz"
                    if member.isreg() and (native or name.startswith("changelog.Debian")):
                        stream = tar.extractfile(member)
                        if stream is not None:
                            return gzip.decompress(stream.read()).decode("utf-8", "replace")
    return ""


def debian_records() -> Iterator[dict[str, Any]]:
    """Yield records of holes that a security update fixed after the point release."""
    affected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for update in updates():
        fixes = changelogs.first_fixes(read_changelog(update))
        late = {
            cve: version
            for cve, version in fixes.items()
            if order.DPKG(version) > order.DPKG(update.before)
        }
        sys.stderr.write(f"{update.source} {update.version}: {len(late)}\n")
        for cve, version in late.items():
            affected[cve].append(
                {
                    "package": {"ecosystem": ECOSYSTEM, "name": update.source},
                    "ranges": [
                        {
                            "type": "ECOSYSTEM",
                            "events": [{"introduced": "0"}, {"fixed": version}],
                        }
                    ],
                }
            )
    for cve, entries in affected.items():
        yield {
            "id": f"VXDEB-12-{cve}",
            "upstream": [cve],
            "summary": "Fixed by a Debian security update of "
            + ", ".join(sorted({one["package"]["name"] for one in entries})),
            "affected": entries,
            "references": [
                {
                    "type": "ADVISORY",
                    "url": f"https://security-tracker.debian.org/tracker/{cve}",
                }
            ],
            "database_specific": {"derived_from": "changelog.Debian"},
        }


def installed() -> Inventory:
    """Return the versions that a record must hit to be taken."""
    packages = []
    for ecosystem, listed in INSTALLED.items():
        for one in listed.split():
            name, version = one.split("==")
            kind = TYPES[ecosystem]
            packages.append(Package(f"pkg:{kind}/{one}", kind, name, version, ecosystem))
    return Inventory(None, tuple(packages))


def facts(record: dict[str, Any], license_name: str) -> dict[str, Any]:
    """Return a record without prose: what is affected, how badly, which functions."""
    entries = [
        {
            "package": {key: one["package"][key] for key in ("ecosystem", "name")},
            "ranges": [r for r in one.get("ranges", []) if r["type"] != "GIT"],
            "versions": _remaining(one),
            "severity": one.get("severity"),
            "ecosystem_specific": {
                key: one["ecosystem_specific"][key]
                for key in ("imports", "affected_functions")
                if one.get("ecosystem_specific", {}).get(key)
            },
        }
        for one in record["affected"]
        if one["package"]["ecosystem"] in INSTALLED
    ]
    fixed = sorted(
        {
            event["fixed"]
            for one in entries
            for found in one["ranges"]
            for event in found["events"]
            if "fixed" in event
        },
    )
    subject = ", ".join(sorted({one["package"]["name"] for one in entries}))
    ending = f"fixed in {', '.join(fixed)}" if fixed else "no fixed version is known"
    word = record.get("database_specific", {}).get("severity")
    return _compact(
        {
            "id": record["id"],
            "aliases": record.get("aliases"),
            "summary": f"{subject}: {ending}",
            "severity": record.get("severity"),
            "affected": [_compact(one) for one in entries],
            "references": [
                one
                for one in record.get("references", [])
                if one["type"] in {"ADVISORY", "FIX"}
            ][:2],
            "database_specific": _compact({"severity": word, "license": license_name}),
        }
    )


def _remaining(one: dict[str, Any]) -> list[str]:
    """Return the enumerated versions that the ranges do not say already."""
    parsed = records.parse(json.dumps({"id": "x", "affected": [one]}).encode()).advisory
    if parsed is None or not parsed.packages:
        return []
    ecosystem, _, affected = parsed.packages[0]
    return list(uncovered(ecosystem, affected.ranges, versions=affected.versions))


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if one}


def main() -> None:
    """Write the records."""
    osv = Path(sys.argv[1])
    found = list(debian_records())
    with service.load([osv]) as index:
        hit = {
            one for match in service.match(index, installed()) for one in match.advisory_ids
        }
    for path in sorted(osv.rglob("*.json")):
        if path.stem in hit:
            record = json.loads(path.read_text())
            families = {names.family(a["package"]["ecosystem"]) for a in record["affected"]}
            if families & set(INSTALLED):
                found.append(facts(record, "CC-BY-4.0"))
    OUT.mkdir(exist_ok=True)
    for old in OUT.glob("*.json"):
        old.unlink()
    for record in found:
        text = json.dumps(record, separators=(",", ":"), sort_keys=True)
        (OUT / f"{record['id']}.json").write_text(text + "\n")
    sys.stderr.write(f"{len(found)} records\n")


if __name__ == "__main__":
    main()
