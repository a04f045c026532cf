import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.datasets import FaceFiles, read_expw, read_rafdb
from resemotenet.errors import DatasetFormatError
from tests.fake_trees import cut_short, write_expw, write_raf_official


@pytest.fixture
def faces(tmp_path: Path) -> FaceFiles:
    return read_rafdb(write_raf_official(tmp_path)).split("test")


@pytest.mark.parametrize("size", [32, 64, 100, 120])
def test_reading_is_the_evaluation_transform_to_half_a_level(faces: FaceFiles, size: int):
    preprocess = Preprocess(size=size)
    exact = preprocess([faces.crop(row) for row in range(len(faces))])
    read = preprocess.batch(torch.from_numpy(faces.read(np.arange(len(faces)), size)))
    half_a_level = 0.5 / 255 / min(preprocess.std)
    assert (read - exact).abs().max() <= half_a_level * 1.001
    assert (read - exact).abs().max() > 0  # colour pictures do have levels between


def test_files_and_memory_give_the_same_batches(faces: FaceFiles):
    held, broken = faces.into_memory(40)
    assert broken == ()
    assert (held.name, held.split, len(held)) == ("raf-db", "test", 14)
    rng = np.random.default_rng(0)
    for _ in range(5):
        rows = rng.permutation(14)[:4]
        np.testing.assert_array_equal(held.read(rows, 40), faces.read(rows, 40))
        np.testing.assert_array_equal(held.targets[rows], faces.targets[rows])
        np.testing.assert_array_equal(held.distribution[rows], faces.distribution[rows])
        assert held.ids[rows].tolist() == faces.ids[rows].tolist()


def test_faces_read_together_are_those_read_one_by_one(tmp_path: Path):
    """Bit for bit, whatever their number, shape and neighbours; more than are opened at once."""
    from_boxes = read_expw(write_expw(tmp_path)).split("train")
    boxes = from_boxes.boxes
    assert boxes is not None
    boxes += np.random.default_rng(0).integers(-3, 4, boxes.shape)
    rows = np.arange(len(from_boxes))
    assert len(rows) > 40
    for size in (24, 60, 77):
        look = Preprocess(size=size).look
        expected = np.stack([np.asarray(look(from_boxes.crop(row))) for row in rows.tolist()])
        np.testing.assert_array_equal(from_boxes.read(rows, size)[:, 0], expected)
        np.testing.assert_array_equal(from_boxes.read(rows[::-1], size)[:, 0], expected[::-1])


def test_memory_resizes_as_the_transform_does(faces: FaceFiles):
    held, _ = faces.into_memory(100)
    rows = np.arange(14)
    exact = Preprocess(size=48).resize(torch.from_numpy(held.images))
    assert np.abs(held.read(rows, 48) - exact.numpy()).max() <= 0.5
    np.testing.assert_array_equal(held.read(rows, 100), held.images)


def test_boxes_are_cut_out_before_resizing(tmp_path: Path):
    faces = read_expw(write_expw(tmp_path)).split("test")
    for row in range(len(faces)):
        expected = Preprocess(size=24).look(faces.crop(row))
        np.testing.assert_array_equal(faces.read(np.array([row]), 24)[0, 0], np.asarray(expected))


def test_where_keeps_everything_of_a_row_together(faces: FaceFiles):
    keep = faces.targets == 3
    happy = faces.where(keep)
    assert happy.counts() == {**dict.fromkeys(faces.counts(), 0), "happy": 2}
    np.testing.assert_array_equal(happy.read(np.arange(2), 30), faces.read(np.flatnonzero(keep), 30))
    assert happy.ids.tolist() == faces.ids[keep].tolist()


def test_a_worker_process_gets_labels_and_names_but_no_pixels(faces: FaceFiles):
    sent = pickle.dumps(faces)
    assert len(sent) < 20_000
    np.testing.assert_array_equal(pickle.loads(sent).read(np.arange(3), 20), faces.read(np.arange(3), 20))


class TestBroken:
    @pytest.fixture
    def damaged(self, faces: FaceFiles) -> FaceFiles:
        for row in (2, 7):
            cut_short(faces.root / faces.files[row])
        (faces.root / faces.files[9]).write_bytes(b"")
        return faces

    def test_reading_names_file_and_id(self, damaged: FaceFiles):
        with pytest.raises(DatasetFormatError, match=r"test_00003_aligned\.jpg \(id test_00003\): .* cut short"):
            damaged.read(np.array([0, 2]), 32)
        with pytest.raises(DatasetFormatError, match=r"id test_00010\): the file is empty"):
            damaged.read(np.array([9]), 32)

    def test_the_others_are_read_all_the_same(self, damaged: FaceFiles):
        rows = np.array([9, 0, 2, 5])
        images, broken = damaged.read_whole(rows, 32)
        assert list(broken) == [0, 2]
        assert not images[[0, 2]].any()
        np.testing.assert_array_equal(images[[1, 3]], damaged.read(np.array([0, 5]), 32))

    def test_into_memory_counts_all_and_stops(self, damaged: FaceFiles):
        with pytest.raises(
            DatasetFormatError, match=r"^3 of 14 pictures cannot be used: .*test_00003.*test_00008.*--skip-broken"
        ):
            damaged.into_memory(32)

    def test_into_memory_leaves_them_out_if_asked(self, damaged: FaceFiles):
        held, broken = damaged.into_memory(32, skip_broken=True)
        assert len(held) == len(held.images) == 11
        assert not {"test_00003", "test_00008", "test_00010"} & set(held.ids.tolist())
        assert len(broken) == 3
        kept = np.delete(np.arange(14), [2, 7, 9])
        np.testing.assert_array_equal(held.images, damaged.read(kept, 32))

    def test_nothing_left_is_an_error_all_the_same(self, faces: FaceFiles):
        for file in faces.files:
            cut_short(faces.root / file)
        with pytest.raises(DatasetFormatError, match=r"14 of 14 pictures .*; and 9 more"):
            faces.into_memory(32, skip_broken=True)
