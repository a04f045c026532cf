"""Text of others in a model card: it is shown, it is no markup, and it is not long."""

import re
from pathlib import Path

from markdown_it import MarkdownIt

from resemotenet.runs.results import read_json
from tests.resemotenet.publishing.cards import card_of, change

EVIL = "x\n\n# Head [a](javascript:alert(1)) <img src=x onerror=alert(1)> `code` **bold** | cell"


def test_text_of_others_is_no_markup(run: Path) -> None:
    config = read_json(run / "model" / "config.json")
    origin = {"file": EVIL, "layout": EVIL, "sha256": EVIL, "base_model": EVIL}
    change(
        run / "model" / "config.json",
        license={"name": EVIL, "text": EVIL, "link": "javascript:alert(1)"},
        training={**config["training"], "converted_from": origin, "remarks": [EVIL]},
    )
    result = read_json(run / "result.json")
    change(run / "result.json", protocol=EVIL, run=EVIL, chosen={**result["chosen"], "by": EVIL})
    check_is_harmless(card_of(run))


def test_a_model_folder_of_anybody_is_no_markup(model: Path) -> None:
    fact = {"dataset": EVIL, "labels": EVIL, "split": EVIL, "protocol": EVIL, "n": 9, "accuracy": 0.5}
    training = {"data": EVIL, "labels": [EVIL], "seed": EVIL, EVIL: EVIL, "epochs": EVIL, "more": {EVIL: [EVIL]}}
    change(model / "config.json", measured=[fact], training=training, license={"name": [EVIL], "link": [EVIL]})
    check_is_harmless(card_of(model))


def check_is_harmless(card: str) -> None:
    html = MarkdownIt("commonmark").enable("table").render(card.split("---\n", 2)[2])
    assert "<img src=x" not in html
    assert 'href="javascript' not in html
    assert "<h1>Head" not in html
    assert not re.search("<strong>bold", html)
    assert html.count("<h1>") == 1
    for row in re.findall("<tr>.*?</tr>", html, re.DOTALL):
        assert "</h1>" not in row


def test_long_text_of_others_is_cut(model: Path) -> None:
    change(model / "config.json", license={"name": "x" * 100_000, "text": "y" * 100_000}, training={"a": "z" * 100_000})
    assert len(card_of(model)) < 20_000
