import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from resemotenet.runs.schema import Optimization
from training.optimization import (
    attention_variance,
    build_average,
    build_optimizer,
    class_weights,
    has_stalled,
    learning_rate,
    loss_sum,
    plateaus,
    weight_sum,
)

STEPS = 10  # an epoch


class TestSchedule:
    config = Optimization(epochs=10, learning_rate=0.5, warmup_epochs=2)

    def rates(self, config: Optimization) -> list[float]:
        return [learning_rate(step, STEPS, config) for step in range(config.epochs * STEPS)]

    def test_warms_up_in_equal_steps_and_peaks_right_after(self):
        rates = self.rates(self.config)
        # Twenty steps of warm-up and the peak are 21 equal steps up from zero.
        assert rates[:21] == pytest.approx([0.5 * (step + 1) / 21 for step in range(21)])
        assert max(rates) == rates[20] == 0.5

    def test_cosine_from_the_peak_to_nothing(self):
        rates = self.rates(self.config)
        assert rates[60] == pytest.approx(0.25)  # halfway between step 20 and step 100
        assert rates[40] == pytest.approx(0.5 * (1 + math.sqrt(0.5)) / 2)  # a quarter of the way
        assert all(later < earlier for earlier, later in pairwise(rates[20:]))
        assert 0 < rates[-1] < 0.001 * 0.5
        assert learning_rate(100, STEPS, self.config) == 0

    def test_constant_after_the_warm_up(self):
        rates = self.rates(replace(self.config, schedule="constant"))
        assert rates[:20] == self.rates(self.config)[:20]
        assert set(rates[20:]) == {0.5}

    def test_plateau_falls_with_every_plateau_so_far(self):
        config = replace(self.config, schedule="plateau", plateau_factor=0.1, plateau_patience=1)
        for values, rate in [
            ([], 0.5),
            ([0.3, 0.4, 0.4], 0.5),
            ([0.3, 0.4, 0.4, 0.1], 0.05),
            ([0.3, 0.4, 0.4, 0.1, 0.2, 0.2], 0.005),
            ([0.3, 0.4, 0.4, 0.1, 0.5, 0.2], 0.05),
        ]:
            assert learning_rate(50, STEPS, config, values) == pytest.approx(rate)
        assert learning_rate(0, STEPS, config, [0.3] * 9) == pytest.approx(0.5 / 21)  # the warm-up knows no plateau

    def test_restarts_repeat_a_short_cosine_with_its_warm_up(self):
        config = replace(self.config, schedule="restarts", warmup_epochs=0.2, cycle_epochs=1.5)
        rates = self.rates(config)
        cycle = self.rates(replace(config, schedule="cosine", epochs=1))[:2]
        assert rates[:2] == cycle
        assert rates[2] == 0.5
        assert rates[2:15] == sorted(rates[2:15], reverse=True)
        assert rates[14] < 0.02
        assert rates[15:30] == rates[:15] == rates[30:45]

    def test_without_warm_up_it_starts_at_the_peak(self):
        assert learning_rate(0, STEPS, replace(self.config, warmup_epochs=0)) == 0.5

    def test_a_warm_up_longer_than_the_run_only_rises(self):
        rates = self.rates(replace(self.config, warmup_epochs=20))
        assert rates == sorted(rates)
        assert rates[-1] == pytest.approx(0.5 * 100 / 201)


class TestValues:
    @pytest.mark.parametrize("patience", [0, 1, 3])
    def test_plateaus_are_those_of_torch(self, patience: int):
        random = torch.Generator().manual_seed(patience)
        values = (torch.rand(200, generator=random) + torch.linspace(0, 1, 200)).mul(20).round().tolist()
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="max", factor=0.5, patience=patience, threshold=0, eps=0
        )
        for epoch, value in enumerate(values, start=1):
            scheduler.step(value)
            assert optimizer.param_groups[0]["lr"] == 0.5 ** plateaus(values[:epoch], patience)
        assert plateaus(values, patience) > 3

    @pytest.mark.parametrize(
        ("values", "stalled"),
        [
            ([], False),
            ([0.5, 0.4], False),
            ([0.5, 0.4, 0.4], True),
            ([0.5, 0.5, 0.5], True),
            ([0.5, 0.4, 0.6], False),
            ([0.5, 0.4, 0.6, 0.6], False),
            ([0.5, 0.4, 0.6, 0.6, 0.6], True),
        ],
    )
    def test_stalled_after_two_epochs_without_a_better_one(self, values: list[float], stalled: bool):
        assert has_stalled(values, 2) is stalled
        assert not has_stalled(values, None)


