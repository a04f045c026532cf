import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from resemotenet import EmotionPredictor
from resemotenet.reading.following import Memory, Moment, ahead, watch
from resemotenet.reading.video import Frame, Video
from tests import films


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> EmotionPredictor:
    """The real detector, random weights."""
    return EmotionPredictor.from_pretrained(model_folder, device="cpu")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen seconds: two cross, one behind the other; one of them leaves on the right and comes back there."""
    return films.write(tmp_path_factory.mktemp("films") / "two.mp4", crossing())


def crossing() -> Iterator[Image.Image]:
    one, other = films.heads()
    for number in range(13 * films.RATE):
        time = number / films.RATE
        right = 20 + 55 * min(time, 8.0)
        if time > 9:  # out of the picture at 9.8 s, back from 11.8 s on
            right = max(460, 460 + 160 * (time - 9) if time < 10.5 else 700 - 120 * (time - 10.5))
        yield films.scene((other, 460 - 55 * min(time, 8.0), 100), (one, right, 90))


@pytest.fixture(scope="module")
def moments(predictor: EmotionPredictor, film: Path) -> list[Moment]:
    return list(watch(predictor, Video.open(film).frames(every=0.2)))


def places(moment: Moment) -> dict[int, float]:
    """Of each person where the middle of the face is across."""
    return {
        person: (face.box[0] + face.box[2]) / 2
        for person, face in zip(moment.people, moment.reading.faces, strict=True)
    }


def at(moments: list[Moment], time: float) -> dict[int, float]:
    return places(min(moments, key=lambda moment: abs(moment.time - time)))


def test_two_who_cross_stay_who_they_are(moments):
    (left, left_x), (right, right_x) = sorted(at(moments, 1).items(), key=lambda each: each[1])
    assert right_x - left_x > 200
    assert left not in (None, right)
    hidden = [moment.time for moment in moments if 2 < moment.time < 7 and len(moment.people) == 1]
    assert hidden[-1] - hidden[0] > 1.5  # one is behind the other for longer than a moment
    later = at(moments, 8)
    assert later[left] - later[right] > 200


def test_who_leaves_and_comes_back_soon_is_the_same_person(moments):
    gone = [moment for moment in moments if 9.9 < moment.time < 11.5]
    assert {len(moment.people) for moment in gone} == {1}
    assert set(at(moments, 12.8)) == set(at(moments, 1))


def test_nobody_gets_a_number_again(predictor):
    one, other = films.heads()
    shown = [(one,)] * 3 + [()] * 2 + [(other,)] * 3
    frames = [
        Frame(2.0 * number, films.scene(*((head, 200, 90) for head in heads))) for number, heads in enumerate(shown)
    ]
    assert [moment.people for moment in watch(predictor, frames)] == [(1,)] * 3 + [()] * 2 + [(2,)] * 3


def test_faces_are_searched_once_a_second_and_followed_between(moments):
    """While two people stand apart nothing is lost, so there is no other reason to search."""
    searched = sorted({moment.memory.searched for moment in moments if moment.time < 2.9})
    assert searched == pytest.approx([0, 1, 2], abs=0.05)


def test_a_film_in_two_pieces_is_read_as_in_one(predictor, film, moments):
    middle = next(moment for moment in moments if moment.time > 5)
    memory = Memory.from_dict(json.loads(json.dumps(middle.memory.to_dict())))
    rest = watch(predictor, Video.open(film).frames(every=0.2, after=middle.time), memory=memory)
    expected = [moment.to_dict() for moment in moments if moment.time > middle.time]
    assert [moment.to_dict() for moment in rest] == expected


def test_the_json_of_a_moment(moments):
    told = json.loads(json.dumps(moments[5].to_dict()))
    assert told["time"] == pytest.approx(1.0, abs=0.002)
    assert [face["person"] for face in told["faces"]] == list(moments[5].people)
    assert {**told["faces"][0], "person": None} == {**moments[5].reading.faces[0].to_dict(), "person": None}


def test_nothing_is_remembered_before_the_first_reading():
    assert Memory.from_dict(Memory().to_dict()) == Memory()


class TestAhead:
    def test_order_and_end(self):
        assert list(ahead(iter(range(100)), 3)) == list(range(100))
        assert list(ahead([], 3)) == []

    def test_no_more_than_that_are_made(self):
        made = itertools.count()
        items = ahead(made, 3)
        assert next(items) == 0
        items.close()
        assert next(made) <= 4

    def test_what_is_left_is_closed(self):
        closed = []

        def items():
            try:
                yield from range(1000)
            finally:
                closed.append(True)

        some = ahead(items(), 3)
        next(some)
        some.close()
        assert closed == [True]

    def test_an_error_comes_where_it_happened(self):
        def items():
            yield 1
            raise OSError("gone")

        some = ahead(items(), 3)
        assert next(some) == 1
        with pytest.raises(OSError, match="gone"):
            next(some)
