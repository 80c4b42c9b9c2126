"""Weights are fetched whole and as published, or not at all."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from engines import weights
from engines.catalog import Entry, WeightFile, find
from engines.weights import Store, WeightsError, ensure
from tests.engines.website import Damage, Site, serving

GRAPH = b"<net>" + bytes(range(256)) * 800  # several reads long
CONSTANTS = bytes(range(255, -1, -1)) * 600
NAMES = ("graph.xml", "graph.bin")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("urllib.request._opener", None)  # it remembers proxies
    with serving() as site:
        yield site


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def entry_at(address: str) -> Entry:
    """A model of two small files that are published at `address`."""
    files = tuple(
        WeightFile(name, hashlib.sha256(data).hexdigest(), len(data), f"{address}/own/{name}")
        for name, data in zip(NAMES, (GRAPH, CONSTANTS), strict=True)
    )
    real = find("lightweight-openpose-int8")
    network = replace(real.networks["network"], graph="graph.xml")
    return replace(real, name="small", files=files, networks={"network": network})


def published(folder: str) -> dict[str, bytes]:
    return {f"/{folder}/graph.xml": GRAPH, f"/{folder}/graph.bin": CONSTANTS}


def contents(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir()}


WHOLE = {"graph.xml": GRAPH, "graph.bin": CONSTANTS}


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The same model where its files came with the package."""
    folder = tmp_path / "shipped" / "small"
    folder.mkdir(parents=True)
    for name, data in WHOLE.items():
        (folder / name).write_bytes(data)
    monkeypatch.setattr(weights, "_SHIPPED", tmp_path / "shipped")
    entry = entry_at("")
    files = tuple(replace(file, address=None) for file in entry.files)
    return replace(entry, files=files, shipped=True)


def folder_mirror(root: Path, files: dict[str, bytes]) -> str:
    (root / "small").mkdir(parents=True)
    for name, data in files.items():
        (root / "small" / name).write_bytes(data)
    return str(root)


def test_a_mirror_folder_is_enough(tmp_path: Path, nowhere: str) -> None:
    store = Store(tmp_path / "cache", folder_mirror(tmp_path / "mirror", WHOLE))
    folder = ensure(entry_at(nowhere), store)
    assert folder == tmp_path / "cache" / "small"
    assert contents(folder) == WHOLE


@pytest.mark.parametrize("end", ["", "/"])
def test_a_mirror_address_is_enough(end: str, tmp_path: Path, site: Site, nowhere: str) -> None:
    site.files = published("mirror/small")
    store = Store(tmp_path, f"{site.address}/mirror{end}")
    assert contents(ensure(entry_at(nowhere), store)) == WHOLE


def test_without_a_mirror_a_file_comes_from_its_own_address(tmp_path: Path, site: Site) -> None:
    site.files = published("own")
    assert contents(ensure(entry_at(site.address), Store(tmp_path))) == WHOLE


def test_the_mirror_goes_before_the_own_address(tmp_path: Path, site: Site) -> None:
    site.files = published("own")
    store = Store(tmp_path / "cache", folder_mirror(tmp_path / "mirror", WHOLE))
    ensure(entry_at(site.address), store)
    assert site.asked == []


def test_progress_is_told_every_byte_up_to_the_size(tmp_path: Path, site: Site) -> None:
    site.files = published("own")
    told: dict[str, list[tuple[int, int]]] = {name: [] for name in NAMES}
    ensure(
        entry_at(site.address),
        Store(tmp_path),
        lambda name, done, total: told[name].append((done, total)),
    )
    for name, data in WHOLE.items():
        done = [bytes_done for bytes_done, _ in told[name]]
        assert {total for _, total in told[name]} == {len(data)}
        assert done == sorted(set(done))
        assert len(done) > 1
        assert done[-1] == len(data)


@pytest.mark.parametrize(
    "wrong",
    [GRAPH[:-1] + b"?", GRAPH + b"?", GRAPH * 2, GRAPH[:-1], b""],
    ids=["changed", "longer", "much longer", "shorter", "empty"],
)
@pytest.mark.parametrize("kind", ["folder", "address"])
def test_a_file_that_is_not_the_published_one_is_refused(
    kind: str, wrong: bytes, tmp_path: Path, site: Site, nowhere: str
) -> None:
    site.files = {"/small/graph.xml": wrong}
    folder = folder_mirror(tmp_path / "mirror", {"graph.xml": wrong})
    mirror = folder if kind == "folder" else site.address
    with pytest.raises(WeightsError, match="not the published file"):
        ensure(entry_at(nowhere), Store(tmp_path / "cache", mirror))
    assert contents(tmp_path / "cache" / "small") == {}


@pytest.mark.parametrize("damage", ["cut", "cut chunk", "rubbish"])
def test_a_transfer_that_breaks_off_leaves_nothing_and_the_next_starts_anew(
    damage: Damage, tmp_path: Path, site: Site
) -> None:
    site.files, site.damaged = published("own"), {"/own/graph.xml": damage}
    store = Store(tmp_path)
    with pytest.raises(WeightsError, match=r"graph\.xml"):
        ensure(entry_at(site.address), store)
    assert contents(tmp_path / "small") == {}

    site.damaged.clear()
    done: list[int] = []
    ensure(entry_at(site.address), store, lambda *told: done.append(told[1]))
    assert contents(tmp_path / "small") == WHOLE
    assert done[0] < len(GRAPH) / 2


