"""The compact layout: the same function without the weights that never meet a pixel.

On input of 40 to 71 pixels the last residual block works on a 2x2 map and gives 1x1. Of its first 3x3 kernel only the
taps [1:, 1:] meet pixels, of its second only the centre; all others multiply padding zeros. Leaving them out takes
44,040,192 of the 80,238,599 parameters of the published network away and changes no output. It is exact both ways:
``expand`` puts zeros where the taps were, so a network trained compact loads in the upstream layout.
"""

import copy

import torch
from torch import Tensor, nn

from ..errors import CompactLayoutError
from .layers import ResidualBlock
from .resemotenet import ResEmoteNet


def compact(model: nn.Module) -> ResEmoteNet:
    """A copy of a ResEmoteNet (C1 or C2) with its last residual block in the compact layout.

    Raises:
        CompactLayoutError: the model is no ResEmoteNet, is compact already, or lacks a stage (C3 to C6), so that its
            last map is larger than 1x1 and every tap counts.
    """
    net, block = _with_last_block(model)
    if block.compact:
        raise CompactLayoutError("the model is in the compact layout already")
    if len(net.convs) < 3 or len(net.blocks) < 3:
        raise CompactLayoutError(
            f"the model has {len(net.convs)} convolution stages and {len(net.blocks)} residual blocks, so its last map "
            "is larger than 1x1 and every tap meets pixels; the compact layout is exact for C1 and C2 only"
        )
    return _in_layout(net, block, compact=True)


def expand(model: nn.Module) -> ResEmoteNet:
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