class TestOptimizer:
    def model(self) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))

    def test_decay_on_kernels_and_matrices_only(self):
        model = self.model()
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        config = Optimization(learning_rate=0.1, weight_decay=0.5, nesterov=False)
        optimizer = build_optimizer(model, config)
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        for name, value in model.named_parameters():
            shrunk = 1 - 0.1 * 0.5 if name in ("0.weight", "3.weight") else 1.0
            torch.testing.assert_close(value.detach(), before[name] * shrunk)

    def test_every_parameter_once(self):
        model = self.model()
        groups = build_optimizer(model, Optimization()).param_groups
        listed = [id(parameter) for group in groups for parameter in group["params"]]
        assert sorted(listed) == sorted(id(parameter) for parameter in model.parameters())

    def test_decay_on_everything(self):
        (group,) = build_optimizer(self.model(), Optimization(decay="all", weight_decay=0.3)).param_groups
        assert len(group["params"]) == len(list(self.model().parameters()))
        assert group["weight_decay"] == 0.3

    def test_frozen_parameters_are_left_alone(self):
        model = self.model()
        assert isinstance(model, nn.Sequential)
        model[0].requires_grad_(False)
        listed = {id(p) for group in build_optimizer(model, Optimization()).param_groups for p in group["params"]}
        assert listed == {id(p) for p in (*model[1].parameters(), *model[3].parameters())}

    def test_adamw(self):
        config = Optimization(optimizer="adamw", learning_rate=0.1, weight_decay=0.5, momentum=0.8)
        optimizer = build_optimizer(self.model(), config)
        assert type(optimizer) is torch.optim.AdamW
        assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
        assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.999)}

    def test_nesterov_momentum(self):
        weight = nn.Parameter(torch.tensor([[1.0]]))
        model = nn.Module()
        model.register_parameter("weight", weight)
        optimizer = build_optimizer(model, Optimization(learning_rate=0.1, momentum=0.9, weight_decay=0))
        velocity, expected = 0.0, 1.0
        for gradient in (2.0, -1.0, 0.5):
            weight.grad = torch.full_like(weight, gradient)
            optimizer.step()
            velocity = 0.9 * velocity + gradient
            expected -= 0.1 * (gradient + 0.9 * velocity)
        assert weight.item() == pytest.approx(expected)


class TestAverage:
    def test_against_a_moving_average_by_hand(self):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        average = build_average(model, decay=0.3)
        expected: dict[str, torch.Tensor] = {}
        for update in range(6):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.normal_()
            model(torch.randn(8, 2))  # moves BN's statistics and its count of batches
            average.update_parameters(model)
            # The first takes the weights as they are; then the memory grows with age, up to the decay.
            keep = 0.0 if update == 0 else min(0.3, (1 + update) / (10 + update))
            for name, value in model.state_dict().items():
                if value.is_floating_point():
                    expected[name] = keep * expected.get(name, value) + (1 - keep) * value
                else:
                    expected[name] = value.clone()
        found = average.module.state_dict()
        assert set(found) == set(expected)
        assert found["1.num_batches_tracked"].item() == 6
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value)
        # The young phase and the grown-up one must both have been met: 2/11, 3/12, then 0.3.
        assert (1 + 2) / (10 + 2) < 0.3 < (1 + 3) / (10 + 3)

    def test_the_first_update_is_a_copy_and_the_model_is_left_alone(self):
        model = nn.Linear(2, 2)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        average = build_average(model, decay=0.999)
        average.update_parameters(model)
        for name, value in before.items():
            assert torch.equal(average.module.state_dict()[name], value)
            assert torch.equal(model.state_dict()[name], value)
        with torch.no_grad():
            model.weight.add_(1)
        assert torch.equal(average.module.get_parameter("weight"), before["weight"])


class TestLoss:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    distribution = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0]])

    def test_cross_entropy_against_shares(self):
        logs = [[x - math.log(sum(math.exp(y) for y in row)) for x in row] for row in self.logits.tolist()]
        expected = -(0.7 * logs[0][0] + 0.3 * logs[0][1] + logs[1][2])
        assert loss_sum(self.logits, self.distribution, Optimization()).item() == pytest.approx(expected)
        assert weight_sum(self.distribution, None) == 2

    def test_label_smoothing_mixes_in_equal_shares(self):
        smoothed = 0.9 * self.distribution + 0.1 / 3
        expected = loss_sum(self.logits, smoothed, Optimization()).item()
        found = loss_sum(self.logits, self.distribution, Optimization(label_smoothing=0.1)).item()
        assert found == pytest.approx(expected)

    def test_half_precision_logits_are_summed_in_full(self):
        loss = loss_sum(self.logits.to(torch.bfloat16), self.distribution, Optimization())
        assert loss.dtype == torch.float32

    def test_class_weights_are_torchs_weighted_mean(self):
        torch.manual_seed(0)
        logits, targets = torch.randn(20, 7), torch.randint(0, 7, (20,))
        distribution, weights = nn.functional.one_hot(targets, 7).float(), torch.rand(7) + 0.5
        mean = loss_sum(logits, distribution, Optimization(), weights) / weight_sum(distribution, weights)
        torch.testing.assert_close(mean, nn.functional.cross_entropy(logits, targets, weights))

    def test_balanced_weights(self):
        distribution = torch.eye(3)[[0, 0, 0, 0, 1, 1]]
        assert class_weights(distribution, Optimization()) is None
        weights = class_weights(distribution, Optimization(class_weights="balanced"))
        assert weights is not None
        # 6 faces of 3 emotions: 6 / (3 * 4), 6 / (3 * 2), and one that never occurs counts as one face.
        assert weights.tolist() == pytest.approx([0.5, 1.0, 2.0])
        assert weight_sum(distribution, weights) == pytest.approx(6 * 2 / 3)

    def test_attention_variance_by_hand(self):
        attention = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
        assert attention_variance(attention).item() == pytest.approx((0.25**2 + 0.25**2) / 4)
        assert attention_variance(torch.full((5, 5), 0.2)).item() == pytest.approx(0)
