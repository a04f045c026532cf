"""Every figure a page shows follows from the stored predictions, and from nothing else."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, recall_score

from dashboard import data
from dashboard.data import PUBLISHED, scan
from resemotenet.errors import ResultsError
from resemotenet.runs import metrics
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from tests.dashboard import fake_runs
from tests.dashboard.fake_runs import draw_predictions, write_run


def only(results: Path) -> data.Run:
    (run,) = scan([results])
    return run


def recomputed(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float | list[float]]:
    """The figures of a split, without this project's code."""
    guesses = probabilities.argmax(axis=1)
    hits, n = int((guesses == targets).sum()), len(targets)
    wilson = binomtest(hits, n).proportion_ci(method="wilson")
    return {
        "n": n,
        "accuracy": accuracy_score(targets, guesses),
        "interval": [wilson.low, wilson.high],
        "macro_recall": recall_score(targets, guesses, average="macro"),
        "macro_f1": f1_score(targets, guesses, average="macro"),
        "nll": log_loss(targets, probabilities / probabilities.sum(axis=1, keepdims=True), labels=range(7)),
    }


class TestScores:
    def test_every_figure_is_computed_from_the_predictions_not_read(self, results: Path):
        path = write_run(results, labels="ferplus")
        result = read_json(path / "result.json")
        result["splits"]["test"]["accuracy"] = 0.99
        write_json(path / "result.json", result)
        found = {(score.labels, score.split): score for score in data.scores(only(results))}
        assert set(found) == {
            (labels, split)
            for labels in ("ferplus-strict", "ferplus-usual", "fer2013")
            for split in ("validation", "test")
        }
        for (labels, split), score in found.items():
            stored = Predictions.load(ResultsFolder(path).predictions(labels, split))
            expected = metrics.summary(stored.probabilities, stored.targets)
            assert {name: getattr(score, name) for name in expected} == {
                **expected,
                "interval": tuple(expected["interval"]),
            }
            assert score.dataset == "fer2013"

    @pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*/")), ids=lambda path: path.name)
    def test_the_published_runs_again(self, path: Path):
        """Each figure once more from the file, with scikit-learn and scipy; and that is what result.json says too."""
        run = only(path)
        assert (run.state, run.problem, run.published) == ("finished", None, True)
        result = read_json(path / "result.json")
        for score in data.scores(run):
            with np.load(path / "predictions" / f"{score.labels}-{score.split}.npz") as file:
                stored = {name: file[name] for name in file.files}
            expected = recomputed(stored["probabilities"].astype(np.float64), stored["targets"])
            primary = result["splits"][score.split]
            entry = primary if primary["labels"] == score.labels else result["also"][score.labels][score.split]
            for name, value in expected.items():
                assert getattr(score, name) == pytest.approx(value, abs=1e-5), (score.labels, score.split, name)
                assert entry[name] == pytest.approx(value, abs=1e-5), (score.labels, score.split, name)
            guesses = stored["probabilities"].argmax(axis=1)
            table = data.predictions(run, score.labels, score.split).confusion
            assert (table == confusion_matrix(stored["targets"], guesses, labels=range(7))).all()
            if (leaked := stored.get("leaked")) is not None and leaked.any():
                clean = ~leaked.astype(bool)
                assert score.without_leaks is not None
                assert score.leaked == leaked.sum()
                assert score.without_leaks.n == clean.sum()
                accuracy = accuracy_score(stored["targets"][clean], guesses[clean])
                assert score.without_leaks.accuracy == pytest.approx(accuracy)
                assert entry["without_leaks"]["accuracy"] == pytest.approx(accuracy)

    def test_without_the_images_that_leaked(self, results: Path):
        path = write_run(results)
        file = ResultsFolder(path).predictions("fer2013", "test")
        stored = Predictions.load(file)
        right = stored.probabilities.argmax(axis=1) == stored.targets
        replace(stored, leaked=right).save(file)  # all that was read right had a copy in train
        (score,) = (score for score in data.scores(only(results)) if score.split == "test")
        assert score.leaked == right.sum()
        assert score.without_leaks is not None
        assert (score.without_leaks.n, score.without_leaks.accuracy) == ((~right).sum(), 0.0)
        for unknown in (None, np.zeros(len(right), bool)):
            replace(stored, leaked=unknown).save(file)
            (score,) = (score for score in data.scores(only(results)) if score.split == "test")
            assert (score.without_leaks, score.leaked) == (None, None if unknown is None else 0)

    def test_another_data_set_is_known_by_the_name_of_the_file(self, results: Path):
        path = write_run(results)
        for labels in ("raf-db", "ckplus-peak", "my-own-set"):
            draw_predictions(labels, "test").save(ResultsFolder(path).predictions(labels, "test"))
        found = {score.labels: score.dataset for score in data.scores(only(results)) if score.split == "test"}
        assert found == {"fer2013": "fer2013", "raf-db": "raf-db", "ckplus-peak": "ckplus", "my-own-set": "my-own-set"}
        assert data.label_set("my-own-set").name == "my-own-set"

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive"])
    def test_a_damaged_file_is_told_and_the_others_count(self, results: Path, content: bytes):
        path = write_run(results)
        (path / "predictions" / "fer2013-test.npz").write_bytes(content)
        run = only(results)
        assert [score.split for score in data.scores(run)] == ["validation"]
        assert data.prediction_problems(run) == (
            "predictions/fer2013-test.npz is damaged; copy it again, or make it with 'python -m training evaluate'.",
        )
        with pytest.raises(ResultsError, match="holds no predictions"):
            data.predictions(run, "fer2013", "test")

    def test_probabilities_that_are_none(self, results: Path):
        path = write_run(results)
        file = ResultsFolder(path).predictions("fer2013", "test")
        stored = Predictions.load(file)
        replace(stored, probabilities=stored.probabilities * 2).save(file)
        (problem,) = data.prediction_problems(only(results))
        assert problem.startswith("predictions/fer2013-test.npz cannot be scored: probabilities must be >= 0 and sum")

    def test_a_file_that_changes_is_scored_again(self, results: Path):
        path = write_run(results, test=False)
        before = data.scores(only(results))[0].accuracy
        better = draw_predictions("fer2013", "validation", skill=3.0)
        better.save(ResultsFolder(path).predictions("fer2013", "validation"))
        after = data.scores(only(results))[0].accuracy
        assert after > before + 0.2
        loaded = data.predictions(only(results), "fer2013", "validation")
        np.testing.assert_array_equal(loaded.probabilities, better.probabilities)

    def test_unchanged_files_are_opened_once(self, results: Path, monkeypatch):
        write_run(results)
        first = data.scores(only(results))
        opened = []
        monkeypatch.setattr(Predictions, "load", lambda path: opened.append(path))
        assert [score.accuracy for score in data.scores(only(results))] == [score.accuracy for score in first]
        assert opened == []

    def test_a_newer_schema_has_no_figures(self, results: Path):
        fake_runs.write_newer(results)
        run = only(results)
        assert data.scores(run) == ()
        assert not data.has_predictions(run, "fer2013", "test")

    def test_names_that_say_no_split_are_passed_over(self, results: Path):
        path = write_run(results)
        for name in ("fer2013", "fer2013-extra", "-test", ".fer2013-test.npz.new"):
            shutil.copy(path / "predictions" / "fer2013-test.npz", path / "predictions" / f"{name}.npz")
        assert [(score.labels, score.split) for score in data.scores(only(results))] == [
            ("fer2013", "test"), ("fer2013", "validation")
        ]  # fmt: skip


