"""From an inventory to matches: names, releases, aliases, severities, functions."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.osv import Json, a_record, an_affected, write
from tests.fakes.values import a_package
from vexxy.advisories import service
from vexxy.advisories.rules import grouping, names, severity
from vexxy.advisories.types import (
    Examination,
    Match,
    OverlayLine,
    Rating,
    Severity,
    Symbol,
)
from vexxy.sbom.types import Inventory, Package


def examine(folder: Path, packages: Sequence[Package], *records: Json) -> Examination:
    with service.load([write(folder / "osv", *records)]) as index:
        return service.examine(index, Inventory(None, tuple(packages)))


def match(folder: Path, package: Package, *records: Json) -> tuple[Match, ...]:
    return examine(folder, [package], *records).matches


def a_wheel(name: str = "thing", version: str = "1.0", **given: object) -> Package:
    return a_package(
        name,
        version,
        **{
            "purl": f"pkg:pypi/{name}@{version}",
            "type": "pypi",
            "ecosystem": "PyPI",
            "source_name": "",
            "source_version": "",
            "architecture": "",
        }
        | given,
    )


def a_module(name: str, version: str) -> Package:
    return a_wheel(name, version, type="golang", ecosystem="Go")


def shown(matches: Sequence[Match]) -> list[str]:
    return [one.vulnerability_id for one in matches]


class TestNames:
    def test_debian_is_matched_by_source_package_and_source_version(
        self, tmp_path: Path
    ) -> None:
        """A binNMU adds +b1 to the binary alone; `Source: x (ver)` differs in both."""
        record = a_record(
            "D-1", an_affected("Debian:12", "openssl", "introduced 0", "fixed 3")
        )
        binary = a_package(
            "libssl3", "9:3.0-1+b1", source_name="openssl", source_version="3.0-1"
        )
        fixed = a_package("libssl3", "1.0", source_name="openssl", source_version="3.0.1-1")
        assert shown(match(tmp_path, binary, record)) == []
        older = a_package("libssl3", "9:9", source_name="openssl", source_version="2.9-1")
        assert shown(match(tmp_path, older, record)) == ["D-1"]
        assert match(tmp_path, fixed, record) == ()

    def test_a_binary_name_is_not_looked_up_for_debian(self, tmp_path: Path) -> None:
        record = a_record("D-1", an_affected("Debian:12", "libssl3"))
        package = a_package("libssl3", "1.0", source_name="openssl", source_version="1.0")
        assert match(tmp_path, package, record) == ()

    def test_rpm_vendors_name_binaries_or_sources(self, tmp_path: Path) -> None:
        package = a_package(
            "openssl-libs",
            "1:3.0.1-1.el9",
            type="rpm",
            ecosystem="Rocky Linux:9",
            source_name="openssl",
            source_version="3.0.1-1.el9",
        )
        bound = ("introduced 0", "fixed 1:3.0.7-1.el9")
        by_binary = a_record("A", an_affected("Rocky Linux:9", "openssl-libs", *bound))
        by_source = a_record("B", an_affected("Rocky Linux:9", "openssl", *bound))
        assert shown(match(tmp_path, package, by_binary, by_source)) == ["A", "B"]

    @pytest.mark.parametrize("name", ["PyYAML", "pyyaml", "Py.YAML", "py__yaml"])
    def test_pypi_names_have_many_spellings(self, tmp_path: Path, name: str) -> None:
        record = a_record("PYSEC-1", an_affected("PyPI", name.replace("Py.", "py-")))
        wanted = shown(match(tmp_path, a_wheel(name), record))
        assert wanted == ["PYSEC-1"]

    def test_each_copy_of_an_npm_package_has_its_own_answer(self, tmp_path: Path) -> None:
        record = a_record("GHSA-q", an_affected("npm", "qs", "introduced 0", "fixed 6.7.3"))
        copies = [
            a_wheel("qs", version, type="npm", ecosystem="npm", locations=(f"/app/{at}",))
            for at, version in enumerate(["6.5.2", "6.7.3", "6.7.0"])
        ]
        found = examine(tmp_path, copies, record).matches
        assert [one.package.locations[0] for one in found] == ["/app/0", "/app/2"]

    @pytest.mark.parametrize("version", ["go1.22.3", "1.22.3", "go1.22.3 X:boringcrypto"])
    def test_the_go_standard_library_goes_by_the_toolchains_version(
        self, tmp_path: Path, version: str
    ) -> None:
        bounds = ("introduced 1.22.0-0", "fixed 1.22.4")
        record = a_record("GO-1", an_affected("Go", "stdlib", *bounds))
        assert shown(match(tmp_path, a_module("stdlib", version), record)) == ["GO-1"]
        assert match(tmp_path, a_module("stdlib", "go1.22.4"), record) == ()

    def test_a_go_module_loses_its_v(self, tmp_path: Path) -> None:
        bounds = ("introduced 0", "fixed 0.17.0")
        record = a_record("GO-1", an_affected("Go", "golang.org/x/net", *bounds))
        package = a_module("golang.org/x/net", "v0.7.0")
        (found,) = match(tmp_path, package, record)
        assert found.fixed_versions == ("0.17.0",)


class TestCopiesOfTheDistribution:
    """A wheel's metadata inside a Debian package: two packages in one file."""

    METADATA = "/usr/lib/python3/dist-packages/thing.dist-info/METADATA"

    def found(self, folder: Path, *records: Json) -> list[tuple[str, str]]:
        debian = a_package(
            "python3-thing", "1.0-1", source_name="thing", files=(self.METADATA,)
        )
        wheel = a_wheel(locations=(self.METADATA,))
        matches = examine(folder, [debian, wheel], *records).matches
        return [(one.package.type, one.vulnerability_id) for one in matches]

    @pytest.mark.parametrize(
        ("fixed", "left"), [("1.0-1", []), ("1.0-2", [("deb", "CVE-2026-0005")])]
    )
    def test_where_debian_speaks_it_decides(
        self, tmp_path: Path, fixed: str, left: list[tuple[str, str]]
    ) -> None:
        bounds = ("introduced 0", f"fixed {fixed}")
        pysec = a_record("PYSEC-1", aliases=["CVE-2026-0005"])
        debian = a_record(
            "DEBIAN-CVE-2026-0005",
            an_affected("Debian:12", "thing", *bounds),
            upstream=["CVE-2026-0005"],
        )
        assert self.found(tmp_path, pysec, debian) == left

    def test_where_debian_is_silent_the_languages_records_stand(
        self, tmp_path: Path
    ) -> None:
        pysec = a_record("PYSEC-1", aliases=["CVE-2026-0005"])
        other = a_record(
            "DEBIAN-CVE-2026-0006", an_affected("Debian:12", "thing", "introduced 9")
        )
        assert self.found(tmp_path, pysec, other) == [("pypi", "CVE-2026-0005")]


