import numpy as np
import pytest

from resemotenet.datasets import FaceSet, Synthetic, synthetic
from resemotenet.datasets.synthetic import SIZES
from resemotenet.emotions import EMOTIONS


@pytest.fixture(scope="module")
def faces() -> dict[str, FaceSet]:
    return {split: Synthetic().split(split) for split in SIZES}


def test_faces_as_every_reader_gives_them(faces: dict[str, FaceSet]):
    for split, each in faces.items():
        assert (each.name, each.split, len(each)) == ("synthetic", split, SIZES[split])
        assert each.images.shape == (SIZES[split], 1, 48, 48)
        assert each.images.dtype == np.uint8
        np.testing.assert_array_equal(each.distribution, np.eye(7)[each.targets])
        assert each.ids[[0, -1]].tolist() == [f"{split}-00000", f"{split}-{SIZES[split] - 1:05d}"]


def test_a_seed_gives_the_same_pixels_whatever_was_drawn_before(faces: dict[str, FaceSet]):
    np.random.default_rng(5).random(7)
    again = Synthetic().split("validation")
    np.testing.assert_array_equal(again.images, faces["validation"].images)
    np.testing.assert_array_equal(again.targets, faces["validation"].targets)
    other = Synthetic(seed=1).split("validation")
    assert not (other.images == again.images).all(axis=(1, 2, 3)).any()


def test_no_face_is_drawn_twice(faces: dict[str, FaceSet]):
    pixels = [image.tobytes() for each in faces.values() for image in each.images]
    assert len(set(pixels)) == len(pixels) == sum(SIZES.values())


def test_every_emotion_is_there_and_disgust_is_rare(faces: dict[str, FaceSet]):
    for each in faces.values():
        shares = {emotion: n / len(each) for emotion, n in each.counts().items()}
        assert min(shares, key=lambda emotion: shares[emotion]) == "disgust"
        assert all(0.05 < share < 0.23 for share in shares.values())


def test_features_are_where_the_emotion_puts_them(faces: dict[str, FaceSet]):
    """Mean faces, for pose and light average out: an open mouth is dark, lowered inner brows darken the nose's root."""
    train = faces["train"]
    mean = {
        emotion: train.images[train.targets == index, 0].mean(axis=0, dtype=float)
        for index, emotion in enumerate(EMOTIONS)
    }
    mouth = {emotion: face[33:39, 21:27].mean() for emotion, face in mean.items()}
    assert min(mouth, key=lambda emotion: mouth[emotion]) == "surprise"
    root = {emotion: face[14:19, 20:28].mean() for emotion, face in mean.items()}
    assert sorted(root, key=lambda emotion: root[emotion])[:2] == ["angry", "disgust"]
    corners = {emotion: face[29:33, [14, 15, 16, 31, 32, 33]].mean() for emotion, face in mean.items()}
    assert min(corners, key=lambda emotion: corners[emotion]) == "happy"


def test_who_knew_every_feature_would_name_93_percent():
    """The best guess there is: the emotion whose density at these features, times how often it is drawn, is largest."""
    rng = np.random.default_rng(0)
    full = np.array([synthetic._FULL[emotion] for emotion in EMOTIONS])
    targets = rng.choice(7, 4_000, p=synthetic._SHARES)
    shown = full[targets] * rng.uniform(*synthetic._STRENGTH, (4_000, 1))
    features = shown + rng.normal(0, synthetic._SPREAD, shown.shape)
    strengths = np.linspace(*synthetic._STRENGTH, 31)[:, None]
    density = np.stack(
        [
            np.exp(-((features[:, None] - emotion * strengths) ** 2).sum(axis=2) / (2 * synthetic._SPREAD**2)).mean(
                axis=1
            )
            for emotion in full
        ]
    )
    said = (density * np.array(synthetic._SHARES)[:, None]).argmax(axis=0)
    assert (said == targets).mean() == pytest.approx(0.93, abs=0.012)  # three standard errors


def test_it_takes_more_than_pixels_to_tell_them_apart(faces: dict[str, FaceSet]):
    """The nearest mean face is better than a guess (19% for the most frequent emotion) and far from good."""

    def seen(each: FaceSet) -> np.ndarray:
        pixels = each.images.reshape(len(each), -1).astype(np.float32)
        return (pixels - pixels.mean(axis=1, keepdims=True)) / pixels.std(axis=1, keepdims=True)

    train, validation = seen(faces["train"]), seen(faces["validation"])
    means = np.stack([train[faces["train"].targets == index].mean(axis=0) for index in range(7)])
    said = ((validation**2).sum(axis=1)[:, None] - 2 * validation @ means.T + (means**2).sum(axis=1)).argmin(axis=1)
    assert 0.25 < (said == faces["validation"].targets).mean() < 0.7


@pytest.mark.parametrize(("split", "labels"), [("valid", "synthetic"), ("train", "fer2013")])
def test_unknown_names(split: str, labels: str):
    with pytest.raises(ValueError, match="splits: train, validation, test; labels: synthetic"):
        Synthetic().split(split, labels)
