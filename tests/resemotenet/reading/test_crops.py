"""The square that a model sees of a face: where it is, how far it is turned, what is in it."""

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from resemotenet.reading.crops import CROP_DOWN, CROP_SCALE, LEVEL, crop_box, crop_roll, cut
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.faces import Face, clip, overlap, roll

# Eyes, nose, corners of the mouth, around (0, 0) of an upright face.
UPRIGHT = ((-20.0, -15.0), (20.0, -15.0), (0.0, 0.0), (-12.0, 20.0), (12.0, 20.0))


@pytest.fixture(scope="module")
def detector() -> MTCNNDetector:
    return MTCNNDetector()


def leaning(degrees: float) -> Face:
    """Clockwise as the picture is seen: the eye on the right lies lower."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    points = tuple((100 + c * x - s * y, 100 + s * x + c * y) for x, y in UPRIGHT)
    return Face((60.0, 60.0, 140.0, 140.0), 1.0, points)


class TestCropBox:
    def test_inside_the_picture_it_is_centred_and_scaled(self):
        # 80 x 125 has the geometric mean 100.
        x1, y1, x2, y2 = crop_box((460.0, 400.0, 540.0, 525.0), (1000, 1000))
        assert x2 - x1 == y2 - y1 == round(100 * CROP_SCALE)
        assert (x1 + x2) / 2 == pytest.approx(500, abs=1)
        assert (y1 + y2) / 2 == pytest.approx(462.5 + 100 * CROP_DOWN, abs=1)

    def test_its_middle_lies_a_hundredth_above_that_of_the_box(self):
        """As measured on FER2013 by tests/benchmarks/crop_study.py; on a box of 1000 px a hundredth is 10."""
        assert crop_box((1000.0, 1000.0, 2000.0, 2000.0), (4000, 4000)) == (960, 950, 2040, 2030)

    def test_at_the_border_it_is_shifted_not_shrunk(self):
        side = round(100 * CROP_SCALE)
        assert crop_box((-30.0, 400.0, 70.0, 500.0), (1000, 1000))[::2] == (0.0, side)
        assert crop_box((930.0, 940.0, 1030.0, 1040.0), (1000, 1000)) == (1000 - side, 1000 - side, 1000, 1000)

    def test_larger_than_the_picture_it_is_the_shorter_side(self):
        assert crop_box((10.0, -20.0, 90.0, 90.0), (100, 60)) == (20.0, 0.0, 80.0, 60.0)

    def test_any_box_gives_a_whole_square_inside(self):
        random = np.random.default_rng(0)
        for _ in range(2000):
            size = (int(random.integers(1, 200)), int(random.integers(1, 200)))
            x1, y1 = random.uniform(-50, 200, 2)
            width, height = random.uniform(0.01, 150, 2)
            crop = crop_box((x1, y1, x1 + width, y1 + height), size)
            assert all(value == int(value) for value in crop)
            assert crop[2] - crop[0] == crop[3] - crop[1] >= 1
            assert clip(crop, size) == crop
            wanted = max(1, round(CROP_SCALE * math.sqrt(width * height)))
            assert crop[2] - crop[0] == min(wanted, *size)


def test_the_crop_restores_the_frame_of_fer2013(detector, fer2013_parquet):
    """The whole study is tests/benchmarks/crop_study.py; this holds its result on a few faces."""
    import pandas as pd

    rows = pd.read_parquet(fer2013_parquet, columns=["image"], filters=[("usage", "==", "PublicTest")])["image"]
    frame = (64.0, 64.0, 256.0, 256.0)
    found = []
    for encoded in rows.iloc[:: len(rows) // 30][:30]:
        with Image.open(io.BytesIO(encoded)) as opened:
            picture = Image.new("RGB", (320, 320), (128, 128, 128))
            picture.paste(opened.convert("RGB").resize((192, 192), Image.Resampling.BICUBIC), (64, 64))
        faces = detector.detect(picture)
        found += [overlap(crop_box(face.box, picture.size), frame) for face in faces[:1]]
    assert len(found) >= 24
    assert np.median(found) > 0.75


class TestRoll:
    @pytest.mark.parametrize("degrees", [-170, -90, -33, -4.5, 0, 12.25, 60, 120])
    def test_it_is_by_how_much_the_face_leans(self, degrees):
        assert roll(leaning(degrees)) == pytest.approx(degrees, abs=0.01)

    def test_faces_that_hardly_lean_are_cut_as_they_lie(self):
        assert crop_roll(leaning(LEVEL - 0.1)) == crop_roll(leaning(-LEVEL + 0.1)) == 0

    @pytest.mark.parametrize("degrees", [12, -12, 40, -175])
    def test_faces_that_lean_are_turned_by_all_of_it(self, degrees):
        assert crop_roll(leaning(degrees)) == pytest.approx(degrees, abs=0.01)

    def test_in_between_no_face_jumps(self):
        turns = [crop_roll(leaning(degrees)) for degrees in np.arange(-20, 20, 0.25)]
        assert np.diff(turns).min() >= 0
        assert np.diff(turns).max() < 0.6

    def test_without_landmarks_no_face_leans(self):
        assert roll(Face((60.0, 60.0, 140.0, 140.0), 1.0)) == 0

    @pytest.mark.parametrize("degrees", [-30, 30])
    def test_of_a_photograph_that_was_turned(self, detector, degrees):
        """The detector's landmarks carry it: turned clockwise, the astronaut's face leans by that much more."""
        image = Image.fromarray(data.astronaut())
        before, after = (detector.detect(picture)[0] for picture in (image, image.rotate(-degrees)))
        assert roll(after) - roll(before) == pytest.approx(degrees, abs=4)


class TestCut:
    smooth = Image.fromarray(data.astronaut()).filter(ImageFilter.GaussianBlur(3))

    def difference(self, one: Image.Image, other: Image.Image) -> float:
        assert one.size == other.size
        return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())

    def test_what_is_not_turned_is_not_sampled(self):
        square = (180.0, 66.0, 281.0, 167.0)
        assert cut(self.smooth, square).tobytes() == self.smooth.crop((180, 66, 281, 167)).tobytes()

    @pytest.mark.parametrize("degrees", [-75, -20, 12, 45, 180])
    def test_a_picture_turned_one_way_is_turned_back(self, degrees):
        # Turned about the middle of the square, so that the square stays where it is.
        turned = self.smooth.rotate(-degrees, Image.Resampling.BICUBIC, center=(230, 120))
        square = (180.0, 70.0, 280.0, 170.0)
        assert self.difference(cut(turned, square, degrees), cut(self.smooth, square)) < 1.5
        assert self.difference(cut(turned, square), cut(self.smooth, square)) > 10

    @pytest.mark.parametrize("square", [(0, 0, 80, 80), (432, 432, 512, 512), (0, 200, 80, 280), (432, 0, 512, 80)])
    def test_the_border_is_continued_outwards(self, square):
        """At any corner or edge the answer is that of a picture that was larger in the first place."""
        wide = Image.fromarray(np.pad(np.asarray(self.smooth), [(100, 100), (100, 100), (0, 0)], mode="edge"))
        inside = tuple(value + 100.0 for value in square)
        assert self.difference(cut(self.smooth, square, 30.0), cut(wide, inside, 30.0)) == 0

    def test_a_large_face_is_made_smaller_first(self):
        large = self.smooth.resize((2600, 2600), Image.Resampling.BICUBIC)
        crop = cut(large, (0.0, 0.0, 2600.0, 2600.0), 25.0)
        assert crop.size == (325, 325)
        small = cut(self.smooth, (0.0, 0.0, 511.0, 511.0), 25.0)
        assert self.difference(crop.resize(small.size, Image.Resampling.BILINEAR), small) < 2

    @pytest.mark.parametrize("side", [1, 2, 3, 7])
    def test_squares_of_a_few_pixels(self, side):
        assert cut(self.smooth, (5.0, 5.0, 5.0 + side, 5.0 + side), 40.0).size == (side, side)
        assert cut(Image.new("RGB", (side, side)), (0.0, 0.0, float(side), float(side)), -140.0).size == (side, side)
