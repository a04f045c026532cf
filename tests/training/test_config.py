import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from resemotenet.errors import CompactLayoutError, ResEmoteNetError, TrainingError, UnknownModelError
from resemotenet.runs.results import LATER_SETTINGS, flatten
from training.config import Augmentation, Dataset, Distillation, Network, Optimization, RunConfig
from training.description import check_network, describe
from training.optimization import has_stalled, learning_rate
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


def test_paths_survive(config: RunConfig):
    changed = replace(config, data=None, dataset=Dataset("synthetic", "synthetic"))
    changed = replace(changed, network=replace(config.network, backbone=Path("weights") / "convnext.pth"))
    assert RunConfig.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed
    changed = replace(changed, network=replace(config.network, start=Path("weights")))
    changed = replace(changed, distillation=Distillation(teachers=(Path("a"), Path("b") / "c"), share=0.25))
    assert RunConfig.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed


PUBLISHED = sorted(Path(__file__).parents[2].glob("dashboard/published/*/config.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_configs_of_published_runs_mean_what_they_meant(path: Path):
    """Whatever came since stands as it was then."""
    written = json.loads(path.read_text())
    config = RunConfig.from_dict(written)
    assert {name: config.to_dict()[name] for name in written if not isinstance(written[name], dict)} == {
        name: value for name, value in written.items() if not isinstance(value, dict)
    }
    for part in ("network", "dataset", "augmentation", "optimization"):
        assert config.to_dict()[part].items() >= written[part].items()
    if config.recipe == "bundled" and config.network.start is None:
        assert config == replace(RECIPES["bundled"](), data=Path("fer2013.parquet"))


def test_settings_that_came_later_have_their_old_meaning(config: RunConfig):
    first = config.to_dict()
    for name, value in LATER_SETTINGS.items():
        *parts, last = name.split(".")
        place = first[parts[0]] if parts else first
        assert place.pop(last) == value, name
    del first["distillation"]
    assert RunConfig.from_dict(first) == config


def test_a_setting_that_came_later_is_listed_as_such(config: RunConfig):
    """The first run that was published has all settings there were; any other one came later."""
    first = min(PUBLISHED, key=lambda path: path.parent.name[-16:])
    known = flatten(json.loads(first.read_text()))
    assert {name for name in flatten(config.to_dict()) if name not in known} <= set(LATER_SETTINGS)


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
        ({"augmentation": Augmentation(dimming=0.5)}, r"augmentation\.dimming is 0\.5, expected 1 to 100"),
        ({"augmentation": Augmentation(shade=1.1)}, r"augmentation\.shade is 1\.1, expected 0 to 1"),
        ({"augmentation": Augmentation(blur=-0.01)}, r"augmentation\.blur is -0\.01, expected 0 to 0\.25"),
        ({"augmentation": Augmentation(blur=0.26)}, r"augmentation\.blur is 0\.26, expected 0 to 0\.25"),
        ({"augmentation": Augmentation(noise=1.1)}, r"augmentation\.noise is 1\.1, expected 0 to 1"),
        ({"augmentation": Augmentation(mixup=-1)}, r"augmentation\.mixup is -1, expected 0 to inf"),
        ({"distillation": Distillation(share=2)}, r"distillation\.share is 2, expected 0 to 1"),
        ({"dataset": Dataset(limit=0)}, r"dataset\.limit is 0"),
        ({"seed": -1}, r"seed is -1"),
        ({"optimization": Optimization(accumulate=0)}, r"optimization\.accumulate is 0"),
        ({"optimization": Optimization(momentum=0)}, r"Nesterov's momentum needs a momentum above 0"),
        (
            {"optimization": Optimization(optimizer="adamw", momentum=1, nesterov=False)},
            "momentum is 1, but AdamW needs one below 1",
        ),
        ({"data": None}, "the data set fer2013 has to be given: --data PATH"),
        ({"dataset": Dataset(name="synthetic")}, "'fer2013' do not belong to dataset.name 'synthetic'"),
        ({"dataset": Dataset(labels="synthetic")}, "'synthetic' do not belong to dataset.name 'fer2013'"),
    ],
)
def test_settings_out_of_range(config: RunConfig, change: dict[str, Any], message: str):
    with pytest.raises(TrainingError, match=message):
        replace(config, **change)


def test_the_ends_of_a_range_are_in_it(config: RunConfig):
    for blur in (0, 0.25):
        assert replace(config, augmentation=Augmentation(blur=blur)).augmentation.blur == blur


def test_no_moving_average_and_no_limit_are_in_range(config: RunConfig):
    optimization = replace(config.optimization, ema_decay=None, clip_norm=None)
    assert replace(config, optimization=optimization, dataset=Dataset(limit=None)).optimization.ema_decay is None


