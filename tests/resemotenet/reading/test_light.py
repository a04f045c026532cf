import numpy as np
import pytest
from PIL import Image
from skimage import data

from resemotenet.reading.light import FACE_DARK, LIGHT, face_lightened, lightened, shadows


class TestDarkPictures:
    """A dark picture is lightened, and what is not dark is left alone."""

    @staticmethod
    def room(light: float, white: float = 0.0) -> Image.Image:
        """Noise about a mean grey of 120 times ``light``, and a share of its pixels white."""
        draw = np.random.default_rng(0)
        pixels = np.clip(draw.normal(120, 40, (300, 400, 3)), 0, 255) * light
        pixels[draw.random((300, 400)) < white] = 255
        return Image.fromarray(pixels.round().astype(np.uint8))

    @pytest.mark.parametrize("light", [0.08, 0.15, 0.3, 0.5])
    def test_as_if_there_were_more_light(self, light):
        dark = self.room(light)
        shown = lightened(dark)
        assert np.asarray(shown).mean() == pytest.approx(80, abs=2)
        gain = 80 / np.asarray(dark).mean()
        assert np.abs(np.asarray(shown, float) - np.minimum(255, gain * np.asarray(dark, float))).mean() < 2
        assert np.asarray(dark).mean() < 65  # and it is not changed itself

    def test_once_is_enough(self):
        shown = lightened(self.room(0.1))
        assert lightened(shown) is shown

    @pytest.mark.parametrize("light", [0.7, 1.0, 1.8])
    def test_other_pictures_are_left_alone(self, light):
        image = self.room(light)
        assert lightened(image) is image

    def test_what_is_bright_in_a_dark_picture_is_not_washed_out(self):
        at_night = self.room(0.15, white=0.05)  # with a lamp
        assert lightened(at_night) is at_night
        face = Image.new("RGB", (300, 300))
        face.paste((150, 120, 100), (100, 100, 200, 200))  # before a black wall
        shown = np.asarray(lightened(face))[150, 150]
        assert shown[0] / shown[2] == pytest.approx(1.5, abs=0.05)

    @pytest.mark.parametrize("size", [(1, 1), (3, 500)])
    def test_black_pictures_of_any_size_stay_black(self, size):
        assert lightened(Image.new("RGB", size)).getextrema() == ((0, 0),) * 3


class TestShadows:
    def test_what_is_dark_gets_four_times_the_light_and_what_is_bright_is_white(self):
        window = Image.new("RGB", (400, 300), (230, 235, 240))
        window.paste((20, 15, 10), (180, 100, 240, 180))
        exposed = shadows(window)
        assert exposed is not None
        assert (exposed.getpixel((200, 150)), exposed.getpixel((10, 10))) == ((80, 60, 40), (255, 255, 255))
        assert window.getpixel((200, 150)) == (20, 15, 10)

    @pytest.mark.parametrize("image", [data.coins(), data.text(), np.full((90, 120, 3), 60, np.uint8)])
    def test_where_nothing_is_dark_there_is_nothing_to_expose(self, image):
        bright = Image.fromarray(image).convert("RGB").point(lambda level: max(level, 60))
        assert shadows(bright) is None


class TestFaces:
    """It is the middle that decides: that is where a crop shows the face."""

    @staticmethod
    def crop(face: int, around: int, size: tuple[int, int] = (100, 120)) -> Image.Image:
        image = Image.new("RGB", size, (around,) * 3)
        width, height = size
        image.paste((face,) * 3, (width // 8, height // 8, width - width // 8, height - height // 8))
        return image

    @pytest.mark.parametrize("around", [0, 240])
    @pytest.mark.parametrize("face", [FACE_DARK, 90, 250])
    def test_a_face_in_daylight_is_left_alone_whatever_is_around_it(self, face, around):
        crop = self.crop(face, around)
        assert face_lightened(crop) is crop

    @pytest.mark.parametrize("around", [0, 240])
    @pytest.mark.parametrize("face", [5, 10, 20])
    def test_a_dark_one_gets_the_light_of_others_whatever_is_around_it(self, face, around):
        crop = self.crop(face, around)
        assert face_lightened(crop).getpixel((50, 60)) == (LIGHT,) * 3
        assert crop.getpixel((50, 60)) == (face,) * 3

    def test_from_one_level_to_the_next_it_never_jumps(self):
        shown = [np.asarray(face_lightened(self.crop(face, 128)))[60, 50, 0] for face in range(10, 90)]
        assert np.abs(np.diff(np.array(shown, int))).max() < 8

    @pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40)])
    def test_crops_of_any_size(self, size):
        assert face_lightened(Image.new("RGB", size, (10, 10, 10))).getpixel((0, 0)) == (LIGHT,) * 3
        assert face_lightened(Image.new("RGB", size)).getextrema() == ((0, 0),) * 3
