"""The gradient of a batch, computed as the trainer does and by hand."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from resemotenet import create_model
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.runs.schema import Optimization, RunConfig
from tests.training.conftest import STILL
from training.augmentation import augment
from training.loading import Batch
from training.step import Objective

PREPROCESS = Preprocess(size=48, channels=1, mean=(0.5,), std=(0.25,))


@pytest.fixture
def batch() -> Batch:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 1, 48, 48), dtype=torch.uint8, generator=random)
    distribution = torch.rand(8, 7, generator=random)
    distribution /= distribution.sum(dim=1, keepdim=True)
    return Batch(images, distribution, torch.arange(8), distribution)


@pytest.fixture
def model() -> nn.Module:
    """In evaluation mode, since batch normalisation of a part is another function than that of the whole."""
    torch.manual_seed(0)
    return create_model("resemotenet", width=0.0625, in_channels=1, compact=True).eval()


def objective(config: RunConfig, weights: Tensor | None = None, **changes: Any) -> Objective:
    optimization = replace(Optimization(), **changes)
    return Objective(replace(config, augmentation=STILL, optimization=optimization), PREPROCESS, weights)


def gradients(model: nn.Module) -> Tensor:
    found = torch.cat([each.grad.flatten() for each in model.parameters() if each.grad is not None])
    model.zero_grad()
    return found


@pytest.mark.parametrize("weights", [None, torch.linspace(0.2, 3, 7)])
def test_the_loss_is_the_weighted_mean_of_the_batch(
    config: RunConfig, model: nn.Module, batch: Batch, weights: Tensor | None
):
    loss = objective(config, weights).backward(model, batch, Accelerator(cpu=True))
    found = gradients(model)
    logs = model(PREPROCESS.batch(batch.images)).log_softmax(dim=1)
    each = batch.distribution * (1 if weights is None else weights)
    expected = -(each * logs).sum() / each.sum()
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(found, gradients(model), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_in_parts_it_is_the_same_gradient(config: RunConfig, model: nn.Module, batch: Batch, parts: int):
    accelerator, weights = Accelerator(cpu=True), torch.linspace(0.2, 3, 7)
    whole = objective(config, weights).backward(model, batch, accelerator), gradients(model)
    shared = objective(config, weights, accumulate=parts).backward(model, batch, accelerator), gradients(model)
    torch.testing.assert_close(shared, whole, rtol=1e-4, atol=1e-6)


def test_emonexts_loss_by_hand(config: RunConfig):
    """Cross entropy with smoothing, plus the variance of the attention weights."""
    torch.manual_seed(0)
    model = create_model("emonext_tiny", width=0.05, in_channels=1, stochastic_depth=0).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # so that the second pass is the first again
    random = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8, generator=random)
    distribution = torch.eye(7)[[0, 3, 3, 6]]
    given = objective(config, label_smoothing=0.2, attention_variance=10.0)
    given = replace(given, config=replace(given.config, network=replace(config.network, size=224)))
    batch = Batch(images, distribution, torch.arange(4), distribution)
    loss = given.backward(model, batch, Accelerator(cpu=True))

    grown = torch.nn.functional.interpolate(images.float(), (224, 224), mode="bilinear", align_corners=False)
    logits, attention = model(PREPROCESS.normalize(grown))
    variance = ((attention - attention.mean()) ** 2).mean()
    plain = nn.functional.cross_entropy(logits, torch.tensor([0, 3, 3, 6]), label_smoothing=0.2)
    assert variance > 0
    torch.testing.assert_close(loss, (plain + 10 * variance).detach(), rtol=1e-3, atol=1e-4)
    query = model.get_parameter("attention.query.weight").grad
    assert query is not None
    assert query.abs().max() > 0


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_emonexts_parameters_all_get_a_gradient(config: RunConfig, weight: float):
    """Or DistributedDataParallel would stop at the second step; at weight 0 the attention's is zero."""
    torch.manual_seed(0)
    model = create_model("emonext_tiny", width=0.05, in_channels=1, stochastic_depth=0).train()
    given = objective(config, attention_variance=weight)
    given = replace(given, config=replace(given.config, network=replace(config.network, size=224)))
    images = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8)
    distribution = torch.eye(7)[[0, 3, 3, 6]]
    given.backward(model, Batch(images, distribution, torch.arange(4), distribution), Accelerator(cpu=True))
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    assert [name for name, each in trained.items() if each.grad is None] == []
    for name in ("attention.query.weight", "attention.key.weight", "attention.norm.weight"):
        grad = trained[name].grad
        assert grad is not None
        assert (grad.abs().max() > 0) == (weight > 0)


def test_fp16_gradients_are_clipped_at_their_true_size(config: RunConfig, model: nn.Module, batch: Batch):
    """Loss scaling needs no GPU, only accelerate insists on one: so its switches are set by hand here."""
    plain, scaled = Accelerator(cpu=True), Accelerator(cpu=True)
    steps = []
    for accelerator in (plain, scaled):
        if accelerator is scaled:
            accelerator.native_amp = True
            accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
            accelerator.state._mixed_precision = "fp16"
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        prepared = accelerator.prepare_optimizer(optimizer)
        with torch.autocast("cpu", enabled=False):
            objective(config).backward(model, batch, accelerator)
        norm = accelerator.clip_grad_norm_(model.parameters(), 0.1)
        assert norm > 0.1
        before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        prepared.step()
        after = nn.utils.parameters_to_vector(model.parameters()).detach()
        steps.append(after - before)
        nn.utils.vector_to_parameters(before, model.parameters())
        model.zero_grad()
    assert steps[0].norm() == pytest.approx(0.1, rel=1e-3)
    # Were they clipped first, the step would be 4,096 times too small.
    assert (steps[1] - steps[0]).norm() < 0.05 * steps[0].norm()


def test_mixed_faces_aim_at_mixed_labels(config: RunConfig, model: nn.Module, batch: Batch):
    """With mixup the loss is that of the blended faces, here computed by hand with the same draw."""
    config = replace(config, augmentation=replace(STILL, mixup=0.4), optimization=Optimization())
    torch.manual_seed(3)
    loss = Objective(config, PREPROCESS, None).backward(model, batch, Accelerator(cpu=True))
    torch.manual_seed(3)
    augment(batch.images, STILL, 48)  # draws as well
    share = float(torch.distributions.Beta(0.4, 0.4).sample())
    others = torch.randperm(8)
    pixels = batch.images.float()
    logs = model(PREPROCESS.normalize(share * pixels + (1 - share) * pixels[others])).log_softmax(dim=1)
    aims = share * batch.distribution + (1 - share) * batch.distribution[others]
    assert 0.001 < share < 0.999
    torch.testing.assert_close(loss, -(aims * logs).sum() / 8, rtol=1e-4, atol=1e-5)
