"""What a network gives that is no number is an error of that picture, and is never told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from engines.geometry import Pixels
from engines.people import People
from engines.runtime.engine import Batch, Maps
from engines.steps import Infer, Steps
from service.errors import InternalError
from service.finite import check_maps, check_people
from service.pb import pose_pb2 as pb
from tests.service.fakes import PATIENCE_S
from tests.service.pictures import encode
from tests.service.serving import (
    Gate,
    assert_error,
    files,
    model_of,
    over_grpc,
    over_http,
    service,
    until,
)

DARK, BRIGHT = (encode(np.full((16, 16, 3), shade, np.uint8), "PNG") for shade in (10, 200))
WRONG = (np.nan, np.inf, -np.inf)


class Burnt(Gate):
    """An engine whose maps of bright pictures are no numbers."""

    max_batch = 4

    def __init__(self, wrong: float) -> None:
        super().__init__()
        self.batches: list[int] = []
        self._wrong = wrong

    def infer(self, batch: Batch) -> Maps:
        super().infer(batch)
        self.batches.append(len(batch))
        maps = np.zeros((len(batch), 2, 3), np.float32)
        maps[batch[:, 0, 0, 0] > 100, 1, 1] = self._wrong
        return {"maps": maps}


@pytest.mark.parametrize("wrong", WRONG)
async def test_an_output_that_is_no_number_is_an_error_of_that_picture_alone(wrong: float) -> None:
    burnt = Burnt(wrong)
    with service(model_of(burnt), max_images=16) as running:
        async with over_http(running) as http:

            def post(image: bytes) -> asyncio.Task[httpx.Response]:
                return asyncio.create_task(http.post("/v1/poses", content=image))

            sent = [post(DARK)]
            await until(lambda: burnt.calls == 1)
            sent += map(post, (DARK, BRIGHT, DARK))
            await until(lambda: len(running.registry.lane("network")) == 3)
            burnt.opened.set()
            first, dark, bright, last = [(await one).json() for one in sent]
            assert burnt.batches == [1, 3], "they did not share a batch"
            assert first["people"] == dark["people"] == last["people"] == []
            assert_error(bright, "internal")
            assert "no numbers" in bright["error"]["message"]
            answers = (await http.post("/v1/poses", files=files(BRIGHT, DARK))).json()
            assert_error(answers[0], "internal")
            assert answers[1]["people"] == []
        async with over_grpc(running) as stub:
            frames = [
                pb.EstimateStreamRequest(request=pb.EstimateRequest(image=image))
                for image in (BRIGHT, DARK)
            ]
            answered = [answer async for answer in stub.EstimateStream(iter(frames))]
            assert [answer.error.code for answer in answered] == ["internal", ""]


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_person_at_no_place_is_an_error_and_never_json_nan(wrong: float) -> None:
    def steps(image: Pixels) -> Steps:
        yield Infer("network", image[None])
        return People.of(np.full((1, 18, 3), wrong, np.float32), np.ones(1, np.float32))

    gate = Gate()
    gate.opened.set()
    with service(model_of(gate, steps)) as running:
        async with over_http(running) as http:
            answer = await http.post("/v1/poses", content=DARK, timeout=PATIENCE_S)
            assert answer.status_code == 500
            assert_error(json.loads(answer.text, parse_constant=pytest.fail), "internal")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_one_value_of_many_is_found(wrong: float, dtype: type) -> None:
    maps: npt.NDArray[Any] = np.ones((2, 57, 46, 82), dtype)
    check_maps({"fine": maps, "empty": maps[:0]})
    maps[1, 30, 40, 50] = wrong
    with pytest.raises(InternalError, match="broken"):
        check_maps({"fine": maps[:1], "broken": maps})


def test_opposite_infinities_do_not_cancel_out() -> None:
    maps = np.array([np.inf, -np.inf], np.float32)
    with pytest.raises(InternalError):
        check_maps({"maps": maps})


def test_large_numbers_and_whole_ones_are_numbers() -> None:
    check_maps(
        {
            "large": np.full((1, 1000), np.finfo(np.float32).max, np.float32),
            "half": np.full((1, 1000), np.finfo(np.float16).max, np.float16),
            "whole": np.full((1, 1000), np.iinfo(np.int64).max),
        }
    )


def test_people_are_looked_at_wherever_they_have_numbers() -> None:
    def people() -> People:
        return People.of(np.ones((2, 17, 3), np.float32), np.ones(2, np.float32))

    check_people(people())
    for name in ("keypoints", "scores", "boxes"):
        wrong = people()
        getattr(wrong, name).flat[-1] = np.nan
        with pytest.raises(InternalError):
            check_people(wrong)
