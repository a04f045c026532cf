"""HTML of the page, read back as HTML."""

import dataclasses
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from demo import markup
from resemotenet import EMOTIONS, EmotionPredictor
from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.checkpoints.pretrained import Source, bundled_folder
from resemotenet.emotions import COLORS

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


def test_a_card_has_a_bar_for_each_label_in_their_order():
    page = Reader(markup.card(EMOTIONS))
    assert [text for _, text in page.find("span", "name")] == [name.capitalize() for name in EMOTIONS]
    assert [attributes["data-emotion"] for attributes, _ in page.find("li")] == list(EMOTIONS)
    styles = [attributes["style"] for attributes, _ in page.find("span", "fill")]
    assert styles == [f"width:0;background:{COLORS[name]}" for name in EMOTIONS]
    assert [attributes["value"] for attributes, _ in page.find("option")] == list(EMOTIONS)


def test_no_face_says_what_would_help():
    page = Reader(markup.nobody("found"))
    assert [text for _, text in page.find("p", "notice-title")] == ["No face found"]
    assert not list(page.find("ul", "bars"))


def test_before_the_first_picture_bars_wait_empty():
    page = Reader(markup.nothing_yet())
    assert len(list(page.find("span", "name"))) == len(EMOTIONS)
    assert {(attributes["style"] or "").split(";")[0] for attributes, _ in page.find("span", "fill")} == {"width:0"}


def test_labels_of_a_model_are_text_not_markup():
    html = markup.card(["<img src=x onerror=alert(1)>"]).lower()
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html


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


def test_one_figure_what_to_expect_on_photographs_and_the_rest_behind_it(predictor: EmotionPredictor):
    crops = {"dataset": "fer2013", "labels": "ferplus-strict", "split": "test", "n": 2720, "accuracy": 0.878}
    photographs = {"dataset": "photographs", "labels": "photographs", "split": "test", "n": 683, "accuracy": 0.753,
                   "protocol": "operating point chosen on these <photographs>"}  # fmt: skip
    page = Reader(about(predictor, measured=(crops, {**crops, "accuracy": 0.6}, photographs)))
    told = [text for _, text in page.find("p") if "%" in text]
    assert told[:2] == [
        "87.8% of 2,720 test faces are read right.",
        "On photographs, where faces must be found first, expect 75.3% (683 photographs).",
    ]
    [(_, rest)] = page.find("details")
    assert rest.startswith("All figures")
    lines = [text for _, text in page.find("li")]
    assert len(lines) == 3
    assert lines[2] == (
        "75.3% right 683 photographs, the face found by the detector, operating point chosen on these <photographs>"
    )


def test_links_lead_to_the_paper_and_to_what_was_named(predictor: EmotionPredictor):
    html = markup.about(
        predictor.model, predictor.source, {"The code": "https://example.org/code", "Bad": "javascript:1"}
    )
    links = {text: attributes["href"] for attributes, text in Reader(html).find("a")}
    assert links["The code"] == "https://example.org/code"
    assert links["The paper"] is not None
    assert links["The paper"].startswith("https://doi.org/")
    assert "javascript:" not in html
