"""A run learns, and goes on to the same numbers where it was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.networks.lightweight_openpose import YOLOX
from engines.networks.multi_scale import MultiScale
from engines.skeletons import OPENPOSE_18
from tests.training.drawn import SIDE, folder_of_four, run_of, silent
from training.batches import plain
from training.checkpoint import averaged_network
from training.config import Config, Evaluation, Inference
from training.devices import Place
from training.evaluate import evaluate
from training.keeping import made, make
from training.log import Log
from training.loop import learner, train

HERE = Place(torch.device("cpu"))
UNCHANGED = {"flip": 0, "brightness": 0, "contrast": 0, "erase": 0}  # pictures


class KilledError(Exception):
    pass


def learn(config: Config, folder: Path) -> dict[str, torch.Tensor]:
    """The averaged weights after a run."""
    make(config, None, folder / "kept", silent)
    assert train(config, made(config, folder / "kept"), folder, HERE, silent)
    return averaged_network(folder / "checkpoint.pt").state_dict()


def test_it_learns_four_pictures_by_heart(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    config = run_of(
        annotations,
        training={
            "steps": 300,
            "batch": 4,
            "crop": SIDE,
            "learning_rate": 4e-3,
            "warm_up": 20,
            "average": 0.95,
            "precision": "float32",
            **UNCHANGED,
        },
    )
    learn(config, tmp_path)
    network = averaged_network(tmp_path / "checkpoint.pt")
    where = Evaluation(annotations=annotations, images=tmp_path, height=SIDE)
    assert evaluate(network, where)["AP"] >= 0.9


def test_averaged_weights_have_the_statistics_of_their_own_answers(tmp_path: Path) -> None:
    """Of weights that change much till the end the average is unlike any of them."""
    training = {"steps": 60, "batch": 4, "crop": SIDE, "warm_up": 58, "precision": "float32"}
    config = run_of(folder_of_four(tmp_path), training=training | UNCHANGED)
    learn(config, tmp_path)
    kept = made(config, tmp_path / "kept")
    images = plain(kept.pictures[:], kept.maps[:], HERE.device).images
    network = averaged_network(tmp_path / "checkpoint.pt")
    with torch.no_grad():
        settled, of_the_batch = network(images), network.train()(images)
    for one, other in zip(settled, of_the_batch, strict=True):
        assert other.std() > 0.01
        assert (one - other).std() < 0.1 * other.std()


def test_what_has_learned_looks_at_pictures_as_the_settings_say(tmp_path: Path) -> None:
    training = {"steps": 2, "batch": 4, "crop": SIDE, "precision": "float32"}
    config = run_of(folder_of_four(tmp_path), training=training)
    learn(config, tmp_path)
    inference = Inference(scales=(0.5, 1.25))
    learn(config.model_copy(update={"inference": inference}), tmp_path / "twice")
    once = averaged_network(tmp_path / "checkpoint.pt")
    twice = averaged_network(tmp_path / "twice" / "checkpoint.pt")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected, made = MultiScale(once, inference.scales)(image), twice(image)
    assert torch.equal(made.heatmaps, expected.heatmaps)
    assert not torch.equal(made.heatmaps, once(image).heatmaps)


def test_frozen_normalisations_keep_their_statistics_to_the_end(tmp_path: Path) -> None:
    training = {"steps": 4, "batch": 4, "crop": SIDE, "save_every": 1, "precision": "float32"}
    config = run_of(folder_of_four(tmp_path), training=training | {"frozen": 0.5})
    make(config, None, tmp_path / "kept", silent)
    kept, seen = made(config, tmp_path / "kept"), []

    def told(done: int, _: int) -> None:
        if done:
            learned = averaged_network(tmp_path / "checkpoint.pt").state_dict()
            seen.append({key: learned[key].clone() for key in learned if "running" in key})

    train(config, kept, tmp_path, HERE, told)

    assert len(seen) == 4
    assert all(torch.equal(seen[2][key], value) for key, value in seen[3].items())
    assert not all(torch.equal(seen[0][key], value) for key, value in seen[1].items())


def test_published_features_learn_slowly(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    training = {"steps": 3, "batch": 4, "crop": SIDE, "precision": "float32", "warm_up": 0}
    config = run_of(
        annotations,
        student={"width": 0.25, "blocks": 1, "backbone": YOLOX},
        training=training | {"published": 0.01, "average": 0.0},
    )
    before = learner(config, OPENPOSE_18, HERE).state.network.state_dict()

    after = learn(config, tmp_path)

    def moved(name: str) -> float:
        return float((after[name] - before[f"network.{name}"]).abs().max())

    assert 0 < 10 * moved("model.coarse.narrowed.0.weight") < moved("model.laterals.0.weight")


@pytest.mark.parametrize("frozen", [0.0, 0.5, 0.7])
def test_a_run_that_was_killed_ends_with_the_weights_of_one_that_was_not(
    tmp_path: Path, frozen: float
) -> None:
    annotations = folder_of_four(tmp_path)
    training = {"steps": 6, "batch": 2, "crop": 96, "save_every": 2, "log_every": 1, "warm_up": 2}
    config = run_of(annotations, training=training | {"frozen": frozen})
    whole = learn(config, tmp_path / "whole")

    def killing(done: int, total: int) -> None:
        if done == 5:
            raise KilledError

    killed = tmp_path / "killed"
    make(config, None, killed / "kept", silent)
    with pytest.raises(KilledError):
        train(config, made(config, killed / "kept"), killed, HERE, killing)
    resumed = learn(config, killed)

    assert all(torch.equal(resumed[key], value) for key, value in whole.items())
    assert Log(killed).lines() == Log(tmp_path / "whole").lines()


def test_a_run_whose_time_is_over_goes_on_another_time(tmp_path: Path) -> None:
    config = run_of(folder_of_four(tmp_path))
    make(config, None, tmp_path / "kept", silent)
    kept = made(config, tmp_path / "kept")
    steps: list[int] = []

    ended = train(config, kept, tmp_path, HERE, lambda done, _: steps.append(done), seconds=0)

    assert not ended
    assert steps == [0, 1]
    assert train(config, kept, tmp_path, HERE, lambda done, _: steps.append(done))
    assert steps == [0, 1, 1, 2, 3, 4, 5, 6]


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    learn(run_of(annotations), tmp_path)
    other = run_of(annotations, student={"width": 0.5})

    with pytest.raises(ValueError, match="other settings: choose another --out"):
        train(other, made(other, tmp_path / "kept"), tmp_path, HERE, silent)


def test_a_run_can_begin_with_the_weights_of_another(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    learned = learn(run_of(annotations), tmp_path / "one")
    student = {"width": 0.25, "blocks": 1, "weights": tmp_path / "one" / "checkpoint.pt"}

    made = learner(run_of(annotations, student=student), OPENPOSE_18, HERE).state.network

    begun = made.get_submodule("network").state_dict()
    assert all(torch.equal(begun[key], value) for key, value in learned.items())
    with pytest.raises(ValueError, match="of another network: choose its skeleton, backbone"):
        learner(run_of(annotations, student=student | {"blocks": 2}), OPENPOSE_18, HERE)


def test_losses_are_drawn(tmp_path: Path) -> None:
    config = run_of(folder_of_four(tmp_path))
    log = Log(tmp_path)
    log.begin(0)
    for step in range(1, config.training.steps):
        log.add(step=step, loss=1 / step)
        log.add(step=step, validation=2 / step)

    log.plot()

    drawn = (tmp_path / "losses.svg").read_text("utf-8")
    assert drawn.count("<polyline") == 2
    assert "held out" in drawn
