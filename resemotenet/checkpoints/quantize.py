"""A network in 8-bit whole numbers: a quarter of the memory, and several times as fast where the processor can.

Static quantisation (Jacob et al., 2018, https://arxiv.org/abs/1712.05877): weights are symmetric int8 with a scale for
each output channel; what flows between the layers is uint8, in a range that was seen when faces were shown to the exact
network. Those ranges, two numbers a layer, are all that has to be kept: the rest follows from the weights. The graph
says it in ONNX's way, with a QuantizeLinear and a DequantizeLinear around exact operators, which ONNX Runtime replaces
by operators on whole numbers.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import NodeProto, helper

from ..errors import BackendError
from .backends import Session
from .graph import NetworkGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Lowest and highest value, by the name of what flows.
Ranges = dict[str, tuple[float, float]]

# Operators with weights, and the axis of their output channels.
_LAYERS = {"Conv": 0, "Gemm": 0, "MatMul": 1}
_BETWEEN = {"Add", "Mul", "GlobalAveragePool", "ReduceMean", "Sigmoid"}
# They only move or choose values, so their result has the range of their operand.
_MOVING = {"MaxPool", "Flatten", "Reshape", "Transpose", "Unsqueeze", "Squeeze"}


def needed_ranges(graph: NetworkGraph) -> tuple[str, ...]:
    """What flows in the graph and must have a range for it to be quantised, in order."""
    return tuple(name for name, owner in _owners(graph).items() if name == owner)


def calibrate(graph: NetworkGraph, batches: "Iterable[NDArray[np.float32]]") -> Ranges:
    """The ranges that are seen when the exact network is shown these inputs.

    Raises:
        ValueError: there are none.
        BackendError: onnxruntime is not installed.
    """
    names = [name for name in needed_ranges(graph) if name != graph.input]
    session = Session(replace(graph, outputs=dict.fromkeys(names)))
    seen: dict[str, list[float]] = {}
    for batch in batches:
        for name, values in zip((graph.input, *names), (batch, *session(batch)), strict=True):
            seen.setdefault(name, []).extend((float(values.min()), float(values.max())))
    if not seen:
        raise ValueError("ranges are read off inputs, and none were given")
    return {name: (min(seen[name]), max(seen[name])) for name in needed_ranges(graph)}


def quantized(graph: NetworkGraph, ranges: Ranges) -> NetworkGraph:
    """The same network in 8 bits; its last layer gives exact numbers.

    Args:
        ranges: of each of ``needed_ranges``.

    Raises:
        BackendError: the ranges are of another network.
    """
    owners = _owners(graph)
    if surplus := set(needed_ranges(graph)) ^ set(ranges):
        raise BackendError(
            f"the ranges for int8 are of another network: {len(surplus)} names differ, such as {min(surplus)!r}; "
            "calibrate this one: python -m resemotenet calibrate FOLDER --data PATH"
        )
    scales = {name: _scale(*ranges[owner]) for name, owner in owners.items()}
    writer = _Writer(graph, scales)
    writer.after(graph.input)
    for node in graph.nodes:
        writer.take(node)
    return replace(graph, nodes=tuple(writer.nodes), constants=writer.constants)


def _owners(graph: NetworkGraph) -> dict[str, str]:
    """What is quantised -> whose range it has, in the order of the graph: what layers take and give, and all between.

    Not what a ReLU takes from a layer: the two become one operator, in whose result the lowest level is zero. Nor what
    leads to places in a picture: 256 of them would be too few.
    """
    exact = _sources(graph, {node.input[1] for node in graph.nodes if node.op_type == "GridSample"})
    uses = [name for node in graph.nodes for name in node.input]
    into_relu = {node.input[0] for node in graph.nodes if node.op_type == "Relu" and uses.count(node.input[0]) == 1}
    owners: dict[str, str] = {}

    def enter(names: Iterable[str]) -> None:
        for name in names:
            if name not in (graph.constants.keys() | into_relu | exact | graph.outputs.keys()):
                owners.setdefault(name, name)

    for node in graph.nodes:
        flowing = [name for name in node.input if name not in graph.constants]
        if exact.intersection(node.output):
            continue
        if node.op_type in _MOVING and flowing[0] in owners:
            owners[node.output[0]] = owners[flowing[0]]
        elif node.op_type in _LAYERS or (node.op_type == "Relu" and node.input[0] in into_relu):
            enter((*flowing, *node.output))
        elif node.op_type in _BETWEEN and all(name in owners for name in flowing):
            enter(node.output)
    return owners


def _sources(graph: NetworkGraph, names: set[str]) -> set[str]:
    """What these are computed from, and they themselves."""
    found = set(names)
    for node in reversed(graph.nodes):
        if found.intersection(node.output):
            found.update(node.input)
    return found - {graph.input}


def _scale(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Size of a level, and which level is zero; zero is always one of the 256."""
    low, high = min(low, 0.0), max(high, 0.0)
    size = np.float32((high - low) / 255) or np.float32(1.0)  # nothing but zeros was seen
    return size, np.uint8(np.clip(round(-low / size), 0, 255))


