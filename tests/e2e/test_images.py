"""Six kinds of image, offline, with the evidence of packages that were checked by hand.

What each package is here for was read from `/proc/PID/maps` and `strace` of the same
image, without vexxy. The images are built on the spot from Debian, PyPI, npm and Go.
"""

from collections.abc import Callable

import pytest

from tests.e2e import observed
from tests.e2e.observed import Analysis, Subject

pytestmark = [pytest.mark.engine, pytest.mark.kernel]

GO_NET = "golang:golang.org/x/net"
SUBJECTS = (
    Subject(
        "truth-static",
        8080,
        (GO_NET, "golang:stdlib", "golang:github.com/dgrijalva/jwt-go"),
    ),
    Subject(
        "nginx", 8080, ("deb:nginx", "deb:openssl", "deb:pcre2", "deb:perl", "deb:apt")
    ),
    Subject("redis", 6379, ("deb:redis", "deb:openssl", "deb:jemalloc", "deb:perl")),
    Subject(
        "multi",
        8080,
        (
            *("deb:perl", "deb:memcached", "deb:libevent", "deb:cron"),
            *("deb:supervisor", "deb:dash", "deb:gnutls28"),
        ),
    ),
    Subject(
        "demo",
        8080,
        (
            *("pypi:jinja2", "pypi:pillow", "pypi:bleach", "pypi:pygments"),
            *("pypi:cryptography", "pypi:sqlparse", "deb:sqlite3", "deb:expat"),
        ),
    ),
    Subject(
        "truth-node",
        8080,
        (
            *("npm:express", "npm:minimist", "npm:underscore", "npm:handlebars"),
            *("deb:nodejs", "deb:libonig"),
        ),
    ),
    Subject("static-stripped", 8080, (GO_NET, "golang:stdlib")),
)
NAMES = [subject.name for subject in SUBJECTS]

Observed = Callable[[str], Analysis]


@pytest.fixture(scope="session")
def analysis_of(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    futures = observed.analyze_all(SUBJECTS, tmp_path_factory.mktemp("observed"))
    return lambda name: futures[name].result()


@pytest.mark.parametrize("name", NAMES)
def test_the_analysis_ends_well_and_saw_everything(
    analysis_of: Observed, name: str
) -> None:
    analysis = analysis_of(name)

    assert analysis.exit_code == 0, analysis.errors
    completeness = analysis.profile["completeness"]
    assert completeness["lost_events"] == 0
    assert completeness["reasons"] == []
    assert completeness["traffic_requests"] > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_planted_package_has_a_finding(analysis_of: Observed, name: str) -> None:
    found = {
        finding["vulnerability_id"].upper()
        for finding in analysis_of(name).result["reachability_results"]
    }
    planted = next(subject.planted for subject in SUBJECTS if subject.name == name)

    assert found == {str(observed.osv(package)["id"]).upper() for package in planted}


def test_nginx_maps_openssl_and_pcre(analysis_of: Observed) -> None:
    nginx = analysis_of("nginx")

    assert nginx.shows("pkg:deb/debian/nginx", "/usr/sbin/nginx", "executed")
    assert nginx.shows("pkg:deb/debian/libssl3", "libcrypto.so.3", "/usr/sbin/nginx")
    assert nginx.shows("pkg:deb/debian/libpcre2-8-0", "libpcre2-8.so.0", "mapped")


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("nginx", "perl-base"),
        ("nginx", "apt"),
        ("redis", "perl-base"),
        ("multi", "libgnutls30"),
        ("demo", "sqlite3"),
    ],
)
def test_what_never_runs_is_not_called_affected(
    analysis_of: Observed, name: str, package: str
) -> None:
    finding = analysis_of(name).finding(f"pkg:deb/debian/{package}")

    assert finding["status"] != "affected"
    assert finding["evidence"]


