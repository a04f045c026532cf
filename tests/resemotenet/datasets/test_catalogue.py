import re
from pathlib import Path

import pytest

from resemotenet.datasets import (
    CATALOGUE,
    FER2013,
    Collection,
    affectnet,
    dataset_info,
    expw,
    rafdb,
    recognise,
    splits_of,
)
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError, DatasetFormatError, DatasetNotFoundError
from resemotenet.runs.claims import TABLE_II
from tests.fake_fer2013 import draw, write_csv, write_folders, write_parquet, write_train_csv
from tests.fake_trees import TREES, cut_short


@pytest.mark.parametrize("tree", TREES)
def test_every_layout_is_recognised_and_read(tmp_path: Path, tree: str):
    name, write = TREES[tree]
    info, _, root = recognise(write(tmp_path))
    assert info.name == name
    whole = info.read(root)
    assert isinstance(whole, Collection)
    splits = splits_of(whole)
    assert list(splits) == (["test"] if name in ("ckplus", "photographs") else ["train", "validation", "test"])
    ids = [id for faces in splits.values() for id in faces.ids.tolist()]
    assert len(ids) == len(set(ids)) > 13


@pytest.mark.parametrize("tree", TREES)
def test_a_truncated_picture_is_named_in_every_layout_and_can_be_left_out(tmp_path: Path, tree: str):
    name, write = TREES[tree]
    whole = dataset_info(name).read(write(tmp_path))
    assert isinstance(whole, Collection)
    faces = whole.split("test")
    cut_short(faces.root / faces.files[3])
    cut = faces.files == faces.files[3]  # a photograph may hold two faces
    file, id = re.escape(str(faces.files[3])), re.escape(str(faces.ids[cut][0]))
    with pytest.raises(DatasetFormatError, match=rf"^{cut.sum()} of .*{file} \(id {id}\): .*cut short.*--skip-broken"):
        faces.into_memory(24)
    held, broken = faces.into_memory(24, skip_broken=True)
    assert held.ids.tolist() == faces.ids[~cut].tolist()
    assert len(broken) == cut.sum()


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_csv(draw(), folder / "fer2013.csv"),
        lambda folder: write_csv(draw(), folder / "icml_face_data.csv", ("emotion", " Usage", " pixels")).parent,
        lambda folder: write_parquet(draw(), folder / "faces.parquet"),
        lambda folder: write_folders(draw(), folder),
    ],
)
def test_fer2013_is_recognised(tmp_path: Path, write):
    info, _, root = recognise(write(tmp_path))
    assert info.name == "fer2013"
    whole = info.read(root)
    assert isinstance(whole, FER2013)
    assert {split: len(faces) for split, faces in splits_of(whole).items()} == {
        "train": 84, "validation": 35, "test": 35,
    }  # fmt: skip


def test_only_the_splits_that_are_there(tmp_path: Path):
    info, _, root = recognise(write_train_csv(draw(), tmp_path / "train.csv"))
    assert list(splits_of(info.read(root))) == ["train"]


# What a copy that broke off may leave: one folder of a layout.
@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("EmoLabel", "raf-db"),
        ("Image/aligned", "raf-db"),
        ("DATASET/train/3", "raf-db"),
        ("val_set", "affectnet-7"),
        ("Manually_Annotated_file_lists", "affectnet-7"),
        ("image/origin", "expw"),
        ("cohn-kanade-images", "ckplus"),
        ("Emotion", "ckplus"),
    ],
)
def test_a_half_copied_folder_is_recognised_and_reading_it_says_what_is_missing(tmp_path: Path, folder: str, name: str):
    (tmp_path / folder).mkdir(parents=True)
    info, _, root = recognise(tmp_path)
    assert info.name == name
    with pytest.raises(DatasetError, match=r"is missing; expected .* It comes with"):
        info.read(root)


def test_an_unknown_folder_names_everything_that_would_be_known(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError) as caught:
        recognise(tmp_path)
    for info in CATALOGUE:
        for layout in info.layouts:
            assert f"{info.name}: {layout}" in str(caught.value)


def test_nothing_there(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match="there is nothing at"):
        recognise(tmp_path / "none")


@pytest.mark.parametrize("info", CATALOGUE, ids=lambda info: info.name)
def test_every_set_is_found_by_its_name_and_has_all_seven_emotions(info):
    assert dataset_info(info.name) is info
    assert [emotion for emotion in EMOTIONS if emotion not in info.labels] == []


@pytest.mark.parametrize(
    ("name", "expected"), [("raf-db", rafdb.EXPECTED), ("affectnet-7", affectnet.EXPECTED), ("expw", expw.PAPER)]
)
def test_readers_expect_what_table_two_prints(name: str, expected: dict[str, dict[str, int]]):
    printed = {split: dict(zip(EMOTIONS, counts, strict=True)) for split, counts in TABLE_II[name].items()}
    assert printed == expected


def test_an_unknown_name():
    with pytest.raises(ValueError, match=r"there are raf-db, .*, upstream-csv, photographs, fer2013"):
        dataset_info("rafdb")
