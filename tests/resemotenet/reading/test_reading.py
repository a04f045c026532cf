import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from resemotenet import EMOTIONS, EmotionPredictor, FaceEmotion
from resemotenet.checkpoints.pretrained import Source
from resemotenet.reading.crops import cut
from resemotenet.reading.images import Picture
from resemotenet.runs.schema import Point
from tests.readings import reading_of

FACE = FaceEmotion(
    (1.23456, 2.0, 30.0, 40.987),
    (0.0, 1.0, 39.0, 40.0),
    0.99999999,
    "sad",
    0.62345678,
    {"sad": 0.62345678},
    -12.345678,
)


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> EmotionPredictor:
    """The real detector, random weights."""
    return EmotionPredictor.from_pretrained(model_folder, device="cpu")


def leaning() -> Image.Image:
    return Image.fromarray(data.astronaut()).rotate(-30, Image.Resampling.BICUBIC, center=(224, 120))


def dark() -> Image.Image:
    return Image.fromarray(data.astronaut()).point(lambda level: 0.15 * level)


def test_a_face_is_frozen_and_ready_for_json():
    assert json.loads(json.dumps(FACE.to_dict())) == {
        "box": [1.23, 2.0, 30.0, 40.99],
        "crop_box": [0.0, 1.0, 39.0, 40.0],
        "crop_roll": -12.35,
        "detection_score": 1.0,
        "label": "sad",
        "confidence": 0.623457,
        "not_sure": None,
        "probabilities": {"sad": 0.623457},
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        FACE.label = "happy"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("margin", "expected"),
    [(None, None), (0.19, None), (0.21, ("sad", "neutral")), (1.0, ("sad", "neutral"))],
)
def test_an_answer_that_leads_by_less_than_the_margin_names_two(margin, expected):
    shares = {"angry": 0.1, "neutral": 0.35, "sad": 0.55}
    face = dataclasses.replace(FACE, confidence=0.55, probabilities=shares, sure_margin=margin)
    assert face.not_sure == expected
    assert face.to_dict()["not_sure"] == (expected and list(expected))
    assert face.answer == ("not sure: sad or neutral" if expected else "sad")
    assert (face.label, face.to_dict()["label"]) == ("sad", "sad")


def test_of_equals_the_label_is_named_first():
    face = dataclasses.replace(FACE, probabilities={"happy": 0.5, "sad": 0.5}, sure_margin=0.1)
    assert face.not_sure == ("sad", "happy")


def test_a_model_of_one_label_is_always_sure():
    assert dataclasses.replace(FACE, sure_margin=1.0).not_sure is None


@pytest.mark.parametrize("margin", [None, 1.0])
def test_the_margin_is_the_models_own(predictor, margin):
    model = dataclasses.replace(predictor.model, info=dataclasses.replace(predictor.model.info, sure_margin=margin))
    faces = EmotionPredictor(model, device="cpu", detector=predictor.detector)(data.astronaut())
    assert [face.not_sure is None for face in faces] == [margin is None]


def test_pictures_are_read_at_their_own_operating_point_unless_the_other_is_asked_for(predictor):
    point = Point(temperature=2.0, logit_bias=(0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0), sure_margin=0.5)
    model = dataclasses.replace(predictor.model, info=dataclasses.replace(predictor.model.info, photographs=point))
    own, given = (
        EmotionPredictor(model, device="cpu", detector=predictor.detector, operating_point=which)
        for which in ("photographs", "given")
    )
    picture = data.astronaut()
    (face,), (before,) = own(picture), predictor(picture)
    assert given(picture)[0].to_dict() == before.to_dict()
    assert (face.label, face.sure_margin) == (predictor.labels[3], 0.5)
    found = own.read(picture)
    crops = own.model.preprocess(found.crops)
    np.testing.assert_allclose(own.classify(found.crops), own.model.probabilities(crops), atol=1e-6)
    assert found.info.temperature == 2.0


