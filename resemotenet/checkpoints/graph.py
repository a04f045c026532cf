"""A network as an ONNX graph, written down while torch runs it once.

Every torch function that the network calls on its input becomes the ONNX operator that computes the same; whatever does
not depend on the input is a constant. torch has exporters: one is deprecated, warns of itself and takes up to three
seconds, the other takes longer and needs one more library. This takes one forward pass. So no graph is kept anywhere
that somebody would have to trust, and what runs is always made of the weights that were loaded.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from ..errors import BackendError
from .operators import OPERATORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The first opset that has GELU, and the file format of its time: ONNX Runtime reads both since 1.17 of January 2024.
OPSET, IR_VERSION = 20, 9
# What is smaller is put into the graph itself: shapes and numbers must be known when it is loaded.
_SMALL = 1024  # bytes


@dataclass(frozen=True)
class NetworkGraph:
    """Operators and constants; never changed once made.

    Attributes:
        name: of the network.
        input: name of the input, float32.
        sizes: of its dimensions; a name stands for any size.
        outputs: names of the outputs, float32, and the sizes of their dimensions; None is what nobody knows.
        nodes: the operators, each after those whose results it takes.
        constants: weights and other arrays, by name.
    """

    name: str
    input: str
    sizes: tuple[int | str, ...]
    outputs: dict[str, tuple[int | str | None, ...] | None]
    nodes: tuple[onnx.NodeProto, ...]
    constants: "dict[str, NDArray[Any]]"

    def to_onnx(self, metadata: Mapping[str, str] | None = None, *, outside: bool = False) -> onnx.ModelProto:
        """A file's content.

        Args:
            metadata: what the file says about itself, by name.
            outside: leave out what ``large`` names; whoever loads it gives the values.
        """
        inputs = [helper.make_tensor_value_info(self.input, TensorProto.FLOAT, self.sizes)]
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in self.outputs.items()
        ]
        body = helper.make_graph(self.nodes, self.name, inputs, results)
        left_out = self.large if outside else {}
        for name, value in self.constants.items():
            if name in left_out:
                kind = helper.np_dtype_to_tensor_dtype(value.dtype)
                empty = body.initializer.add(name=name, data_type=kind, dims=value.shape)
                empty.data_location = TensorProto.EXTERNAL
                empty.external_data.add(key="location", value="memory")
            else:
                body.initializer.append(numpy_helper.from_array(value, name))
        model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        helper.set_model_props(model, dict(metadata or {}))
        return model

    @property
    def large(self) -> "dict[str, NDArray[Any]]":
        """The constants that need not be copied into a graph to run it."""
        return {name: value for name, value in self.constants.items() if value.nbytes >= _SMALL}


class Recorder(TorchFunctionMode):
    """Writes down what is computed from one tensor, while it is torch's current mode.

    Attributes:
        nodes: the operators, in the order of the calls.
        constants: what does not depend on the input, by name; parameters have their own.
    """

    def __init__(self, module: nn.Module, x: Tensor, name: str) -> None:
        super().__init__()
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Tensor] = {}
        self._parameters = {id(value): key for key, value in module.state_dict(keep_vars=True).items()}
        # By identity, for a tensor may be changed in place; so each is kept, or its number would be given to another.
        self._names = {id(x): name}
        self._kept: list[Tensor] = [x]
        self._counts: Counter[str] = Counter()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        depends = any(id(value) in self._names for value in (*args, *kwargs.values()))
        result = function(*args, **kwargs)
        results = [result] if isinstance(result, Tensor) else result
        # Shapes, types and devices are plain values and stand in the graph as what they are.
        if depends and isinstance(results, list | tuple) and results and all(isinstance(r, Tensor) for r in results):
            self._write(function, args, kwargs, results)
        return result

    def _write(self, function: Any, args: Any, kwargs: Any, results: Sequence[Tensor]) -> None:
        operator = OPERATORS.get(function)
        if operator is None:
            raise BackendError(
                f"the network calls {resolve_name(function) or function}, which is not among the functions that can be "
                "written as an ONNX graph (resemotenet/checkpoints/operators.py); run it with backend 'torch'"
            )
        written = operator(self, *args, **kwargs)
        for tensor, name in zip(results, [written] if isinstance(written, str) else written, strict=True):
            self._names[id(tensor)] = name
            self._kept.append(tensor)

    def name(self, value: Any) -> str:
        """The name in the graph of a tensor, an array, a number (float32), or of what ``add`` returned."""
        if isinstance(value, str):
            return value
        if id(value) in self._names:
            return self._names[id(value)]
        name = self._parameters.get(id(value)) or self._new("constant")
        tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float32)
        self.constants[name] = tensor.detach()
        return name

    def add(self, operator: str, operands: Sequence[Any], **settings: Any) -> str:
        """One more operator; the name of its result."""
        return self.add_several(operator, operands, 1, **settings)[0]

    def add_several(self, operator: str, operands: Sequence[Any], results: int, **settings: Any) -> list[str]:
        """One more operator that has several results; their names."""
        taken = [self.name(each) for each in operands]
        names = [self._result(operator, taken) for _ in range(results)]
        self.nodes.append(helper.make_node(operator, taken, names, **settings))
        return names

    def _result(self, operator: str, operands: Sequence[str]) -> str:
        """That of a layer has the layer's name, which it keeps whatever others are written as."""
        weight = operands[1] if len(operands) > 1 else ""
        layer = weight.removesuffix(".weight")
        if layer == weight or self._counts[layer]:
            return self._new(operator)
        self._counts[layer] += 1
        return layer

    def _new(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind.lower()}_{self._counts[kind]}"


