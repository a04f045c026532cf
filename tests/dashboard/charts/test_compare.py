"""Figures hold the numbers they were given, in percent, and colours that everybody can tell from the page."""

import pytest

from dashboard.charts import compare, look


def mark(row: str, model: str = "resemotenet", value: float = 0.61, **more) -> compare.Mark:
    return compare.Mark(row, model, value, value - 0.02, value + 0.01, f"{row}: note", **more)


def test_ranking_keeps_claims_and_measurements_apart():
    figure = compare.ranking(
        [mark("ours"), mark("other", "vgg", 0.5)],
        [compare.Range("ours", 0.7979, 0.7979, "claim")],
        [compare.Range("ours", 0.58, 0.66, "users")],
        [compare.Line(0.722, "the crowd")],
    )
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name) == ["Users report", "Claimed in a paper", "Measured here, 95% interval"]
    measured = by_name["Measured here, 95% interval"]
    assert list(measured.x) == [61.0, 50.0]
    assert list(measured.y) == ["ours", "other"]
    assert measured.error_x.array == pytest.approx((1, 1))
    assert measured.error_x.arrayminus == pytest.approx((2, 2))
    assert list(measured.marker.color) == [look.model_color("resemotenet"), look.model_color("vgg")]
    assert list(by_name["Claimed in a paper"].x) == [79.79]
    users = by_name["Users report"]
    assert (users.base[0], users.x[0]) == pytest.approx((58, 8))
    assert figure.layout.shapes[0].x0 == pytest.approx(72.2)
    assert "the crowd" in [note.text for note in figure.layout.annotations]
    assert figure.layout.yaxis.categoryarray == ("other", "ours")  # Plotly draws the last on top


@pytest.mark.parametrize(("value", "side"), [(0.697, "right"), (0.4, "left")])
def test_a_line_is_named_towards_the_middle_where_nothing_cuts_its_name(value: float, side: str):
    figure = compare.ranking(
        [mark("ours", value=0.39), mark("other", value=0.69)], [], [], [compare.Line(value, "crowd")]
    )
    (note,) = figure.layout.annotations
    assert (note.text, note.xanchor) == ("crowd", side)


def test_against_leaves_out_what_has_no_place_and_names_each_model_once():
    marks = [mark("a", x=1e6), mark("b", x=2e8), mark("c", "vgg"), mark("d", "vgg", x=5e6)]
    figure = compare.against(marks, "Parameters", [compare.Line(0.722, "the crowd")])
    assert {trace.name: list(trace.x) for trace in figure.data} == {"resemotenet": [1e6, 2e8], "vgg": [5e6]}
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.xaxis.range
    assert low < 6
    assert high > 8.3


def test_deltas_draw_measurements_left_and_claims_right():
    figure = compare.deltas(
        [compare.Mark("C2", "resemotenet_c2", -0.012, -0.03, 0.005)],
        [compare.Mark("C2", "resemotenet_c2", -0.0058, None, None)],
        "here",
        "there",
    )
    measured, claimed = figure.data
    assert (measured.name, measured.xaxis, measured.x[0]) == ("Measured", "x", pytest.approx(-1.2))
    assert measured.error_x.arrayminus[0] == pytest.approx(1.8)
    assert (claimed.name, claimed.xaxis, claimed.x[0]) == ("Claimed", "x2", pytest.approx(-0.58))


FIGURES = {
    "ranking": lambda: compare.ranking([mark("ours")], [], []),
    "against": lambda: compare.against([mark("a", x=1.0)], "Cost"),
    "against nothing": lambda: compare.against([], "Cost"),
    "deltas": lambda: compare.deltas([], [], "", ""),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_takes_on_the_theme_and_keeps_its_zoom(name: str):
    figure = FIGURES[name]()
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.font.color is None
    assert figure.layout.font.size >= 12
    assert min(axis.tickfont.size for axis in figure.select_xaxes()) >= 12
    assert min(axis.tickfont.size for axis in figure.select_yaxes()) >= 12
    assert figure.layout.uirevision


def test_zoom_on_one_axis_is_not_carried_to_another():
    size, work = (compare.against([mark("a", x=1.0)], title) for title in ("Parameters", "Multiply-adds"))
    assert size.layout.uirevision != work.layout.uirevision
