"""What every registered network promises, whatever it is made of.

Values are computed on narrow networks (the ResNets have one width only); counts and shapes at full width on the meta
device, which needs no memory.
"""

from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from resemotenet.errors import CompactLayoutError
from resemotenet.models import create_model, list_models, model_entry
from resemotenet.models.emonext import EmoNeXt, EmoNeXtOutputs

# With 7 classes and 3 input channels at width 1.
PARAMETERS = {
    "cnn_se": 10_607_111,
    "emonext_base": 91_765_259,
    "emonext_large": 204_582_475,
    "emonext_small": 52_198_891,
    "emonext_tiny": 30_564_331,
    "emonext_xlarge": 362_312_331,
    "plain_cnn": 11_000_327,
    "resemotenet": 80_238_599,
    "resemotenet_c2": 80_230_407,
    "resemotenet_c3": 80_166_407,
    "resemotenet_c4": 79_874_567,
    "resemotenet_c5": 73_942_535,
    "resemotenet_c6": 46_146_055,
    "resnet18": 11_180_103,
    "resnet34": 21_288_263,
    "vgg": 72_461_767,
}

# The same weights, for a pooling has none; of C6's last block fewer channels arrive, so that fewer taps are left out.
PARAMETERS |= {f"resemotenet_c{number}_pooled": PARAMETERS[f"resemotenet_c{number}"] for number in range(3, 7)}
LEFT_OUT = {"resemotenet_c6_pooled": 36_175_872}

# Part of the published EmoNeXt and of its count, but their output is used for nothing.
FROZEN = {"attention.value.weight", "attention.value.bias"}

# Narrow, but wide enough that no gate has but one hidden unit, which may be a dead ReLU. EmoNeXt's base, large and
# xlarge are one network when they are narrow, so only the first of them computes values.
WIDTHS = {"emonext_tiny": 1 / 6, "emonext_small": 1 / 6, "resnet18": 1.0, "resnet34": 1.0}
ON_META_ONLY = {"emonext_large", "emonext_xlarge"}

every_model = pytest.mark.parametrize("name", list_models())
every_model_with_values = pytest.mark.parametrize("name", sorted(set(list_models()) - ON_META_ONLY))


def precision(name: str) -> torch.dtype:
    """float64, so that tolerances can be tight, but for the large ones, which are up to ten times as slow in it."""
    return torch.float32 if name.startswith(("emonext", "resnet")) else torch.float64


def narrow(name: str, *, seed: int = 0, **arguments: Any) -> nn.Module:
    torch.manual_seed(seed)
    return create_model(name, width=WIDTHS.get(name, 1 / 8), **arguments).to(precision(name))


def certain(name: str) -> dict[str, Any]:
    """Options with which nothing in training is random: all of them are rates of dropping."""
    return dict.fromkeys(model_entry(name).options, 0.0)


def pictures(name: str, count: int = 3, channels: int = 3) -> Tensor:
    side = model_entry(name).default_size
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, dtype=precision(name), generator=generator)


def settled(name: str, x: Tensor, **arguments: Any) -> nn.Module:
    """In evaluation mode, with BN statistics from ``x`` instead of zeros and ones."""
    model = narrow(name, **arguments)
    with torch.no_grad():
        model(x)
    return model.eval()


def logits_of(output: Tensor | EmoNeXtOutputs) -> Tensor:
    return output.logits if isinstance(output, EmoNeXtOutputs) else output


@every_model
def test_number_of_parameters_and_shape_at_full_width(name: str) -> None:
    side = model_entry(name).default_size
    with torch.device("meta"):
        model = create_model(name)
        assert model.training
        logits = model.eval()(torch.empty(2, 3, side, side))
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    assert logits.shape == (2, 7)


@every_model_with_values
def test_a_picture_is_answered_alike_alone_and_in_a_batch(name: str) -> None:
    x = pictures(name)
    model = settled(name, x)
    with torch.inference_mode():
        together = model(x)
        alone = torch.cat([model(x[i : i + 1]) for i in range(len(x))])
        channels_last = model(x.contiguous(memory_format=torch.channels_last))
    assert together.shape == (3, 7)
    assert together.isfinite().all()
    # Where BN would take from its neighbours, an answer would be off by about as much as pictures differ.
    tolerance = 1e-4 * together.std(0).max().item()
    assert tolerance > 10 * torch.finfo(together.dtype).eps, "pictures that are all answered alike prove nothing"
    torch.testing.assert_close(alone, together, rtol=0, atol=tolerance)
    torch.testing.assert_close(channels_last, together, rtol=0, atol=tolerance)


