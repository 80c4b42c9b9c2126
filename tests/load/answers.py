"""Whether an answer is of the picture that was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.pb import pose_pb2 as pb
from tests.load.replies import Reply

# In a batch of two an engine rounds otherwise than alone, by parts of a pixel; the people of
# pictures in a row are 11 pixels apart, and no two pictures have the same width.
_PIXELS, _SEEN = 4.0, 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """The image's size and its best person's keypoints, (K, 3) x, y, score; (0, 3) for nobody."""

    width: int
    height: int
    keypoints: npt.NDArray[np.float64]

    @classmethod
    def of(cls, reply: Reply) -> Seen:
        """What an answer with people says."""
        if reply.status == "200":
            return _of_json(json.loads(reply.body))
        return _of_message(pb.EstimateResponse.FromString(reply.body))

    def matches(self, other: Seen) -> bool:
        """Whether both are of one picture."""
        if (self.width, self.height) != (other.width, other.height):
            return False
        if self.keypoints.shape != other.keypoints.shape:
            return False
        sure = self.keypoints[:, 2] > _SEEN
        moved = np.abs(self.keypoints[sure, :2] - other.keypoints[sure, :2])
        return bool((moved <= _PIXELS).all())


def _of_json(answer: Any) -> Seen:
    best = [person["keypoints"] for person in answer["people"][:1]]
    return Seen(answer["image"]["width"], answer["image"]["height"], _array(best))


def _of_message(answer: pb.EstimateResponse) -> Seen:
    best = [
        [(keypoint.x, keypoint.y, keypoint.score) for keypoint in person.keypoints]
        for person in answer.people[:1]
    ]
    return Seen(answer.width, answer.height, _array(best))


def _array(best: list[Any]) -> npt.NDArray[np.float64]:
    return np.array(best[0] if best else [], np.float64).reshape(-1, 3)
