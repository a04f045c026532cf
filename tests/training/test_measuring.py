"""A model folder measured anew: facts that hold and facts that do not, and models of other labels."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model, save_model
from resemotenet.datasets import FER2013, read_fer2013
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from training.measuring import Measurement, measure_model

LABELS = ("fer2013", "ferplus-strict", "ferplus-usual")


@pytest.fixture(scope="module")
def data(data_path: Path) -> FER2013:
    return read_fer2013(data_path)


@pytest.fixture(scope="module")
def model(model_folder: Path) -> LoadedModel:
    return load_model(model_folder)


def measured(model: LoadedModel, data: FER2013, splits: tuple[str, ...] = ("validation", "test")) -> list[Measurement]:
    return measure_model(
        model, "fer2013", {split: {name: data.split(split, name) for name in LABELS} for split in splits}
    )


@pytest.fixture
def facts(model: LoadedModel, data: FER2013) -> list[dict[str, Any]]:
    """What is true of the random model."""
    found = [each.fact("fer2013") for each in measured(model, data)]
    wanted = (("ferplus-strict", "validation"), ("ferplus-strict", "test"), ("fer2013", "test"))
    return [fact for fact in found if (fact["labels"], fact["split"]) in wanted]


def again(model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, path: Path) -> dict[str, Measurement]:
    """What is measured of a folder that states these facts, where it states one."""
    folder = save_model(path / "model", model.module, replace(model.info, measured=tuple(facts)))
    return {f"{each.labels} {each.split}": each for each in measured(load_model(folder), data) if each.stated}


def test_facts_that_hold(model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, tmp_path: Path):
    found = again(model, facts, data, tmp_path)
    assert sorted(found) == ["fer2013 test", "ferplus-strict test", "ferplus-strict validation"]
    assert {each.verdict for each in found.values()} == {"as stated"}


def test_a_rounded_figure_is_the_same_figure(
    model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, tmp_path: Path
):
    rounded = [{**fact, "accuracy": round(fact["accuracy"], 3)} for fact in facts]
    assert all(each.agrees for each in again(model, rounded, data, tmp_path).values())


@pytest.mark.parametrize("change", [{"n": 1}, {"face": 1}, {"face": -1}])
def test_one_face_off(
    model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, tmp_path: Path, change: dict[str, int]
):
    facts[1]["accuracy"] += change.get("face", 0) / facts[1]["n"]
    facts[1]["n"] += change.get("n", 0)
    wrong = [name for name, each in again(model, facts, data, tmp_path).items() if not each.agrees]
    assert wrong == [f"{facts[1]['labels']} {facts[1]['split']}"]


def test_facts_about_other_data_are_not_looked_at(
    model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, tmp_path: Path
):
    assert len(again(model, [{**facts[0], "dataset": "raf-db"}, *facts[1:]], data, tmp_path)) == 2


def test_a_fact_under_labels_that_are_not_there(
    model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, tmp_path: Path
):
    with pytest.raises(ResultsError, match=r"fer2013, ferplus, validation cannot be measured here; there are fer2013"):
        again(model, [{**facts[0], "split": "validation", "labels": "ferplus"}], data, tmp_path)


def test_a_fact_that_says_too_little(model: LoadedModel, facts: list[dict[str, Any]], data: FER2013, tmp_path: Path):
    del facts[0]["n"]
    with pytest.raises(ResultsError, match=r"a measured fact in config\.json has no n$"):
        again(model, facts, data, tmp_path)


def relabelled(model: LoadedModel, labels: tuple[str, ...]) -> LoadedModel:
    return LoadedModel(model.module, replace(model.info, labels=labels), model.folder)


def test_other_spellings_are_the_same_emotions(model: LoadedModel, data: FER2013):
    spelt = relabelled(model, ("Anger", "disgusted", "Fear", "happiness", "Neutral", "sadness", "Surprised"))
    for one, other in zip(measured(model, data), measured(spelt, data), strict=True):
        np.testing.assert_array_equal(one.predictions.probabilities, other.predictions.probabilities)
        assert one.entry == other.entry


def test_a_model_without_one_emotion_is_scored_on_the_others(model: LoadedModel, data: FER2013):
    """Contempt in the place of disgust: its answers are dropped, and faces labelled disgust are counted apart."""
    other = relabelled(model, ("angry", "contempt", "fear", "happy", "neutral", "sad", "surprise"))
    (own, *_), (whole, *_) = (measured(each, data, ("test",)) for each in (other, model))
    asked = data.split("test").targets != EMOTIONS.index("disgust")
    assert own.entry.n == asked.sum() < whole.entry.n
    assert own.entry.unanswered == {"disgust": int((~asked).sum())}
    kept = np.delete(whole.predictions.probabilities[asked], 1, axis=1)
    np.testing.assert_array_equal(
        np.delete(own.predictions.probabilities, 1, axis=1).argmax(axis=1), kept.argmax(axis=1)
    )
    np.testing.assert_allclose(own.predictions.probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("a", "b", "c", "d", "e", "f", "g"), "they share none"),
        (("a", "b", "c", "happy", "e", "f", "g"), "they share one emotion"),
        (("angry", "anger", "c", "happy", "e", "f", "g"), "two of these are one emotion"),
    ],
)
def test_labels_that_mean_nothing_here(model: LoadedModel, data: FER2013, labels: tuple[str, ...], said: str):
    with pytest.raises(ResultsError, match=said):
        measured(relabelled(model, labels), data)