def test_redis_runs_a_program_of_its_tools_package(analysis_of: Observed) -> None:
    redis = analysis_of("redis")

    # redis-server is a link into redis-tools, to a program of another name.
    program = "/usr/bin/redis-check-rdb"
    assert redis.shows("pkg:deb/debian/redis-tools", program, "executed")
    assert redis.shows("pkg:deb/debian/libjemalloc2", "libjemalloc.so.2", program)
    assert redis.shows("pkg:deb/debian/libssl3", "libssl.so.3", program)


def test_a_perl_that_lives_for_milliseconds_is_seen(analysis_of: Observed) -> None:
    multi = analysis_of("multi")

    assert multi.shows("pkg:deb/debian/perl-base", "/usr/bin/perl", "executed")
    assert multi.shows("pkg:deb/debian/dash", "/usr/bin/dash", "executed")


def test_every_process_of_a_supervisor_is_seen(analysis_of: Observed) -> None:
    multi = analysis_of("multi")

    assert multi.shows("pkg:deb/debian/memcached", "/usr/bin/memcached", "executed")
    assert multi.shows("pkg:deb/debian/libevent-2.1-7", "libevent", "/usr/bin/memcached")
    assert multi.shows("pkg:deb/debian/cron", "/usr/sbin/cron", "executed")
    assert multi.shows("pkg:deb/debian/supervisor", "supervisor/", "/usr/bin/python3.11")


def test_python_packages_are_told_apart_by_what_is_imported(analysis_of: Observed) -> None:
    demo = analysis_of("demo")

    assert demo.shows("pkg:pypi/jinja2", "jinja2/__init__.py", "/usr/bin/python3.11")
    assert demo.shows("pkg:pypi/pillow", "_imaging", ".so", "mapped")
    assert demo.shows("pkg:pypi/bleach", "bleach/__init__.py")  # by one driven route
    assert demo.finding("pkg:pypi/pygments")["status"] == "under_investigation"
    assert demo.finding("pkg:pypi/sqlparse")["status"] != "affected"
    assert demo.shows("pkg:deb/debian/libexpat1", "libexpat.so.1", "mapped")


def test_a_package_that_another_imports_because_it_is_there_is_seen(
    analysis_of: Observed,
) -> None:
    # PyJWT tries to import it; nothing in the application names it.
    demo = analysis_of("demo")

    assert demo.shows("pkg:pypi/cryptography", "_rust.abi3.so", "mapped")


def test_two_copies_of_an_npm_package_get_two_answers(analysis_of: Observed) -> None:
    node = analysis_of("truth-node")
    modules = "/app/node_modules"

    loaded = f"{modules}/minimist/"
    assert node.shows("pkg:npm/minimist", loaded, location=loaded)
    for other in ("mkdirp", "optimist"):
        copy = node.finding("pkg:npm/minimist", f"{modules}/{other}/node_modules/minimist/")
        assert copy["status"] != "affected"


def test_node_modules_are_seen_in_threads_and_left_open_when_lazy(
    analysis_of: Observed,
) -> None:
    node = analysis_of("truth-node")

    assert node.shows("pkg:npm/express", "express/index.js", "/usr/bin/node")
    assert node.shows("pkg:npm/underscore", "underscore", ".js")  # by a worker thread
    assert node.finding("pkg:npm/handlebars")["status"] == "under_investigation"
    assert node.shows("pkg:deb/debian/libonig5", "libonig.so.5", "/usr/bin/jq")


@pytest.mark.parametrize("name", ["truth-static", "static-stripped"])
def test_an_executed_static_binary_loads_what_is_embedded_in_it(
    analysis_of: Observed, name: str
) -> None:
    static = analysis_of(name)

    module = "pkg:golang/golang.org/x/net"
    assert static.shows(module, "/server", "executed", location="/server")
    assert static.shows("pkg:golang/stdlib", "/server", "executed", location="/server")


def test_modules_of_a_binary_that_did_not_run_are_not_called_affected(
    analysis_of: Observed,
) -> None:
    static = analysis_of("truth-static")

    other = static.finding("pkg:golang/github.com/dgrijalva/jwt-go")
    assert other["status"] != "affected"
    assert static.finding("pkg:golang/stdlib", "/bin/migrate")["status"] != "affected"
