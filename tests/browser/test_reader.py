"""The reader in the browser against the one in Python, with the same weights in the same 8 bits."""

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from demo import live
from demo.browser.assemble import assemble
from resemotenet import EmotionPredictor, load_model
from resemotenet.checkpoints.pretrained import resolve
from resemotenet.datasets import read_fer2013
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.faces import overlap
from tests.benchmarks import scene_study
from tests.browser import camera, on_device
from tests.browser.conftest import Launch
from tests.browser.on_device import open_reader, served, skip_without_runtime

FACES = 200
# Of PNGs the pixels are the same; two decoders of JPEG may differ by a level here and there.
SAME, NEARLY = 1e-4, 0.02


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
        assert overlap(tuple(face["box"]), wanted.box) > 0.95
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


@pytest.mark.parametrize("example", sorted(camera.EXAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_the_examples_are_read_as_in_python(page: Page, predictor: EmotionPredictor, example: Path):
    assert compare(page, predictor, example.read_bytes(), NEARLY) == {"chelsea": 0, "crowd": 15, "two_faces": 2}.get(
        example.stem, 1
    )


def test_a_report_is_the_one_of_python(page: Page, predictor: EmotionPredictor):
    image = camera.crowd()(0.0)
    expected = predictor.read(image).to_dict()
    report = on_device.read(page, image)
    assert {key: report[key] for key in ("schema", "model", "image")} == {
        key: expected[key] for key in ("schema", "model", "image")
    }
    assert list(report) == list(expected)
    assert [list(face) for face in report["faces"]] == [list(face) for face in expected["faces"]]


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_frames_of_a_camera_are_followed_and_smoothed_as_on_the_server(
    page: Page, predictor: EmotionPredictor, smoothing: float
):
    """Each side goes on from what it remembered; the second half from what the other did."""
    finder = MTCNNDetector(max_side=live.SEARCH_SIDE, turned=False)
    scene, memories = camera.crowd(), [None, None]
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
        assert len(here["faces"]) == 5
    assert there["memory"]["searched"] == 101.0
