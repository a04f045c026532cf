"""EmoNeXt: torchvision's ConvNeXt inside, and each of the three things it adds."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.convnext import CNBlock, CNBlockConfig, ConvNeXt

from resemotenet.models import create_model
from resemotenet.models.emonext import ADDED, HEAD, BatchAttention, EmoNeXt, EmoNeXtOutputs, SpatialTransformer
from resemotenet.models.layers import SqueezeExcitation


def narrow(**arguments: Any) -> EmoNeXt:
    torch.manual_seed(0)
    model = create_model("emonext_tiny", width=1 / 6, **arguments)
    assert isinstance(model, EmoNeXt)
    return model


def pictures(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 224, 224, generator=torch.Generator().manual_seed(1))


class TestBackbone:
    def test_without_its_additions_it_answers_as_convnext(self) -> None:
        model = narrow().eval()
        settings = [CNBlockConfig(16, 32, 3), CNBlockConfig(32, 64, 3), CNBlockConfig(64, 128, 9)]
        convnext = ConvNeXt([*settings, CNBlockConfig(128, None, 3)], num_classes=7).eval()
        state = {key: value for key, value in model.state_dict().items() if not key.startswith(ADDED)}
        convnext.load_state_dict(state, strict=True)
        x = pictures()
        with torch.inference_mode():
            expected = convnext(x)
            assert (model(x) - expected).abs().max() > 1e-4, "squeeze-and-excitation must matter"
            for stage in (2, 4, 6):
                model.features.set_submodule(f"{stage}.2", nn.Identity())
            torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
    def test_names_and_shapes_are_torchvisions_and_stochastic_depth_the_released(self, size: str) -> None:
        with torch.device("meta"):
            ours = create_model(f"emonext_{size}", num_classes=1000)
            theirs = getattr(torchvision.models, f"convnext_{size}")(weights=None)
        shapes = {key: value.shape for key, value in ours.state_dict().items() if not key.startswith(ADDED)}
        assert shapes == {key: value.shape for key, value in theirs.state_dict().items()}
        # The released code takes 0.1 for every size, as ConvNeXt does for its smallest.
        rates = self.drop_rates(ours)
        assert rates == pytest.approx([0.1 * block / (len(rates) - 1) for block in range(len(rates))])
        if size == "tiny":
            assert rates == self.drop_rates(theirs)

    @staticmethod
    def drop_rates(module: nn.Module) -> list[float]:
        return [block.stochastic_depth.p for block in module.modules() if isinstance(block, CNBlock)]

    def test_the_size_that_torchvision_does_not_have(self) -> None:
        with torch.device("meta"):
            model = create_model("emonext_xlarge")
        state = model.state_dict()
        blocks = [sum(key.startswith(f"features.{stage}.") for key in state) // 9 for stage in (1, 3, 5, 7)]
        assert blocks == [3, 3, 27, 3]
        assert [len(state[f"features.{stage}.0.layer_scale"]) for stage in (1, 3, 5, 7)] == [256, 512, 1024, 2048]
        rates = self.drop_rates(model)
        assert (rates[0], rates[-1]) == (0.0, 0.1)

    def test_stochastic_depth_is_an_argument(self) -> None:
        rates = self.drop_rates(narrow(stochastic_depth=0.3))
        assert rates == pytest.approx([0.3 * block / 17 for block in range(18)])
        for wrong in (-0.1, 1.0):
            with pytest.raises(ValueError, match=rf"stochastic_depth must be in \[0, 1\), got {wrong}"):
                narrow(stochastic_depth=wrong)

    def test_head_is_the_last_layer(self) -> None:
        with torch.device("meta"):
            seven, two = narrow().state_dict(), narrow(num_classes=2).state_dict()
        assert {key for key in seven if seven[key].shape != two[key].shape} == {f"{HEAD}weight", f"{HEAD}bias"}


class TestSpatialTransformer:
    def test_starts_as_the_identity(self) -> None:
        torch.manual_seed(0)
        x = pictures()
        torch.testing.assert_close(SpatialTransformer(3)(x), x, rtol=0, atol=1e-4)

    def test_moves_the_picture(self) -> None:
        layer, x = SpatialTransformer(3).eval().double(), pictures().double()
        layer.affine.bias.data[2] = 2 * 5 / 223
        layer.affine.bias.data[5] = 2 * -3 / 223
        moved = layer(x)
        torch.testing.assert_close(moved[..., 3:, :-5], x[..., :-3, 5:], rtol=0, atol=1e-10)
        assert moved[..., :3, :].abs().max() < 1e-10, "what comes in from outside is zero"
        assert moved[..., -5:].abs().max() < 1e-10

    def test_samples_as_torch_does_for_any_affine_map(self) -> None:
        torch.manual_seed(0)
        layer, x = SpatialTransformer(3).eval().double(), pictures(4).double()
        nn.init.normal_(layer.affine.weight, std=0.2)
        theta = layer.theta(x)
        assert (theta - torch.eye(2, 3)).abs().amax((1, 2)).min() > 0.01
        assert (theta[0] - theta[1]).abs().max() > 1e-3, "each picture has its own map"
        expected = F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=True), align_corners=True)
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-10)

    def test_half_precision_does_not_blur_it(self) -> None:
        torch.manual_seed(0)
        layer, x = SpatialTransformer(3).eval(), pictures()
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(layer(x), x, rtol=0, atol=1e-4)
            grid = F.affine_grid(layer.theta(x).float(), list(x.shape), align_corners=True)
            blurred = F.grid_sample(x, grid.float(), align_corners=True)
        assert (blurred - x).abs().max() > 0.1, "torch's own affine_grid would"

    @pytest.mark.parametrize("size", [(64, 64), (223, 224), (224, 227)])
    def test_other_sizes(self, size: tuple[int, int]) -> None:
        with pytest.raises(
            ValueError, match=rf"pictures of {size[0]}x{size[1]}, .* works on 224x224 only; resize them"
        ):
            narrow()(torch.randn(2, 3, *size))


class TestSqueezeExcitation:
    def test_gates_what_each_downsampling_gives(self) -> None:
        model = narrow().eval()
        gates = [key for key, layer in model.named_modules() if isinstance(layer, SqueezeExcitation)]
        assert gates == ["features.2.2", "features.4.2", "features.6.2"]
        assert [model.get_parameter(f"{gate}.fc.0.weight").shape for gate in gates] == [(2, 32), (4, 64), (8, 128)]


class TestStart:
    def test_added_layers_are_drawn_as_the_released_code_draws_them(self) -> None:
        torch.manual_seed(0)
        model = create_model("emonext_tiny")
        drawn = {
            name: each for name, each in model.named_parameters() if name.startswith(ADDED) and ".norm." not in name
        }
        matrices = {name: each for name, each in drawn.items() if each.ndim > 1 and not name.endswith("affine.weight")}
        assert len(matrices) == 3 + 2 * 3 + 3  # transformer, squeeze-and-excitation, attention
        for name, each in matrices.items():
            spread = float(each.detach().std())
            assert spread == pytest.approx(0.02, rel=0.15 if each.numel() > 1000 else 0.4), name
            assert float(each.detach().mean()) == pytest.approx(0, abs=0.004), name
        layers = dict(model.named_modules())
        for name, each in drawn.items():
            layer = layers[name.rpartition(".")[0]]
            if name.endswith(".bias") and isinstance(layer, nn.Conv2d | nn.Linear) and "affine" not in name:
                assert not each.detach().any(), name


class TestAttention:
    def test_by_hand(self) -> None:
        torch.manual_seed(0)
        layer, x = BatchAttention(16).double(), torch.randn(5, 16, dtype=torch.float64)
        nn.init.normal_(layer.norm.weight)
        nn.init.normal_(layer.norm.bias)
        deviation = (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        normed = (x - x.mean(1, keepdim=True)) / deviation * layer.norm.weight + layer.norm.bias
        query = normed @ layer.query.weight.T + layer.query.bias
        key = normed @ layer.key.weight.T + layer.key.bias
        exponent = (query @ key.T / 16**0.25).exp()
        torch.testing.assert_close(layer(x), exponent / exponent.sum(1, keepdim=True), rtol=0, atol=1e-12)

    def test_all_but_value_is_trained(self) -> None:
        layer = BatchAttention(16)
        frozen = [name for name, each in layer.named_parameters() if not each.requires_grad]
        assert frozen == ["value.weight", "value.bias"]
        layer(torch.randn(5, 16)).square().sum().backward()
        for name in ("norm.weight", "query.weight", "key.weight"):
            grad = layer.get_parameter(name).grad
            assert grad is not None
            assert grad.abs().max() > 0

    def test_is_returned_in_training_only_and_changes_no_logit(self) -> None:
        model, x = narrow(stochastic_depth=0.0), pictures(3)
        for layer in model.spatial_transformer.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 1.0
        with torch.no_grad():
            output = model(x)
            assert isinstance(output, EmoNeXtOutputs)
            assert output.attention.shape == (3, 3)
            torch.testing.assert_close(output.attention.sum(1), torch.ones(3))
            assert (output.attention - 1 / 3).abs().max() > 1e-3
            nn.init.normal_(model.attention.query.weight)
            torch.testing.assert_close(model(x).logits, output.logits, rtol=0, atol=0)
            answer = model.eval()(x)
        assert isinstance(answer, Tensor)
        torch.testing.assert_close(answer, output.logits, rtol=0, atol=1e-4)

    def test_weights_follow_the_features_that_the_head_sees(self) -> None:
        model, x = narrow(stochastic_depth=0.0), pictures(3)
        seen: list[Tensor] = []
        model.classifier[2].register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
        with torch.no_grad():
            output = model(x)
            torch.testing.assert_close(output.attention, model.attention(seen[0]))

    # Depthwise kernels have gradients of another memory layout; DDP copies them.
    @pytest.mark.filterwarnings("ignore:Grad strides do not match bucket view strides")
    def test_trains_under_distributed_data_parallel(self, tmp_path: Path) -> None:
        """DDP stops at the second step if a parameter that asks for a gradient gets none."""
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
        try:
            model = narrow()
            parallel = nn.parallel.DistributedDataParallel(model)
            before = model.attention.query.weight.detach().clone()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(2):
                logits, attention = parallel(pictures())
                loss = F.cross_entropy(logits, torch.arange(2), label_smoothing=0.2)
                (loss + (attention - attention.mean()).square().mean()).backward()
                optimizer.step()
                optimizer.zero_grad()
            assert not torch.equal(model.attention.query.weight, before)
        finally:
            torch.distributed.destroy_process_group()
