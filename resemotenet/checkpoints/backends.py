"""What runs a network: torch, or ONNX Runtime, which takes a third of the time where a processor does the work.

torch is there for GPUs, for training and for explanations. A session of ONNX Runtime is shared by all threads and
computes in the one that calls it, so that visitors who come at once do not fight for the cores; a batch of more faces
than a picture has is spread over the cores there are.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from ..errors import BackendError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .graph import NetworkGraph

Item = TypeVar("Item")
Result = TypeVar("Result")

BACKENDS = ("auto", "onnxruntime", "torch")
PRECISIONS = ("exact", "int8")

# Rows that one thread takes at once. More use the cache worse, and fewer of them would fetch the weights too often.
_ROWS = 32


class Session:
    """A network in ONNX Runtime; safe to call from several threads.

    Args:
        every_core: spread a batch of more rows than a few faces have over the cores, else the caller does all of it.

    Raises:
        BackendError: onnxruntime is not installed.
    """

    def __init__(self, graph: "NetworkGraph", *, every_core: bool = True) -> None:
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; it warns of each constant that nothing uses
        # Processors with neither VNNI nor AVX-512 would add up int8 products with 16 bits, which overflow.
        options.add_session_config_entry("session.x64quantprecision", "1")
        large = graph.large
        if large:
            values = [runtime.OrtValue.ortvalue_from_numpy(value) for value in large.values()]
            options.add_external_initializers(list(large), values)
        content = graph.to_onnx(outside=True).SerializeToString()
        self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._input = graph.input
        self._map: Callable[..., Iterable[Any]] = spread if every_core else map

    def __call__(self, batch: "NDArray[Any]") -> "list[NDArray[np.float32]]":
        """The outputs for a batch, of the shape and type that the graph's input says."""
        if len(batch) <= _ROWS:
            return self._run(batch)
        parts = [batch[start : start + _ROWS] for start in range(0, len(batch), _ROWS)]
        answers = zip(*self._map(self._run, parts), strict=True)
        return [np.concatenate(answer) for answer in answers]

    def _run(self, batch: "NDArray[Any]") -> "list[NDArray[np.float32]]":
        outputs: list[NDArray[np.float32]] = self._session.run(None, {self._input: np.ascontiguousarray(batch)})
        return outputs


def choose_backend(backend: str, device: torch.device, precision: str = "exact") -> str:
    """ "torch" or "onnxruntime"; "auto" is ONNX Runtime on a CPU and torch on everything else.

    Raises:
        BackendError: no such backend or precision; or it does not run on the device, or is not installed.
    """
    if backend not in BACKENDS:
        raise BackendError(f"no backend is called {backend!r}; expected one of {', '.join(BACKENDS)}")
    if precision not in PRECISIONS:
        raise BackendError(f"no precision is called {precision!r}; expected one of {', '.join(PRECISIONS)}")
    if backend == "auto":
        backend = "onnxruntime" if device.type == "cpu" else "torch"
    if backend == "torch" and precision != "exact":
        raise BackendError(
            f"precision {precision!r} is for backend 'onnxruntime' on the CPU, not for torch on {device}"
        )
    if backend == "onnxruntime":
        if device.type != "cpu":
            raise BackendError(f"backend 'onnxruntime' runs on the CPU here, not on {str(device)!r}; use 'torch' there")
        _onnxruntime()
    return backend


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What ``work`` gives for each item, in order, computed on all cores at once. It must not call this itself."""
    return _cores().map(work, items)


@cache
def _cores() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(core_count(), "cores")


def _alone() -> None:
    """A forked process has its parent's pools and none of their threads, and would wait for them for ever."""
    _cores.cache_clear()
    torch.set_num_threads(1)  # as torch's own forked DataLoader workers do


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_alone)


def _onnxruntime() -> Any:
    # Its builds send events about their use to Microsoft, and keep an identifier on disk, unless this stands there
    # before they are loaded. Who reads faces should tell nobody; whoever wants that may set it to 0.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            "onnxruntime is not installed, and networks run on the CPU with it: pip install onnxruntime; or ask for "
            "backend 'torch', which is slower"
        ) from error
    return onnxruntime
