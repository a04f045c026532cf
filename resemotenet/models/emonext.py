"""EmoNeXt: ConvNeXt behind a spatial transformer, with squeeze-and-excitation and a loss term from attention.

Paper: El Boudouri and Bohi, "EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition", MMSP 2023
(https://doi.org/10.1109/MMSP59012.2023.10337732); ConvNeXt: Liu et al., 2022 (https://arxiv.org/abs/2201.03545). The
released EmoNeXt code has no licence and no weights, so this is written from the paper's description, on torchvision's
ConvNeXt, whose parameter names it keeps (``features``, ``classifier``): see ``checkpoints.backbone`` for starting from
ConvNeXt weights.

**What forward returns.** In evaluation mode the logits (N, K), as every network here. In training mode
``EmoNeXtOutputs(logits, attention)``, because the loss has a term of the attention weights, and what does not leave
``forward`` is not seen by DistributedDataParallel (torchvision's Inception and GoogLeNet do the same with their
auxiliary logits). The published loss is

    cross_entropy(logits, target, label_smoothing=0.2) + ((attention - attention.mean()) ** 2).mean()

The attention is over the faces of one batch, in each process its own, and changes no logit.

Started as the released code is: truncated normal of deviation 0.02 for every convolution and matrix, biases at 0, the
spatial transformer at the identity. One thing is left: that code replaces ConvNeXt's last layer by one that torch draws
uniformly, of deviation 0.0208 for the tiny size; here it is drawn as all others.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ._registry import register_model
from .layers import SqueezeExcitation, scale_channels

SIDE = 224
"""Height and width of the input, fixed by the first matrix of the spatial transformer."""

# The downsampling stages of torchvision's ConvNeXt.features; 0 is the stem, 1, 3, 5 and 7 are blocks.
_DOWNSAMPLING = (2, 4, 6)

HEAD = "classifier.2."
"""Prefix of the layer that gives the logits; all else of ``classifier`` belongs to the backbone."""
ADDED = ("spatial_transformer.", "attention.", *(f"features.{stage}.2." for stage in _DOWNSAMPLING))
"""Prefixes of the parameters that ConvNeXt does not have."""


class EmoNeXtOutputs(NamedTuple):
    """What training needs.

    Attributes:
        logits: (N, K).
        attention: (N, N), rows sum to one; row i says how much face i looks at each face of its batch.
    """

    logits: Tensor
    attention: Tensor


def draw_as_released(layers: nn.Module) -> None:
    """Start convolutions and linear layers as the released code does, which is as ConvNeXt does; biases at 0."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class SpatialTransformer(nn.Module):
    """Turns, shifts and scales each picture by an affine map that a small network reads from it (Jaderberg 2015).

    (N, C, 224, 224) -> the same shape; the identity at the start. What falls outside the picture becomes zero. On a GPU
    the gradient of the sampling adds up in no fixed order, so two runs differ in the last digits.

    Raises:
        ValueError: the picture is not 224x224.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.localization = nn.Sequential(
            nn.Conv2d(in_channels, 8, kernel_size=7),
            nn.BatchNorm2d(8),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(8, 10, kernel_size=5),
            nn.BatchNorm2d(10),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(10 * 52 * 52, 32),
            nn.ReLU(),
        )
        self.affine = nn.Linear(32, 6)
        draw_as_released(self)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.eye(2, 3).flatten())

    def theta(self, x: Tensor) -> Tensor:
        """The affine maps (N, 2, 3): from places in the output to places in the input, both in [-1, 1], x first."""
        if tuple(x.shape[-2:]) != (SIDE, SIDE):
            raise ValueError(
                f"EmoNeXt got pictures of {x.shape[-2]}x{x.shape[-1]}, but its spatial transformer works on "
                f"{SIDE}x{SIDE} only; resize them"
            )
        affine: Tensor = self.affine(self.localization(x))
        return affine.view(-1, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        # Places need float32: half precision cannot tell neighbouring pixels apart. torch's affine_grid multiplies
        # matrices, which autocast does in half precision, so the map is written out.
        theta = self.theta(x).to(torch.promote_types(x.dtype, torch.float32))
        steps = torch.arange(SIDE, device=x.device, dtype=theta.dtype)
        place = 2 * steps / (SIDE - 1) - 1  # -1 and 1 are the centres of the outer pixels, as in the released code
        across, down, origin = theta[:, None, None].unbind(-1)
        grid = across * place[:, None] + down * place[:, None, None] + origin
        seen: Tensor = nn.functional.grid_sample(x.to(theta.dtype), grid, align_corners=True)
        return seen.to(x.dtype)


class BatchAttention(nn.Module):
    """How much each face of a batch looks at each other one: (N, D) -> (N, N), rows sum to one.

    A layer normalisation, then dot products of query and key divided by the fourth root of D, not the usual square
    root, as in the released code. ``value`` is in the published network and its parameter count, but its output is used
    for nothing; it is frozen, since DistributedDataParallel waits for a gradient of everything that asks for one.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.scale = features**-0.25
        self.query = nn.Linear(features, features)
        self.key = nn.Linear(features, features)
        self.value = nn.Linear(features, features).requires_grad_(False)
        self.norm = nn.LayerNorm(features)
        draw_as_released(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        scores: Tensor = self.query(x) @ self.key(x).T
        weights: Tensor = (scores * self.scale).softmax(dim=1)
        return weights


class EmoNeXt(nn.Module):
    """Spatial transformer, ConvNeXt with squeeze-and-excitation after each downsampling, one linear layer.

    Input (N, in_channels, 224, 224) float, normalised as the model's ``Preprocess`` says. Output: see the module's
    docstring. The last map, ``features``, is 7x7 and lies over the picture that the spatial transformer made.

    Args:
        width: multiplies the channels of the four stages; the spatial transformer stays as it is.
        depths, channels: blocks and channels of the four stages at width 1.
        stochastic_depth: probability with which the last block is left out in training; it rises to that from 0 at the
            first block. The released code takes 0.1 for every size, where ConvNeXt takes more for larger ones.

    Raises:
        ValueError: ``width`` is not positive or ``stochastic_depth`` not in [0, 1).
    """

    def __init__(
        self,
        *,
        num_classes: int = 7,
        in_channels: int = 3,
        width: float = 1.0,
        depths: tuple[int, int, int, int],
        channels: tuple[int, int, int, int],
        stochastic_depth: float,
    ) -> None:
        from torchvision.models.convnext import CNBlockConfig, ConvNeXt  # slow to import, few networks need it

        super().__init__()
        if not 0 <= stochastic_depth < 1:
            raise ValueError(f"stochastic_depth must be in [0, 1), got {stochastic_depth}")
        widths = [scale_channels(each, width) for each in channels]
        settings = [CNBlockConfig(*stage) for stage in zip(widths, [*widths[1:], None], depths, strict=True)]
        convnext = ConvNeXt(settings, stochastic_depth_prob=stochastic_depth, num_classes=num_classes)
        self.spatial_transformer = SpatialTransformer(in_channels)
        self.features: nn.Sequential = convnext.features
        self.avgpool: nn.Module = convnext.avgpool
        self.classifier: nn.Sequential = convnext.classifier
        self.attention = BatchAttention(widths[-1])
        for stage, arriving in zip(_DOWNSAMPLING, widths[1:], strict=True):
            downsampling = self.features[stage]
            assert isinstance(downsampling, nn.Sequential)
            squeeze = SqueezeExcitation(arriving)
            draw_as_released(squeeze)
            downsampling.append(squeeze)
        if in_channels != 3:
            stem = nn.Conv2d(in_channels, widths[0], kernel_size=4, stride=4)
            nn.init.trunc_normal_(stem.weight, std=0.02)  # as torchvision draws the one it replaces
            assert stem.bias is not None
            nn.init.zeros_(stem.bias)
            self.features.set_submodule("0.0", stem)

    def forward(self, x: Tensor) -> Tensor | EmoNeXtOutputs:
        norm, flatten, head = self.classifier
        features: Tensor = flatten(norm(self.avgpool(self.features(self.spatial_transformer(x)))))
        logits: Tensor = head(features)
        if self.training:
            return EmoNeXtOutputs(logits, self.attention(features))
        return logits


_OPTIONS = ("stochastic_depth",)


@register_model(explain_layer="features", default_size=SIDE, options=_OPTIONS)
def emonext_tiny(*, stochastic_depth: float = 0.1, **arguments: Any) -> EmoNeXt:
    """30,564,331 parameters with 7 classes."""
    return EmoNeXt(depths=(3, 3, 9, 3), channels=(96, 192, 384, 768), stochastic_depth=stochastic_depth, **arguments)


@register_model(explain_layer="features", default_size=SIDE, options=_OPTIONS)
def emonext_small(*, stochastic_depth: float = 0.1, **arguments: Any) -> EmoNeXt:
    """52,198,891 parameters with 7 classes."""
    return EmoNeXt(depths=(3, 3, 27, 3), channels=(96, 192, 384, 768), stochastic_depth=stochastic_depth, **arguments)


@register_model(explain_layer="features", default_size=SIDE, options=_OPTIONS)
def emonext_base(*, stochastic_depth: float = 0.1, **arguments: Any) -> EmoNeXt:
    """91,765,259 parameters with 7 classes."""
    return EmoNeXt(depths=(3, 3, 27, 3), channels=(128, 256, 512, 1024), stochastic_depth=stochastic_depth, **arguments)


@register_model(explain_layer="features", default_size=SIDE, options=_OPTIONS)
def emonext_large(*, stochastic_depth: float = 0.1, **arguments: Any) -> EmoNeXt:
    """204,582,475 parameters with 7 classes."""
    return EmoNeXt(depths=(3, 3, 27, 3), channels=(192, 384, 768, 1536), stochastic_depth=stochastic_depth, **arguments)


@register_model(explain_layer="features", default_size=SIDE, options=_OPTIONS)
def emonext_xlarge(*, stochastic_depth: float = 0.1, **arguments: Any) -> EmoNeXt:
    """362,312,331 parameters with 7 classes. torchvision has no ConvNeXt of this size."""
    return EmoNeXt(
        depths=(3, 3, 27, 3), channels=(256, 512, 1024, 2048), stochastic_depth=stochastic_depth, **arguments
    )
