import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt

from resemotenet.emotions import EMOTIONS
from resemotenet.publishing.card import model_card
from resemotenet.publishing.facts import gather
from resemotenet.runs.metrics import per_class
from resemotenet.runs.photographs import figures
from resemotenet.runs.results import Predictions, read_json
from tests.finished_run import add_elsewhere, make_run
from tests.resemotenet.publishing.cards import PAGE, card_of, change, rows, section


def test_all_a_reader_must_know(run: Path) -> None:
    card = card_of(run)
    assert re.findall(r"^#+ (.+)$", card, re.MULTILINE) == [
        "name",
        "Use",
        "Measured",
        "By emotion",
        "Calibration",
        "Copies and leaks",
        "Claimed by others",
        "Training",
        "Limits",
        "Intended use",
        "EU AI Act",
        "Licence",
        "Sources",
    ]
    assert "Article 5(1)(f)" in section(card, "EU AI Act")
    assert "[non-commercial-research](https://example.org/terms). For research." in section(card, "Licence")


def test_measured_figures_are_those_of_the_result(run: Path) -> None:
    result = read_json(run / "result.json")
    table = rows(section(card_of(run), "Measured"))
    expected = [
        ("FER+ strict", "test (PrivateTest)", result["splits"]["test"]),
        ("FER2013's own labels", "test (PrivateTest)", result["also"]["fer2013"]["test"]),
        ("FER+ strict", "validation (PublicTest)", result["splits"]["validation"]),
        ("FER2013's own labels", "validation (PublicTest)", result["also"]["fer2013"]["validation"]),
    ]
    for row, (labels, split, entry) in zip(table[:4], expected, strict=True):
        assert row[:3] == [labels, split, str(entry["n"])]
        accuracy, low, high = (float(number) for number in re.findall(r"\d+\.\d+", row[3]))
        assert accuracy == round(100 * entry["accuracy"], 2)
        assert [low, high] == [round(100 * end, 1) for end in entry["interval"]]
        assert [float(cell.partition(" [")[0]) for cell in row[4:6]] == [
            round(100 * entry[key], 1) for key in ("macro_recall", "macro_f1")
        ]
        recall, low, high = (float(number) for number in re.findall(r"\d+\.\d+", row[4]))
        assert low < recall < high
        assert [float(cell) for cell in row[6:8]] == [round(entry[key], 3) for key in ("nll", "ece")]
        clean = entry["without_leaks"]
        assert row[8] == f"{100 * clean['accuracy']:.2f} of\u00a0{clean['n']}"


def test_every_emotion_with_its_recall(run: Path) -> None:
    own = Predictions.load(run / "predictions" / "ferplus-strict-test.npz")
    other = Predictions.load(run / "predictions" / "fer2013-test.npz")
    classes = per_class(own.probabilities.argmax(axis=1), own.targets)
    others = per_class(other.probabilities.argmax(axis=1), other.targets)
    table = rows(section(card_of(run), "By emotion"))
    assert [row[0] for row in table] == list(EMOTIONS)
    for emotion, n, recall, precision, _, elsewhere in table:
        assert n == str(classes[emotion]["support"])
        if emotion == "disgust":  # nobody is, so there is no recall
            assert (recall, elsewhere) == ("-", "- of 0")
            continue
        assert float(recall) == round(100 * (classes[emotion]["recall"] or 0), 1)
        assert float(precision) == round(100 * (classes[emotion]["precision"] or 0), 1)
        assert elsewhere == f"{100 * (others[emotion]['recall'] or 0):.1f} of {others[emotion]['support']}"
    assert "(confusion.svg)" in section(card_of(run), "By emotion")


def test_calibration_is_told_by_every_definition_of_the_labels(run: Path) -> None:
    result = read_json(run / "result.json")
    said = section(card_of(run), "Calibration")
    lines = [line for line in said.splitlines() if line.startswith("- ")]
    expected = [
        ("FER+ strict", "ferplus-strict", result["splits"]["test"]),
        ("FER2013's own labels", "fer2013", result["also"]["fer2013"]["test"]),
    ]
    for line, (name, labels, entry) in zip(lines, expected, strict=True):
        predictions = Predictions.load(run / "predictions" / f"{labels}-test.npz")
        confidence = float(predictions.probabilities.max(axis=1).mean())
        assert f"{name}: {100 * confidence:.1f}% against {100 * entry['accuracy']:.1f}%" in line
        assert f"too modest by {100 * (entry['accuracy'] - confidence):.1f} points" in line
        assert f"ECE {entry['ece']:.3f}" in line
    assert "temperature 1; operating point (logit bias) none" in said
    assert "in-sample" not in said


