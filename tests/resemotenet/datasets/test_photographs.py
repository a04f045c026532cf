"""Photographs of one's own, in every layout, and what is wrong with a folder said in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resemotenet.datasets import Collection, read_photographs, recognise
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests.fake_fer2013 import draw, write_csv, write_parquet
from tests.fake_trees import (
    Painter,
    change,
    emotions_of,
    write_photograph_folders,
    write_photograph_list,
    write_photograph_table,
    write_rows,
)

WRITERS = (write_photograph_folders, write_photograph_list, write_photograph_table)


@pytest.mark.parametrize("write", WRITERS)
def test_every_layout_gives_the_same_labels_and_pictures(tmp_path: Path, write):
    info, _, root = recognise(write(tmp_path / "mine"))
    assert info.name == "photographs"
    whole = info.read(root)
    assert isinstance(whole, Collection)
    assert list(whole.splits) == ["test"]
    faces = whole.split("test")
    assert faces.counts() == dict.fromkeys(EMOTIONS, 2)
    assert {emotion in id for id, emotion in emotions_of(faces).items()} == {True}
    assert whole.left_out == {"contempt": 1}
    assert faces.crop(0).size == (90, 90)
    assert faces.where(faces.targets == 3).crop(1).size == (90, 90)


@pytest.mark.parametrize("write", [write_photograph_list, write_photograph_table])
def test_pictures_of_one_person_are_one_group(tmp_path: Path, write):
    faces = read_photographs(write(tmp_path / "mine")).split("test")
    assert len(np.unique(faces.groups)) == 7


def test_without_persons_each_picture_is_its_own_group(tmp_path: Path):
    faces = read_photographs(write_photograph_folders(tmp_path / "mine")).split("test")
    assert faces.groups.tolist() == faces.ids.tolist()


def test_folders_below_an_emotion_and_spellings(tmp_path: Path):
    painter = Painter()
    painter.save(tmp_path / "Happiness/anna/1.jpg", "happy", 60)
    painter.save(tmp_path / "3 - SAD/1.jpg", "sad", 60)
    painter.save(tmp_path / "Happiness/.thumbnails/1.jpg", "happy", 60)
    faces = read_photographs(tmp_path).split("test")
    assert emotions_of(faces) == {"3 - SAD/1.jpg": "sad", "Happiness/anna/1.jpg": "happy"}


def test_a_list_of_windows(tmp_path: Path):
    Painter().save(tmp_path / "a/1.jpg", "happy", 60)
    write_rows(tmp_path / "labels.csv", [["Label", "File"], ["Happy", "a\\1.jpg"]])
    assert emotions_of(read_photographs(tmp_path / "labels.csv").split("test")) == {"a/1.jpg": "happy"}


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_list_as_spreadsheets_save_it(tmp_path: Path, separator: str):
    Painter().save(tmp_path / "1.jpg", "happy", 60)
    rows = [("File", "Label", "Person"), ("1.jpg", "Happy", "Ann, B.")]
    text = "\r\n".join(separator.join(row) for row in rows)
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    faces = read_photographs(tmp_path).split("test")
    assert emotions_of(faces) == {"1.jpg": "happy"}
    assert faces.groups.tolist() == ["Ann, B."]


@pytest.mark.parametrize("label", ["3", "3.0", "joyful"])
def test_a_label_that_is_no_name_of_an_emotion(tmp_path: Path, label: str):
    path = write_photograph_list(tmp_path) / "photographs.csv"
    change(path, ",happy,", f",{label},")
    with pytest.raises(DatasetFormatError, match=rf"photographs.csv, line \d+: '{label}' (is|says) no"):
        read_photographs(path)


def test_a_folder_that_is_no_emotion(tmp_path: Path):
    write_photograph_folders(tmp_path)
    Painter().save(tmp_path / "selfies/1.jpg", "happy", 60)
    with pytest.raises(DatasetFormatError, match=r"selfies: 'selfies' is not an emotion; expected one of angry, anger"):
        read_photographs(tmp_path)


def test_an_archive_that_was_unpacked_into_a_folder_of_its_own(tmp_path: Path):
    write_photograph_folders(tmp_path / "archive/faces")
    info, _, root = recognise(tmp_path)
    assert (info.name, root) == ("photographs", tmp_path / "archive/faces")
    assert len(info.read(root).split("test")) == 14


def test_what_is_listed_but_missing(tmp_path: Path):
    root = write_photograph_list(tmp_path)
    (root / "pictures/happy-1.jpg").unlink()
    with pytest.raises(DatasetFormatError, match=r"1 of 14 pictures cannot be used: .*happy-1.jpg"):
        read_photographs(root)
    whole = read_photographs(root, skip_broken=True)
    assert len(whole.split("test")) == 13
    assert len(whole.broken) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("image,label,person", "image,mood,person", "label cannot be identified"),
        ("image,label,person", "image,label,person,subject", "2 columns that say who it is"),
        ("pictures/happy-1.jpg", "../happy-1.jpg", "does not stay inside"),
        ("pictures/happy-1.jpg", "pictures/sad-1.jpg", "appears a second time"),
        ("pictures/happy-1.jpg,happy,3", "pictures/happy-1.jpg,happy", "2 cells, expected 3"),
        ("pictures/happy-1.jpg", "pictures/happy-1.txt", "is not the name of a picture file"),
    ],
)
def test_a_list_that_is_wrong(tmp_path: Path, old: str, new: str, said: str):
    change(write_photograph_list(tmp_path) / "photographs.csv", old, new)
    with pytest.raises(DatasetFormatError, match=said):
        read_photographs(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("image", "a path", "image is str, expected a file's bytes"), ("id", "happy-1", "1 are repeated")],
)
def test_a_table_that_is_wrong(tmp_path: Path, column: str, value: str, said: str):
    path = write_photograph_table(tmp_path) / "photographs.parquet"
    table = pd.read_parquet(path)
    table[column] = [value, *table[column][1:]] if column == "id" else value
    table.to_parquet(path)
    with pytest.raises(DatasetFormatError, match=said):
        read_photographs(path)


def test_fer2013_is_not_taken_for_photographs(tmp_path: Path):
    assert recognise(write_csv(draw(), tmp_path / "mine.csv"))[0].name == "fer2013"
    assert recognise(write_parquet(draw(), tmp_path / "mine.parquet"))[0].name == "fer2013"


def test_what_is_no_photographs_says_what_is_expected(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match=r"folders named after emotions .* or a csv with the columns"):
        read_photographs(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="does not exist"):
        read_photographs(tmp_path / "gone")
    with pytest.raises(DatasetNotFoundError, match=r"does not look like raf-db; it looks like photographs; expected"):
        recognise(write_photograph_folders(tmp_path / "mine"), "raf-db")
    with pytest.raises(DatasetNotFoundError, match="no data set is called 'pictures'; there are raf-db"):
        recognise(tmp_path, "pictures")
