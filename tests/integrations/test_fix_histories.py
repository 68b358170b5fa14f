"""git, asked about repositories of strangers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vexxy.advisories import derivation
from vexxy.advisories.derivation import Fix
from vexxy.integrations.fixes.errors import NoRepository
from vexxy.integrations.fixes.git import Clones, GitHistory

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None, reason="git is not installed, and histories need it"
)


def git(folder: Path, *arguments: str) -> str:
    names = {
        f"GIT_{who}_{what}": "dev@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **names}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A package, a commit that only reformats it, and one that fixes and moves it."""
    folder = tmp_path / "clones" / "acme" / "web"
    package = folder / "web"
    package.mkdir(parents=True)
    git(folder, "init", "-q")
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def send(url):\n    n = 1\n    return url + str(n)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Begin")
    (package / "a.py").write_text("def send(url):\n    n  =  1\n    return url + str(n)\n")
    git(folder, "commit", "-qam", "Space")
    git(folder, "mv", "web/a.py", "web/b.py")
    (package / "b.py").write_text("def send(url):\n    n  =  1\n    return str(n)\n")
    git(folder, "commit", "-qam", "Fix CVE-2099-1 (#7)")
    return folder


def symbols(history: GitHistory, commit: str) -> set[str]:
    found = derivation.commit_symbols(history, Fix(commit, "seen"), ecosystem="PyPI")
    return {f"{one.module}:{one.name}" for one in found}


def test_a_fix_that_moves_its_file_is_named_by_the_old_place(clone: Path) -> None:
    history = GitHistory(clone)
    (commit,) = history.find_commits({"cve-2099-1"})
    assert symbols(history, commit) == {"web.a:send"}
    assert symbols(history, git(clone, "rev-parse", "HEAD~1")) == set()


def test_what_git_does_not_have_is_none(clone: Path) -> None:
    history = GitHistory(clone)
    head = git(clone, "rev-parse", "HEAD")
    assert history.diff("f" * 40, suffixes=(".py",)) is None
    assert history.diff("--output=/x", suffixes=(".py",)) is None
    assert history.read("HEAD --textconv", "web/b.py") is None
    assert history.read(head, "web/a.py") is None
    assert history.find_files(head, "send", suffixes=(".py",)) == ("web/b.py",)
    assert history.find_files(head, "nowhere", suffixes=(".py",)) == ()
    assert history.list_files("x") == frozenset()
    assert history.find_commits(()) == ()


def test_what_a_repository_configures_is_not_run(clone: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    git(clone, "config", "diff.external", f"touch {mark}")
    git(clone, "config", "diff.evil.textconv", f"touch {mark}")
    git(clone, "config", "core.fsmonitor", f"touch {mark}")
    (clone / ".git" / "info").mkdir(exist_ok=True)
    (clone / ".git" / "info" / "attributes").write_text("*.py diff=evil\n")
    history = GitHistory(clone)
    (commit,) = history.find_commits({"CVE-2099-1"})
    assert symbols(history, commit) == {"web.a:send"}
    assert not mark.exists()


def test_clones_are_found_by_owner_and_name(clone: Path) -> None:
    folder = clone.parent.parent
    bare = folder / "other+tool" / "repo"
    bare.parent.mkdir()
    git(folder, "clone", "-q", "--bare", str(clone), str(bare))
    clones = Clones(folder)
    assert clones.find("Acme/Web.git") is not None
    assert clones.find("other/tool") is not None
    assert clones.find("acme/none") is None
    assert Clones(folder / "absent").find("acme/web") is None


def test_a_folder_without_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoRepository, match="no git repository"):
        GitHistory(tmp_path)