def test_what_the_operating_point_was_chosen_on(run: Path) -> None:
    point = {"temperature": 0.5, "logit_bias": [0.1, 0, 0, 0, 0, 0, -0.1], "views": "none"}
    change(run / "model" / "config.json", **point)
    change(run / "result.json", released={**point, "by": "validation, ferplus-strict"})
    card = card_of(run)
    said = section(card, "Calibration")
    assert "chosen on validation, by FER+ strict, so the validation rows of the table are in-sample" in said
    assert "temperature 0.5; operating point (logit bias) angry +0.10" in said
    own = read_json(run / "result.json")["splits"]["validation"]["accuracy"]
    told = section(card, "Measured")
    assert f"It had 70.00% then; the table gives {100 * own:.2f}% for the model as released: rounded" in told
    change(run / "result.json", released={**point, "by": "validation, ferplus-strict", "mixed": {"start_share": 0.5}})
    told = section(card_of(run), "Measured")
    assert "for the model as released: 50% of the way back to the weights it started from, rounded" in told


def test_the_crowd_is_counted_on_all_faces(run: Path) -> None:
    told = section(card_of(run), "Measured")
    assert "the emotion with the most FER+ votes of the seven (plurality;" in told
    assert "would agree with FER2013's own label on 63.4% of all 3,589 test faces" in told
    assert "on 72.2% of the 2,720 with a strict majority" in told


def test_the_headline_says_how_many_faces_were_left_out(run: Path) -> None:
    headline = card_of(run).split("---\n", 2)[2].split("## Use")[0]
    assert "of 300 of the 3,589 faces in the test split of FER2013, those on which more than half of ten" in headline
    assert "of 400 of the 3,589 faces by FER2013's own labels" in headline
    audit = read_json(run / "audit.json")
    change(run / "audit.json", images={**audit["images"], "test": 400})
    assert "of all 400 faces by FER2013's own labels" in card_of(run)
    (run / "audit.json").unlink()
    assert "of 300 faces in the test split" in card_of(run)


def test_leaks(run: Path) -> None:
    said = section(card_of(run), "Copies and leaks")
    assert "Test images with an identical copy in train: 288 of 3,589." in said
    assert "Test images with a near but no identical copy in train: 374 of 3,589." in said
    assert "were left out of training" in said
    assert "not looked for" not in said
    change(run / "audit.json", near_copies=None)
    assert "were not counted, because the images are all alike" in section(card_of(run), "Copies and leaks")
    audit = read_json(run / "audit.json")
    del audit["near_copies"]
    (run / "audit.json").write_text(json.dumps(audit))
    assert "a little differently, were not looked for." in section(card_of(run), "Copies and leaks")
    (run / "audit.json").unlink()
    assert "The data was not audited for copies." in section(card_of(run), "Copies and leaks")


def test_training_images_that_leaked(run: Path) -> None:
    config = read_json(run / "config.json")
    change(run / "config.json", dataset={**config["dataset"], "leave_out_leaked": False})
    assert "were **not** left out of training" in section(card_of(run), "Copies and leaks")


def test_other_data_sets_have_a_table_of_their_own(run: Path) -> None:
    assert "On other data sets" not in card_of(run)
    figures = add_elsewhere(run)
    (row,) = rows(section(card_of(run), "On other data sets"))
    assert row[:4] == ["CK+", "CK+, peak frames", "test", "309"]
    assert row[4].startswith(f"{100 * figures['accuracy']:.2f} [")
    assert row[7] == "2"


def test_claims_stand_apart(run: Path) -> None:
    card = card_of(run)
    claims = section(card, "Claimed by others")
    assert rows(claims)[0][:3] == ["ResEmoteNet", "FER2013", "79.79"]
    assert {row[1] for row in rows(claims)} == {"FER2013", "FERPlus"}, (
        "what is claimed of other data is no concern here"
    )
    assert "no result of this repository" in claims
    assert "79.79" not in card.replace(claims, "")
    for difference in ("0.0625 of the paper's width", "48 px", "at most 3 epochs", "the crowd's labels"):
        assert difference in claims
    grey = gather(run).model.info.preprocess.channels == 1
    assert ("one grey channel instead of the same grey three times" in claims) is grey


