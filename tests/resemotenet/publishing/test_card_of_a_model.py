"""Cards of model folders without their run."""

import re
from pathlib import Path

import pytest

from tests.resemotenet.publishing.cards import card_of, change, rows, section


def test_a_bare_model(model: Path) -> None:
    card = card_of(model)
    assert "**Not measured**" in card
    assert "None is stated" in section(card, "Licence")
    assert not re.search(r"\d%", section(card, "Measured"))
    assert "Training" not in re.findall(r"^## (.+)$", card, re.MULTILINE)


def test_a_model_that_knows_its_figures(model: Path) -> None:
    fact = {"dataset": "fer2013", "labels": "fer2013", "split": "test", "n": 3589, "accuracy": 0.61}
    change(model / "config.json", measured=[fact], training={"recipe": "strong", "data": "fer2013", "seed": 7})
    card = card_of(model)
    assert rows(section(card, "Measured"))[0] == [
        "FER2013's own labels",
        "test (PrivateTest)",
        "3,589",
        "**61.00**",
        *["-"] * 4,
    ]
    assert "One seed (7)." in card
    assert "**Not checked**: `config.json` states for the test split of FER2013 that 61.00% of 3,589 faces by" in card
    assert "the run is not here, so it was not checked" in card
    assert "**These figures were not checked**" in section(card, "Measured")
    assert "Test was scored at least once" in section(card, "Measured")
    assert "not scored" not in card
    assert "model-index" not in card
    change(model / "config.json", measured=[{**fact, "touched": 2}])
    assert "Test was scored twice" in section(card_of(model), "Measured")
    assert ["recipe", "`strong`"] in rows(section(card, "Training"))


def test_8_bits_have_figures_of_their_own(model: Path) -> None:
    fact = {"dataset": "fer2013", "labels": "ferplus-strict", "split": "validation", "n": 2854, "accuracy": 0.8756}
    which = {name: fact[name] for name in ("dataset", "labels", "split", "n")}
    cost = {**which, "exact": 0.8756, "int8": 0.8767, "same": 0.9989, "largest": 0.06}
    int8 = {"ranges": {}, "weights": "0f" * 32, "calibration": {}, "measured": [cost]}
    change(model / "config.json", measured=[fact], int8=int8)
    said = section(card_of(model), "Measured")
    assert 'In 8 bits (`precision="int8"`) it reads 87.67% of 2,854 faces of FER2013' in said
    assert "(87.56% exact; the same label on 99.89%)" in said
    change(model / "config.json", int8={**int8, "measured": []})
    assert "8 bits" not in card_of(model)


def test_a_converted_model_tells_its_origin(model: Path) -> None:
    origin = {"file": "best_model.pth", "sha256": "ab" * 32, "layout": "upstream ResEmoteNet", "base_model": "some/one"}
    change(model / "config.json", training={"converted_from": origin})
    card = card_of(model)
    said = section(card, "Where the weights come from")
    assert "`best_model.pth`" in said
    assert "ab" * 32 in said
    assert "`some/one`" in said
    assert "RAF-DB" in section(card, "Claimed by others"), (
        "what it was trained on is not known, so all claims are shown"
    )


def test_drawn_faces_say_nothing_of_people(model: Path) -> None:
    change(model / "config.json", training={"data": "synthetic", "labels": "synthetic"})
    card = card_of(model)
    assert "Nothing here says anything about people" in section(card, "Training")
    assert "Its answers about people mean nothing" in section(card, "Limits")
    assert "Claimed by others" not in card
    assert "FER2013" not in card.replace("no demographic labels", "")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("fer2013", "28,709 train (Training), 3,589 validation"),
        ("raf-db", "RAF-DB, basic emotions: 12,271 train, 3,068 test"),
        ("mine", "Data set: mine."),
    ],
)
def test_the_data_and_its_licence(model: Path, data: str, said: str) -> None:
    change(model / "config.json", training={"data": data, "labels": data})
    card = card_of(model)
    assert said in section(card, "Training")
    known = data != "mine"
    assert ("Licence of the data: non-commercial research" in card) is known
    assert ("- Data: " in section(card, "Sources")) is known


def test_a_part_of_a_data_set_is_not_taken_for_the_whole(model: Path) -> None:
    change(model / "config.json", training={"data": "fer2013", "labels": "fer2013", "faces": 298})
    card = card_of(model)
    assert "These weights learned from 298 training faces of it." in section(card, "Training")
    assert "**Not taught**" not in card
    assert "298" not in str(rows(section(card, "Training")))


def test_what_was_never_taught_is_not_promised(model: Path) -> None:
    change(model / "config.json", training={"data": "fer2013", "faces": 298, "untaught": ["disgust", "fear"]})
    card = card_of(model)
    (opening,) = [line for line in card.splitlines() if line.startswith("Reads one of")]
    assert opening.startswith("Reads one of 5 expressions")
    assert "disgust" not in opening
    assert "**Not taught**: it also has an answer for disgust and fear, but no training face was labelled so." in card
    change(model / "config.json", training={"untaught": "disgust"})  # a stranger's file may say anything
    assert "Reads one of 7 expressions" in card_of(model)
