"""Packages of languages: where they are installed, and what is none."""

import importlib.metadata
import io
import json
import pathlib
import sys
import zipfile
from collections.abc import Callable, Mapping

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.sbom import service
from vexxy.sbom.rules import owners, purls
from vexxy.sbom.types import Inventory, Package
from vexxy.sbom.wire import java

Survey = Callable[..., Inventory]
SITE = "/usr/lib/python3/dist-packages"


def of_type(inventory: Inventory, package_type: str) -> list[Package]:
    return [package for package in inventory.packages if package.type == package_type]


def metadata(name: str, version: str) -> str:
    return (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: 9 in text\n"
    )


def test_a_module_that_a_record_lists_and_the_image_lacks_is_told(survey: Survey) -> None:
    record = "own/__init__.py,,\nown/_fast.so,,\n../../bin/own.py,,\nown/data.txt,,\n"
    inventory = survey(
        {
            "/s/own-2.0.dist-info/METADATA": metadata("own", "2.0"),
            "/s/own-2.0.dist-info/RECORD": record,
            "/s/own/__init__.py": "",
        }
    )
    (package,) = of_type(inventory, "pypi")
    assert package.missing == ("/s/own/_fast.so",)


def test_a_wheel_owns_what_its_record_lists(survey: Survey) -> None:
    record = (
        'flask/__init__.py,sha256=x,1\n"flask/a,b.py",,\n../../bin/flask,,\n'
        "flask-2.0.dist-info/METADATA,,\n"
    )
    inventory = survey(
        {
            "/app/lib/site/Flask-2.0.dist-info/METADATA": metadata("Flask", "2.0"),
            "/app/lib/site/Flask-2.0.dist-info/RECORD": record,
            "/app/lib/site/flask/__init__.py": "",
            "/app/lib/site/flask/__pycache__/__init__.cpython-311.pyc": "",
            "/app/lib/site/flask/a,b.py": "",
            "/app/lib/site/flask/unlisted.py": "",
            "/app/bin/flask": "",
        }
    )

    (package,) = inventory.packages
    assert package.purl == "pkg:pypi/flask@2.0"
    assert package.ecosystem == "PyPI"
    assert package.files == (
        "/app/bin/flask",
        "/app/lib/site/Flask-2.0.dist-info/METADATA",
        "/app/lib/site/Flask-2.0.dist-info/RECORD",
        "/app/lib/site/flask/__init__.py",
        "/app/lib/site/flask/__pycache__/__init__.cpython-311.pyc",
        "/app/lib/site/flask/a,b.py",
    )


def test_a_dotted_name_keeps_its_dot_in_the_purl(survey: Survey) -> None:
    """Syft and Trivy keep it, and VEX is matched by purl; OSV's name has none."""
    text = metadata("Zope.Interface_X", "5.0")
    inventory = survey({"/s/zope.interface_x-5.0.dist-info/METADATA": text})

    assert inventory.packages[0].purl == "pkg:pypi/zope.interface-x@5.0"
    assert inventory.packages[0].name == "zope-interface-x"


def test_debian_and_python_both_claim_a_module(survey: Survey) -> None:
    """Debian deletes RECORD; its own list says whose the modules are."""
    info = f"{SITE}/six-1.16.egg-info"
    listed = f"{info}/PKG-INFO\n{info}/top_level.txt\n{SITE}/six.py\n{SITE}/ns/six/x.py\n"
    inventory = survey(
        {
            "/var/lib/dpkg/status": (
                "Package: python3-six\nStatus: install ok installed\nVersion: 1.16-4\n"
            ),
            "/var/lib/dpkg/info/python3-six.list": listed,
            f"{info}/PKG-INFO": metadata("six", "1.16"),
            f"{info}/top_level.txt": "six\nns\n",
            f"{SITE}/six.py": "",
            f"{SITE}/ns/six/x.py": "",
            f"{SITE}/ns/other/y.py": "",
        }
    )

    index = owners.index_owners(inventory)

    (six,) = of_type(inventory, "pypi")
    assert f"{SITE}/six.py" in six.files
    assert f"{SITE}/ns/other/y.py" not in six.files
    assert {package.type for package in index[f"{SITE}/six.py"]} == {"deb", "pypi"}
    owner = owners.distribution_owner(six, index)
    assert owner is not None
    assert owner.name == "python3-six"


