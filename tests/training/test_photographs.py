"""The whole chain on real faces: found, cut, read, and every figure what it is called."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data as pictures

from resemotenet import EmotionPredictor
from resemotenet.runs.results import Predictions, ResultsFolder, read_json
from resemotenet.runs.schema import Photographs, Result, read
from tests.fake_trees import cut_short, write_rows
from tests.training.conftest import error_line
from training.cli import main


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture with a face, two without, two faces side by side, and one cut short."""
    root = tmp_path_factory.mktemp("photographs")
    face = Image.fromarray(pictures.astronaut())
    face.save(root / "face.jpg", quality=90)
    Image.new("RGB", (200, 200), (90, 120, 90)).save(root / "none.jpg")
    both = Image.new("RGB", (512 + 256, 512), (60, 60, 60))
    both.paste(face.resize((256, 256)), (0, 0))
    both.paste(face, (256, 0))
    both.save(root / "two.jpg", quality=90)
    face.save(root / "broken.jpg", quality=90)
    cut_short(root / "broken.jpg")
    rows = [["face.jpg", "happy"], ["none.jpg", "sad"], ["two.jpg", "happy"], ["broken.jpg", "sad"]]
    write_rows(root / "photographs.csv", [["image", "label"], *rows])
    return root


def test_every_figure_of_the_bundled_weights(photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    files = ["--json", str(tmp_path / "found.json"), "--predictions", str(tmp_path / "found.npz")]
    assert main(["evaluate", "bundled", "--data", str(photographs), *files]) == 0
    said = capsys.readouterr()
    assert "photographs: 3, a face found in 2 (66.7%), more than one in 1 (the largest counts)" in said.out
    assert "photographs: broken.jpg: " in said.err
    assert "cut short" in said.err

    measured = read(Photographs, tmp_path / "found.json")
    predictor = EmotionPredictor.from_pretrained()
    largest = [predictor(photographs / name)[0] for name in ("face.jpg", "two.jpg")]
    right = sum(face.label == "happy" for face in largest)
    assert (measured.n, measured.found, measured.several, measured.broken, measured.right) == (3, 2, 1, 1, right)
    assert measured.accuracy == right / 3
    assert measured.emotions["sad"].found == 0
    assert measured.weights is not None
    assert measured.weights.sha256 == predictor.model.sha256()
    predictions = Predictions.load(tmp_path / "found.npz")
    assert predictions.ids.tolist() == ["face.jpg", "two.jpg"]
    expected = [list(face.probabilities.values()) for face in largest]
    np.testing.assert_allclose(predictions.probabilities, expected, atol=1e-5)


def test_a_run_keeps_them_and_counts_the_looks(
    finished: ResultsFolder, photographs: Path, capsys: pytest.CaptureFixture[str]
):
    before = read_json(finished.result)
    for option in ("--on", "--data"):
        named = ["--dataset.name", "photographs"] if option == "--data" else []
        assert main(["evaluate", str(finished.path), option, str(photographs), *named]) == 0
        assert "photographs: 3, a face found in 2" in capsys.readouterr().out
    after = read(Result, finished.result)
    assert after.photographs is not None
    assert (after.photographs.n, after.photographs.touched) == (3, 2)
    assert Predictions.load(finished.predictions("photographs", "test")).n == 2
    assert {key: value for key, value in read_json(finished.result).items() if key != "photographs"} == before


def test_nothing_can_be_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy/a.jpg").write_bytes(b"x")
    assert main(["evaluate", "bundled", "--data", str(tmp_path)]) == 1
    assert error_line(capsys).startswith("training: none of 1 pictures can be opened: happy/a.jpg: ")


def test_a_place_for_the_figures_that_is_not_there(photographs: Path, tmp_path: Path, capsys):
    assert main(["evaluate", "bundled", "--data", str(photographs), "--json", str(tmp_path / "no/x.json")]) == 1
    assert "no/x.json cannot be written: its folder is not there" in error_line(capsys)


def test_without_a_detector(photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(__import__("sys").modules, "facenet_pytorch.models", None)
    assert main(["evaluate", "bundled", "--data", str(photographs)]) == 1
    assert error_line(capsys).startswith(
        "training: photographs cannot be read here: finding faces needs facenet-pytorch: pip install"
    )


@pytest.mark.parametrize("command", [["datasets", "check"], ["audit", "--data"]])
def test_other_commands_know_them(photographs: Path, command: list[str], tmp_path: Path, capsys):
    face = Image.fromarray(pictures.astronaut())
    (tmp_path / "happy").mkdir()
    face.save(tmp_path / "happy/face.jpg")
    face.rotate(5).save(tmp_path / "happy/turned.jpg")
    assert main([*command, str(tmp_path)]) == 0
    assert json.dumps(capsys.readouterr().out).count("2") >= 1


def test_the_shared_photographs(tmp_path: Path):
    """Every sixth of them; all 683 take a minute of a core."""
    path = Path(__file__).parents[3] / "shared/photographs/photographs.parquet"
    if not path.is_file():
        pytest.skip(f"there are no photographs at {path}")
    pd.read_parquet(path)[::6].to_parquet(tmp_path / "some.parquet")
    assert main(["evaluate", "bundled", "--data", str(tmp_path), "--dataset.name", "photographs"]) == 1
    found = ["--data", str(tmp_path / "some.parquet"), "--json", str(tmp_path / "found.json")]
    assert main(["evaluate", "bundled", *found]) == 0
    measured = read(Photographs, tmp_path / "found.json")
    assert measured.n == 114
    assert measured.found >= 113
    assert measured.accuracy > 0.7
    assert measured.common is not None
    assert set(measured.common.emotions) == {"angry", "happy", "neutral", "surprise"}
