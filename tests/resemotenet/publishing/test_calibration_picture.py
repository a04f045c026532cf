import xml.etree.ElementTree as ElementTree

import pytest

from resemotenet.publishing.calibration_picture import calibration_svg
from resemotenet.runs.metrics import reliability

SVG = "{http://www.w3.org/2000/svg}"
# Ten faces that are said with 0.9, nine of them right; ten said with 0.6, three of them right.
BINS = reliability([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10, [0] * 9 + [1] + [0] * 3 + [1] * 7)


def test_a_disc_lies_where_sure_meets_right() -> None:
    picture = ElementTree.fromstring(calibration_svg(BINS, "a title"))
    unsure, sure = picture.iter(f"{SVG}circle")
    assert [each.findtext(f"{SVG}title") for each in (unsure, sure)] == [
        "10 faces: 60.0% sure, 30.0% right",
        "10 faces: 90.0% sure, 90.0% right",
    ]
    ticks = {text.text: text for text in picture.iter(f"{SVG}text") if text.get("text-anchor") == "middle"}
    zero, whole = (float(ticks[name].get("x", 0)) for name in ("0", "100"))
    assert float(sure.get("cx", 0)) == pytest.approx(zero + 0.9 * (whole - zero))
    # Down is less: the diagonal goes from below left to above right.
    (line,) = [each.get("d", "") for each in picture.iter(f"{SVG}path") if each.get("stroke-dasharray")]
    low, high = (tuple(map(float, point.split())) for point in line[1:].split("L"))
    assert float(sure.get("cy", 0)) == pytest.approx(low[1] + 0.9 * (high[1] - low[1]))
    assert low[1] > high[1]


def test_the_more_faces_the_larger_and_none_without() -> None:
    bins = reliability([[0.9, 0.1]] * 40 + [[0.6, 0.4]] * 10, [0] * 50)
    few, many = ElementTree.fromstring(calibration_svg(bins, "t")).iter(f"{SVG}circle")
    assert float(many.get("r", 0)) == pytest.approx(2 * float(few.get("r", 0)))


def test_names_are_no_markup() -> None:
    assert ElementTree.fromstring(calibration_svg(BINS, "</svg><b>")).findtext(f"{SVG}title") == "</svg><b>"
