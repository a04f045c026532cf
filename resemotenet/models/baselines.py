"""The networks that upstream compares ResEmoteNet with: plain CNN, CNN with SE, VGG, ResNet-18 and -34.

Origin: https://github.com/ArnabKumarRoy02/ResEmoteNet (folder ``approach``), for 64x64 input. Written anew; parameter
names differ, and no weights of these were released. Where upstream's code cannot run or is not what its name says,
the builder's docstring says what was built instead.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ._registry import register_model
from .layers import SqueezeExcitation, scale_channels

CNN_CHANNELS = (64, 128, 256, 512, 1024)
VGG_CHANNELS = (64, 128, 256)
VGG_MAP = 8
"""Side of the map that VGG's first matrix takes: 64 pixels, three times halved."""


class PlainCNN(nn.Module):
    """Five stages of 3x3 convolution, BN, ReLU and max pooling; global average; a four-layer head.

    Input (N, in_channels, H, W) float with H and W of at least 32, upstream 64. Output: logits (N, num_classes). At 64
    pixels the maps of the five stages are 64, 32, 16, 8 and 4 wide before their pooling; explanations look at the last.

    Args:
        conv_dropout: dropout after each stage (with squeeze-and-excitation: after each but the last).
        head_dropout: dropout between the layers of the head.
        hidden: units of the head's hidden layers at width 1.
        squeeze_excitation: whether an SE block follows the last stage.

    Raises:
        ValueError: ``width`` is not positive; in ``forward``, a picture below 32 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int = 7,
        in_channels: int = 3,
        width: float = 1.0,
        conv_dropout: float = 0.2,
        head_dropout: float = 0.5,
        hidden: tuple[int, ...],
        squeeze_excitation: bool,
    ) -> None:
        super().__init__()
        channels = [in_channels, *(scale_channels(each, width) for each in CNN_CHANNELS)]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, kernel_size=3, padding=1), nn.BatchNorm2d(after), nn.ReLU())
            for before, after in pairwise(channels)
        )
        self.max_pool = nn.MaxPool2d(2)
        self.conv_dropout = nn.Dropout(conv_dropout)
        self.se = SqueezeExcitation(channels[-1]) if squeeze_excitation else None
        self.pool = nn.AdaptiveAvgPool2d(1)
        features = [channels[-1], *(scale_channels(each, width) for each in hidden)]
        self.head = nn.Sequential(*_dense(features, head_dropout), nn.Linear(features[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        smallest = 2 ** len(self.stages)
        if min(x.shape[-2:]) < smallest:
            raise ValueError(
                f"the network halves its map {len(self.stages)} times and got pictures of {x.shape[-2]}x{x.shape[-1]}; "
                f"it needs at least {smallest}x{smallest}, and was made for 64x64"
            )
        for stage in self.stages[:-1]:
            x = self.conv_dropout(self.max_pool(stage(x)))
        x = self.max_pool(self.stages[-1](x))
        x = self.conv_dropout(x) if self.se is None else self.se(x)
        logits: Tensor = self.head(self.pool(x).flatten(1))
        return logits


class VGGStage(nn.Module):
    """conv-BN-ReLU, dropout, conv-BN-ReLU: (N, C_in, H, W) -> (N, C_out, H, W).

    As upstream, one scale and one shift serve both convolutions. Upstream sends both through one BN, so they share a
    running mean and variance too, and in evaluation mode these fit neither: the same weights then read 31.9% of
    PublicTest, 60.2% with statistics for each (``training/LOG.md``). So here each convolution has its own.
    """

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.norm1 = nn.BatchNorm2d(out_channels, affine=False)
        self.norm2 = nn.BatchNorm2d(out_channels, affine=False)
        self.scale = nn.Parameter(torch.ones(out_channels))
        self.shift = nn.Parameter(torch.zeros(out_channels))
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.relu(self._scaled(self.norm1(self.conv1(x)))))
        x = self.relu(self._scaled(self.norm2(self.conv2(x))))
        return x

    def _scaled(self, x: Tensor) -> Tensor:
        return x * self.scale[:, None, None] + self.shift[:, None, None]


class VGG(nn.Module):
    """Three stages of two convolutions, each followed by max pooling; a three-layer head on the whole 8x8 map.

    Input (N, in_channels, S, S) float, S = 64 (up to 71 give the same map). Output: logits (N, num_classes).

    Raises:
        ValueError: ``width`` is not positive; in ``forward``, a picture of another size.
    """

    def __init__(
        self,
        *,
        num_classes: int = 7,
        in_channels: int = 3,
        width: float = 1.0,
        conv_dropout: float = 0.2,
        head_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        channels = [in_channels, *(scale_channels(each, width) for each in VGG_CHANNELS)]
        self.stages = nn.ModuleList(VGGStage(before, after, conv_dropout) for before, after in pairwise(channels))
        self.max_pool = nn.MaxPool2d(2)
        features = [channels[-1] * VGG_MAP**2, *(scale_channels(each, width) for each in (4096, 1024))]
        self.head = nn.Sequential(*_dense(features, head_dropout), nn.Linear(features[-1], num_classes))

    def forward(self, x: Tensor) -> Tensor:
        factor = 2 ** len(self.stages)
        if any(side // factor != VGG_MAP for side in x.shape[-2:]):
            raise ValueError(
                f"vgg got pictures of {x.shape[-2]}x{x.shape[-1]}, but its first matrix takes an 8x8 map: use 64x64 "
                "(up to 71 pixels give that map)"
            )
        for stage in self.stages:
            x = self.max_pool(stage(x))
        logits: Tensor = self.head(x.flatten(1))
        return logits


def _dense(features: list[int], dropout: float) -> Iterator[nn.Module]:
    """The hidden layers of a head: linear, ReLU, dropout."""
    for before, after in pairwise(features):
        yield from (nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout))


_DROPOUTS = ("conv_dropout", "head_dropout")


@register_model(explain_layer="stages.4", default_size=64, options=_DROPOUTS)
def plain_cnn(**arguments: Any) -> PlainCNN:
    """11,000,327 parameters at width 1 with 7 classes, as upstream."""
    return PlainCNN(hidden=(2048, 1024, 512), squeeze_excitation=False, **arguments)


@register_model(explain_layer="stages.4", default_size=64, options=_DROPOUTS)
def cnn_se(**arguments: Any) -> PlainCNN:
    """10,607,111 parameters at width 1 with 7 classes.

    Upstream's has 9,984,519 and cannot run: its SE block and the first matrix of its head are sized for 512 channels
    where 1024 arrive. Here both take 1024; the hidden layers of the head are as upstream.
    """
    return PlainCNN(hidden=(1024, 2048, 512), squeeze_excitation=True, **arguments)


@register_model(explain_layer="stages.2", default_size=64, options=_DROPOUTS)
def vgg(**arguments: Any) -> VGG:
    """72,461,767 parameters at width 1 with 7 classes, as upstream; see ``VGGStage`` for what is kept apart here."""
    return VGG(**arguments)


@register_model(explain_layer="layer4", default_size=64, scalable=False)
def resnet18(**arguments: Any) -> nn.Module:
    """torchvision's, 11,180,103 parameters with 7 classes.

    Upstream writes the same layers without the max pooling after the first convolution, so its maps are twice as wide;
    torchvision's is kept, because weights for it exist (see ``checkpoints.backbone``). Takes every input size; from 33
    pixels on the last map is larger than 1x1.
    """
    from torchvision.models import resnet18 as build  # slow to import, few networks need it

    return _torchvision_resnet(build, **arguments)


@register_model(explain_layer="layer4", default_size=64, scalable=False)
def resnet34(**arguments: Any) -> nn.Module:
    """torchvision's, 21,288,263 parameters with 7 classes; see ``resnet18``."""
    from torchvision.models import resnet34 as build

    return _torchvision_resnet(build, **arguments)


def _torchvision_resnet(build: Any, *, num_classes: int = 7, in_channels: int = 3, width: float = 1.0) -> nn.Module:
    assert width == 1, "create_model has refused other widths"
    net: nn.Module = build(weights=None, num_classes=num_classes)
    if in_channels != 3:
        net.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision
    return net
