"""MTCNN's networks in a form in which ONNX Runtime stays with its fast kernels from one end to the other.

On processors its convolutions keep 16 channels side by side. Of what lies between them it does sums, products by
channel and ReLU in that layout too, but not PReLU, nor pooling of channels that do not fill their block; for these it
brings everything into the other layout and back, which takes longer than the convolutions. So a PReLU becomes products
and a ReLU, which it makes a part of them, and channels are filled up. The results are the same but for rounding.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch.nn import Conv2d

BLOCK = 16


class _Slopes(nn.Module):
    """A PReLU, of slopes up to one: ``slope x + relu((1 - slope) x)``.

    Args:
        dimensions: of x after its channels.
    """

    def __init__(self, slopes: Tensor, dimensions: int) -> None:
        super().__init__()
        self.slopes = slopes.reshape(-1, *[1] * dimensions)
        self.rest = 1 - self.slopes

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x.mul(self.rest)).add(x.mul(self.slopes))


def in_blocks(network: Any) -> nn.Module:
    """A PNet, RNet or ONet of facenet-pytorch, changed in place.

    A PNet then gives one output: (N, 5, H, W), what its two give, one after the other.
    """
    _fill_block(network)
    for name, layer in list(network.named_children()):
        if isinstance(layer, nn.PReLU):
            before = getattr(network, name.replace("prelu", "conv"), None)
            setattr(network, name, _Slopes(layer.weight, 0 if before is None else 2))
    return _with_one_end(network) if hasattr(network, "conv4_2") else network


def _fill_block(network: Any) -> None:
    """Give the first convolution as many channels as its blocks have; the others lead to nothing or bear a steep slope.

    Between it and the next is nothing but PReLU and the maximum of neighbours. A slope above one becomes one here, with
    ``relu(x)`` in a channel of its own, for ``slope x + (1 - slope) relu(x)`` may be summed up by the next as well:
    where x grows, this grows too, so it does not matter on which side of the maximum it is.
    """
    conv, prelu, after = network.conv1, network.prelu1, network.conv2
    steep = (prelu.weight > 1).nonzero().ravel()
    slopes, empty = prelu.weight[steep], -len(prelu.weight) % BLOCK - len(steep)
    assert empty >= 0
    weight = torch.cat([conv.weight, conv.weight[steep], torch.zeros(empty, *conv.weight.shape[1:])])
    bias = torch.cat([conv.bias, conv.bias[steep], torch.zeros(empty)])
    network.conv1 = _conv(weight, bias)
    prelu.weight = nn.Parameter(torch.cat([prelu.weight.clamp(max=1), torch.zeros(len(steep) + empty)]), False)
    taken = after.weight[:, steep]
    scaled = after.weight.clone()
    scaled[:, steep] = taken * slopes[:, None, None]
    nothing = torch.zeros(len(scaled), empty, *scaled.shape[2:])
    network.conv2 = _conv(torch.cat([scaled, taken * (1 - slopes[:, None, None]), nothing], dim=1), after.bias)


def _with_one_end(network: Any) -> nn.Module:
    """A PNet whose two convolutions at the end are one, for each would fill a block of its own."""
    moves, odds = network.conv4_2, network.conv4_1
    end = _conv(torch.cat([moves.weight, odds.weight]), torch.cat([moves.bias, odds.bias]))
    names = ("conv1", "prelu1", "pool1", "conv2", "prelu2", "conv3", "prelu3")
    return nn.Sequential(*(getattr(network, name) for name in names), end).eval()


def _conv(weight: Tensor, bias: Tensor) -> "Conv2d":
    with torch.device("meta"):  # weights drawn only to be replaced would move torch's random state
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2])
    conv.weight, conv.bias = nn.Parameter(weight, requires_grad=False), nn.Parameter(bias, requires_grad=False)
    return conv
