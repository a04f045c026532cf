"""A run's config.json: there and back, of any version, and what does not fit is named, wherever it comes from."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from resemotenet.errors import PublicationError, TrainingError
from resemotenet.runs.results import flatten
from resemotenet.runs.schema import (
    Augmentation,
    Dataset,
    Distillation,
    Network,
    Optimization,
    RunConfig,
    default_results,
    later,
    parse,
    read,
)

PUBLISHED = sorted(Path(__file__).parents[3].glob("dashboard/published/*/config.json"))
CONFIG = RunConfig(
    recipe="tiny",
    data=Path("fer2013.csv"),
    network=Network(width=0.125, size=48, channels=1),
    dataset=Dataset(labels="ferplus"),
    optimization=Optimization(epochs=4, warmup_epochs=1),
)


def parsed(values: Any) -> RunConfig:
    return parse(RunConfig, json.dumps(values), "config.json", TrainingError)


def test_there_and_back():
    written = json.loads(json.dumps(CONFIG.to_dict()))
    assert parsed(written) == CONFIG
    assert set(written) == {field.name for field in fields(RunConfig)}
    assert written["optimization"]["warmup_epochs"] == 1


def test_paths_survive():
    changed = replace(CONFIG, data=None, dataset=Dataset("synthetic", "synthetic"))
    changed = replace(changed, network=replace(CONFIG.network, backbone=Path("weights") / "convnext.pth"))
    assert parsed(changed.to_dict()) == changed
    changed = replace(changed, network=replace(CONFIG.network, start=Path("weights")))
    changed = replace(changed, distillation=Distillation(teachers=(Path("a"), Path("b") / "c"), share=0.25))
    assert parsed(changed.to_dict()) == changed
    assert set(changed.places) == {Path("results"), Path("weights"), Path("a"), Path("b/c")}


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_ones_mean_what_they_meant(path: Path):
    """Whatever came since stands as it was then."""
    written, config = json.loads(path.read_text()), read(RunConfig, path).to_dict()
    assert {name: config[name] for name in written if not isinstance(written[name], dict)} == {
        name: value for name, value in written.items() if not isinstance(value, dict)
    }
    for part in ("network", "dataset", "augmentation", "optimization"):
        assert config[part].items() >= written[part].items()


def test_a_setting_that_came_later_may_be_absent_and_has_its_old_meaning():
    whole = flatten(CONFIG.to_dict())
    assert {"cache", "network.start", "augmentation.blur", "distillation.share"} <= set(later(RunConfig))
    for name in later(RunConfig):
        if name.startswith("distillation."):  # which came as a whole
            continue
        values = CONFIG.to_dict()
        *parts, last = name.split(".")
        del (values[parts[0]] if parts else values)[last]
        assert flatten(parsed(values).to_dict()) == whole, name
    assert parsed({name: value for name, value in CONFIG.to_dict().items() if name != "distillation"}) == CONFIG


def test_a_setting_that_came_later_is_marked_as_such():
    """The first run that was published has all settings there were; any other one came later."""
    first = min(PUBLISHED, key=lambda path: path.parent.name[-16:])
    known = flatten(json.loads(first.read_text()))
    assert {name for name in flatten(CONFIG.to_dict()) if name not in known} == set(later(RunConfig))


def test_any_other_setting_has_to_be_there():
    others = set(flatten(CONFIG.to_dict())) - set(later(RunConfig))
    assert {"data", "seed", "network.width", "optimization.epochs"} <= others
    for name in others:
        values = CONFIG.to_dict()
        *parts, last = name.split(".")
        del (values[parts[0]] if parts else values)[last]
        with pytest.raises(TrainingError, match=f"^config.json has no {name}$"):
            parsed(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": "x"}, "has recipes, which this version does not know"),
        (
            {"network": {**CONFIG.to_dict()["network"], "depth": 3}},
            r"has network\.depth, which this version",
        ),
        ({"network": 3}, "network = 3, which should be an object"),
        ({"network": {}}, r"has no network\.name, no network\.width"),
        ({"optimization": {**CONFIG.to_dict()["optimization"], "epochs": 0}}, r"epochs = 0, which should be greater"),
        ({"seed": "zero"}, "seed = 'zero', which should be a valid integer"),
        ({"seed": True}, "seed = True, which should be a valid integer"),
        ({"seed": 1.0}, "seed = 1.0, which should be a valid integer"),
        ({"seed": 10**400}, r"seed = 10+\.\.\., which should be less than or equal to 2147483647"),
        ({"recipe": 5}, "recipe = 5, which should be a valid string"),
        ({"recipe": None}, "recipe = None, which should be a valid string"),
        ({"data": 3}, "data = 3, which should be"),
        ({"track": "abacus"}, "track = 'abacus', which should be 'none', 'tensorboard', 'trackio' or 'wandb'"),
        ({"distillation": {"teachers": ["a", 3], "share": 0.5}}, r"distillation\.teachers\.1 = 3, which"),
        ({"distillation": {"teachers": []}}, r"has no distillation\.share"),
        ({"data": None}, r"config\.json is wrong: the data set fer2013 has to be given: --data PATH"),
        ({"dataset": {**CONFIG.to_dict()["dataset"], "labels": "expw"}}, "'expw' do not belong to dataset.name"),
    ],
)
def test_a_file_that_does_not_fit(changes: dict[str, Any], message: str):
    with pytest.raises(TrainingError, match=message):
        parsed(CONFIG.to_dict() | changes)
    with pytest.raises(PublicationError, match=message):
        parse(RunConfig, json.dumps(CONFIG.to_dict() | changes), "config.json", PublicationError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"optimization": Optimization(epochs=0)},
            r"optimization\.epochs = 0, which .* greater than or equal to 1",
        ),
        ({"optimization": Optimization(batch_size=0)}, r"batch_size = 0, which"),
        (
            {"optimization": Optimization(learning_rate=float("nan"))},
            r"learning_rate = nan, which .* finite",
        ),
        (
            {"optimization": Optimization(ema_decay=1.5)},
            r"ema_decay = 1\.5, which .* less than or equal to 1",
        ),
        ({"augmentation": Augmentation(erase=2)}, r"erase = 2, which .* less than or equal to 1"),
        (
            {"augmentation": Augmentation(scale=1)},
            r"scale = 1, which .* less than or equal to 0\.99",
        ),
        (
            {"augmentation": Augmentation(dimming=0.5)},
            r"dimming = 0\.5, which .* greater than or equal to 1",
        ),
        (
            {"augmentation": Augmentation(shade=1.1)},
            r"shade = 1\.1, which .* less than or equal to 1",
        ),
        (
            {"augmentation": Augmentation(blur=-0.01)},
            r"blur = -0\.01, which .* greater than or equal to 0",
        ),
        (
            {"augmentation": Augmentation(blur=0.26)},
            r"blur = 0\.26, which .* less than or equal to 0\.25",
        ),
        (
            {"augmentation": Augmentation(noise=1.1)},
            r"noise = 1\.1, which .* less than or equal to 1",
        ),
        (
            {"augmentation": Augmentation(mixup=-1)},
            r"mixup = -1, which .* greater than or equal to 0",
        ),
        ({"distillation": Distillation(share=2)}, r"share = 2, which .* less than or equal to 1"),
        ({"dataset": Dataset(limit=0)}, r"limit = 0, which .* greater than or equal to 1"),
        ({"augmentation": Augmentation(dimming=100.5)}, r"dimming = 100\.5, which .* less than or equal to 100"),
        ({"augmentation": Augmentation(rotation=181)}, "rotation = 181, which .* less than or equal to 180"),
        ({"network": Network(size=1025)}, r"network\.size = 1025, which .* less than or equal to 1024"),
        ({"network": Network(size=0)}, r"network\.size = 0, which .* greater than or equal to 1"),
        ({"optimization": Optimization(cycle_epochs=0)}, r"cycle_epochs = 0, which .* greater than or equal to"),
        ({"optimization": Optimization(patience=0)}, "patience = 0, which .* greater than or equal to 1"),
        ({"optimization": Optimization(epochs=2**63)}, "which .* less than or equal to 9223372036854775807"),
        ({"seed": 2**31}, "seed = 2147483648, which .* less than or equal to 2147483647"),
        ({"seed": -1}, "the config says seed = -1, which .* greater than or equal to 0"),
        (
            {"optimization": Optimization(accumulate=0)},
            r"accumulate = 0, which .* greater than or equal to 1",
        ),
        ({"optimization": Optimization(momentum=0)}, r"Nesterov's momentum needs a momentum above 0"),
        (
            {"optimization": Optimization(optimizer="adamw", momentum=1, nesterov=False)},
            "momentum is 1, but AdamW needs one below 1",
        ),
        ({"data": None}, "the data set fer2013 has to be given: --data PATH"),
        ({"data": Path("bad\udcff.csv")}, "is not UTF-8, so config.json cannot hold it; rename it"),
        ({"distillation": Distillation(teachers=(Path("\udcff"),))}, "is not UTF-8"),
        ({"dataset": Dataset(name="synthetic")}, "'fer2013' do not belong to dataset.name 'synthetic'"),
        ({"dataset": Dataset(own_share=0.5)}, r"own_share 0\.5 mixes the original labels into FER\+ votes"),
        ({"dataset": Dataset(labels="synthetic")}, "'synthetic' do not belong to dataset.name 'fer2013'"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], message: str):
    with pytest.raises(TrainingError, match=message):
        replace(CONFIG, **change)


def test_the_ends_of_a_range_are_in_it():
    for blur in (0, 0.25):
        assert replace(CONFIG, augmentation=Augmentation(blur=blur)).augmentation.blur == blur


def test_no_moving_average_and_no_limit_are_in_range():
    optimization = replace(CONFIG.optimization, ema_decay=None, clip_norm=None)
    assert replace(CONFIG, optimization=optimization, dataset=Dataset(limit=None)).optimization.ema_decay is None


def test_results_go_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("RESEMOTENET_RESULTS", raising=False)
    assert default_results() == RunConfig("x", data=Path("x")).results == Path("results")
    monkeypatch.setenv("RESEMOTENET_RESULTS", str(tmp_path))
    assert default_results() == RunConfig("x", data=Path("x")).results == tmp_path
    assert RunConfig("x", data=Path("x"), results=Path("here")).results == Path("here")
    monkeypatch.setenv("RESEMOTENET_RESULTS", "")
    assert default_results() == Path("results")
