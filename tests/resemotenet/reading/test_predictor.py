import dataclasses
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from resemotenet import EMOTIONS, EmotionPredictor, load_model
from resemotenet.checkpoints.backends import core_count
from resemotenet.checkpoints.checkpoint import save_model
from resemotenet.emotions import UPSTREAM_ORDER
from resemotenet.errors import CheckpointNotFoundError, DeviceError, ImageError
from resemotenet.reading.crops import crop_box, cut
from resemotenet.reading.explain import explain, overlay
from resemotenet.reading.faces import Face, clip, overlap
from resemotenet.reading.images import read_image
from resemotenet.reading.predictor import choose_device

ASTRONAUT = (180.0, 66.0, 268.0, 174.0)  # drawn by hand
ORIENTATION = 0x0112


class BoxesInPictures:
    """A detector that knows where the faces are: what it finds depends on the width of the picture."""

    def __init__(self, boxes: dict[int, list[tuple[float, float, float, float]]]) -> None:
        self.boxes = boxes

    def detect(self, image: Image.Image) -> list[Face]:
        return [Face(box, 0.97) for box in self.boxes.get(image.width, [])]


def picture(width: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (60, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, 240), Image.Resampling.BICUBIC)


TWO = [(20.0, 30.0, 100.0, 140.0), (-15.5, 100.0, 40.0, 260.0)]
THREE = [(200.0, 50.0, 290.0, 160.0), (100.0, 10.0, 160.0, 90.0), (10.0, 10.0, 60.0, 70.0)]
WIDTHS = {300: TWO, 310: [], 320: THREE}


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> EmotionPredictor:
    """The real detector, random weights."""
    return EmotionPredictor.from_pretrained(model_folder, device="cpu")


@pytest.fixture(scope="module")
def placed(model_folder: Path) -> EmotionPredictor:
    """Faces where the tests put them, random weights."""
    return EmotionPredictor.from_pretrained(model_folder, device="cpu", detector=BoxesInPictures(WIDTHS))


def with_labels(model_folder: Path, folder: Path, labels: tuple[str, ...]) -> Path:
    """The same weights under other names for their outputs."""
    model = load_model(model_folder)
    return save_model(folder, model.module, dataclasses.replace(model.info, labels=labels))


class TestFaces:
    def test_boxes_are_clipped_and_crops_are_inside(self, placed):
        image = picture(300)
        faces = placed(image)
        assert [face.box for face in faces] == [(20.0, 30.0, 100.0, 140.0), (0.0, 100.0, 40.0, 240.0)]
        assert [face.crop_box for face in faces] == [crop_box(box, image.size) for box in TWO]
        assert all(clip(face.crop_box, image.size) == face.crop_box for face in faces)
        assert [face.detection_score for face in faces] == [0.97, 0.97]

    def test_the_model_sees_the_crop(self, placed):
        image = picture(320)
        faces = placed(image)
        rows = placed.classify([image.crop(face.crop_box) for face in faces])
        assert [list(face.probabilities.values()) for face in faces] == [pytest.approx(list(row)) for row in rows]
        assert not np.allclose(rows[0], rows[1])

    def test_a_leaning_face_is_turned_upright(self, predictor):
        level = predictor(data.astronaut())[0]
        leaning = Image.fromarray(data.astronaut()).rotate(-30, Image.Resampling.BICUBIC, center=(224, 120))
        face = predictor(leaning)[0]
        assert level.crop_roll == 0
        assert 20 < face.crop_roll < 40
        (row,) = predictor.classify([cut(leaning, face.crop_box, face.crop_roll)])
        assert list(face.probabilities.values()) == pytest.approx(list(row))
        (lying,) = predictor.classify([leaning.crop(face.crop_box)])
        assert not np.allclose(row, lying, atol=1e-6)

    def test_label_and_confidence_are_those_of_the_largest_probability(self, placed):
        for face in placed(picture(320)):
            assert face.confidence == max(face.probabilities.values()) == face.probabilities[face.label]
            assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-6)
            assert tuple(face.probabilities) == EMOTIONS

    def test_detections_outside_of_the_picture_are_no_faces(self, model_folder):
        outside = BoxesInPictures({300: [(310.0, 10.0, 400.0, 90.0), (5.0, 5.0, 50.0, 60.0)]})
        (face,) = EmotionPredictor.from_pretrained(model_folder, detector=outside)(picture(300))
        assert face.box == (5.0, 5.0, 50.0, 60.0)

    def test_no_face_gives_an_empty_list(self, placed, predictor):
        assert placed(picture(310)) == []
        assert predictor(data.coffee()) == []


