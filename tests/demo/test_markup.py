"""HTML of the page, read back as HTML."""

import dataclasses
import io
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demo import guard, markup
from resemotenet import EMOTIONS, EmotionPredictor, FaceEmotion
from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.checkpoints.pretrained import Source, bundled_folder
from resemotenet.emotions import COLORS
from tests.readings import PREPROCESS, reading_of

VOID = {"img", "br", "input"}


class Reader(HTMLParser):
    """Every element as (tag, attributes, text inside); refuses markup that is not balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self.elements[index][2].append(data)

    def find(self, tag: str, css_class: str | None = None) -> Iterator[tuple[dict[str, str | None], str]]:
        for name, attributes, text in self.elements:
            if name == tag and (css_class is None or css_class in (attributes.get("class") or "").split()):
                yield attributes, " ".join("".join(text).split())


def face(probabilities: dict[str, float]) -> FaceEmotion:
    label = max(probabilities, key=lambda name: probabilities[name])
    box, crop = (10.4, 20.0, 60.0, 90.6), (5.0, 20.0, 75.0, 90.0)
    return FaceEmotion(box, crop, 0.987, label, probabilities[label], probabilities)


PROBABILITIES = dict(zip(EMOTIONS, (0.004, 0.0, 0.02, 0.812, 0.1, 0.054, 0.01), strict=True))
PICTURE = Image.linear_gradient("L").resize((100, 100)).convert("RGB")


def test_a_face_has_seven_bars_in_canonical_order():
    page = Reader(markup.cards(reading_of(PICTURE, [face(PROBABILITIES)])))
    assert [text for _, text in page.find("span", "name")] == [name.capitalize() for name in EMOTIONS]
    assert [text for _, text in page.find("span", "figure")] == ["<1%", "0%", "2%", "81%", "10%", "5%", "1%"]
    styles = [attributes["style"] for attributes, _ in page.find("span", "fill")]
    assert styles[3] == f"width:81.20%;background:{COLORS['happy']}"
    assert [text for _, text in page.find("li", "winner")] == ["Happy81%"]
    assert [text for _, text in page.find("p", "label")] == ["Happy"]


def test_a_face_shows_what_the_model_saw():
    page = Reader(markup.cards(reading_of(PICTURE, [face(PROBABILITIES)])))
    [(attributes, _)] = page.find("img", "crop")
    crop = Image.open(io.BytesIO(guard.decode_data_uri(attributes["src"] or "")))
    assert crop.size == (70, 70)
    expected = PICTURE.crop((5, 20, 75, 90))
    assert abs(crop.convert("L").getpixel((35, 2)) - expected.convert("L").getpixel((35, 2))) < 8  # type: ignore[operator]
    assert attributes["alt"] == "Face 1"
    [(card, _)] = page.find("article")
    seen = Image.open(io.BytesIO(guard.decode_data_uri(card["data-input"] or "")))
    assert seen.tobytes() == PREPROCESS.look(expected).tobytes()
    assert card["data-label"] == "happy"


def test_bars_for_the_largest_faces_only_but_a_row_for_each():
    faces = [face(PROBABILITIES)] * (guard.MAX_FACES_SHOWN + 3)
    assert len(list(Reader(markup.cards(reading_of(PICTURE, faces))).find("article"))) == guard.MAX_FACES_SHOWN
    body = re.findall(r"<tbody>.*</tbody>", markup.table(faces), re.DOTALL)
    assert len(list(Reader(body[0]).find("tr"))) == len(faces)


def test_no_face_says_what_would_help():
    page = Reader(markup.cards(reading_of(PICTURE, [])))
    assert [text for _, text in page.find("p", "notice-title")] == ["No face found"]
    assert not list(page.find("ul", "bars"))
    assert markup.table([]) == ""


def test_before_the_first_picture_bars_wait_empty():
    page = Reader(markup.nothing_yet())
    assert len(list(page.find("span", "name"))) == len(EMOTIONS)
    assert {(attributes["style"] or "").split(";")[0] for attributes, _ in page.find("span", "fill")} == {"width:0"}


def test_the_table_says_where_the_model_is_not_sure():
    page = Reader(markup.table([dataclasses.replace(face(PROBABILITIES), sure_margin=0.8)]))
    assert [text for _, text in page.find("td", "word")] == ["Not sure: happy or neutral"]


def test_the_table_holds_every_number():
    page = Reader(markup.table([face(PROBABILITIES)]))
    assert [text for _, text in page.find("td")] == (
        ["Happy", "0.4", "0.0", "2.0", "81.2", "10.0", "5.4", "1.0", "0.987", "10, 20, 50, 71"]
    )
    assert len(list(page.find("th"))) == len(list(page.find("td"))) + 2  # a head for each cell, and the row's own two
    assert all(attributes.get("scope") in ("col", "row") for attributes, _ in page.find("th"))


def test_labels_of_a_model_are_text_not_markup():
    hostile = face({"<img src=x onerror=alert(1)>": 1.0})
    for html in (markup.cards(reading_of(PICTURE, [hostile])), markup.table([hostile])):
        assert "<img src=x" not in html.lower()
        assert "&lt;img src=x" in html.lower()


def about(predictor: EmotionPredictor, source: Source | None = None, **changes: Any) -> str:
    model = predictor.model
    info = dataclasses.replace(model.info, **changes)
    return markup.about(LoadedModel(model.module, info, model.folder), source or predictor.source)


def test_weights_without_measurements_say_so(predictor: EmotionPredictor):
    assert "Not measured" in about(predictor, measured=())


def test_accuracy_is_that_of_the_weights(predictor: EmotionPredictor):
    facts = (
        {
            "dataset": "faces",
            "labels": "strict",
            "split": "held",
            "n": 2720,
            "accuracy": 0.8414,
            "interval": [0.8271, 0.8547],
            "macro_recall": 0.7,
        },
        {"dataset": "others", "n": 12, "accuracy": 0.5},
    )
    html = about(predictor, measured=facts)
    lines = [text for _, text in Reader(html).find("li")]
    assert lines == [
        "84.1% right (82.7 to 85.5) faces, strict, held, 2,720 faces, 70.0% averaged over the emotions",
        "50.0% right others, 12 faces",
    ]
    assert "Not measured" not in html
    assert "95% interval" in html


def test_where_test_was_measured_the_page_shows_test_alone(predictor: EmotionPredictor):
    fact = {"dataset": "fer2013", "labels": "fer2013", "n": 10}
    facts = ({**fact, "split": "validation", "accuracy": 0.9}, {**fact, "split": "test", "accuracy": 0.8})
    lines = [text for _, text in Reader(about(predictor, measured=facts)).find("li")]
    assert lines == ["80.0% right FER2013, its own labels, test split, 10 faces"]


@pytest.mark.parametrize(
    ("dataset", "labels", "words"),
    [
        ("raf-db", "raf-db", "RAF-DB, its own labels"),
        ("ckplus", "ckplus-last3", "CK+, CK+, last three frames"),
        ("synthetic", "synthetic", "faces drawn by the program, its own labels"),
    ],
)
def test_data_sets_and_labels_are_told_in_words(predictor: EmotionPredictor, dataset: str, labels: str, words: str):
    fact = {"dataset": dataset, "labels": labels, "split": "test", "accuracy": 0.8}
    lines = [text for _, text in Reader(about(predictor, measured=(fact,))).find("li")]
    assert lines == [f"80.0% right {words}, test split"]


def test_the_licence_of_the_weights_is_stated(predictor: EmotionPredictor):
    license = {"name": "Research only", "link": "https://example.org/licence", "text": "No commercial use."}
    page = Reader(about(predictor, license=license))
    assert ("https://example.org/licence", "Research only") in [(a["href"], text) for a, text in page.find("a")]
    assert any("No commercial use." in text for _, text in page.find("p"))
    assert "not stated" in about(predictor, license={})


def test_a_licence_cannot_bring_a_script(predictor: EmotionPredictor):
    html = about(predictor, license={"name": "<b>x</b>", "link": "javascript:alert(1)"})
    assert "javascript:" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("show", [about, lambda _, source: markup.header(source)], ids=["about", "header"])
def test_which_weights_answer_without_the_servers_paths(
    predictor: EmotionPredictor, tmp_path: Path, show: Callable[[EmotionPredictor, Source], str]
):
    folder = tmp_path / "my-weights"
    html = show(predictor, Source(folder, str(folder)))
    assert "my-weights" in html
    assert str(tmp_path) not in html


@pytest.mark.parametrize("show", [about, lambda _, source: markup.header(source)], ids=["about", "header"])
def test_weights_of_the_hub_are_named_with_their_commit(
    predictor: EmotionPredictor, tmp_path: Path, show: Callable[[EmotionPredictor, Source], str]
):
    commit = "0123456789abcdef0123456789abcdef01234567"
    source = Source(tmp_path, "someone/faces", commit, f"https://example.org/someone/faces/tree/{commit}")
    page = Reader(show(predictor, source))
    assert (source.url, "someone/faces") in [(attributes["href"], text) for attributes, text in page.find("a")]
    assert [(attributes["title"], text) for attributes, text in page.find("code")] == [(commit, "0123456")]


def test_the_projects_own_weights_are_not_called_anything_else(predictor: EmotionPredictor):
    own = Source(bundled_folder(), "bundled")
    assert "weights were trained by this project" in about(predictor, own)
    assert "Weights:" not in markup.header(own)
    fact = ({"n": 10, "accuracy": 0.9},)
    assert "not checked here" not in about(predictor, own, measured=fact)
    assert "not checked here" in about(predictor, measured=fact)


@pytest.mark.parametrize(
    "fact",
    [
        {"accuracy": "<script>alert(1)</script>"},
        {"accuracy": 86.9},  # percent where a share belongs
        {"accuracy": float("nan")},
        {"accuracy": True},
        {"n": 10},
        {},
    ],
)
def test_a_fact_without_an_accuracy_is_none(predictor: EmotionPredictor, fact: dict[str, Any]):
    assert "Not measured" in about(predictor, measured=(fact,))


def test_what_speaks_against_the_figures_stands_before_them(predictor: EmotionPredictor):
    fact = {"n": 10, "accuracy": 0.9}
    remarks = ["A rehearsal: only the first 100 faces.", "<script>alert(1)</script>", 7]
    html = about(predictor, measured=(fact,), training={"remarks": remarks})
    told = "Take no figure from these weights; publishing them was forced."
    assert html.index(told) < html.index("A rehearsal: only the first 100 faces.") < html.index("90.0%")
    assert "<script" not in html
    assert told in about(predictor, training={"remarks": "one"})
    assert told not in about(predictor, measured=(fact,))


def test_facts_may_be_anybodys(predictor: EmotionPredictor):
    script = "<script>alert(1)</script>"
    fact = {"accuracy": 0.5, "dataset": script, "labels": [script], "n": script, "interval": [script, 1], "split": 9e9}
    html = about(predictor, measured=({**fact, "macro_recall": script}, *[{"accuracy": 0.25}] * 1000))
    assert "<script" not in html
    lines = [text for _, text in Reader(html).find("li")]
    assert lines[0] == f"50.0% right {script}, ['{script}'], {9e9}"
    assert len(lines) == 6
    long = about(
        predictor, license={"name": "x" * 1000, "text": "y" * 100_000}, measured=({**fact, "labels": "z" * 999},)
    )
    assert len(long) < 5000


@pytest.mark.parametrize("words", ["research", "Not for decisions about people", "EU AI Act", "different groups"])
def test_the_page_says_what_it_is_not_for(predictor: EmotionPredictor, words: str):
    assert words in about(predictor)


@pytest.mark.parametrize(("score", "shown"), [(0.93, ["81% · face 1 · detection 93%"]), (0.98, ["81% · face 1"])])
def test_a_card_says_where_the_detector_is_not_sure(score: float, shown: list[str]):
    unsure = dataclasses.replace(face(PROBABILITIES), detection_score=score)
    html = Reader(markup.cards(reading_of(PICTURE, [unsure])))
    assert [text for _, text in html.find("p", "sub")] == shown
