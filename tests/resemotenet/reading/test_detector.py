import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from resemotenet.reading.detector import MTCNNDetector, _from_all_sides
from resemotenet.reading.faces import Face, area, clip, overlap, roll

# Drawn by hand: hairline to chin, cheek to cheek.
ASTRONAUT = (180.0, 66.0, 268.0, 174.0)
CAMERAMAN = (196.0, 118.0, 254.0, 196.0)


@pytest.fixture(scope="module")
def detector() -> MTCNNDetector:
    return MTCNNDetector()


@pytest.fixture(scope="module")
def small() -> MTCNNDetector:
    """As the live page uses it."""
    return MTCNNDetector(max_side=320, thorough=False)


@pytest.fixture(scope="module")
def astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


class TestMTCNN:
    def test_finds_the_astronaut(self, detector, astronaut):
        (face,) = detector.detect(astronaut)
        assert overlap(face.box, ASTRONAUT) > 0.85
        assert face.score > 0.99

    def test_finds_a_face_in_profile_in_a_grey_picture(self, detector):
        (face,) = detector.detect(Image.fromarray(data.camera()).convert("RGB"))
        assert overlap(face.box, CAMERAMAN) > 0.75

    def test_landmarks_lie_where_a_face_has_them(self, detector, astronaut):
        (face,) = detector.detect(astronaut)
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        assert np.abs(np.subtract(left_eye, (203, 102))).max() < 6
        assert np.abs(np.subtract(right_eye, (245, 103))).max() < 6
        assert left_eye[0] < nose[0] < right_eye[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert left_mouth[0] < right_mouth[0]

    @pytest.mark.parametrize("name", ["coffee", "chelsea", "brick", "gravel", "text", "coins"])
    def test_finds_none_where_there_is_none(self, detector, name):
        assert detector.detect(Image.fromarray(getattr(data, name)()).convert("RGB")) == []

    def test_the_same_picture_gives_the_same_faces(self, detector, astronaut):
        assert detector.detect(astronaut) == detector.detect(astronaut.copy()) == MTCNNDetector().detect(astronaut)

    def test_does_not_change_the_picture(self, detector, astronaut):
        before = astronaut.tobytes()
        detector.detect(astronaut)
        assert astronaut.tobytes() == before

    def test_boxes_of_a_large_picture_are_scaled_back(self, detector, astronaut):
        large = astronaut.resize((3072, 4608), Image.Resampling.BICUBIC)
        (face,) = detector.detect(large)
        x1, y1, x2, y2 = face.box
        # Not 0.85 as above: half as wide again, it is another face to the detector.
        assert overlap((x1 / 6, y1 / 9, x2 / 6, y2 / 9), ASTRONAUT) > 0.75
        assert large.width / 3 < face.landmarks[2][0] < large.width / 2

    def test_a_face_that_fills_the_picture_is_found(self, detector, astronaut):
        (face,) = detector.detect(astronaut.crop((172, 58, 276, 178)))
        assert overlap(face.box, (8.0, 8.0, 96.0, 116.0)) > 0.75

    def test_a_face_cut_by_the_border_reaches_outside(self, detector, astronaut):
        (face,) = detector.detect(astronaut.crop((205, 0, 512, 512)))
        assert face.box[0] < 0
        assert clip(face.box, (307, 512)) == (0.0, *face.box[1:])

    def test_several_faces_largest_first(self, detector, astronaut):
        portrait = astronaut.crop((120, 0, 340, 260))
        collage = Image.new("RGB", (1000, 400), (90, 110, 90))
        places = {(10, 100): 0.6, (170, 20): 1.4, (520, 60): 1.0, (800, 90): 0.8}
        for place, scale in places.items():
            collage.paste(portrait.resize((round(220 * scale), round(260 * scale))), place)
        faces = detector.detect(collage)
        x1, y1, x2, y2 = np.subtract(ASTRONAUT, (120, 0, 120, 0))
        by_size = sorted(places.items(), key=lambda item: -item[1])
        assert len(faces) == 4
        for face, ((x, y), scale) in zip(faces, by_size, strict=True):
            expected = (x + scale * x1, y + scale * y1, x + scale * x2, y + scale * y2)
            assert overlap(face.box, expected) > 0.75

    def test_the_score_asked_for_is_kept(self, astronaut):
        collage = Image.fromarray(np.hstack([data.astronaut(), np.repeat(data.camera()[..., None], 3, axis=2)]))
        scores = sorted(face.score for face in MTCNNDetector(min_score=0.0).detect(collage))
        assert len(scores) >= 2
        threshold = (scores[-1] + scores[-2]) / 2
        assert [face.score for face in MTCNNDetector(min_score=threshold).detect(collage)] == [scores[-1]]

    @pytest.mark.parametrize("size", [(1, 1), (10, 10), (19, 19), (20, 16), (16, 20), (21, 1500), (3000, 24)])
    def test_pictures_too_small_for_a_face(self, detector, size):
        assert detector.detect(Image.new("RGB", size, "white")) == []

    def test_noise_of_any_size_is_no_error(self, detector):
        random = np.random.default_rng(0)
        for _ in range(25):
            width, height = random.integers(15, 120, 2)
            detector.detect(Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)))

    def test_says_what_to_install(self, monkeypatch):
        for name in [name for name in sys.modules if name.startswith("facenet_pytorch")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
        with pytest.raises(ImportError, match=r"pip install 'facenet-pytorch"):
            MTCNNDetector()

    def test_torch_finds_the_same_faces_where_it_is_asked_for(self, detector, astronaut):
        (fast,) = detector.detect(astronaut)
        (slow,) = MTCNNDetector(backend="torch").detect(astronaut)
        assert overlap(fast.box, slow.box) > 0.9999

    @pytest.mark.parametrize("side", [0, 3201])
    def test_a_size_that_cannot_be_searched(self, side):
        with pytest.raises(ValueError, match=f"max_side must be from 1 to 3200 pixels, got {side}"):
            MTCNNDetector(max_side=side)

    def test_a_smallest_face_of_ones_own(self, astronaut):
        face = astronaut.resize((300, 300))  # its face is 63 pixels high
        assert len(MTCNNDetector(min_face=40).detect(face)) == 1
        assert MTCNNDetector(min_face=120, thorough=False).detect(face) == []

    def test_one_core_finds_what_all_find(self, detector, astronaut):
        assert MTCNNDetector(every_core=False).detect(astronaut) == detector.detect(astronaut)

    def test_from_several_threads_at_once(self, detector, astronaut):
        expected = detector.detect(astronaut)
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(detector.detect, [astronaut] * 12)) == [expected] * 12


