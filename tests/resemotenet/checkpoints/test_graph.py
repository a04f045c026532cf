"""Graphs compute what the networks compute, and what cannot be written as one is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from resemotenet.checkpoints.backends import Session
from resemotenet.checkpoints.graph import NetworkGraph, build_graph
from resemotenet.errors import BackendError


class Calls(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def graph_of(module: nn.Module, shape: tuple[int, ...] = (2, 3, 8, 8), **settings: Any) -> NetworkGraph:
    return build_graph(module.eval(), shape, input="x", outputs=["y"], **{"free": {0: "N"}, **settings})


def assert_same(module: nn.Module, shape: tuple[int, ...] = (2, 3, 8, 8), *, rows: int = 5) -> None:
    """The graph, made with the batch of ``shape``, answers for ``rows`` as the network does."""
    x = torch.randn(rows, *shape[1:], generator=torch.Generator().manual_seed(3))
    session = Session(graph_of(module, shape))
    with torch.inference_mode():
        expected = module(x.clone())
    np.testing.assert_allclose(session(x.numpy())[0], expected.numpy(), rtol=1e-5, atol=1e-6)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "adding numbers": lambda x: 0.5 + x + 1,
    "in place": lambda x: functional.relu(x.mul(2).add_(0.1), inplace=True) * x,
    "mean, kept": lambda x: x.mean(dim=(2, 3), keepdim=True) * x,
    "mean of one axis": lambda x: x.mean(dim=1),
    "new axes": lambda x: x.mean(dim=(2, 3))[:, :, None, None] + x,
    "unbind": lambda x: x.unbind(1)[0] * x.unbind(1)[2],
    "permute and matrix": lambda x: functional.linear(x.permute(0, 2, 3, 1), torch.eye(3)[:2] + 0.5, torch.ones(2)),
    "batch kept by view": lambda x: x.permute(0, 3, 2, 1).contiguous().view(x.shape[0], -1),
    "reshape": lambda x: x.reshape(-1, 3, 64),
    "softmax": lambda x: functional.softmax(x, dim=1),
    "prelu below one": lambda x: functional.prelu(x, torch.tensor([-1.5, 0.25, 1.0])),
    "prelu above one": lambda x: functional.prelu(x, torch.tensor([-1.5, 0.25, 1.5])),
    "gelu": functional.gelu,
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "pool that rounds up": lambda x: functional.max_pool2d(x, 3, 2, ceil_mode=True),
    "pool with a border": lambda x: functional.max_pool2d(x, 3, stride=2, padding=1),
    "layer norm": lambda x: functional.layer_norm(x, (8,), torch.arange(8.0), torch.ones(8)),
    "what does not depend on the input": lambda x: x * (torch.arange(8.0) * 2 - 1).flip(0),
    "grid": lambda x: functional.grid_sample(
        x, functional.linear(x.permute(0, 2, 3, 1), torch.eye(3)[:2]), align_corners=False
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_what_torch_computes(name: str):
    assert_same(Calls(FUNCTIONS[name]))


def convolutions(**settings: Any) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, **settings), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 1))


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"groups": 3, "padding": 1, "stride": 2}, {"dilation": 2}])
def test_a_normalisation_becomes_part_of_the_convolution_before_it(settings, randomize):
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    module = randomize(nn.Sequential(convolutions(**settings), head).eval())
    assert_same(module)
    kinds = [node.op_type for node in graph_of(module).nodes]
    assert kinds == ["Conv", "Relu", "Conv", "GlobalAveragePool", "Flatten", "Gemm"]


def test_a_normalisation_of_what_others_see_too_stays(randomize):
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return self.head((self.bn(x) * x).mean(dim=(2, 3)))

    module = randomize(Both().eval())
    assert_same(module)
    assert "BatchNormalization" in [node.op_type for node in graph_of(module).nodes]


def test_free_height_and_width():
    module = nn.Conv2d(3, 2, 3).eval()
    session = Session(graph_of(module, (1, 3, 8, 8), free={0: "N", 2: "H", 3: "W"}))
    x = torch.randn(2, 3, 11, 7)
    with torch.inference_mode():
        np.testing.assert_allclose(session(x.numpy())[0], module(x).numpy(), atol=1e-6)


def test_the_file_says_its_names_and_shapes_and_is_valid():
    graph = build_graph(nn.Conv2d(3, 2, 3).eval(), (2, 3, 8, 8), input="crops", outputs=["logits"], free={0: "N"})
    model = graph.to_onnx({"labels": "[1, 2]"})
    onnx.checker.check_model(model, full_check=True)
    (crops,) = model.graph.input
    assert crops.name == "crops"
    assert [size.dim_param or size.dim_value for size in crops.type.tensor_type.shape.dim] == ["N", 3, 8, 8]
    (logits,) = model.graph.output
    assert logits.name == "logits"
    assert [size.dim_param or size.dim_value for size in logits.type.tensor_type.shape.dim] == ["N", 2, 6, 6]
    assert {each.key: each.value for each in model.metadata_props} == {"labels": "[1, 2]"}
    assert {each.name for each in model.graph.initializer} == {"weight", "bias"}


def test_the_network_is_not_changed_by_being_written_down():
    module = convolutions().eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    graph_of(module)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (torch.cos, r"calls torch\.cos, which is not among the functions"),
        (lambda x: x[:, 1:], "indexing with this index"),
        (lambda x: functional.adaptive_avg_pool2d(x, 2), "adaptive_avg_pool2d with this output_size"),
    ],
)
def test_what_has_no_operator_is_refused(function: Callable[[Tensor], Tensor], message: str):
    with pytest.raises(BackendError, match=message):
        graph_of(Calls(function))
