"""What a sandbox gets where functions are to be recorded."""

from dataclasses import replace
from pathlib import Path

import pytest

from vexxy.analysis import coverage
from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image, ImageConfig, Platform

IMAGE = Image(
    reference="localhost/image:1",
    name="image",
    image_id="sha256:" + "0" * 64,
    manifest_digest=None,
    index_digest=None,
    repo_digests=(),
    platform=Platform("linux", "amd64"),
    config=ImageConfig(environment={"PYTHONPATH": "/image", "OTHER": "kept"}),
    size_bytes=0,
)


def planned(root: Path, image: Image = IMAGE, *, wanted: bool = True) -> coverage.Plan:
    given = {"GIVEN": "user"}
    return coverage.plan(image, RootFilesystem(root), environment=given, wanted=wanted)


def test_nothing_is_added_unless_it_is_wanted(tmp_path: Path) -> None:
    plan = planned(tmp_path, wanted=False)
    assert plan.attachments is None
    assert plan.environment == {"GIVEN": "user"}
    assert plan.warnings == ()


def test_the_image_s_variables_are_extended_and_the_user_s_kept(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert plan.attachments is not None
    assert "python/sitecustomize.py" in plan.attachments.files
    assert plan.environment["PYTHONPATH"] == "/.vexxy/python:/image"
    assert plan.environment["GIVEN"] == "user"


def test_a_user_s_variable_stands_in_for_the_image_s(tmp_path: Path) -> None:
    config = replace(IMAGE.config, environment={})
    plan = planned(tmp_path, replace(IMAGE, config=config))
    assert plan.environment["PYTHONPATH"] == "/.vexxy/python"


@pytest.mark.parametrize("taken", [".vexxy", ".vexxy-out"])
def test_an_image_with_such_a_folder_is_not_recorded(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).mkdir()
    plan = planned(tmp_path)
    assert plan.attachments is None
    assert plan.warnings == (
        f"functions were not recorded: the image has a /{taken} of its own",
    )
