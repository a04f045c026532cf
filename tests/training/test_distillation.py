"""Learning from what trained models say of the training faces."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from resemotenet import load_model
from resemotenet.checkpoints.checkpoint import save_model
from resemotenet.errors import CheckpointNotFoundError, TrainingError
from resemotenet.runs.results import ResultsFolder, read_json
from resemotenet.runs.schema import Distillation, RunConfig
from tests.training.conftest import assert_same_run, stop_after_one_epoch, weights
from training.earlier import EarlierModels
from training.evaluation import predict
from training.loading import load_data
from training.loop import resume, train

CPU = torch.device("cpu")


def changed_copy(model: Path, to: Path, **changes: Any) -> Path:
    """Another model folder, its config.json differing."""
    given = load_model(model)
    save_model(to, given.module, replace(given.info, **changes))
    return to


def taught(config: RunConfig, share: float, *teachers: Path) -> NDArray[np.float32]:
    """What a run with these teachers aims at."""
    earlier = EarlierModels.load(replace(config, distillation=Distillation(teachers=teachers)))
    return earlier.teach(load_data(config).train, share, CPU)


def test_labels_and_the_mean_of_the_teachers_share_what_is_aimed_at(
    config: RunConfig, finished: ResultsFolder, tmp_path: Path
):
    faces = load_data(config).train
    cold = changed_copy(finished.model, tmp_path / "cold", temperature=0.5)
    first, second = (predict(load_model(path), faces).probabilities for path in (finished.model, cold))
    assert not np.allclose(first, second, atol=0.01)
    aims = taught(config, 0.25, finished.path, cold)
    np.testing.assert_allclose(aims, 0.75 * faces.distribution + 0.125 * (first + second), atol=1e-6)
    assert aims.dtype == np.float32
    assert EarlierModels.load(config).teach(faces, 0.25, CPU) is faces.distribution


def test_the_operating_point_of_a_teacher_is_not_learned(config: RunConfig, finished: ResultsFolder, tmp_path: Path):
    faces = load_data(config).train
    biased = changed_copy(finished.model, tmp_path / "biased", logit_bias=(0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    said, otherwise = (predict(load_model(path), faces).probabilities for path in (finished.model, biased))
    assert not np.allclose(said, otherwise)
    plain, same = (taught(config, 0.5, path) for path in (finished.model, biased))
    np.testing.assert_array_equal(plain, same)


@pytest.fixture
def pupil(config: RunConfig, finished: ResultsFolder) -> RunConfig:
    """Another network than its teacher, with another input."""
    network = replace(config.network, width=0.25, size=64)
    optimization = replace(config.optimization, epochs=2)
    distillation = Distillation(teachers=(finished.path,))
    return replace(config, network=network, optimization=optimization, distillation=distillation)


def test_a_pupil_learns_something_else_and_says_from_whom(
    pupil: RunConfig, finished: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    alone = train(replace(pupil, distillation=Distillation(), results=tmp_path / "alone"))
    whole = train(replace(pupil, results=tmp_path / "whole"))
    model = load_model(whole.model)
    assert model.info.training["teachers"] == [finished.path.name]
    assert model.info.license["text"].endswith("or learned from holds too.")
    teacher = {"sha256": load_model(finished.model).sha256(), "temperature": 1.0, "views": "none"}
    assert read_json(whole.audit)["earlier"] == {"teachers": [teacher]}
    assert "earlier" not in read_json(alone.audit)
    ours, theirs = weights(whole), weights(alone)
    assert any(not ours[name].equal(theirs[name]) for name in ours)

    assert_same_run(resume(pupil, stop_after_one_epoch(pupil, monkeypatch)), whole)


@pytest.mark.parametrize("weights_too", [True, False])
def test_going_on_with_another_teacher_is_refused(
    pupil: RunConfig, finished: ResultsFolder, monkeypatch: pytest.MonkeyPatch, weights_too: bool
):
    path = stop_after_one_epoch(pupil, monkeypatch)
    given = load_model(finished.model)
    if weights_too:
        next(given.module.parameters()).data += 1
    shutil.rmtree(finished.model)
    save_model(finished.model, given.module, replace(given.info, temperature=1.0 if weights_too else 0.5))
    with pytest.raises(TrainingError, match=f"{path} did not begin with what is now the teachers"):
        resume(pupil, path)


def test_a_teacher_that_is_not_there(pupil: RunConfig, tmp_path: Path):
    with pytest.raises(CheckpointNotFoundError):
        train(replace(pupil, distillation=Distillation(teachers=(tmp_path / "gone",))))
    assert not pupil.results.exists()
