"""Languages whose loading is not followed: what runs them makes all of it loadable."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.types import Unfollowed


@dataclass(frozen=True, slots=True)
class Language:
    """One language: what its runtime is called and where its code lies.

    Attributes:
        runtime: Matches the file name of an interpreter or of its library.
        directories: Match canonical directories that it loads from.
    """

    name: str
    runtime: re.Pattern[str]
    types: frozenset[str]
    suffixes: tuple[str, ...]
    directories: re.Pattern[str]


def _language(
    name: str, runtime: str, *, types: str = "", suffixes: str = "", directories: str = "$^"
) -> Language:
    return Language(
        name,
        re.compile(f"({runtime})"),
        frozenset(types.split()),
        tuple(suffixes.split()),
        re.compile(directories),
    )


# Followed by their own modules while they run; unfollowed when they could be started.
PYTHON: Final = _language(
    "python",
    r"python[\d.]*|pypy[\d.]*|libpython[\d.]*\.so[\d.]*",
    types="pypi",
    suffixes=".py .pyc .abi3.so -linux-gnu.so -linux-musl.so",
    directories=r".*/lib(64)?/python[\d.]+(/|$)|.*/(site|dist)-packages(/|$)",
)
NODE: Final = _language(
    "node",
    r"node(js)?-?[\d.]*|libnode\.so[\d.]*",
    types="npm",
    suffixes=".js .cjs .mjs .node",
    directories=r"/usr/(share|lib)/(nodejs|node_modules)(/|$)",
)
FOLLOWED: Final = (PYTHON, NODE)

UNFOLLOWED: Final = (
    _language(
        "perl",
        r"perl[\d.]*|libperl\.so[\d.]*|[\w-]*plperl\.so",
        types="cpan",
        suffixes=".pm .pl .al .ph .cgi .psgi .fcgi",
        directories=r"/usr/(local/)?(share|lib|lib/[\w-]+)/perl[\w.-]*(/|$)|/etc/perl(/|$)",
    ),
    _language(
        "ruby",
        r"ruby[\d.]*|libruby[\w.-]*\.so[\d.]*|jruby",
        types="gem",
        suffixes=".rb .ru .rake .erb .thor Rakefile",
        directories=r".*/(ruby|gems|rubygems-integration|bundle)(/|$)",
    ),
    _language(
        "php",
        r"php[\d.]*|php-(fpm|cgi)[\d.]*|php-?(fpm|cgi)[\d.]*|libphp[\w.-]*\.so[\d.]*|frankenphp",
        types="composer",
        suffixes=".php .phar .phtml .inc .module",
        directories=r".*/php[\d.]*(/|$)",
    ),
    _language(
        "java",
        r"java|libjvm\.so|libjava\.so|libjsig\.so",
        types="maven",
        suffixes=".jar .war .ear .class .jmod .jsa .jsp .hpi .jpi .nar .groovy .clj .cljc "
        "/lib/modules",
        directories=r".*/(jvm|java)(/|$)",
    ),
    _language(
        "lua",
        r"lua[\d.]*|luajit[\w.-]*|liblua[\w.-]*\.so[\d.]*|openresty|tarantool",
        suffixes=".lua .luac",
        directories=r".*/(lua|lualib|luajit[\w.-]*)(/|$)",
    ),
    _language(
        "tcl",
        r"tclsh[\d.]*|wish[\d.]*|expect|libtcl[\d.]*\.so[\d.]*|pltcl\.so",
        suffixes=".tcl .tm .exp",
        directories=r".*/tcl(tk)?[\d.]*(/|$)",
    ),
    _language(
        "R",
        r"R|Rscript|libR\.so",
        types="cran",
        suffixes=".R .rds .rdb .rdx",
        directories=r".*/R(/|$)",
    ),
    _language(
        "erlang",
        r"beam\.smp|erl|erlexec",
        types="hex",
        suffixes=".beam .ez .erl .escript .ex .exs",
        directories=r".*/erlang(/|$)",
    ),
    _language(
        "dotnet",
        r"dotnet|mono(-sgen)?|libcoreclr\.so|libhostfxr\.so|libmono[\w.-]*\.so[\d.]*",
        types="nuget",
        suffixes=".dll .exe .csx .fsx",
        directories=r".*/(dotnet|mono)(/|$)",
    ),
    _language(
        "guile",
        r"guile[\d.]*|libguile[\w.-]*\.so[\d.]*",
        suffixes=".scm .go",
        directories=r".*/guile(/|$)",
    ),
    _language("julia", r"julia|libjulia[\w.-]*\.so[\d.]*", types="julia", suffixes=".jl"),
    _language(
        "octave", r"octave[\w.-]*", suffixes=".m .oct", directories=r".*/octave(/|$)"
    ),
    _language("ocaml", r"ocaml|ocamlrun", suffixes=".cma .cmxs", types="opam"),
    _language(
        "postscript",
        r"gs|gsc|gsx|libgs\.so[\d.]*|libgpdl\.so[\d.]*",
        suffixes=".ps",
        directories=r".*/ghostscript(/|$)",
    ),
    _language(
        "vim script",
        r"vi|[ernv]?vim(?:diff|\d+|\.[a-z]+\d*)?|ex|r?view",
        suffixes=".vim",
        directories=r".*/n?vim(/|$)",
    ),
    _language("awk", r"[gmn]?awk|original-awk", suffixes=".awk"),
    _language("XSLT", r"xsltproc|libxslt\.so[\d.]*|saxon", suffixes=".xsl .xslt"),
    _language(
        "emacs lisp",
        r"emacs\d*(?:-[\w.]+)?",
        suffixes=".el .elc .eln",
        directories=r".*/emacs(/|$)",
    ),
    _language("deno or bun", r"deno|bun", types="npm", suffixes=".js .ts .mjs .cjs"),
)


# Variables that only the runtime of a language reads: it is linked into the file.
EMBEDDED: Final = {
    b"\0LUA_PATH": "lua",
    b"\0PERL5LIB\0": "perl",
    b"\0RUBYLIB\0": "ruby",
    b"\0TCLLIBPATH\0": "tcl",
    b"\0GUILE_LOAD_PATH\0": "guile",
    b"\0PHP_INI_SCAN_DIR\0": "php",
}


def embedded_in(content: bytes) -> Iterator[Language]:
    """Yield the unfollowed languages whose runtime is linked into an ELF file."""
    for mark, name in EMBEDDED.items():
        if mark in content:
            yield from (one for one in UNFOLLOWED if one.name == name)


def languages_of(path: str) -> Iterator[Language]:
    """Yield the unfollowed languages that the file at `path` is a runtime of."""
    name = path.rpartition("/")[2]
    return (one for one in UNFOLLOWED if one.runtime.fullmatch(name))


def is_runtime(language: Language, path: str) -> bool:
    """Return whether `path` names an interpreter of the language, or its library."""
    return language.runtime.fullmatch(path.rpartition("/")[2]) is not None


def give_up(
    language: Language, reason: str, *, via: str, directories: Iterable[str]
) -> Unfollowed:
    """Return the note that anything of the language could be loaded."""
    return Unfollowed(
        language=language.name,
        reason=reason,
        types=language.types,
        suffixes=language.suffixes,
        directories=frozenset(
            one for one in directories if language.directories.match(one)
        ),
        via=via,
    )
