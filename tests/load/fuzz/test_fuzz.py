"""Mutated pictures against the decoder, at small size; and that the fuzzer finds faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from service.images.codec import ImageLimits, decode
from tests.load.fuzz import faults
from tests.load.fuzz.__main__ import KINDS, campaign
from tests.load.fuzz.corpus import Corpus, label
from tests.load.fuzz.mutations import mutate
from tests.load.fuzz.parts import join, split
from tests.load.fuzz.seeds import seeds
from tests.load.fuzz.worker import Outcome, Worker

LIMITS = ImageLimits()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with closing(Worker(decode, LIMITS)) as worker:
        yield worker


@pytest.fixture(scope="module")
def faulty() -> Iterator[Worker]:
    with closing(Worker(faults.decode, LIMITS)) as worker:
        yield worker


@pytest.mark.parametrize("kind", KINDS)
def test_no_mutated_picture_crashes_or_takes_more_than_250_ms_or_200_mb(
    kind: str, worker: Worker, tmp_path: Path
) -> None:
    report = campaign(kind, 300, tmp_path, 1, worker)
    assert report.failures == []
    assert report.inputs == 300
    assert report.results["picture"] > 30  # mutants that get past every check
    assert report.results["BadImageError"] > 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_taken_apart_is_the_same_when_put_together(kind: str) -> None:
    for data in seeds(kind):
        assert join(kind, split(kind, data)) == data


@pytest.mark.parametrize(
    ("ending", "result"),
    [
        (faults.SLOW, "BadImageError"),
        (faults.LARGE, "BadImageError"),
        (faults.CRASHES, "died with -11"),
        (faults.RAISES, "raised KeyError"),
        (b"\0", "BadImageError"),
    ],
)
def test_a_planted_fault_is_charged_to_its_input(
    ending: bytes, result: str, faulty: Worker
) -> None:
    before, outcome, after = faulty.run([b"one", b"data" + ending, b"two"])
    assert before.result == after.result == "BadImageError: N bytes and N pixels are no pictureN"
    assert outcome.result.startswith(result)
    assert outcome.ms > 250 or ending != faults.SLOW
    assert (outcome.mb > 200) == (ending == faults.LARGE)


def test_planted_faults_are_found_and_their_inputs_written(
    faulty: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings = iter((b"\0", faults.CRASHES, faults.LARGE, b"\0", faults.RAISES))

    def planted(kind: str, files: Sequence[bytes], rng: Random) -> bytes:
        return mutate(kind, files, rng) + next(endings)

    monkeypatch.setattr("tests.load.fuzz.__main__.mutate", planted)
    report = campaign("BMP", 5, tmp_path, 1, faulty)
    found = sorted(path.read_bytes()[-1:] for path in (tmp_path / "failures").glob("bmp-*[!t]"))
    assert found == [faults.LARGE, faults.CRASHES, faults.RAISES]
    assert len(report.failures) == 3


def test_what_teaches_something_is_kept_for_the_next_run(tmp_path: Path) -> None:
    corpus = Corpus("PNG", tmp_path)
    news = [Outcome("picture 9x9"), Outcome("picture 900x9"), Outcome("BadImageError: N")]
    news += [Outcome("picture 9x9", ms=50), Outcome("picture 9x9", mb=50)]
    kept = [bytes((at,)) for at, outcome in enumerate(news) if corpus.look(bytes((at,)), outcome)]
    assert len(kept) == len(news)
    assert not corpus.look(b"old", Outcome("picture 8x15", ms=49, mb=49))
    again = Corpus("PNG", tmp_path)
    assert again.files == [*seeds("PNG"), *sorted(again.files[-len(kept) :], key=again.files.index)]
    assert sorted(again.files[-len(kept) :]) == kept


def test_pictures_of_about_the_same_sides_are_one_class() -> None:
    assert label(Outcome("picture 9x15")) == label(Outcome("picture 8x12")) == "picture 2^4x2^4"


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_mutants(kind: str) -> None:
    files = seeds(kind)
    first, second = (
        [mutate(kind, files, rng) for _ in range(50)]
        for rng in (Random(4), Random(4))  # noqa: S311 - no secret
    )
    assert first == second
    assert len(set(first)) > 40