class _Writer:
    """Rewrites operator after operator."""

    def __init__(self, graph: NetworkGraph, scales: dict[str, tuple[np.float32, np.uint8]]) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._graph, self._scales = graph, scales

    def take(self, node: NodeProto) -> None:
        copied = NodeProto()
        copied.CopyFrom(node)
        copied.input[:] = [f"{name}/back" if name in self._scales else name for name in node.input]
        if node.op_type in _LAYERS and node.input[0] in self._scales and node.input[1] in self._graph.constants:
            copied.input[1:] = self._weights(node)
        self.constants.update(
            {name: self._graph.constants[name] for name in copied.input if name in self._graph.constants}
        )
        self.nodes.append(copied)
        self.after(*node.output)

    def after(self, *names: str) -> None:
        """Round what flows there to its levels."""
        for name in names:
            if name in self._scales:
                size, zero = self._scales[name]
                scale = [self._constant(f"{name}/size", size), self._constant(f"{name}/zero", zero)]
                self.nodes.append(helper.make_node("QuantizeLinear", [name, *scale], [f"{name}/levels"]))
                self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}/levels", *scale], [f"{name}/back"]))

    def _weights(self, node: NodeProto) -> list[str]:
        """Names of a layer's weights and, if it has one, its bias."""
        axis = _LAYERS[node.op_type]
        weight = self._graph.constants[node.input[1]]
        others = tuple(each for each in range(weight.ndim) if each != axis)
        sizes = (np.abs(weight).max(axis=others) / 127).astype(np.float32)
        sizes[sizes == 0] = 1.0  # a channel of zeros
        levels = np.rint(weight / np.expand_dims(sizes, others)).astype(np.int8)
        names = [self._levels(node.input[1], levels, sizes, axis)]
        if len(node.input) == 3:
            # In the unit of what is added up: level of the operand times level of the weight.
            unit = sizes * self._scales[node.input[0]][0]
            bias = np.rint(self._graph.constants[node.input[2]] / unit).astype(np.int32)
            names.append(self._levels(node.input[2], bias, unit, 0))
        return names

    def _levels(self, name: str, levels: "NDArray[Any]", sizes: "NDArray[np.float32]", axis: int) -> str:
        operands = [self._constant(f"{name}/levels", levels), self._constant(f"{name}/size", sizes)]
        operands.append(self._constant(f"{name}/zero", np.zeros(sizes.shape, levels.dtype)))
        self.nodes.append(helper.make_node("DequantizeLinear", operands, [f"{name}/back"], axis=axis))
        return f"{name}/back"

    def _constant(self, name: str, value: Any) -> str:
        self.constants[name] = np.asarray(value)
        return name