class TestReleases:
    def test_only_the_release_counts_and_records_without_one(self, tmp_path: Path) -> None:
        records = [
            a_record(f"D-{release or 'any'}", an_affected(f"Debian{release}", "libfoo1"))
            for release in ("", ":11", ":12", ":13")
        ]
        assert shown(match(tmp_path, a_package(), *records)) == ["D-:12", "D-any"]

    @pytest.mark.parametrize(
        ("installed", "stored", "covered"),
        [
            ("Ubuntu:22.04", "Ubuntu:22.04:LTS", True),
            ("Ubuntu:22.04", "Ubuntu:Pro:22.04:LTS", True),
            ("Ubuntu:22.04", "Ubuntu:24.04:LTS", False),
            ("Alpine:v3.20", "Alpine:v3.20", True),
            ("Alpine:v3.2", "Alpine:v3.20", False),
            ("Rocky Linux:9.4", "Rocky Linux:9", True),
            ("Rocky Linux:8", "Rocky Linux:9", False),
            ("Red Hat:9.4", "Red Hat:enterprise_linux:9::baseos", True),
            ("Red Hat:8", "Red Hat:enterprise_linux:9::baseos", False),
            ("Wolfi", "Wolfi", True),
            ("Debian", "Debian:12", False),
            ("PyPI", "npm", False),
        ],
    )
    def test_vendors_write_releases_in_longer_forms(
        self, installed: str, stored: str, *, covered: bool
    ) -> None:
        assert bool(names.scopes(installed, [stored])) is covered