def test_every_kind_of_egg_is_found(survey: Survey) -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("EGG-INFO/PKG-INFO", metadata("zipped", "3"))
    inventory = survey(
        {
            "/s/old-1.egg-info": metadata("old", "1"),
            "/s/old.py": "",
            "/s/dir-2.egg/EGG-INFO/PKG-INFO": metadata("dir", "2"),
            "/s/dir-2.egg/dir/mod.py": "",
            "/s/zipped-3.egg": zipped.getvalue(),
            "/s/listed-4.egg-info/PKG-INFO": metadata("listed", "4"),
            "/s/listed-4.egg-info/installed-files.txt": "../listed.py\nPKG-INFO\n",
            "/s/listed.py": "",
            "/src/setup.py": "",
            "/src/linked.egg-info/PKG-INFO": metadata("linked", "5"),
            "/src/linked/mod.py": "",
            "/s/linked.egg-link": "/src\n.",
        }
    )

    files = {package.name: package.files for package in inventory.packages}

    assert "/s/old.py" in files["old"]
    assert "/s/dir-2.egg/dir/mod.py" in files["dir"]
    assert files["zipped"] == ("/s/zipped-3.egg",)
    assert "/s/listed.py" in files["listed"]
    assert "/src/linked/mod.py" in files["linked"]


def test_a_project_installed_in_place_owns_its_sources(survey: Survey) -> None:
    inventory = survey(
        {
            "/s/app-1.dist-info/METADATA": metadata("app", "1"),
            "/s/app-1.dist-info/RECORD": "__editable__.app.pth,,\n",
            "/s/app-1.dist-info/direct_url.json": json.dumps(
                {"url": "file:///srv/my%20app", "dir_info": {"editable": True}}
            ),
            "/srv/my app/src/app/main.py": "",
        }
    )

    assert "/srv/my app/src/app/main.py" in inventory.packages[0].files


def test_metadata_without_name_or_version_is_a_problem(survey: Survey) -> None:
    inventory = survey({"/s/x-1.dist-info/METADATA": "Metadata-Version: 2.1\n"})

    assert inventory.packages == ()
    assert inventory.problems[0].path == "/s/x-1.dist-info/METADATA"


def test_this_environment_is_read_as_python_itself_reads_it() -> None:
    """Goal: agree with importlib.metadata on a large real environment."""
    expected = {
        (purls.ecosystem_name("pypi", found.name), found.version)
        for found in importlib.metadata.distributions(path=[_site_packages()])
    }

    inventory = service.inventory(RootFilesystem(pathlib.Path(_site_packages())))

    found = {(package.name, package.version) for package in of_type(inventory, "pypi")}
    assert expected
    assert expected <= found
    hypothesis = next(p for p in inventory.packages if p.name == "hypothesis")
    assert "/hypothesis/core.py" in hypothesis.files


def _site_packages() -> str:
    return next(path for path in sys.path if path.endswith("site-packages"))


def manifest(name: str, version: str) -> str:
    return json.dumps({"name": name, "version": version})


def test_every_copy_of_an_npm_package_is_a_package(survey: Survey) -> None:
    inventory = survey(
        {
            "/app/package.json": manifest("my-app", "0.1.0"),
            "/app/package-lock.json": "{}",
            "/app/test/package.json": manifest("fixture", "1.0.0"),
            "/app/node_modules/qs/package.json": manifest("qs", "6.7.0"),
            "/app/node_modules/qs/lib/index.js": "",
            "/app/node_modules/qs/test/package.json": manifest("not-installed", "1"),
            "/app/node_modules/@s/pkg/package.json": manifest("@s/pkg", "v1.0.0"),
            "/app/node_modules/a/package.json": manifest("a", "1.0.0"),
            "/app/node_modules/a/node_modules/qs/package.json": manifest("qs", "6.5.0"),
            "/app/node_modules/a/node_modules/qs/index.js": "",
            "/usr/share/nodejs/acorn/package.json": manifest("acorn", "8.0.0"),
        },
        links={"/app/node_modules/workspace": "../packages/workspace"},
    )

    found = {
        (package.purl, package.locations[0].removesuffix("/package.json"))
        for package in inventory.packages
    }

    assert found == {
        ("pkg:npm/qs@6.7.0", "/app/node_modules/qs"),
        ("pkg:npm/%40s/pkg@1.0.0", "/app/node_modules/@s/pkg"),
        ("pkg:npm/a@1.0.0", "/app/node_modules/a"),
        ("pkg:npm/qs@6.5.0", "/app/node_modules/a/node_modules/qs"),
        ("pkg:npm/acorn@8.0.0", "/usr/share/nodejs/acorn"),
    }
    files = {package.purl: package.files for package in inventory.packages}
    assert "/app/node_modules/qs/lib/index.js" in files["pkg:npm/qs@6.7.0"]
    assert files["pkg:npm/a@1.0.0"] == ("/app/node_modules/a/package.json",)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"name": "x"}', '{"name": 1, "version": 2}', "[" * 5000]
)
def test_a_broken_package_json_is_a_problem(survey: Survey, content: str) -> None:
    inventory = survey({"/n/node_modules/x/package.json": content})

    assert inventory.packages == ()
    assert [problem.path for problem in inventory.problems] == [
        "/n/node_modules/x/package.json"
    ]


