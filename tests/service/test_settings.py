"""Every setting comes from the environment or a flag, is checked, and says what it means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from engines.options import Options
from service.settings import Settings

# Of settings without a default.
_EXAMPLES = {
    "cors_origins": "https://example.org",
    "gpu_memory": "1024",
    "pictures": ".",
    "rate_limit": "100/minute",
    "sizes": "256x192",
}
NAMES = tuple(Settings.model_fields)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, and a user without a cache."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_defaults_serve_the_contracts_ports_and_limits() -> None:
    settings = Settings()
    assert settings.models == ("posewire-small",)
    assert (settings.http_port, settings.grpc_port) == (8000, 9000)
    assert settings.max_pixels == 25_000_000
    assert settings.max_bytes == 16 * 2**20
    assert settings.mirror is None
    assert settings.cache.name == "posewire"
    assert settings.max_delay_ms == 0
    assert settings.detector == "yolox-nano"
    assert settings.options == Options()


def test_a_setting_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEWIRE_MODELS", "one, two,")
    monkeypatch.setenv("POSEWIRE_CACHE", "somewhere/else")
    monkeypatch.setenv("POSEWIRE_HEIGHT", "256")
    monkeypatch.setenv("POSEWIRE_MAX_DELAY_MS", "2.5")
    settings = Settings()
    assert settings.models == ("one", "two")
    assert settings.cache == Path("somewhere/else")
    assert settings.height == 256
    assert settings.max_delay_ms == 2.5


def test_options_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FLIP", "true"), ("DARK", "1"), ("HEIGHT", "512"), ("SCALES", "2, .5,1")):
        monkeypatch.setenv(f"POSEWIRE_{name}", value)
    assert Settings().options == Options(512, flip=True, scales=(2, 0.5, 1), dark=True)


@pytest.mark.parametrize("given", ["1", "1.0", " 1 ", "1,"])
def test_the_pictures_own_size_alone_is_no_option(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSEWIRE_SCALES", given)
    assert Settings().options.chosen() == set()


@pytest.mark.parametrize(
    "wrong",
    [
        *("", ",", "2", "0.5,2", "0.75,1", "1,1.3", "0,1", "-1,1", "1,4.5", "1,1e9"),
        *("nan,1", "inf,1", "1,two", "1;2", "[1,2]", "1 2"),
    ],
)
def test_scales_are_halves_with_1_among_them(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="scales"):
        Settings.from_flags([f"--scales={wrong}"])
    monkeypatch.setenv("POSEWIRE_SCALES", wrong)
    with pytest.raises(ValidationError) as failed:
        Settings()
    assert {problem["loc"][0] for problem in failed.value.errors()} == {"scales"}


def test_a_flag_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEWIRE_HTTP_PORT", "1111")
    monkeypatch.setenv("POSEWIRE_GRPC_PORT", "2222")
    settings = Settings.from_flags(["--http-port", "3333"])
    assert (settings.http_port, settings.grpc_port) == (3333, 2222)


@pytest.mark.parametrize(
    ("flags", "models"),
    [
        (["--models", "one,two"], ("one", "two")),
        (["--models=one"], ("one",)),
        (["--models", "one", "--models", "two"], ("one", "two")),
        ([], ("posewire-small",)),
    ],
)
def test_models_are_separated_by_commas(flags: list[str], models: tuple[str, ...]) -> None:
    assert Settings.from_flags(flags).models == models


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_flag(name: str) -> None:
    shown = {name: value for name, value, _ in Settings().described()}[f"POSEWIRE_{name.upper()}"]
    flag = f"--{name.replace('_', '-')}"
    value = [] if shown in {"true", "false"} else [shown or _EXAMPLES.get(name, "64")]
    assert Settings.from_flags([flag, *value])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("models", ""),
        ("models", ","),
        ("height", "0"),
        ("height", "tall"),
        ("http_port", "65536"),
        ("grpc_port", "-1"),
        ("threads", "-1"),
        ("max_batch", "0"),
        ("max_delay_ms", "-1"),
        ("max_images", "0"),
        ("max_bytes", "16MB"),
        ("max_boxes", "0"),
        ("flip", "sometimes"),
        ("dark", "2"),
        ("timeout", "0"),
        ("grace", "soon"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_setting(
    name: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"POSEWIRE_{name.upper()}", wrong)
    with pytest.raises(ValidationError) as failed:
        Settings()
    assert [problem["loc"] for problem in failed.value.errors()] == [(name,)]


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize("name", ["max_delay_ms", "timeout", "grace"])
def test_a_time_is_a_finite_number(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"POSEWIRE_{name.upper()}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_an_unknown_flag_ends_with_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Settings.from_flags(["--htpp-port", "80"])
    assert ended.value.code == 2
    assert "--htpp-port" in capsys.readouterr().err


def test_the_help_lists_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Settings.from_flags(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name in NAMES:
        assert f"--{name.replace('_', '-')}" in shown


def test_every_setting_is_described_in_a_sentence() -> None:
    described = list(Settings().described())
    assert [name for name, _, _ in described] == [f"POSEWIRE_{name.upper()}" for name in NAMES]
    assert all(text.endswith(".") for _, _, text in described)


def test_a_process_with_the_environment_of_settings_has_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings(
        models=("one", "two"),
        height=256,
        flip=True,
        scales=(0.5, 1, 2),
        detector="three",
        max_boxes=7,
        cache=Path("a folder") / "x",
        mirror="http://127.0.0.1/weights",
        http_port=0,
        threads=3,
        max_delay_ms=1.5,
        grace=0,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_what_is_unset_stays_unset_in_the_environment() -> None:
    assert not {"POSEWIRE_HEIGHT", "POSEWIRE_MIRROR"} & Settings().environment().keys()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().height = 64
