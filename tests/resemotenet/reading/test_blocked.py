"""The networks in blocks say what facenet-pytorch's say."""

import copy

import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from torch import nn

from resemotenet.reading.blocked import BLOCK, in_blocks

SIDES = {PNet: (30, 41), RNet: (24, 24), ONet: (48, 48)}


@torch.inference_mode()
def outputs(network: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    answer = network(x)
    return [answer] if isinstance(answer, torch.Tensor) else list(answer)


@pytest.fixture(params=SIDES, ids=lambda kind: kind.__name__)
def network(request):
    """With the published weights; scores as logits, as the cascade takes them."""
    made = request.param().eval()
    for name in ("softmax4_1", "softmax5_1", "softmax6_1"):
        if hasattr(made, name):
            setattr(made, name, nn.Identity())
    return made


def test_the_same_answers(network):
    x = torch.rand(3, 3, *SIDES[type(network)]) * 2 - 1
    expected = outputs(network, x)
    if isinstance(network, PNet):
        expected = [torch.cat(expected, dim=1)]
    for ours, theirs in zip(outputs(in_blocks(copy.deepcopy(network)), x), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_no_prelu_is_left_and_the_first_channels_fill_blocks(network):
    changed = in_blocks(network)
    convs = [layer for layer in changed.modules() if isinstance(layer, nn.Conv2d)]
    assert not any(isinstance(layer, nn.PReLU) for layer in changed.modules())
    assert convs[0].out_channels % BLOCK == convs[1].in_channels % BLOCK == 0


def test_steep_slopes_have_a_channel_of_their_own():
    network = PNet().eval()
    network.softmax4_1 = nn.Identity()
    with torch.no_grad():
        network.prelu1.weight[:5] = torch.tensor([1.5, 3.0, -2.0, 1.0, 1.01])
        x = torch.rand(2, 3, 20, 21) * 2 - 1
        expected = torch.cat(network(x), dim=1)
        torch.testing.assert_close(in_blocks(network)(x), expected, atol=1e-4, rtol=1e-4)


def test_torchs_random_state_stays():
    network = PNet().eval()
    state = torch.get_rng_state()
    in_blocks(network)
    assert torch.equal(torch.get_rng_state(), state)
