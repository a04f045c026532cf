"""The gradient as a graph: what torch's automatic one gives, and in a file without weights of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from resemotenet import LoadedModel, load_model
from resemotenet.checkpoints.export import model_graph
from resemotenet.checkpoints.gradient import EMOTION, evidence_file, evidence_graph
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import BackendError
from resemotenet.models import create_model, model_entry
from resemotenet.reading.explain import explain
from resemotenet.runs.schema import ModelInfo, Preprocessing


def looks(size: int = 48) -> list[np.ndarray]:
    """Grey squares with some structure: of noise, most emotions have no evidence at all."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 6)).astype(np.uint8)
    return list(np.kron(noise, np.ones((size // 6, size // 6), np.uint8)))


def asked(model: LoadedModel, label: str) -> dict[str, np.ndarray]:
    crops = model.preprocess(looks(model.preprocess.size)).numpy()
    emotion = np.zeros((len(crops), len(model.labels)), np.float32)
    emotion[:, model.labels.index(label)] = 1
    return {"crops": crops, EMOTION: emotion}


def run(content: "bytes | Path", asked: dict[str, np.ndarray]) -> np.ndarray:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, asked)[0]


def exact(model: LoadedModel) -> bytes:
    proto = evidence_graph(model).to_onnx()
    proto.graph.input.append(onnx.helper.make_tensor_value_info(EMOTION, 1, ["N", len(model.labels)]))
    return proto.SerializeToString()


def evidence(model: LoadedModel, label: str) -> np.ndarray:
    one_view = replace(model, info=replace(model.info, views="none"))
    return np.stack([each.evidence for each in explain(one_view, looks(model.preprocess.size), label)])


@pytest.mark.parametrize("label", ["happy", "sad"])
def test_with_exact_weights_it_is_the_one_of_torch(label: str):
    model = load_model(bundled_folder())
    expected = evidence(model, label)
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(run(exact(model), asked(model, label)), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["resemotenet", "resemotenet_c2", "resemotenet_c4"])
def test_other_networks_have_one_too(name: str, randomize):
    module = randomize(create_model(name, width=1 / 16)).eval()
    entry = model_entry(name)
    preprocess = Preprocessing(entry.default_size, 3, (0.5,) * 3, (0.25,) * 3)
    info = ModelInfo(name, {}, EMOTIONS, preprocess, explain_layer=entry.explain_layer)
    model = LoadedModel(module, info, Path("nowhere"))
    if name == "resemotenet_c4":
        assert evidence(model, "fear").shape[-1] > 16, "its maps are larger, and so is the last one"
    expected = evidence(model, "fear")
    np.testing.assert_allclose(run(exact(model), asked(model, "fear")), expected, atol=1e-4 * np.abs(expected).max())


def test_the_file_takes_its_weights_from_the_networks(tmp_path: Path):
    model = load_model(bundled_folder())
    network = model_graph(model, "int8").to_onnx().SerializeToString()
    content = evidence_file(model, network, "network.onnx").SerializeToString()
    assert len(content) < 50_000 < len(network)
    (tmp_path / "network.onnx").write_bytes(network)
    (tmp_path / "explain.onnx").write_bytes(content)
    expected = evidence(model, "happy")
    rough = run(tmp_path / "explain.onnx", asked(model, "happy"))
    assert np.corrcoef(rough.ravel(), expected.ravel())[0, 1] > 0.99
    assert np.abs(rough - expected).max() > 1e-4, "the weights are those in 8 bits"


def test_a_network_without_a_rule_is_refused(randomize):
    module = randomize(create_model("plain_cnn", width=1 / 8)).eval()
    preprocess = Preprocessing(model_entry("plain_cnn").default_size, 3, (0.5,) * 3, (0.25,) * 3)
    info = ModelInfo("plain_cnn", {}, EMOTIONS, preprocess, explain_layer=None)
    with pytest.raises(BackendError, match="names no layer"):
        evidence_graph(LoadedModel(module, info, Path("nowhere")))
    layer = model_entry("plain_cnn").explain_layer
    with pytest.raises(BackendError, match="no rule for the gradient of MaxPool"):
        evidence_graph(LoadedModel(module, replace(info, explain_layer=layer), Path("nowhere")))


def test_the_model_itself_is_left_alone():
    model = load_model(bundled_folder())
    evidence_graph(model)
    assert not any(module._forward_hooks for module in model.module.modules())
    assert all(torch.equal(one, two) for one, two in zip(
        model.module.state_dict().values(), load_model(bundled_folder()).module.state_dict().values(), strict=True
    ))  # fmt: skip
