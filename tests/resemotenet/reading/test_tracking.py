import dataclasses
import json
import math
from typing import Any

import pytest

from resemotenet.emotions import EMOTIONS
from resemotenet.reading.faces import Box
from resemotenet.reading.reading import FaceEmotion
from resemotenet.reading.tracking import MAX_TRACKS, MEMORY, Track, TrackState, track

FRAME = 0.05  # seconds
GOOD: dict[str, Any] = {"number": 1, "box": [0, 0, 9, 9], "probabilities": {"happy": 1}, "seen": 1}  # as JSON


def face(x: float, y: float = 100.0, *, side: float = 80.0, happy: float = 0.9) -> FaceEmotion:
    box = (x, y, x + side, y + side)
    rest = (1 - happy) / (len(EMOTIONS) - 1)
    probabilities = {name: happy if name == "happy" else rest for name in EMOTIONS}
    label = max(probabilities, key=probabilities.__getitem__)
    return FaceEmotion(box, box, 0.99, label, probabilities[label], probabilities)


def film(*frames: list[FaceEmotion], smoothing: float = 0.0, step: float = FRAME) -> list[list[tuple[int, Box]]]:
    """(number, box) of every face, frame by frame."""
    state, seen = TrackState(), []
    for index, faces in enumerate(frames):
        state, tracked = track(state, faces, time=1 + index * step, smoothing=smoothing)
        assert [each.face.box for each in tracked] == [each.box for each in faces]
        seen.append([(each.number, each.face.box) for each in tracked])
    return seen


def numbers(*frames: list[FaceEmotion], step: float = FRAME) -> list[list[int]]:
    return [[number for number, _ in frame] for frame in film(*frames, step=step)]


class TestIdentity:
    def test_people_keep_their_numbers_whatever_the_order_they_come_in(self):
        left, right = [face(10.0 + 3 * i) for i in range(6)], [face(400.0 - 3 * i) for i in range(6)]
        frames = [[a, b] if i % 2 else [b, a] for i, (a, b) in enumerate(zip(left, right, strict=True))]
        first, *others = (dict(frame) for frame in film(*frames))
        assert first[1][0] > first[2][0]
        assert all(frame[1][0] > frame[2][0] and len(frame) == 2 for frame in others)

    def test_two_who_pass_close_to_each_other_are_matched_as_a_whole(self):
        # Alone, the second face would overlap the first one's box best; both together fit only one way.
        state, _ = track(TrackState(), [face(100), face(150)], time=1.0)
        _, tracked = track(state, [face(130), face(180)], time=1.05)
        assert [each.number for each in tracked] == [1, 2]

    def test_a_face_too_far_away_is_somebody_new(self):
        assert numbers([face(0)], [face(300)]) == [[1], [2]]

    def test_half_a_width_between_two_frames_is_the_same_person_and_three_quarters_are_not(self):
        assert numbers([face(0)], [face(40)]) == [[1], [1]]
        assert numbers([face(0)], [face(60)]) == [[1], [2]]

    def test_a_face_unseen_for_a_moment_comes_back_as_itself(self):
        assert numbers([face(0)], [], [face(5)], step=MEMORY / 3) == [[1], [], [1]]

    def test_after_longer_the_number_is_free_again(self):
        state, _ = track(TrackState(), [face(0)], time=1.0)
        state, _ = track(state, [], time=1.0 + MEMORY + 0.1)
        assert state.tracks == ()
        _, tracked = track(state, [face(400)], time=1.2 + MEMORY)
        assert [each.number for each in tracked] == [1]

    def test_a_newcomer_gets_the_smallest_number_that_nobody_has(self):
        state, _ = track(TrackState(), [face(0), face(200), face(400)], time=0.0)
        state, _ = track(state, [face(0), face(400)], time=0.9)
        state, _ = track(state, [face(0), face(400)], time=1.5)  # the second is forgotten
        state, tracked = track(state, [face(0), face(400), face(600)], time=1.6)
        assert [each.number for each in tracked] == [1, 3, 2]
        assert [each.number for each in state.tracks] == [1, 2, 3]

    def test_visible_are_those_of_the_last_frame(self):
        state, _ = track(TrackState(), [face(0), face(200)], time=1.0)
        state, _ = track(state, [face(200)], time=1.1)
        assert [each.number for each in state.visible] == [2]
        assert [each.number for each in state.tracks] == [1, 2]

    def test_no_state_is_changed(self):
        before, _ = track(TrackState(), [face(0)], time=1.0)
        copy = dataclasses.replace(before)
        track(before, [face(2)], time=1.1, smoothing=0.5)
        assert before == copy


