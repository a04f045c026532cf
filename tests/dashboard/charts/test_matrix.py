"""Matrices hold the numbers they were given, and their cells can be clicked."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from dashboard.charts.matrix import confusion_figure, difference_figure
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.metrics import confusion
from resemotenet.runs.results import Predictions
from tests.dashboard.fake_runs import draw_predictions
from tests.dashboard.pages import numbers

NUMBERS = np.arange(len(EMOTIONS))


def table_of(found: Predictions) -> np.ndarray:
    return confusion(found.probabilities.argmax(axis=1), found.targets)


def cells(figure: dict) -> dict[tuple[int, int], str]:
    """Text of every cell of a matrix, by row and column."""
    letters = [trace for trace in figure["data"] if trace.get("mode") == "text"]
    return {(y, x): text for trace in letters for x, y, text in zip(trace["x"], trace["y"], trace["text"], strict=True)}


@pytest.mark.parametrize(("by", "normalize"), [("truth", "true"), ("prediction", "pred"), ("counts", None)])
def test_a_matrix_shows_what_scikit_learn_counts(by: str, normalize: str | None):
    found = draw_predictions(n=400)
    guesses = found.probabilities.argmax(axis=1)
    expected = confusion_matrix(found.targets, guesses, labels=NUMBERS, normalize=normalize)
    figure = confusion_figure(table_of(found), by).to_plotly_json()
    assert numbers(figure["data"][0]["z"]) == pytest.approx(expected)
    for (row, column), text in cells(figure).items():
        value = expected[row, column] * (1 if normalize is None else 100)
        assert text == ("·" if value == 0 else "<1" if value < 0.5 else f"{value:.0f}")


def test_a_row_without_faces_is_empty_and_not_zero():
    table = np.zeros((7, 7), np.int64)
    table[0, 0] = 3
    texts_of = cells(confusion_figure(table, "truth").to_plotly_json())
    assert texts_of[0, 0] == "100"
    assert texts_of[0, 1] == "·"
    assert texts_of[1, 1] == ""


def test_every_cell_can_be_clicked_and_says_which_it_is():
    figure = confusion_figure(table_of(draw_predictions(n=50)), "truth", (2, 6)).to_plotly_json()
    (markers,) = [trace for trace in figure["data"] if trace.get("mode") == "markers"]
    places = list(zip(markers["y"], markers["x"], strict=True))
    assert [tuple(each) for each in markers["customdata"]] == places
    assert len(set(places)) == 49
    words = dict(zip(places, markers["hovertext"], strict=True))[2, 6]
    assert "truth Fear, predicted Surprise" in words
    (frame,) = figure["layout"]["shapes"]
    assert (frame["x0"] + frame["x1"], frame["y0"] + frame["y1"]) == (12, 4)


def test_the_difference_is_b_minus_a_and_white_where_nothing_changed():
    a, b = table_of(draw_predictions(n=300, seed=1)), table_of(draw_predictions(n=300, seed=2, skill=2))
    counts = difference_figure(a, b, "counts").to_plotly_json()
    z = numbers(counts["data"][0]["z"])
    assert (z == b - a).all()
    assert counts["data"][0]["zmin"] == -counts["data"][0]["zmax"]
    assert {text for place, text in cells(counts).items() if (b - a)[place] == 0} == {"·"}
    shares = difference_figure(a, b, "truth").to_plotly_json()
    rows = [table / table.sum(axis=1, keepdims=True) for table in (a, b)]
    assert numbers(shares["data"][0]["z"]) == pytest.approx(rows[1] - rows[0])
    same = difference_figure(a, a, "truth").to_plotly_json()
    assert set(cells(same).values()) == {"·"}
