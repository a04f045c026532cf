import shutil
from pathlib import Path

import numpy as np
import pytest

from resemotenet.datasets import SPLITS, read_expw
from resemotenet.datasets.expw import CARVED, CODES, EXPECTED, PAPER
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests.fake_trees import change, emotions_of, write_expw


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_expw(tmp_path)


def test_the_codes_are_those_of_the_data_set():
    assert list(CODES.values()) == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def test_the_papers_counts_are_seventy_and_ten_percent_of_the_data():
    assert sum(EXPECTED["all"].values()) == 91_793
    assert {split: sum(each.values()) for split, each in PAPER.items()} == {"train": 64_253, "test": 9_091}
    for emotion, n in EXPECTED["all"].items():
        assert abs(PAPER["train"][emotion] - 0.7 * n) <= 2
        assert abs(PAPER["test"][emotion] - 9_091 / 91_793 * n) <= 1.5
    assert round(91_793 * CARVED.shares["validation"]) == 18_449


def test_labels_and_ids_are_those_of_the_list(tree: Path):
    whole = read_expw(tree)
    for faces in whole.splits.values():
        for id, emotion in emotions_of(faces).items():
            name, face = id.split("#")
            number = int(name.removesuffix(".jpg").rpartition("_")[2])
            assert emotion == EMOTIONS[(number + int(face)) % len(EMOTIONS)]


def test_faces_of_one_photograph_are_never_in_two_splits(tree: Path):
    whole = read_expw(tree)
    photographs = [set(whole.split(split).groups.tolist()) for split in SPLITS]
    assert sum(map(len, photographs)) == len(set().union(*photographs)) == 40
    assert [len(whole.split(split)) for split in SPLITS] == [
        2 * len(each) for each in photographs
    ]  # both faces of each came along


def test_the_cut_has_the_papers_proportions_and_is_recorded(tree: Path):
    whole = read_expw(tree)
    sizes = {split: len(whole.split(split)) for split in SPLITS}
    for split, share in CARVED.shares.items():
        assert abs(sizes[split] - 80 * share) <= 4
    kept = whole.record()["carved"]
    assert kept["ids"] == {split: whole.split(split).ids.tolist() for split in ("test", "validation")}
    assert (kept["by"], kept["seed"]) == ("source picture", 0)


def test_both_numbers_are_named_where_the_cut_is_not_the_papers(tree: Path):
    notes = " ".join(read_expw(tree).notes)
    assert "the whole has 80 faces, the authors' list has 91,793" in notes
    assert "faces; Table II of the paper has 64,253" in notes


def test_the_order_of_the_box_is_top_left_right_bottom(tree: Path):
    faces = read_expw(tree).split("train")
    row = next(row for row, id in enumerate(faces.ids) if id.endswith("#1"))
    assert faces.boxes is not None
    assert faces.boxes[row].tolist() == [80, 12, 140, 72]  # left top right bottom
    crop = np.asarray(faces.crop(row)).astype(int)
    assert crop.shape == (60, 60, 3)
    assert np.mean(crop[:, :, 0] > crop[:, :, 2]) > 0.9  # tinted throughout: nothing of the blue photograph around it


def test_a_box_that_reaches_over_the_edge_is_clipped(tree: Path):
    change(tree / "label/label.lst", " 0 12 5 65 72 ", " 0 -9 -5 65 72 ")
    whole = read_expw(tree)
    faces = next(faces for faces in whole.splits.values() if "angry_man_0.jpg#0" in faces.ids)
    assert faces.crop(faces.ids.tolist().index("angry_man_0.jpg#0")).size == (65, 72)


def test_a_box_outside_the_photograph_is_named_when_it_is_read(tree: Path):
    change(tree / "label/label.lst", " 0 12 5 65 72 ", " 0 212 5 65 272 ")
    whole = read_expw(tree)
    faces = next(faces for faces in whole.splits.values() if "angry_man_0.jpg#0" in faces.ids)
    with pytest.raises(DatasetFormatError, match=r"angry_man_0\.jpg#0.*holds no pixel of the picture, which is 150x90"):
        faces.crop(faces.ids.tolist().index("angry_man_0.jpg#0"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" 0 12 5 65 72 23.5 0", " 0 12 5 65 72 0", "line 1: 'angry.*', expected 8 words: name face_id top left"),
        ("angry_man_0.jpg 0 12 5", "0 angry_man_0.jpg 12 5", "line 1: '0 angry_man.*', expected 8 words: name face_id"),
        ("angry_man_0.jpg 0 ", "name face_id label\nangry_man_0.jpg 0 ", "line 1: 'name .*', expected 8 words"),
        (" 0 12 5 65 72 ", f" 0 12 5 65 {10**20} ", "line 1: the box .* reaches farther than any picture"),
        (" 0 12 5 65 72 ", " 0 12 five 65 72 ", "line 1: the box '12 five 65 72' is not four whole numbers"),
        (" 0 12 5 65 72 ", " 0 72 5 65 12 ", "line 1: the box has top 72, .* so it is empty"),
        (" 0 12 5 65 72 23.5 0", " 0 12 5 65 72 23.5 7", "line 1: the label is '7', expected one of 0 angry"),
        ("angry_man_0.jpg 1", "angry_man_0.jpg 0", r"line 2: the face angry_man_0\.jpg#0 appears a second time"),
        ("angry_man_0.jpg 0", "../../x.jpg 0", "line 1: the file name .* does not stay inside"),
        ("angry_man_0.jpg 0", "/etc/x.jpg 0", "line 1: the file name .* does not stay inside"),
    ],
)
def test_a_line_that_is_wrong(tree: Path, old: str, new: str, said: str):
    change(tree / "label/label.lst", old, new)
    with pytest.raises(DatasetFormatError, match=said):
        read_expw(tree)


def test_an_absent_photograph_takes_both_its_faces(tree: Path):
    (tree / "image/origin/angry_man_0.jpg").unlink()
    with pytest.raises(DatasetFormatError, match=r"2 of 80 pictures .*angry_man_0\.jpg#0.*angry_man_0\.jpg#1"):
        read_expw(tree)
    assert sum(map(len, read_expw(tree, skip_broken=True).splits.values())) == 78


@pytest.mark.parametrize(
    ("missing", "said"), [("image", "image/origin is missing"), ("label", r"label\.lst is missing")]
)
def test_a_half_copied_folder(tree: Path, missing: str, said: str):
    shutil.rmtree(tree / missing)
    with pytest.raises(DatasetNotFoundError, match=rf"{said}; expected .*mmlab"):
        read_expw(tree)


def test_another_folder_is_not_expw(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match=r"not ExpW; expected label/label\.lst"):
        read_expw(tmp_path)
