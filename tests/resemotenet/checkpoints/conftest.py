"""A small network with an info in which nothing has its default, and its model folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resemotenet.checkpoints.checkpoint import load_model, save_model
from resemotenet.emotions import EMOTIONS
from resemotenet.models import create_model
from resemotenet.runs.schema import ModelInfo, Preprocessing

ARGUMENTS: dict[str, Any] = {"num_classes": 7, "in_channels": 1, "width": 0.0625, "compact": True}
INFO = ModelInfo(
    architecture="resemotenet",
    arguments=ARGUMENTS,
    labels=EMOTIONS,
    preprocess=Preprocessing(size=48, channels=1, mean=(0.5,), std=(0.25,)),
    temperature=1.5,
    logit_bias=(0.5, 0.0, -0.25, 0.0, 1.0, 0.0, 0.0),
    views="flip",
    measured=({"dataset": "fer2013", "split": "PrivateTest", "n": 3589, "accuracy": 0.5},),
    training={"recipe": "none", "seed": 0},
    license={"name": "test", "link": "https://example.org", "text": "Für Tests."},
)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_model("resemotenet", **ARGUMENTS).eval()


def crops(count: int = 3) -> Tensor:
    return torch.randn(count, 1, 48, 48, generator=torch.Generator().manual_seed(7))


def assert_holds(folder: Path, module: nn.Module) -> None:
    """The folder loads, and its weights are exactly these."""
    expected, state = module.state_dict(), load_model(folder).module.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(state[key], value, rtol=0, atol=0, msg=key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_model(tmp_path / "model", network(), INFO)
