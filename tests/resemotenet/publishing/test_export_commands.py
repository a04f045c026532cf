"""The commands export and calibrate, on drawn faces."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from resemotenet import load_model
from resemotenet.checkpoints.checkpoint import read_info, write_info
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.cli import main
from resemotenet.reading.portable import CASCADE_FILES, EXPLAIN_FILE, NETWORK_FILE, SETTINGS_FILE
from tests.fake_fer2013 import draw, write_parquet


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    return write_parquet(draw(), tmp_path_factory.mktemp("data") / "fer2013.parquet")


@pytest.fixture
def folder(model_folder, tmp_path, monkeypatch) -> Path:
    """A model taught by votes; files without a name of their own land beside it."""
    monkeypatch.chdir(tmp_path)
    copied = Path(shutil.copytree(model_folder, tmp_path / "mine"))
    write_info(copied, replace(read_info(copied), training={"labels": "ferplus"}))
    return copied


def said(path: Path) -> dict[str, str]:
    return {each.key: each.value for each in onnx.load(path).metadata_props}


def test_export_writes_beside_you_under_the_folders_name(folder, capsys):
    assert main(["export", str(folder)]) == 0
    assert re.fullmatch(r"mine\.onnx: resemotenet, exact, \d\.\d MB\n", capsys.readouterr().out)
    assert said(Path("mine.onnx"))["precision"] == "exact"


def test_export_to_a_file_of_ones_own(folder):
    assert main(["export", str(folder), "--out", "network.onnx"]) == 0
    assert said(Path("network.onnx"))["architecture"] == "resemotenet"


def test_export_of_the_whole_reader(folder, capsys):
    bundled = bundled_folder()
    assert main(["export", str(bundled), "--reader"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line.partition(":")[0]) for line in lines] == [
        Path(f"{bundled.name}.reader", name) for name in (NETWORK_FILE, *CASCADE_FILES, EXPLAIN_FILE, SETTINGS_FILE)
    ]
    assert main(["export", str(folder), "--reader"]) == 1
    assert "no ranges for int8" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", str(bundled), "--reader", "--int8"])


def test_calibrate_makes_8_bits_possible_and_says_what_they_cost(folder, faces, capsys):
    assert main(["export", str(folder), "--int8"]) == 1
    assert "no ranges for int8" in capsys.readouterr().err
    assert main(["calibrate", str(folder), "--data", str(faces)]) == 0
    printed = capsys.readouterr().out
    int8 = read_info(folder).int8
    assert int8 is not None
    assert int8.calibration == {"dataset": "fer2013", "split": "train", "seed": 0, "n": 84}
    (fact,) = int8.measured
    assert (fact.labels, fact.split, fact.n) == ("ferplus-strict", "validation", 34)
    assert printed.startswith(f"fer2013 validation, FER+ strict, n = 34: {fact.int8:.2%} right in 8 bits")
    assert load_model(folder, backend="auto", precision="int8").precision == "int8"
    assert main(["export", str(folder), "--int8"]) == 0
    assert said(Path("mine.int8.onnx"))["precision"] == "int8"


def test_export_calibrates_for_the_file_alone_where_the_folder_is_not(folder, faces, capsys):
    before = (folder / "config.json").read_bytes()
    assert main(["export", str(folder), "--int8", "--data", str(faces)]) == 0
    assert "the same label on" in capsys.readouterr().out
    assert said(Path("mine.int8.onnx"))["precision"] == "int8"
    assert (folder / "config.json").read_bytes() == before


def test_labels_that_the_data_lacks_give_way_to_its_own(folder, faces, capsys):
    write_info(folder, replace(read_info(folder), training={"labels": "raf-db"}))
    assert main(["calibrate", str(folder), "--data", str(faces)]) == 0
    assert "fer2013 validation, FER2013's own labels, n = 35" in capsys.readouterr().out


def test_data_for_an_exact_file_are_wrong_arguments(folder, faces, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(folder), "--data", str(faces)])
    assert stopped.value.code == 2
    assert "--data is for --int8" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["export"], ["calibrate", "--data", "."]])
def test_a_folder_that_is_no_model_is_one_line(command, tmp_path, capsys):
    assert main([*command, str(tmp_path / "nothing")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_data_that_are_not_there_are_one_line(folder, capsys):
    assert main(["calibrate", str(folder), "--data", "nowhere"]) == 1
    assert "there is nothing at nowhere" in capsys.readouterr().err
