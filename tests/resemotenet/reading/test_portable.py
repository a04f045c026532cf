"""The reader as files: the graphs answer as the networks here do, and the JSON holds the numbers of the modules."""

import json

import numpy as np
import onnxruntime
import pytest

from resemotenet import LoadedModel, load_model
from resemotenet.checkpoints.pretrained import Source, resolve
from resemotenet.errors import BackendError, CheckpointError
from resemotenet.reading import cascade
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.portable import CASCADE_FILES, NETWORK_FILE, SETTINGS_FILE, settings, write_reader
from resemotenet.reading.reading import model_report


@pytest.fixture(scope="module")
def bundled() -> tuple[LoadedModel, Source]:
    source = resolve()
    return load_model(source.folder), source


@pytest.fixture(scope="module")
def folder(bundled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader") / "new" / "folder"
    assert {path.name for path in write_reader(bundled[0], bundled[1], folder)} == {
        path.name for path in folder.iterdir()
    }
    return folder


def run(path, batch):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch})


def test_the_last_network_of_the_cascade_looks_as_it_does_here(folder):
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), np.uint8)
    looks = cascade.Cascade().look(crops)
    moves, landmarks, odds = run(folder / CASCADE_FILES[2], np.float32(crops.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(moves, looks.moves, atol=1e-5)
    np.testing.assert_allclose(landmarks, looks.landmarks, atol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-odds[:, 0])), looks.scores, atol=1e-5)


@pytest.mark.parametrize(("file", "shape"), [(CASCADE_FILES[0], (1, 3, 40, 60)), (CASCADE_FILES[1], (5, 3, 24, 24))])
def test_the_others_give_moves_and_odds(folder, file, shape):
    moves, odds = run(folder / file, np.zeros(shape, np.float32))
    assert (moves.shape[1], odds.shape[1]) == (4, 1)


def test_the_network_is_the_one_in_8_bits(bundled, folder):
    model = bundled[0].with_backend("onnxruntime", "int8")
    crops = np.random.default_rng(0).integers(0, 256, (4, 1, 48, 48), np.uint8)
    assert model.session is not None
    batch = ((crops / np.float32(255)) - 0.5).astype(np.float32)
    np.testing.assert_allclose(run(folder / NETWORK_FILE, batch)[0], model.session(batch)[0], atol=1e-4)


def test_the_numbers_are_those_of_the_modules_and_of_the_model(bundled, folder):
    model, source = bundled
    read = json.loads((folder / SETTINGS_FILE).read_text())
    assert read == settings(model, source)
    assert read["model"] == model_report(model.info, source)
    assert read["network"]["temperature"] == model.info.for_photographs().temperature
    assert read["network"]["preprocess"]["size"] == model.preprocess.size
    assert read["cascade"]["thresholds"] == list(cascade.THRESHOLDS)
    assert read["detector"]["max_side"] == MTCNNDetector().max_side
    assert read["detector"]["turns"] == list(MTCNNDetector.TURNS)


def test_the_same_model_gives_the_same_bytes(bundled, folder, tmp_path):
    for path in write_reader(bundled[0], bundled[1], tmp_path):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_a_model_without_ranges_says_how_to_get_them(model_folder, tmp_path):
    with pytest.raises(BackendError, match="no ranges for int8"):
        write_reader(load_model(model_folder), Source(model_folder, "mine"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_reader(load_model(model_folder), Source(model_folder, "mine"), tmp_path, "exact")


def test_a_place_that_cannot_be_written_is_named(bundled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"file.*cannot be written"):
        write_reader(bundled[0], bundled[1], tmp_path / "file")