@pytest.mark.parametrize(
    ("network", "first"),
    [
        ("resemotenet_c5", ["ResEmoteNet C5", "RAF-DB", "75.39"]),
        ("emonext_xlarge", ["EmoNeXt", "FER2013", "76.12"]),
        ("emonext_tiny", ["EmoNeXt, tiny", "FER2013", "71.4 to 71.6"]),
        ("resnet18", None),
    ],
)
def test_claims_are_of_the_same_network(run: Path, network: str, first: list[str] | None) -> None:
    facts = gather(run)
    object.__setattr__(facts.model.info, "architecture", network)
    card = model_card(facts, "owner/name", page=PAGE)
    if first is None:
        assert "Claimed by others" not in card
    else:
        assert rows(section(card, "Claimed by others"))[0][:3] == first


@pytest.mark.parametrize(("touched", "said"), [(1, "Test was scored once."), (3, "Test was scored 3 times, so")])
def test_how_often_test_was_touched(run: Path, touched: int, said: str) -> None:
    result = read_json(run / "result.json")
    result["splits"]["test"]["touched"] = touched
    (run / "result.json").write_text(json.dumps(result))
    assert said in section(card_of(run), "Measured")


def test_touches_that_nobody_counted(run: Path) -> None:
    result = read_json(run / "result.json")
    del result["splits"]["test"]["touched"]
    (run / "result.json").write_text(json.dumps(result))
    card = card_of(run)
    assert "Test was scored at least once; how often is not known." in section(card, "Measured")
    assert "not scored" not in card


def test_a_look_at_test_that_left_no_figures(tmp_path: Path, model_folder: Path) -> None:
    run = make_run(tmp_path / "run", model_folder, splits=("validation",))
    change(run / "result.json", test_touched=1)
    card = card_of(run)
    assert card.count("Test was scored once, and the figures were not kept.") == 2
    assert "not scored" not in card


def test_older_protocols_do_not_speak_of_test(run: Path) -> None:
    change(run / "result.json", protocol="validation-chosen, test once")
    card = card_of(run)
    assert "Protocol: validation-chosen. Epoch 3" in card
    assert "test once" not in card


def test_which_weights_were_measured(run: Path) -> None:
    unsaid = "`result.json` does not say which file of weights made them"
    assert unsaid in section(card_of(run), "Measured")
    digest = hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest()
    result = read_json(run / "result.json")
    for entry in [*result["splits"].values(), *result["also"]["fer2013"].values()]:
        entry["weights"] = {"sha256": digest}
    (run / "result.json").write_text(json.dumps(result))
    assert unsaid not in card_of(run)


def test_how_many_images_were_trained_on(run: Path) -> None:
    audit = read_json(run / "audit.json")
    change(run / "audit.json", leaks={**audit["leaks"], "train images with a copy elsewhere": 703})
    said = section(card_of(run), "Training")
    assert (
        "Of the 28,709 training images, 703 with an identical copy in validation or test were left out: 28,006" in said
    )
    assert "fewer than 5 FER+ votes" in said
    config = read_json(run / "config.json")
    change(run / "config.json", dataset={**config["dataset"], "leave_out_leaked": False, "labels": "fer2013"})
    assert "left out" not in section(card_of(run), "Training")


def test_a_run_that_ended_at_validation(tmp_path: Path, model_folder: Path) -> None:
    card = card_of(make_run(tmp_path / "run", model_folder, splits=("validation",)))
    assert "Test was not scored." in card
    assert "PrivateTest" not in section(card, "Measured")


def test_how_to_load_it(run: Path) -> None:
    use = section(card_of(run, tag="v1"), "Use")
    assert 'EmotionPredictor.from_pretrained("owner/name", revision="v1")' in use
    assert "pull owner/name OUT --revision v1" in use
    without = section(card_of(run), "Use")
    assert 'EmotionPredictor.from_pretrained("owner/name")' in without
    assert f"the 40 digits of [a commit]({PAGE}/commits/main)" in without


def test_what_was_forced_says_so_first(tmp_path: Path, model_folder: Path) -> None:
    card = card_of(make_run(tmp_path / "run", model_folder, dirty=True))
    body = card.split("---\n", 2)[2]
    assert body.index("**This should not have been published; it was forced.** The code had changes") < body.index(
        "Reads"
    )
    assert ", with uncommitted changes" in section(card, "Training")


def test_it_is_markdown_throughout(run: Path) -> None:
    body = card_of(run).split("---\n", 2)[2]
    html = MarkdownIt("commonmark").enable("table").render(body)
    assert html.count("<table>") == 4
    text = re.sub(r"<(pre|code).*?</\1>", "", html, flags=re.DOTALL)
    assert not re.search(r"\||\*\*|^#", re.sub("<[^>]+>", "", text), re.MULTILINE)