class TestAliases:
    def test_records_of_one_vulnerability_are_one_match(self, tmp_path: Path) -> None:
        ghsa = a_record("GHSA-a", an_affected("PyPI", "Thing"), aliases=["CVE-2026-0005"])
        pysec = a_record("PYSEC-1", an_affected("PyPI", "thing"), aliases=["GHSA-a"])
        (found,) = match(tmp_path, a_wheel(), ghsa, pysec)
        assert found.vulnerability_id == found.cve_id == "CVE-2026-0005"
        assert found.aliases == ("GHSA-a", "PYSEC-1")
        assert found.advisory_ids == ("GHSA-a", "PYSEC-1")

    def test_a_record_that_does_not_match_still_lends_its_aliases(
        self, tmp_path: Path
    ) -> None:
        pysec = a_record("PYSEC-1", aliases=["GHSA-a"])
        elsewhere = a_record(
            "GHSA-a", an_affected("npm", "other"), aliases=["CVE-2026-0005"]
        )
        (found,) = match(tmp_path, a_wheel(), pysec, elsewhere)
        assert found.cve_id == "CVE-2026-0005"
        assert found.advisory_ids == ("PYSEC-1",)

    def test_a_record_without_alias_stands_alone(self, tmp_path: Path) -> None:
        (found,) = match(tmp_path, a_wheel(), a_record("PYSEC-2023-175"))
        assert (found.vulnerability_id, found.cve_id) == ("PYSEC-2023-175", None)

    def test_related_is_not_the_same(self, tmp_path: Path) -> None:
        one = a_record("PYSEC-1", related=["CVE-2026-0005"])
        other = a_record("PYSEC-2", aliases=["CVE-2026-0005"])
        assert shown(match(tmp_path, a_wheel(), one, other)) == ["PYSEC-1", "CVE-2026-0005"]

    def test_debians_upstream_is_the_id_to_show(self, tmp_path: Path) -> None:
        record = a_record(
            "DEBIAN-CVE-2026-0005",
            an_affected("Debian:12", "libfoo1"),
            upstream=["CVE-2026-0005"],
        )
        (found,) = match(tmp_path, a_package(), record)
        assert found.vulnerability_id == "CVE-2026-0005"
        assert found.aliases == ("DEBIAN-CVE-2026-0005",)

    def test_an_erratum_is_about_each_of_its_vulnerabilities(self, tmp_path: Path) -> None:
        """DSA-1 fixes two holes; joining them would publish one verdict for both."""
        affected = an_affected("Debian:12", "libfoo1")
        erratum = a_record("DSA-1-1", affected, upstream=["CVE-2026-0005", "CVE-2026-0006"])
        one = a_record("DEBIAN-CVE-2026-0005", affected, upstream=["CVE-2026-0005"])

        first, second = match(tmp_path, a_package(), erratum, one)

        assert first.vulnerability_id == "CVE-2026-0005"
        assert first.advisory_ids == ("DEBIAN-CVE-2026-0005", "DSA-1-1")
        assert first.aliases == ("DEBIAN-CVE-2026-0005",)
        assert second.vulnerability_id == "CVE-2026-0006"
        assert second.aliases == ()

    def test_an_old_erratum_lists_its_vulnerabilities_as_aliases(
        self, tmp_path: Path
    ) -> None:
        record = a_record(
            "DSA-2-1",
            an_affected("Debian:12", "libfoo1"),
            aliases=["CVE-2020-0002", "CVE-2020-0001"],
        )
        assert shown(match(tmp_path, a_package(), record)) == [
            "CVE-2020-0001",
            "CVE-2020-0002",
        ]

    def test_withdrawn_records_match_nothing(self, tmp_path: Path) -> None:
        gone = a_record("PYSEC-1", withdrawn="2026-01-01T00:00:00Z")
        assert shown(match(tmp_path, a_wheel(), gone, a_record("PYSEC-2"))) == ["PYSEC-2"]

    @given(
        st.dictionaries(
            st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefgh")), max_size=8
        )
    )
    def test_joining_is_an_equivalence(self, edges: dict[str, set[str]]) -> None:
        both = {one: set(edges.get(one, ())) for one in "abcdefgh"}
        for one, others in edges.items():
            for other in others:
                both[other].add(one)
        groups = grouping.close("abcdefgh", lambda ids: {one: both[one] for one in ids})
        for one in "abcdefgh":
            assert one in groups[one]
            assert all(groups[other] == groups[one] for other in groups[one])

    def test_the_oldest_cve_is_shown(self) -> None:
        ids = {"CVE-2024-10", "CVE-2023-9999", "CVE-2023-10000", "GHSA-x"}
        assert grouping.display_id(ids, ids) == ("CVE-2023-9999", "CVE-2023-9999")
        assert grouping.display_id({"PYSEC-1", "GHSA-b", "GHSA-a"}, ["PYSEC-1"]) == (
            "GHSA-a",
            None,
        )


