import numpy as np
import pytest
from PIL import Image
from skimage import data

from resemotenet import EMOTIONS
from resemotenet.emotions import COLORS
from resemotenet.reading.drawing import MAX_COVERED, OTHER_COLOR, Tag, annotate, color_of, place_tags, text_color
from resemotenet.reading.faces import Box, area, overlap
from resemotenet.reading.reading import FaceEmotion
from tests.readings import reading_of


def face(box: Box, label: str = "happy", confidence: float = 0.98) -> FaceEmotion:
    return FaceEmotion(box, box, 1.0, label, confidence, {label: confidence})


def drawn_on(image: Image.Image, faces: list[FaceEmotion]) -> Image.Image:
    return annotate(reading_of(image, faces))


def shared(a: Box, b: Box) -> float:
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def only_tag(faces: list[FaceEmotion], size: tuple[int, int]) -> Tag:
    (tag,) = place_tags(faces, size)
    assert tag is not None
    return tag


def astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


ASTRONAUT = face((180.0, 62.0, 268.0, 173.0))


class TestAnnotate:
    def test_a_frame_around_the_face_and_the_face_itself_untouched(self):
        image = astronaut()
        drawn = drawn_on(image, [ASTRONAUT])
        assert (drawn.mode, drawn.size) == ("RGB", image.size)
        # 512 pixels wide: the line is two pixels, outside of the box, on all four sides.
        for place in [(179, 120), (269, 120), (224, 174), (178, 120), (270, 120), (224, 175)]:
            assert drawn.getpixel(place) == rgb(COLORS["happy"]), place
        inner = (183, 65, 265, 170)
        assert drawn.crop(inner).tobytes() == image.crop(inner).tobytes()

    def test_only_frame_and_tag_are_drawn(self):
        image = astronaut()
        changed = (np.asarray(drawn_on(image, [ASTRONAUT])) != np.asarray(image)).any(axis=2)
        tag = only_tag([ASTRONAUT], image.size)
        x1, y1, x2, y2 = map(int, tag.box)
        changed[y1:y2, x1:x2] = False
        changed[62 - 4 : 173 + 5, 180 - 4 : 268 + 5] = False
        assert not changed.any()

    def test_the_tag_is_text_on_the_emotions_colour(self):
        tag = only_tag([ASTRONAUT], (512, 512))
        pixels = np.asarray(drawn_on(astronaut(), [ASTRONAUT]).crop(tag.box)).reshape(-1, 3)
        filled = (pixels == rgb(COLORS["happy"])).all(axis=1).mean()
        dark = (pixels.max(axis=1) < 60).mean()
        assert 0.5 < filled < 0.95
        assert 0.03 < dark < 0.4

    def test_no_face_changes_nothing(self):
        assert drawn_on(astronaut(), []).tobytes() == astronaut().tobytes()

    def test_the_picture_given_is_not_changed(self):
        image = astronaut()
        drawn_on(image, [ASTRONAUT])
        assert image.tobytes() == astronaut().tobytes()

    def test_grey_pictures_get_colour(self):
        drawn = drawn_on(Image.fromarray(data.camera()), [face((196, 119, 252, 195), "sad")])
        assert rgb(COLORS["sad"]) in {drawn.getpixel((x, 150)) for x in range(185, 200)}

    def test_a_face_as_large_as_the_picture_keeps_its_frame(self):
        drawn = drawn_on(Image.new("RGB", (300, 300)), [face((0, 0, 300, 300))])
        for place in [(0, 150), (299, 150), (150, 299)]:
            assert drawn.getpixel(place) == rgb(COLORS["happy"]), place

    def test_a_large_picture_is_made_smaller_with_its_boxes(self):
        reading = reading_of(astronaut(), [ASTRONAUT])
        drawn = annotate(reading, max_side=256)
        half = reading_of(drawn, [face((90.0, 31.0, 134.0, 86.5))])
        assert drawn.size == (256, 256)
        assert drawn.tobytes() == annotate(half).tobytes()  # the same box drawn again changes nothing
        assert annotate(reading, max_side=512).tobytes() == annotate(reading).tobytes()

    @pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 300), (48, 48), (6000, 40)])
    def test_pictures_of_odd_sizes(self, size):
        image = Image.new("RGB", size)
        whole = (0.0, 0.0, float(size[0]), float(size[1]))
        drawn = drawn_on(image, [face(whole), face((0.0, 0.0, 1.0, 1.0), "fear")])
        assert drawn.size == size
        assert drawn.tobytes() != image.tobytes()


