import shutil
from pathlib import Path

import numpy as np
import pytest

from resemotenet.datasets import folds, read_ckplus
from resemotenet.datasets.ckplus import CODES, SEQUENCES
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests.fake_trees import write_ck_folders, write_ck_sequences


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    return write_ck_sequences(tmp_path)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    return write_ck_folders(tmp_path)


def label_file(root: Path) -> Path:
    return root / "Emotion/S006/001/S006_001_00000005_emotion.txt"


def test_the_codes_are_those_of_the_data_set():
    assert list(CODES.values()) == ["neutral", "angry", None, "disgust", "fear", "happy", "sad", "surprise"]
    assert sum(SEQUENCES.values()) + 18 == 327


def test_both_layouts_have_the_same_sequences(tmp_path: Path):
    one, other = (
        read_ckplus(write(tmp_path / write.__name__)).split("test") for write in (write_ck_sequences, write_ck_folders)
    )
    first, second = (
        {id[:8]: target for id, target in zip(faces.ids.tolist(), faces.targets, strict=True)} for faces in (one, other)
    )
    assert first == second
    assert len(first) == 24


def test_the_two_conventions_take_one_frame_or_three(sequences: Path):
    peak, three = (read_ckplus(sequences, labels=f"ckplus-{name}").split("test") for name in ("peak", "last3"))
    assert {id[-1] for id in peak.ids} == {"5"}
    assert {id[-1] for id in three.ids} == {"3", "4", "5"}
    assert len(three) == 3 * len(peak) == 72
    assert (peak.name, three.name) == ("ckplus-peak", "ckplus-last3")


def test_the_folder_copy_has_the_same_conventions(folders: Path):
    peak, three = (read_ckplus(folders, labels=f"ckplus-{name}").split("test") for name in ("peak", "last3"))
    assert {id[-2:] for id in peak.ids} == {"12"}
    assert len(three) == 3 * len(peak) == 72


def test_contempt_is_left_out_and_counted_and_nobody_is_neutral(sequences: Path):
    whole = read_ckplus(sequences)
    assert whole.left_out == {"contempt": 1}
    assert whole.split("test").counts()["neutral"] == 0
    assert not any(id.startswith("S005_003") for id in whole.split("test").ids)


def test_there_is_only_a_test_split(sequences: Path):
    with pytest.raises(DatasetFormatError, match="has no train split; it has test"):
        read_ckplus(sequences).split("train")


def test_ten_folds_by_subject(sequences: Path):
    faces = read_ckplus(sequences, labels="ckplus-last3").split("test")
    fold = folds(faces.groups)
    assert set(fold.tolist()) == set(range(10))
    for subject in set(faces.groups.tolist()):
        assert len(set(fold[faces.groups == subject].tolist())) == 1
    assert set(faces.groups[fold == 0].tolist()) == {"S005", "S015"}  # every tenth subject


def test_landmarks_cut_the_face_out(sequences: Path):
    faces = read_ckplus(sequences).split("test")
    assert faces.boxes is not None
    # A square 1.25 times the landmarks' 48 px, 3 px further up than their middle (80, 60).
    assert faces.boxes[0].tolist() == [50, 27, 110, 87]
    assert not read_ckplus(sequences).notes[0].startswith("there is no Landmarks/")


def test_without_landmarks_whole_frames_are_read_and_a_note_says_so(tmp_path: Path):
    whole = read_ckplus(write_ck_sequences(tmp_path, landmarks=False))
    assert whole.notes[0].startswith("there is no Landmarks/, so whole frames")
    assert whole.split("test").crop(0).size == (160, 120)


def test_other_counts_are_noted_with_both_numbers(sequences: Path):
    assert "test has 24 faces, Lucey et al. has 309: angry 4 instead of 45" in read_ckplus(sequences).notes[0]


def test_a_label_out_of_range(sequences: Path):
    label_file(sequences).write_text("   8.0000000e+00\n")
    with pytest.raises(DatasetFormatError, match=r"_emotion\.txt: the label is '8.0000000e\+00', expected one of"):
        read_ckplus(sequences)


def test_a_label_file_with_more_than_a_number(sequences: Path):
    label_file(sequences).write_text("3 4")
    with pytest.raises(DatasetFormatError, match="expected one number"):
        read_ckplus(sequences)


def test_a_label_whose_frame_is_absent(sequences: Path):
    frame = sequences / "cohn-kanade-images/S006/001/S006_001_00000005.png"
    frame.unlink()
    with pytest.raises(DatasetFormatError, match=r"S006_001_00000005\.png is listed but missing \(labelled by"):
        read_ckplus(sequences)
    whole = read_ckplus(sequences, skip_broken=True)
    assert len(whole.split("test")) == 23  # not the frame before: it is no peak


def test_a_wrong_class_folder(folders: Path):
    (folders / "furious").mkdir()
    with pytest.raises(DatasetFormatError, match="furious is not a class folder of CK"):
        read_ckplus(folders)


def test_an_absent_class_folder(folders: Path):
    shutil.rmtree(folders / "fear")
    with pytest.raises(DatasetNotFoundError, match="has no folder of fear; expected anger, disgust"):
        read_ckplus(folders)


def test_a_name_without_a_subject(folders: Path):
    next((folders / "anger").glob("*_00000012.png")).rename(folders / "anger/face12.png")
    with pytest.raises(DatasetFormatError, match=r"face12\.png: the name does not tell the subject"):
        read_ckplus(folders)


def test_the_same_frame_under_two_emotions(folders: Path):
    shutil.copy(next((folders / "anger").iterdir()), folders / "sadness")
    shutil.copy(next((folders / "sadness").glob("S0*")), folders / "anger")
    with pytest.raises(DatasetFormatError, match="appears a second time"):
        read_ckplus(folders, labels="ckplus-last3")


@pytest.mark.parametrize("missing", ["cohn-kanade-images", "Emotion"])
def test_a_half_copied_folder(sequences: Path, missing: str):
    shutil.rmtree(sequences / missing)
    with pytest.raises(DatasetNotFoundError, match=rf"{missing} is missing; expected S005/001.*jeffcohn"):
        read_ckplus(sequences)


def test_landmarks_that_are_absent_or_damaged(sequences: Path):
    file = sequences / "Landmarks/S006/001/S006_001_00000005_landmarks.txt"
    file.write_text("1.0 2.0 3.0")
    with pytest.raises(DatasetFormatError, match="holds no landmarks"):
        read_ckplus(sequences)
    file.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"landmarks\.txt is missing"):
        read_ckplus(sequences)


def test_no_such_convention(sequences: Path):
    with pytest.raises(ValueError, match="there are ckplus-peak, ckplus-last3"):
        read_ckplus(sequences, labels="ckplus")


def test_another_folder_is_not_ckplus(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match="is not CK"):
        read_ckplus(tmp_path)


def test_frames_are_the_drawn_ones(sequences: Path):
    faces = read_ckplus(sequences).split("test")
    pixels = faces.read(np.arange(len(faces)), 48)
    assert len({image.tobytes() for image in pixels}) == len(faces)
