import pytest
import torch
from torch import nn

from resemotenet.errors import UnknownModelError
from resemotenet.models import create_model, list_models, model_entry
from resemotenet.models._registry import register_model

FAMILY = ["resemotenet", *(f"resemotenet_c{number}" for number in range(2, 7))]


def test_names_are_sorted_and_hold_the_family() -> None:
    names = list_models()
    assert names == sorted(names)
    assert set(FAMILY) <= set(names)


@pytest.mark.parametrize("name", FAMILY)
def test_arguments_reach_the_network(name: str) -> None:
    model = create_model(name, num_classes=3, in_channels=1, width=0.125, head_dropout=0.25)
    assert model.training
    assert next(model.parameters()).shape[1] == 1
    assert model.get_parameter("fc4.weight").shape == (3, 32)
    dropout = model.get_submodule("dropout2")
    assert isinstance(dropout, nn.Dropout)
    assert dropout.p == 0.25
    assert model(torch.randn(2, 1, 64, 64)).shape == (2, 3)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"no model is called 'resnet_900'; there are: .*resemotenet_c6"):
        create_model("resnet_900")


def test_an_argument_that_the_builder_does_not_take() -> None:
    with pytest.raises(
        TypeError, match=r"resnet18 takes no argument 'depth', 'drop'; it takes: num_classes, .*compact$"
    ):
        create_model("resnet18", drop=0.1, depth=3)
    with pytest.raises(TypeError, match=r"resemotenet takes no argument 'convs'; .*conv_dropout, head_dropout$"):
        create_model("resemotenet", convs=(1,))


def test_an_entry_says_what_its_network_takes() -> None:
    entry = model_entry("vgg")
    assert (entry.name, entry.explain_layer, entry.default_size) == ("vgg", "stages.2", 64)
    assert (entry.options, entry.compact, entry.scalable) == (("conv_dropout", "head_dropout"), False, True)
    with pytest.raises(UnknownModelError, match=r"no model is called 'vgg19'; there are: "):
        model_entry("vgg19")


def test_a_name_is_given_once() -> None:
    def resemotenet() -> nn.Module:
        return nn.Identity()

    with pytest.raises(AssertionError, match="two builders are called resemotenet"):
        register_model(explain_layer="se", default_size=64)(resemotenet)
