"""ResEmoteNet and its ablations C1 to C6.

Paper: Roy et al., 2024, https://doi.org/10.1109/LSP.2024.3521321 (Table IV has the ablations).
Origin of the layout: https://github.com/ArnabKumarRoy02/ResEmoteNet. Parameter names are the same, so released
checkpoints load strictly. Changed: the number of input channels, the width and the dropout rates are arguments; the
compact layout exists.

The paper gives no code for C2 to C6, and its table can be read in two ways. In C3 to C6 a removed stage goes with its
pooling or its stride, and the next stage takes the channels that arrive: the later maps are larger, and the network is
dearer, not cheaper. In the networks named ``_pooled`` the halving stays where the stage was, as a max-pooling alone:
all maps keep their sizes, and the network is cheaper.

The compact layout is the same function without the weights that never meet a pixel. On input of 40 to 71 pixels the
last residual block works on a 2x2 map and gives 1x1. Of its first 3x3 kernel only the taps [1:, 1:] meet pixels, of its
second only the centre; all others multiply padding zeros. Leaving them out takes 44,040,192 of the 80,238,599
parameters of the published network away and changes no output. It is exact both ways: ``to_full`` puts zeros where the
taps were, so a network trained compact loads in the upstream layout.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CompactLayoutError
from ._registry import register_model
from .layers import ResidualBlock, SqueezeExcitation, scale_channels

# Stage number -> channels at width 1. The numbers are those in the upstream parameter names.
CONV_CHANNELS = {1: 64, 2: 128, 3: 256}
BLOCK_CHANNELS = {1: 512, 2: 1024, 3: 2048}
HEAD_FEATURES = (1024, 512, 256)


class ResEmoteNet(nn.Module):
    """Convolutions, squeeze-and-excitation, residual blocks, a four-layer head.

    Input (N, in_channels, S, S) float, normalised as the model's ``Preprocess`` says; S = 64 upstream. Output: logits
    (N, num_classes). At S = 64 the SE output is (N, 256, 8, 8) and the last map 1x1.

    Args:
        convs: which of the three convolution stages exist.
        blocks: which of the three residual blocks exist.
        squeeze_excitation: whether the SE block exists.
        conv_dropout: dropout after the first two convolution stages; 0.2 upstream.
        head_dropout: dropout between the layers of the head; 0.5 upstream.

    Raises:
        ValueError: ``width`` is not positive.
    """

    def __init__(
        self,
        *,
        num_classes: int = 7,
        in_channels: int = 3,
        width: float = 1.0,
        conv_dropout: float = 0.2,
        head_dropout: float = 0.5,
        convs: tuple[int, ...] = (1, 2, 3),
        blocks: tuple[int, ...] = (1, 2, 3),
        squeeze_excitation: bool = True,
        keep_pooling: bool = False,
    ) -> None:
        super().__init__()
        self.convs, self.blocks, self.keep_pooling = convs, blocks, keep_pooling

        def scaled(channels: int) -> int:
            return scale_channels(channels, width)

        arriving = in_channels
        for stage in convs:
            channels = scaled(CONV_CHANNELS[stage])
            self.add_module(f"conv{stage}", nn.Conv2d(arriving, channels, kernel_size=3, padding=1))
            self.add_module(f"bn{stage}", nn.BatchNorm2d(channels))
            arriving = channels
        self.relu = nn.ReLU()
        self.max_pool = nn.MaxPool2d(2)
        self.block_pool = nn.MaxPool2d(2, ceil_mode=True)  # in place of a block, whose stride rounds up
        self.dropout1 = nn.Dropout(conv_dropout)
        # The layer that explanations look at is named "se" in every ablation, so without SE it is an identity.
        self.se = SqueezeExcitation(arriving) if squeeze_excitation else nn.Identity()
        for stage in blocks:
            channels = scaled(BLOCK_CHANNELS[stage])
            self.add_module(f"res_block{stage}", ResidualBlock(arriving, channels))
            arriving = channels
        self.pool = nn.AdaptiveAvgPool2d(1)
        features = [arriving, *(scaled(f) for f in HEAD_FEATURES)]
        self.fc1 = nn.Linear(features[0], features[1])
        self.fc2 = nn.Linear(features[1], features[2])
        self.fc3 = nn.Linear(features[2], features[3])
        self.fc4 = nn.Linear(features[3], num_classes)
        self.dropout2 = nn.Dropout(head_dropout)

    def forward(self, x: Tensor) -> Tensor:
        for stage in CONV_CHANNELS:
            if stage in self.convs:
                conv, bn = self.get_submodule(f"conv{stage}"), self.get_submodule(f"bn{stage}")
                x = self.max_pool(self.relu(bn(conv(x))))
                if stage < 3:
                    x = self.dropout1(x)
            elif self.keep_pooling:
                x = self.max_pool(x)
        x = self.se(x)
        for stage in BLOCK_CHANNELS:
            if stage in self.blocks:
                x = self.get_submodule(f"res_block{stage}")(x)
            elif self.keep_pooling:
                x = self.block_pool(x)
        x = self.pool(x).flatten(1)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = self.dropout2(self.relu(layer(x)))
        logits: Tensor = self.fc4(x)
        return logits


def to_compact(model: nn.Module) -> ResEmoteNet:
    """A copy of a ResEmoteNet (C1, C2, or one that keeps its pooling) with its last block in the compact layout.

    Raises:
        CompactLayoutError: the model is no ResEmoteNet, is compact already, or lacks a stage with its pooling (C3 to
            C6), so that its last map is larger than 1x1 and every tap counts.
    """
    net, block = _with_last_block(model)
    if block.compact:
        raise CompactLayoutError("the model is in the compact layout already")
    if not net.keep_pooling and (len(net.convs) < 3 or len(net.blocks) < 3):
        raise CompactLayoutError(
            f"the model has {len(net.convs)} convolution stages and {len(net.blocks)} residual blocks, so its last map "
            "is larger than 1x1 and every tap meets pixels; the compact layout is exact for C1, C2 and those that keep "
            "their pooling only"
        )
    return _in_layout(net, block, compact=True)


def to_full(model: nn.Module) -> ResEmoteNet:
    """A copy of a compact ResEmoteNet in the upstream layout; the taps that were left out are zero.

    Raises:
        CompactLayoutError: the model is no ResEmoteNet or not compact.
    """
    net, block = _with_last_block(model)
    if not block.compact:
        raise CompactLayoutError("the model is in the full layout already")
    return _in_layout(net, block, compact=False)


def _with_last_block(model: nn.Module) -> tuple[ResEmoteNet, ResidualBlock]:
    if not isinstance(model, ResEmoteNet):
        raise CompactLayoutError(f"only ResEmoteNet has a compact layout, not {type(model).__name__}")
    block = model.get_submodule(f"res_block{model.blocks[-1]}")
    assert isinstance(block, ResidualBlock)
    return model, block


def _in_layout(net: ResEmoteNet, block: ResidualBlock, *, compact: bool) -> ResEmoteNet:
    """Copy ``net`` with the two 3x3 convolutions of its last block in the other layout."""
    with torch.device("meta"):
        other = ResidualBlock(block.conv1.in_channels, block.conv1.out_channels, compact=compact)
    convert = _keep_live_taps if compact else _restore_dead_taps
    first, second = convert(block.conv1.weight.detach(), block.conv2.weight.detach())
    # The memo makes deepcopy put the new convolutions where the old ones were, without copying the old ones first.
    memo = {
        id(block.conv1): _filled(other.conv1, block.conv1, first),
        id(block.conv2): _filled(other.conv2, block.conv2, second),
    }
    result = copy.deepcopy(net, memo)
    _with_last_block(result)[1].compact = compact
    return result


def _filled(empty: nn.Conv2d, old: nn.Conv2d, weight: Tensor) -> nn.Conv2d:
    """``empty`` with this weight; its bias, mode and frozen parameters are those of ``old``."""
    assert old.bias is not None
    empty.load_state_dict({"weight": weight, "bias": old.bias.detach().clone()}, strict=True, assign=True)
    for before, after in zip(old.parameters(), empty.parameters(), strict=True):
        after.requires_grad_(before.requires_grad)
    return empty.train(old.training)


def _keep_live_taps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    return first[:, :, 1:, 1:].clone(), second[:, :, 1:2, 1:2].clone()


def _restore_dead_taps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    pad = nn.functional.pad
    return pad(first, (1, 0, 1, 0)), pad(second, (1, 1, 1, 1))


_REGISTER = register_model(explain_layer="se", default_size=64, options=("conv_dropout", "head_dropout"))
_REGISTER_COMPACT = register_model(
    explain_layer="se", default_size=64, options=("conv_dropout", "head_dropout"), compact=True
)


def _build(*, compact: bool = False, **arguments: Any) -> ResEmoteNet:
    # The full layout is drawn first and compacted then: a fresh 2x2 or 1x1 kernel would be drawn with another variance
    # than the live taps of a 3x3 one, and training compact would not start where training full starts.
    model = ResEmoteNet(**arguments)
    return to_compact(model) if compact else model


@_REGISTER_COMPACT
def resemotenet(**arguments: Any) -> ResEmoteNet:
    """C1, the published network: 80,238,599 parameters at width 1 with 3 input channels; compact 36,198,407."""
    return _build(**arguments)


@_REGISTER_COMPACT
def resemotenet_c2(**arguments: Any) -> ResEmoteNet:
    """C2: without squeeze-and-excitation."""
    return _build(squeeze_excitation=False, **arguments)


@_REGISTER
def resemotenet_c3(**arguments: Any) -> ResEmoteNet:
    """C3: without CNN 64; maps twice as large from there on."""
    return _build(convs=(2, 3), **arguments)


@_REGISTER
def resemotenet_c4(**arguments: Any) -> ResEmoteNet:
    """C4: without CNN 64 and CNN 128; maps four times as large from there on."""
    return _build(convs=(3,), **arguments)


@_REGISTER
def resemotenet_c5(**arguments: Any) -> ResEmoteNet:
    """C5: without residual block 256."""
    return _build(blocks=(2, 3), **arguments)


@_REGISTER
def resemotenet_c6(**arguments: Any) -> ResEmoteNet:
    """C6: without residual blocks 256 and 512."""
    return _build(blocks=(3,), **arguments)


@_REGISTER_COMPACT
def resemotenet_c3_pooled(**arguments: Any) -> ResEmoteNet:
    """C3 the other way: without CNN 64, its pooling stays."""
    return _build(convs=(2, 3), keep_pooling=True, **arguments)


@_REGISTER_COMPACT
def resemotenet_c4_pooled(**arguments: Any) -> ResEmoteNet:
    """C4 the other way: without CNN 64 and CNN 128, their pooling stays."""
    return _build(convs=(3,), keep_pooling=True, **arguments)


@_REGISTER_COMPACT
def resemotenet_c5_pooled(**arguments: Any) -> ResEmoteNet:
    """C5 the other way: a max-pooling where residual block 256 was."""
    return _build(blocks=(2, 3), keep_pooling=True, **arguments)


@_REGISTER_COMPACT
def resemotenet_c6_pooled(**arguments: Any) -> ResEmoteNet:
    """C6 the other way: two max-poolings where residual blocks 256 and 512 were."""
    return _build(blocks=(3,), keep_pooling=True, **arguments)
