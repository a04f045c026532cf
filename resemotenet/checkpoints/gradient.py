"""A network's gradient as a graph, so that programs without torch can say on which places of a face an answer rests.

What follows the explained layer is gone through a second time, from the logits back, by the rule of each operator. The
weights are those of the network in 8 bits: a file with this graph holds none itself but says where they stand in the
network's own file, so it has a few kilobytes. What flows is exact, in both directions.
"""

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference
from torch import Tensor, nn

from ..errors import BackendError
from .export import INPUT, OUTPUT, model_graph
from .graph import NetworkGraph, build_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .checkpoint import LoadedModel

# What goes in beside the crops: (N, K) float32, 1 for the emotion that is explained, 0 elsewhere. And what comes out:
# (N, h, w) float32.
EMOTION, EVIDENCE = "emotion", "evidence"

_LAYER = "layer"
# Smaller arrays stand in the file itself.
_SMALL = 1024  # bytes


def evidence_graph(model: "LoadedModel") -> NetworkGraph:
    """HiResCAM at the model's ``explain_layer``, with exact weights; see ``resemotenet.reading.explain``.

    Its second input is ``EMOTION``, which ``to_onnx`` does not know: ``evidence_file`` writes it.

    Raises:
        BackendError: the model names no layer, or one that is followed by an operator without a rule here.
    """
    layer = model.info.explain_layer
    if layer is None:
        raise BackendError(f"{model.folder} names no layer to explain with")
    side, channels = model.preprocess.size, model.preprocess.channels
    watched = _Watched(copy.deepcopy(model.module), layer)
    shape = (2, channels, side, side)
    graph = build_graph(watched, shape, input=INPUT, outputs=[OUTPUT, _LAYER], free={0: "N"})
    writer = _Backwards(graph)
    gradient = writer.gradient(OUTPUT, EMOTION, _LAYER)
    writer.add("Mul", [gradient, _LAYER], name="evidence_of_channels")
    axes = writer.constant(np.array([1], np.int64))
    writer.add("ReduceSum", ["evidence_of_channels", axes], name=EVIDENCE, keepdims=0)
    constants = graph.constants | writer.constants
    nodes = (*graph.nodes, *writer.nodes)
    return NetworkGraph(graph.name, INPUT, graph.sizes, {EVIDENCE: ("N", None, None)}, nodes, constants)


def evidence_file(model: "LoadedModel", network: bytes, name: str) -> ModelProto:
    """The same with the weights of the network in 8 bits, as a file beside that network's.

    Args:
        network: the content of the file that ``export_onnx`` or ``model_graph`` gives in "int8".
        name: of that file.

    Raises:
        BackendError: as ``evidence_graph``, or the model was not calibrated for int8.
    """
    graph, rough = evidence_graph(model), model_graph(model, "int8")
    weights = [node for node in rough.nodes if node.output[0].endswith("/back") and node.input[0] in rough.constants]
    stands_for = {node.output[0].removesuffix("/back"): node for node in weights}
    nodes = list(stands_for.values())
    for node in graph.nodes:
        copied = NodeProto()
        copied.CopyFrom(node)
        copied.input[:] = [stands_for[each].output[0] if each in stands_for else each for each in node.input]
        nodes.append(copied)
    used = {each for node in nodes for each in node.input}
    constants = {key: value for key, value in (rough.constants | graph.constants).items() if key in used}
    whole = NetworkGraph(graph.name, INPUT, graph.sizes, graph.outputs, tuple(nodes), {})
    proto = whole.to_onnx()
    sizes = [graph.sizes[0], len(model.labels)]
    proto.graph.input.append(helper.make_tensor_value_info(EMOTION, TensorProto.FLOAT, sizes))
    for key, value in constants.items():
        proto.graph.initializer.append(_stored(key, value, network, name))
    return proto


def _stored(key: str, value: "NDArray[Any]", network: bytes, name: str) -> TensorProto:
    """An array; a large one as the place in another file where it stands."""
    stored = numpy_helper.from_array(value, key)
    offset = network.find(stored.raw_data) if value.nbytes >= _SMALL else -1
    if offset >= 0:
        for about, number in (("location", name), ("offset", offset), ("length", value.nbytes)):
            stored.external_data.add(key=about, value=str(number))
        stored.data_location = TensorProto.EXTERNAL
        stored.ClearField("raw_data")
    return stored


class _Watched(nn.Module):
    """A network that also gives what one of its layers gives. Its parameters have the names that they have there."""

    def __init__(self, net: nn.Module, layer: str) -> None:
        super().__init__()
        self.net, self.layer = net, layer

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps: list[Tensor] = []
        handle = self.net.get_submodule(self.layer).register_forward_hook(lambda *call: maps.append(call[-1]))
        try:
            logits: Tensor = self.net(x)
        finally:
            handle.remove()
        if len(maps) != 1 or maps[0].ndim != 4:
            raise BackendError(f"explain_layer {self.layer!r} must give one map (N, C, h, w)")
        return logits, maps[0]

    def state_dict(self, *arguments: Any, **settings: Any) -> Any:
        return self.net.state_dict(*arguments, **settings)


