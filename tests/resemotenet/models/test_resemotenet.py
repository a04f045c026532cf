"""The network against the upstream layout, written down here as data, and against its forward pass by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resemotenet.models import create_model
from resemotenet.models.resemotenet import ResEmoteNet

# Kind, name, channels out, channels in, kernel side. Every convolution and the head have biases, the gate has none.
UPSTREAM_LAYERS = [
    ("conv", "conv1", 64, 3, 3),
    ("bn", "bn1", 64),
    ("conv", "conv2", 128, 64, 3),
    ("bn", "bn2", 128),
    ("conv", "conv3", 256, 128, 3),
    ("bn", "bn3", 256),
    ("gate", "se.fc.0", 16, 256),
    ("gate", "se.fc.2", 256, 16),
    ("conv", "res_block1.conv1", 512, 256, 3),
    ("bn", "res_block1.bn1", 512),
    ("conv", "res_block1.conv2", 512, 512, 3),
    ("bn", "res_block1.bn2", 512),
    ("conv", "res_block1.shortcut.0", 512, 256, 1),
    ("bn", "res_block1.shortcut.1", 512),
    ("conv", "res_block2.conv1", 1024, 512, 3),
    ("bn", "res_block2.bn1", 1024),
    ("conv", "res_block2.conv2", 1024, 1024, 3),
    ("bn", "res_block2.bn2", 1024),
    ("conv", "res_block2.shortcut.0", 1024, 512, 1),
    ("bn", "res_block2.shortcut.1", 1024),
    ("conv", "res_block3.conv1", 2048, 1024, 3),
    ("bn", "res_block3.bn1", 2048),
    ("conv", "res_block3.conv2", 2048, 2048, 3),
    ("bn", "res_block3.bn2", 2048),
    ("conv", "res_block3.shortcut.0", 2048, 1024, 1),
    ("bn", "res_block3.shortcut.1", 2048),
    ("linear", "fc1", 1024, 2048),
    ("linear", "fc2", 512, 1024),
    ("linear", "fc3", 256, 512),
    ("linear", "fc4", 7, 256),
]

# Side of the square maps (SE output, last block's output) by input side, from the reading of Table IV: a removed
# stage goes with its pooling or its stride.
MAP_SIDES = {
    "resemotenet": {64: (8, 1), 48: (6, 1)},
    "resemotenet_c2": {64: (8, 1), 48: (6, 1)},
    "resemotenet_c3": {64: (16, 2), 48: (12, 2)},
    "resemotenet_c4": {64: (32, 4), 48: (24, 3)},
    "resemotenet_c5": {64: (8, 2), 48: (6, 2)},
    "resemotenet_c6": {64: (8, 4), 48: (6, 3)},
    **{f"resemotenet_c{number}_pooled": {64: (8, 1), 48: (6, 1)} for number in range(3, 7)},
}

# What each ablation lacks, as prefixes of parameter names.
REMOVED = {
    "resemotenet": (),
    "resemotenet_c2": ("se.",),
    "resemotenet_c3": ("conv1.", "bn1."),
    "resemotenet_c4": ("conv1.", "bn1.", "conv2.", "bn2."),
    "resemotenet_c5": ("res_block1.",),
    "resemotenet_c6": ("res_block1.", "res_block2."),
}
REMOVED |= {f"resemotenet_c{number}_pooled": REMOVED[f"resemotenet_c{number}"] for number in range(3, 7)}


def upstream_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for kind, name, *size in UPSTREAM_LAYERS:
        if kind == "bn":
            for suffix in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{name}.{suffix}"] = (int(size[0]),)
            shapes[f"{name}.num_batches_tracked"] = ()
            continue
        out_channels, in_channels = int(size[0]), int(size[1])
        kernel = (int(size[2]), int(size[2])) if kind == "conv" else ()
        shapes[f"{name}.weight"] = (out_channels, in_channels, *kernel)
        if kind != "gate":
            shapes[f"{name}.bias"] = (out_channels,)
    return shapes


def forward_by_hand(state: dict[str, Tensor], x: Tensor, *, training: bool) -> Tensor:
    """Upstream's forward pass without dropout, from the weights alone."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state[f"{name}.bias"], stride=stride, padding=weight.shape[-1] // 2)

    def bn(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        scale = state[f"{name}.weight"] / (var + 1e-5).sqrt()
        return x * scale[:, None, None] + (state[f"{name}.bias"] - mean * scale)[:, None, None]

    for stage in ("1", "2", "3"):
        x = F.max_pool2d(bn(conv(x, f"conv{stage}"), f"bn{stage}").relu(), 2)
    gate = x.flatten(2).mean(2) @ state["se.fc.0.weight"].T
    x = x * (gate.relu() @ state["se.fc.2.weight"].T).sigmoid()[:, :, None, None]
    for name in ("res_block1", "res_block2", "res_block3"):
        inner = bn(conv(x, f"{name}.conv1", stride=2), f"{name}.bn1").relu()
        inner = bn(conv(inner, f"{name}.conv2"), f"{name}.bn2")
        x = (inner + bn(conv(x, f"{name}.shortcut.0", stride=2), f"{name}.shortcut.1")).relu()
    x = x.mean((2, 3))
    for name in ("fc1", "fc2", "fc3"):
        x = (x @ state[f"{name}.weight"].T + state[f"{name}.bias"]).relu()
    return x @ state["fc4.weight"].T + state["fc4.bias"]


def narrow(name: str = "resemotenet", *, width: float = 1 / 16, **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, width=width, conv_dropout=0.0, head_dropout=0.0, **arguments)


def shapes_seen(model: nn.Module, layers: list[str], x: Tensor) -> dict[str, list[tuple[int, ...]]]:
    """Shape of each output of each named layer, in order, during one forward pass."""
    seen: dict[str, list[tuple[int, ...]]] = {name: [] for name in layers}

    def recorder(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda _module, _inputs, output: seen[name].append(tuple(output.shape))

    for name in layers:
        model.get_submodule(name).register_forward_hook(recorder(name))
    model(x)
    return seen


def test_names_and_shapes_are_upstreams() -> None:
    with torch.device("meta"):
        state = create_model("resemotenet").state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == upstream_shapes()


@pytest.mark.parametrize(("compact", "count"), [(False, 80_238_599), (True, 36_198_407)])
def test_published_number_of_parameters(compact: bool, count: int) -> None:
    with torch.device("meta"):
        model = create_model("resemotenet", compact=compact)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [64, 48])
def test_forward_pass_is_upstreams(randomize: Callable[[nn.Module], nn.Module], size: int, training: bool) -> None:
    model = randomize(narrow()).double().train(training)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(4, 3, size, size, dtype=torch.float64)
    logits = model(x)
    torch.testing.assert_close(logits, forward_by_hand(state, x, training=training), rtol=0, atol=1e-10)
    assert logits.std(0).max() > 0.01, "pictures that are all answered alike prove nothing"


def test_dropout_is_where_upstream_has_it() -> None:
    torch.manual_seed(0)
    model = create_model("resemotenet", width=1 / 16)
    seen = shapes_seen(model, ["dropout1", "dropout2"], torch.randn(2, 3, 64, 64))
    assert seen == {"dropout1": [(2, 4, 32, 32), (2, 8, 16, 16)], "dropout2": [(2, 64), (2, 32), (2, 16)]}
    rates = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    assert rates == {"dropout1": 0.2, "dropout2": 0.5}


@pytest.mark.parametrize("name", REMOVED)
def test_an_ablation_lacks_its_stages_and_nothing_else(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name)
    expected = {key for key in upstream_shapes() if not key.startswith(REMOVED[name])}
    assert set(model.state_dict()) == expected


@pytest.mark.parametrize("size", [64, 48])
@pytest.mark.parametrize("name", MAP_SIDES)
def test_map_sizes(name: str, size: int) -> None:
    model = narrow(name)
    seen = shapes_seen(model, ["se", "res_block3"], torch.randn(2, 3, size, size))
    se_side, last_side = MAP_SIDES[name][size]
    assert seen == {"se": [(2, 16, se_side, se_side)], "res_block3": [(2, 128, last_side, last_side)]}


@pytest.mark.parametrize("name", MAP_SIDES)
def test_every_tensor_gets_a_finite_gradient(name: str) -> None:
    model = narrow(name, width=0.25)  # at 1/16 the gate has one hidden unit, which may be a dead ReLU
    loss = F.cross_entropy(model(torch.randn(8, 3, 48, 48)), torch.arange(8) % 7)
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        # Batch normalisation takes a constant away again, so biases in front of one may well have no gradient.
        assert parameter.ndim == 1 or parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("size", [64, 48])
@pytest.mark.parametrize("name", ["resemotenet", "resemotenet_c2"])
def test_dead_taps_get_exactly_no_gradient(name: str, size: int) -> None:
    model = narrow(name)
    F.cross_entropy(model(torch.randn(8, 3, size, size)), torch.arange(8) % 7).backward()
    first, second = (model.get_parameter(f"res_block3.{conv}.weight").grad for conv in ("conv1", "conv2"))
    assert first is not None
    assert second is not None
    live_first, live_second = torch.zeros(3, 3, dtype=torch.bool), torch.zeros(3, 3, dtype=torch.bool)
    live_first[1:, 1:] = live_second[1, 1] = True
    torch.testing.assert_close(first.abs().amax((0, 1)) > 0, live_first)
    torch.testing.assert_close(second.abs().amax((0, 1)) > 0, live_second)


def test_one_input_channel_and_other_numbers_of_classes() -> None:
    model = narrow(in_channels=1, num_classes=8)
    assert model.get_parameter("conv1.weight").shape == (4, 1, 3, 3)
    assert model(torch.randn(2, 1, 48, 48)).shape == (2, 8)


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_width_must_be_positive(width: float) -> None:
    with pytest.raises(ValueError, match="width must be positive"):
        ResEmoteNet(width=width)
