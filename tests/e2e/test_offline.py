"""Without network, mirror and cache, what was installed finds the people of a photograph."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engines.skeletons import SKELETONS
from engines.weights import Store
from service.default import SHIPPED
from tests.e2e.server import HOST, environment
from tests.shared import ROOT

# What the picture shows, in pixels: one person, who stands facing the camera, cut off below the
# waist. Whoever changes the picture changes these.
PICTURE = ROOT / "tests" / "data" / "astronaut.jpg"
PEOPLE = 1
FACE = (160, 40, 290, 200)  # left, top, right, bottom of where nose and eyes are
FACIAL = ("nose", "right_eye", "left_eye")
SURE = 0.1  # scores of less may be a part of somebody: her shoulders and arms again get 0.05
FIRST_POSES_S = 60.0

_NOWHERE = f"http://{HOST}:9"  # the discard port, where nothing listens
_PROXIES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_ALONE_S = 120


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a service that began with an empty cache.

    Attributes:
        status, answer: of the request.
        seconds: from the start of the service to the answer.
        libraries: names of the files that the process had mapped.
        log: of the service.
        cache: its folder.
    """

    status: int
    answer: Any
    seconds: float
    libraries: Sequence[str]
    log: str
    cache: Path


@cache
def separate() -> tuple[str, ...]:
    """What runs a command in a network of its own; skips the test where this machine has nothing
    that may."""
    refused = ""
    for prefix in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        try:
            tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("needs unshare, of util-linux, which is not installed")
        if tried.returncode == 0:
            return prefix
        refused = tried.stderr.strip()
    pytest.skip(f"needs the right to make a network namespace: {refused}")


@pytest.fixture(scope="module", params=["no network", "no address answers"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Cut off by a network namespace without a way out, and by proxies that do not answer."""
    prefix = separate() if request.param == "no network" else ()
    folder = tmp_path_factory.mktemp("offline") / "cache"
    settings = environment(Store(folder)) | dict.fromkeys(_PROXIES, _NOWHERE)
    del settings["POSEWIRE_MODELS"]
    ended = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.e2e.offline", str(PICTURE)],
        cwd=ROOT,
        env=settings | {"no_proxy": HOST},
        capture_output=True,
        text=True,
        timeout=_ALONE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return Seen(**json.loads(ended.stdout), cache=folder)


def sure(seen: Seen) -> list[Any]:
    return [person for person in seen.answer["people"] if person["score"] >= SURE]


def test_the_model_that_ships_finds_the_people(seen: Seen) -> None:
    assert seen.status == 200
    assert seen.answer["model"] == SHIPPED
    assert len(sure(seen)) == PEOPLE


def test_a_persons_face_is_where_it_is(seen: Seen) -> None:
    (person,) = sure(seen)
    names = SKELETONS[seen.answer["skeleton"]].keypoints
    left, top, right, bottom = FACE
    for name, (x, y, score) in zip(names, person["keypoints"], strict=True):
        if name in FACIAL:
            assert score > 0
            assert left < x < right
            assert top < y < bottom


def test_the_first_poses_come_within_a_minute(seen: Seen) -> None:
    assert seen.seconds < FIRST_POSES_S


def test_nothing_is_fetched_or_written(seen: Seen) -> None:
    assert not list(seen.cache.rglob("*"))
    assert "Traceback" not in seen.log
    assert "Warning" not in seen.log


def test_torch_is_not_loaded(seen: Seen) -> None:
    assert any(name.startswith("libopenvino.") for name in seen.libraries), "nothing is seen"
    assert not [name for name in seen.libraries if name.startswith(("libtorch", "libc10"))]
