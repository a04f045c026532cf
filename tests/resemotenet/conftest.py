"""Fixtures for the tests of the library."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from resemotenet.models.baselines import VGGStage

Randomize = Callable[[nn.Module], nn.Module]


@pytest.fixture(scope="session")
def randomize() -> Randomize:
    """Give a network, in place, random weights and random normalisation statistics with which its logits are of order
    one and differ by a tenth from picture to picture. As torch draws them they hardly depend on the picture (1e-4),
    so that a comparison of two networks would pass whatever became of the picture on the way.
    """

    def apply(module: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.running_mean is not None
                assert layer.running_var is not None
                if layer.affine:
                    layer.weight.data.uniform_(0.5, 1.5)
                    layer.bias.data.normal_(0, 0.3)
                layer.running_mean.normal_(0, 0.3)
                layer.running_var.uniform_(0.5, 1.5)
            elif isinstance(layer, VGGStage):
                layer.scale.data.uniform_(0.5, 1.5)
                layer.shift.data.normal_(0, 0.3)
            elif isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
        last.weight.data.mul_(0.1)
        return module

    return apply
