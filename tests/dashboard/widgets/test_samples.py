"""Faces as cards, and in which order they come."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dashboard.data.pictures import Pictures
from dashboard.widgets.samples import cards, hardest, most_confident_mistakes, of_cell, samples
from resemotenet.datasets import read_fer2013
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from tests.dashboard.fake_runs import draw_predictions, write_run
from tests.dashboard.matching import write_matching
from tests.dashboard.pages import html, open_page, sound, texts


@pytest.fixture(scope="module")
def matching(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_matching(tmp_path_factory.mktemp("matching"))


def stored(run: Path, labels: str = "ferplus-strict", split: str = "test") -> Predictions:
    return Predictions.load(ResultsFolder(run).predictions(labels, split))


def test_cards_show_picture_probabilities_and_votes_and_write_nothing(
    matching: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run, data = matching
    monkeypatch.chdir(tmp_path)
    found = stored(run)
    pictures = Pictures(data)
    shown = samples(found, np.arange(4))
    body = cards(shown, pictures, {shown[1].id: Image.new("RGB", (192, 192), "red")}, explained="predicted")
    drawn = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in re.findall(r"base64,([^\"]+)\"", body)
    ]
    assert [each.shape[:2] for each in drawn] == [(48, 48), (48, 48), (192, 192), (48, 48), (48, 48)]
    assert (drawn[0] == read_fer2013(data).images[int(shown[0].id)]).all()
    assert body.count("Votes: ") == 4
    for each in shown:
        assert body.count(f"{100 * each.confidence:.0f}%") >= 1
    assert list(tmp_path.iterdir()) == []
    assert "<img" not in cards(shown)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (True, "Copy in the train split; this run left it out"),
        (False, "The same picture is in train<"),
        (None, "whether it was left out is not recorded"),
    ],
)
def test_a_copy_in_train_is_told_by_what_the_run_learned_from(tmp_path: Path, left_out: bool | None, said: str):
    path = write_run(tmp_path)
    config = read_json(path / "config.json")
    config["dataset"]["leave_out_leaked"] = left_out
    write_json(path / "config.json", config)
    file = ResultsFolder(path).predictions("fer2013", "test")
    found = Predictions.load(file)
    wrong = found.probabilities.argmax(axis=1) != found.targets
    replace(found, leaked=wrong).save(file)
    address = {"labels": "fer2013", "split": "test"}
    page = sound(open_page("run", [tmp_path], part="Mistakes", data=None, **address))
    assert html(page).count(said) == min(12, wrong.sum())
    assert html(page).count("in train") == html(page).count("data-sample=") - (12 if left_out else 0)
    audit = texts(sound(open_page("datasets", [tmp_path], section="Audit")))
    expected = {True: "has not seen these very pictures", False: "may have memorised these", None: "is not recorded"}[
        left_out
    ]
    assert expected in audit


def test_what_a_results_folder_names_is_text_never_markup():
    found = draw_predictions(n=3)
    evil = Predictions(found.probabilities, found.targets, np.array(["<script>x</script>", '"><i>', "c"]))
    body = cards(samples(evil, np.arange(3)))
    assert "<script>" not in body
    assert '"><i>' not in body


def test_faces_of_a_cell_come_by_confidence():
    found = draw_predictions(n=400)
    guesses = found.probabilities.argmax(axis=1)
    for truth in range(len(EMOTIONS)):
        for predicted in range(len(EMOTIONS)):
            rows = of_cell(found, truth, predicted)
            assert set(rows) == {i for i in range(400) if (found.targets[i], guesses[i]) == (truth, predicted)}
            confidence = [float(found.probabilities[row, predicted]) for row in rows]
            assert confidence == sorted(confidence, reverse=True)
            back = of_cell(found, truth, predicted, surest_first=False)
            assert [float(found.probabilities[row, predicted]) for row in back] == confidence[::-1]


def test_mistakes_are_ordered_by_what_their_name_says():
    found = draw_predictions(n=400)
    wrong = {i for i in range(400) if found.probabilities[i].argmax() != found.targets[i]}
    sure = most_confident_mistakes(found)
    hard = hardest(found)
    assert set(sure) == set(hard) == wrong
    assert list(-found.probabilities[sure].max(axis=1)) == sorted(-found.probabilities[sure].max(axis=1))
    losses = -np.log(found.probabilities[hard, found.targets[hard]])
    assert list(losses) == sorted(losses, reverse=True)
    assert list(sure) != list(hard)