def test_an_interrupted_pull_leaves_nothing(tmp_path: Path, site: Site) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    site.files = published("own")
    with pytest.raises(KeyboardInterrupt):
        ensure(entry_at(site.address), Store(tmp_path), interrupt)
    assert contents(tmp_path / "small") == {}


@pytest.mark.parametrize(
    "mirror",
    ["{folder}", "{folder}/absent", "{site}/absent", "{site}/cut", "{nowhere}", "http://a b"],
)
def test_a_broken_mirror_falls_back_to_the_own_address(
    mirror: str, tmp_path: Path, site: Site, nowhere: str
) -> None:
    folder = folder_mirror(tmp_path / "mirror", {"graph.xml": b"wrong"})
    site.files = published("own") | published("cut/small")
    site.damaged = {"/cut/small/graph.xml": "cut", "/cut/small/graph.bin": "cut"}
    address = mirror.format(folder=folder, site=site.address, nowhere=nowhere)
    store = Store(tmp_path / "cache", address)
    assert contents(ensure(entry_at(site.address), store)) == WHOLE


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path, site: Site) -> None:
    site.files = published("own")
    entry, store = entry_at(site.address), Store(tmp_path)
    assert not store.ready(entry)
    ensure(entry, store)
    assert store.ready(entry)
    site.asked.clear()
    ensure(entry, store)
    assert site.asked == []


@pytest.mark.parametrize("damaged", [b"?" + CONSTANTS[1:], CONSTANTS[:100], b""])
def test_only_a_damaged_file_in_the_cache_is_fetched_again(
    damaged: bytes, tmp_path: Path, site: Site
) -> None:
    site.files = published("own")
    entry, store = entry_at(site.address), Store(tmp_path)
    (ensure(entry, store) / "graph.bin").write_bytes(damaged)
    site.asked.clear()
    assert not store.ready(entry)
    assert contents(ensure(entry, store)) == WHOLE
    assert site.asked == ["/own/graph.bin"]


def test_the_error_names_in_one_line_what_is_missing_and_how_to_bring_it(
    tmp_path: Path, nowhere: str
) -> None:
    with pytest.raises(WeightsError) as failed:
        ensure(entry_at(nowhere), Store(tmp_path / "cache", str(tmp_path / "mirror")))
    message = str(failed.value)
    assert "\n" not in message
    for part in ("small lacks graph.xml", f"{nowhere}/own/graph.xml", "Connection refused"):
        assert part in message
    for part in ("POSEWIRE_MIRROR", "small/graph.xml", "posewire import small FILE"):
        assert part in message


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lightweight-openpose", "checkpoint_iter_370000.pth"),
        ("openpose-body25", "pose_iter_584000.caffemodel"),
        ("multiposenet-resnet101", "ckpt_baseline_resnet101.h5"),
        ("yolox-nano", "yolox_nano.onnx"),
        ("top-down-256x192", "ONNX file"),
    ],
)
def test_a_model_that_cannot_be_fetched_says_which_file_to_bring_and_how(
    name: str, file: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError) as failed:
        ensure(find(name), Store(tmp_path))
    assert file in str(failed.value)
    assert f"posewire import {name} FILE" in str(failed.value)


def test_pulls_at_once_all_succeed(tmp_path: Path, site: Site) -> None:
    site.files = published("own")
    start = threading.Barrier(4)

    def pull(_: int) -> dict[str, bytes]:
        start.wait(10)
        return contents_named(ensure(entry_at(site.address), Store(tmp_path)))

    def contents_named(folder: Path) -> dict[str, bytes]:
        return {name: (folder / name).read_bytes() for name in NAMES}

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(pull, range(4))) == [WHOLE] * 4
    assert contents(tmp_path / "small") == WHOLE


def test_what_ships_needs_no_cache(shipped: Entry, tmp_path: Path) -> None:
    impossible = tmp_path / "file"
    impossible.touch()
    store = Store(impossible / "cache")
    assert store.ready(shipped)
    folder = ensure(shipped, store)
    assert contents(folder) == WHOLE
    assert store.graph(shipped, shipped.networks["network"]) == folder / "graph.xml"


def test_what_ships_is_verified_and_not_fetched(shipped: Entry, tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", folder_mirror(tmp_path / "mirror", WHOLE))
    (ensure(shipped, store) / "graph.bin").write_bytes(b"?" + CONSTANTS[1:])
    assert not store.ready(shipped)
    with pytest.raises(WeightsError, match=r"small lacks graph\.bin.*install that again"):
        ensure(shipped, store)
    assert not (tmp_path / "cache").exists()


def test_what_a_user_brought_goes_before_what_ships(shipped: Entry, tmp_path: Path) -> None:
    store, network = Store(tmp_path / "cache"), shipped.networks["network"]
    brought = store.imported(shipped) / network.graph
    brought.parent.mkdir(parents=True)
    brought.write_bytes(GRAPH)
    assert store.graph(shipped, network) == brought
