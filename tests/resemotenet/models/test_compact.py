"""The compact layout computes the same function, learns the same, goes both ways, and refuses elsewhere."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resemotenet.errors import CompactLayoutError
from resemotenet.models import create_model
from resemotenet.models.resemotenet import to_compact, to_full

Build = Callable[..., nn.Module]

DEAD_IN_FIRST = torch.tensor([[True, True, True], [True, False, False], [True, False, False]])
DEAD_IN_SECOND = torch.tensor([[True, True, True], [True, False, True], [True, True, True]])


@pytest.fixture
def network(randomize: Callable[[nn.Module], nn.Module]) -> Build:
    """Builds a network with random weights and normalisation, without dropout."""

    def build(name: str = "resemotenet", *, width: float = 1 / 16, compact: bool = False) -> nn.Module:
        return randomize(create_model(name, width=width, compact=compact, conv_dropout=0.0, head_dropout=0.0))

    return build


def assert_same_answers(one: nn.Module, other: nn.Module, size: int) -> None:
    x = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = one(x)
        torch.testing.assert_close(other(x), expected, rtol=0, atol=1e-5)
    assert expected.std(0).max() > 0.01, "pictures that are all answered alike prove nothing"


def test_published_network_at_full_width(network: Build) -> None:
    full = network(width=1.0).eval()
    small = to_compact(full)
    for size in (64, 48):
        assert_same_answers(full, small, size)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [40, 48, 64, 71])
@pytest.mark.parametrize("name", ["", "_c2", "_c3_pooled", "_c4_pooled", "_c5_pooled", "_c6_pooled"])
def test_same_answers(network: Build, name: str, size: int, training: bool) -> None:
    full = network(f"resemotenet{name}").train(training)
    assert_same_answers(full, to_compact(full), size)


@pytest.mark.parametrize("size", [64, 48])
def test_expand_loads_in_the_upstream_layout_and_answers_the_same(network: Build, size: int) -> None:
    small = network(compact=True).eval()
    upstream = create_model("resemotenet", width=1 / 16)
    upstream.load_state_dict(to_full(small).state_dict(), strict=True)
    assert_same_answers(small, upstream.eval(), size)


def test_there_and_back_loses_only_dead_taps(network: Build) -> None:
    full = network()
    back = to_full(to_compact(full)).state_dict()
    for key, value in full.state_dict().items():
        expected = value.clone()
        if key == "res_block3.conv1.weight":
            expected[..., DEAD_IN_FIRST] = 0
        elif key == "res_block3.conv2.weight":
            expected[..., DEAD_IN_SECOND] = 0
        torch.testing.assert_close(back[key], expected, rtol=0, atol=0, msg=key)


def test_compact_starts_where_full_starts() -> None:
    torch.manual_seed(3)
    full = create_model("resemotenet", width=1 / 16)
    torch.manual_seed(3)
    small = create_model("resemotenet", width=1 / 16, compact=True)
    for (key, expected), value in zip(to_compact(full).state_dict().items(), small.state_dict().values(), strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=0, msg=key)


def test_five_steps_of_training_agree(network: Build) -> None:
    """In double precision, so that agreement means the same function and not a loose tolerance."""
    full = network().double()
    small = to_compact(full)
    start = {key: value.clone() for key, value in full.state_dict().items()}
    networks = (full, small)
    optimizers = [
        torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True)
        for network in networks
    ]
    images, targets = torch.randn(5, 8, 3, 48, 48, dtype=torch.float64), torch.randint(7, (5, 8))
    for batch, target in zip(images, targets, strict=True):
        for network, optimizer in zip(networks, optimizers, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(network(batch), target).backward()
            optimizer.step()
    for key, expected in to_compact(full).state_dict().items():
        torch.testing.assert_close(small.state_dict()[key], expected, rtol=0, atol=1e-10, msg=key)
    moved = (full.state_dict()["res_block3.conv2.weight"] - start["res_block3.conv2.weight"]).abs().amax((0, 1))
    assert moved[1, 1] > 10 * moved[0, 0], "the live tap must have learned, not only decayed"


@pytest.mark.parametrize("size", [32, 39, 72, 96])
def test_refuses_input_for_which_it_is_not_exact(network: Build, size: int) -> None:
    small = network(compact=True).eval()
    with pytest.raises(CompactLayoutError, match=r"only 2x2 is exact; use square input of 40 to 71 pixels"):
        small(torch.randn(1, 3, size, size))


@pytest.mark.parametrize("number", [3, 4, 5, 6])
def test_refuses_ablations_with_larger_last_maps(network: Build, number: int) -> None:
    with pytest.raises(CompactLayoutError, match="exact for C1, C2 and those that keep their pooling only"):
        to_compact(network(f"resemotenet_c{number}"))
    with pytest.raises(
        CompactLayoutError, match=r"c\d has no compact layout.*; resemotenet, resemotenet_c2, .*_c6_pooled have one"
    ):
        create_model(f"resemotenet_c{number}", width=1 / 16, compact=True)


def test_refuses_other_networks_and_the_layout_it_has_already(network: Build) -> None:
    for function in (to_compact, to_full):
        with pytest.raises(CompactLayoutError, match="only ResEmoteNet has a compact layout, not Linear"):
            function(nn.Linear(2, 2))
    with pytest.raises(CompactLayoutError, match="in the compact layout already"):
        to_compact(network(compact=True))
    with pytest.raises(CompactLayoutError, match="in the full layout already"):
        to_full(network())


def test_the_copy_shares_nothing_with_the_original(network: Build) -> None:
    full = network().eval()
    before = {key: value.clone() for key, value in full.state_dict().items()}
    for value in to_compact(full).state_dict().values():
        value.zero_()
    for key, value in full.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0, msg=key)


def test_the_copy_keeps_mode_frozen_weights_and_settings(network: Build) -> None:
    full = network().double().eval()
    full.requires_grad_(False).get_submodule("fc4").requires_grad_(True)
    normalisation = full.get_submodule("res_block3.bn1")
    assert isinstance(normalisation, nn.BatchNorm2d)
    normalisation.eps = 0.5
    small = to_compact(full)
    assert not any(module.training for module in small.modules())
    assert {key for key, value in small.named_parameters() if value.requires_grad} == {"fc4.weight", "fc4.bias"}
    assert {value.dtype for value in small.parameters()} == {torch.float64}
    x: Tensor = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(small(x), full(x), rtol=0, atol=1e-10)
