"""The table of what was taught and what scores it: one cell for each, framed at home, read on its colour."""

import re

from dashboard.widgets.crossing import DEEP, PALE, Cell, crossing_table
from tests.dashboard.contrast import contrast

ROWS = {"a": ("FER2013", "resemotenet, 48 px"), "b": ("FER+", "<b>resemotenet</b>")}
COLUMNS = {"own": ("FER2013's own labels", "n = 10"), "strict": ("FER+ strict", "n = 12")}
CELLS = {
    ("a", "own"): Cell(0.87, "[80.0, 90.0]", home=True),
    ("a", "strict"): Cell(0.61, "[50.0, 70.0]", home=False),
    ("b", "strict"): Cell(0.3, "[20.0, 40.0]", home=True),
}


def test_it_frames_the_home_cell_and_says_where_nothing_was_scored():
    body = crossing_table(ROWS, COLUMNS, CELLS)
    cells = re.findall(r"<td(.*?)>(.*?)<", body)
    assert [text for _, text in cells] == ["87.0", "61.0", "not scored", "30.0"]
    assert ['class="home"' in attributes for attributes, _ in cells] == [True, False, False, True]


def test_what_runs_are_called_is_text_never_markup():
    assert "<b>resemotenet" not in crossing_table(ROWS, COLUMNS, CELLS)


def test_white_is_read_on_every_cell():
    body = crossing_table(ROWS, COLUMNS, CELLS)
    grounds = [tuple(map(int, each)) for each in re.findall(r"rgb\((\d+), (\d+), (\d+)\)", body)]
    assert len(grounds) == 3
    assert max(grounds) < PALE  # no cell is at the pale end
    assert min(grounds) == DEEP
    for ground in [*grounds, PALE, DEEP]:
        assert contrast("#FFFFFF", "#{:02X}{:02X}{:02X}".format(*ground)) > 4.5  # WCAG 2, level AA
