"""Networks in 8 bits, and files that other programs can run: read back with nothing but onnx and onnxruntime."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from skimage import data
from torch import nn

from resemotenet import load_model
from resemotenet.checkpoints.checkpoint import LoadedModel, save_model, write_info
from resemotenet.checkpoints.export import calibrated, cost_of_int8, export_onnx, model_graph
from resemotenet.checkpoints.graph import build_graph
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.checkpoints.quantize import calibrate, needed_ranges, quantized
from resemotenet.datasets import read_fer2013
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import BackendError, CheckpointError, CheckpointFormatError, CheckpointMismatchError
from resemotenet.models import create_model, model_entry
from resemotenet.runs.schema import Int8, ModelInfo, Preprocessing

WHICH = {"dataset": "photographs", "labels": "none", "split": "test"}


def grey_faces(count: int = 64) -> np.ndarray:
    """(N, 1, 48, 48): parts of photographs around a face."""
    draw, pictures = np.random.default_rng(0), (data.astronaut()[..., 1], data.camera())
    parts = []
    for number in range(count):
        y, x, side = draw.integers(20, 90), draw.integers(150, 200), draw.integers(48, 120)
        part = torch.from_numpy(pictures[number % 2][y : y + side, x : x + side].astype(np.float32))[None, None]
        parts.append(torch.nn.functional.interpolate(part, (48, 48), mode="bilinear", antialias=True)[0].numpy())
    return np.stack(parts).astype(np.uint8)


@pytest.fixture(scope="module")
def bundled() -> LoadedModel:
    model = load_model(bundled_folder())
    return replace(model, info=calibrated(model, grey_faces(), {"dataset": "two photographs"}))


def test_int8_answers_nearly_the_same(bundled):
    cost = cost_of_int8(bundled, grey_faces(200)[64:], ["happy"] * 136, **WHICH)
    assert cost.same > 0.97
    assert 0 < cost.largest < 0.15
    assert cost.n == 136


def test_int8_keeps_the_accuracy_on_public_test(fer2013_parquet):
    faces = read_fer2013(fer2013_parquet)
    train, validation = faces.split("train"), faces.split("validation", "ferplus-strict")
    model = load_model(bundled_folder())
    rows = np.random.default_rng(0).permutation(len(train))[:256]
    model = replace(model, info=calibrated(model, train.images[rows], {"dataset": "fer2013", "split": "train"}))
    cost = cost_of_int8(model, validation.images, [EMOTIONS[target] for target in validation.targets], **WHICH)
    assert abs(cost.int8 - cost.exact) < 0.003
    assert cost.same > 0.99


def test_where_it_came_from_is_kept(bundled):
    assert bundled.info.int8.calibration == {"dataset": "two photographs", "n": 64}


@pytest.mark.parametrize("name", ["plain_cnn", "cnn_se", "vgg", "resemotenet_c5", "resnet18"])
def test_other_networks_in_8_bits(name, randomize):
    module = randomize(create_model(name, width=1.0 if name == "resnet18" else 1 / 8)).eval()
    graph = model_graph(other(module, name))
    side = model_entry(name).default_size
    crops = np.random.default_rng(0).normal(size=(20, 3, side, side)).astype(np.float32)
    small = quantized(graph, calibrate(graph, [crops]))
    exact, rough = run(graph.to_onnx(), crops), run(small.to_onnx(), crops)
    assert np.corrcoef(exact.ravel(), rough.ravel())[0, 1] > 0.99
    kinds = {value.dtype for name, value in small.constants.items() if value.nbytes > 4096}
    assert kinds == {np.dtype(np.int8)}, "a large array is still there in more bits"


def test_places_in_a_picture_stay_exact(randomize):
    module = randomize(create_model("emonext_tiny", width=1 / 8)).eval()
    graph = model_graph(other(module, "emonext_tiny"))
    crops = np.random.default_rng(0).normal(size=(3, 3, 224, 224)).astype(np.float32)
    small = quantized(graph, calibrate(graph, [crops]))
    assert run(small.to_onnx(), crops).shape == (3, 7)
    assert small.constants["spatial_transformer.affine.weight"].dtype == np.float32
    assert "features.0.0.weight/levels" in small.constants


def other(module: nn.Module, name: str) -> LoadedModel:
    preprocess = Preprocessing(model_entry(name).default_size, 3, (0.5,) * 3, (0.25,) * 3)
    return LoadedModel(module, ModelInfo(name, {}, EMOTIONS, preprocess), Path("nowhere"))


def run(model: onnx.ModelProto, crops: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"crops": crops})[0]


class TestQuantized:
    def test_ranges_of_another_network_are_refused(self, bundled):
        graph = model_graph(bundled)
        ranges = dict(bundled.info.int8.ranges)
        ranges["elsewhere"] = ranges.pop("relu_1")
        with pytest.raises(BackendError, match="the ranges for int8 are of another network: 2 names differ"):
            quantized(graph, ranges)

    def test_every_range_that_is_needed_is_read_off(self, bundled):
        graph = model_graph(bundled)
        assert set(bundled.info.int8.ranges) == set(needed_ranges(graph))
        assert {"crops", "relu_1", "se.fc.2", "res_block1.shortcut.1"} <= set(needed_ranges(graph))
        assert "logits" not in needed_ranges(graph)

    def test_none_are_read_off_nothing(self, bundled):
        with pytest.raises(ValueError, match="none were given"):
            calibrate(model_graph(bundled), [])

    def test_values_are_rounded_to_the_nearest_of_256(self):
        module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).eval()
        module[0].load_state_dict({"weight": torch.tensor([[1.27, 0.0], [0.0, 0.635]]), "bias": torch.zeros(2)})
        graph = build_graph(module, (2, 2), input="crops", outputs=["logits"], free={0: "N"})
        small = quantized(graph, {"crops": (-1.0, 1.55), "0": (-1.0, 1.0)})
        np.testing.assert_array_equal(small.constants["0.weight/levels"], [[127, 0], [0, 127]])
        np.testing.assert_allclose(small.constants["0.weight/size"], [0.01, 0.005], rtol=1e-6)
        assert small.constants["crops/size"] == np.float32(0.01)
        assert small.constants["crops/zero"] == 100


@pytest.fixture(scope="module", params=["exact", "int8"])
def file(request, bundled, tmp_path_factory) -> tuple[Path, str]:
    return export_onnx(bundled, tmp_path_factory.mktemp("files") / "model.onnx", request.param), request.param


class TestFiles:
    def test_is_a_valid_file_with_named_ends(self, file):
        model = onnx.load(file[0])
        onnx.checker.check_model(model, full_check=True)
        assert [each.name for each in model.graph.input] == ["crops"]
        assert [each.name for each in model.graph.output] == ["logits"]

    def test_its_metadata_are_enough_to_use_it(self, file, bundled):
        path, precision = file
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        said = session.get_modelmeta().custom_metadata_map
        assert said["precision"] == precision
        preprocess, faces = json.loads(said["preprocess"]), grey_faces(8)
        crops = (faces / 255 - preprocess["mean"][0]) / preprocess["std"][0]
        shares = []
        for view in (crops, crops[..., ::-1]):
            logits = session.run(["logits"], {"crops": view.astype(np.float32)})[0] / float(said["temperature"])
            shares.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
        assert said["views"] == '"flip"'
        weighed = np.mean(shares, axis=0) * np.exp(json.loads(said["logit_bias"]))
        answer = weighed / weighed.sum(axis=1, keepdims=True)
        own = bundled.with_backend("onnxruntime", precision)
        expected = own.probabilities(own.preprocess.batch(torch.from_numpy(faces))).numpy()
        np.testing.assert_allclose(answer, expected, atol=1e-5)
        assert tuple(json.loads(said["labels"])) == bundled.labels

    def test_it_says_of_which_weights_it_is_made(self, file, bundled):
        said = {each.key: each.value for each in onnx.load(file[0]).metadata_props}
        weights = (bundled.folder / "model.safetensors").read_bytes()
        assert said["weights_sha256"] == hashlib.sha256(weights).hexdigest()

    def test_one_that_cannot_be_written_leaves_nothing(self, bundled, tmp_path):
        (tmp_path / "model.onnx").mkdir()
        with pytest.raises(CheckpointError, match=r"model\.onnx cannot be written"):
            export_onnx(bundled, tmp_path / "model.onnx")
        assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]

    def test_8_bits_without_ranges_are_refused(self, tmp_path):
        model = load_model(bundled_folder())
        model = replace(model, info=replace(model.info, int8=None))
        with pytest.raises(BackendError, match="no ranges for int8"):
            export_onnx(model, tmp_path / "model.onnx", "int8")
        assert list(tmp_path.iterdir()) == []


class TestPrecision:
    def test_ranges_of_other_weights_are_refused(self, bundled, model_folder, tmp_path):
        folder = shutil.copytree(bundled.folder, tmp_path / "model")
        write_info(folder, bundled.info)
        assert load_model(folder, backend="auto", precision="int8").precision == "int8"
        weights = load_model(folder).module
        with torch.no_grad():
            weights.get_parameter("fc4.bias").add_(0.1)
        save_model(folder, weights, bundled.info)
        with pytest.raises(BackendError, match=r"model are of other weights: python -m resemotenet calibrate"):
            load_model(folder, backend="auto", precision="int8")

    def test_is_what_was_asked_for(self, bundled):
        int8 = bundled.with_backend("auto", "int8")
        assert (int8.backend, int8.precision) == ("onnxruntime", "int8")
        assert int8.with_backend("onnxruntime", "int8") is int8
        assert (int8.with_backend("onnxruntime").precision, int8.with_backend("torch").precision) == ("exact", "exact")

    def test_int8_with_torch_is_an_error(self, bundled):
        with pytest.raises(BackendError, match="precision 'int8' is for backend 'onnxruntime'"):
            bundled.with_backend("torch", "int8")

    def test_an_unknown_one_is_an_error(self, bundled):
        with pytest.raises(BackendError, match="no precision is called 'half'; expected one of exact, int8"):
            bundled.with_backend("auto", "half")

    def test_stays_in_config_json(self, bundled, model_folder, tmp_path):
        folder = shutil.copytree(model_folder, tmp_path / "model")
        model = load_model(folder)
        assert "int8" not in json.loads((folder / "config.json").read_text())
        write_info(folder, calibrated(model, grey_faces(8), {"dataset": "two photographs"}))
        again = load_model(folder, backend="auto", precision="int8")
        assert again.precision == "int8"
        assert isinstance(again.info.int8, Int8)

    def test_info_of_another_network_is_not_written(self, bundled, model_folder):
        with pytest.raises(CheckpointMismatchError, match="not resemotenet"):
            write_info(model_folder, bundled.info)

    def test_a_range_upside_down_is_refused(self, bundled, tmp_path):
        folder = shutil.copytree(bundled_folder(), tmp_path / "model")
        values = bundled.info.to_dict()
        values["int8"]["ranges"]["relu_1"] = [1.0, -1.0]
        (folder / "config.json").write_text(json.dumps(values))
        with pytest.raises(CheckpointFormatError, match=r"relu_1.*from its lowest value to its highest"):
            load_model(folder)
