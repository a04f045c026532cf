"""From the bytes of a picture to what the page shows."""

import base64
import io
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo import guard, handlers, markup
from resemotenet import EmotionPredictor
from resemotenet.reading import images
from resemotenet.reading import predictor as reading_faces
from resemotenet.reading.crops import cut


def data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(guard.decode_data_uri(uri)))


def ask(reader: EmotionPredictor, **question: Any) -> dict[str, Any]:
    return handlers.answer(reader, **{"picture": None, "example": None, "shown": False, "request": 1, **question})


def test_an_answer_is_the_one_json_and_what_the_network_saw(predictor: EmotionPredictor, astronaut: bytes):
    answer = ask(predictor, picture=data_uri(astronaut), request=7)
    reading = predictor.read(astronaut)
    assert list(answer) == ["state", "request", "report", "looks"]  # the browser has the picture
    assert (answer["state"], answer["request"]) == ("done", 7)
    assert answer["report"] == reading.to_dict()
    [look] = answer["looks"]
    assert opened(look).tobytes() == reading.looks[0].tobytes()


def test_a_picture_that_the_browser_cannot_decode_comes_back_smaller(predictor: EmotionPredictor, astronaut: bytes):
    buffer = io.BytesIO()
    Image.open(io.BytesIO(astronaut)).resize((2000, 2000)).save(buffer, "TIFF")
    answer = ask(predictor, picture=data_uri(buffer.getvalue()), shown=True)
    shown = opened(answer["picture"])
    assert (shown.format, shown.size) == ("JPEG", (1600, 1600))
    assert answer["report"]["image"] == {"width": 2000, "height": 2000}
    assert answer["report"]["faces"][0]["box"][2] > 1000  # in pixels of the picture that was given


def in_the_dark(image: Image.Image) -> Image.Image:
    return image.point(lambda level: 0.15 * level)


def against_the_light(image: Image.Image) -> Image.Image:
    """The face in the dark, and around it a window."""
    window = Image.new("RGB", image.size, (238, 243, 245))
    window.paste(in_the_dark(image).crop((150, 30, 300, 200)), (150, 30))
    return window


@pytest.mark.parametrize("light", [in_the_dark, against_the_light])
def test_a_dark_face_comes_back_dark_and_is_explained_as_it_was_read(
    predictor: EmotionPredictor, astronaut: bytes, light: Callable[[Image.Image], Image.Image]
):
    dark = light(Image.open(io.BytesIO(astronaut)).convert("RGB"))
    given = markup.data_uri(dark, "PNG")
    answer = ask(predictor, picture=given, shown=True)
    [expected] = predictor(dark)
    [seen] = answer["looks"]
    assert np.asarray(opened(seen)).mean() > 60
    assert np.asarray(opened(answer["picture"]).crop(expected.crop_box)).mean() < 40
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
    assert ask(predictor, picture=data_uri(astronaut))["state"] == "done"
    assert counts == {"read_image": 1, "lightened": 1, "cut": 1}


def test_no_face_is_an_answer_not_an_error(predictor: EmotionPredictor, picture: Callable[..., bytes]):
    answer = ask(predictor, picture=data_uri(picture(200, 150)))
    assert answer["state"] == "done"
    assert answer["report"]["faces"] == answer["looks"] == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"just some text", "not a picture"),
        (b"", "empty"),
        (bytes(guard.MAX_BYTES + 1), "at most 15 MB"),
    ],
)
def test_a_refused_picture_gets_a_sentence(predictor: EmotionPredictor, data: bytes, message: str):
    answer = ask(predictor, picture=data_uri(data), request=3)
    assert answer.keys() == {"state", "message", "request"}
    assert (answer["state"], answer["request"]) == ("refused", 3)
    assert message in answer["message"]


def test_an_event_without_a_picture_is_refused(predictor: EmotionPredictor):
    assert ask(predictor)["state"] == "refused"


@pytest.mark.parametrize("name", ["nobody", "../guard.py"])
def test_only_examples_can_be_named(predictor: EmotionPredictor, name: str):
    assert ask(predictor, example=name)["message"] == "There is no such example."


@pytest.mark.parametrize(("name", "faces"), [("astronaut", 1), ("hopper", 1), ("two", 2), ("crowd", 15), ("cat", 0)])
def test_examples_hold_the_faces_they_promise_and_come_with_their_picture(
    predictor: EmotionPredictor, name: str, faces: int
):
    answer = ask(predictor, example=name)
    assert len(answer["report"]["faces"]) == faces
    assert answer["report"]["image"] == dict(zip(("width", "height"), opened(answer["picture"]).size, strict=True))


def test_every_example_is_small_and_its_source_is_stated():
    sources = (handlers.EXAMPLES_FOLDER / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in handlers.EXAMPLES_FOLDER.iterdir()} - {"README.md"}
    assert files == {example.file for example in handlers.EXAMPLES}
    for example in handlers.EXAMPLES:
        assert len(example.read()) < 200_000
        assert f"`{example.file}`" in sources


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
