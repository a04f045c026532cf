import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest
from sklearn.metrics import f1_score, log_loss, recall_score

from dashboard import data
from dashboard.analysis.settings import flat
from dashboard.analysis.telling import best_epoch, command_of, duration, thousands, why_chosen
from dashboard.charts.curves import curves_figure
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.results import read_json, write_json
from resemotenet.runs.schema import Epoch
from tests.dashboard.fake_runs import (
    COMMIT,
    write_every_state,
    write_run,
    write_running,
)
from tests.dashboard.matching import write_matching
from tests.dashboard.pages import figures, html, numbers, open_page, sound, texts
from tests.dashboard.published import PUBLISHED, SCORED, name_of, stored

RELEASED = {"temperature": 0.5, "views": "none", "by": "validation, fer2013"}


def calibration_error(probabilities: np.ndarray, targets: np.ndarray, bins: int = 15) -> float:
    """ECE, straight from its definition."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    total = 0.0
    for low in np.arange(bins) / bins:
        inside = (sure > low) & (sure <= low + 1 / bins)
        total += abs(right[inside].sum() - sure[inside].sum())
    return total / len(targets)


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    powers = np.maximum(probabilities, np.finfo(np.float32).tiny) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("run", PUBLISHED, ids=name_of)
def test_published_figures_are_those_of_the_predictions(run: data.Run):
    page = sound(open_page("run", [data.PUBLISHED], run=run.id))
    shown = page.dataframe[0].value
    assert len(shown) == len(list((run.path / "predictions").glob("*.npz")))
    by_name = {data.label_set(each.labels).name: each.labels for each in data.scores(run)}
    for _, row in shown.iterrows():
        probabilities, targets = stored(run, by_name[row["Labels"]], row["Split"])
        guesses = probabilities.argmax(axis=1)
        hits, n = int((guesses == targets).sum()), len(targets)
        low, high = binomtest(hits, n).proportion_ci(method="wilson")
        assert row["n"] == n
        assert row["Accuracy, %"] == f"{100 * hits / n:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        for name, figure in (("Macro recall, %", recall_score), ("Macro F1, %", f1_score)):
            value = figure(targets, guesses, average="macro")
            rng = np.random.default_rng(5)
            again = [
                figure(targets[rows], guesses[rows], average="macro") for rows in rng.integers(0, n, (150, n))
            ]  # every class is in it: the rarest has dozens of faces
            shown_value, ends = row[name].split(" (")
            assert shown_value == f"{100 * value:.1f}"
            assert [float(end) for end in ends.strip(")").split(" to ")] == pytest.approx(
                list(100 * np.percentile(again, (2.5, 97.5))), abs=2.0
            )
        rows = probabilities / probabilities.sum(axis=1, keepdims=True)
        assert row["NLL"] == pytest.approx(log_loss(targets, rows, labels=range(len(EMOTIONS))), abs=1e-5)
        assert row["ECE, %"] == pytest.approx(100 * calibration_error(probabilities, targets), abs=1e-6)


@pytest.mark.parametrize(("run", "labels", "split"), SCORED, ids=name_of)
def test_published_calibration_is_that_of_the_predictions(run: data.Run, labels: str, split: str):
    page = sound(open_page("run", [data.PUBLISHED], run=run.id, part="Calibration", labels=labels, split=split))
    before, targets = stored(run, labels, split)
    table = page.dataframe[1].value.set_index("")
    assert table["ECE, %"]["Before"] == pytest.approx(100 * calibration_error(before, targets), abs=1e-6)
    if split == "test":
        taught, truth = stored(run, labels, "validation")
        best = minimize_scalar(
            lambda each: log_loss(truth, scaled(taught, each), labels=range(len(EMOTIONS))),
            bounds=(0.1, 10),
            method="bounded",
        ).x
        after = scaled(before, best)
        told = re.search(r"Temperature \*\*(\d\.\d+)\*\*", texts(page))
        assert told is not None
        assert float(told[1]) == pytest.approx(best, abs=0.005)
        assert "fitted on validation" in texts(page)
        assert "shown on **test**" in texts(page)
        assert table["ECE, %"]["After"] == pytest.approx(100 * calibration_error(after, targets), abs=0.05)
        after_loss = log_loss(targets, after, labels=range(len(EMOTIONS)))
        assert table["NLL"]["After"] == pytest.approx(after_loss, abs=1e-4)
    else:
        assert "the other four fifths" in texts(page)
    lines = {trace["name"]: trace for trace in figures(page)[0]["data"] if trace.get("error_y")}
    sure, right = before.max(axis=1), before.argmax(axis=1) == targets
    counts = numbers(lines["before"]["customdata"])
    assert counts.sum() == len(targets)
    for x, y, n in zip(numbers(lines["before"]["x"]), numbers(lines["before"]["y"]), counts, strict=True):
        bin_ = min(14, int(np.ceil(x / 100 * 15)) - 1)
        inside = (sure > bin_ / 15) & (sure <= (bin_ + 1) / 15)
        assert inside.sum() == n
        assert (100 * right[inside].mean(), 100 * sure[inside].mean()) == pytest.approx((y, x))


@pytest.mark.parametrize("run", PUBLISHED, ids=name_of)
def test_published_curves_are_those_of_the_epochs(run: data.Run):
    page = sound(open_page("run", [data.PUBLISHED], run=run.id))
    lines = [json.loads(line) for line in (run.path / "epochs.jsonl").read_text().splitlines()]
    drawn = {trace["name"]: trace for trace in figures(page)[0]["data"]}
    assert list(numbers(drawn["training loss"]["y"])) == [line["loss"] for line in lines]
    assert list(numbers(drawn["learning rate"]["y"])) == [line["learning_rate"] for line in lines]
    for labels in lines[0]["validation"]:
        curve = drawn[data.label_set(labels).name]
        expected = [100 * line["validation"][labels]["accuracy"] for line in lines]
        assert list(numbers(curve["y"])) == pytest.approx(expected)
        assert list(numbers(curve["x"])) == [line["epoch"] + 1 for line in lines]
    chosen = read_json(run.path / "result.json")["chosen"]
    values = [line["validation"][run.labels]["accuracy"] for line in lines]
    assert values.index(max(values)) == chosen["epoch"]
    assert f"Epoch **{chosen['epoch'] + 1}** of {len(lines)}" in texts(page)
    assert f"{100 * chosen['value']:.1f}%" in texts(page)


@pytest.mark.parametrize("run", PUBLISHED, ids=name_of)
def test_published_mistakes_are_those_of_the_predictions(run: data.Run):
    page = sound(open_page("run", [data.PUBLISHED], run=run.id, part="Mistakes", split="test"))
    probabilities, targets = stored(run, run.labels, "test")
    wrong = probabilities.argmax(axis=1) != targets
    assert f"**{wrong.sum():,}** of {len(targets):,} faces read wrong" in texts(page)
    with np.load(run.path / "predictions" / f"{run.labels}-test.npz") as file:
        surest = file["ids"][np.where(wrong, probabilities.max(axis=1), 0).argmax()]
        hardest = file["ids"][np.where(wrong, probabilities[np.arange(len(targets)), targets], 2).argmin()]
    body = html(page)
    assert body.index(f'data-sample="{surest}"') == body.index("data-sample=")
    page.segmented_control(key="mistakes").set_value("hardest")
    body = html(sound(page.run()))
    assert body.index(f'data-sample="{hardest}"') == body.index("data-sample=")


def test_a_running_run_shows_its_best_epoch_so_far(tmp_path: Path):
    path = write_running(tmp_path, epochs=3)
    lines = [json.loads(line) for line in (path / "epochs.jsonl").read_text().splitlines()]
    for line, value in zip(lines, (0.4, 0.6, 0.6), strict=True):
        line["validation"]["fer2013"]["accuracy"] = value
    (path / "epochs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run,) = data.scan([tmp_path])
    assert best_epoch(run) == (1, 0.6, "fer2013")
    assert "Epoch **2** of 3 so far" in why_chosen(run)
    page = sound(open_page("run", [tmp_path]))
    assert "still training" in texts(page)
    assert "best epoch so far" in texts(page)
    for part in ("Calibration", "Mistakes", "Settings"):
        page.segmented_control(key="part").set_value(part)
        sound(page.run())
    page.segmented_control(key="part").set_value("Calibration")
    assert "no predictions yet" in texts(sound(page.run()))


def test_new_epochs_appear_and_the_epochs_looked_at_stay(tmp_path: Path):
    path = write_running(tmp_path, epochs=5)
    page = sound(open_page("run", [tmp_path], epochs="2-4"))
    before = figures(page)[0]
    line = json.loads((path / "epochs.jsonl").read_text().splitlines()[-1])
    with (path / "epochs.jsonl").open("a") as file:
        file.write(json.dumps({**line, "epoch": 5}) + "\n")
    after = figures(sound(page.run()))[0]
    assert len(numbers(before["data"][0]["x"])) == 5
    assert len(numbers(after["data"][0]["x"])) == 6
    for axis in ("xaxis", "yaxis", "yaxis2", "yaxis3"):
        assert after["layout"][axis]["range"] == before["layout"][axis]["range"]
    assert page.query_params["epochs"] == "2-4"
    page.button[0].click()
    assert "range" not in figures(sound(page.run()))[0]["layout"]["xaxis"]
    assert "epochs" not in page.query_params


def test_odd_lines_leave_gaps_in_the_curves(tmp_path: Path):
    path = write_run(tmp_path)
    odd: list[dict[str, Any]] = [
        {"validation": None},
        {"validation": {"fer2013": 0.5}},
        {"validation": {"fer2013": {"accuracy": "high"}}, "loss": "low", "learning_rate": None},
        {"validation": [1]},
    ]
    sane = (path / "epochs.jsonl").read_text()
    lines = [json.dumps({"epoch": 4 + number, "loss": 1.0, **line}) + "\n" for number, line in enumerate(odd)]
    lines += [json.dumps({"epoch": epoch}) + "\n" for epoch in (None, "last", True)]
    (path / "epochs.jsonl").write_text(sane + "".join(lines))
    for chosen in (True, False):
        if not chosen:
            (path / "result.json").unlink()
        page = sound(open_page("run", [tmp_path]))
        accuracy, loss, rate = (figures(page)[0]["data"][row] for row in range(3))
        assert [value is None for value in accuracy["y"]] == [False] * 4 + [True] * 4
        assert loss["y"][4:] == [1.0, 1.0, None, 1.0]
        assert rate["y"][4:] == [None] * 4


@pytest.mark.parametrize("words", ["", "5", "5-2", "9-12", "x-3", "-1-3", "0-3", "2-2", "1-2-3", "²-5"])
def test_epochs_that_make_no_sense_show_all(tmp_path: Path, words: str):
    write_run(tmp_path)
    page = sound(open_page("run", [tmp_path], epochs=words))
    assert "range" not in figures(page)[0]["layout"]["xaxis"]


def test_the_view_of_some_epochs_holds_all_their_values():
    lines = [Epoch(epoch=n, loss=2.0 / (n + 1), learning_rate=0.1) for n in range(9)]
    figure = curves_figure(lines, {}, deciding="fer2013", chosen=None, shown=(3, 6)).to_plotly_json()
    low, high = figure["layout"]["yaxis2"]["range"]
    assert low < 2.0 / 6 < 2.0 / 3 < high < 1.0
    low, high = figure["layout"]["yaxis3"]["range"]
    assert low < 0.1 < high


def test_without_runs_the_page_says_what_to_do(tmp_path: Path):
    assert "python -m training train" in texts(sound(open_page("run", [tmp_path])))


def test_runs_in_every_state_are_opened_in_every_part(tmp_path: Path):
    write_every_state(tmp_path)
    write_running(tmp_path, epochs=0, seed=7)
    page = sound(open_page("run", [tmp_path]))
    for run in data.scan([tmp_path]):
        page.selectbox(key="run").set_value(run.id)
        sound(page.run())
        if run.problem:
            assert run.problem in texts(page)
        for part in ("Calibration", "Mistakes", "Settings", "Curves"):
            if run.state not in ("newer", "broken"):
                page.segmented_control(key="part").set_value(part)
                sound(page.run())


def test_the_command_can_be_copied_into_a_shell(tmp_path: Path):
    path = write_run(tmp_path)
    environment = read_json(path / "environment.json")
    words = ["python", "-m", "training", "train", "made up", "--data", "a b'c/fer2013.csv"]
    write_json(path / "environment.json", {**environment, "command": words, "dirty": True})
    page = sound(open_page("run", [tmp_path], part="Settings"))
    checkout, command, afterwards = page.code[0].value.splitlines()
    assert checkout == f"git checkout {COMMIT}"
    assert shlex.split(command) == words
    assert afterwards == "python -m training evaluate RUN --split test"
    assert "Test was scored once" in texts(page)
    assert "Files differed from that commit" in texts(page)
    write_json(path / "environment.json", {"commit": None})
    (run,) = data.scan([tmp_path])
    assert command_of(run) is None
    assert "does not say which command" in texts(sound(page.run()))


@pytest.mark.parametrize("views", ["flip", "none"])
def test_a_released_run_is_made_again_with_its_release(tmp_path: Path, views: str):
    from training.cli import main

    path = write_run(tmp_path)
    result = read_json(path / "result.json")
    released = {"temperature": 0.5, "logit_bias": [0.0] * 7, "views": views, "by": "validation, fer2013"}
    write_json(path / "result.json", {**result, "released": released})
    page = sound(open_page("run", [tmp_path], part="Settings"))
    *_, command = page.code[0].value.splitlines()
    assert shlex.split(command) == ["python", "-m", "training", "release", "RUN", "OUT", "--views", views]
    assert "those of the released model" in texts(page)
    # The trainer takes these words, and finds no run of this name.
    words = [str(tmp_path / "absent") if word == "RUN" else word for word in shlex.split(command)[3:]]
    assert main(words) != 0
    write_json(path / "result.json", {**result, "released": {**released, "mixed": {"start_share": 0.5}}})
    (run,) = data.scan([tmp_path])
    assert str(command_of(run)).endswith(f"release RUN OUT --views {views} --start-share 0.5")
    assert why_chosen(run).endswith("release added (weights 50% of the way back to those it started from).")
    result["splits"].pop("test")
    write_json(path / "result.json", result)
    assert (
        command_of(data.scan([tmp_path])[0])
        == f"git checkout {COMMIT}\npython -m training train made_up --data fer2013.csv"
    )


@pytest.mark.parametrize(
    ("bias", "views", "told"),
    [
        ([0.0] * 7, "none", "."),
        ([], "none", "."),  # a model without one
        ([0.5, 0, 0, 0, 0, 0, -0.5], "none", " (an operating point that favours rare emotions)."),
        ([0.0] * 7, "flip", " (averaging a face with its mirror image)."),
    ],
)
def test_of_a_release_only_what_is_noted_is_told(tmp_path: Path, bias: object, views: str, told: str):
    path = write_run(tmp_path)
    result = read_json(path / "result.json")
    result["splits"]["validation"]["views"] = views
    write_json(path / "result.json", {**result, "released": {**RELEASED, "logit_bias": bias, "views": views}})
    (run,) = data.scan([tmp_path])
    assert why_chosen(run).endswith(f", after what the release added{told}")


def test_of_a_release_that_is_damaged_nothing_is_told(tmp_path: Path):
    path = write_run(tmp_path)
    result = read_json(path / "result.json")
    write_json(path / "result.json", {**result, "released": {**RELEASED, "logit_bias": 3}})
    (run,) = data.scan([tmp_path])
    assert (run.state, run.released) == ("finished", None)
    assert run.problem is not None
    assert "result.json says released.logit_bias = 3, which should be a valid array" in run.problem
    assert why_chosen(run).endswith("% there.")


def test_the_papers_hours_stand_on_the_page_as_a_claim_and_only_of_its_network(tmp_path: Path):
    write_run(tmp_path, seed=0)
    write_run(tmp_path, model="vgg", seed=1)
    by_model = {run.model: run.id for run in data.scan([tmp_path])}
    words = texts(sound(open_page("run", [tmp_path], run=by_model["resemotenet"])))
    assert "The paper claims 3 h of training and 1.4 ms an image for ResEmoteNet on FER2013" in words
    assert "a claim, not a measurement" in words
    assert "The paper claims" not in texts(sound(open_page("run", [tmp_path], run=by_model["vgg"])))


def test_how_often_test_was_scored_is_said_once(tmp_path: Path):
    path = write_run(tmp_path)
    result = read_json(path / "result.json")
    result["splits"]["test"]["touched"] = 2
    write_json(path / "result.json", result)
    for view in ("run", "confusion"):
        words = texts(sound(open_page(view, [tmp_path])))
        assert "test scored twice" in words
        assert "test once" not in words


def test_what_a_running_run_does_not_know_yet_is_left_out(tmp_path: Path):
    write_running(tmp_path)
    write_run(tmp_path, seed=1)
    by_state = {run.state: run.id for run in data.scan([tmp_path])}
    running, finished = (
        html(sound(open_page("run", [tmp_path], run=by_state[state]))) for state in ("running", "finished")
    )
    assert "Parameters" in finished
    assert "2.27 M" in finished
    assert "Parameters" not in running
    assert "?" not in running
    assert "2 of 10" in running


def test_the_whole_config_is_shown(tmp_path: Path):
    path = write_run(tmp_path)
    page = sound(open_page("run", [tmp_path], part="Settings"))
    shown = dict(page.dataframe[1].value.itertuples(index=False))
    assert shown == flat(read_json(path / "config.json"))
    assert shown["network.width"] == "0.25"
    assert shown["dataset.limit"] == "none"


def test_mistakes_are_shown_with_their_faces(tmp_path: Path):
    path, parquet = write_matching(tmp_path)
    page = sound(open_page("run", [path.parent], parquet, part="Mistakes", labels="fer2013"))
    found = data.predictions(data.scan([path])[0], "fer2013", "test")
    wrong = int((found.probabilities.argmax(axis=1) != found.targets).sum())
    assert html(page).count("<img") == html(page).count("data-sample=") == min(12, wrong)


def test_words_for_large_numbers_and_times():
    assert [thousands(n) for n in (None, 12, 2_269_415, 49_195_904, 1_200_000_000)] == [
        "?",
        "12",
        "2.27 M",
        "49.2 M",
        "1.2 G",
    ]
    assert [duration(s) for s in (None, 12.3, 125.0, 6706.5)] == ["?", "12 s", "2 min", "1 h 52 min"]