class TestSeverity:
    V3 = Rating("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H")
    V3_LOW = Rating("CVSS_V3", "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N")
    V4 = Rating(
        "CVSS_V4",
        "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
    )
    V2 = Rating("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P")

    @pytest.mark.parametrize(
        ("ratings", "words", "expected"),
        [
            ([V3], [], (Severity.CRITICAL, 9.8)),
            ([V3_LOW], [], (Severity.LOW, 1.8)),
            ([V4], [], (Severity.CRITICAL, 9.3)),
            ([V2], [], (Severity.HIGH, 7.5)),
            ([V3_LOW, V2], [], (Severity.LOW, 1.8)),
            ([V3_LOW, V3], [], (Severity.CRITICAL, 9.8)),
            ([V3], ["LOW"], (Severity.CRITICAL, 9.8)),
            ([], ["MODERATE"], (Severity.MEDIUM, None)),
            ([], ["low", "Important"], (Severity.HIGH, None)),
            ([], ["unimportant"], (Severity.LOW, None)),
            ([Rating("Ubuntu", "negligible")], [], (Severity.LOW, None)),
            ([Rating("CVSS_V3", "CVSS:3.1/nonsense")], ["HIGH"], (Severity.HIGH, None)),
            ([Rating("CVSS_V4", "")], [], (Severity.UNKNOWN, None)),
            ([], ["end-of-life"], (Severity.UNKNOWN, None)),
        ],
    )
    def test_the_newest_vector_decides_then_the_word(
        self,
        ratings: list[Rating],
        words: list[str],
        expected: tuple[Severity, float | None],
    ) -> None:
        assert severity.judge(ratings, words) == expected

    def test_a_mute_record_takes_the_severity_of_its_alias(self, tmp_path: Path) -> None:
        vector = {"type": self.V3.type, "score": self.V3.score}
        go = a_record("GO-1", an_affected("Go", "m"), aliases=["GHSA-a"])
        ghsa = a_record(
            "GHSA-a", an_affected("npm", "n"), severity=[vector], summary="Told"
        )
        (found,) = match(tmp_path, a_module("m", "v1.0.0"), go, ghsa)
        assert (found.severity, found.cvss_score) == (Severity.CRITICAL, 9.8)
        assert found.summary == "Told"

    def test_an_unimportant_hole_is_kept_and_called_so(self, tmp_path: Path) -> None:
        affected = an_affected(
            "Debian:12",
            "libfoo1",
            "introduced 0",
            ecosystem_specific={"urgency": "unimportant"},
        )
        (found,) = match(tmp_path, a_package(), a_record("DEBIAN-CVE-2010-1", affected))
        assert (found.urgency, found.severity) == ("unimportant", Severity.LOW)
        assert found.fixed_versions == ()


