"""Which parts of a face the network's answer rests on: a heat map for each crop, and a picture of it.

The method is HiResCAM (Draelos and Carin, 2020, https://arxiv.org/abs/2011.08891): at the layer that the model's
config.json names, every activation times the gradient of the emotion's logit with respect to it, summed over channels.
Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391) first averages that gradient over the map. It is
made for the last map of a network; after ResEmoteNet's squeeze-and-excitation three blocks follow, a channel may count
for an emotion at the mouth and against it at the brow, and the average loses which: of the gradient's energy it keeps
an eighth. On 1,000 PublicTest faces and the bundled weights after their first step of training (the tables are in
tests/benchmarks/explain_study.py), hiding the hottest fifth of the crop takes 0.420 off the probability of the
predicted emotion with HiResCAM, 0.253 with Grad-CAM, and 0.108 when HiResCAM's region is moved to a random place.
Hiding what is hottest in the mean of all Grad-CAM's maps takes 0.267 off: Grad-CAM tells less about a face than not
looking at it.

What such a map does not say. It is as coarse as the layer's map (6x6 cells on 48 px, 8x8 on 64 px, each cell fed by a
larger patch), so it shows regions, not features. It shows what this network used, which need not be what a person
would use, and never why somebody feels something or whether they do. Its scale is its own: the hottest place of every
crop is 1, however weak the evidence; compare places within a map, not maps. Evidence against the emotion is not drawn.
It says least about "neutral", which is also what is read where an expression is missing: hiding the hottest fifth takes
0.209 off there and beats the moved region for 77% of the faces; for the other emotions 89% or more. Another crop of
the same face can move such a map.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..checkpoints.checkpoint import LoadedModel
from ..checkpoints.preprocessing import Crop, check_several
from .images import read_crop

# How many crops are explained at once: bounds the memory of a long list.
_BATCH = 64

# The bright end of the colour map inferno (Smith and van der Walt, CC0). Its lightness grows all the way, so the heat
# is read in the same order with any colour vision, and in print.
COLORS = np.array([(228, 90, 49), (249, 142, 9), (249, 203, 53), (252, 255, 164)], np.float32)
# The crop's white, darkened, is below the darkest of those colours: heat makes every pixel brighter, skin or shadow.
BENEATH = 0.45
# How much of the colour covers the crop where the heat is 1.
OPACITY = 0.75


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which places of one crop speak for one emotion.

    Attributes:
        label: the emotion explained.
        probability: the model's probability of it for this crop, as ``LoadedModel.probabilities`` gives it.
        evidence: (h, w) float32, the layer's map before any scaling: activation times gradient, summed over channels,
            in units of the logit. Positive cells speak for the emotion, negative ones against it.
        heat: (S, S) float32 from 0 to 1, S the side of the network's input: the positive part of ``evidence``,
            enlarged bilinearly and divided by its largest value. All zeros where nothing speaks for the emotion.
    """

    label: str
    probability: float
    evidence: NDArray[np.float32]
    heat: NDArray[np.float32]


def explain(model: LoadedModel, crops: Sequence[Crop], label: str | None = None) -> list[Explanation]:
    """Explain the answer for face crops; one explanation each, in order. The module's docstring says what it means.

    Where the model averages a crop and its mirror image, so does the map, turned back. Safe to call from several
    threads, also while others predict with the same model: the shared module is read, never changed or hooked. Works
    inside ``inference_mode`` and with weights made there (which are copied for it).

    Args:
        crops: as for ``EmotionPredictor.classify``; sizes may differ.
        label: one of ``model.labels``, for all crops; None explains the most probable emotion of each.

    Raises:
        ValueError: no such label; a crop of another type or layout; or the model names no layer to explain with, or
            one whose output is no map or a single cell.
    """
    if model.info.explain_layer is None:
        raise ValueError(
            f"the {model.info.architecture} model of {model.folder} names no layer to explain with; "
            "set explain_layer in its config.json to a submodule that gives a map"
        )
    if label is not None and label not in model.labels:
        raise ValueError(f"the model knows no label {label!r}; expected one of {', '.join(model.labels)}")
    check_several(crops, "crops")
    with torch.inference_mode(False), torch.enable_grad():
        net = _private(model.module)
        upright = [read_crop(crop) for crop in crops]
        parts = (upright[start : start + _BATCH] for start in range(0, len(upright), _BATCH))
        return [each for part in parts for each in _explain(model, net, model.preprocess(part), label)]


