"""Finds, fetches and verifies the files of a model.

A file lives at `<cache>/<model>/<file>`. It is fetched from `<mirror>/<model>/<file>`, the
mirror being a folder or an address, else from its own address; written under another name
and moved into place only when its sha256 is right. Files that ship lie in the package and are
verified there: they need no cache. What a user brought lies in `<cache>/<model>/imported` and goes
before what is published.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, cast

from engines.catalog import Entry, Network, WeightFile, catalog

Progress = Callable[[str, int, int], None]  # file name, bytes done, bytes in all
_CHUNK = 1 << 16
_TIMEOUT_S = 30.0
_SHIPPED = Path(__file__).with_name("shipped")


class WeightsError(Exception):
    """Weights that are missing and cannot be fetched; the message says how to bring them."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where weights are kept, and where they are tried before their own address."""

    cache: Path
    mirror: str | None = None

    def folder(self, entry: Entry) -> Path:
        return self.cache / entry.name

    def published(self, entry: Entry) -> Path:
        """The folder of the published files."""
        return _SHIPPED / entry.name if entry.shipped else self.folder(entry)

    def imported(self, entry: Entry) -> Path:
        """The folder of what the user brought."""
        return self.folder(entry) / "imported"

    def engines(self, entry: Entry) -> Path:
        """The folder of what was built for this machine."""
        return self.folder(entry) / "engines"

    def graph(self, entry: Entry, network: Network) -> Path:
        """Where the graph of a network is, or would be."""
        brought = self.imported(entry) / network.graph
        return brought if brought.is_file() else self.published(entry) / network.graph

    def checkpoint(self, entry: Entry) -> Path:
        """Where the user's copy of the authors' checkpoint is, or would be.

        Raises:
            WeightsError: the model is not made of one.
        """
        if entry.checkpoint is None:
            raise WeightsError(f"{entry.name} is not made of a checkpoint: there is none to build")
        return self.imported(entry) / entry.checkpoint.file

    def fetchable(self, entry: Entry) -> bool:
        """Whether every published file has an address, or a mirror may have it."""
        known = all(file.address or self.mirror for file in entry.files)
        return bool(entry.files) and known

    def missing(self, entry: Entry) -> list[WeightFile]:
        """Published files that are needed and not here, or not as published."""
        folder = self.imported(entry)
        if all((folder / network.graph).is_file() for network in entry.networks.values()):
            return []
        published = self.published(entry)
        return [file for file in entry.files if not is_published(published / file.name, file)]

    def ready(self, entry: Entry) -> bool:
        """Whether the engines' graphs are here."""
        return not self.missing(entry) and self._has_graphs(entry)

    def _has_graphs(self, entry: Entry) -> bool:
        return all(self.graph(entry, network).is_file() for network in entry.networks.values())


def ensure(entry: Entry, store: Store, progress: Progress | None = None) -> Path:
    """The folder with the files of `entry`, fetching what is missing.

    Raises:
        WeightsError: what is missing, why, and how to bring it, in one line.
    """
    for file in store.missing(entry):
        if entry.shipped:
            raise WeightsError(f"{entry.name} lacks {file.name}: {how_to_bring(entry)}")
        _fetch(entry, file, store, progress)
    if not store.ready(entry):
        raise WeightsError(f"{entry.name} cannot be fetched: {how_to_bring(entry)}")
    return store.published(entry)


def keep(file: Path, target: Path) -> Path:
    """Copies a user's file to `target`, whole or not at all."""
    if target.exists() and target.samefile(file):
        return target
    with file.open("rb") as source, atomically(target) as out:
        shutil.copyfileobj(source, out)
    return target


def how_to_bring(entry: Entry) -> str:
    """What a user does for a model whose weights have no address."""
    if entry.shipped:
        return "it comes with Posewire: install that again"
    command = f"`posewire import {entry.name} FILE`"
    if entry.checkpoint is not None:
        return f"get {entry.checkpoint.file} from {entry.source} and run {command}"
    if entry.files:
        return f"get {entry.files[0].name} ({entry.source}) and run {command}"
    return f"bring an ONNX file with {command}"


def _fetch(entry: Entry, file: WeightFile, store: Store, progress: Progress | None) -> None:
    sources = [file.address] if file.address else []
    if store.mirror:
        sources.insert(0, f"{store.mirror.rstrip('/')}/{entry.name}/{file.name}")
    store.folder(entry).mkdir(parents=True, exist_ok=True)  # else a source would be blamed
    failures = []
    for source in sources:
        try:
            with _open(source) as stream:
                _write(stream, store.folder(entry) / file.name, file, progress)
        except (OSError, ValueError, HTTPException) as error:
            failures.append(f"{source}: {_reason(error)}")
        else:
            return
    tried = "; ".join(failures) or "it has no address of its own"
    raise WeightsError(
        f"{entry.name} lacks {file.name} ({tried}); bring it with `posewire import {entry.name} "
        f"FILE`, or with POSEWIRE_MIRROR, a folder or address that has {entry.name}/{file.name}; "
        f"without a network, {_alone()} runs, which comes with Posewire"
    )


def _alone() -> str:
    """Models that need nothing that is not here."""
    return " or ".join(name for name, entry in catalog().items() if entry.shipped)


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
    with atomically(target) as out:
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
def atomically(target: Path) -> Iterator[BinaryIO]:
    """A file that becomes `target` when the block ends well, and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
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


def is_published(path: Path, file: WeightFile) -> bool:
    """Whether the file at `path` is that one, byte for byte."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
