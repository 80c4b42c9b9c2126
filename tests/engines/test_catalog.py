"""Every entry of the catalogue says all that is needed to serve it."""

from __future__ import annotations

import re

import pytest

from engines.catalog import UnknownModelError, catalog, find
from engines.skeletons import SKELETONS

NAMES = tuple(catalog())


def test_the_catalogue_has_the_models_that_are_served() -> None:
    assert {"lightweight-openpose-int8", "lightweight-openpose"} <= set(NAMES)


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
    wanted = find(name).input
    assert wanted.height > 0
    assert wanted.height % wanted.stride == 0
    assert 0 <= wanted.border <= 255


@pytest.mark.parametrize("name", NAMES)
def test_published_files_have_an_address_a_checksum_and_a_size(name: str) -> None:
    files = find(name).files
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert "/" not in file.name
        assert file.address.startswith("https://")
        assert file.address.endswith(f"/{file.name}")
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_is_either_published_or_built_from_a_named_checkpoint(name: str) -> None:
    entry = find(name)
    is_published = entry.network.graph in {file.name for file in entry.files}
    assert is_published == (entry.network.checkpoint is None)
    assert entry.network.outputs


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModelError) as failed:
        find("openpose-9000")
    assert "openpose-9000" in str(failed.value)
    for name in NAMES:
        assert name in str(failed.value)
