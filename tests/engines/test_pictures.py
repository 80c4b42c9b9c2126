"""Pictures of people are at hand for every model, the user's own where there are some."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines import pictures as package
from engines.model import Model
from engines.pictures import MOST, inputs_of, pictures, views


def write(path: Path, height: int = 40, width: int = 60, value: int = 9) -> None:
    assert cv2.imwrite(str(path), np.full((height, width, 3), value, np.uint8))


def test_the_pictures_of_the_package_are_small_and_each_shows_a_person(detector: Model) -> None:
    folder = Path(package.__file__).parent
    assert all(file.stat().st_size < 150_000 for file in folder.glob("*.jpg"))
    found = inputs_of(detector, pictures())[detector.entry.name]
    assert len(found) == 2
    for asked in found:
        maps = detector.engines[detector.entry.name].infer(asked)["detections"][0]
        assert (maps[:, 4] * maps[:, 5]).max() > 0.8


def test_one_of_the_packages_pictures_has_colours() -> None:
    """Else red and blue could be taken for each other unseen."""
    assert any(np.ptp(picture.astype(int), axis=2).mean() > 20 for picture in pictures())


def test_the_pictures_of_a_folder_are_taken_by_their_names(tmp_path: Path) -> None:
    for name, value in (("b.PNG", 2), ("a.bmp", 1), ("c.jpeg", 3)):
        write(tmp_path / name, value=value)
    (tmp_path / "notes.txt").write_text("no picture")
    found = pictures(tmp_path)
    assert [int(picture.mean()) for picture in found] == [1, 2, 3]
    assert {picture.shape for picture in found} == {(40, 60, 3)}


def test_of_a_full_folder_the_first_are_taken(tmp_path: Path) -> None:
    for index in range(MOST + 1):
        write(tmp_path / f"{index:03}.bmp", 4, 4, index)
    assert [int(one.mean()) for one in pictures(tmp_path)] == list(range(MOST))


def test_a_large_picture_is_made_smaller_in_its_proportions(tmp_path: Path) -> None:
    write(tmp_path / "large.png", 1280, 2560)
    (picture,) = pictures(tmp_path)
    assert picture.shape == (640, 1280, 3)


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=rf"{tmp_path} has no pictures \(.bmp, .jpeg"):
        pictures(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_picture_that_cannot_be_read_is_named(content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"b\.png cannot be read"):
        pictures(tmp_path)


def test_views_are_further_pictures_of_several_sizes_and_lights() -> None:
    (picture, _) = pictures()
    found = list(views([picture]))
    assert len({view.shape for view in found}) == 3
    assert min(view.mean() for view in found) < 0.6 * picture.mean()
    assert not any(np.array_equal(view, picture) for view in found)
    assert all(view.flags.c_contiguous and view.dtype == np.uint8 for view in found)


def test_views_of_the_smallest_picture_have_pixels() -> None:
    assert all(view.size for view in views([np.zeros((1, 1, 3), np.uint8)]))


def test_inputs_are_what_the_steps_ask_their_networks(poses: Model, detector: Model) -> None:
    alone = inputs_of(poses, pictures())
    assert [asked.shape for asked in alone[poses.entry.name]] == [(1, 256, 192, 3)] * 2
    boxed = inputs_of(poses, pictures(), detector)
    assert boxed.keys() == {poses.entry.name}
    assert not np.array_equal(boxed[poses.entry.name][0][0], alone[poses.entry.name][0][0])