class TestTags:
    def test_above_the_face_with_label_and_percent(self):
        tag = only_tag([ASTRONAUT], (512, 512))
        assert tag.text == "Happy 98%"
        assert tag.box[3] <= 62
        assert 178 <= tag.box[0] < 200

    def test_below_where_there_is_no_room_above(self):
        tag = only_tag([face((180.0, 2.0, 268.0, 100.0))], (512, 512))
        assert tag.box[1] >= 100

    def test_numbers_in_the_order_of_the_list_where_there_are_several(self):
        row = [(x, 50.0, x + 70.0, 130.0) for x in (50.0, 250.0, 450.0)]
        faces = [face(row[0]), face(row[1], "sad", 0.5), face(row[2], "fear", 0.4)]
        assert [tag and tag.text for tag in place_tags(faces, (640, 480))] == ["1 Happy 98%", "2 Sad 50%", "3 Fear 40%"]

    def test_letters_grow_with_the_picture(self):
        sizes = [
            only_tag([face((180 * scale, 62 * scale, 268 * scale, 173 * scale))], (512 * scale, 512 * scale)).font_size
            for scale in (1, 2, 8)
        ]
        assert sizes[1] == pytest.approx(2 * sizes[0], abs=1)
        assert sizes[2] == pytest.approx(8 * sizes[0], abs=8)

    def test_no_tag_where_none_can_be_read(self):
        assert place_tags([face((2, 2, 14, 14))], (16, 16)) == [None]

    def test_crowded_neighbours_get_shorter_tags_not_overlapping_ones(self):
        row = [face((x, 200.0, x + 30.0, 240.0), "surprise", 0.63) for x in range(20, 600, 36)]
        tags = place_tags(row, (640, 480))
        texts = [tag.text for tag in tags if tag]
        assert "1 Surprise 63%" in texts
        assert any(text.isdigit() for text in texts)

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("size", [(640, 480), (300, 900), (3000, 2000)])
    def test_inside_off_each_other_and_off_the_faces(self, seed, size):
        random = np.random.default_rng(seed)
        faces: list[FaceEmotion] = []
        for _ in range(100):
            side = random.uniform(0.02, 0.2) * min(size)
            x, y = random.uniform(0, size[0] - side), random.uniform(0, size[1] - side)
            box = (x, y, x + side, y + 1.25 * side)
            box = (*box[:3], min(box[3], float(size[1])))
            if all(overlap(box, other.box) < 0.1 for other in faces):
                faces.append(face(box, str(random.choice(EMOTIONS)), float(random.uniform(0.2, 1))))
        tags = [tag for tag in place_tags(faces, size) if tag]
        assert len(tags) > len(faces) / 2
        for number, tag in enumerate(tags):
            x1, y1, x2, y2 = tag.box
            assert 0 <= x1 < x2 <= size[0]
            assert 0 <= y1 < y2 <= size[1]
            assert all(shared(tag.box, other.box) == 0 for other in tags[:number])
            assert all(shared(tag.box, each.box) <= MAX_COVERED * area(each.box) for each in faces)


class TestColours:
    @pytest.mark.parametrize(
        ("emotion", "expected"),
        [
            ("angry", "#000000"),
            ("disgust", "#000000"),
            ("fear", "#000000"),
            ("happy", "#000000"),
            ("neutral", "#000000"),
            ("sad", "#FFFFFF"),
            ("surprise", "#000000"),
        ],
    )
    def test_text_on_every_emotion(self, emotion, expected):
        assert text_color(color_of(emotion)) == expected

    def test_extremes(self):
        assert text_color("#FFFFFF") == "#000000"
        assert text_color("#000000") == "#FFFFFF"

    def test_a_label_beyond_the_seven_has_a_colour_of_its_own(self):
        assert color_of("contempt") == OTHER_COLOR
        assert OTHER_COLOR not in COLORS.values()