def overlay(crop: Crop, explanation: Explanation) -> Image.Image:
    """The heat over the grey, darkened crop: orange to light yellow, the brighter the hotter.

    Args:
        crop: the one that was explained, or the same part of the picture at any size.

    Returns:
        A new RGB image of the size of the crop.

    Raises:
        ImageError: the crop is no picture.
    """
    upright = read_crop(crop)
    picture = upright if isinstance(upright, Image.Image) else Image.fromarray(upright)
    enlarged = Image.fromarray(explanation.heat).resize(picture.size, Image.Resampling.BILINEAR)
    heat = np.clip(np.asarray(enlarged), 0, 1)
    steps = np.linspace(0, 1, len(COLORS))
    color = np.stack([np.interp(heat, steps, channel) for channel in COLORS.T], axis=-1)
    beneath = BENEATH * np.asarray(picture.convert("L"), np.float32)[..., None]
    opacity = OPACITY * heat[..., None]
    return Image.fromarray(np.rint(beneath + opacity * (color - beneath)).astype(np.uint8))


def _explain(model: LoadedModel, net: nn.Module, batch: Tensor, label: str | None) -> list[Explanation]:
    probabilities = model.probabilities(batch).numpy()
    chosen = probabilities.argmax(axis=1) if label is None else np.full(len(batch), model.labels.index(label))
    targets = torch.from_numpy(chosen).to(model.device)
    layer = model.info.explain_layer
    assert layer is not None
    batch = batch.to(model.device)
    if model.info.views == "flip":
        views = _evidence(net, layer, torch.cat([batch, batch.flip(-1)]), targets.repeat(2))
        straight, mirrored = views.chunk(2)
        evidence = (straight + mirrored.flip(-1)) / 2
    else:
        evidence = _evidence(net, layer, batch, targets)
    heat = _heat(evidence, model.preprocess.size).cpu().numpy()
    cells = evidence.cpu().numpy()
    return [
        Explanation(model.labels[column], float(row[column]), cells[number], heat[number])
        for number, (column, row) in enumerate(zip(chosen.tolist(), probabilities, strict=True))
    ]


def _private(module: nn.Module) -> nn.Module:
    """A copy that shares the weights, none of which requires a gradient: a hook on it is seen by no other thread."""
    tensors = (*module.parameters(), *module.buffers())
    # Tensors made in inference mode cannot take part in a graph; these alone are copied.
    shared = {id(tensor): tensor.clone() if tensor.is_inference() else tensor.detach() for tensor in tensors}
    return copy.deepcopy(module, shared)


def _evidence(net: nn.Module, layer: str, batch: Tensor, targets: Tensor) -> Tensor:
    """HiResCAM of the logits ``targets`` (N,) at ``layer``: (N, C, S, S) -> (N, h, w), not clipped at zero."""
    activation, gradient = _at_layer(net, layer, batch, targets)
    return (gradient * activation).sum(dim=1).float()


def _at_layer(net: nn.Module, layer: str, batch: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """What ``layer`` gives, (N, C, h, w), and the gradient of each crop's logit with respect to it.

    ``net`` must be this thread's own (``_private``): it gets a hook for the time of the call.
    """
    outputs: list[Tensor] = []

    def start_here(_module: nn.Module, _arguments: object, output: Tensor) -> Tensor:
        """The graph begins at the layer's output. A copy goes on, for what follows may write into it."""
        outputs.append(output.detach().requires_grad_())
        return outputs[-1].clone()

    handle = net.get_submodule(layer).register_forward_hook(start_here)
    try:
        logits = net(batch)
    finally:
        handle.remove()
    if len(outputs) != 1 or outputs[0].ndim != 4 or outputs[0].shape[-2:].numel() == 1:
        shapes = [tuple(output.shape) for output in outputs]
        raise ValueError(f"explain_layer {layer!r} must give one map (N, C, h, w) of several cells, got {shapes}")
    (gradient,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), outputs[0])
    return outputs[0].detach(), gradient


def _heat(evidence: Tensor, size: int) -> Tensor:
    """(N, h, w) -> (N, size, size) from 0 to 1; zeros where no cell is positive."""
    positive = evidence.relu()[:, None]
    heat = nn.functional.interpolate(positive, (size, size), mode="bilinear", align_corners=False)[:, 0]
    peak = heat.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, heat / peak, 0.0)
