"""Every setting, once. The only reader of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import DirectoryPath, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, CliApp, NoDecode, SettingsConfigDict

from engines.options import Options
from engines.precision import Precision
from engines.runtime.options import Backend, EngineOptions
from engines.sizes import parse_sizes
from service.default import FETCHED, SHIPPED, default_models

_ORIGIN = re.compile(r"\*|https?://[^/\s]+")
WHOLE_IMAGE = "whole-image"
"""In place of a detector's name: the whole image is one person."""


class Settings(BaseSettings):
    """Settings come from `POSEWIRE_*` in the environment; `posewire serve` has a flag for each."""

    model_config = SettingsConfigDict(
        env_prefix="POSEWIRE_",
        frozen=True,
        cli_prog_name="posewire",
        cli_kebab_case=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_implicit_flags=True,
    )

    # Before the models, whose default depends on it.
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("posewire"),
        description="Folder of the weights.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        default_factory=default_models,
        min_length=1,
        description="Models to serve, separated by commas; the first is the default. Without any: "
        f"{FETCHED} where its weights are in the cache, else {SHIPPED}.",
    )
    height: int | None = Field(
        default=None, ge=32, le=4096, description="Network input height; the model's own if unset."
    )
    flip: bool = Field(
        default=False, description="Flip test of HRNet and DEKR: look at the mirrored picture too."
    )
    scales: Annotated[tuple[float, ...], NoDecode] = Field(
        default=(1.0,), description="Sizes of the picture that DEKR looks at; 1 must be among them."
    )
    dark: bool = Field(
        default=False, description="Place HRNet's keypoints by DARK, not by quarters of a pixel."
    )
    detector: str = Field(
        default="yolox-nano",
        description="Finds people for models that need boxes: a model's name, or whole-image.",
    )
    mirror: str | None = Field(
        default=None, description="Folder or address tried before a model's own addresses."
    )
    host: str = Field(default="127.0.0.1", description="Address both servers listen on.")
    http_port: int = Field(default=8000, ge=0, le=65535, description="0 picks a free one.")
    grpc_port: int = Field(default=9000, ge=0, le=65535, description="0 picks a free one.")
    threads: int = Field(
        default=0,
        ge=0,
        description="Threads of a CPU engine; 0 takes every core, or those of a container.",
    )
    engine: Backend | Literal["auto"] = Field(
        default="auto",
        description="What runs the networks; auto: TensorRT, else PyTorch on CUDA, else OpenVINO.",
    )
    precision: Precision | Literal["auto"] = Field(
        default="auto",
        description="Of the networks; auto: fp16 on a GPU, and on a CPU as they are published.",
    )
    max_batch: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Most pictures an engine takes at once; 2 on a CPU, 8 or 32 on a GPU.",
    )
    gpus: Annotated[tuple[int, ...] | None, NoDecode] = Field(
        default=None, description="Numbers of the GPUs to use, separated by commas; all of them."
    )
    gpu_memory: int | None = Field(
        default=None, ge=256, description="Most MiB of each GPU's memory; as much as there is."
    )
    sizes: str | None = Field(
        default=None,
        description="Inputs that TensorRT engines are built for, least, usual and largest, as in "
        "256x256,368x656,368x1472; what the system makes of pictures.",
    )
    pictures: DirectoryPath | None = Field(
        default=None,
        description="Folder of pictures with people, to calibrate int8 with and to compare "
        "engines on; a few that come with Posewire.",
    )
    max_delay_ms: float = Field(
        default=0.0,
        allow_inf_nan=False,
        ge=0,
        description="How long the oldest picture may wait for company.",
    )
    max_images: int | None = Field(
        default=None,
        ge=1,
        description="Images in the system, above which requests are refused; three batches for "
        "each engine of the first model's first network if unset.",
    )
    max_bytes: int = Field(default=16 * 2**20, ge=1, description="Largest encoded image.")
    max_pixels: int = Field(default=25_000_000, ge=1, description="Largest decoded image.")
    max_boxes: int = Field(default=100, ge=1, description="Boxes that a request may give.")
    max_request_bytes: int = Field(
        default=64 * 2**20, ge=1, description="Largest multipart body or gRPC message."
    )
    max_held_bytes: int = Field(
        default=512 * 2**20, ge=1, description="Bytes of all HTTP bodies at once."
    )
    max_parts: int = Field(
        default=16, ge=1, le=1000, description="Images in one multipart request."
    )
    stream_window: int = Field(
        default=4,
        ge=1,
        description="Frames of one gRPC stream, or images of one request, in the system.",
    )
    max_streams: int = Field(
        default=64, ge=1, description="Open gRPC streams, above which another is refused."
    )
    timeout: float = Field(
        default=30.0,
        allow_inf_nan=False,
        gt=0,
        description="Longest time a request may take, in seconds.",
    )
    grace: float = Field(
        default=20.0,
        allow_inf_nan=False,
        ge=0,
        description="Time accepted work has to finish after SIGTERM.",
    )
    drain_delay: float = Field(
        default=0.0,
        allow_inf_nan=False,
        ge=0,
        description="Seconds after SIGTERM in which the service is not ready but still accepts "
        "work, so that load balancers notice.",
    )
    watchdog: float = Field(
        default=30.0,
        allow_inf_nan=False,
        gt=0,
        description="Seconds after which an engine that does not end its batch is given up.",
    )
    restarts: int = Field(
        default=5,
        ge=0,
        description="Restarts in a row of fallen engines that may fail until the process ends.",
    )

    log_format: Literal["text", "json"] = Field(
        default="text", description="Of the log: text, or json, an object a line."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level of the log; each request is told at INFO."
    )
    traces: bool = Field(
        default=False,
        description="Send traces by OpenTelemetry; its own variables OTEL_* say where.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys of which a request must carry one, separated by commas; none is needed "
        "if unset.",
    )
    api_keys_file: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(),
        description="File of more such keys, one a line, or several files separated by commas.",
    )
    rate_limit: str | None = Field(
        default=None, description="Most requests with one API key, as in 100/minute."
    )
    metrics_open: bool = Field(
        default=False, description="Show /metrics without an API key where keys are set."
    )
    tls_certificate: Path | None = Field(
        default=None, description="Chain of certificates in PEM, for TLS on both ports."
    )
    tls_key: Path | None = Field(default=None, description="Private key of the certificate.")
    tls_client_ca: Path | None = Field(
        default=None,
        description="Certificates in PEM of which one must have signed a caller's own.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Web sites whose pages may call, as in https://example.org, separated by "
        "commas, or * for all.",
    )
    max_connections: int = Field(
        default=512,
        ge=1,
        description="Callers connected at once by each protocol; above it they are refused.",
    )

    @field_validator(
        *("models", "scales", "gpus", "api_keys", "api_keys_file", "cors_origins"), mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("scales")
    @classmethod
    def _with_one(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if 1.0 not in scales or any(scale % 0.5 or not 0.5 <= scale <= 4 for scale in scales):
            raise ValueError("scales are multiples of 0.5 up to 4, with 1 among them")
        return scales

    @field_validator("sizes")
    @classmethod
    def _three_sizes(cls, sizes: str | None) -> str | None:
        if sizes is not None:
            parse_sizes(sizes)
        return sizes

    @field_validator("rate_limit")
    @classmethod
    def _a_rate(cls, rate: str | None) -> str | None:
        if rate is not None:
            from service.access.rate_limit import parse  # noqa: PLC0415 - loads a library for it alone

            parse(rate)
        return rate

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [one for one in origins if not _ORIGIN.fullmatch(one)]:
            raise ValueError(f"{wrong[0]!r} is not an origin, as https://example.org is")
        return origins

    @property
    def options(self) -> Options:
        """How models run."""
        return Options(self.height, self.flip, self.scales, self.dark)

    @property
    def engine_options(self) -> EngineOptions:
        """How their engines run."""
        return EngineOptions(
            backend=None if self.engine == "auto" else self.engine,
            precision=None if self.precision == "auto" else self.precision,
            threads=self.threads,
            max_batch=self.max_batch,
            gpus=self.gpus,
            gpu_memory=self.gpu_memory,
            sizes=parse_sizes(self.sizes) if self.sizes else None,
            pictures=self.pictures,
        )

    @classmethod
    def from_flags(cls, flags: list[str]) -> Self:
        """Flags go before the environment; `--help` lists them. Exits on a wrong flag."""
        return CliApp.run(cls, cli_args=flags)

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, for a process that shall have the same."""
        told = {_variable(name): _told(getattr(self, name)) for name in type(self).model_fields}
        return {variable: value for variable, value in told.items() if value}

    def described(self) -> Iterator[tuple[str, str, str]]:
        """Environment variable, value and meaning of every setting; stars in place of secrets."""
        for name, field in type(self).model_fields.items():
            shown = _told(getattr(self, name), secrets=False)
            yield _variable(name), shown, field.description or ""


def _variable(name: str) -> str:
    return f"POSEWIRE_{name.upper()}"


def _told(value: object, *, secrets: bool = True) -> str:
    """As the environment would say it, or with stars in place of secrets."""
    if isinstance(value, tuple):
        return ",".join(
            f"{part:g}" if isinstance(part, float) else _told(part, secrets=secrets)
            for part in value
        )
    if isinstance(value, SecretStr) and secrets:
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
