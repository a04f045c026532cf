"""Recipes are what they are called after: the runs published by them, the paper's words, the code upstream released."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from resemotenet.runs.schema import RunConfig, read
from training.optimization import build_optimizer, learning_rate
from training.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
STRONG = sorted(ROOT.glob("dashboard/published/strong-*/config.json"))


@pytest.mark.parametrize("path", STRONG, ids=lambda path: path.parent.name)
def test_published_runs_by_strong_are_short_and_thin_and_otherwise_by_the_recipe(path: Path):
    """By the recipe as it is, or, until they are made again, as it was before it was mended."""
    config, recipe = read(RunConfig, path), RECIPES["strong"]()
    before = replace(recipe.augmentation, erase=0.5, shift=0.15)
    assert replace(config.optimization, epochs=80) == recipe.optimization
    assert config.augmentation in (recipe.augmentation, before)
    assert config.dataset == recipe.dataset
    if config.network.name in ("resemotenet", "resemotenet_c2"):
        same = replace(config.network, name="resemotenet", width=1.0, size=48)
        assert same == recipe.network


def test_published_ablations_are_of_one_recipe():
    runs = [read(RunConfig, path) for path in STRONG if "resemotenet_c" in path.parent.name]
    assert len(runs) > 4
    assert {config.augmentation for config in runs} == {RECIPES["strong"]().augmentation}


def test_paper_is_what_the_paper_says():
    path = ROOT.parent / "shared" / "seeds" / "001_paper_full_text.txt"
    if not path.is_file():
        pytest.skip(f"the document is not at {path}; it may not be redistributed")
    said = re.search(
        r"a batch size of (\d+) and (\d+) training epochs .* using Cross-Entropy Loss .* and Stochastic Gradient "
        r"Descent \(SGD\) .* We applied Random Horizontal Flip for data augmentation and used a learning rate of "
        r".*1 . 10 .* - 3 .* with a scheduler that reduced the rate by ([\d.]+) when performance plateaued",
        path.read_text(encoding="utf-8"),
    )
    assert said is not None
    recipe = RECIPES["paper"]()
    config = recipe.optimization
    assert (config.batch_size, config.epochs, config.plateau_factor) == (int(said[1]), int(said[2]), float(said[3]))
    assert (config.schedule, config.class_weights, config.optimizer) == ("plateau", "balanced", "sgd")
    assert {learning_rate(step, 10, config, [0.5]) for step in range(800)} == {1e-3}
    # Where the paper is silent: nothing.
    assert (config.momentum, config.weight_decay, config.label_smoothing) == (0, 0, 0)
    assert (config.clip_norm, config.ema_decay, config.patience) == (None, None, None)
    assert not recipe.dataset.leave_out_leaked
    changing = {name: value for name, value in vars(recipe.augmentation).items() if value != 0 and name != "dimming"}
    assert changing == {"flip": True}
    assert recipe.augmentation.dimming == 1


def test_upstream_steps_as_its_code_does():
    """torch's own SGD as that code calls it; the rate stays as it is."""
    config = RECIPES["upstream"]().optimization
    assert {learning_rate(step, 10, config, [0.5, 0.4, 0.3]) for step in range(800)} == {1e-3}
    assert (config.batch_size, config.epochs, config.clip_norm, config.ema_decay) == (16, 80, None, None)
    weights = []
    for its_own in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
        optimizer = (
            torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
            if its_own
            else build_optimizer(model, config)
        )
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(4, 1, 4, 4)).square().sum().backward()
            optimizer.step()
        weights.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("variant", "of", "changed"),
    [
        ("paper_momentum", "paper", {"momentum": 0.9}),
        ("emonext_short", "emonext", {"epochs": 20, "batch_size": 32}),
    ],
)
def test_a_variant_differs_in_what_it_says_and_in_nothing_else(variant: str, of: str, changed: dict[str, float]):
    """But for the schedule of EmoNeXt, which is so many steps whatever the batch."""
    one, other = RECIPES[variant](), RECIPES[of]()
    scaled = {"warmup_epochs": 0.0, "cycle_epochs": 1.0}
    expected = replace(other.optimization, **changed, **scaled)  # type: ignore[arg-type]
    assert replace(one.optimization, **scaled) == expected  # type: ignore[arg-type]
    assert replace(one, recipe=of, optimization=other.optimization) == other
