"""The optimizer, the schedule (a pure function of the step), the moving average, the loss."""

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .config import Optimization

_Tensors = tuple[Tensor, ...] | list[Tensor]


def build_optimizer(model: nn.Module, config: Optimization) -> torch.optim.Optimizer:
    """SGD; weight decay on kernels and matrices only, since it would pull BN scales and biases to zero for nothing."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(
        groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.nesterov, foreach=True
    )


def learning_rate(step: int, steps_per_epoch: int, config: Optimization) -> float:
    """The rate of one step: linear warm-up from zero, then constant or a cosine that ends at zero."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.learning_rate
    total = config.epochs * steps_per_epoch
    progress = (step - warmup) / max(1.0, total - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


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


def loss_function(logits: Tensor, distribution: Tensor, config: Optimization) -> Tensor:
    """Cross entropy (N, K) against a distribution (N, K), mean over the batch."""
    return nn.functional.cross_entropy(logits.float(), distribution, label_smoothing=config.label_smoothing)
