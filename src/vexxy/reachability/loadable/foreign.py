"""Commands by a value in scripts of languages that nobody follows.

Ruby, PHP, Perl, Tcl, awk, Lua, R, Erlang, Elixir, Clojure, Scheme, C# and Groovy. What is
assigned as a literal in the same text is known, unless more is joined to it.
"""

import re
from typing import Final

SUFFIXES: Final = (
    ".rb", ".ru", ".rake", ".erb", ".thor", ".gemspec", "Rakefile", "Capfile", "Guardfile",
    ".php", ".phtml", ".inc", ".pl", ".pm", ".cgi", ".psgi", ".fcgi", ".lua", ".R", ".tcl",
    ".tm", ".exp", ".awk", ".erl", ".escript", ".ex", ".exs", ".clj", ".cljc", ".scm",
    ".jl", ".csx", ".fsx", ".groovy", ".jsp",
)  # fmt: skip

# A value: interpolated in a string, or standing alone.
VALUE: Final = r"(?:[\"'`](?:#\{|\{?(?=[$@]))|(?=[$@A-Za-z_]))([$@]{0,2}\{?[A-Za-z_]\w*)"
LISTS: Final = r"(?:[*\[({]|\s|:?spawn\w*\s*,)*"
CALLS: Final = re.compile(
    r"(?:(?<![.\w$:>-])|\b(?:Open3|IO|PTY|Process|Kernel|System|Port|os|io)[.:])"
    r"(?:exec[lv]?p?e?|system2?\*?|spawn|popen[23]?e?|capture[23]e?|proc_open|shell_exec"
    r"|passthru|pcntl_exec|open[23]|open_port|cmd|Start|(?<=os\.)execute|(?<=System\.)shell"
    r"|(?<=Port\.)open)"
    rf"!?\s*(?:\(|\s(?=[*$@\[{{]))(?!\s*(?:int|void|char|function)\b){LISTS}{VALUE}"
)
INTERPOLATED: Final = re.compile(
    r"(?:\b(?:sh|run|execute|system|exec|spawn)\b[ \t(]*\"#\{"
    r"|(?:%x|\bqx)\s*[\[{(<|!/#]\s*[\"']?(?:#\{|[$@])"
    r"|(?:[=(;.,?:\[{]|\b(?:echo|return|print|puts|do|then)\b|^)"
    r"[ \t]*`[ \t]*[\"']?(?:#\{|\{?[$@])"
    r"|\bopen\b[^;\n]{0,200}[\"'](?:-\||\|-)[\"']\s*,\s*[\"']?[$@]"
    r"|\bopen\b[^;\n\"]{0,200}\"\s*(?:\|\s*[$@#]|[$@]\w[^\"\n]{0,200}\|\s*\")"
    r"|\b(?:exec|spawn)[ \t]+(?:-\S+[ \t]+){0,5}(?:\{\*\})?\$"
    r"|\bopen[ \t]+[\"{]?\|[ \t]*(?:\{\*\})?\$"
    r"|\(\s*(?:apply\s+)?(?:[\w.]+/)?(?:sh|system\*?)\s+[a-z*(]"
    r"|\bFileName\s*=\s*[A-Za-z_]|\b\w+\.execute\(\))",
    re.MULTILINE,
)
AWK: Final = re.compile(
    r"\bsystem\(\s*[^\")\s]|[$\w)]\s*\|\s*getline|\|\s*[a-z_$]\w*\s*(?:$|[;}])",
    re.MULTILINE,
)
JOINED: Final = re.compile(r"\}?[\w-]|\}?\s*(?:\.|\+|<<)\s*[\"'](?=[^\s\"'])|\}[\w-]")
# Texts in which no word needs to be looked up as a program.
STARTS: Final = re.compile(
    r"exec|system|popen|proc_open|passthru|shell|spawn|\bqx|open[23]|Open3|capture|Process"
    r"|Command|\bsh\b|\brun\b|\bcmd\b|getline|send\b|call_user_func|eval|apply|`|%x"
)


def by_value(path: str, text: str) -> str | None:
    """Return the value that a script starts as a program; None if it starts none so."""
    if path.endswith(".awk") or re.match(r"#!\S*(?:awk|env [gmn]?awk)\b", text):
        return "a value" if AWK.search(text) else None
    if INTERPOLATED.search(text) is not None:
        return "a value"
    for found in CALLS.finditer(text):
        name = found[1].replace("{", "")
        known = rf"{re.escape(name)}\s*=\s*(?:[\"'\[]|%[wWqQiI])"
        if JOINED.match(text, found.end()) or re.search(known, text) is None:
            return name
    return None


def can_start(text: str) -> bool:
    """Return whether a script has anything that starts programs."""
    return STARTS.search(text) is not None