class TestBatch:
    def test_all_faces_of_all_pictures_go_through_the_model_at_once(self, placed):
        sizes = []

        def network(inputs: torch.Tensor) -> torch.Tensor:
            sizes.append(len(inputs))
            return placed.model.probabilities(inputs)

        counting = EmotionPredictor(placed.model, detector=placed.detector, network=network)
        faces = counting.batch([picture(300), picture(310), picture(320)])
        assert sizes == [5]
        assert [len(each) for each in faces] == [2, 0, 3]

    def test_gives_what_each_picture_gives_alone(self, placed):
        pictures = [picture(320, seed=1), picture(300, seed=2), picture(310), picture(320, seed=3)]
        together = placed.batch(picture for picture in pictures)
        for faces, image in zip(together, pictures, strict=True):
            alone = placed(image)
            assert [face.box for face in faces] == [face.box for face in alone]
            for one, other in zip(faces, alone, strict=True):
                assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)

    def test_nothing_gives_nothing(self, placed):
        assert placed.batch([]) == []
        assert placed.batch([picture(310)]) == [[]]

    def test_a_picture_that_cannot_be_read(self, placed, tmp_path):
        (tmp_path / "notes.jpg").write_text("text")
        pictures = [picture(300), tmp_path / "notes.jpg", picture(320), np.zeros((0, 3, 3), np.uint8)]
        with pytest.raises(ImageError, match=r"^picture 1 of the batch.*notes\.jpg: not a picture"):
            placed.batch(pictures)
        first, second, third, fourth = placed.batch(pictures, return_exceptions=True)
        assert [len(first), len(third)] == [2, 3]
        assert [face.box for face in third] == [face.box for face in placed(picture(320))]
        assert isinstance(second, ImageError)
        assert str(fourth).startswith("picture 3 of the batch, counted from 0: the array: the picture has no pixels")


ONE = np.zeros((190, 190, 3), np.uint8)


@pytest.mark.parametrize(
    "one",
    [ONE, ONE[..., 0], ONE.transpose(2, 0, 1), torch.from_numpy(ONE), Image.fromarray(ONE), "a.jpg", Path("b"), b"c"],
)
def test_one_picture_where_a_list_is_expected(placed, one):
    model = placed.model
    for take in (placed.classify, model.preprocess, model.preprocess.looks, lambda one: explain(model, one)):
        with pytest.raises(ImageError, match="expected a list of crops, got one"):
            take(one)
    with pytest.raises(ImageError, match="expected a list of pictures, got one"):
        placed.batch(one)


def test_stacks_of_several_are_taken(placed):
    stack = np.random.default_rng(0).integers(0, 256, (3, 50, 40, 3), np.uint8)
    assert np.array_equal(placed.classify(stack), placed.classify(list(stack)))
    assert placed.batch(stack) == placed.batch(list(stack)) == [[], [], []]

    def test_only_a_few_pictures_are_opened_ahead(self, model_folder):
        """A generator of many needs the memory of a few: the next is asked for when one has been searched."""
        opened: list[int] = []
        searched: list[int] = []

        class Slow:
            def detect(self, image: Image.Image) -> list[Face]:
                time.sleep(0.01)
                searched.append(image.width)
                return []

        def pictures() -> Iterator[Image.Image]:
            for _ in range(40):
                assert len(opened) - len(searched) <= 2 * core_count() + 1
                opened.append(300)
                yield picture(300)

        slow = EmotionPredictor.from_pretrained(model_folder, device="cpu", detector=Slow())
        assert slow.batch(pictures()) == [[]] * 40

    def test_pictures_are_searched_beside_each_other(self, model_folder):
        together = threading.Barrier(2)

        class Meets:
            def detect(self, image: Image.Image) -> list[Face]:
                together.wait(timeout=10)  # broken, and so an error, where nobody else comes
                return []

        if core_count() < 2:
            pytest.skip("needs two cores")
        meeting = EmotionPredictor.from_pretrained(model_folder, device="cpu", detector=Meets())
        assert meeting.batch([picture(300), picture(310)]) == [[], []]