@every_model_with_values
def test_every_parameter_that_asks_for_one_gets_a_gradient(name: str) -> None:
    model = narrow(name, **certain(name))
    if isinstance(model, EmoNeXt):  # starts at zero, so that at first nothing flows through it
        nn.init.normal_(model.spatial_transformer.affine.weight, std=0.01)
    output = model(pictures(name, count=4))
    loss = nn.functional.cross_entropy(logits_of(output), torch.arange(4))
    if isinstance(output, EmoNeXtOutputs):
        loss = loss + (output.attention - output.attention.mean()).square().mean()
    loss.backward()
    frozen = {key for key, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == (FROZEN if isinstance(model, EmoNeXt) else set())
    for key, parameter in model.named_parameters():
        if key in frozen:
            assert parameter.grad is None, key
            continue
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        # Biases in front of a normalisation or a softmax may well have none: these take a constant away again.
        assert parameter.ndim == 1 or parameter.grad.abs().max() > 0, key


@every_model_with_values
def test_weights_pass_through_a_file(name: str) -> None:
    x = pictures(name, count=2)
    first, second = settled(name, x), settled(name, x, seed=1)
    with torch.inference_mode():
        expected = first(x)
        assert not torch.equal(second(x), expected)
        # safetensors refuses tensors that share memory.
        second.load_state_dict(load(save(first.state_dict())), strict=True)
        assert torch.equal(second(x), expected)


@every_model_with_values
def test_a_seed_gives_the_same_weights_again(name: str) -> None:
    first, again, other = narrow(name), narrow(name), narrow(name, seed=1)
    pairs = zip(first.state_dict().items(), again.state_dict().values(), strict=True)
    assert all(torch.equal(value, same) for (_, value), same in pairs)
    drawn = [key for key, value in first.named_parameters() if not torch.equal(value, other.get_parameter(key))]
    assert drawn, "another seed, other weights"


@every_model_with_values
def test_options_are_all_that_is_random_in_training(name: str) -> None:
    x = pictures(name, count=4)
    with torch.no_grad():
        still, moved = narrow(name, **certain(name)), narrow(name)
        assert torch.equal(logits_of(still(x)), logits_of(still(x)))
        assert torch.equal(logits_of(moved(x)), logits_of(moved(x))) == (not model_entry(name).options)


@every_model_with_values
def test_grey_pictures_and_another_number_of_classes(name: str) -> None:
    x = pictures(name, count=2, channels=1)
    model = settled(name, x, in_channels=1, num_classes=5)
    with torch.inference_mode():
        logits = model(x)
    assert logits.shape == (2, 5)
    assert logits.isfinite().all()
    assert (logits[0] - logits[1]).abs().max() > 1e-6


@every_model_with_values
def test_the_explain_layer_has_a_map_that_the_answer_follows_from(name: str) -> None:
    x = pictures(name, count=2)
    model = settled(name, x)
    seen: list[Tensor] = []
    model.get_submodule(model_entry(name).explain_layer).register_forward_hook(
        lambda _module, _inputs, output: seen.append(output)
    )
    logits = model(x)
    (explained,) = seen
    assert explained.ndim == 4
    assert min(explained.shape[2:]) > 1
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), explained)
    assert gradient.flatten(1).abs().amax(1).min() > 0


@every_model
def test_the_compact_layout_is_had_where_it_is_exact(name: str) -> None:
    with torch.device("meta"):
        if model_entry(name).compact:
            compact = create_model(name, compact=True)
            assert sum(parameter.numel() for parameter in compact.parameters()) == PARAMETERS[name] - LEFT_OUT.get(
                name, 44_040_192
            )
            return
        with pytest.raises(CompactLayoutError, match=f"{name} has no compact layout"):
            create_model(name, compact=True)


@every_model
def test_widths(name: str) -> None:
    with pytest.raises(ValueError, match=r"width must be (positive|1), got 0"):
        create_model(name, width=0)
    with torch.device("meta"):
        if not model_entry(name).scalable:
            with pytest.raises(ValueError, match=f"{name} is torchvision's and has one width only"):
                create_model(name, width=0.5)
            return
        half = sum(parameter.numel() for parameter in create_model(name, width=0.5).parameters())
    assert 0.24 < half / PARAMETERS[name] < 0.29, "kernels and matrices shrink with the square of the width"


@every_model
def test_an_argument_that_no_network_has(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} takes no argument 'colour'; it takes: num_classes, in_channels"):
        create_model(name, colour="red")
