import re

import pytest

from resemotenet.emotions import COLORS, EMOTIONS, UPSTREAM_ORDER, canonical_order, percent


def test_canonical_order() -> None:
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def test_labels_in_canonical_order() -> None:
    assert canonical_order(UPSTREAM_ORDER) == EMOTIONS
    assert canonical_order(iter(("zeal", "sad", "calm", "angry"))) == ("angry", "sad", "zeal", "calm")


def test_upstream_order() -> None:
    # 0 happy, 1 surprise, 2 sad, 3 anger, 4 disgust, 5 fear, 6 neutral, with "anger" under the project's name.
    assert UPSTREAM_ORDER == ("happy", "surprise", "sad", "angry", "disgust", "fear", "neutral")
    assert sorted(UPSTREAM_ORDER) == sorted(EMOTIONS)


def test_each_emotion_has_its_own_color() -> None:
    assert tuple(COLORS) == EMOTIONS
    assert all(re.fullmatch(r"#[0-9A-F]{6}", color) for color in COLORS.values())
    assert len(set(COLORS.values())) == len(EMOTIONS)


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "0%"), (0.0001, "<1%"), (0.0099, "<1%"), (0.01, "1%"), (0.873, "87%"), (0.9901, ">99%"), (1, "100%")],
)
def test_percent_never_rounds_to_certainty(fraction: float, text: str) -> None:
    assert percent(fraction) == text
