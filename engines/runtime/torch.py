"""Networks as PyTorch runs them, on a GPU or, as the reference of all others, on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from engines.catalog import Network
from engines.networks.folding import fold
from engines.networks.on_pixels import OnPixels
from engines.precision import Precision
from engines.runtime.cuda import CudaLanes
from engines.runtime.engine import Batch, Maps, Pending
from engines.runtime.pipeline import CpuLanes, Pipeline, Shape, clear_memory_error

_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchEngine:
    """The authors' network in PyTorch.

    In float32 on the CPU it is what the authors' own code does, and what other engines are
    compared with. On a GPU normalisations are folded, images are channels-last, computation of
    the shapes that `warm` is given is captured in CUDA graphs, and float32 is that, not
    TensorFloat32: this is set for the whole process.

    Args:
        network: as `engines.graphs.networks_of` gives it; it is not changed.
        about: its outputs and pixels.
        device: "cpu", or "cuda:0" and so on.
        precision: any but int8.
        max_batch: the most inputs a call takes.
        ahead: batches that may be started on a GPU while one runs.
        graphs: the most CUDA graphs that are kept; 0 for none.

    Raises:
        ValueError: the precision is int8.
        MemoryError: the GPU has no room for the network; also of `start`, `infer` and `warm`.
    """

    name = "torch"

    def __init__(
        self,
        network: nn.Module,
        about: Network,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        max_batch: int = 2,
        ahead: int = 1,
        graphs: int = 32,
    ) -> None:
        if precision not in _TYPES:
            raise ValueError(f"PyTorch does not compute in {precision}: choose fp32, fp16 or bf16")
        self.device, self.precision, self.max_batch = device, precision, max_batch
        where = torch.device(device)
        on_cpu = where.type == "cpu"
        self.ahead = 0 if on_cpu else ahead
        if not on_cpu and precision == "fp32":
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        plain = on_cpu and precision == "fp32"
        prepared = _prepared(network, about, _TYPES[precision], plain)
        with clear_memory_error(where, about.name):
            prepared.to(where)
        self._pipeline = Pipeline(
            _Launch(prepared),
            CpuLanes() if on_cpu else CudaLanes(where),
            tuple(about.outputs),
            torch.float32 if about.pixels is None else torch.uint8,
            ahead=self.ahead,
            graphs=graphs,
        )

    def infer(self, batch: Batch) -> Maps:
        """Runs (N, h, w, 3) uint8 pictures, or arrays; the maps are the caller's."""
        return self.start(batch)()

    def start(self, batch: Batch) -> Pending:
        """Queues a batch; on the CPU it is run at once. Its answer waits for no later batch."""
        return self._pipeline.start(batch)

    def warm(self, shapes: Iterable[Shape]) -> None:
        """Prepares for batches of these shapes: what is fastest is searched for and captured."""
        torch.backends.cudnn.benchmark = True
        try:
            self._pipeline.warm(shapes)
        finally:
            torch.backends.cudnn.benchmark = False  # a search holds up a batch for a second

    def close(self) -> None:
        self._pipeline.close()
        del self._pipeline


class _Launch:
    """A network, as `engines.runtime.pipeline.Launch`."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, given: Tensor) -> Sequence[Tensor]:
        made = self._network(given)
        outputs = (made,) if isinstance(made, Tensor) else made
        return [output.to(torch.float32).contiguous() for output in outputs]

    def fixed(self, shape: Shape) -> _Launch:  # noqa: ARG002 - the protocol
        return self


class _OnArrays(nn.Module):
    """A network of another type than the arrays it is given."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, arrays: Tensor) -> Tensor:
        made: Tensor = self.network(arrays.to(self.dtype))
        return made


def _prepared(network: nn.Module, about: Network, dtype: torch.dtype, plain: bool) -> nn.Module:
    """A copy in evaluation mode that takes what an engine does; `plain` leaves it as it is."""
    network, form = copy.deepcopy(network).eval(), about.pixels
    if form is not None and not plain:
        fold(network, torch.zeros(1, 3, 64, 64))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.to(dtype)
    if form is None:
        return _OnArrays(network, dtype)
    return OnPixels(network, form.mean, form.scale, form.rgb, dtype)