@pytest.mark.parametrize("picture", [leaning, dark])
def test_crops_are_light_and_looks_are_what_the_network_saw(predictor, picture):
    reading = predictor.read(picture())
    assert reading.faces
    for face, crop, look in zip(reading.faces, reading.crops, reading.looks, strict=True):
        assert crop.tobytes() == cut(reading.picture.image, face.crop_box, face.crop_roll).tobytes()
        assert look.tobytes() == predictor.model.preprocess.look(crop).tobytes()
        assert (look.mode, look.size) == ("L", (48, 48))
        assert np.asarray(look).mean() > 60
        (row,) = predictor.classify([crop])
        assert list(face.probabilities.values()) == pytest.approx(list(row), abs=1e-6)


def test_the_picture_itself_is_upright_and_as_light_as_it_came(predictor):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = dark().transpose(Image.Transpose.ROTATE_90)
    stored.info["exif"] = exif.tobytes()
    stored.getexif().load(exif.tobytes())
    reading = predictor.read(stored)
    assert reading.picture.image.tobytes() == dark().tobytes()
    assert np.asarray(reading.picture.light).mean() > 2 * np.asarray(reading.picture.image).mean()


def test_where_nobody_is(predictor):
    reading = predictor.read(data.coffee())
    assert (reading.faces, reading.crops, reading.looks) == ((), (), ())
    assert reading.to_dict()["faces"] == []


def test_it_can_be_sent_to_another_process(predictor):
    reading = predictor.read(data.astronaut())
    again = pickle.loads(pickle.dumps(reading))
    assert again.to_dict() == reading.to_dict()
    assert again.picture.light is again.picture.image
    for one, other in zip((*again.crops, *again.looks), (*reading.crops, *reading.looks), strict=True):
        assert one.tobytes() == other.tobytes()


class TestJson:
    def test_everything_in_its_place(self, predictor):
        reading = predictor.read(Image.fromarray(data.astronaut()[:400]))
        report = json.loads(json.dumps(reading.to_dict()))
        assert list(report) == ["schema", "model", "image", "faces"]
        assert report["schema"] == 1
        assert report["model"] == {
            "source": "random",
            "revision": None,
            "architecture": "resemotenet",
            "arguments": {"num_classes": 7, "in_channels": 1, "width": 0.0625, "compact": True},
            "labels": list(EMOTIONS),
            "license": None,
        }
        assert report["image"] == {"width": 512, "height": 400}
        assert report["faces"] == [face.to_dict() for face in reading.faces]

    def test_a_picture_from_a_file_is_named_as_it_was_given(self, predictor, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Image.new("RGB", (64, 48)).save("photo.png")
        for given in ("photo.png", Path("photo.png")):
            assert list(predictor.read(given).to_dict()["image"].items()) == [
                ("path", "photo.png"),
                ("width", 64),
                ("height", 48),
            ]

    def test_of_weights_in_a_folder_strangers_see_the_name_alone(self):
        made = reading_of(data.astronaut(), [FACE])
        folder = dataclasses.replace(made, source=Source(Path("/home/me/secret/faces"), "/home/me/secret/faces"))
        pinned = dataclasses.replace(made, source=Source(Path("/cache/snapshot"), "owner/faces", "0" * 40))
        assert folder.to_dict()["model"]["source"] == "faces"
        assert (pinned.to_dict()["model"]["source"], pinned.to_dict()["model"]["revision"]) == ("owner/faces", "0" * 40)
        assert made.to_dict()["model"]["license"] == "mit"

    def test_what_is_done_to_it_does_not_reach_the_next_one(self):
        made = reading_of(data.astronaut(), [FACE])
        made.to_dict()["model"]["arguments"]["width"] = "changed"
        assert "width" not in made.to_dict()["model"]["arguments"]


def test_a_picture_that_was_opened_before_is_not_opened_again(predictor):
    picture = Picture.open(data.astronaut())
    assert predictor.read(picture).picture is picture
