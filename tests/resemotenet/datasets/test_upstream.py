from pathlib import Path

import pytest

from resemotenet.datasets import read_upstream
from resemotenet.datasets.upstream import CODES
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests.fake_trees import change, emotions_of, write_upstream


def emotions(root: Path, split: str) -> dict[str, str]:
    return emotions_of(read_upstream(root).split(split))


def named(id: str) -> str:
    """The emotion that upstream's file names end with."""
    return id.removesuffix(".jpg").rpartition("_")[2].replace("anger", "angry")


def test_the_codes_are_upstreams_order():
    assert list(CODES.values()) == ["happy", "surprise", "sad", "angry", "disgust", "fear", "neutral"]


@pytest.mark.parametrize("header", [None, ("ImageName", "Label"), ("image", "label"), ("file", "emotion")])
@pytest.mark.parametrize("label_first", [False, True])
def test_with_or_without_a_header_in_either_order_no_face_is_lost(tmp_path: Path, header, label_first: bool):
    write_upstream(tmp_path, header=header, label_first=label_first)
    for split, n in (("train", 28), ("validation", 7), ("test", 14)):
        found = emotions(tmp_path, split)
        assert len(found) == n
        assert {id: named(id) for id in found} == found


@pytest.mark.parametrize("word", ["valid", "val", "validation"])
def test_every_name_of_the_validation_split(tmp_path: Path, word: str):
    write_upstream(tmp_path, validation=word)
    assert len(emotions(tmp_path, "validation")) == 7
    assert read_upstream(tmp_path).carved is None


def test_without_validation_it_is_cut_from_train(tmp_path: Path):
    whole = read_upstream(write_upstream(tmp_path, validation=None))
    assert [len(whole.split(split)) for split in ("train", "validation", "test")] == [21, 7, 14]
    assert whole.carved is not None
    assert all(id.startswith("train/") for id in whole.split("validation").ids)


@pytest.mark.parametrize("place", ["images/{}", "images"])
def test_pictures_may_lie_in_a_folder_of_images(tmp_path: Path, place: str):
    write_upstream(tmp_path)
    (tmp_path / "images").mkdir()
    for split in ("train", "valid", "test"):
        target = tmp_path / place.format(split)
        target.mkdir(exist_ok=True)
        for picture in (tmp_path / split).iterdir():
            picture.rename(target / picture.name)
    assert len(emotions(tmp_path, "train")) == 28
    assert read_upstream(tmp_path).split("test").crop(0).size == (64, 64)


@pytest.mark.parametrize(("gone", "found"), [("test", "28 train, 7 validation"), ("train", "7 validation, 14 test")])
def test_without_a_split(tmp_path: Path, gone: str, found: str):
    write_upstream(tmp_path)
    (tmp_path / f"{gone}_labels.csv").unlink()
    with pytest.raises(DatasetFormatError, match=rf"has no {gone} faces .*\(found: {found}\)"):
        read_upstream(tmp_path)


def test_two_lists_for_one_split(tmp_path: Path):
    write_upstream(tmp_path)
    (tmp_path / "val_labels.csv").write_text("a.jpg,1")
    with pytest.raises(DatasetFormatError, match=r"valid_labels\.csv and val_labels\.csv; keep one"):
        read_upstream(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "train_2_disgust.jpg,4",
            "train_2_disgust.jpg,7",
            r"line 2: the label is '7', expected one of 0 happy, 1 surp",
        ),
        ("train_2_disgust.jpg,4", "train_2_disgust.jpg,awe", "line 2: the label is 'awe'"),
        ("train_2_disgust.jpg,4", "train_2_disgust.jpg", "line 2: .* expected a file name and a label"),
        ("train_2_disgust.jpg,4", "4,train_2_disgust.jpg", "line 2: .* expected a file name and a label"),
        (
            "train_2_disgust.jpg,4",
            "train_1_anger.jpg,3",
            r"line 2: the face train/train_1_anger\.jpg appears a second",
        ),
        ("train_2_disgust.jpg", "../test/test_2_disgust.jpg", "line 2: the file name .* does not stay inside"),
        ("train_2_disgust.jpg", "/etc/passwd.jpg", "line 2: the file name .* does not stay inside"),
        ("train_2_disgust.jpg", "train_200_disgust.jpg", r"train/train_200_disgust\.jpg .* is listed but missing"),
        ("train_1_anger.jpg,3", "train_1_anger.jpg,3,0.5", "no header, and its first row .* expected two columns"),
        ("train_1_anger.jpg,3", "picture,feeling", "in which file name and label cannot be identified"),
        ("train_1_anger.jpg,3", "image,file,label", "in which file name cannot be identified"),
    ],
)
def test_a_row_that_is_wrong(tmp_path: Path, old: str, new: str, said: str):
    write_upstream(tmp_path)
    change(tmp_path / "train_labels.csv", old, new)
    with pytest.raises(DatasetFormatError, match=said):
        read_upstream(tmp_path)


def test_an_empty_list(tmp_path: Path):
    write_upstream(tmp_path)
    (tmp_path / "test_labels.csv").write_text("\n")
    with pytest.raises(DatasetFormatError, match=r"test_labels\.csv is empty"):
        read_upstream(tmp_path)


def test_another_folder_has_no_lists(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match=r"holds no upstream lists; expected train_labels\.csv with train/"):
        read_upstream(tmp_path)