def test_gems_and_default_gems_are_found(survey: Survey) -> None:
    home = "/usr/lib/ruby/gems/3.1.0"
    inventory = survey(
        {
            f"{home}/specifications/rack-2.2.3.gemspec": (
                "# -*- encoding: utf-8 -*-\n# stub: rack 2.2.3 ruby lib\n"
            ),
            f"{home}/gems/rack-2.2.3/lib/rack.rb": "",
            f"{home}/gems/rack-2.2.3/rack.gemspec": "Gem::Specification.new\n",
            f"{home}/specifications/nokogiri-1.13.0-x86_64-linux.gemspec": (
                "# stub: nokogiri 1.13.0 x86_64-linux lib\n"
            ),
            f"{home}/gems/nokogiri-1.13.0-x86_64-linux/lib/n.rb": "",
            f"{home}/specifications/default/json-2.6.1.gemspec": (
                'Gem::Specification.new do |s|\n  s.name = "json".freeze\n'
                '  s.version = "2.6.1"\n  s.files = ["lib/json.rb".freeze]\nend\n'
            ),
            "/usr/lib/ruby/3.1.0/json.rb": "",
            "/usr/lib/ruby/3.1.0/x86_64-linux/json/ext/parser.so": "",
        }
    )

    files = {package.purl: package.files for package in inventory.packages}

    assert set(files) == {
        "pkg:gem/rack@2.2.3",
        "pkg:gem/nokogiri@1.13.0",
        "pkg:gem/json@2.6.1",
    }
    assert f"{home}/gems/rack-2.2.3/lib/rack.rb" in files["pkg:gem/rack@2.2.3"]
    assert "/usr/lib/ruby/3.1.0/json.rb" in files["pkg:gem/json@2.6.1"]
    assert (
        "/usr/lib/ruby/3.1.0/x86_64-linux/json/ext/parser.so" in files["pkg:gem/json@2.6.1"]
    )


@pytest.mark.parametrize("version", [1, 2])
def test_composer_packages_are_found(survey: Survey, version: int) -> None:
    package = {"name": "Monolog/monolog", "version": "v2.1.0"}
    if version == 2:
        package["install-path"] = "../monolog/monolog"
    packages = [package]
    inventory = survey(
        {
            "/app/vendor/composer/installed.json": json.dumps(
                packages if version == 1 else {"packages": packages}
            ),
            "/app/vendor/Monolog/monolog/src/Logger.php": "",
            "/app/vendor/monolog/monolog/src/Logger.php": "",
        }
    )

    (found,) = inventory.packages
    assert found.purl == "pkg:composer/monolog/monolog@2.1.0"
    assert found.ecosystem == "Packagist"
    assert found.files[0].endswith("/monolog/src/Logger.php")


