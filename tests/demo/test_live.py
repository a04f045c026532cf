"""One frame of the live page: what is answered, what is refused, who has to wait."""

import base64
import io
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo import guard, handlers, live
from resemotenet import EMOTIONS, EmotionPredictor
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.faces import Box, Face, overlap

SCENE = (640, 480)


class Watched:
    """The real detector, noting what it was asked for."""

    def __init__(self, detector: MTCNNDetector) -> None:
        self.detector = detector
        self.asked: list[str] = []

    def detect(self, image: Image.Image) -> list[Face]:
        self.asked.append("search")
        return self.detector.detect(image)

    def detect_backlit(self, image: Image.Image) -> list[Face]:
        self.asked.append("search the shadows")
        return self.detector.detect_backlit(image)

    def follow(self, image: Image.Image, boxes: list[Box]) -> list[Face | None]:
        self.asked.append("follow")
        return self.detector.follow(image, boxes)


@pytest.fixture(scope="module")
def detector() -> MTCNNDetector:
    return MTCNNDetector(max_side=live.SEARCH_SIDE, thorough=False)


@pytest.fixture
def finder(detector: MTCNNDetector) -> Watched:
    return Watched(detector)


def uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def scene(*places: tuple[int, int], size: tuple[int, int] = SCENE) -> Image.Image:
    """A room with the astronaut's head at each place."""
    with Image.open(handlers.EXAMPLES_FOLDER / "astronaut.jpg") as image:
        head = image.crop((120, 20, 330, 230)).convert("RGB")
    room = Image.new("RGB", size, (120, 125, 130))
    for place in places:
        room.paste(head, place)
    return room


def question(image: Image.Image, time: float, memory: Any = None, **changes: Any) -> dict[str, Any]:
    return {"frame": uri(image), "time": time, "smoothing": 0.0, "memory": memory} | changes


def film(
    predictor: EmotionPredictor, finder: Watched, *images: Image.Image, step: float = 0.05
) -> list[dict[str, Any]]:
    """The answers to a film; the memory makes the journey through JSON, as it does in life."""
    answers: list[dict[str, Any]] = []
    memory = None
    for index, image in enumerate(images):
        answers.append(live.answer(predictor, finder, question(image, 1 + index * step, memory)))
        memory = json.loads(json.dumps(answers[-1], allow_nan=False))["memory"]
    return answers


def test_a_frame_is_read_as_the_predictor_reads_it(predictor: EmotionPredictor, finder: Watched):
    image = scene((200, 100))
    [answer] = film(predictor, finder, image)
    decoded = Image.open(io.BytesIO(base64.b64decode(uri(image).split(",")[1]))).convert("RGB")
    [expected] = predictor.read(decoded, finder.detector.detect(decoded)).faces
    assert answer["faces"] == [{"number": 1, **expected.to_dict()}]
    assert set(answer["ms"]) == {"decode", "find", "read"}
    json.dumps(answer, allow_nan=False)


def test_a_face_in_the_dark_is_found_and_read(predictor: EmotionPredictor, finder: Watched):
    dark = scene((200, 100)).point(lambda level: 0.1 * level)
    [light, found] = (film(predictor, finder, image)[0]["faces"] for image in (scene((200, 100)), dark))
    assert len(found) == 1
    assert overlap(found[0]["box"], light[0]["box"]) > 0.8


def test_a_face_before_a_window_is_found_and_followed(predictor: EmotionPredictor, finder: Watched):
    backlit = against_the_light(scene((200, 100)))
    [light] = film(predictor, finder, scene((200, 100)))[0]["faces"]
    finder.asked.clear()
    answers = film(predictor, finder, *[backlit] * 24)
    assert finder.asked == [
        *("search", "search the shadows", *["follow"] * 19),
        *("search", "search the shadows", *["follow"] * 3),
    ]
    for answer in answers:
        [face] = answer["faces"]
        assert face["number"] == 1
        assert overlap(face["box"], light["box"]) > 0.8


