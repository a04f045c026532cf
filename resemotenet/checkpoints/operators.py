"""Torch functions as ONNX operators: one function for each that a network here calls, with the same arguments.

Each gets the graph that is being written and the arguments of the call, and returns the name of its result there, or
the names where there are several. An argument that a network here does not use is refused, not left out.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import BackendError

if TYPE_CHECKING:
    from .graph import Recorder

Operator = Callable[..., str | list[str]]

OPERATORS: dict[Any, Operator] = {}


def _writes(*functions: Any) -> Callable[[Operator], Operator]:
    def enter(operator: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(functions, operator))
        return operator

    return enter


@_writes(functional.conv2d, torch.conv2d)
def _conv(
    graph: "Recorder",
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> str:
    operands = [x, weight] if bias is None else [x, weight, bias]
    settings = {"strides": _pair(stride), "dilations": _pair(dilation), "group": groups}
    return graph.add("Conv", operands, kernel_shape=list(weight.shape[2:]), pads=2 * _pair(padding), **settings)


@_writes(functional.batch_norm)
def _batch_norm(
    graph: "Recorder",
    x: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | None = 0.1,
    eps: float = 1e-5,
) -> str:
    _refuse("batch_norm", training=training)
    weight = torch.ones_like(running_var) if weight is None else weight
    bias = torch.zeros_like(running_mean) if bias is None else bias
    return graph.add("BatchNormalization", [x, weight, bias, running_mean, running_var], epsilon=eps)


@_writes(functional.layer_norm)
def _layer_norm(
    graph: "Recorder", x: Tensor, normalized_shape: Sequence[int], weight: Tensor, bias: Tensor, eps: float = 1e-5
) -> str:
    return graph.add("LayerNormalization", [x, weight, bias], axis=-len(normalized_shape), epsilon=eps)


@_writes(functional.max_pool2d)
def _max_pool(
    graph: "Recorder",
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> str:
    _refuse("max_pool2d", return_indices=return_indices)
    shape = _pair(kernel_size)
    strides = shape if stride is None else _pair(stride)
    settings = {"pads": 2 * _pair(padding), "dilations": _pair(dilation), "ceil_mode": int(ceil_mode)}
    return graph.add("MaxPool", [x], kernel_shape=shape, strides=strides, **settings)


@_writes(functional.adaptive_avg_pool2d)
def _global_average(graph: "Recorder", x: Tensor, output_size: Any) -> str:
    _refuse("adaptive_avg_pool2d", output_size=_pair(output_size) != [1, 1])
    return graph.add("GlobalAveragePool", [x])


@_writes(functional.linear)
def _linear(graph: "Recorder", x: Tensor, weight: Tensor, bias: Tensor | None = None) -> str:
    if x.ndim == 2:
        return graph.add("Gemm", [x, weight] if bias is None else [x, weight, bias], transB=1)
    product = graph.add("MatMul", [x, weight.T.contiguous()])
    return product if bias is None else graph.add("Add", [product, bias])


@_writes(functional.relu)
def _relu(graph: "Recorder", x: Tensor, inplace: bool = False) -> str:
    return graph.add("Relu", [x])


@_writes(functional.prelu, torch.prelu)
def _prelu(graph: "Recorder", x: Tensor, weight: Tensor) -> str:
    """Written out: ONNX Runtime 1.32 takes 25 times as long for its PRelu as for these."""
    slope = weight.detach().reshape(-1, *[1] * (x.ndim - 2))
    if bool((slope <= 1).all()):
        return graph.add("Max", [x, graph.add("Mul", [x, slope])])
    below = graph.add("Mul", [graph.add("Min", [x, 0.0]), slope])
    return graph.add("Add", [graph.add("Relu", [x]), below])


@_writes(functional.gelu)
def _gelu(graph: "Recorder", x: Tensor, approximate: str = "none") -> str:
    return graph.add("Gelu", [x], approximate=approximate)


@_writes(torch.sigmoid)
def _sigmoid(graph: "Recorder", x: Tensor) -> str:
    return graph.add("Sigmoid", [x])


@_writes(functional.softmax)
def _softmax(graph: "Recorder", x: Tensor, dim: int, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> str:
    _refuse("softmax", dtype=dtype is not None)
    return graph.add("Softmax", [x], axis=dim)


@_writes(functional.dropout, torch.Tensor.contiguous, torch.Tensor.to)
def _same(graph: "Recorder", x: Tensor, *arguments: Any, **settings: Any) -> str:
    """What changes nothing in evaluation and in float32; torch has run it."""
    return graph.name(x)


@_writes(torch.Tensor.mean)
def _mean(graph: "Recorder", x: Tensor, dim: Any, keepdim: bool = False) -> str:
    axes = [dim] if isinstance(dim, int) else list(dim)
    return graph.add("ReduceMean", [x, _whole(axes)], keepdims=int(keepdim))


@_writes(torch.Tensor.add, torch.Tensor.add_)
def _add(graph: "Recorder", x: Any, y: Any) -> str:
    return graph.add("Add", [x, y])


@_writes(torch.Tensor.mul)
def _multiply(graph: "Recorder", x: Any, y: Any) -> str:
    return graph.add("Mul", [x, y])


@_writes(torch.Tensor.__getitem__)
def _getitem(graph: "Recorder", x: Tensor, index: Any) -> str:
    """Only new axes: ``x[:, :, None, None]``."""
    parts = index if isinstance(index, tuple) else (index,)
    _refuse("indexing", index=any(part is not None and part != slice(None) for part in parts))
    return graph.add("Unsqueeze", [x, _whole(axis for axis, part in enumerate(parts) if part is None)])


@_writes(torch.Tensor.unbind)
def _unbind(graph: "Recorder", x: Tensor, dim: int = 0) -> list[str]:
    parts = graph.add_several("Split", [x], x.shape[dim], axis=dim, num_outputs=x.shape[dim])
    return [graph.add("Squeeze", [part, _whole([dim])]) for part in parts]


@_writes(torch.Tensor.permute, torch.permute)
def _permute(graph: "Recorder", x: Tensor, *dims: Any) -> str:
    order = dims[0] if len(dims) == 1 else dims
    return graph.add("Transpose", [x], perm=[axis % x.ndim for axis in order])


@_writes(torch.Tensor.flatten, torch.flatten)
def _flatten(graph: "Recorder", x: Tensor, start_dim: int = 0, end_dim: int = -1) -> str:
    _refuse("flatten", start_dim=start_dim != 1, end_dim=end_dim != -1)
    return graph.add("Flatten", [x], axis=1)


@_writes(torch.Tensor.view, torch.Tensor.reshape)
def _reshape(graph: "Recorder", x: Tensor, *shape: Any) -> str:
    sizes = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    if sizes[0] == x.shape[0]:
        # The size of the batch is another each time, and may be none: 0 is "as it comes", and nothing is left to be
        # found out.
        sizes = [0, *(x[0].numel() // -math.prod(sizes[1:]) if size == -1 else size for size in sizes[1:])]
    return graph.add("Reshape", [x, _whole(sizes)])


@_writes(functional.grid_sample)
def _grid_sample(
    graph: "Recorder",
    x: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> str:
    _refuse("grid_sample", mode=mode != "bilinear")
    settings = {"padding_mode": padding_mode, "align_corners": int(bool(align_corners))}
    return graph.add("GridSample", [x, grid], mode="linear", **settings)


def _whole(numbers: Iterable[int]) -> Tensor:
    return torch.tensor(list(numbers), dtype=torch.int64)


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _refuse(function: str, **settings: bool) -> None:
    """An argument that is set to what none of these operators says."""
    if used := [name for name, unfit in settings.items() if unfit]:
        raise BackendError(
            f"{function} with this {', '.join(used)} has no ONNX operator here; run it with backend 'torch'"
        )
