"""HRNet and DEKR, without heads and with them."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.grouping import dekr, top_down
from engines.grouping.dekr_nms import keep
from engines.networks.dekr import Dekr
from engines.networks.dekr_fused import fuse
from engines.networks.hrnet import HRNet
from engines.skeletons import COCO_17
from tests.benchmarks.heads_case import Case, Head, Maps, People
from tests.benchmarks.heads_part_affinity import around, over
from tests.engines.grouping.dekr_scenes import SIZE, crowd, draw

_KEYPOINTS = len(COCO_17.keypoints)
_DARK_REACH = 7  # heatmap pixels around the highest that DARK's blur and derivatives read


class Highest(nn.Module):
    """Keypoints (N, K, 3) of (N, K, h, w) heatmaps, by HRNet's rule."""

    def forward(self, heatmaps: Tensor) -> Tensor:
        height, width = heatmaps.shape[2:]
        place = heatmaps.flatten(2).argmax(dim=2, keepdim=True)
        y = over(place, width)
        x = place - y * width
        _, top, _, left, score, right, _, bottom, _ = around(heatmaps, place, 1).unbind(dim=-1)
        inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        quarter = 0.25 * inner.float()
        found = (score > 0).float()
        moved_x = found * (x + quarter * (right - left).sign())
        moved_y = found * (y + quarter * (bottom - top).sign())
        return torch.cat([moved_x, moved_y, score], dim=2)


class Patches(nn.Module):
    """Of each heatmap the highest pixel's place, and the pixels around it that DARK reads."""

    def forward(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        place = heatmaps.flatten(2).argmax(dim=2, keepdim=True)
        return place.int(), around(heatmaps, place, _DARK_REACH)


def hrnet(crops: int, *, dark: bool = False) -> Case:
    """Crops of 256x192; a Gaussian peak of two pixels in each heatmap."""
    rng = np.random.default_rng(0)
    rows, columns = np.arange(64)[:, None], np.arange(48)
    y, x = (rng.uniform(2, side - 2, (1, _KEYPOINTS, 1, 1)) for side in (64, 48))
    heatmaps = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8).astype(np.float32)
    head = Head("highest pixels", Highest(), ["keypoints"], lambda maps: (maps["keypoints"],))
    if dark:
        head = Head("surroundings", Patches(), ["place", "around"], _dark)
    return Case(
        f"hrnet-w32, {crops} crops{', DARK' if dark else ''}",
        partial(HRNet, 32, _KEYPOINTS),
        32,
        (crops, 256, 192),
        {"heatmaps": heatmaps},
        lambda maps: (top_down.decode(maps["heatmaps"], dark),),
        [head],
    )


def _dark(maps: Maps) -> People:
    """The product's DARK on surroundings, which are maps of their own to it."""
    height, width, side = 64, 48, 2 * _DARK_REACH + 1
    place = maps["place"].reshape(-1)
    patches = maps["around"].reshape(-1, side, side)
    y, x = np.divmod(place, width)
    middle = np.full(len(place), _DARK_REACH)
    inner = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    moves = top_down._dark(patches, middle, middle) * inner[:, None]
    scores = patches[:, _DARK_REACH, _DARK_REACH, None]
    places = np.where(scores > 0, np.stack([x, y], axis=1) + moves, 0)
    keypoints = np.concatenate([places, scores], axis=1, dtype=np.float32)
    return (keypoints.reshape(len(maps["place"]), _KEYPOINTS, 3),)


class Centres(nn.Module):
    """DEKR's centres of people, their keypoints' places, and the enlarged heatmaps there.

    Gives (N, P) scores of centres, 0 for nobody; (N, P, K, 2) x, y in the input's pixels; and
    (N, P, K) heat. The window of a centre depends on the size of the map: this is the graph for
    maps of up to 200 pixels; larger ones need others.
    """

    def forward(self, heatmaps: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = heatmaps.shape[2:]
        centre = heatmaps[:, -1:]
        is_peak = centre >= functional.max_pool2d(centre, 3, 1, 1)
        heat = torch.where(is_peak & (centre > dekr.COCO.threshold), centre, 0).flatten(1)
        scores, place = heat.topk(dekr.COCO.max_people, dim=1)
        y = over(place, width)
        at = torch.stack([place - y * width, y], dim=2).float().unsqueeze(2)
        told = offsets.flatten(2).gather(2, place.unsqueeze(1).expand(-1, offsets.shape[1], -1))
        poses = (at - told.mT.reshape(told.shape[0], -1, _KEYPOINTS, 2)) * dekr.STRIDE
        # Enlarged as the authors do, map pixel i lies upon pixel 4i, and the last one's value
        # goes on to the border.
        x, y = (2 * poses.floor() / dekr.STRIDE + 1).unbind(dim=-1)
        grid = torch.stack([x / width - 1, y / height - 1], dim=-1).transpose(1, 2)
        sampled = functional.grid_sample(
            heatmaps[:, :-1].flatten(0, 1).unsqueeze(1),
            grid.flatten(0, 1).unsqueeze(1),
            padding_mode="border",
            align_corners=False,
        )
        return scores, poses, sampled.reshape(-1, _KEYPOINTS, dekr.COCO.max_people).mT


def dekr_w32(people: int) -> Case:
    """An input of 512x512 with noise beside the people."""
    drawn = draw(crowd(people, COCO_17), COCO_17, noise=0.02)
    head = Head("centres", Centres(), ["scores", "poses", "heat"], _from_centres)
    return Case(
        f"dekr-w32, {people} people",
        lambda: fuse(Dekr(32, _KEYPOINTS).eval()),
        32,
        (1, *SIZE),
        {"heatmaps": drawn.heatmaps, "offsets": drawn.offsets},
        _decode,
        [head],
    )


def _decode(maps: Maps) -> People:
    one = dekr.Pass(maps["heatmaps"], maps["offsets"])
    return dekr.decode([one], COCO_17, dekr.COCO)


def _from_centres(maps: Maps) -> People:
    rule = dekr.COCO
    found = maps["scores"][0] > 0
    centres, poses, heat = (maps[name][0, found] for name in ("scores", "poses", "heat"))
    kept = keep(poses, heat.mean(axis=1), rule.near, rule.shared)[: rule.max_people]
    scores = centres[kept, None] * heat[kept]
    return np.concatenate([poses[kept], scores[:, :, None]], axis=2), scores.mean(axis=1)