class TestFacesAgainstTheLight:
    """A face with a sixteenth of the light, before what is nearly white: the picture as a whole is bright."""

    @pytest.fixture
    def backlit(self, astronaut: Image.Image) -> Image.Image:
        sky = np.full((512, 512, 3), 240, np.uint8)
        head = np.hypot(*(np.indices((512, 512)) - [[[120]], [[224]]])) < 75
        return Image.fromarray(np.where(head[..., None], np.asarray(astronaut) // 16, sky))

    def test_one_is_found_where_it_is(self, detector, backlit):
        assert MTCNNDetector(thorough=False).detect(backlit) == []
        (face,) = detector.detect(backlit)
        assert overlap(face.box, ASTRONAUT) > 0.75
        assert abs(roll(face)) < 12

    def test_it_is_followed(self, small, backlit):
        (found,) = small.detect_backlit(backlit)
        box = found.box
        for _ in range(20):
            (face,) = small.follow(backlit, [box])
            box = face.box
        assert overlap(box, ASTRONAUT) > 0.7

    def test_who_is_in_the_light_is_enough(self, detector, backlit, astronaut):
        both = Image.fromarray(np.hstack([np.asarray(astronaut), np.asarray(backlit)]))
        (face,) = detector.detect(both)
        assert face.box[2] < 512

    @pytest.mark.parametrize("light", [1.0, 0.1])
    @pytest.mark.parametrize(
        "name", ["coffee", "chelsea", "rocket", "coins", "immunohistochemistry", "retina", "colorwheel"]
    )
    def test_nobody_is_in_the_shadows_where_nobody_is(self, small, name, light):
        image = Image.fromarray(getattr(data, name)()).convert("RGB").point(lambda level: light * level)
        assert small.detect_backlit(image) == []


class TestPicturesThatLie:
    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_a_face_is_found_and_stands_upright_when_turned_back(self, detector, astronaut, degrees):
        turned = astronaut.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        (face,) = detector.detect(turned)
        (upright,) = detector.detect(astronaut)
        back = np.radians(degrees)
        from_centre = np.subtract(face.landmarks, np.divide(turned.size, 2))
        places = from_centre @ [[np.cos(back), np.sin(back)], [-np.sin(back), np.cos(back)]] + 256
        assert np.abs(places - upright.landmarks).max() < 0.15 * math.sqrt(area(upright.box))
        assert area(face.box) == pytest.approx(area(upright.box), rel=0.25)
        assert (roll(face) - roll(upright) + degrees + 180) % 360 - 180 == pytest.approx(0, abs=12)

    @pytest.mark.parametrize("size", [(640, 480), (301, 500), (2000, 1500)])
    @pytest.mark.parametrize("degrees", MTCNNDetector.TURNS)
    def test_places_in_the_turned_picture_are_those_in_the_picture(self, detector, monkeypatch, size, degrees):
        width, height = size
        spot = (0.6 * width, 0.2 * height, 0.7 * width, 0.45 * height)
        picture = Image.new("L", size)
        ImageDraw.Draw(picture).rectangle(spot, fill=255)
        centre = ((spot[0] + spot[2]) / 2, (spot[1] + spot[3]) / 2)
        seen: list[float] = []

        def bright(turned: Image.Image) -> list[Face]:
            white = np.asarray(turned.convert("L"), float)[..., None] > 190
            places = np.argwhere(white[..., 0])[:, ::-1] + 0.5
            (x, y), sides = places.mean(axis=0), places.std(axis=0) * math.sqrt(12)
            x1, y1, x2, y2 = x - sides[0] / 2, y - sides[1] / 2, x + sides[0] / 2, y + sides[1] / 2
            seen.append(area((x1, y1, x2, y2)) * (max(size) / min(512, max(size))) ** 2)
            return [Face((x1, y1, x2, y2), 1.0, ((x, y),))]

        monkeypatch.setattr(detector, "_search", bright)
        (face,) = detector._search_turned(picture.convert("RGB"), degrees)
        assert face.landmarks[0] == pytest.approx(centre, abs=0.005 * max(size))
        assert area(face.box) == pytest.approx(seen[0], rel=0.01)
        if degrees % 90 == 0:
            assert face.box == pytest.approx(spot, abs=0.01 * max(size))
        else:
            assert face.box[2] - face.box[0] == pytest.approx(face.box[3] - face.box[1], rel=0.02)

    @pytest.mark.parametrize("side", [512, 3000])
    def test_a_face_that_was_taken_for_an_upright_one_is_seen_as_it_lies(self, detector, astronaut, monkeypatch, side):
        astronaut = astronaut.resize((side, side))
        (upright,) = detector.detect(astronaut)
        x1, y1, x2, y2 = upright.box
        # Of the picture on its head: the right box, and landmarks as of a face that stands there.
        moved = (side - x1 - x2, side - y1 - y2)
        wrong = tuple((x + moved[0], y + moved[1]) for x, y in upright.landmarks)
        claimed = Face((side - x2, side - y2, side - x1, side - y1), 0.95, wrong)
        monkeypatch.setattr(detector, "_search", lambda image: [claimed])
        (face,) = detector.detect(astronaut.rotate(180))
        assert face.box == claimed.box
        assert abs(abs(roll(face)) - 180) < 12
        places = side - np.array(face.landmarks)
        assert np.abs(places - upright.landmarks).max() < 0.15 * math.sqrt(area(upright.box))
        assert face.score > claimed.score

    def test_a_face_that_was_seen_right_stays_as_it_was_found(self, detector, astronaut):
        (face,) = MTCNNDetector(thorough=False).detect(astronaut)
        assert detector._seen_around(astronaut, face, 1.0) is face

    def test_all_sides_are_the_picture_turned_by_eighths(self, astronaut):
        """To a level: two are turned pixel by pixel, and the others are these by quarters."""
        square = (170.0, 60.0, 280.0, 170.0)
        sides = _from_all_sides(astronaut, square, -17.2)
        for eighths, side in enumerate(sides):
            turned = _from_all_sides(astronaut, square, -17.2 + 45 * eighths)[0]
            assert np.abs(side.astype(int) - turned).max() <= 1

    def test_who_stands_upright_is_enough(self, detector, astronaut):
        upright = MTCNNDetector(thorough=False)
        lying = astronaut.rotate(180)
        both = Image.fromarray(np.hstack([np.asarray(astronaut), np.asarray(lying)]))
        assert detector.detect(both) == upright.detect(both)
        assert len(detector.detect(both)) == 1
        assert upright.detect(lying) == []

    @pytest.mark.parametrize("picture", [0, 1])
    def test_nobody_lies_where_nobody_is(self, detector, picture):
        # Both, of a motorcycle in a workshop, had a face that hangs, with a score of 0.96 and 0.95.
        assert detector.detect(Image.fromarray(data.stereo_motorcycle()[picture])) == []

    @pytest.mark.parametrize(("score", "found"), [(0.97, 0), (0.985, 1)])
    def test_a_face_found_turned_must_be_surer(self, detector, monkeypatch, score, found):
        monkeypatch.setattr(detector, "_search", lambda image: [])
        face = Face((100.0, 100.0, 200.0, 220.0), score)
        monkeypatch.setattr(detector, "_search_turned", lambda image, degrees: [face] if degrees == 90 else [])
        monkeypatch.setattr(detector, "_seen_around", lambda small, face, scale: face)
        assert len(detector.detect(Image.new("RGB", (300, 300)))) == found

    def test_no_face_is_below_the_score_asked_for(self, astronaut, monkeypatch):
        detector = MTCNNDetector(min_score=0.99)
        monkeypatch.setattr(detector, "_seen_around", lambda small, face, scale: Face(face.box, 0.98))
        assert detector.detect(astronaut) == []

    def test_all_who_lie_the_same_way_are_found(self, detector, astronaut):
        lying = np.asarray(astronaut.rotate(90))
        faces = detector.detect(Image.fromarray(np.hstack([lying, lying])))
        assert [round(roll(face) / 90) for face in faces] == [-1, -1]


class TestFollow:
    """Where faces of the frame before are now, seen by the cascade's last network alone."""

    @staticmethod
    def moved(astronaut: Image.Image, across: int, down: int, side: int = 512) -> Image.Image:
        room = Image.new("RGB", (800, 600), (120, 125, 130))
        room.paste(astronaut.resize((side, side)), (100 + across, 40 + down))
        return room

    def test_a_moving_and_growing_face(self, small, astronaut):
        box = small.detect(self.moved(astronaut, 0, 0))[0].box
        for step in range(1, 15):
            side = 512 + 6 * step
            (face,) = small.follow(self.moved(astronaut, 8 * step, -4 * step, side), [box])
            scale = side / 512
            x1, y1, x2, y2 = (scale * value for value in ASTRONAUT)
            drawn = (100 + 8 * step + x1, 40 - 4 * step + y1, 100 + 8 * step + x2, 40 - 4 * step + y2)
            assert overlap(face.box, drawn) > 0.75
            assert face.score > 0.9
            box = face.box

    def test_a_still_face_does_not_drift_away(self, small, astronaut):
        room = self.moved(astronaut, 0, 0)
        start = box = small.detect(room)[0].box
        for _ in range(60):
            box = small.follow(room, [box])[0].box
        assert overlap(box, start) > 0.8

    def test_landmarks_are_in_their_places(self, small, astronaut):
        room = self.moved(astronaut, 0, 0)
        (found,) = MTCNNDetector().detect(room)
        (face,) = small.follow(room, [found.box])
        side = found.box[2] - found.box[0]
        assert np.abs(np.subtract(face.landmarks, found.landmarks)).max() < 0.06 * side

    def test_what_is_no_face_any_more_is_none(self, small, astronaut):
        room = self.moved(astronaut, 0, 0)
        box = small.detect(room)[0].box
        empty = Image.new("RGB", room.size, (120, 125, 130))
        assert small.follow(empty, [box, (0.0, 0.0, 90.0, 90.0)]) == [None, None]
        followed = small.follow(room, [(5.0, 5.0, 80.0, 90.0), box])
        assert followed[0] is None
        assert overlap(followed[1].box, box) > 0.85

    def test_a_face_half_outside_the_picture(self, small, astronaut):
        room = self.moved(astronaut, -315, 0)
        (face,) = small.follow(room, [(-35.0, 106.0, 53.0, 214.0)])
        assert overlap(face.box, (-35.0, 106.0, 53.0, 214.0)) > 0.6

    def test_nobody_to_follow(self, small, astronaut):
        assert small.follow(astronaut, []) == []
