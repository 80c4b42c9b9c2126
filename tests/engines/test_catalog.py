"""Every entry of the catalogue says all that is needed to serve it."""

from __future__ import annotations

import re

import pytest

from engines.catalog import UnknownModelError, catalog, find
from engines.skeletons import SKELETONS

NAMES = tuple(catalog())


def test_the_catalogue_has_the_five_systems_and_a_detector() -> None:
    systems = {find(name).system for name in NAMES}
    bottom_up = {"lightweight-openpose", "openpose", "dekr", "multiposenet"}
    assert systems == {*bottom_up, "top-down", "yolox"}


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_what_it_is_where_it_is_from_and_how_good_it_is(name: str) -> None:
    entry = find(name)
    assert entry.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), "names are parts of paths and addresses"
    for said in (entry.title, entry.system, entry.licence, entry.source, entry.accuracy):
        assert said == said.strip() != ""


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_has_a_skeleton_that_others_can_name(name: str) -> None:
    skeleton = find(name).skeleton
    assert SKELETONS[skeleton.name] is skeleton


@pytest.mark.parametrize("name", NAMES)
def test_an_input_height_is_one_the_network_can_have(name: str) -> None:
    size = find(name).input
    for side in (size.height, size.width or size.height):
        assert side > 0
        assert side % 8 == 0


@pytest.mark.parametrize("name", NAMES)
def test_published_files_have_an_address_a_checksum_and_a_size(name: str) -> None:
    files = find(name).files
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert "/" not in file.name
        if find(name).shipped:
            assert file.address is None
        if file.address is not None:
            assert file.address.startswith("https://")
            assert file.address.endswith(f"/{file.name}")
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0


@pytest.mark.parametrize("name", NAMES)
def test_graphs_are_published_or_made_of_a_named_checkpoint_or_yours(name: str) -> None:
    entry = find(name)
    published = {file.name for file in entry.files}
    for network in entry.networks.values():
        assert network.outputs
        if published:
            assert {network.graph, network.exact or network.graph} <= published
            assert entry.checkpoint is None
        elif entry.checkpoint is None:
            assert entry.licence == "yours"


def test_what_ships_is_published_and_of_ten_megabytes_at_most() -> None:
    shipped = [file for name in NAMES if find(name).shipped for file in find(name).files]
    assert shipped
    assert sum(file.size for file in shipped) <= 10_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_exact_entry_has_float32_graphs_of_the_same_networks(name: str) -> None:
    entry = find(name)
    assert entry.exact == entry.exact.exact
    if not any(network.exact for network in entry.networks.values()):
        assert entry.exact is entry
        return
    assert entry.exact.precision == "fp32"
    for role, network in entry.networks.items():
        exact = entry.exact.networks[role]
        assert exact.graph == network.exact
        assert (exact.name, exact.outputs) == (network.name, network.outputs)


def test_no_two_networks_have_the_same_name() -> None:
    names = [network.name for name in NAMES for network in find(name).networks.values()]
    assert len(set(names)) == len(names)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModelError) as failed:
        find("openpose-9000")
    assert "openpose-9000" in str(failed.value)
    for name in NAMES:
        assert name in str(failed.value)
