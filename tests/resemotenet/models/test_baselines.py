"""The baselines against their forward passes by hand, and the ResNets against torchvision's."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from resemotenet.models import create_model


def narrow(name: str, **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    return create_model(name, width=1 / 8, conv_dropout=0.0, head_dropout=0.0, **arguments).double()


def normalised(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])


def convolved(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def head_by_hand(x: Tensor, state: dict[str, Tensor], layers: list[int]) -> Tensor:
    for layer in layers[:-1]:
        x = (x @ state[f"head.{layer}.weight"].T + state[f"head.{layer}.bias"]).relu()
    return x @ state[f"head.{layers[-1]}.weight"].T + state[f"head.{layers[-1]}.bias"]


def plain_by_hand(state: dict[str, Tensor], x: Tensor) -> Tensor:
    for stage in range(5):
        x = F.max_pool2d(normalised(convolved(x, state, f"stages.{stage}.0"), state, f"stages.{stage}.1").relu(), 2)
    if "se.fc.0.weight" in state:
        gate = (x.mean((2, 3)) @ state["se.fc.0.weight"].T).relu() @ state["se.fc.2.weight"].T
        x = x * gate.sigmoid()[:, :, None, None]
    return head_by_hand(x.mean((2, 3)), state, [0, 3, 6, 9])


def vgg_by_hand(state: dict[str, Tensor], x: Tensor) -> Tensor:
    for stage in range(3):
        at = f"stages.{stage}"
        for each in (1, 2):
            mean, var = state[f"{at}.norm{each}.running_mean"], state[f"{at}.norm{each}.running_var"]
            x = convolved(x, state, f"{at}.conv{each}")
            x = F.batch_norm(x, mean, var, state[f"{at}.scale"], state[f"{at}.shift"]).relu()
        x = F.max_pool2d(x, 2)
    return head_by_hand(x.flatten(1), state, [0, 3, 6])


@pytest.mark.parametrize(
    ("name", "by_hand"), [("plain_cnn", plain_by_hand), ("cnn_se", plain_by_hand), ("vgg", vgg_by_hand)]
)
def test_forward_pass(
    randomize: Callable[[nn.Module], nn.Module], name: str, by_hand: Callable[[dict[str, Tensor], Tensor], Tensor]
) -> None:
    model = randomize(narrow(name)).eval()
    x = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    logits = model(x)
    torch.testing.assert_close(logits, by_hand(model.state_dict(), x), rtol=0, atol=1e-10)
    assert logits.std(0).max() > 0.01, "pictures that are all answered alike prove nothing"


@pytest.mark.parametrize(
    ("name", "channels", "units"),
    [
        ("plain_cnn", [64, 128, 256, 512, 1024], [1024, 2048, 1024, 512, 7]),
        ("cnn_se", [64, 128, 256, 512, 1024], [1024, 1024, 2048, 512, 7]),
        ("vgg", [64, 64, 128, 128, 256, 256], [16384, 4096, 1024, 7]),
    ],
)
def test_layers_are_those_of_the_reference(name: str, channels: list[int], units: list[int]) -> None:
    with torch.device("meta"):
        model = create_model(name)
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == channels
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    matrices = [layer for layer in model.get_submodule("head").modules() if isinstance(layer, nn.Linear)]
    assert [matrices[0].in_features, *(layer.out_features for layer in matrices)] == units


@pytest.mark.parametrize(
    ("name", "maps", "vectors"),
    [
        # After every stage; with SE, after all but the last.
        ("plain_cnn", [(8, 32), (16, 16), (32, 8), (64, 4), (128, 2)], [256, 128, 64]),
        ("cnn_se", [(8, 32), (16, 16), (32, 8), (64, 4)], [128, 256, 64]),
        # Between the two convolutions of a stage.
        ("vgg", [(8, 64), (16, 32), (32, 16)], [512, 128]),
    ],
)
def test_dropout_is_where_upstream_has_it(name: str, maps: list[tuple[int, int]], vectors: list[int]) -> None:
    model = create_model(name, width=1 / 8)
    seen: list[tuple[float, torch.Size]] = []
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.register_forward_hook(lambda layer, _inputs, output: seen.append((layer.p, output.shape)))
    model(torch.randn(2, 3, 64, 64))
    assert seen == [
        *((0.2, torch.Size((2, channels, side, side))) for channels, side in maps),
        *((0.5, torch.Size((2, units))) for units in vectors),
    ]


def test_vgg_evaluates_with_the_statistics_of_each_convolution(randomize: Callable[[nn.Module], nn.Module]) -> None:
    """What training mode normalises by is what evaluation mode remembers; one mean for both would be neither's."""
    model, x = randomize(narrow("vgg")), torch.randn(8, 3, 64, 64, dtype=torch.float64)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    trained = model.train()(x).detach()
    # The remembered variance is divided by one less: 16 x 16 x 8 values and more.
    torch.testing.assert_close(model.eval()(x), trained, rtol=0, atol=0.01 * float(trained.std()))


def test_one_scale_and_shift_serve_both_convolutions_of_a_vgg_stage() -> None:
    names = {name for name, _ in narrow("vgg").get_submodule("stages.0").named_parameters()}
    assert names == {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "scale", "shift"}


@pytest.mark.parametrize("name", ["plain_cnn", "cnn_se"])
@pytest.mark.parametrize(("size", "fits"), [((64, 64), True), ((48, 48), True), ((32, 96), True), ((31, 64), False)])
def test_smallest_picture(name: str, size: tuple[int, int], fits: bool) -> None:
    model, x = narrow(name).eval(), torch.randn(1, 3, *size, dtype=torch.float64)
    if fits:
        assert model(x).isfinite().all()
        return
    with pytest.raises(ValueError, match=r"5 times and got pictures of 31x64; it needs at least 32x32"):
        model(x)


@pytest.mark.parametrize(("size", "fits"), [((64, 64), True), ((71, 65), True), ((63, 64), False), ((64, 72), False)])
def test_pictures_that_the_first_matrix_of_vgg_takes(size: tuple[int, int], fits: bool) -> None:
    model, x = narrow("vgg").eval(), torch.randn(1, 3, *size, dtype=torch.float64)
    if fits:
        assert model(x).isfinite().all()
        return
    with pytest.raises(ValueError, match=rf"vgg got pictures of {size[0]}x{size[1]}, .* use 64x64"):
        model(x)


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_resnets_are_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, name)(weights=None, num_classes=5)
    torch.manual_seed(0)
    ours = create_model(name, num_classes=5)
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_a_grey_resnet_starts_from_the_same_spread() -> None:
    torch.manual_seed(0)
    grey, colour = (create_model("resnet18", in_channels=channels).get_parameter("conv1.weight") for channels in (1, 3))
    assert grey.shape == (64, 1, 7, 7)
    assert grey.std().item() == pytest.approx(colour.std().item(), rel=0.05)
