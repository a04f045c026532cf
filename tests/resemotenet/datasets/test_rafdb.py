import shutil
from pathlib import Path

import numpy as np
import pytest

from resemotenet.datasets import read_rafdb
from resemotenet.datasets.rafdb import CODES, EXPECTED, LIST
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests.fake_trees import RAF_CODES, change, emotions_of, write_raf_folders, write_raf_official


@pytest.fixture
def official(tmp_path: Path) -> Path:
    return write_raf_official(tmp_path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    return write_raf_folders(tmp_path)


def labels_of(root: Path) -> dict[str, str]:
    lines = (line.split() for line in (root / LIST).read_text().splitlines())
    meaning = {str(code): emotion for emotion, code in RAF_CODES.items()}
    return {name.removesuffix(".jpg"): meaning[code] for name, code in lines}


def test_the_codes_are_those_of_the_data_set():
    assert CODES == {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "angry", 7: "neutral"}


def test_expected_counts_add_up_to_the_published_sizes():
    assert {split: sum(emotions.values()) for split, emotions in EXPECTED.items()} == {"train": 12_271, "test": 3_068}
    assert EXPECTED["test"]["surprise"] == 329
    assert EXPECTED["train"]["fear"] == 281


def test_every_face_has_the_label_of_the_list(official: Path):
    whole = read_rafdb(official)
    found = {id: emotion for faces in whole.splits.values() for id, emotion in emotions_of(faces).items()}
    assert found == labels_of(official)


def test_both_layouts_are_the_same_data(tmp_path: Path):
    one, other = read_rafdb(write_raf_official(tmp_path / "a")), read_rafdb(write_raf_folders(tmp_path / "b"))
    assert list(one.splits) == list(other.splits) == ["train", "validation", "test"]
    for split in one.splits:
        first, second = one.split(split), other.split(split)
        assert first.ids.tolist() == second.ids.tolist()
        np.testing.assert_array_equal(first.targets, second.targets)
        rows = np.arange(len(first))
        np.testing.assert_array_equal(first.read(rows, 40), second.read(rows, 40))


def test_validation_is_cut_from_train_and_test_stays(official: Path):
    whole = read_rafdb(official)
    train, validation, test = (whole.split(split) for split in ("train", "validation", "test"))
    assert {id.split("_")[0] for id in (*train.ids, *validation.ids)} == {"train"}
    assert {id.split("_")[0] for id in test.ids} == {"test"}
    assert not set(train.ids) & set(validation.ids)
    assert len(train) + len(validation) == 28
    assert set(validation.counts().values()) == {1}  # stratified: a tenth of four is at least one
    carved = whole.record()["carved"]
    assert carved["ids"] == {"validation": validation.ids.tolist()}
    assert (carved["from"], carved["seed"], carved["shares"]["validation"]) == ("train", 0, 0.1)


def test_other_counts_than_the_papers_are_noted_with_both_numbers(official: Path):
    notes = read_rafdb(official).notes
    assert "train has 28 faces, Table II of the paper has 12,271" in notes[0]
    assert "surprise 2 instead of 329" in notes[1]


def test_a_folder_named_basic_is_looked_into(tmp_path: Path):
    write_raf_official(tmp_path / "basic")
    assert len(read_rafdb(tmp_path).split("test")) == 14


def test_the_folder_dataset_itself_will_do_and_lists_are_not_needed(tmp_path: Path):
    write_raf_folders(tmp_path, lists=False)
    assert len(read_rafdb(tmp_path / "DATASET").split("test")) == 14


def test_another_folder_is_not_raf_db(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match=r"not RAF-DB; expected Image/aligned/ .* whdeng\.cn"):
        read_rafdb(tmp_path)


def test_without_the_pictures_it_says_what_was_expected_and_which_download_has_it(official: Path):
    shutil.rmtree(official / "Image")
    with pytest.raises(DatasetNotFoundError, match=r"aligned is missing; expected train_00001.*/aligned\.zip"):
        read_rafdb(official)


def test_without_the_list_it_says_so(official: Path):
    (official / LIST).unlink()
    with pytest.raises(DatasetNotFoundError, match=r"list_patition_label\.txt is missing; expected a line"):
        read_rafdb(official)


@pytest.mark.parametrize(("left", "missing", "n"), [("train", "test", 28), ("test", "train", 14)])
def test_without_a_split(official: Path, left: str, missing: str, n: int):
    path = official / LIST
    path.write_text("".join(line for line in path.read_text().splitlines(True) if line.startswith(left)))
    with pytest.raises(DatasetFormatError, match=rf"has no {missing} faces of raf-db \(found: {n} {left}\)"):
        read_rafdb(official)


def test_without_the_folder_of_a_split(folders: Path):
    shutil.rmtree(folders / "DATASET/test")
    with pytest.raises(DatasetNotFoundError, match=r"DATASET/test is missing; expected folders 1 to 7"):
        read_rafdb(folders)


@pytest.mark.parametrize("label", ["0", "8", "happy", "1.5", "nan"])
def test_a_label_out_of_range(official: Path, label: str):
    change(official / LIST, "train_00003.jpg 2", f"train_00003.jpg {label}")
    with pytest.raises(
        DatasetFormatError, match=rf"line 3: the label is '{label}', expected one of 1 surprise, 2 fear"
    ):
        read_rafdb(official)


@pytest.mark.parametrize("line", ["train_00003.jpg", "train_00003.jpg 2 3", "train_00003 2", "2 train_00003.jpg"])
def test_a_line_that_is_no_name_and_label(official: Path, line: str):
    change(official / LIST, "train_00003.jpg 2", line)
    with pytest.raises(DatasetFormatError, match=r"line 3: .* expected a file name and a label"):
        read_rafdb(official)


def test_a_name_of_no_split(official: Path):
    change(official / LIST, "train_00003.jpg 2", "val_00003.jpg 2")
    with pytest.raises(DatasetFormatError, match=r"'val_00003' belongs to no split; expected train_... or test_..."):
        read_rafdb(official)


def test_a_face_listed_twice(official: Path):
    change(official / LIST, "train_00003.jpg 2", "train_00002.jpg 2")
    with pytest.raises(DatasetFormatError, match="line 3: the face train_00002 appears a second time"):
        read_rafdb(official)


def test_a_face_in_two_class_folders(folders: Path):
    shutil.copy(folders / "DATASET/train/2/train_00003_aligned.jpg", folders / "DATASET/train/5")
    with pytest.raises(DatasetFormatError, match="the face train_00003 appears a second time"):
        read_rafdb(folders)


def test_a_class_folder_that_is_absent(folders: Path):
    shutil.rmtree(folders / "DATASET/test/3")
    with pytest.raises(DatasetNotFoundError, match=r"test/3 is missing; expected the faces of disgust there"):
        read_rafdb(folders)


def test_a_class_folder_that_is_none(folders: Path):
    (folders / "DATASET/train/8").mkdir()
    with pytest.raises(DatasetFormatError, match=r"train/8 is not a class folder of RAF-DB; expected 1 surprise"):
        read_rafdb(folders)


def test_list_and_folder_that_contradict_each_other(folders: Path):
    path = folders / "train_labels.csv"
    path.write_text(path.read_text().replace("train_00003_aligned.jpg,2", "train_00003_aligned.jpg,4"))
    with pytest.raises(DatasetFormatError, match=r"has the label 4, but it lies in the folder train/2"):
        read_rafdb(folders)


def test_permuted_columns_of_the_csv(folders: Path):
    path = folders / "train_labels.csv"
    path.write_text("\n".join(",".join(line.split(",")[::-1]) for line in path.read_text().splitlines()))
    with pytest.raises(DatasetFormatError, match=r"train_labels\.csv, line 2: .*, expected image,label"):
        read_rafdb(folders)


def test_a_picture_listed_and_absent_is_named(official: Path):
    (official / "Image/aligned/test_00002_aligned.jpg").unlink()
    with pytest.raises(
        DatasetFormatError, match=r"1 of 42 pictures cannot be used: .*test_00002_aligned\.jpg .* is listed but missing"
    ):
        read_rafdb(official)


def test_absent_pictures_are_left_out_if_asked(official: Path):
    for number in (2, 5):
        (official / f"Image/aligned/test_{number:05d}_aligned.jpg").unlink()
    whole = read_rafdb(official, skip_broken=True)
    assert len(whole.split("test")) == 12
    assert [("test_00002" in said, "test_00005" in said) for said in whole.broken] == [(True, False), (False, True)]


def test_a_picture_of_the_csv_that_is_absent(folders: Path):
    (folders / "DATASET/test/2/test_00003_aligned.jpg").unlink()
    with pytest.raises(DatasetFormatError, match=r"test/2/test_00003_aligned\.jpg is listed but missing"):
        read_rafdb(folders)
    assert len(read_rafdb(folders, skip_broken=True).split("test")) == 13


@pytest.mark.parametrize("name", ["train_/../../../secret.jpg", "/etc/train_1.jpg", "train_\\..\\..\\x.jpg"])
def test_a_name_that_leaves_the_folder(official: Path, name: str):
    change(official / LIST, "train_00003.jpg", name)
    with pytest.raises(DatasetFormatError, match=r"line 3: the file name .* does not stay inside"):
        read_rafdb(official)


def test_a_list_that_is_no_text(official: Path):
    (official / LIST).write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DatasetFormatError, match="cannot be read as a list"):
        read_rafdb(official)
