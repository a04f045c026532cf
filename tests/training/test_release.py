"""A released model folder: small, chosen on validation, and its facts are those of the very weights in it."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from resemotenet.checkpoints.checkpoint import load_model
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.datasets import FaceSet, recognise
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import PublicationError, ResultsError, TrainingError
from resemotenet.publishing.facts import gather
from resemotenet.runs.calibration import choose_prior_bias
from resemotenet.runs.metrics import nll
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from resemotenet.runs.schema import RunConfig
from training.loading import Data, load_data
from training.measuring import Measurement, measure_model
from training.release import release
from training.scored_sets import scored_sets


@pytest.fixture
def data(config: RunConfig) -> Data:
    return load_data(config)


def stated(folder: Path, data: Path) -> list[Measurement]:
    """What a model folder states, measured again."""
    model, (info, _, root) = load_model(folder), recognise(data)
    scored, _ = scored_sets(info, root, ("validation", "test"), model.preprocess.size)
    return [each for each in measure_model(model, info.name, scored) if each.stated]


@pytest.fixture
def released(finished: ResultsFolder, data: Data, tmp_path: Path) -> Path:
    release(finished, tmp_path / "out", data, views="flip", accuracy_margin=0.05)
    return tmp_path / "out"


def test_facts_are_those_of_the_weights_written(released: Path, data_path: Path):
    facts = stated(released, data_path)
    assert [fact.agrees for fact in facts] == [True] * 6
    assert {(fact.labels, fact.split) for fact in facts} == {
        (labels, split) for labels in ("ferplus-strict", "ferplus-usual", "fer2013") for split in ("validation", "test")
    }


def test_kernels_are_stored_in_half_and_vectors_in_full(released: Path):
    state = load_file(released / "model.safetensors")
    kinds = {name: value.dtype for name, value in state.items() if value.is_floating_point()}
    assert {kind for name, kind in kinds.items() if state[name].ndim > 1} == {torch.float16}
    assert {kind for name, kind in kinds.items() if state[name].ndim <= 1} == {torch.float32}


def test_the_run_holds_the_released_weights_and_test_was_touched_once(
    finished: ResultsFolder, released: Path, data: Data
):
    result = read_json(finished.result)
    assert result["splits"]["test"]["touched"] == 1
    told = [fact.get("touched") for fact in load_model(released).info.measured if fact["split"] == "test"]
    assert told == [1, None, None]  # once for all label definitions: they are read off the same predictions
    stored = Predictions.load(finished.predictions("ferplus-strict", "test"))
    model = load_model(released)
    faces = data.scored["test"]["ferplus-strict"]
    again = model.probabilities(model.preprocess.batch(torch.from_numpy(faces.pixels(np.arange(len(faces))))))
    np.testing.assert_allclose(stored.probabilities, again, atol=1e-5)


def test_views_and_operating_point_are_chosen_and_said(released: Path, finished: ResultsFolder, data: Data):
    info = load_model(released).info
    assert info.views == "flip"
    assert read_json(finished.result)["released"] == {
        "temperature": info.temperature,
        "logit_bias": list(info.logit_bias or ()),
        "views": "flip",
        "by": "validation, ferplus-strict",
    }
    assert info.sure_margin == 0.3
    assert info.logit_bias is not None
    assert sum(info.logit_bias) == pytest.approx(0, abs=1e-3)
    prior = data.train.distribution.mean(axis=0)
    strength = np.polyfit(-np.log(prior), info.logit_bias, 1)[0]
    assert 0 <= strength <= 1
    assert info.training["commit"] == read_json(finished.environment)["commit"]


@pytest.mark.parametrize("views", ["none", "flip"])
def test_no_other_temperature_makes_the_validation_labels_likelier(
    finished: ResultsFolder, data: Data, tmp_path: Path, views: Literal["none", "flip"]
):
    """Asked of the released model itself, so that it is fitted where the predictor applies it: before the average."""
    release(finished, tmp_path / "out", data, views=views)
    model = load_model(tmp_path / "out")
    faces = data.scored["validation"]["ferplus-strict"]
    batch = model.preprocess.batch(torch.from_numpy(faces.pixels(np.arange(len(faces)))))

    def loss(temperature: float) -> float:
        info = replace(model.info, temperature=temperature, logit_bias=None)
        return nll(replace(model, info=info).probabilities(batch), faces.targets)

    chosen = model.info.temperature
    assert chosen != 1.0
    assert all(loss(chosen) < loss(chosen * factor) for factor in (0.9, 0.98, 1.02, 1.1))
    assert loss(chosen) < loss(1.0)


def test_releasing_again_gives_the_same_model_and_counts_the_second_touch(
    finished: ResultsFolder, released: Path, data: Data, tmp_path: Path
):
    result = release(finished, tmp_path / "again", data, views="flip", accuracy_margin=0.05)
    assert result.splits["test"].touched == 2
    weights = [(folder / "model.safetensors").read_bytes() for folder in (released, tmp_path / "again")]
    assert weights[0] == weights[1]
    first, second = (load_model(folder).info for folder in (released, tmp_path / "again"))
    assert replace(first, measured=()) == replace(second, measured=())
    figures = [[{**fact, "touched": None} for fact in info.measured] for info in (first, second)]
    assert figures[0] == figures[1]


def test_the_bias_was_chosen_on_validation_only(finished: ResultsFolder, data: Data, tmp_path: Path):
    """Choosing again, from validation predictions of the same weights without a bias, gives the same bias."""
    release(finished, tmp_path / "out", data, views="none", accuracy_margin=0.05)
    model = load_model(tmp_path / "out")
    faces = data.scored["validation"]["ferplus-strict"]
    with torch.inference_mode():
        logits = model.module(model.preprocess.batch(torch.from_numpy(faces.pixels(np.arange(len(faces))))))
    plain = torch.softmax(logits / model.info.temperature, dim=1).numpy()
    prior = data.train.distribution.mean(axis=0).astype(float)
    expected = choose_prior_bias(plain, faces.targets, prior, accuracy_margin=0.05)
    assert model.info.logit_bias == pytest.approx(expected.tolist(), abs=1e-4)


def test_every_figure_names_the_released_weights(finished: ResultsFolder, released: Path):
    digest = hashlib.sha256((released / "model.safetensors").read_bytes()).hexdigest()
    result = read_json(finished.result)
    entries = [*result["splits"].values(), *(entry for splits in result["also"].values() for entry in splits.values())]
    assert [entry["weights"] for entry in entries] == [{"sha256": digest}] * 6
    assert result["protocol"] == "validation-chosen"


def test_a_released_run_can_be_published_and_what_was_swapped_since_cannot(finished: ResultsFolder, released: Path):
    environment = read_json(finished.environment)
    write_json(finished.environment, {**environment, "dirty": False})
    facts = gather(finished.path)
    assert facts.weights_are_named
    assert facts.touched == 1
    config = read_json(finished.model / "config.json")
    write_json(finished.model / "config.json", {**config, "temperature": 5.0})
    with pytest.raises(PublicationError, match=r"measured with temperature .*, but the model now has 5\.0"):
        gather(finished.path)


def test_what_speaks_against_a_run_goes_with_its_model(finished: ResultsFolder, data: Data, tmp_path: Path):
    environment, config = read_json(finished.environment), read_json(finished.config)
    write_json(finished.environment, {**environment, "dirty": False, "resumptions": []})
    write_json(finished.config, {**config, "dataset": {**config["dataset"], "limit": 99_999}})
    release(finished, tmp_path / "out", data)
    said = ("A rehearsal: only the first 99,999 faces of each split were used.",)
    assert gather(tmp_path / "out").remarks == said
    assert gather(finished.path).remarks == said
    write_json(finished.config, {**config, "dataset": {**config["dataset"], "limit": None}})
    release(finished, tmp_path / "out", data)
    assert gather(tmp_path / "out").remarks == ()


def test_an_unfinished_run_is_refused_and_nothing_is_written(finished: ResultsFolder, data: Data, tmp_path: Path):
    finished.result.unlink()
    before = (finished.model / "config.json").read_bytes()
    with pytest.raises(ResultsError, match="not finished"):
        release(finished, tmp_path / "out", data)
    assert not (tmp_path / "out").exists()
    assert (finished.model / "config.json").read_bytes() == before


def test_an_emotion_that_was_never_taught_is_refused_and_nothing_is_written(
    finished: ResultsFolder, data: Data, tmp_path: Path
):
    assert isinstance(data.train, FaceSet)
    distribution = data.train.distribution.copy()
    distribution[:, EMOTIONS.index("disgust")] = 0
    before = {path: path.read_bytes() for path in finished.path.rglob("*") if path.is_file()}
    with pytest.raises(TrainingError, match="no training face is labelled disgust, so the model was never taught it"):
        release(finished, tmp_path / "out", replace(data, train=replace(data.train, distribution=distribution)))
    assert not (tmp_path / "out").exists()
    assert {path: path.read_bytes() for path in finished.path.rglob("*") if path.is_file()} == before


def test_the_bundled_weights_measure_as_they_say(fer2013_parquet: Path):
    """Every fact in the config.json that people are shown, from the data again, to the last face."""
    facts = stated(bundled_folder(), fer2013_parquet)
    assert {(fact.labels, fact.split, fact.entry.n) for fact in facts} >= {
        ("ferplus-strict", "test", 2720),
        ("ferplus-usual", "test", 3137),
        ("fer2013", "test", 3589),
    }
    assert [fact for fact in facts if not fact.agrees] == []