class TestClassify:
    def test_kinds_and_sizes_of_crops_may_differ(self, placed):
        grey = data.camera()[80:240, 150:300]
        rows = placed.classify([grey, Image.fromarray(grey), np.repeat(grey[..., None], 3, axis=2), data.astronaut()])
        assert rows.dtype == np.float32
        assert rows.shape == (4, 7)
        assert np.allclose(rows[0], rows[1:3], atol=1e-5)
        assert not np.allclose(rows[0], rows[3])

    def test_more_crops_than_go_through_at_once(self, placed):
        crops = np.random.default_rng(0).integers(0, 256, (300, 48, 48), dtype=np.uint8)
        rows = placed.classify(list(crops))
        assert np.allclose(rows[[0, 255, 256, 299]], placed.classify(list(crops[[0, 255, 256, 299]])), atol=1e-6)

    def test_columns_are_the_models_labels(self, placed, model_folder, tmp_path):
        folder = with_labels(model_folder, tmp_path / "upstream", UPSTREAM_ORDER)
        other = EmotionPredictor.from_pretrained(folder, detector=BoxesInPictures(WIDTHS))
        crop = data.astronaut()[60:180, 170:280]
        assert other.labels == UPSTREAM_ORDER
        assert np.array_equal(other.classify([crop]), placed.classify([crop]))
        for face, same in zip(other(picture(320)), placed(picture(320)), strict=True):
            assert tuple(face.probabilities) == EMOTIONS
            assert face.label == UPSTREAM_ORDER[EMOTIONS.index(same.label)]
            assert face.probabilities["happy"] == same.probabilities["angry"]

    def test_labels_beyond_the_seven_come_last(self, model_folder, tmp_path):
        names = ("contempt", *EMOTIONS[1:])
        folder = with_labels(model_folder, tmp_path / "contempt", names)
        other = EmotionPredictor.from_pretrained(folder, detector=BoxesInPictures(WIDTHS))
        assert tuple(other(picture(300))[0].probabilities) == (*EMOTIONS[1:], "contempt")

    def test_no_crops(self, placed):
        rows = placed.classify([])
        assert (rows.shape, rows.dtype) == ((0, 7), np.float32)

    def test_crops_of_another_layout_are_refused(self, placed):
        for crop in (np.zeros((48, 48, 4), np.uint8), np.zeros((48, 48), np.uint16), "crop.png", [[1, 2]], None):
            with pytest.raises(ImageError, match="a crop"):
                placed.classify([crop])

    @pytest.mark.parametrize("orientation", range(2, 9))
    def test_a_crop_is_turned_as_its_file_says(self, placed, tmp_path, orientation):
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = tmp_path / "crop.png"
        Image.fromarray(data.astronaut()[60:180, 170:270]).save(path, exif=exif)
        upright = read_image(path)
        with Image.open(path) as opened:
            assert np.array_equal(placed.classify([opened]), placed.classify([upright]))
            (explained,), (expected,) = explain(placed.model, [opened]), explain(placed.model, [upright])
            assert np.array_equal(explained.evidence, expected.evidence)
            assert overlay(opened, explained) == overlay(upright, expected)
            with pytest.raises(ValueError, match="must be upright"):
                placed.model.preprocess([opened])
        as_it_lies = placed.classify([upright.transpose(Image.Transpose.ROTATE_90)])
        assert not np.allclose(placed.classify([upright]), as_it_lies, atol=1e-6)

    def test_crops_follow_the_rules_of_pictures(self, placed):
        grey = data.camera()[80:240, 150:300]
        deep = Image.fromarray(grey.astype(np.uint16) * 257)
        clear = Image.fromarray(data.astronaut()[60:180, 170:270]).convert("RGBA")
        clear.putalpha(Image.linear_gradient("L").resize(clear.size))
        for crop in (deep, clear, clear.convert("P"), Image.fromarray(grey).convert("1")):
            assert np.array_equal(placed.classify([crop]), placed.classify([read_image(crop)]))
        with pytest.raises(ImageError, match="16-bit levels are from 4 to 255 of 65535"):
            placed.classify([Image.fromarray(grey.astype(np.uint16))])


