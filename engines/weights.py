"""Finds, fetches and verifies the files of a model.

A file lives at `<cache>/<model>/<file>`. It is fetched from `<mirror>/<model>/<file>`, the
mirror being a folder or an address, else from its own address; written under another name
and moved into place only when its sha256 is right.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, cast

from engines.catalog import Entry, WeightFile

Progress = Callable[[str, int, int], None]  # file name, bytes done, bytes in all
_CHUNK = 1 << 16
_TIMEOUT_S = 30.0


class WeightsError(Exception):
    """Weights that are missing and cannot be fetched; the message says how to bring them."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where weights are kept, and where they are tried before their own address."""

    cache: Path
    mirror: str | None = None

    def folder(self, entry: Entry) -> Path:
        return self.cache / entry.name

    def missing(self, entry: Entry) -> list[WeightFile]:
        """Published files that are not in the cache, or not as published."""
        return [file for file in entry.files if not _is_whole(self.folder(entry) / file.name, file)]

    def ready(self, entry: Entry) -> bool:
        """Whether the engine's graph is here."""
        return not self.missing(entry) and (self.folder(entry) / entry.network.graph).is_file()


def ensure(entry: Entry, store: Store, progress: Progress | None = None) -> Path:
    """The folder with every file of `entry`, fetching what is missing.

    Raises:
        WeightsError: what is missing, why, and how to bring it, in one line.
    """
    folder = store.folder(entry)
    for file in store.missing(entry):
        _fetch(entry, file, store, progress)
    if not (folder / entry.network.graph).is_file():
        raise WeightsError(
            f"{entry.name} has no published graph: download {entry.network.checkpoint} of "
            f"{entry.source} and run `posewire build {entry.name} --checkpoint FILE`"
        )
    return folder


def _fetch(entry: Entry, file: WeightFile, store: Store, progress: Progress | None) -> None:
    sources = [file.address]
    if store.mirror:
        sources.insert(0, f"{store.mirror.rstrip('/')}/{entry.name}/{file.name}")
    failures = []
    for source in sources:
        try:
            with _open(source) as stream:
                _write(stream, store.folder(entry) / file.name, file, progress)
        except (OSError, ValueError, HTTPException) as error:
            failures.append(f"{source}: {_reason(error)}")
        else:
            return
    raise WeightsError(
        f"{entry.name} lacks {file.name} ({'; '.join(failures)}); bring it with POSEWIRE_MIRROR, "
        f"a folder or address that has {entry.name}/{file.name}, or copy it into "
        f"{store.folder(entry)}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        error = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(error, FileNotFoundError):
        return "not there"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _open(source: str) -> BinaryIO:
    if source.startswith(("http://", "https://")):
        answer = urllib.request.urlopen(source, timeout=_TIMEOUT_S)  # noqa: S310 - checked above
        return cast("BinaryIO", answer)
    return Path(source).open("rb")


def _write(stream: BinaryIO, target: Path, file: WeightFile, progress: Progress | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _atomically(target) as out:
        digest, done = hashlib.sha256(), 0
        while chunk := stream.read(_CHUNK):
            done += len(chunk)
            if done > file.size:
                break
            out.write(chunk)
            digest.update(chunk)
            if progress:
                progress(file.name, done, file.size)
        if done != file.size or digest.hexdigest() != file.sha256:
            raise ValueError(
                f"not the published file, {done} bytes with sha256 {digest.hexdigest()[:12]}… "
                f"in place of {file.size} with {file.sha256[:12]}…"
            )


@contextmanager
def _atomically(target: Path) -> Iterator[BinaryIO]:
    """A file that becomes `target` when the block ends well, and vanishes when it does not."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _is_whole(path: Path, file: WeightFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