class TestSmoothing:
    def after(self, seconds: float, smoothing: float, frames: int) -> float:
        """Happiness shown some seconds after it fell from 0.9 to 0.1 at once."""
        state, _ = track(TrackState(), [face(0, happy=0.9)], time=0.0, smoothing=smoothing)
        for index in range(1, frames + 1):
            state, tracked = track(state, [face(0, happy=0.1)], time=seconds * index / frames, smoothing=smoothing)
        return tracked[0].face.probabilities["happy"]

    def test_none_shows_every_frame_as_read(self):
        assert self.after(0.05, 0.0, 1) == 0.1

    @pytest.mark.parametrize("frames", [1, 7, 30])
    def test_the_same_at_any_frame_rate(self, frames: int):
        assert self.after(0.5, 0.5, frames) == pytest.approx(0.1 + 0.8 / math.e)

    def test_label_and_confidence_are_those_of_what_is_shown(self):
        state, _ = track(TrackState(), [face(0, happy=0.9)], time=0.0)
        _, [tracked] = track(state, [face(0, happy=0.02)], time=0.1, smoothing=2.0)
        assert tracked.face.label == "happy"
        assert tracked.face.confidence == tracked.face.probabilities["happy"] > 0.8
        assert sum(tracked.face.probabilities.values()) == pytest.approx(1)

    def test_a_newcomer_is_shown_as_read(self):
        state, _ = track(TrackState(), [face(0, happy=0.9)], time=0.0)
        _, tracked = track(state, [face(500, happy=0.2)], time=0.1, smoothing=5.0)
        assert tracked[0].face.probabilities["happy"] == 0.2

    def test_another_models_state_is_refused(self):
        other = TrackState((Track(1, (0, 100, 80, 180), {"calm": 1.0}, 1.0),), 1.0)
        with pytest.raises(ValueError, match=r"labels \['calm'\]"):
            track(other, [face(0)], time=1.1, smoothing=1.0)


@pytest.mark.parametrize("time", [1.0, 0.5, math.nan])
def test_time_goes_forward(time: float):
    state, _ = track(TrackState(), [face(0)], time=1.0)
    with pytest.raises(ValueError, match="time goes forward"):
        track(state, [face(0)], time=time)


def test_what_is_smoothed_is_sure_or_not_by_what_it_became():
    before = dataclasses.replace(face(0, happy=0.9), sure_margin=0.3)
    state, _ = track(TrackState(), [before], time=0.0)
    now = dataclasses.replace(face(0, happy=0.2), sure_margin=0.3)
    assert now.not_sure is not None
    _, [tracked] = track(state, [now], time=0.1, smoothing=2.0)
    assert tracked.face.not_sure is None


@pytest.mark.parametrize("smoothing", [-0.1, math.nan])
def test_smoothing_is_a_time(smoothing: float):
    with pytest.raises(ValueError, match="from 0 up"):
        track(TrackState(), [], time=1.0, smoothing=smoothing)


class TestTravel:
    def test_a_state_survives_the_journey(self):
        state, _ = track(TrackState(), [face(10.04), face(300)], time=1.0)
        state, _ = track(state, [face(12)], time=1.1, smoothing=0.3)
        back = TrackState.from_dict(json.loads(json.dumps(state.to_dict())))
        assert back.time == state.time
        for one, other in zip(back.tracks, state.tracks, strict=True):
            assert (one.number, one.probabilities, one.seen) == (other.number, other.probabilities, other.seen)
            assert one.box == pytest.approx(other.box, abs=0.051)
        assert [each.number for each in back.visible] == [1]

    def test_so_does_the_first(self):
        assert TrackState.from_dict(json.loads(json.dumps(TrackState().to_dict()))) == TrackState()

    @pytest.mark.parametrize(
        "values",
        [
            None,
            [],
            {},
            {"time": 1.0},
            {"time": math.nan, "tracks": []},
            {"time": "1", "tracks": []},
            {"time": 1.0, "tracks": [GOOD | {"number": 0}]},
            {"time": 1.0, "tracks": [GOOD | {"number": 10**9}]},
            {"time": 1.0, "tracks": [GOOD | {"box": [0, 0, 9]}]},
            {"time": 1.0, "tracks": [GOOD | {"box": [0, 0, 9, math.inf]}]},
            {"time": 1.0, "tracks": [GOOD | {"box": [0, 0, 9, "9"]}]},
            {"time": 1.0, "tracks": [GOOD | {"box": [0, 0, 9, True]}]},
            {"time": 1.0, "tracks": [GOOD | {"probabilities": {"happy": 1.5}}]},
            {"time": 1.0, "tracks": [GOOD | {"probabilities": {"happy": None}}]},
            {"time": 1.0, "tracks": [GOOD | {"probabilities": [1]}]},
            {"time": 1.0, "tracks": [GOOD | {"seen": 2}]},  # after the last frame
            {"time": 1.0, "tracks": [GOOD, GOOD]},  # one number, two people
            {"time": 1.0, "tracks": [GOOD | {"number": number + 1} for number in range(MAX_TRACKS + 1)]},
        ],
    )
    def test_what_no_tracking_wrote_is_refused(self, values: Any):
        with pytest.raises(ValueError, match="tracking"):
            TrackState.from_dict(values)
