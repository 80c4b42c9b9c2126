"""Which models a service loads, what finds people for them, and which options each gets."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from engines.catalog import UnknownModelError, catalog, find
from engines.model import Model
from engines.models.top_down import TopDown, TopDownRule
from engines.weights import Store, WeightsError
from service.loading import ensure_served, load_model, load_pair, served_names
from service.settings import Settings

BOTTOM_UP, POSES, DETECTOR = "lightweight-openpose-int8", "pp-tinypose-256x192", "yolox-nano"
HRNET, DEKR = "hrnet-w32-256x192", "dekr-w32-coco"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)


def settings(*models: str, **others: Any) -> Settings:
    return Settings(models=models, **others)


def rule(model: Model) -> TopDownRule:
    assert isinstance(model.system, TopDown)
    return model.system.rule


@pytest.mark.parametrize(
    ("models", "detector", "served"),
    [
        ((BOTTOM_UP,), None, [BOTTOM_UP]),
        ((BOTTOM_UP,), POSES, [BOTTOM_UP]),  # nobody needs one
        ((POSES,), None, [POSES, DETECTOR]),
        ((POSES, HRNET), None, [POSES, HRNET, DETECTOR]),
        ((BOTTOM_UP, POSES), None, [BOTTOM_UP, POSES, DETECTOR]),
        ((POSES,), BOTTOM_UP, [POSES, BOTTOM_UP]),
        ((POSES,), "whole-image", [POSES]),
        ((DETECTOR, POSES), None, [DETECTOR, POSES]),
        ((POSES, BOTTOM_UP), BOTTOM_UP, [POSES, BOTTOM_UP]),
        ((POSES, DETECTOR), "whole-image", [POSES, DETECTOR]),
        ((BOTTOM_UP, BOTTOM_UP, POSES, BOTTOM_UP), None, [BOTTOM_UP, POSES, DETECTOR]),
    ],
)
def test_what_finds_people_is_served_with_a_model_that_needs_boxes(
    models: tuple[str, ...], detector: str | None, served: list[str]
) -> None:
    chosen = {"detector": detector} if detector else {}
    assert served_names(settings(*models, **chosen)) == served


def test_a_detector_that_needs_boxes_itself_is_refused() -> None:
    for detector in (POSES, HRNET):
        with pytest.raises(ValueError, match=f"POSEWIRE_DETECTOR.*{detector} needs boxes"):
            served_names(settings(POSES, detector=detector))


@pytest.mark.parametrize(
    ("models", "others"),
    [
        (("other",), {}),
        ((BOTTOM_UP, "other"), {}),
        (("whole-image",), {}),
        ((POSES,), {"detector": "other"}),
        ((BOTTOM_UP, POSES), {"detector": "other"}),
    ],
)
def test_an_unknown_model_is_refused_with_those_there_are(
    models: tuple[str, ...], others: dict[str, str]
) -> None:
    with pytest.raises(UnknownModelError, match=DETECTOR):
        served_names(settings(*models, **others))


@pytest.mark.parametrize(
    ("models", "options", "refused"),
    [
        ((BOTTOM_UP,), {"flip": True}, ["POSEWIRE_FLIP"]),
        ((BOTTOM_UP,), {"dark": True, "height": 256}, ["POSEWIRE_DARK"]),
        ((BOTTOM_UP,), {"scales": (0.5, 1)}, ["POSEWIRE_SCALES"]),
        ((POSES,), {"height": 128}, ["POSEWIRE_HEIGHT"]),
        ((POSES,), {"scales": (1, 2), "flip": True}, ["POSEWIRE_SCALES"]),
        ((POSES, HRNET), {"scales": (1, 2), "height": 64}, ["POSEWIRE_HEIGHT", "POSEWIRE_SCALES"]),
        ((DEKR,), {"dark": True}, ["POSEWIRE_DARK"]),
        ((DETECTOR,), {"height": 64, "flip": True}, ["POSEWIRE_FLIP", "POSEWIRE_HEIGHT"]),
    ],
)
def test_options_that_no_model_takes_are_refused_by_their_settings(
    models: tuple[str, ...], options: dict[str, Any], refused: list[str]
) -> None:
    with pytest.raises(ValueError, match="leave it out") as error:
        served_names(settings(*models, **options))
    assert re.findall(r"POSEWIRE_\w+", str(error.value)) == refused
    assert all(model in str(error.value) for model in models)


@pytest.mark.parametrize(
    ("models", "options"),
    [
        ((BOTTOM_UP, POSES), {"height": 128, "flip": True, "dark": True}),
        ((POSES, DEKR), {"scales": (0.5, 1, 2), "height": 256, "dark": True}),
        ((BOTTOM_UP,), {"flip": False, "dark": False, "scales": (1,), "height": None}),
        ((DEKR,), {"flip": True}),
    ],
)
def test_options_that_one_of_the_models_takes_are_accepted(
    models: tuple[str, ...], options: dict[str, Any]
) -> None:
    assert served_names(settings(*models, **options))[: len(models)] == list(models)


def test_each_model_gets_the_options_it_takes(store: Store) -> None:
    place = {"cache": store.cache, "mirror": store.mirror, "max_batch": 3}
    options = {"height": 128, "flip": True, "dark": True}
    chosen = settings(BOTTOM_UP, POSES, **place, **options)
    loaded = {name: load_model(name, chosen) for name in served_names(chosen)}
    assert list(loaded) == [BOTTOM_UP, POSES, DETECTOR]
    assert loaded[BOTTOM_UP].entry.input.height == 128
    assert loaded[POSES].entry.input == find(POSES).input
    assert rule(loaded[POSES]) == TopDownRule(flip=True, dark=True)
    assert loaded[DETECTOR].entry == find(DETECTOR)
    for model in loaded.values():
        assert [engine.max_batch for engine in model.engines.values()] == [3]
        model.close()


@pytest.mark.parametrize(
    ("models", "detector", "pair"),
    [
        ((BOTTOM_UP, POSES), DETECTOR, (BOTTOM_UP, None)),
        ((POSES, BOTTOM_UP), DETECTOR, (POSES, DETECTOR)),
        ((POSES,), "whole-image", (POSES, None)),
        ((DETECTOR,), DETECTOR, (DETECTOR, None)),
    ],
)
def test_a_command_loads_the_first_model_and_what_finds_people_for_it(
    store: Store, models: tuple[str, ...], detector: str, pair: tuple[str, str | None]
) -> None:
    place = {"cache": store.cache, "mirror": store.mirror}
    model, found = load_pair(settings(*models, detector=detector, **place))
    assert (model.entry.name, found.entry.name if found else None) == pair
    model.close()
    if found:
        found.close()


def test_the_weights_of_the_detector_are_fetched_too(store: Store, tmp_path: Path) -> None:
    told: set[str] = set()
    chosen = settings(POSES, cache=tmp_path, mirror=store.mirror)
    ensure_served(chosen, lambda name, _, __: told.add(name))
    assert told == {file.name for name in (POSES, DETECTOR) for file in catalog()[name].files}
    kept = Store(tmp_path)
    assert kept.ready(find(POSES))
    assert kept.ready(find(DETECTOR))


def test_a_detector_that_cannot_be_fetched_is_named(store: Store, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / POSES).symlink_to(Path(store.mirror or "") / POSES)
    chosen = settings(POSES, cache=tmp_path / "cache", mirror=str(mirror))
    with pytest.raises(WeightsError, match=DETECTOR):
        ensure_served(chosen)
    ensure_served(chosen.model_copy(update={"detector": "whole-image"}))


def test_nothing_is_fetched_for_settings_that_do_not_go_together(tmp_path: Path) -> None:
    chosen = settings(POSES, cache=tmp_path, detector=POSES)
    for load in (ensure_served, load_pair):
        with pytest.raises(ValueError, match="needs boxes"):
            load(chosen)
    assert list(tmp_path.iterdir()) == []


def test_an_option_may_be_the_detectors() -> None:
    chosen = settings(POSES, detector=BOTTOM_UP, height=256)
    assert served_names(chosen) == [POSES, BOTTOM_UP]


def test_an_unknown_detector_is_refused_by_its_setting() -> None:
    with pytest.raises(UnknownModelError, match=r"^POSEWIRE_DETECTOR: no model 'other'"):
        served_names(settings(POSES, detector="other"))
