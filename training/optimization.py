"""The optimizer, the schedule (a pure function of step and validation so far), the moving average, the loss."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from resemotenet.runs.schema import Optimization

_Tensors = tuple[Tensor, ...] | list[Tensor]


def build_optimizer(model: nn.Module, config: Optimization) -> torch.optim.Optimizer:
    """SGD or AdamW over all parameters that are not frozen.

    Unless told otherwise weight decay is on kernels and matrices only, since it would pull BN scales and biases to zero
    for nothing.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in trained if p.ndim > 1 or config.decay == "all"]
    others = [p for p in trained if p.ndim <= 1 and config.decay != "all"]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}]
    if others:
        groups.append({"params": others, "weight_decay": 0.0})
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.momentum, 0.999), foreach=True)
    return torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, foreach=True
    )


def learning_rate(step: int, steps_per_epoch: int, config: Optimization, values: Sequence[float] = ()) -> float:
    """The rate of one step: linear warm-up from zero, then what the schedule says.

    Args:
        step: counted over the whole run, from 0.
        values: validation accuracy of every epoch before this step; "plateau" looks at it.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if config.schedule == "restarts":
        cycle = max(1.0, config.cycle_epochs * steps_per_epoch)
        step, total = int(step % cycle), cycle
    else:
        total = config.epochs * steps_per_epoch
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.learning_rate
    if config.schedule == "plateau":
        return config.learning_rate * config.plateau_factor ** plateaus(values, config.plateau_patience)
    progress = (step - warmup) / max(1.0, total - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def plateaus(values: Sequence[float], patience: int) -> int:
    """How often more than ``patience`` values in a row were no better than the best before; each time counts anew.

    torch's ReduceLROnPlateau(mode="max", threshold=0) cuts the rate as often, but keeps a state of its own.
    """
    best, waited, count = -math.inf, 0, 0
    for value in values:
        best, waited = (value, 0) if value > best else (best, waited + 1)
        if waited > patience:
            waited, count = 0, count + 1
    return count


def has_stalled(values: Sequence[float], patience: int | None) -> bool:
    """Whether the last ``patience`` values brought nothing better than what was before them."""
    if patience is None or len(values) <= patience:
        return False
    return max(values[-patience:]) <= max(values[:-patience])


def build_average(model: nn.Module, decay: float) -> AveragedModel:
    """Moving average of weights and BN statistics, with a shorter memory while it is young."""

    def update(averages: _Tensors, currents: _Tensors, count: Tensor | int) -> None:
        young = (1 + float(count)) / (10 + float(count))
        keep = min(decay, young)
        # Tensors come grouped by type; the only whole numbers are BN's counts of batches.
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, 1 - keep)
        else:
            torch._foreach_copy_(averages, currents)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)


def class_weights(distribution: Tensor, config: Optimization) -> Tensor | None:
    """One weight an emotion (K,) from what is in train (N, K), or None for no weights.

    "balanced" is N / (K * share of the emotion), as scikit-learn has it. An emotion that is not there never is a
    target; it counts as one face, so that its weight is finite.
    """
    if config.class_weights == "none":
        return None
    counts = distribution.sum(dim=0).clamp(min=1)
    return len(distribution) / (distribution.shape[1] * counts)


def loss_sum(logits: Tensor, distribution: Tensor, config: Optimization, weights: Tensor | None = None) -> Tensor:
    """Cross entropy (N, K) against a distribution (N, K), weighted by class, summed over the faces.

    Divided by ``weight_sum`` of the whole batch it is the mean that torch takes of weighted class numbers. Summed, so
    that parts and processes add up to the very gradient of the batch, however it was shared out.
    """
    return nn.functional.cross_entropy(
        logits.float(), distribution, weights, reduction="sum", label_smoothing=config.label_smoothing
    )


def weight_sum(distribution: Tensor, weights: Tensor | None) -> Tensor | int:
    """What the faces (N, K) weigh together; N where no class has a weight of its own."""
    return len(distribution) if weights is None else (distribution @ weights).sum()


def attention_variance(attention: Tensor) -> Tensor:
    """EmoNeXt's term: how far the attention weights (N, N) of a batch are from all being equal."""
    return attention.float().var(correction=0)
