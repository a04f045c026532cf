"""The results folder survives being killed at any moment, and says so where something does not fit."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from resemotenet.runs.results import Predictions, ResultsFolder, flatten, read_json, replacing, write_json

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(7), size=5).astype(np.float32)
    leaked = np.array([False, True, False, False, True])
    return Predictions(probabilities, np.arange(5), np.array([f"{row:05d}" for row in range(5)]), leaked)


class TestWhatPredictionsSay:
    """Five faces: angry read right, disgust and sad read as happy, fear and surprise read right."""

    @pytest.fixture
    def five(self) -> Predictions:
        guesses = [0, 3, 2, 3, 6]
        probabilities = np.full((5, 7), 0.05, np.float32)
        probabilities[range(5), guesses] = 0.7
        leaked = np.array([True, False, False, False, True])
        return Predictions(probabilities, np.array([0, 1, 2, 5, 6]), np.array(list("abcde")), leaked)

    def test_guesses_and_confusion(self, five: Predictions):
        assert five.n == 5
        assert five.guesses.tolist() == [0, 3, 2, 3, 6]
        assert five.correct.tolist() == [True, False, True, False, True]
        cells = {(row, column): int(five.confusion[row, column]) for row, column in np.argwhere(five.confusion)}
        assert cells == {(0, 0): 1, (1, 3): 1, (2, 2): 1, (5, 3): 1, (6, 6): 1}

    def test_of_equals_the_first_is_the_guess(self):
        tie = np.array([[0, 0.5, 0, 0.5, 0, 0, 0]], np.float32)
        assert Predictions(tie, np.array([3]), np.array(["a"])).guesses.tolist() == [1]

    def test_figures_with_and_without_copies(self, five: Predictions):
        figures = five.figures()
        assert (figures["n"], figures["accuracy"]) == (5, 0.6)
        assert figures["without_leaks"] == {"n": 3, "accuracy": pytest.approx(1 / 3)}
        assert five.without_leaks is not None
        assert five.without_leaks.ids.tolist() == ["b", "c", "d"]

    @pytest.mark.parametrize("leaked", [None, np.zeros(5, bool), np.ones(5, bool)])
    def test_where_there_is_nothing_to_leave_out_or_nothing_left(self, five: Predictions, leaked):
        other = replace(five, leaked=leaked)
        assert other.without_leaks is None
        assert "without_leaks" not in other.figures()

    def test_what_was_computed_is_not_stored(self, five: Predictions, tmp_path: Path):
        five.save(tmp_path / "before.npz")
        assert five.confusion.sum() == five.correct.size == 5
        five.save(tmp_path / "after.npz")
        assert (tmp_path / "before.npz").read_bytes() == (tmp_path / "after.npz").read_bytes()


class TestReplacing:
    def test_the_new_content_takes_the_place_of_the_old(self, tmp_path: Path):
        path = tmp_path / "a.json"
        path.write_text("old")
        with replacing(path) as fresh:
            fresh.write_text("new")
            written = fresh.stat().st_ino
            assert path.read_text() == "old"
        assert path.read_text() == "new"
        assert path.stat().st_ino == written  # renamed, which is one step; a copy would be seen half done
        assert list(tmp_path.iterdir()) == [path]

    def test_an_error_leaves_the_old_and_nothing_else(self, tmp_path: Path):
        path = tmp_path / "a.json"
        path.write_text("old")

        def fail() -> None:
            with replacing(path) as fresh:
                fresh.write_text("ne")
                raise RuntimeError("no space")

        with pytest.raises(RuntimeError, match="no space"):
            fail()
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
    def test_killed_in_between(self, tmp_path: Path):
        path = tmp_path / "a.json"
        write_json(path, {"state": "old"})
        code = (
            "import os, signal, sys, pathlib\n"
            "from resemotenet.runs.results import replacing\n"
            "with replacing(pathlib.Path(sys.argv[1])) as fresh:\n"
            '    fresh.write_text(\'{"state": "ne\')\n'
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(os.listdir(tmp_path)) == 2  # the leftover
        assert read_json(path) == {"state": "old"}
        write_json(path, {"state": "new"})
        assert read_json(path) == {"state": "new"}
        assert os.listdir(tmp_path) == ["a.json"]


class TestJson:
    def test_round_trip(self, tmp_path: Path):
        value = {"a": [1, 0.1, None, True, "é"], "b": {}}
        write_json(tmp_path / "a.json", value)
        assert read_json(tmp_path / "a.json") == value
        assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_only_finite_numbers(self, tmp_path: Path, value: float):
        write_json(tmp_path / "a.json", 1)
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "a.json", {"accuracy": value})
        assert read_json(tmp_path / "a.json") == 1

    @pytest.mark.parametrize("content", [b"{", b"", b"\xff\xff"])
    def test_damaged(self, tmp_path: Path, content: bytes):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(ResultsError, match=r"a\.json cannot be read"):
            read_json(tmp_path / "a.json")

    def test_missing(self, tmp_path: Path):
        with pytest.raises(ResultsError, match=r"gone\.json cannot be read: .*No such file"):
            read_json(tmp_path / "gone.json")


def test_flattened_names_are_joined():
    nested = {"seed": 0, "network": {"width": 0.5, "more": {"deep": [1, {"in": "a list"}]}}, "empty": {}}
    flat = {"seed": 0, "network.width": 0.5, "network.more.deep": [1, {"in": "a list"}]}
    assert flatten(nested) == flat
    assert flatten(nested, "/") == {name.replace(".", "/"): value for name, value in flat.items()}


class TestEpochs:
    @pytest.mark.parametrize(
        ("content", "epochs"),
        [
            ("", []),
            ('{"epoch": 0}\n{"epoch": 1}\n', [0, 1]),
            ('{"epoch": 0}\n{"epoch": 1, "lo', [0]),
            # Valid JSON, but the rest of the number may be missing.
            ('{"epoch": 0}\n{"epoch": 1}', [0]),
        ],
    )
    def test_a_last_line_cut_off_is_not_one(self, tmp_path: Path, content: str, epochs: list[int]):
        folder = ResultsFolder(tmp_path)
        folder.epochs.write_text(content)
        assert [line.epoch for line in folder.read_epochs()] == epochs

    def test_none_yet(self, tmp_path: Path):
        assert ResultsFolder(tmp_path).read_epochs() == []

    def test_damaged_in_the_middle(self, tmp_path: Path):
        folder = ResultsFolder(tmp_path)
        folder.epochs.write_text('{"epoch": 0}\n{"epo\n{"epoch": 2}\n')
        with pytest.raises(ResultsError, match=r"epochs\.jsonl, line 2, is damaged"):
            folder.read_epochs()


class TestFinished:
    def test_result_json_decides(self, tmp_path: Path):
        folder = ResultsFolder(tmp_path)
        assert not folder.is_finished
        with pytest.raises(ResultsError, match=r"no result\.json, so the run is not finished; resume it first"):
            folder.check_finished()
        write_json(folder.result, {})
        assert folder.is_finished
        folder.check_finished()


class TestPredictions:
    def test_round_trip(self, tmp_path: Path, predictions: Predictions):
        path = ResultsFolder(tmp_path).predictions("ferplus-strict", "test")
        predictions.save(path)
        assert path == tmp_path / "predictions" / "ferplus-strict-test.npz"
        read = Predictions.load(path)
        for name in ("probabilities", "targets", "ids", "leaked"):
            np.testing.assert_array_equal(getattr(read, name), getattr(predictions, name))
            assert getattr(read, name).dtype == getattr(predictions, name).dtype

    def test_the_file_can_be_read_without_us(self, tmp_path: Path, predictions: Predictions):
        predictions.save(tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as arrays:
            assert sorted(arrays) == ["ids", "labels", "leaked", "probabilities", "targets"]
            assert arrays["labels"].tolist() == ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"]

    def test_same_predictions_same_bytes(self, tmp_path: Path, predictions: Predictions):
        predictions.save(tmp_path / "a.npz")
        predictions.save(tmp_path / "b.npz")
        assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()

    @pytest.mark.parametrize(
        ("name", "array", "message"),
        [
            ("probabilities", np.zeros((5, 6), np.float32), r"probabilities \(5, 6\)"),
            ("probabilities", np.zeros((4, 7), np.float32), r"probabilities \(4, 7\)"),
            ("targets", np.arange(4), r"targets \(4,\)"),
            ("targets", np.zeros((5, 1), np.int64), r"targets \(5, 1\)"),
            ("ids", np.array(["1"]), r"ids \(1,\)"),
            ("probabilities", np.zeros((5, 7)), "probabilities float64"),
            ("targets", np.zeros(5), "targets float64"),
            ("ids", np.arange(5), "ids int64"),
            ("leaked", np.zeros(4, bool), r"leaked is bool of shape \(4,\)"),
            ("leaked", np.zeros(5), "leaked is float64"),
        ],
    )
    def test_arrays_that_do_not_fit(self, predictions: Predictions, name: str, array: np.ndarray, message: str):
        with pytest.raises(ResultsError, match=message):
            Predictions(**{**vars(predictions), name: array})

    def test_files_of_before_do_not_say_what_leaked(self, tmp_path: Path, predictions: Predictions):
        before = replace(predictions, leaked=None)
        before.save(tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz") as arrays:
            assert sorted(arrays) == ["ids", "labels", "probabilities", "targets"]
        assert Predictions.load(tmp_path / "a.npz").leaked is None

    def test_another_order_of_columns(self, tmp_path: Path, predictions: Predictions):
        np.savez(tmp_path / "a.npz", **vars(predictions), labels=np.array(EMOTIONS[::-1]))
        with pytest.raises(ResultsError, match=r"has the columns \('surprise', .* expected \('angry'"):
            Predictions.load(tmp_path / "a.npz")

    def test_an_array_is_missing(self, tmp_path: Path):
        np.savez(tmp_path / "a.npz", labels=np.array(EMOTIONS))
        with pytest.raises(ResultsError, match=r"holds no predictions: .*probabilities"):
            Predictions.load(tmp_path / "a.npz")

    @pytest.mark.parametrize("kept", [0, 1, 100, 600, -1])
    def test_cut_off(self, tmp_path: Path, predictions: Predictions, kept: int):
        predictions.save(tmp_path / "a.npz")
        (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:kept])
        with pytest.raises(ResultsError, match=r"a\.npz holds no predictions"):
            Predictions.load(tmp_path / "a.npz")

    def test_altered(self, tmp_path: Path, predictions: Predictions):
        predictions.save(tmp_path / "a.npz")
        content = bytearray((tmp_path / "a.npz").read_bytes())
        content[80:120] = bytes(40)
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(ResultsError, match=r"a\.npz holds no predictions"):
            Predictions.load(tmp_path / "a.npz")

    def test_of_a_zip_of_another_version(self, tmp_path: Path, predictions: Predictions):
        predictions.save(tmp_path / "a.npz")
        content = bytearray((tmp_path / "a.npz").read_bytes())
        content[content.index(b"PK\1\2") + 6] = 223  # the version that is needed to unpack
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(ResultsError, match=r"a\.npz holds no predictions: zip file version"):
            Predictions.load(tmp_path / "a.npz")

    def test_a_single_array(self, tmp_path: Path):
        np.save(tmp_path / "a.npy", np.zeros((5, 7)))
        with pytest.raises(ResultsError, match="holds no predictions"):
            Predictions.load(tmp_path / "a.npy")

    def test_pickles_are_not_opened(self, tmp_path: Path, predictions: Predictions):
        fields = {**vars(predictions), "ids": np.array(["a", 1, None, 2, 3], dtype=object)}
        np.savez(tmp_path / "a.npz", allow_pickle=True, **fields, labels=np.array(EMOTIONS))
        with pytest.raises(ResultsError, match="allow_pickle=False"):
            Predictions.load(tmp_path / "a.npz")

    def test_missing(self, tmp_path: Path):
        with pytest.raises(ResultsError, match="No such file"):
            Predictions.load(tmp_path / "gone.npz")
