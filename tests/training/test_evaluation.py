"""From a model to figures: every figure again, by scikit-learn or by hand, from the predictions that were written."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model
from resemotenet.datasets import FER2013, FaceSet, read_fer2013
from resemotenet.emotions import EMOTIONS, UPSTREAM_ORDER
from resemotenet.errors import ResultsError
from resemotenet.runs.results import Predictions, ResultsFolder, read_json
from resemotenet.runs.schema import Result, RunConfig
from training.evaluation import evaluate_run, load_chosen, marked, predict, predict_all, record
from training.loading import Data, load_data
from training.processes import join_processes


@pytest.fixture(scope="module")
def data(data_path: Path) -> FER2013:
    return read_fer2013(data_path)


@pytest.fixture(scope="module")
def model(model_folder: Path, data: FER2013) -> LoadedModel:
    """Random weights, but statistics of these very faces and a loud last layer: every face gets its own answer."""
    model = load_model(model_folder)
    faces = model.preprocess.batch(torch.from_numpy(data.split("train").images))
    for layer in model.module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
            layer.train()
    with torch.no_grad():
        model.module(faces)
        model.module.get_parameter("fc4.weight").mul_(100)
    model.module.eval()
    return model


@pytest.fixture
def loaded(config: RunConfig) -> Data:
    return load_data(config)


def evaluate(folder: ResultsFolder, loaded: Data, split: str) -> dict[str, Any]:
    return evaluate_run(folder, loaded.scored, split, loaded.leaked[split]).to_dict()


class TestPredict:
    def test_the_same_as_reading_one_face_after_the_other(self, model: LoadedModel, data: FER2013):
        faces = data.split("test")
        predictions = predict(model, faces)
        one_by_one = [model.probabilities(model.preprocess([image[0]])) for image in faces.images]
        np.testing.assert_allclose(predictions.probabilities, torch.cat(one_by_one), atol=1e-4)
        np.testing.assert_array_equal(predictions.targets, faces.targets)
        np.testing.assert_array_equal(predictions.ids, faces.ids)
        assert len(set(predictions.probabilities.argmax(axis=1))) > 1  # faces do get different answers
        assert np.ptp(predictions.probabilities, axis=0).max() > 0.5

    def test_columns_are_canonical_whatever_the_order_of_the_model(self, model: LoadedModel, data: FER2013):
        other = LoadedModel(model.module, replace(model.info, labels=UPSTREAM_ORDER), model.folder)
        first, second = (predict(each, data.split("test")).probabilities for each in (model, other))
        # The model's output 0 is the first column under its own labels and "happy" under upstream's.
        for output, emotion in enumerate(UPSTREAM_ORDER):
            np.testing.assert_array_equal(second[:, EMOTIONS.index(emotion)], first[:, output])

    def test_a_model_of_other_classes(self, model: LoadedModel, data: FER2013):
        labels = (*EMOTIONS[:-1], "contempt")
        other = LoadedModel(model.module, replace(model.info, labels=labels), model.folder)
        with pytest.raises(ResultsError, match=r"the model answers .*'contempt'"):
            predict(other, data.split("test"))

    def test_several_definitions_from_one_reading(self, model: LoadedModel, data: FER2013):
        definitions = {name: data.split("test", name) for name in ("ferplus-strict", "fer2013")}
        together = predict_all(model, definitions)
        assert list(together) == ["ferplus-strict", "fer2013"]
        for name, faces in definitions.items():
            alone = predict(model, faces)
            np.testing.assert_allclose(together[name].probabilities, alone.probabilities, atol=1e-4)
            np.testing.assert_array_equal(together[name].targets, faces.targets)
            np.testing.assert_array_equal(together[name].ids, faces.ids)

    def test_definitions_may_list_faces_in_another_order(self, model: LoadedModel, data: FER2013):
        faces = data.split("test")
        turned = FaceSet(
            "turned", "test", faces.images[::-1], faces.targets[::-1], faces.distribution[::-1], faces.ids[::-1]
        )
        both = predict_all(model, {"fer2013": faces, "turned": turned})
        np.testing.assert_array_equal(both["turned"].probabilities, both["fer2013"].probabilities[::-1])

    def test_float32_is_not_rounded_to_tf32_and_the_switches_are_put_back(self, model: LoadedModel, data: FER2013):
        switches = (torch.backends.cudnn, torch.backends.cuda.matmul)
        seen: list[bool] = []
        hook = model.module.register_forward_hook(lambda *_: seen.extend(each.allow_tf32 for each in switches))
        before = [each.allow_tf32 for each in switches]
        try:
            predict(model, data.split("test"))
        finally:
            hook.remove()
        assert seen
        assert not any(seen)
        assert [each.allow_tf32 for each in switches] == before
        assert before[0]  # cuDNN would round


class TestRecord:
    def predictions(self, hits: str) -> Predictions:
        """One face a letter: y is read right and n wrong, with probability 0.7."""
        targets = np.arange(len(hits)) % 7
        said = np.where([hit == "y" for hit in hits], targets, (targets + 1) % 7)
        probabilities = np.full((len(hits), 7), 0.05, np.float32)
        probabilities[np.arange(len(hits)), said] = 0.7
        return Predictions(probabilities, targets.astype(np.int64), np.array([f"f{row}" for row in range(len(hits))]))

    def recorded(self, leaked: set[str] | None) -> dict[str, Any]:
        result = Result(protocol="", splits={}, also={})
        both = {"ferplus-strict": self.predictions("yyyn"), "fer2013": self.predictions("yyn")}
        record(result, "validation", marked(both, leaked), {"views": "flip"})
        return result.to_dict()

    def test_the_first_definition_leads(self):
        result = self.recorded(None)
        entry = result["splits"]["validation"]
        assert (entry["labels"], entry["n"], entry["accuracy"], entry["views"]) == ("ferplus-strict", 4, 0.75, "flip")
        assert result["also"]["fer2013"]["validation"]["accuracy"] == pytest.approx(2 / 3)
        assert "without_leaks" not in entry

    def test_without_leaks(self):
        result = self.recorded({"f0", "f1", "elsewhere"})
        assert result["splits"]["validation"]["without_leaks"] == {"n": 2, "accuracy": 0.5}
        assert result["also"]["fer2013"]["validation"]["without_leaks"] == {"n": 1, "accuracy": 0.0}

    def test_no_accuracy_of_no_faces(self):
        result = self.recorded({"f0", "f1", "f2"})
        assert result["splits"]["validation"]["without_leaks"] == {"n": 1, "accuracy": 0.0}
        assert "without_leaks" not in result["also"]["fer2013"]["validation"]


class TestEvaluateRun:
    def test_figures_are_those_of_the_predictions_written(self, finished: ResultsFolder, loaded: Data):
        result = evaluate(finished, loaded, "test")
        assert result == read_json(finished.result)
        for split in ("validation", "test"):
            entries = {"ferplus-strict": result["splits"][split]}
            assert entries["ferplus-strict"]["labels"] == "ferplus-strict"
            entries |= {name: splits[split] for name, splits in result["also"].items()}
            assert list(entries) == ["ferplus-strict", "ferplus-usual", "fer2013"]
            for name, entry in entries.items():
                with np.load(finished.predictions(name, split)) as arrays:
                    probabilities, targets, ids = arrays["probabilities"], arrays["targets"], arrays["ids"]
                    assert ids[arrays["leaked"]].tolist() == ["00084" if split == "validation" else "00120"]
                said = probabilities.argmax(axis=1)
                assert entry["n"] == len(targets) == len(loaded.scored[split][name])
                assert entry["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(targets, said))
                assert entry["macro_recall"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(targets, said))
                assert entry["nll"] == pytest.approx(
                    -np.log(probabilities[np.arange(len(targets)), targets].astype(float)).mean()
                )
                f1 = sklearn_metrics.f1_score(targets, said, average="macro", zero_division=0)
                assert entry["macro_f1"] == pytest.approx(f1)
                clean = [id_ not in ("00084", "00120") for id_ in ids]
                assert entry["without_leaks"] == {
                    "n": len(ids) - 1,
                    "accuracy": pytest.approx(sklearn_metrics.accuracy_score(targets[clean], said[clean])),
                }

    def test_each_touch_of_test_is_counted_and_gives_the_same_bytes(self, finished: ResultsFolder, loaded: Data):
        written = []
        for touch in (1, 2):
            result = evaluate(finished, loaded, "test")
            assert result["splits"]["test"]["touched"] == touch
            files = sorted((finished.path / "predictions").glob("*-test.npz"))
            assert [path.name for path in files] == [
                "fer2013-test.npz",
                "ferplus-strict-test.npz",
                "ferplus-usual-test.npz",
            ]
            written.append([path.read_bytes() for path in files])
        assert written[0] == written[1]

    def test_validation_again_changes_nothing(self, finished: ResultsFolder, loaded: Data):
        evaluate(finished, loaded, "test")
        before = finished.result.read_bytes()
        predictions = {path: path.read_bytes() for path in (finished.path / "predictions").iterdir()}
        evaluate(finished, loaded, "validation")
        assert finished.result.read_bytes() == before
        assert {path: path.read_bytes() for path in (finished.path / "predictions").iterdir()} == predictions
        assert "touched" not in read_json(finished.result)["splits"]["validation"]

    def test_a_run_on_the_cpu_is_scored_there(self, finished: ResultsFolder, monkeypatch: pytest.MonkeyPatch):
        """Even where there is a GPU; here there is only said to be one."""
        monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
        assert load_chosen(finished).device.type == "cpu"
        assert join_processes()._cpu

    def test_a_run_that_is_not_finished(self, finished: ResultsFolder, loaded: Data):
        finished.result.unlink()
        with pytest.raises(ResultsError, match="not finished; resume it first"):
            evaluate(finished, loaded, "test")
        assert not list((finished.path / "predictions").glob("*-test.npz"))
