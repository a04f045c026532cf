import json
from xml.etree import ElementTree

import numpy as np
import pytest

from resemotenet.emotions import COLORS
from resemotenet.reading.timeline import Sighting, timeline


def seen(person: int, time: float, happy: float, sad: float) -> Sighting:
    return Sighting(time, person, {"sad": sad, "happy": happy, "neutral": 1 - happy - sad})


def steady(person: int, start: float, end: float, happy: float = 0.2, sad: float = 0.1) -> list[Sighting]:
    return [seen(person, time, happy, sad) for time in np.arange(start, end, 0.2)]


def test_shares_are_of_the_time_and_not_of_the_readings():
    often = [seen(1, time, 0.9, 0.0) for time in np.arange(0, 1, 0.1)]
    rare = [seen(1, time, 0.0, 0.9) for time in (1.0, 1.15, 1.3, 1.45, 1.6, 1.75)]
    (person,) = timeline([*often, *rare], smoothing=0).people
    assert person.labels == ("happy", "neutral", "sad")
    assert person.seconds == pytest.approx(1.9, abs=0.11)
    assert person.shares["happy"] == pytest.approx(1 / 1.85, abs=0.03)
    assert sum(person.shares.values()) == pytest.approx(1)


def test_time_in_which_nobody_was_seen_does_not_count():
    (person,) = timeline([*steady(1, 0, 2), *steady(1, 60, 62)], smoothing=1).people
    assert person.seconds == pytest.approx(4, abs=0.01)
    assert [(piece.start, piece.stop) for piece in person.pieces] == [(0, 10), (10, 20)]


def test_smoothing_is_the_weighted_mean_that_it_says():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.05, 0.6, 40))
    values = rng.uniform(0, 0.5, (40, 2))
    rows = [seen(1, time, *pair) for time, pair in zip(times, values, strict=True)]
    (person,) = timeline(reversed(rows), smoothing=0.7).people
    weights = np.exp(-np.abs(times[:, None] - times) / 0.7)
    expected = weights @ values / weights.sum(axis=1, keepdims=True)
    assert person.times == pytest.approx(times)
    assert person.probabilities[:, [0, 2]] == pytest.approx(expected)
    assert person.probabilities.sum(axis=1) == pytest.approx(1)


def test_without_smoothing_every_reading_is_as_it_was():
    (person,) = timeline([seen(1, 0, 0.1, 0.2), seen(1, 0.2, 0.9, 0.1)], smoothing=0).people
    assert person.probabilities[:, 0].tolist() == [0.1, 0.9]


def test_change_is_against_the_persons_own_median():
    """Who always looks a little sad is not sad for that; whose face then brightens is."""
    rows = [*steady(1, 0, 10, happy=0.1, sad=0.5), *steady(1, 10, 12, happy=0.8, sad=0.1), *steady(2, 0, 12)]
    gloomy, other = timeline(rows, smoothing=0).people
    assert gloomy.median["sad"] == pytest.approx(0.5)
    assert gloomy.change[0] == pytest.approx([0, 0, 0])
    assert gloomy.change[-1] == pytest.approx([0.7, -0.3, -0.4])
    assert np.abs(other.change).max() < 1e-9


def test_people_stand_in_the_order_in_which_they_came():
    rows = [*steady(2, 0, 3), *steady(1, 1, 3), *steady(3, 0.1, 1)]
    assert [person.person for person in timeline(rows).people] == [2, 3, 1]


def test_one_reading_alone():
    (person,) = timeline([seen(1, 5.0, 0.9, 0.0)]).people
    assert person.seconds == 0
    assert person.shares == {"happy": 1.0, "neutral": 0.0, "sad": 0.0}


@pytest.mark.parametrize("smoothing", [-1, float("nan"), float("inf")])
def test_smoothing_that_is_no_time(smoothing):
    with pytest.raises(ValueError, match="smoothing must be a time"):
        timeline([], smoothing=smoothing)


def test_readings_of_two_models_do_not_mix():
    with pytest.raises(ValueError, match="have the same emotions"):
        timeline([seen(1, 0, 0.5, 0.1), Sighting(1, 1, {"happy": 1.0})])


def test_json():
    told = json.loads(json.dumps(timeline(steady(1, 0, 1)).to_dict()))
    assert (told["schema"], told["smoothing"]) == (1, 1.0)
    (person,) = told["people"]
    assert person["times"] == [0, 0.2, 0.4, 0.6, 0.8]
    assert person["probabilities"]["happy"] == [0.2] * 5
    assert person["change"]["happy"] == [0] * 5


def test_a_table():
    pytest.importorskip("pandas")
    frame = timeline([*steady(1, 0, 1), *steady(2, 0, 1, happy=0.8)]).to_frame()
    assert len(frame) == 10
    assert list(frame.columns[:3]) == ["person", "time", "label"]
    assert set(frame[frame.person == 2].label) == {"happy"}
    assert timeline([]).to_frame().empty


class TestPicture:
    def polygons(self, svg: str) -> list[tuple[str, list[tuple[float, float]]]]:
        root = ElementTree.fromstring(svg)
        return [
            (
                each.attrib["fill"],
                [(float(x), float(y)) for x, y in (point.split(",") for point in each.attrib["points"].split())],
            )
            for each in root.iter("{http://www.w3.org/2000/svg}polygon")
        ]

    def test_a_row_a_person_and_nothing_where_nobody_was_seen(self):
        svg = timeline([*steady(1, 0, 4), *steady(1, 8, 10), *steady(2, 0, 10)], smoothing=0).to_svg()
        shapes = self.polygons(svg)
        assert len(shapes) == 3 * 3  # three pieces, three emotions
        happy = [points for fill, points in shapes if fill == COLORS["happy"]]
        first, second, whole = ((points[0][0], max(x for x, _ in points)) for points in happy)
        assert first[1] < second[0]
        assert (first[0], second[1]) == whole
        assert {points[0][1] for points in happy[:2]} != {happy[2][0][1]}

    def test_the_height_of_a_colour_is_the_probability(self):
        ((_, points), *_) = self.polygons(timeline(steady(1, 0, 10, happy=0.25), smoothing=0).to_svg())
        assert max(y for _, y in points) - min(y for _, y in points) == pytest.approx(0.25 * 64, abs=0.2)

    def test_ten_hours_are_as_small_as_ten_minutes(self):
        rng = np.random.default_rng(0)
        rows = [seen(1, time, *rng.uniform(0, 0.5, 2)) for time in range(0, 36000, 2)]
        svg = timeline(rows).to_svg()
        assert len(svg) < 120_000
        assert ">10:00:00<" in svg or ">9:00:00<" in svg or ">8:00:00<" in svg

    def test_nobody(self):
        assert "nobody was seen" in timeline([]).to_svg()
