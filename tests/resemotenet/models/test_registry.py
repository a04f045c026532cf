import pytest
import torch
from torch import nn

from resemotenet.errors import UnknownModelError
from resemotenet.models import create_model, list_models
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
    with pytest.raises(TypeError, match="depth"):
        create_model("resemotenet", depth=3)


def test_a_name_is_given_once() -> None:
    def resemotenet() -> nn.Module:
        return nn.Identity()

    with pytest.raises(AssertionError, match="two builders are called resemotenet"):
        register_model(resemotenet)