EMONEXT = Network(name="emonext_tiny", compact=False, conv_dropout=None, head_dropout=None)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_describe_networks_that_can_be_built(name: str):
    recipe = RECIPES[name]()
    assert recipe.recipe == name
    check_network(recipe)
    needs_data = recipe.dataset.name != "synthetic"
    command = f"    python -m training train {name}" + (" --data" if needs_data else "\n")
    assert command in (RECIPES[name].__doc__ or "")


def test_emonexts_schedule_is_that_of_its_steps():
    """On FER2013's training images without the leaked in batches of 32: 128 steps up, a cosine down, every 1,024."""
    config, steps = RECIPES["emonext"]().optimization, 28_006 // 32
    rates = [learning_rate(step, steps, config) for step in range(2_048)]
    assert rates.index(max(rates)) in range(126, 130)
    assert max(rates) == pytest.approx(1e-4, rel=1e-3)
    (restart,) = [
        step for step in range(200, 2_000) if rates[step - 1] < rates[step] and rates[step - 1] < rates[step - 2]
    ]
    assert restart in range(1_022, 1_027)


def test_upstream_stops_as_its_code_does():
    """Its counter of epochs without a better one must exceed 15: the sixteenth is the last."""
    patience = RECIPES["upstream"]().optimization.patience
    values, counter, upstream = [0.5], 0, None
    while upstream is None:
        assert not has_stalled(values, patience)
        values.append(0.4)
        counter += 1
        upstream = len(values) if counter > 15 else None
    assert has_stalled(values, patience)


class TestNetwork:
    @pytest.mark.parametrize(
        ("network", "error", "message"),
        [
            (Network(name="resnet"), UnknownModelError, "no model is called 'resnet'"),
            (Network(name="resemotenet_c3"), TrainingError, "has no compact layout; give --network.no-compact"),
            (
                Network(name="resnet18"),
                TrainingError,
                "resnet18 has no conv_dropout, no head_dropout, no compact layout; give --network.conv-dropout None "
                "--network.head-dropout None --network.no-compact",
            ),
            (Network(stochastic_depth=0.1), TrainingError, "resemotenet has no stochastic_depth"),
            (EMONEXT, TrainingError, "EmoNeXt got pictures of 64x64"),
            (Network(size=96), CompactLayoutError, "3x3 map where only 2x2 is exact"),
            (Network(size=4, compact=False), TrainingError, "cannot be built and run"),
            (Network(size=0), TrainingError, "size = 0, which should be greater than or equal to 1"),
            (Network(width=0), TrainingError, "width must be positive"),
            (Network(head_dropout=2), TrainingError, "dropout probability"),
        ],
    )
    def test_what_cannot_be_trained_is_known_before(
        self, config: RunConfig, network: Network, error: type[ResEmoteNetError], message: str
    ):
        with pytest.raises(error, match=message):
            check_network(replace(config, network=network))

    def test_attention_variance_is_for_emonext(self, config: RunConfig):
        optimization = replace(config.optimization, attention_variance=1.0)
        with pytest.raises(TrainingError, match="attention, which resemotenet does not have"):
            check_network(replace(config, optimization=optimization))
        check_network(replace(config, optimization=optimization, network=replace(EMONEXT, size=224)))

    def test_what_a_network_does_not_take_is_not_written(self, config: RunConfig):
        info = describe(replace(config, network=replace(EMONEXT, size=224, stochastic_depth=0.2)))
        assert info.arguments == {
            "num_classes": 7, "in_channels": 3, "width": 1.0, "compact": False, "stochastic_depth": 0.2
        }  # fmt: skip
        assert info.explain_layer == "features"

    def test_synthetic_weights_say_so(self, config: RunConfig):
        info = describe(replace(config, data=None, dataset=Dataset("synthetic", "synthetic")))
        assert (info.training["data"], info.license["name"]) == ("synthetic", "mit")
        assert "nothing about people" in info.license["text"]

    def test_larger_input_in_the_full_layout(self, config: RunConfig):
        check_network(replace(config, network=Network(size=96, compact=False, width=0.1)))

    def test_description(self, config: RunConfig):
        info = describe(config)
        assert (info.architecture, info.arguments["width"], info.arguments["in_channels"]) == ("resemotenet", 0.125, 1)
        assert info.labels == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
        assert asdict(info.preprocess) == {
            "size": 48, "channels": 1, "mean": (0.5077,), "std": (0.2550,), "interpolation": "bilinear"
        }  # fmt: skip
        assert info.training == {"recipe": "tiny", "data": "fer2013", "labels": "ferplus", "epochs": 4, "seed": 0}
        assert info.license["name"] == "non-commercial-research"

    def test_three_channels_are_normalised_as_upstream(self):
        config = RunConfig(recipe="x", data=Path("x"))
        assert describe(config).preprocess.mean == (0.485, 0.456, 0.406)
        assert describe(config).preprocess.std == (0.229, 0.224, 0.225)
