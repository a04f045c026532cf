"""From the bytes of a picture to what the page shows."""

import base64
import io
import re
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo import guard, handlers, markup
from resemotenet import EMOTIONS, EmotionPredictor, FaceEmotion
from resemotenet.emotions import percent
from resemotenet.reading import images
from resemotenet.reading import predictor as reading_faces
from resemotenet.reading.crops import cut


def data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(guard.decode_data_uri(uri)))


def face(label: str = "happy", confidence: float = 0.7) -> FaceEmotion:
    rest = (1 - confidence) / (len(EMOTIONS) - 1)
    probabilities = {name: confidence if name == label else rest for name in EMOTIONS}
    return FaceEmotion((10.0, 20.0, 60.0, 80.0), (5.0, 20.0, 65.0, 80.0), 0.98, label, confidence, probabilities)


def test_an_answer_shows_the_annotated_picture(predictor: EmotionPredictor, astronaut: bytes):
    answer = handlers.answer(predictor, picture=data_uri(astronaut), example=None, request=7)
    [expected] = predictor(astronaut)
    shown = opened(answer.stage["picture"])
    assert shown.format == "JPEG"
    assert shown.size == (512, 512)
    difference = np.abs(np.asarray(shown, int) - np.asarray(Image.open(io.BytesIO(astronaut)), int)).max(2) > 60
    rows, columns = np.nonzero(difference)
    x1, y1, x2, y2 = expected.box
    # The frame lies around the face, and a tag may lie above or below it.
    assert x1 - 20 < columns.min() < x1 + 5
    assert x2 - 5 < columns.max() < x2 + 60
    assert y1 - 60 < rows.min() < y1 + 5
    assert y2 - 5 < rows.max() < y2 + 60
    assert (answer.stage["state"], answer.stage["request"]) == ("done", 7)
    assert answer.stage["message"] == f"1 face: {expected.label}, {percent(expected.confidence)}."
    assert answer.report == predictor.read(astronaut).to_dict()


def test_a_large_picture_is_shown_smaller_but_reported_as_it_is(predictor: EmotionPredictor, astronaut: bytes):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(astronaut)).resize((2000, 2000)).save(buffer, "JPEG")
    answer = handlers.answer(predictor, picture=data_uri(buffer.getvalue()), example=None, request=1)
    assert opened(answer.stage["picture"]).size == (1600, 1600)
    assert answer.report is not None
    assert answer.report["image"] == {"width": 2000, "height": 2000}
    assert answer.report["faces"][0]["box"][2] > 1000  # in pixels of the picture that was given


def test_cards_and_explanations_of_a_dark_picture_show_what_the_network_saw(
    predictor: EmotionPredictor, astronaut: bytes
):
    dark = Image.open(io.BytesIO(astronaut)).convert("RGB").point(lambda level: 0.15 * level)
    given = markup.data_uri(dark, "PNG")
    answer = handlers.answer(predictor, picture=given, example=None, request=1)
    [expected] = predictor(dark)
    thumbnail, seen = re.findall(r"data:image/[^\"]+", answer.faces)[:2]
    for picture in (thumbnail, seen):
        assert np.asarray(opened(picture)).mean() > 70
    assert np.asarray(opened(answer.stage["picture"])).mean() < 30  # the picture itself is shown as it came
    asked = {"picture": given, "box": list(expected.crop_box), "roll": expected.crop_roll, "label": "happy"}
    inside = handlers.explain_face(predictor.model, asked)
    alone = handlers.explain_face(predictor.model, {"picture": seen, "box": None, "label": "happy"})
    pictures = [np.asarray(opened(answer["picture"]), int) for answer in (alone, inside)]
    assert np.abs(pictures[0] - pictures[1]).mean() < 2