class TestSymbols:
    def test_functions_of_the_entry_that_hits_are_kept(self, tmp_path: Path) -> None:
        def imports(name: str) -> dict[str, object]:
            return {"imports": [{"path": "m/p", "symbols": [name]}]}

        old = an_affected(
            "Go", "m", "introduced 0", "fixed 1.0.0", ecosystem_specific=imports("Old")
        )
        new = an_affected("Go", "m", "introduced 1.0.0", ecosystem_specific=imports("New"))
        (found,) = match(tmp_path, a_module("m", "v1.2.0"), a_record("GO-1", old, new))
        assert found.symbols == (Symbol("m/p", "New", "advisory GO-1"),)

    def test_the_overlay_adds_what_distributions_do_not_say(self, tmp_path: Path) -> None:
        record = a_record(
            "DEBIAN-CVE-2023-27535",
            an_affected("Debian:12", "curl", "introduced 0"),
            upstream=["CVE-2023-27535"],
        )
        package = a_package("libcurl4", "7.88.1-10", source_name="curl")
        (found,) = match(tmp_path, package, record)
        named = {symbol.name for symbol in found.symbols}
        assert "ConnectionExists" in named
        assert all("debian/patches" in symbol.provenance for symbol in found.symbols)

    def test_what_was_derived_here_stands_in_for_what_is_shipped(
        self, tmp_path: Path
    ) -> None:
        database = tmp_path / "advisories.db"
        record = a_record(
            "DEBIAN-CVE-2023-27535",
            an_affected("Debian:12", "curl", "introduced 0"),
            upstream=["CVE-2023-27535"],
        )
        service.import_path(database, write(tmp_path / "osv", record))
        symbol = Symbol("lib/own.c", "own", "a patch of ours", 0.8)
        line = OverlayLine("Debian", "curl", "CVE-2023-27535", symbol)
        service.store_symbols(database, [line])
        package = a_package("libcurl4", "7.88.1-10", source_name="curl")
        (found,) = service.match(database, Inventory(None, (package,)))
        assert found.symbols == (symbol,)


class TestWhatIsUndecided:
    def test_a_version_without_order_is_a_problem_not_a_match(self, tmp_path: Path) -> None:
        record = a_record("GO-1", an_affected("Go", "m", "introduced 0", "fixed 1.0.0"))
        found = examine(tmp_path, [a_module("m", "(devel)")], record)
        assert found.matches == ()
        (problem,) = found.problems
        assert "m (devel) cannot be compared with the ranges of GO-1" in problem.message

    def test_an_ecosystem_that_is_not_stored_was_not_asked(self, tmp_path: Path) -> None:
        packages = [a_package(), a_package("libbar"), a_package(ecosystem="")]
        found = examine(tmp_path, packages, a_record("PYSEC-1"))
        (problem,) = found.problems
        assert problem.message == (
            "no advisories of Debian:12 are stored; its 2 packages were not checked"
        )

    def test_an_empty_inventory_has_neither(self, tmp_path: Path) -> None:
        assert examine(tmp_path, [], a_record("PYSEC-1")) == Examination(())


class TestBundled:
    def test_the_bundled_advisories_load_without_a_complaint(self) -> None:
        with service.load([service.bundled_path()]) as index:
            report = index.report
            assert report is not None
            assert report.rejected == ()
            assert report.withdrawn == 0
            counts = {one.ecosystem: one.records for one in report.ecosystems}
            assert set(counts) == {"Debian", "Go", "PyPI", "npm"}
            assert 150 <= report.records <= 400

    def test_they_are_small_and_say_so(self) -> None:
        files = list(service.bundled_path().glob("*.json"))
        assert sum(path.stat().st_size for path in files) < 300_000
        assert f"only the {len(files)} advisories" in service.bundled_warning()
        assert not [path for path in files if path.name.startswith("DEBIAN-CVE")]

    def test_they_tell_of_famous_holes(self) -> None:
        packages = (
            a_wheel("PyYAML", "5.3.1"),
            a_wheel("lodash", "4.17.15", type="npm", ecosystem="npm"),
            a_package("libexpat1", "2.5.0-1", source_name="expat"),
        )
        with service.load([service.bundled_path()]) as index:
            found = service.match(index, Inventory(None, packages))
        by_id = {one.vulnerability_id: one for one in found}
        assert {"CVE-2020-14343", "CVE-2021-23337", "CVE-2024-28757"} <= by_id.keys()
        assert by_id["CVE-2021-23337"].symbols[0].name == "template"
        assert by_id["CVE-2020-14343"].severity is Severity.CRITICAL