class _Backwards:
    """Writes the way back through a graph.

    Attributes:
        nodes, constants: what is added to the graph.
    """

    def __init__(self, graph: NetworkGraph) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._graph = graph
        self._shapes = _shapes(graph)

    def gradient(self, end: str, seed: str, start: str) -> str:
        """The name of the gradient at ``start``, of the sum of what is at ``end`` times what is at ``seed``."""
        between = {start}
        for node in self._graph.nodes:
            if between.intersection(node.input):
                between.update(node.output)
        parts = {end: [seed]}
        for node in reversed(self._graph.nodes):
            result = node.output[0]
            if result not in between or result == start or result not in parts:
                continue
            rule = _RULES.get(node.op_type)
            if rule is None:
                raise BackendError(f"there is no rule for the gradient of {node.op_type}; torch explains this network")
            for operand, part in rule(self, node, self._sum(parts[result])).items():
                if operand in between:
                    parts.setdefault(operand, []).append(part)
        return self._sum(parts[start])

    def add(self, operator: str, operands: list[str], *, name: str = "", **settings: Any) -> str:
        result = name or f"back_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, operands, [result], **settings))
        return result

    def constant(self, value: "NDArray[Any]") -> str:
        name = f"back_constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        """Of what has this name, for one crop."""
        return self._shapes[name]

    def weight(self, name: str) -> "NDArray[Any]":
        return self._graph.constants[name]

    def _sum(self, parts: list[str]) -> str:
        """Where a result is used several times, the parts add up."""
        while len(parts) > 1:
            parts[:2] = [self.add("Add", parts[:2])]
        return parts[0]


def _shapes(graph: NetworkGraph) -> dict[str, tuple[int, ...]]:
    known = shape_inference.infer_shapes(graph.to_onnx(outside=True)).graph
    sizes = {each.name: each.type.tensor_type.shape.dim for each in (*known.value_info, *known.output)}
    return {name: tuple(size.dim_value for size in sizes[name][1:]) for name in sizes}


def _of_relu(writer: _Backwards, node: NodeProto, after: str) -> Mapping[str, str]:
    return {node.input[0]: writer.add("Mul", [after, writer.add("Sign", [node.output[0]])])}


def _of_add(_: _Backwards, node: NodeProto, after: str) -> Mapping[str, str]:
    return dict.fromkeys(node.input, after)


def _of_gemm(writer: _Backwards, node: NodeProto, after: str) -> Mapping[str, str]:
    transposed = helper.get_node_attr_value(node, "transB")
    return {node.input[0]: writer.add("Gemm", [after, node.input[1]], transB=1 - transposed)}


def _of_conv(writer: _Backwards, node: NodeProto, after: str) -> Mapping[str, str]:
    settings = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    before, reached = writer.shape(node.input[0])[1:], writer.shape(node.output[0])[1:]
    left = [
        size - ((count - 1) * stride - pads + dilation * (side - 1) + 1)
        for size, count, stride, pads, dilation, side in zip(
            before,
            reached,
            settings["strides"],
            (2 * settings["pads"][0], 2 * settings["pads"][1]),
            settings["dilations"],
            settings["kernel_shape"],
            strict=True,
        )
    ]
    return {node.input[0]: writer.add("ConvTranspose", [after, node.input[1]], output_padding=left, **settings)}


def _of_average(writer: _Backwards, node: NodeProto, after: str) -> Mapping[str, str]:
    height, width = writer.shape(node.input[0])[1:]
    if height == width == 1:
        return {node.input[0]: after}
    share = writer.add("Mul", [after, writer.constant(np.array(1 / (height * width), np.float32))])
    return {node.input[0]: writer.add("Expand", [share, writer.add("Shape", [node.input[0]])])}


def _of_flatten(writer: _Backwards, node: NodeProto, after: str) -> Mapping[str, str]:
    sizes = np.array([0, *writer.shape(node.input[0])], np.int64)  # 0: as it comes
    return {node.input[0]: writer.add("Reshape", [after, writer.constant(sizes)])}


# Operator -> of each operand that a gradient goes on to, its part of it; from the gradient after the operator.
_RULES: dict[str, Callable[[_Backwards, NodeProto, str], Mapping[str, str]]] = {
    "Relu": _of_relu,
    "Add": _of_add,
    "Gemm": _of_gemm,
    "Conv": _of_conv,
    "GlobalAveragePool": _of_average,
    "Flatten": _of_flatten,
}