def against_the_light(image: Image.Image) -> Image.Image:
    """A ``scene`` whose people have a sixteenth of the light, before what is nearly white."""
    wall = np.all(np.asarray(image) == (120, 125, 130), axis=2)[..., None]
    return Image.fromarray(np.where(wall, 240, np.asarray(image) / 16).astype(np.uint8))


def test_a_moving_face_is_followed_and_searched_for_every_second(predictor: EmotionPredictor, finder: Watched):
    places = [(150 + 6 * i, 100 + 3 * i) for i in range(25)]
    answers = film(predictor, finder, *(scene(place) for place in places))
    assert finder.asked == ["search", *["follow"] * 19, "search", *["follow"] * 4]
    for (x, y), answer in zip(places, answers, strict=True):
        [face] = answer["faces"]
        assert face["number"] == 1
        head = (x + 60.0, y + 46.0, x + 148.0, y + 154.0)  # drawn by hand on the picture, moved with it
        assert overlap(tuple(face["box"]), head) > 0.7


def test_a_lost_face_is_searched_for_at_once(predictor: EmotionPredictor, finder: Watched):
    answers = film(predictor, finder, scene((50, 100)), scene((50, 100)), scene((400, 200)), scene())
    assert finder.asked == ["search", "follow", "follow", "search", "follow", "search"]
    assert [[face["number"] for face in answer["faces"]] for answer in answers] == [[1], [1], [2], []]


def test_where_there_is_nobody_every_frame_is_searched_and_its_shadows_twice_a_second(
    predictor: EmotionPredictor, finder: Watched
):
    film(predictor, finder, *[scene()] * 21)
    assert finder.asked == [*("search", "search the shadows", *["search"] * 9)] * 2 + ["search", "search the shadows"]


def test_a_newcomer_is_seen_within_a_second(predictor: EmotionPredictor, finder: Watched):
    one, two = scene((50, 100)), scene((50, 100), (380, 200))
    answers = film(predictor, finder, one, *[two] * 11, step=0.1)
    counts = [len(answer["faces"]) for answer in answers]
    assert counts == [1] * 10 + [2, 2]
    assert [face["number"] for face in answers[-1]["faces"]] in ([1, 2], [2, 1])


