"""The reader in the browser against the one in Python, with the same weights in the same 8 bits."""

import base64
import gzip
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Page

from demo import handlers, live, markup
from demo.browser.assemble import assemble
from resemotenet import EmotionPredictor, load_model
from resemotenet.checkpoints.pretrained import resolve
from resemotenet.datasets import read_fer2013
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.explain import _heat, explain, overlay
from resemotenet.reading.faces import overlap as shared
from resemotenet.reading.portable import EXPLAIN_FILE, NETWORK_FILE
from tests.benchmarks import scene_study
from tests.browser import camera, on_device
from tests.browser.conftest import Launch
from tests.browser.on_device import open_reader, served, skip_without_runtime

FACES = 200
# Of PNGs the pixels are the same; two decoders of JPEG may differ by a level here and there.
SAME, NEARLY = 1e-4, 0.02

Evidence = Callable[[Sequence[Image.Image], str], np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_without_runtime()
    source = resolve()
    return assemble(load_model(source.folder), source, tmp_path_factory.mktemp("reader") / "device")


@pytest.fixture(scope="module")
def page(launch: Launch, folder: Path) -> Iterator[Page]:
    with served(folder) as address:
        page = launch("patterns").new_context().new_page()
        open_reader(page, address)
        yield page
        page.context.close()


@pytest.fixture(scope="module")
def predictor() -> EmotionPredictor:
    return EmotionPredictor.from_pretrained(precision="int8")


def pictures(faces: Any) -> Iterator[Image.Image]:
    """Scenes with so many faces pasted: every condition once, in a random order."""
    conditions, pasted = list(scene_study.conditions()), 0
    np.random.default_rng(0).shuffle(conditions)
    while pasted < FACES:
        condition = conditions.pop()
        several = faces.images[pasted : pasted + math.prod(condition.grid), 0]
        pasted += len(several)
        yield scene_study.scene(several, condition, np.random.default_rng(pasted))[0]


def compare(page: Page, predictor: EmotionPredictor, image: Image.Image | bytes, most: float) -> int:
    """The number of faces in a picture, which both find and read alike."""
    expected, found = predictor(image), on_device.read(page, image)["faces"]
    assert len(found) == len(expected)
    for face, wanted in zip(found, expected, strict=True):
        assert shared(tuple(face["box"]), wanted.box) > 0.95
        assert math.dist(face["crop_box"], wanted.crop_box) <= 2
        assert list(face["probabilities"]) == list(wanted.probabilities)
        differences = [abs(face["probabilities"][label] - share) for label, share in wanted.probabilities.items()]
        assert max(differences) <= most
        first, second = sorted(wanted.probabilities.values())[-2:][::-1]
        assert face["label"] == wanted.label or first - second < 2 * most
    return len(expected)


def test_faces_in_scenes_are_found_and_read_as_in_python(
    page: Page, predictor: EmotionPredictor, fer2013_parquet: Path
):
    faces = read_fer2013(fer2013_parquet).split("validation", "ferplus-strict")
    compared = sum(compare(page, predictor, image, SAME) for image in pictures(faces))
    assert compared > 0.8 * FACES


def test_faces_against_the_light_are_found_and_read_as_in_python(
    page: Page, predictor: EmotionPredictor, fer2013_parquet: Path
):
    faces = read_fer2013(fer2013_parquet).split("validation", "ferplus-strict").images[:8, 0]
    dark = [each for each in scene_study.conditions() if "window" in each.name and each.value in (0.1, 0.2)]
    several = [
        scene_study.scene(faces[[number]], dark[number % 4], np.random.default_rng(number))[0] for number in range(8)
    ]
    assert sum(compare(page, predictor, image, SAME) for image in several) >= 5


@pytest.mark.parametrize("example", sorted(camera.EXAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_the_examples_are_read_as_in_python(page: Page, predictor: EmotionPredictor, example: Path):
    assert compare(page, predictor, example.read_bytes(), NEARLY) == {"chelsea": 0, "crowd": 15, "two_faces": 2}.get(
        example.stem, 1
    )


def test_a_second_worker_computes_half_and_the_answer_stays(launch: Launch, folder: Path):
    crowd = (camera.EXAMPLES / "crowd.jpg").read_bytes()
    with served(folder) as address:
        page = launch("patterns").new_context().new_page()
        open_reader(page, address)
        with page.expect_response("**/half.js"):
            alone = on_device.read(page, crowd)["faces"]
        for _ in range(3):  # meanwhile it gets ready
            together = on_device.read(page, crowd)["faces"]
        for face, other in zip(together, alone, strict=True):
            assert face["box"] == pytest.approx(other["box"], abs=0.01)
            assert face["probabilities"] == pytest.approx(other["probabilities"], abs=SAME)
        page.context.close()


def test_without_the_second_worker_one_does_it_all(launch: Launch, folder: Path):
    with served(folder) as address:
        page = launch("patterns").new_context().new_page()
        page.context.route("**/half.js", lambda route: route.abort())
        open_reader(page, address)
        for _ in range(2):
            assert len(on_device.read(page, (camera.EXAMPLES / "crowd.jpg").read_bytes())["faces"]) == 15
        page.context.close()


def test_a_report_is_the_one_of_python(page: Page, predictor: EmotionPredictor):
    image = camera.crowd()(0.0)
    expected = predictor.read(image).to_dict()
    report = on_device.read(page, image)
    assert {key: report[key] for key in ("schema", "model", "image")} == {
        key: expected[key] for key in ("schema", "model", "image")
    }
    assert list(report) == list(expected)
    assert [list(face) for face in report["faces"]] == [list(face) for face in expected["faces"]]


def against_the_light(scene: camera.Scene) -> camera.Scene:
    """The first head of a crowd alone, with a sixteenth of the light, before a window that fills the picture."""
    seen = Image.new("L", camera.SIZE)
    ImageDraw.Draw(seen).ellipse((15, 50, 175, 230), fill=255)

    def backlit(angle: float) -> Image.Image:
        window = Image.new("RGB", camera.SIZE, (238, 243, 245))
        window.paste(scene(angle).point(lambda level: level / 16), mask=seen)
        return window

    return backlit


@pytest.fixture(scope="module")
def evidence(folder: Path, predictor: EmotionPredictor, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The map that the same graph gives in Python, with the weights in 8 bits: looks and label -> (N, h, w)."""
    unpacked, model = tmp_path_factory.mktemp("graphs"), predictor.model
    for file in (EXPLAIN_FILE, NETWORK_FILE):
        (unpacked / file).write_bytes(gzip.decompress((folder / f"{file}.gz").read_bytes()))
    session = onnxruntime.InferenceSession(unpacked / EXPLAIN_FILE, providers=["CPUExecutionProvider"])

    def evidence(looks: Sequence[Image.Image], label: str) -> np.ndarray:
        crops = model.preprocess(list(looks)).numpy()
        emotion = np.zeros((len(crops), len(model.labels)), np.float32)
        emotion[:, model.labels.index(label)] = 1
        straight, mirrored = (
            session.run(None, {"crops": each, "emotion": emotion})[0] for each in (crops, crops[..., ::-1])
        )
        return (straight + mirrored[..., ::-1]) / 2

    return evidence


def test_why_is_told_as_in_python(page: Page, predictor: EmotionPredictor, evidence: Evidence):
    """The map of the same weights within a thousandth, and the picture and the words that the server would send."""
    model, reading = predictor.model, predictor.read(camera.EXAMPLES / "two_faces.jpg")
    for face, look in zip(reading.faces, reading.looks, strict=True):
        for label in (face.label, "fear"):
            (cells,), (exact,) = evidence([look], label), explain(model, [look], label)
            heat = _heat(torch.from_numpy(cells.copy())[None], look.width)[0].numpy()
            found = on_device.explain(page, look, label)
            assert np.ravel(cells) == pytest.approx(found["evidence"], abs=1e-3)
            enlarged = look.resize((found["side"],) * 2, Image.Resampling.BICUBIC)
            wanted = np.asarray(overlay(enlarged, replace(exact, evidence=cells, heat=heat)), int)
            pixels = np.reshape(found["pixels"], (found["side"], found["side"], 4))
            assert np.abs(pixels[..., :3] - wanted).max() <= 1
            served = {"picture": markup.data_uri(look, "PNG"), "box": None, "label": label}
            assert found["text"] == handlers.explain_face(model, served)["text"]
        (exact,) = explain(model, [look], face.label)
        rough = _heat(torch.from_numpy(evidence([look], face.label)), look.width)[0].numpy()
        assert np.corrcoef(exact.heat.ravel(), rough.ravel())[0, 1] > 0.99  # 8 bits move it a little


@pytest.mark.parametrize("picture", [camera.EXAMPLES / "two_faces.jpg", against_the_light(camera.crowd())(0.0)])
def test_why_of_a_face_in_a_picture_is_that_of_what_was_read_there(
    page: Page, predictor: EmotionPredictor, picture: Path | Image.Image
):
    reading = predictor.read(picture)
    assert reading.faces
    for face, look in zip(reading.faces, reading.looks, strict=True):
        crop, roll = [int(edge) for edge in face.crop_box], face.crop_roll
        inside = on_device.explain(page, reading.picture.image, face.label, crop, roll)
        alone = on_device.explain(page, look, face.label)
        assert inside["text"] == alone["text"]
        assert inside["evidence"] == pytest.approx(alone["evidence"], abs=0.02)


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
@pytest.mark.parametrize(("scene", "people"), [(camera.crowd(), 5), (against_the_light(camera.crowd()), 1)])
def test_frames_of_a_camera_are_followed_and_smoothed_as_on_the_server(
    page: Page, predictor: EmotionPredictor, scene: camera.Scene, people: int, smoothing: float
):
    """Each side goes on from what it remembered; the second half from what the other did."""
    finder = MTCNNDetector(max_side=live.SEARCH_SIDE, thorough=False)
    memories = [None, None]
    for step in range(16):
        frame = scene(2 * math.pi * step / 60)
        asked = {"time": 100 + step / 8, "smoothing": smoothing}
        uri = f"data:image/png;base64,{base64.b64encode(on_device.png(frame)).decode()}"
        there = live.answer(predictor, finder, {**asked, "frame": uri, "memory": memories[0]})
        here = on_device.answer(page, frame, **asked, memory=memories[1])
        memories = [there["memory"], here["memory"]][:: -1 if step == 8 else 1]
        assert here["memory"]["searched"] == there["memory"]["searched"]
        assert [list(face) for face in here["memory"]["tracks"]] == [list(face) for face in there["memory"]["tracks"]]
        assert [face["number"] for face in here["faces"]] == [face["number"] for face in there["faces"]]
        for face, wanted in zip(here["faces"], there["faces"], strict=True):
            assert face["box"] == pytest.approx(wanted["box"], abs=0.05)
            assert face["probabilities"] == pytest.approx(wanted["probabilities"], abs=SAME)
        assert len(here["faces"]) == people
    assert there["memory"]["searched"] == 101.0
