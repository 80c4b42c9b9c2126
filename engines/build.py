"""Engines that are built once, compared with PyTorch, and kept: `posewire build`, and `load`.

What is built of a network lies in a folder of its own, `<cache>/<model>/engines/<name>`, beside
a sidecar that says what it is. It is made under another name and moved there whole; one process
at a time works on a model.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from engines import sidecar
from engines.building.calibration import digest
from engines.building.maker import Maker, Order
from engines.catalog import Network
from engines.comparison import UnprovenError, prove
from engines.pictures import pictures
from engines.reference import reference
from engines.runtime.engine import Engine
from engines.sidecar import Identity, Sidecar

_LOCK = ".lock"
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Built:
    """What was built of a network, if anything has to be, in a folder of its own."""

    network: Network
    folder: Path
    sidecar: Sidecar


def find_or_build(maker: Maker, order: Order) -> list[Built]:
    """Every network of an order, built where that is missing or does not fit this machine.

    They may not have been compared yet; `open_proven` does that. A published graph that is run as
    it is needs nothing built.
    """
    if _as_published(maker, order):
        return []
    with _alone(order):
        return _build(maker, order)


def open_proven(maker: Maker, order: Order) -> dict[str, Engine]:
    """Engines of every network of an order, by name; what is missing is built, and what was not
    compared on this machine is compared before it is used.

    Raises:
        UnprovenError: an engine differs too much; what was built is removed, and not built again
            to be compared on the same pictures.
    """
    if _as_published(maker, order):
        folder = order.store.folder(order.entry)
        networks = order.entry.networks.values()
        return {network.name: maker.open(network, folder) for network in networks}
    with _alone(order):
        built = _build(maker, order)
        with ExitStack() as undo:
            engines: dict[str, Engine] = {}
            for one in built:
                engines[one.network.name] = engine = maker.open(one.network, one.folder)
                undo.callback(engine.close)
            if not all(one.sidecar.proven_on(maker.machine) for one in built):
                _prove(maker, order, built, engines)
            undo.pop_all()
    return engines


def _as_published(maker: Maker, order: Order) -> bool:
    """Whether published graphs are run as they are: there is nothing to build or compare."""
    entry, store = order.entry, order.store
    made = entry.checkpoint is not None and store.checkpoint(entry).is_file()
    return maker.backend == "openvino" and order.precision == entry.precision and not made


def _build(maker: Maker, order: Order) -> list[Built]:
    return [_find_or_make(maker, order, network) for network in order.entry.networks.values()]


def _find_or_make(maker: Maker, order: Order, network: Network) -> Built:
    identity = _identity(maker, order, network)
    folder = order.store.engines(order.entry) / _name(identity)
    found = sidecar.read(folder, identity)
    if found is not None and found.refused:
        if found.pictures == digest(order):
            raise UnprovenError(found.refused)
        found = None
    if found is None:
        found = _make(maker, network, identity, folder)
        _remove_superseded(folder, identity)
    return Built(network, folder, found)


def _make(maker: Maker, network: Network, identity: Identity, folder: Path) -> Sidecar:
    """Builds in a folder beside, which takes the name when it is whole."""
    work = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        maker.make(network, work)
        made = sidecar.describe(identity, work)
        made.write(work)
        work.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        work.replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return made


def _prove(maker: Maker, order: Order, built: list[Built], engines: dict[str, Engine]) -> None:
    """Compares a model on these engines with PyTorch, and writes down how that went."""
    original = reference(order.entry, order.store, order.options)
    on = f"{maker.backend} {order.precision}"
    order.say(f"comparing {order.entry.name} on {on} with {original.why}")
    try:
        given = pictures(order.wanted.pictures)
        comparison = prove(original, order.model(engines), given, order.precision)
    except UnprovenError as error:
        for one in built:
            shutil.rmtree(one.folder)
            one.folder.mkdir()
            refused = Sidecar(one.sidecar.identity, {}, refused=str(error), pictures=digest(order))
            refused.write(one.folder)
        raise
    finally:
        original.close()
    for one in built:
        one.sidecar.compared(comparison, maker.machine).write(one.folder)


def _identity(maker: Maker, order: Order, network: Network) -> Identity:
    entry, graph = order.entry, maker.graph(network)
    checkpoint = order.store.checkpoint(entry) if entry.checkpoint else graph
    fitted = order.precision == "int8" and entry.precision != "int8"
    return Identity(
        model=entry.name,
        network=network.name,
        weights=sidecar.sha256(checkpoint if checkpoint.is_file() else graph),
        graph=sidecar.sha256(graph),
        backend=maker.backend,
        version=maker.version,
        precision=order.precision,
        profile=maker.profile(network),
        calibration=digest(order) if fitted else "",
        machine=maker.built_for,
    )


def _name(identity: Identity) -> str:
    network = identity.network.replace("/", "-")
    return f"{network}.{identity.backend}.{identity.precision}.{identity.key}"


def _remove_superseded(folder: Path, identity: Identity) -> None:
    """Removes engines that the one in `folder` replaces: all but its versions are the same."""
    for other in folder.parent.glob(f"{folder.name.rpartition('.')[0]}.*"):
        if other != folder and sidecar.superseded(other, identity):
            shutil.rmtree(other)


@contextmanager
def _alone(order: Order) -> Iterator[None]:
    """No other process builds engines of the model meanwhile.

    Where the lock cannot be written, as in a cache that is read only, what is there is used.
    """
    folder = order.store.engines(order.entry)
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        order.say(f"another process builds engines of {order.entry.name}; waiting for it")
        lock.acquire()
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
    try:
        if lock.is_locked:
            _remove_unfinished(folder)
        yield
    finally:
        lock.release()


def _remove_unfinished(folder: Path) -> None:
    """Removes what processes that were killed have left."""
    for left in folder.glob(".*/"):
        shutil.rmtree(left, ignore_errors=True)