def test_drawn_faces_say_so_before_anything_else(model: Path) -> None:
    change(model / "config.json", training={"data": "synthetic", "labels": "synthetic"})
    title, first, *_ = filter(None, card_of(model).split("---\n", 2)[2].splitlines())
    assert (title, first[:39]) == ("# name", "**Trained on faces drawn by a program, ")


def test_an_answer_may_be_not_sure_where_the_weights_can_say_so(model: Path) -> None:
    assert "the likeliest, always one of them" in section(card_of(model), "Use")
    change(model / "config.json", sure_margin=0.3)
    assert 'by less than 0.3: "not sure: sad or neutral"' in section(card_of(model), "Use")
    photographs = {"temperature": 0.7, "logit_bias": [0.0] * 7, "sure_margin": 0.2}
    change(model / "config.json", photographs=photographs)
    assert "by less than 0.2" in section(card_of(model), "Use"), "what finds faces in a picture uses that one"


def test_the_whole_chain_of_runs_is_counted(run: Path) -> None:
    assert "went on from" not in card_of(run)
    training = read_json(run / "model" / "config.json")["training"]
    first = {"run": "first", "epochs": 40, "chosen_epoch": 32, "test_touched": 2}
    change(run / "model" / "config.json", training={**training, "chain": [first]})
    said = section(card_of(run), "Measured")
    assert "runs: `first` (40 epochs, test scored twice), then `run` (3 epochs, test scored once)." in said
    assert "In all: 43 epochs, and test was scored 3 times." in said
    assert "at most 43 epochs instead of 80" in section(card_of(run), "Claimed by others")
    change(run / "model" / "config.json", training={**training, "chain": [{"run": "first"}]})
    said = section(card_of(run), "Measured")
    assert "`first` (epochs not known, test scored not known how often)" in said
    assert "In all: at least 3 epochs, and test was scored at least 1 times." in said


@pytest.mark.parametrize(
    ("mixed", "said"),
    [
        ({"start_share": 0.5, "test_seen": True}, "be kept was decided after test had been scored without that"),
        ({"start_share": 0.5, "test_seen": False}, None),
        ({"start_share": 0.5}, "be kept may have been decided after test had been scored"),
    ],
)
def test_what_was_mixed_after_a_look_at_test(run: Path, mixed: dict, said: str | None) -> None:
    result = read_json(run / "result.json")
    result["splits"]["test"]["touched"] = 2
    (run / "result.json").write_text(json.dumps(result))
    training = read_json(run / "model" / "config.json")["training"]
    change(run / "model" / "config.json", training={**training, "mixed": mixed})
    told = section(card_of(run), "Measured")
    assert (said or "That 50%") in told if said else "That 50%" not in told


def test_an_epoch_is_counted_from_one_also_without_its_run(model: Path) -> None:
    change(model / "config.json", training={"data": "fer2013", "chosen_epoch": 6})
    assert ["chosen", "epoch 7, counted from 1"] in rows(section(card_of(model), "Training"))


def test_photographs_have_a_place_of_their_own(run: Path) -> None:
    assert "photographs" not in card_of(run)
    targets = np.array([3] * 30 + [5] * 10)
    right = np.where(np.arange(40) % 2 == 0, targets, 4)
    found = np.arange(40) < 39
    counted = figures(np.eye(7, dtype=np.float32)[right], targets, found, several=0, broken=0, unanswered={})
    change(run / "result.json", photographs=counted.to_dict())
    card = card_of(run)
    assert "On photographs, in which a detector finds the face first: **50.00%**" in card.split("## Use")[0]
    said = section(card, "On photographs")
    assert "of 40 photographs are read as labelled" in said
    assert "(a face was found in 39)" in said
    assert rows(said) == [["happy", "30", "30", "15", "50.0"], ["sad", "10", "9", "5", "50.0"]]
    assert "Of those with at least 20 photographs: 50.0%" in said


def test_what_config_json_says_of_photographs_is_no_row_of_the_table(model: Path) -> None:
    fact = {"dataset": "photographs", "labels": "photographs", "split": "test", "n": 9, "accuracy": 0.6,
            "interval": [0.3, 0.8], "protocol": "chosen on *these*"}  # fmt: skip
    change(model / "config.json", measured=[fact])
    said = section(card_of(model), "Measured")
    assert "**60.00%** [30.0,\u00a080.0] of 9 photographs are read as labelled" in said
    assert r"chosen on \*these\*" in said
    assert "Not measured" not in card_of(model)