@torch.inference_mode()
def build_graph(
    module: nn.Module,
    shape: Sequence[int],
    *,
    input: str,
    outputs: Sequence[str],
    free: Mapping[int, str],
) -> NetworkGraph:
    """The graph of a network in evaluation mode, on the CPU, in float32.

    Args:
        shape: of an input to run it with.
        input, outputs: what input and outputs are called.
        free: dimensions of the input that may have any size, and what they are called.

    Raises:
        BackendError: the network calls a function that has no operator here.
    """
    x = torch.zeros(*shape)
    with Recorder(module, x, input) as recorder:
        answer = module(x)
    answers = [answer] if isinstance(answer, Tensor) else list(answer)
    renamed = dict(zip(map(recorder.name, answers), outputs, strict=True))
    for node in recorder.nodes:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    constants = {name: value.contiguous().numpy() for name, value in recorder.constants.items()}
    sizes = tuple(free.get(axis, size) for axis, size in enumerate(shape))
    # Of an output only the batch is surely the input's: other dimensions may have shrunk on the way.
    fixed = len(free) == 1
    ends: dict[str, tuple[int | str | None, ...] | None] = {
        name: (sizes[0], *(size if fixed else None for size in answer.shape[1:]))
        for name, answer in zip(outputs, answers, strict=True)
    }
    nodes, constants = _without_batch_norm(recorder.nodes, constants)
    return NetworkGraph(type(module).__name__, input, sizes, ends, tuple(nodes), constants)


def _without_batch_norm(
    nodes: Iterable[onnx.NodeProto], constants: "dict[str, NDArray[Any]]"
) -> "tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]":
    """Every batch normalisation that follows a convolution becomes part of its weights."""
    nodes = list(nodes)
    makers = {name: node for node in nodes for name in node.output}
    uses = [name for node in nodes for name in node.input]
    left: list[onnx.NodeProto] = []
    constants = dict(constants)
    for node in nodes:
        conv = makers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if conv is None or conv.op_type != "Conv" or uses.count(node.input[0]) > 1:
            left.append(node)
            continue
        scale, shift, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:])
        factor = scale / np.sqrt(variance + helper.get_node_attr_value(node, "epsilon"))
        weight = constants.pop(conv.input[1])
        bias = constants.pop(conv.input[2]) if len(conv.input) == 3 else 0.0
        for name in node.input[1:]:
            constants.pop(name)
        weight_name, bias_name = conv.input[1], f"{conv.input[1].removesuffix('.weight')}.bias"
        constants[weight_name] = weight * factor.astype(np.float32)[:, None, None, None]
        constants[bias_name] = ((bias - mean) * factor + shift).astype(np.float32)
        conv.input[:] = [conv.input[0], weight_name, bias_name]
        conv.output[:] = node.output
    return left, constants
