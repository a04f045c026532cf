import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from resemotenet.errors import CompactLayoutError, ResEmoteNetError, TrainingError, UnknownModelError
from training.config import Augmentation, Dataset, Network, Optimization, RunConfig
from training.description import check_network, describe
from training.recipes import RECIPES


def test_config_json_round_trip(config: RunConfig):
    written = json.loads(json.dumps(config.to_dict()))
    assert RunConfig.from_dict(written) == config
    assert set(written) == {field.name for field in fields(RunConfig)}
    assert written["optimization"]["warmup_epochs"] == 1


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (None, {"recipes": "x"}),
        ("network", {"name": "resemotenet", "depth": 3}),
        ("optimization", {"epochs": 0}),
    ],
)
def test_a_config_that_is_none(config: RunConfig, part: str | None, value: dict[str, Any]):
    written = config.to_dict()
    written = {**written, **value} if part is None else {**written, part: value}
    with pytest.raises(TrainingError):
        RunConfig.from_dict(written)


def test_a_config_that_lacks_a_setting(config: RunConfig):
    written = config.to_dict()
    del written["data"]
    with pytest.raises(TrainingError, match="no config of a run, or of another version: 'data'"):
        RunConfig.from_dict(written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimization": Optimization(epochs=0)}, r"optimization\.epochs is 0, expected 1 to inf"),
        ({"optimization": Optimization(batch_size=0)}, r"optimization\.batch_size is 0"),
        ({"optimization": Optimization(learning_rate=float("nan"))}, r"optimization\.learning_rate is nan"),
        ({"optimization": Optimization(ema_decay=1.5)}, r"optimization\.ema_decay is 1\.5, expected 0 to 1"),
        ({"augmentation": Augmentation(erase=2)}, r"augmentation\.erase is 2, expected 0 to 1"),
        ({"augmentation": Augmentation(scale=1)}, r"augmentation\.scale is 1"),
        ({"dataset": Dataset(limit=0)}, r"dataset\.limit is 0"),
        ({"seed": -1}, r"seed is -1"),
    ],
)
def test_settings_out_of_range(config: RunConfig, change: dict[str, Any], message: str):
    with pytest.raises(TrainingError, match=message):
        replace(config, **change)


def test_no_moving_average_and_no_limit_are_in_range(config: RunConfig):
    optimization = replace(config.optimization, ema_decay=None, clip_norm=None)
    assert replace(config, optimization=optimization, dataset=Dataset(limit=None)).optimization.ema_decay is None


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_describe_networks_that_can_be_built(name: str):
    recipe = RECIPES[name]()
    assert recipe.recipe == name
    check_network(recipe)
    assert f"python -m training train {name} --data" in (RECIPES[name].__doc__ or "")


class TestNetwork:
    @pytest.mark.parametrize(
        ("network", "error", "message"),
        [
            (Network(name="resnet"), UnknownModelError, "no model is called 'resnet'"),
            (Network(name="resemotenet_c3"), CompactLayoutError, "exact for C1 and C2 only"),
            (Network(size=96), CompactLayoutError, "3x3 map where only 2x2 is exact"),
            (Network(size=4, compact=False), TrainingError, "cannot be built and run"),
            (Network(size=0), TrainingError, "size must be a whole number of pixels, at least 1, got 0"),
            (Network(width=0), TrainingError, "width must be positive"),
            (Network(head_dropout=2), TrainingError, "dropout probability"),
        ],
    )
    def test_what_cannot_be_trained_is_known_before(
        self, config: RunConfig, network: Network, error: type[ResEmoteNetError], message: str
    ):
        with pytest.raises(error, match=message):
            check_network(replace(config, network=network))

    def test_larger_input_in_the_full_layout(self, config: RunConfig):
        check_network(replace(config, network=Network(size=96, compact=False, width=0.1)))

    def test_description(self, config: RunConfig):
        info = describe(config)
        assert (info.architecture, info.arguments["width"], info.arguments["in_channels"]) == ("resemotenet", 0.125, 1)
        assert info.labels == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
        assert info.preprocess.to_dict() == {
            "size": 48, "channels": 1, "mean": (0.5077,), "std": (0.2550,), "interpolation": "bilinear"
        }  # fmt: skip
        assert info.training == {"recipe": "tiny", "data": "fer2013", "labels": "ferplus", "epochs": 4, "seed": 0}
        assert info.license["name"] == "non-commercial-research"

    def test_three_channels_are_normalised_as_upstream(self):
        config = RunConfig(recipe="x", data=Path("x"))
        assert describe(config).preprocess.mean == (0.485, 0.456, 0.406)
        assert describe(config).preprocess.std == (0.229, 0.224, 0.225)