class TestPaired:
    def test_face_by_face(self, results: Path):
        write_run(results, seed=0, skill=0.8)
        write_run(results, seed=1, skill=1.6)
        b, a = sorted(scan([results]), key=lambda run: run.seed or 0, reverse=True)
        pair = data.paired(a, b, "fer2013", "test")
        first, second = (data.predictions(run, "fer2013", "test") for run in (a, b))
        right = [each.probabilities.argmax(axis=1) == each.targets for each in (first, second)]
        assert pair.n == 200
        assert (pair.only_a, pair.only_b) == ((right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum())
        assert pair.difference == pytest.approx(right[1].mean() - right[0].mean())
        assert pair.interval[0] < pair.difference < pair.interval[1]
        assert pair.p_value == metrics.mcnemar(pair.only_a, pair.only_b)

    def test_other_faces_or_other_labels_are_refused(self, results: Path):
        write_run(results, seed=0)
        path = write_run(results, seed=1)
        file = ResultsFolder(path).predictions("fer2013", "test")
        stored = Predictions.load(file)
        runs = {run.seed: run for run in scan([results])}
        replace(stored, ids=np.char.add("x", stored.ids)).save(file)
        with pytest.raises(ResultsError, match="share no face of test"):
            data.paired(runs[0], runs[1], "fer2013", "test")
        replace(stored, targets=(stored.targets + 1) % 7).save(file)
        with pytest.raises(ResultsError, match="disagree on what is right: 200 of 200 faces"):
            data.paired(runs[0], runs[1], "fer2013", "test")


class TestCalibrated:
    def overconfident(self, results: Path, *, test: bool) -> data.Run:
        """Its log probabilities are four times what they should be."""
        path = write_run(results, test=test, n=1500)
        for split in ("validation", "test") if test else ("validation",):
            file = ResultsFolder(path).predictions("fer2013", split)
            stored = Predictions.load(file)
            sharp = np.exp(4 * np.log(stored.probabilities))
            replace(stored, probabilities=(sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32)).save(file)
        return only(results)

    def test_fitted_on_validation_shown_on_test(self, results: Path):
        run = self.overconfident(results, test=True)
        found = data.calibrated(run, "fer2013", "test")
        assert found.fitted_on == "validation"
        assert found.temperature > 1.5
        assert found.ece[1] < 0.4 * found.ece[0]
        assert found.nll[1] < found.nll[0]
        np.testing.assert_array_equal(
            found.before.probabilities.argmax(axis=1), found.after.probabilities.argmax(axis=1)
        )
        # Test has no say: other labels there leave the temperature as it is.
        file = ResultsFolder(run.path).predictions("fer2013", "test")
        stored = Predictions.load(file)
        replace(stored, targets=(stored.targets + 1) % 7).save(file)
        assert data.calibrated(run, "fer2013", "test").temperature == found.temperature

    def test_without_test_no_face_has_a_say_in_its_own_temperature(self, results: Path):
        run = self.overconfident(results, test=False)
        found = data.calibrated(run, "fer2013", "validation")
        assert found.fitted_on == "folds"
        assert found.temperature > 1.5
        assert found.ece[1] < 0.5 * found.ece[0]
        # Turning one face's label round must leave that face as it was, and only the faces of its own fifth.
        file = ResultsFolder(run.path).predictions("fer2013", "validation")
        stored = Predictions.load(file)
        targets = stored.targets.copy()
        targets[0] = stored.probabilities[0].argmin()
        replace(stored, targets=targets).save(file)
        again = data.calibrated(run, "fer2013", "validation")
        same = (again.after.probabilities == found.after.probabilities).all(axis=1)
        assert same[0]
        assert same.sum() == 300

    def test_labels_without_validation_predictions_are_cross_fitted(self, results: Path):
        path = write_run(results)
        draw_predictions("raf-db", "test").save(ResultsFolder(path).predictions("raf-db", "test"))
        assert data.calibrated(only(results), "raf-db", "test").fitted_on == "folds"
