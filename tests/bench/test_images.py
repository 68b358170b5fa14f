"""Building images: what happens when something is missing or fails."""

import sys
from pathlib import Path

import pytest

from bench.images import build, engine, recipe
from bench.images.recipe import BuildFailed


def test_a_failed_step_shows_its_last_lines_and_what_to_do() -> None:
    program = "print('first'); print('no space left'); raise SystemExit(3)"

    with pytest.raises(BuildFailed) as failure:
        engine.run([sys.executable, "-c", program], step="npm packages")

    text = str(failure.value)
    assert "npm packages failed (exit code 3" in text
    assert "no space left" in text
    assert "run the same command again" in text


def test_a_missing_tool_is_named_with_how_to_get_it() -> None:
    with pytest.raises(BuildFailed, match=r"nonsense is needed.*apt-get install it"):
        engine.tool("nonsense", "apt-get install it")


def test_without_an_engine_the_answer_is_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BuildFailed, match="apt-get install podman"):
        engine.engine()


def test_a_recipe_with_an_unknown_field_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recipe, "FOLDER", tmp_path)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "recipe.toml").write_text('description = "odd"\ncolor = "red"\n')

    with pytest.raises(BuildFailed, match="color"):
        recipe.load("odd")


def test_a_changed_file_is_another_image_and_a_changed_driver_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recipe, "FOLDER", tmp_path)
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "recipe.toml").write_text('description = "one"\n')
    (folder / "app.py").write_text("old")
    before = recipe.load("one").reference

    (folder / "test.sh").write_text("a driver")
    assert recipe.load("one").reference == before
    (folder / "app.py").write_text("new")
    assert recipe.load("one").reference != before


def test_a_compiled_image_takes_only_what_was_installed() -> None:
    lines = build.containerfile(recipe.load("truth-native"), "start", "toolchain")

    assert lines[0] == "FROM toolchain AS native"
    assert lines.index("FROM start") < lines.index("COPY --from=native /out/ /")


@pytest.mark.parametrize("name", recipe.names())
def test_every_image_has_a_driver_that_can_be_run(name: str) -> None:
    driver = recipe.load(name).driver

    assert driver.exists()
    assert driver.stat().st_mode & 0o100
