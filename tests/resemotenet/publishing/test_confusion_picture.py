import re
import xml.etree.ElementTree as ElementTree

import numpy as np

from resemotenet.publishing.confusion_picture import confusion_svg

SVG = "{http://www.w3.org/2000/svg}"
COUNTS = np.array([[90, 10], [0, 0]], np.int64)


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_cells_say_share_and_count() -> None:
    said = texts(confusion_svg(COUNTS, ("happy", "sad"), "a title"))
    assert said[:7] == ["a title", "happy", "n = 100", "90.0", "90", "10.0", "10"]
    # Nobody is sad: its row has no shares.
    assert said[7:] == [
        "sad",
        "n = 0",
        "happy",
        "sad",
        "answer of the model",
        "percent of the row, and how many faces",
        "label",
    ]


def test_the_fuller_the_darker() -> None:
    svg = confusion_svg(np.diag([7, 7]) + 1, ("a", "b"), "t")
    reds = [int(red) for red in re.findall(r"rgb\((\d+),", svg)]
    assert reds[0] == reds[3] < reds[1] == reds[2]


def test_names_are_no_markup() -> None:
    assert texts(confusion_svg(COUNTS, ("<b>", "&amp;"), "</svg>"))[:2] == ["</svg>", "<b>"]