def test_a_picture_is_opened_lightened_and_cut_once(
    predictor: EmotionPredictor, astronaut: bytes, monkeypatch: pytest.MonkeyPatch
):
    counts: Counter[str] = Counter()

    def counting(module: ModuleType, name: str) -> None:
        original = getattr(module, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, counted)

    for module, name in [(images, "read_image"), (images, "lightened"), (reading_faces, "cut"), (handlers, "cut")]:
        counting(module, name)
    answer = handlers.answer(predictor, picture=data_uri(astronaut), example=None, request=1)
    assert answer.stage["state"] == "done"
    assert counts == {"read_image": 1, "lightened": 1, "cut": 1}


def test_no_face_is_an_answer_not_an_error(predictor: EmotionPredictor, picture: Callable[..., bytes]):
    answer = handlers.answer(predictor, picture=data_uri(picture(200, 150)), example=None, request=1)
    assert answer.stage["state"] == "done"
    assert answer.stage["message"] == "No face was found in this picture."
    assert opened(answer.stage["picture"]).size == (200, 150)
    assert "No face found" in answer.faces
    assert answer.table == ""
    assert answer.report is not None
    assert answer.report["faces"] == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"just some text", "not a picture"),
        (b"", "empty"),
        (bytes(guard.MAX_BYTES + 1), "at most 15 MB"),
    ],
)
def test_a_refused_picture_gets_a_sentence_and_empties_the_page(predictor: EmotionPredictor, data: bytes, message: str):
    answer = handlers.answer(predictor, picture=data_uri(data), example=None, request=3)
    assert answer.stage.keys() == {"state", "message", "request"}
    assert (answer.stage["state"], answer.stage["request"]) == ("refused", 3)
    assert message in answer.stage["message"]
    assert (answer.faces, answer.table, answer.report) == (markup.nothing_yet(), "", None)


def test_an_event_without_a_picture_is_refused(predictor: EmotionPredictor):
    assert handlers.answer(predictor, picture=None, example=None, request=1).stage["state"] == "refused"


@pytest.mark.parametrize("name", ["nobody", "../guard.py"])
def test_only_examples_can_be_named(predictor: EmotionPredictor, name: str):
    answer = handlers.answer(predictor, picture=None, example=name, request=1)
    assert answer.stage["message"] == "There is no such example."


@pytest.mark.parametrize(("name", "faces"), [("astronaut", 1), ("hopper", 1), ("two", 2), ("cat", 0)])
def test_examples_hold_the_faces_they_promise(predictor: EmotionPredictor, name: str, faces: int):
    answer = handlers.answer(predictor, picture=None, example=name, request=1)
    assert answer.report is not None
    assert len(answer.report["faces"]) == faces


def test_every_example_is_small_and_its_source_is_stated():
    sources = (handlers.EXAMPLES_FOLDER / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in handlers.EXAMPLES_FOLDER.iterdir()} - {"README.md"}
    assert files == {example.file for example in handlers.EXAMPLES}
    for example in handlers.EXAMPLES:
        assert len(example.read()) < 200_000
        assert f"`{example.file}`" in sources


def test_summary_counts():
    assert handlers.summary([face("sad", 0.514)]) == "1 face: sad, 51%."
    several = [face("happy"), face("sad"), face("happy")]
    assert handlers.summary(several) == "3 faces: 2 happy, 1 sad."
    assert handlers.summary([face()] * 12) == "12 faces: 12 happy."
    assert "the 12 largest" in handlers.summary([face()] * 13)


