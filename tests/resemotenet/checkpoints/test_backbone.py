"""Starting from torchvision weights in a file. The files are made here, small and random."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from resemotenet.checkpoints.backbone import load_backbone
from resemotenet.errors import (
    CheckpointFormatError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    UnsafeCheckpointError,
)
from resemotenet.models import create_model

State = dict[str, Tensor]
Write = Callable[[State], Path]


@pytest.fixture(params=["safetensors", "pth"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    def to(state: State) -> Path:
        path = tmp_path / f"weights.{request.param}"
        if request.param == "pth":
            torch.save(state, path)
        else:
            save_file(state, path)
        return path

    return to


@pytest.fixture
def convnext() -> ConvNeXt:
    """What ``emonext_tiny`` is built on at a sixteenth of its width, for 1,000 classes."""
    torch.manual_seed(1)
    settings = [CNBlockConfig(6, 12, 3), CNBlockConfig(12, 24, 3), CNBlockConfig(24, 48, 9), CNBlockConfig(48, None, 3)]
    return ConvNeXt(settings, num_classes=1000).eval()


def emonext(**arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_model("emonext_tiny", **{"width": 1 / 16, **arguments})


def test_emonext_computes_convnexts_features(write: Write, convnext: ConvNeXt) -> None:
    model = emonext().eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = load_backbone(model, write(convnext.state_dict()))
    assert report.left_out == ("classifier.2.bias", "classifier.2.weight")
    assert report.loaded + len(report.random) == len(before)
    assert {name.split(".")[0] for name in report.random} == {
        "spatial_transformer",
        "features",
        "attention",
        "classifier",
    }
    for name in report.random:
        assert torch.equal(model.state_dict()[name], before[name]), name
    for stage in (2, 4, 6):
        model.set_submodule(f"features.{stage}.2", nn.Identity())
    x = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(model.get_submodule("features")(x), convnext.features(x), rtol=0, atol=1e-5)
    frozen = {key for key, value in model.named_parameters() if not value.requires_grad}
    assert frozen == {f"attention.{key}" for key in ("value.weight", "value.bias")}


def test_resnet_with_a_head_of_its_own(write: Write) -> None:
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18(weights=None).eval()
    ours = create_model("resnet18").eval()
    report = load_backbone(ours, write(theirs.state_dict()))
    assert str(report).endswith(": 120 tensors taken; left out: fc.bias, fc.weight; random still: fc")
    ours.fc, theirs.fc = nn.Identity(), nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(ours(x), theirs(x))


def test_a_file_without_the_counts_of_batches_and_without_a_head(write: Write) -> None:
    """torchvision's published ResNet files are of a time before these counts."""
    theirs = torchvision.models.resnet18(weights=None).state_dict()
    old = {key: value for key, value in theirs.items() if "num_batches" not in key and not key.startswith("fc.")}
    model = create_model("resnet18")
    report = load_backbone(model, write(old))
    assert (report.loaded, report.left_out) == (100, ())
    assert "left out: nothing" in str(report)
    assert torch.equal(model.get_parameter("layer4.1.conv2.weight"), theirs["layer4.1.conv2.weight"])


def test_a_file_in_half_precision_becomes_float32(write: Write, convnext: ConvNeXt) -> None:
    model = emonext()
    load_backbone(model, write(convnext.half().state_dict()))
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    stem = model.get_parameter("features.0.0.weight")
    torch.testing.assert_close(stem, convnext.features[0][0].weight.float(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("features.1.0.layer_scale"), r"missing keys: features\.1\.0\.layer_scale$"),
        (lambda state: state.update(mystery=torch.ones(1)), r"surplus keys: mystery$"),
        (
            lambda state: state.update({"classifier.0.weight": torch.ones(768)}),
            r"classifier\.0\.weight has the shape \(768,\), expected \(48,\)$",
        ),
        (
            lambda state: state.update({"attention.key.weight": torch.ones(1)}),
            r"no plain ConvNeXt: it has attention\.key\.weight, which EmoNeXt adds",
        ),
    ],
)
def test_a_file_that_does_not_fit(
    write: Write, convnext: ConvNeXt, change: Callable[[State], object], message: str
) -> None:
    state, model = dict(convnext.state_dict()), emonext()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    change(state)
    path = write(state)
    with pytest.raises(CheckpointMismatchError, match=message) as caught:
        load_backbone(model, path)
    assert str(path) in str(caught.value)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} has changed"


def test_a_network_of_one_channel(write: Write, convnext: ConvNeXt) -> None:
    message = r"features\.0\.0\.weight has the shape \(6, 3, 4, 4\), expected \(6, 1, 4, 4\)"
    with pytest.raises(CheckpointMismatchError, match=message):
        load_backbone(emonext(in_channels=1), write(convnext.state_dict()))


def test_a_network_without_a_backbone(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"VGG starts from random weights only; a backbone file can be given to emonext"
    ):
        load_backbone(create_model("vgg", width=1 / 16), tmp_path / "absent.pth")


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_file_that_is_not_there_or_damaged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    with pytest.raises(CheckpointNotFoundError, match="does not exist"):
        load_backbone(emonext(), path)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(CheckpointFormatError, match=r"safetensors file|not a checkpoint that torch\.save wrote"):
        load_backbone(emonext(), path)


def test_a_pickle_that_could_run_code(tmp_path: Path) -> None:
    torch.save({"features": Path}, tmp_path / "weights.pth")
    with pytest.raises(UnsafeCheckpointError, match="holds more than tensors"):
        load_backbone(emonext(), tmp_path / "weights.pth")
