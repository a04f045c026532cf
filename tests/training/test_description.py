"""What a run's model folder says of itself, and networks that cannot be trained are known before."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from resemotenet.errors import CompactLayoutError, ResEmoteNetError, TrainingError, UnknownModelError
from resemotenet.runs.schema import Dataset, Network, RunConfig, read
from training.description import check_network, describe
from training.optimization import has_stalled, learning_rate
from training.recipes import RECIPES

PUBLISHED = sorted(Path(__file__).parents[2].glob("dashboard/published/bundled-*/config.json"))


def test_the_published_first_step_of_the_bundled_weights_is_what_the_recipe_says():
    """Whatever settings came since stand as they were then."""
    first = [config for config in (read(RunConfig, path) for path in PUBLISHED) if config.network.start is None]
    assert first
    assert all(config == replace(RECIPES["bundled"](), data=Path("fer2013.parquet")) for config in first)


EMONEXT = Network(name="emonext_tiny", compact=False, conv_dropout=None, head_dropout=None)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_describe_networks_that_can_be_built(name: str):
    recipe = RECIPES[name]()
    assert recipe.recipe == name
    check_network(recipe)
    needs_data = recipe.dataset.name != "synthetic"
    command = f"    python -m training train {name}" + (" --data" if needs_data else "\n")
    assert command in (RECIPES[name].__doc__ or "")


@pytest.mark.parametrize(("name", "batch"), [("emonext", 64), ("emonext_short", 32)])
def test_emonexts_schedule_is_that_of_its_steps(name: str, batch: int):
    """On FER2013's training images without the leaked: 128 steps up, a cosine down, every 1,024."""
    config, steps = RECIPES[name]().optimization, 28_006 // batch
    assert config.batch_size == batch
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