class TestExplainFace:
    """ "Why?": what is asked comes from outside, so anything may be in it."""

    def test_what_the_network_saw_with_the_heat_over_it(self, predictor: EmotionPredictor, astronaut: bytes):
        image = Image.open(io.BytesIO(astronaut)).convert("RGB")
        [expected] = predictor(image)
        asked = {"picture": data_uri(astronaut), "box": list(expected.crop_box), "roll": 0, "label": "sad"}
        answer = handlers.explain_face(predictor.model, asked)
        assert set(answer) == {"picture", "text"}
        assert answer["text"].startswith("The brighter a place, the more it spoke for sad.")
        crop = image.crop(expected.crop_box)
        seen = np.asarray(predictor.model.preprocess.look(crop).resize((264, 264), Image.Resampling.BICUBIC), int)
        shown = np.asarray(opened(answer["picture"]), int)
        assert shown.shape == (264, 264, 3)
        warm = shown[..., 0] - shown[..., 2]  # the heat is red to yellow, the rest grey
        cold = warm < 10
        assert 0.05 < cold.mean() < 0.95
        assert np.corrcoef(shown[..., 0][cold], seen[cold])[0, 1] > 0.95

    def test_a_crop_alone_is_explained_like_the_face_in_its_picture(
        self, predictor: EmotionPredictor, astronaut: bytes
    ):
        image = Image.open(io.BytesIO(astronaut)).convert("RGB")
        [expected] = predictor(image)
        crop = image.crop(expected.crop_box)
        given = markup.data_uri(predictor.model.preprocess.look(crop), "PNG")
        alone = handlers.explain_face(predictor.model, {"picture": given, "box": None, "label": "happy"})
        box = list(expected.crop_box)
        inside = handlers.explain_face(
            predictor.model, {"picture": data_uri(astronaut), "box": box, "roll": 0.0, "label": "happy"}
        )
        assert alone["text"] == inside["text"]
        pictures = [np.asarray(opened(answer["picture"]), int) for answer in (alone, inside)]
        assert np.abs(pictures[0] - pictures[1]).mean() < 2

    def test_a_leaning_face_is_explained_upright(self, predictor: EmotionPredictor, astronaut: bytes):
        image = (
            Image.open(io.BytesIO(astronaut)).convert("RGB").rotate(-30, Image.Resampling.BICUBIC, center=(224, 120))
        )
        expected = predictor(image)[0]
        box, roll = list(expected.crop_box), expected.crop_roll
        picture = markup.data_uri(image, "PNG")
        inside = handlers.explain_face(
            predictor.model, {"picture": picture, "box": box, "roll": roll, "label": "happy"}
        )
        upright = predictor.model.preprocess.look(cut(image, expected.crop_box, roll))
        alone = handlers.explain_face(
            predictor.model, {"picture": markup.data_uri(upright, "PNG"), "box": None, "label": "happy"}
        )
        assert roll > 20
        pictures = [np.asarray(opened(answer["picture"]), int) for answer in (alone, inside)]
        assert np.abs(pictures[0] - pictures[1]).mean() < 2

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"label": "calm"}, "There is no such emotion."),
            ({"label": None}, "There is no such emotion."),
            ({"picture": None}, "There is no face in this call."),
            ({"box": [0, 0, 10]}, "There is no face in this call."),
            ({"box": [0, 0, 10, "10"]}, "There is no face in this call."),
            ({"box": [0, 0, 5000, 5000]}, "There is no face in this call."),
            ({"box": [50, 50, 20, 20]}, "There is no face in this call."),
            ({"box": [0, 0, 0.2, 0.2]}, "There is no face in this call."),
            ({"roll": None}, "There is no face in this call."),
            ({"roll": float("nan")}, "There is no face in this call."),
            ({"roll": 1000}, "There is no face in this call."),
            ({"roll": 10**400}, "There is no face in this call."),
            ({"box": [0, 0, 10**400, 10]}, "There is no face in this call."),
            ({"box": [0, 0, 200, 2], "roll": 45}, "There is no face in this call."),
            ({"picture": "data:image/jpeg;base64,AAAA"}, "A frame must be a JPEG or a PNG."),
            ({"picture": "data:image/jpeg;base64,\u00e4\u00e4\u00e4\u00e4"}, "The picture did not arrive whole"),
        ],
    )
    def test_what_cannot_be_explained_says_so(
        self, predictor: EmotionPredictor, astronaut: bytes, changes: dict[str, object], message: str
    ):
        asked = {"picture": data_uri(astronaut), "box": [100, 50, 200, 150], "roll": 0, "label": "happy"} | changes
        answer = handlers.explain_face(predictor.model, asked)
        assert answer["refused"].startswith(message)

    @pytest.mark.parametrize("asked", [None, [], "why", 3, {}])
    def test_not_even_a_question(self, predictor: EmotionPredictor, asked: object):
        assert set(handlers.explain_face(predictor.model, asked)) == {"refused"}
