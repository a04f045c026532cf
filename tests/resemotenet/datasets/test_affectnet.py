import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from resemotenet.datasets import read_affectnet
from resemotenet.datasets.affectnet import CODES, EXPECTED
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests.fake_trees import change, emotions_of, write_affectnet_annotations, write_affectnet_lists

LIST = "Manually_Annotated_file_lists/training.csv"


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    return write_affectnet_annotations(tmp_path)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    return write_affectnet_lists(tmp_path)


def test_the_codes_are_those_of_the_data_set():
    assert [CODES[code] for code in range(7)] == ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"]
    assert {CODES[code] for code in (7, 8, 9, 10)} == {None}


def test_expected_counts_add_up_to_the_published_sizes():
    assert {split: sum(each.values()) for split, each in EXPECTED.items()} == {"train": 283_901, "test": 3_500}


@pytest.mark.parametrize("as_text", [True, False])
def test_annotations_hold_text_or_numbers(tmp_path: Path, as_text: bool):
    whole = read_affectnet(write_affectnet_annotations(tmp_path, as_text=as_text))
    assert emotions_of(whole.split("test")) == {
        f"val_set/{number}": EMOTIONS[(number - 1) % len(EMOTIONS)] for number in range(1, 15)
    }
    assert whole.left_out == {"contempt": 2}


def test_the_authors_validation_set_is_test_and_validation_comes_from_train(annotations: Path):
    whole = read_affectnet(annotations)
    assert {id.split("/")[0] for id in whole.split("test").ids} == {"val_set"}
    train, validation = whole.split("train"), whole.split("validation")
    assert {id.split("/")[0] for id in (*train.ids, *validation.ids)} == {"train_set"}
    assert len(train) + len(validation) == 28
    assert whole.record()["carved"]["ids"]["validation"] == validation.ids.tolist()


@pytest.mark.parametrize("headers", [True, False])
def test_lists_with_and_without_a_header(tmp_path: Path, headers: bool):
    whole = read_affectnet(write_affectnet_lists(tmp_path, headers=headers))
    assert len(whole.split("train")) + len(whole.split("validation")) == 28
    assert emotions_of(whole.split("test")) == {
        f"{number % 3}/test{number:04x}": EMOTIONS[(number - 1) % len(EMOTIONS)] for number in range(1, 15)
    }
    assert whole.left_out == {"contempt": 1, "no face": 1}


def test_a_header_says_the_order_of_the_columns(lists: Path):
    before = read_affectnet(lists)
    rows = [line.split(",") for line in (lists / LIST).read_text().splitlines()]
    (lists / LIST).write_text("\n".join(",".join(row[::-1]) for row in rows))
    after = read_affectnet(lists)
    assert after.split("train").ids.tolist() == before.split("train").ids.tolist()
    np.testing.assert_array_equal(after.split("train").targets, before.split("train").targets)
    np.testing.assert_array_equal(after.split("train").boxes, before.split("train").boxes)


def test_the_box_of_the_list_cuts_the_face_out(lists: Path):
    faces = read_affectnet(lists).split("test")
    assert faces.crop(0).size == (80, 80)
    crop = np.asarray(faces.crop(0)).astype(int)
    assert np.mean(crop[:, :, 0] > crop[:, :, 2]) > 0.9  # the tinted face, not the blue around it


def test_another_folder_is_not_affectnet(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match=r"not AffectNet; expected train_set/.*mohammadmahoor"):
        read_affectnet(tmp_path)


@pytest.mark.parametrize("missing", ["train_set/images", "train_set/annotations", "val_set/images", "val_set"])
def test_a_half_copied_folder_says_what_is_missing(annotations: Path, missing: str):
    shutil.rmtree(annotations / missing)
    with pytest.raises(DatasetNotFoundError, match=rf"{missing}.* is missing; expected <id>.*comes with"):
        read_affectnet(annotations)