def test_smoothing_travels_with_the_frame(predictor: EmotionPredictor, finder: Watched):
    """Two different looks at one place: with much smoothing, the second is shown almost as the first was."""
    first, second = scene((200, 100)), scene((200, 100)).point([100 + level // 2 for level in range(256)] * 3)
    memory = live.answer(predictor, finder, question(first, 1.0))["memory"]
    probabilities = []
    for smoothing in (0.0, 5.0):
        answer = live.answer(predictor, finder, question(second, 1.05, memory, smoothing=smoothing))
        probabilities.append(np.array([answer["faces"][0]["probabilities"][name] for name in EMOTIONS]))
    before = np.array([memory["tracks"][0]["probabilities"][name] for name in EMOTIONS])
    read, smoothed = probabilities
    assert np.abs(read - before).max() > 1e-5
    assert smoothed == pytest.approx(before + (1 - np.exp(-0.05 / 5)) * (read - before), abs=2e-6)


def test_two_who_become_one_are_searched_for(predictor: EmotionPredictor, finder: Watched):
    memory = live.answer(predictor, finder, question(scene((200, 100)), 1.0))["memory"]
    [person] = memory["tracks"]
    shifted = [value + 12 for value in person["box"]]
    memory["tracks"].append(person | {"number": 2, "box": shifted})
    answer = live.answer(predictor, finder, question(scene((200, 100)), 1.05, memory))
    assert finder.asked == ["search", "follow", "search"]
    assert len(answer["faces"]) == 1


def test_of_a_crowd_the_first_dozen_is_read(
    predictor: EmotionPredictor, finder: Watched, monkeypatch: pytest.MonkeyPatch
):
    image = scene((200, 100))
    [found] = finder.detect(image)
    crowd = [replace(found, box=(x, y, x + 60.0, y + 60.0)) for y in (10.0, 110.0, 210.0) for x in range(0, 560, 80)]
    monkeypatch.setattr(finder, "detect", lambda _: list(crowd))
    answer = live.answer(predictor, finder, question(image, 1.0))
    assert [face["box"] for face in answer["faces"]] == [list(face.box) for face in crowd[:12]]


def test_the_times_told_are_parts_of_the_time_taken(
    predictor: EmotionPredictor, finder: Watched, monkeypatch: pytest.MonkeyPatch
):
    search = finder.detect

    def slow(image: Image.Image) -> list[Face]:
        time.sleep(0.2)
        return search(image)

    monkeypatch.setattr(finder, "detect", slow)
    begun = time.perf_counter()
    parts = live.answer(predictor, finder, question(scene((200, 100)), 1.0))["ms"]
    assert sum(parts.values()) <= 1000 * (time.perf_counter() - begun)
    assert parts["find"] >= 200


class TestRefusals:
    def test_a_progressive_jpeg_which_may_take_any_time(self, predictor: EmotionPredictor, finder: Watched):
        buffer = io.BytesIO()
        scene((200, 100)).save(buffer, "JPEG", progressive=True)
        frame = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
        assert "not be progressive" in live.answer(predictor, finder, question(scene(), 1.0, frame=frame))["refused"]

    @pytest.mark.parametrize("asked", [None, "frame", {}, {"frame": None}, {"frame": 3}])
    def test_no_frame(self, predictor: EmotionPredictor, finder: Watched, asked: Any):
        assert live.answer(predictor, finder, asked) == {"refused": "There is no frame in this call."}

    def test_a_frame_larger_than_the_page_sends(self, predictor: EmotionPredictor, finder: Watched):
        refused = live.answer(predictor, finder, question(scene(size=(700, 480)), 1.0))
        assert "at most 640 pixels on a side" in refused["refused"]
        long = {"frame": "data:image/jpeg;base64," + "A" * guard.MAX_FRAME_BYTES * 2, "time": 1.0, "smoothing": 0}
        assert "at most 600000 bytes" in live.answer(predictor, finder, long)["refused"]
        assert finder.asked == []

    def test_a_frame_that_is_cut_short(self, predictor: EmotionPredictor, finder: Watched):
        head, whole = uri(scene((200, 100))).split(",")
        asked = question(scene(), 1.0, frame=f"{head},{whole[: len(whole) // 8 * 4]}")
        assert "damaged or cut short" in live.answer(predictor, finder, asked)["refused"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("time", None), ("time", float("nan")), ("time", -1), ("time", True), ("smoothing", 6), ("smoothing", "1")],
    )
    def test_numbers_out_of_range(self, predictor: EmotionPredictor, finder: Watched, field: str, value: Any):
        answer = live.answer(predictor, finder, question(scene(), 1.0) | {field: value})
        assert "expected a number from 0 to" in answer["refused"]

    def test_a_memory_that_no_answer_held(self, predictor: EmotionPredictor, finder: Watched):
        good = live.answer(predictor, finder, question(scene((200, 100)), 1.0))["memory"]
        track = good["tracks"][0]
        for memory, problem in [
            ([], "must be what the answer before held"),
            ({}, "expected a number"),
            (good | {"searched": 3.0}, "expected a number"),
            (good | {"tracks": [track | {"box": [0, 0, 1e6, 1e6]}]}, "no frame of"),
            (good | {"tracks": [track | {"number": n} for n in range(1, live.MAX_FACES + 2)]}, "no frame of"),
            (good | {"tracks": [track | {"box": [0, 0, 9, 10**400]}]}, "not a face of a tracking state"),
            (good | {"tracks": [track | {"box": [9000, 0, 9100, 100]}]}, "no frame of"),
            (good | {"tracks": [track | {"box": "all"}]}, "not a face of a tracking state"),
            (good | {"time": 2.0}, "time goes forward"),
            (good | {"tracks": [track | {"probabilities": {"calm": 1.0}}]}, "another model|begin anew"),
        ]:
            answer = live.answer(predictor, finder, question(scene((200, 100)), 1.5, memory))
            assert set(answer) == {"refused"}
            assert any(part in answer["refused"] for part in problem.split("|")), answer
