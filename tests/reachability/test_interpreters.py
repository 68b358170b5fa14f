"""Which programs are the runtimes of languages that nobody here follows."""

import pytest

from vexxy.reachability.loadable import interpreters


@pytest.mark.parametrize(
    "name",
    ["vi", "vim", "vim.basic", "vim.tiny", "vim.gtk3", "vim9", "nvim", "rvim", "vimdiff",
     "view", "ex", "emacs", "emacs-nox", "emacs-28.2", "emacs28", "perl5.36.0", "gawk"],
)  # fmt: skip
def test_an_editor_or_interpreter_runs_its_language(name: str) -> None:
    assert list(interpreters.languages_of(f"/usr/bin/{name}"))


@pytest.mark.parametrize("name", ["visitor.py", "view.js", "video.py", "emacs.py", "vi.js"])
def test_a_source_of_another_language_is_no_editor(name: str) -> None:
    assert list(interpreters.languages_of(f"/app/{name}")) == []
