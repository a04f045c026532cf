import numpy as np
import pytest

from resemotenet.datasets import SPLITS, FaceSet, read_fer2013
from tests.fake_fer2013 import BLANK
from training.audit import audit, fingerprints, has_copy_in, is_blank


def faces(split: str, pictures: str, labels: str) -> FaceSet:
    """One face a letter, equal letters being equal pictures; its label is a digit."""
    images = np.stack([np.arange(48 * 48).reshape(1, 48, 48) // 9 % (ord(p) - 50) for p in pictures]).astype(np.uint8)
    targets = np.array([int(label) for label in labels])
    ids = np.array([f"{split}{row}" for row in range(len(targets))])
    return FaceSet("fer2013", split, images, targets, np.eye(7, dtype=np.float32)[targets], ids)


def test_every_figure_by_hand():
    # a: twice in train. b: train and test, labels differ. c: train twice, validation twice. d: validation and test.
    splits = {
        "train": faces("train", "aabccx", "001220"),
        "validation": faces("validation", "ccdy", "2233"),
        "test": faces("test", "bdz", "430"),
    }
    assert audit(splits) == {
        "images": {"train": 6, "validation": 4, "test": 3},
        "identical_groups": 4,
        "surplus_copies": 6,  # 1 + 1 + 3 + 1
        "groups_across_splits": 3,
        "groups_with_conflicting_labels": 1,
        "blank_images": 0,
        "leaks": {
            "validation images with a copy in train": 2,
            "test images with a copy in train": 1,
            "train images with a copy elsewhere": 3,
        },
    }


def test_the_planted_copies(data_path):
    whole = read_fer2013(data_path)
    found = audit({split: whole.split(split) for split in SPLITS})
    assert found["identical_groups"] == 4
    assert found["surplus_copies"] == 5
    assert found["groups_across_splits"] == 3
    assert found["blank_images"] == len(BLANK)
    assert found["leaks"] == {
        "validation images with a copy in train": 1,
        "test images with a copy in train": 1,
        "train images with a copy elsewhere": 3,
    }


def test_one_grey_level_makes_another_image():
    images = np.zeros((3, 1, 48, 48), np.uint8)
    images[1, 0, 47, 47] = 1
    prints = fingerprints(images)
    assert prints[0] == prints[2] != prints[1]
    assert has_copy_in(images, images[:1]).tolist() == [True, False, True]


def test_the_same_pixels_in_another_memory_order():
    image = np.random.default_rng(0).integers(0, 256, (1, 1, 48, 48), dtype=np.uint8)
    assert has_copy_in(np.asfortranarray(image), image).all()


@pytest.mark.parametrize(("spread", "blank"), [(0, True), (1, True), (3, False), (200, False)])
def test_blank_is_a_standard_deviation_below_one_grey_level(spread: int, blank: bool):
    images = np.zeros((1, 1, 48, 48), np.uint8)
    images[:, :, :24] = spread  # standard deviation: half of it
    assert is_blank(images).tolist() == [blank]


def test_the_published_audit_of_fer2013(fer2013_parquet):
    whole = read_fer2013(fer2013_parquet)
    assert audit({split: whole.split(split) for split in SPLITS}) == {
        "images": {"train": 28_709, "validation": 3_589, "test": 3_589},
        "identical_groups": 1_516,
        "surplus_copies": 1_853,
        "groups_across_splits": 557,
        "groups_with_conflicting_labels": 57,
        "blank_images": 13,
        "leaks": {
            "validation images with a copy in train": 280,
            "test images with a copy in train": 288,
            "train images with a copy elsewhere": 703,
        },
    }
    blank = whole.ids[is_blank(whole.images[:, None])].tolist()
    assert len(blank) == 13
    assert "13148" in blank  # a fog of four grey levels; the other twelve are one level throughout
