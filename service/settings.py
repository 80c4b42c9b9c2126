"""Every setting, once. The only reader of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Settings come from `POSEWIRE_*` in the environment; `posewire serve` has a flag for each."""

    model_config = SettingsConfigDict(env_prefix="POSEWIRE_", frozen=True)

    models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("lightweight-openpose-int8",),
        min_length=1,
        description="Models to serve, separated by commas; the first is the default.",
    )
    height: int | None = Field(
        default=None, ge=32, le=4096, description="Network input height; the model's own if unset."
    )
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("posewire"),
        description="Folder of the weights.",
    )
    mirror: str | None = Field(
        default=None, description="Folder or address tried before a model's own addresses."
    )
    host: str = Field(default="127.0.0.1", description="Address both servers listen on.")
    http_port: int = Field(default=8000, ge=0, le=65535, description="0 picks a free one.")
    grpc_port: int = Field(default=9000, ge=0, le=65535, description="0 picks a free one.")
    threads: int = Field(
        default=0, ge=0, description="Threads of a CPU engine; 0 takes every core."
    )
    max_batch: int = Field(
        default=2, ge=1, le=64, description="Most pictures a CPU engine takes at once."
    )
    max_delay_ms: float = Field(
        default=0.0, ge=0, description="How long the oldest picture may wait for company."
    )
    max_images: int = Field(
        default=64, ge=1, description="Images in the system; above it requests are refused."
    )
    max_bytes: int = Field(default=16 * 2**20, ge=1, description="Largest encoded image.")
    max_pixels: int = Field(default=40_000_000, ge=1, description="Largest decoded image.")
    max_parts: int = Field(
        default=16, ge=1, le=1000, description="Images in one multipart request."
    )
    max_people: int = Field(default=100, ge=1, description="People an image may ask for.")
    stream_window: int = Field(
        default=8, ge=1, description="Frames of one gRPC stream in the system."
    )
    timeout: float = Field(
        default=30.0, gt=0, description="Longest time a request may take, in seconds."
    )
    grace: float = Field(
        default=20.0, ge=0, description="Time accepted work has to finish after SIGTERM."
    )

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value
