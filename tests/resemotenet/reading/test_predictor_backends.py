"""The predictor takes the backend and precision that it is asked for, and no other."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from resemotenet import EmotionPredictor, load_model
from resemotenet.checkpoints.export import calibrated
from resemotenet.errors import BackendError


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> EmotionPredictor:
    return EmotionPredictor.from_pretrained(model_folder, device="cpu")


def test_torch_where_it_is_asked_for(model_folder, predictor):
    slow = EmotionPredictor.from_pretrained(model_folder, device="cpu", backend="torch")
    assert (slow.model.backend, predictor.model.backend) == ("torch", "onnxruntime")
    for one, other in zip(slow(data.astronaut()), predictor(data.astronaut()), strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-3)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_torch_needs_no_onnxruntime(model_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendError, match="pip install onnxruntime"):
        EmotionPredictor.from_pretrained(model_folder, device="cpu")
    slow = EmotionPredictor.from_pretrained(model_folder, device="cpu", backend="torch")
    assert len(slow(data.astronaut())) == 1


def test_onnxruntime_means_the_cpu(model_folder):
    assert EmotionPredictor.from_pretrained(model_folder, backend="onnxruntime").device == torch.device("cpu")


def test_a_model_stays_in_8_bits(model_folder):
    model = load_model(model_folder)
    faces = np.random.default_rng(0).integers(0, 256, (16, 1, 48, 48), dtype=np.uint8)
    model = dataclasses.replace(model, info=calibrated(model, faces, {}))
    rough = EmotionPredictor(model, precision="int8")
    assert (rough.model.precision, rough.device) == ("int8", torch.device("cpu"))
    assert EmotionPredictor(rough.model, backend="onnxruntime").model is rough.model
    assert EmotionPredictor(rough.model, precision="exact").model.precision == "exact"


def test_8_bits_of_a_model_that_is_not_calibrated(model_folder):
    with pytest.raises(BackendError, match="no ranges for int8"):
        EmotionPredictor.from_pretrained(model_folder, precision="int8")