class TestRealPictures:
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_a_turned_file_gives_the_box_in_the_upright_picture(self, predictor, tmp_path, orientation):
        undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        stored = Image.fromarray(data.astronaut()[:, :400])
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = tmp_path / "photo.jpg"
        (stored.transpose(undo[orientation]) if orientation > 1 else stored).save(path, exif=exif, quality=95)
        (face,) = predictor(path)
        assert overlap(face.box, ASTRONAUT) > 0.85

    @pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
    def test_every_kind_of_picture_gives_the_same_face(self, predictor, mode):
        image = Image.fromarray(data.astronaut())
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        else:
            image = image.convert(mode)
        (face,) = predictor(image)
        assert overlap(face.box, ASTRONAUT) > 0.8

    def test_several_threads_get_what_one_gets(self, predictor):
        pictures = [data.astronaut(), data.camera(), data.coffee(), data.astronaut()[:, ::-1]] * 2
        expected = [predictor(image) for image in pictures]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(predictor, pictures))
        # Threads may share a network's sums among different numbers of cores, which changes the last digits.
        for one, other in zip(answers, expected, strict=True):
            assert [face.label for face in one] == [face.label for face in other]
            for face, same in zip(one, other, strict=True):
                assert face.box == pytest.approx(same.box, abs=0.01)
                assert face.probabilities == pytest.approx(same.probabilities, abs=1e-4)
        assert [len(faces) for faces in expected] == [1, 1, 0, 1] * 2

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_the_bundled_weights_see_it_too_when_the_picture_lies(self, degrees):
        lying = Image.fromarray(data.astronaut()).rotate(degrees)
        (face,) = EmotionPredictor.from_pretrained()(lying)
        assert (face.crop_roll + degrees + 180) % 360 - 180 == pytest.approx(0, abs=12)
        assert face.label == "happy"
        assert face.confidence > 0.8

    @pytest.mark.parametrize("light", [0.05, 0.15])
    def test_the_bundled_weights_see_it_too_in_the_dark(self, light):
        dark = Image.fromarray(data.astronaut()).point(lambda level: light * level)
        predictor = EmotionPredictor.from_pretrained()
        (face,) = predictor(dark)
        assert face.label == "happy"
        assert face.confidence > 0.8
        # As it is found, so it is read: also where somebody else found it.
        assert predictor.read(dark, [Face(face.box, face.detection_score)]).faces[0].label == "happy"

    def test_the_bundled_weights_see_that_the_astronaut_smiles(self):
        (face,) = EmotionPredictor.from_pretrained()(data.astronaut())
        assert face.label == "happy"
        assert face.confidence > 0.8


class TestDevices:
    def test_auto_says_what_it_took(self, model_folder, caplog):
        with caplog.at_level(logging.INFO, logger="resemotenet"):
            predictor = EmotionPredictor.from_pretrained(model_folder)
        assert predictor.device.type == ("cuda" if torch.cuda.is_available() else "cpu")
        backend = "torch" if torch.cuda.is_available() else "onnxruntime"
        taken = f"resemotenet on {predictor.device}, backend {backend}, precision exact"
        assert caplog.messages == [f"EmotionPredictor: {taken}"]
        assert predictor.model.device.type == predictor.device.type

    @pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "xpu"])
    def test_a_device_asked_for_and_absent(self, model_folder, device):
        if torch.accelerator.is_available():
            pytest.skip("this machine has an accelerator")
        with pytest.raises(DeviceError, match=rf"'{device}' was asked for, but torch sees no accelerator"):
            EmotionPredictor.from_pretrained(model_folder, device=device)

    def test_more_devices_than_there_are(self):
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
        with pytest.raises(DeviceError, match="cuda:99"):
            choose_device("cuda:99")

    @pytest.mark.parametrize("device", ["gpu", "", "cpu:x", "cuda:-1"])
    def test_names_of_no_device(self, device):
        with pytest.raises(DeviceError, match="no device is called"):
            choose_device(device)

    def test_a_device_object(self):
        assert choose_device(torch.device("cpu")) == torch.device("cpu")


def test_no_model_at_the_place_named(tmp_path):
    with pytest.raises(CheckpointNotFoundError, match="nowhere"):
        EmotionPredictor.from_pretrained(tmp_path / "nowhere")


class TestRead:
    def test_faces_found_before_are_read_as_if_found_now(self, placed):
        image = picture(320)
        found_before = [Face(box, 0.97) for box in THREE]
        assert list(placed.read(image, found_before).faces) == placed(image)
        outside = Face((400.0, 10.0, 460.0, 80.0), 0.9)
        assert list(placed.read(image, [outside, found_before[0]]).faces) == placed(image)[:1]
        assert placed.read(image, []).faces == ()

    def test_a_network_somewhere_else(self, placed):
        """Only what the network takes and gives has to travel; for a picture without a face nothing does."""
        asked = []

        def elsewhere(inputs: torch.Tensor) -> torch.Tensor:
            asked.append(tuple(inputs.shape))
            return placed.model.probabilities(inputs).flip(1)

        away = EmotionPredictor(placed.model, detector=placed.detector, network=elsewhere)
        for face, here in zip(away.read(picture(320)).faces, placed(picture(320)), strict=True):
            assert list(face.probabilities.values()) == list(here.probabilities.values())[::-1]
        assert away.read(picture(310)).faces == ()
        assert asked == [(3, 1, 48, 48)]
