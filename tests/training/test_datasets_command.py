import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.fake_fer2013 import draw, write_csv
from tests.fake_trees import TREES, cut_short, write_expw, write_raf_official, write_upstream
from training.cli import main
from training.datasets_command import check


def test_the_list_names_every_set_with_its_files_and_source(capsys: pytest.CaptureFixture):
    assert main(["datasets"]) == 0
    said = capsys.readouterr().out
    for word in ("raf-db", "affectnet-7", "expw", "ckplus", "upstream-csv", "fer2013"):
        assert f"\n{word}: " in f"\n{said}"
    assert "EmoLabel/list_patition_label.txt" in said
    assert "mohammadmahoor.com/affectnet" in said
    assert "evaluation only" in said
    assert "Lucey" in said


@pytest.mark.parametrize("tree", TREES)
def test_check_recognises_every_layout(tmp_path: Path, tree: str, capsys: pytest.CaptureFixture):
    name, write = TREES[tree]
    assert main(["datasets", "check", str(write(tmp_path / "data"))]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: ")
    assert "identical pictures: 0 groups" in said


def test_check_prints_counts_cut_and_differences(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["datasets", "check", str(write_raf_official(tmp_path))]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(("train ", "validation ", "test "))}
    assert table["train"] == ["3"] * 7 + ["21"]
    assert table["validation"] == ["1"] * 7 + ["7"]
    assert table["test"] == ["2"] * 7 + ["14"]
    assert any("validation: train is cut into train 90.0%, validation 10.0%; stratified" in line for line in lines)
    assert any("Table II of the paper has 12,271" in line for line in lines)


def test_check_finds_copies_across_splits_and_contradictions(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_upstream(tmp_path)
    shutil.copy(tmp_path / "train/train_3_fear.jpg", tmp_path / "test/test_3_fear.jpg")
    with Image.open(tmp_path / "train/train_4_happy.jpg") as picture:  # same pixels, other bytes and another label
        picture.save(tmp_path / "valid/valid_1_anger.png")
    (tmp_path / "valid/valid_1_anger.png").rename(tmp_path / "valid/valid_1_anger.jpg")
    found = check(tmp_path)
    assert found["identical"]["groups_across_splits"] == 2
    assert found["identical"]["groups_with_conflicting_labels"] == 1
    assert main(["datasets", "check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "2 groups, 2 of them across splits, 1 with conflicting labels" in said
    assert "test images with a copy in train: 1" in said
    assert "validation images with a copy in train: 1" in said


def test_two_faces_of_one_photograph_are_not_copies(tmp_path: Path):
    assert check(write_expw(tmp_path))["identical"]["identical_groups"] == 0


def test_broken_pictures_are_named_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_raf_official(tmp_path)
    cut_short(tmp_path / "Image/aligned/train_00004_aligned.jpg")
    cut_short(tmp_path / "Image/aligned/test_00004_aligned.jpg")
    assert main(["datasets", "check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "broken: " in said
    assert "train_00004_aligned.jpg (id train_00004)" in said
    assert "2 of the pictures cannot be used" in said


def test_absent_pictures_stop_the_check_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_raf_official(tmp_path)
    (tmp_path / "Image/aligned/train_00004_aligned.jpg").unlink()
    assert main(["datasets", "check", str(tmp_path)]) == 1
    assert "1 of 42 pictures cannot be used" in capsys.readouterr().err
    assert main(["datasets", "check", str(tmp_path), "--skip-broken"]) == 1
    assert "1 of the pictures cannot be used" in capsys.readouterr().out


def test_json_has_what_is_said_and_the_carved_ids(tmp_path: Path):
    write_raf_official(tmp_path / "raf")
    assert main(["datasets", "check", str(tmp_path / "raf"), "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["counts"]["test"]["fear"] == 2
    assert len(found["carved"]["ids"]["validation"]) == 7


def test_fer2013_can_be_checked_too(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_csv(draw(), tmp_path / "fer2013.csv")
    assert main(["datasets", "check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("fer2013: ")
    assert "test images with a copy in train: 1" in said


def test_a_folder_that_is_no_data_set(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["datasets", "check", str(tmp_path)]) == 1
    assert "does not look like any data set known here; expected one of" in capsys.readouterr().err


def test_check_needs_a_path(capsys: pytest.CaptureFixture):
    assert main(["datasets", "check"]) == 1
    assert "datasets check PATH" in capsys.readouterr().err