@pytest.mark.parametrize(
    ("missing", "said"),
    [("Manually_Annotated_Images", "expected the pictures that the lists name"), (LIST, "expected a row for each")],
)
def test_half_of_the_lists_layout(lists: Path, missing: str, said: str):
    path = lists / missing
    path.rename(lists / "elsewhere")
    with pytest.raises(DatasetNotFoundError, match=said):
        read_affectnet(lists)


def test_a_label_without_its_picture_and_a_picture_without_its_label(annotations: Path):
    (annotations / "train_set/images/3.jpg").unlink()
    (annotations / "val_set/annotations/4_exp.npy").unlink()
    with pytest.raises(DatasetFormatError, match=r"2 of \d+ pictures .*val_set/images/4\.jpg has no label.*3\.jpg"):
        read_affectnet(annotations)
    whole = read_affectnet(annotations, skip_broken=True)
    assert sum(map(len, whole.splits.values())) == 40
    assert len(whole.broken) == 2


def test_a_label_out_of_range(annotations: Path):
    np.save(annotations / "train_set/annotations/3_exp.npy", np.array("11"))
    with pytest.raises(
        DatasetFormatError, match=r"3_exp\.npy: the label is '11', expected one of 0 neutral.*7 left out"
    ):
        read_affectnet(annotations)


def test_two_pictures_of_one_face(annotations: Path):
    shutil.copy(annotations / "val_set/images/3.jpg", annotations / "val_set/images/3.png")
    with pytest.raises(DatasetFormatError, match=r"val_set/images has 3\.jpg and 3\.png, both of face 3; keep one"):
        read_affectnet(annotations)


def test_permuted_columns_without_a_header(tmp_path: Path):
    write_affectnet_lists(tmp_path, headers=False)
    change(tmp_path / LIST, "1/train0001.jpg,30", "30,1/train0001.jpg")
    with pytest.raises(DatasetFormatError, match=r"line 1: 9 cells, the first '30'; expected file, x, y"):
        read_affectnet(tmp_path)


def test_a_damaged_label(annotations: Path):
    (annotations / "train_set/annotations/3_exp.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DatasetFormatError, match=r"3_exp\.npy holds no label"):
        read_affectnet(annotations)


def test_a_label_that_would_run_code_is_not_unpickled(annotations: Path):
    np.save(annotations / "train_set/annotations/3_exp.npy", np.array({"code": 1}, dtype=object), allow_pickle=True)
    with pytest.raises(DatasetFormatError, match="holds no label"):
        read_affectnet(annotations)
    (annotations / "train_set/annotations/3_exp.npy").write_bytes(pickle.dumps(3))
    with pytest.raises(DatasetFormatError, match="holds no label"):
        read_affectnet(annotations)


def test_a_row_with_too_few_cells(lists: Path):
    change(lists / LIST, "80,80,1.5;2.5;3.5,", "80,80,")
    with pytest.raises(DatasetFormatError, match=r"(line 2: .*expected file, x, y|the label is '-0.1')"):
        read_affectnet(lists)


def test_a_box_that_is_no_number(lists: Path):
    change(lists / LIST, ",30,20,80,80,", ",30,top,80,80,")
    with pytest.raises(DatasetFormatError, match="line 2: the face's box is not four numbers"):
        read_affectnet(lists)


def test_a_header_that_lacks_a_column(lists: Path):
    change(lists / LIST, "expression", "feeling")
    with pytest.raises(DatasetFormatError, match=r"in which expression cannot be identified; expected one column each"):
        read_affectnet(lists)


def test_a_row_there_twice(lists: Path):
    rows = (lists / LIST).read_text().splitlines()
    (lists / LIST).write_text("\n".join([*rows, rows[1]]))
    with pytest.raises(DatasetFormatError, match="line 32: the face 1/train0001 appears a second time"):
        read_affectnet(lists)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/x.jpg", "C:/x.jpg", "..\\..\\x.jpg"])
def test_a_path_that_leaves_the_folder(lists: Path, name: str):
    change(lists / LIST, "1/train0001.jpg", name)
    with pytest.raises(DatasetFormatError, match=r"line 2: the file name .* does not stay inside"):
        read_affectnet(lists)
