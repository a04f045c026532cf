"""Tables to take away say what the page says, in a form that other programs read."""

import csv
import io

from dashboard.widgets.tables import to_csv, to_latex

ROWS: list[dict[str, object]] = [
    {"Model": "resemotenet_c2", "Accuracy, %": 61.0476, "n": 3589, "Interval": "[59.4, 62.6]"},
    {"Model": 'a "quoted", name', "Accuracy, %": None, "n": 2720, "Note": "±0.4 < 1 & more"},
]


def test_csv_is_read_back_unrounded():
    first, second = csv.DictReader(io.StringIO(to_csv(ROWS)))
    assert first == {
        "Model": "resemotenet_c2",
        "Accuracy, %": "61.0476",
        "n": "3589",
        "Interval": "[59.4, 62.6]",
        "Note": "",
    }
    assert second["Model"] == 'a "quoted", name'
    assert second["Accuracy, %"] == ""


def test_latex_escapes_and_aligns():
    lines = to_latex(ROWS, "50% of it").splitlines()
    assert r"\caption{50\% of it}" in lines
    assert r"\begin{tabular}{lrrll}" in lines
    assert r"Model & Accuracy, \% & n & Interval & Note \\" in lines
    assert r"resemotenet\_c2 & 61.05 & 3,589 & [59.4, 62.6] & -- \\" in lines
    assert r"$\pm$0.4 $<$ 1 \& more \\" in lines[-4]


def test_a_column_of_whole_numbers_stays_one_beside_a_cell_without_a_value():
    rows: list[dict[str, object]] = [{"n": 3589}, {"n": None}]
    assert to_csv(rows) == 'n\n3589\n""\n'
    assert [line for line in to_latex(rows, "").splitlines() if line.endswith(r"\\")][1:] == [r"3,589 \\", r"-- \\"]


def test_every_line_of_latex_has_as_many_cells():
    body = [line for line in to_latex(ROWS, "").splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in body} == {4}