def a_jar(
    members: Mapping[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def a_pom(group: str, artifact: str, version: str) -> dict[str, str]:
    path = f"META-INF/maven/{group}/{artifact}/pom.properties"
    return {path: f"#c\ngroupId={group}\nartifactId={artifact}\nversion={version}\n"}


def test_archives_inside_archives_are_found(survey: Survey) -> None:
    core = a_jar(a_pom("org.apache.logging.log4j", "log4j-core", "2.14.1"))
    shaded = a_jar(
        a_pom("com.x", "fat", "1.0") | a_pom("com.google.guava", "guava", "19.0")
    )
    war = a_jar(
        {"WEB-INF/lib/log4j-core-2.14.1.jar": core, "WEB-INF/lib/fat-1.0.jar": shaded}
        | a_pom("com.shop", "shop", "3")
    )
    inventory = survey({"/srv/shop.war": war, "/opt/log4j-core-2.14.1.jar": core})

    found = {
        (package.name, package.version, package.embedded_in)
        for package in inventory.packages
    }

    assert found == {
        ("com.shop:shop", "3", None),
        ("com.x:fat", "1.0", "/srv/shop.war"),
        ("com.google.guava:guava", "19.0", "/srv/shop.war"),
        ("org.apache.logging.log4j:log4j-core", "2.14.1", "/srv/shop.war"),
        ("org.apache.logging.log4j:log4j-core", "2.14.1", None),
    }
    assert "pkg:maven/com.google.guava/guava@19.0" in {p.purl for p in inventory.packages}


@pytest.mark.parametrize(
    ("file_name", "manifest_text", "expected", "certain"),
    [
        ("a-1.0.jar", "Implementation-Vendor-Id: org.a", "org.a:a 1.0", True),
        ("foo.jar", "Bundle-SymbolicName: org.b.foo;x\r\nBundle-Version: 2.0",
         "org.b:foo 2.0", True),
        ("bar-1.2.jar", "Bundle-SymbolicName: org.ac\r\n me.bar", "org.acme:bar 1.2", True),
        ("spring-core-5.3.1.jar", "X: y", "org.springframework:spring-core 5.3.1", True),
        ("spring-security-web-5.4.jar", "X: y",
         "org.springframework.security:spring-security-web 5.4", True),
        ("tomcat-embed-core-9.0.40.jar",
         "Bundle-SymbolicName: org.apache.tomcat-embed-core",
         "org.apache.tomcat.embed:tomcat-embed-core 9.0.40", True),
        ("lone-1.0.jar", "Main-Class: X", "com.acme:lone 1.0", False),
    ],
)  # fmt: skip
def test_a_manifest_and_names_are_the_fallback(
    survey: Survey, file_name: str, manifest_text: str, *, expected: str, certain: bool
) -> None:
    text = (
        f"Manifest-Version: 1.0\r\n{manifest_text}\r\n\r\nName: x\r\nBundle-Version: 9\r\n"
    )
    members = {
        "META-INF/MANIFEST.MF": text,
        "com/acme/a/A.class": "",
        "com/acme/B.class": "",
    }

    inventory = survey({f"/opt/{file_name}": a_jar(members)})

    (package,) = inventory.packages
    assert f"{package.name} {package.version}" == expected
    assert bool(inventory.problems) != certain


def test_a_jar_whose_classes_have_no_home_is_named_after_its_file(survey: Survey) -> None:
    inventory = survey({"/opt/lone-1.0.jar": a_jar({"A.class": ""})})

    assert inventory.packages[0].name == "lone:lone"
    assert "does not name its Maven group" in inventory.problems[0].message


def test_one_damaged_archive_does_not_hide_its_siblings(survey: Survey) -> None:
    good = a_jar(a_pom("g", "good", "1"))
    content = a_jar({"lib/bad.jar": b"PK\3\4broken", "lib/good-1.jar": good})

    inventory = survey({"/opt/app.war": content})

    assert [package.name for package in inventory.packages] == ["g:good"]
    assert "bad.jar could not be read" in inventory.problems[0].message


def test_a_jar_that_says_nothing_is_a_problem(survey: Survey) -> None:
    inventory = survey({"/opt/app.jar": a_jar({"A.class": ""}), "/opt/bad.jar": "PK\3\4"})

    assert inventory.packages == ()
    assert {problem.path for problem in inventory.problems} == {
        "/opt/app.jar",
        "/opt/bad.jar",
    }


def test_a_bomb_runs_out_of_budget(survey: Survey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "NESTED_LIMIT_BYTES", 1_000_000)
    bomb = a_jar({"inner.jar": b"\0" * 3_000_000})

    inventory = survey({"/opt/bomb.jar": bomb})

    assert len(bomb) < 10_000
    assert "inner.jar unpacks to more than 1000000 bytes" in inventory.problems[0].message


def test_nesting_ends(survey: Survey) -> None:
    content = a_jar(a_pom("g", "deep", "1"))
    for _ in range(6):
        content = a_jar({"next.jar": content})

    inventory = survey({"/opt/nest.jar": content})

    assert inventory.packages == ()
    assert "nested too deep" in inventory.problems[0].message
