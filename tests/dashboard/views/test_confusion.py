from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support, recall_score
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.widgets.samples import of_cell
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.results import Predictions
from tests.dashboard.fake_runs import write_every_state, write_run, write_running
from tests.dashboard.matching import score_faces, write_matching
from tests.dashboard.pages import figures, html, numbers, open_page, sound, texts
from tests.dashboard.published import SCORED, name_of, stored

NUMBERS = np.arange(len(EMOTIONS))


@pytest.mark.parametrize(("run", "labels", "split"), SCORED, ids=name_of)
def test_published_matrices_and_classes_are_those_of_the_predictions(run: data.Run, labels: str, split: str):
    probabilities, targets = stored(run, labels, split)
    guesses = probabilities.argmax(axis=1)
    for by, normalize in (("truth", "true"), ("prediction", "pred"), ("counts", None)):
        page = sound(open_page("confusion", [data.PUBLISHED], run=run.id, labels=labels, split=split, show=by))
        expected = confusion_matrix(targets, guesses, labels=NUMBERS, normalize=normalize)
        shown = numbers(figures(page)[0]["data"][0]["z"])
        if by == "prediction":
            # What was never answered has no share of its answers: scikit-learn says 0, the page nothing.
            expected[:, np.bincount(guesses, minlength=len(EMOTIONS)) == 0] = np.nan
        assert shown == pytest.approx(expected, nan_ok=True)
    assert f"**{100 * (targets == guesses).mean():.1f}% (" in texts(page)
    assert f"macro recall **{100 * recall_score(targets, guesses, average='macro'):.1f}%** (" in texts(page)
    assert f"macro F1 **{100 * f1_score(targets, guesses, average='macro'):.1f}%** (" in texts(page)
    shown = page.dataframe[0].value
    precision, recall, f1, support = precision_recall_fscore_support(
        targets, guesses, labels=NUMBERS, zero_division=np.nan
    )
    assert list(shown["Faces"]) == list(support)
    for column, values in (("Precision", precision), ("Recall", recall), ("F1", f1)):
        expected = ["-" if np.isnan(value) else f"{100 * value:.1f}" for value in values]
        assert [text.split()[0] for text in shown[column]] == expected
    for row, (hits, n) in enumerate(zip(np.diag(confusion_matrix(targets, guesses)), support, strict=True)):
        low, high = binomtest(int(hits), int(n)).proportion_ci(method="wilson")
        assert shown["Recall"][row].endswith(f"({100 * low:.1f} to {100 * high:.1f})")


def test_without_runs_the_page_says_what_to_do(tmp_path: Path):
    page = sound(open_page("confusion", [tmp_path]))
    assert "python -m training train" in texts(page)
    assert not figures(page)


def test_a_running_run_alone_is_no_matrix_yet(tmp_path: Path):
    write_running(tmp_path)
    assert "no run with predictions" in texts(sound(open_page("confusion", [tmp_path])))


def test_runs_in_every_state_are_opened(tmp_path: Path):
    write_every_state(tmp_path)
    page = sound(open_page("confusion", [tmp_path]))
    assert len(page.selectbox(key="run").options) > 10
    for run in data.scan([tmp_path]):
        if run.state != "newer" and (run.path / "predictions").is_dir():
            page.selectbox(key="run").set_value(run.id)
            sound(page.run())


def test_a_damaged_file_leaves_the_others(tmp_path: Path):
    path = write_run(tmp_path, labels="ferplus")
    (path / "predictions" / "ferplus-strict-test.npz").write_bytes(b"no zip")
    page = sound(open_page("confusion", [tmp_path], labels="ferplus-strict"))
    assert "ferplus-strict-test.npz is damaged" in texts(page)
    assert page.query_params["split"] == "validation"
    assert figures(page)


def test_two_runs_side_by_side(tmp_path: Path):
    write_run(tmp_path, seed=0)
    write_run(tmp_path, seed=1, skill=2)
    a, b = (run.id for run in data.scan([tmp_path]))
    page = sound(open_page("confusion", [tmp_path], run=a, against=b))
    first, second, difference = (numbers(each["data"][0]["z"]) for each in figures(page))
    assert difference == pytest.approx(second - first, nan_ok=True)
    compared = page.dataframe[0].value
    expected = 100 * (np.diag(second) - np.diag(first))
    assert list(compared["B - A, points"]) == pytest.approx(list(expected), nan_ok=True)
    page.segmented_control(key="of").select("B")
    sound(page.run())
    assert "B" in page.query_params["of"]


def test_two_runs_are_told_apart_by_the_paired_test_and_each_emotion_has_an_interval(tmp_path: Path):
    write_run(tmp_path, seed=0)
    write_run(tmp_path, seed=1, skill=1.2)
    a, b = data.scan([tmp_path])
    page = sound(open_page("confusion", [tmp_path], run=a.id, against=b.id, split="test", labels="fer2013"))
    first, second = (data.predictions(run, "fer2013", "test") for run in (a, b))
    right = [each.probabilities.argmax(axis=1) == each.targets for each in (first, second)]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    expected = binomtest(only_a, only_a + only_b).pvalue
    words = texts(page)
    assert f"**B - A: {100 * (only_b - only_a) / 200:+.1f} points** (" in words
    assert float(words.split("), p = ")[1].split()[0]) == pytest.approx(expected, rel=0.05)  # of two digits
    assert f"{only_b:,} read right by B alone, {only_a:,} by A alone" in words
    shown = page.dataframe[0].value
    for row, number in enumerate(NUMBERS):
        point, interval = shown["B - A, points"][row], shown["B - A, 95%"][row]
        of_emotion = first.targets == number
        if interval == "(-)":
            assert (right[0][of_emotion] == right[1][of_emotion]).all()
            continue
        low, high = (float(end) for end in interval.strip("()").split(" to "))
        assert low <= point <= high
        apart = right[1][of_emotion].astype(float) - right[0][of_emotion]
        if of_emotion.sum() > 20:
            spread = 100 * 1.96 * apart.std() / np.sqrt(of_emotion.sum())
            assert (high - low) / 2 == pytest.approx(spread, rel=0.25)


def test_runs_on_other_faces_have_no_interval_of_their_difference(tmp_path: Path):
    write_run(tmp_path, seed=0)
    path = write_run(tmp_path, seed=1)
    for file in (path / "predictions").iterdir():
        found = Predictions.load(file)
        replace(found, ids=np.char.add("x", found.ids)).save(file)
    a, b = data.scan([tmp_path])
    page = sound(open_page("confusion", [tmp_path], run=a.id, against=b.id))
    assert "share no face" in texts(page)
    assert "B - A has no interval here" in texts(page)
    assert "B - A, 95%" not in page.dataframe[0].value
    assert "McNemar" not in texts(page)


def test_a_list_of_faces_opens_at_the_page_that_a_link_names(tmp_path: Path):
    write_run(tmp_path, n=600)
    (run,) = data.scan([tmp_path])
    address = {"labels": "fer2013", "split": "test", "truth": "happy", "predicted": "happy"}
    page = sound(open_page("confusion", [tmp_path], run=run.id, data=None, **address, page="2"))
    rows = of_cell(data.predictions(run, "fer2013", "test"), 3, 3)
    ids = [str(name) for name in data.predictions(run, "fer2013", "test").ids[rows]]
    assert len(ids) > 36
    assert shown_ids(page) == ids[12:24]
    page.session_state["page"] = 3
    assert shown_ids(sound(page.run())) == ids[24:36]
    assert "3" in page.query_params["page"]
    page.segmented_control(key="order").select("unsure")
    first = shown_ids(sound(page.run()))
    assert first == shown_ids(sound(page.run()))
    assert set(first) <= set(ids[-13:])  # another list begins at its first page
    assert "page" not in page.query_params
    page = sound(open_page("confusion", [tmp_path], run=run.id, data=None, **address, page="99"))
    assert shown_ids(page) == ids[:12]
    assert "page of the list that is not here: “99”" in texts(page)


def shown_ids(page: AppTest) -> list[str]:
    return [part.split('"')[0] for part in html(page).split('data-sample="')[1:]]


def test_a_run_whose_files_are_damaged_is_not_one_without_predictions(tmp_path: Path):
    path = write_run(tmp_path)
    for file in (path / "predictions").iterdir():
        file.write_bytes(b"no zip")
    for view, more in (("confusion", {}), ("run", {"part": "Mistakes"}), ("datasets", {})):
        words = texts(sound(open_page(view, [tmp_path], data=None, **more)))
        assert "all 2 prediction files of this run cannot be read" in words
        assert "no predictions" not in words
        assert "yet" not in words.split("Beside the paper")[0]


def test_runs_scored_on_nothing_in_common_are_told_apart(tmp_path: Path):
    write_run(tmp_path, labels="fer2013")
    write_run(tmp_path, labels="synthetic", dataset="synthetic")
    a, b = (run.id for run in data.scan([tmp_path]))
    page = sound(open_page("confusion", [tmp_path], run=a, against=b))
    assert "never scored on the same split" in texts(page)


def test_a_cell_is_chosen_by_keyboard_and_lists_its_faces_with_pictures(tmp_path: Path):
    run, parquet = write_matching(tmp_path)
    page = sound(open_page("confusion", [run.parent], parquet, labels="fer2013"))
    page.selectbox(key="truth").select("angry")
    page.selectbox(key="predicted").select("angry")
    sound(page.run())
    found = data.predictions(data.scan([run])[0], "fer2013", "test")
    rows = (found.targets == 0) & (found.probabilities.argmax(axis=1) == 0)
    body = html(page)
    assert f"read right: {rows.sum()} of" in texts(page)
    assert body.count("data-sample=") == body.count("<img") == rows.sum()
    surest = max(np.flatnonzero(rows), key=lambda row: found.probabilities[row, 0])
    assert body.index(f'data-sample="{found.ids[surest]}"') == body.index("data-sample=")


def test_a_link_opens_the_cell_it_names(tmp_path: Path):
    write_run(tmp_path)
    page = sound(open_page("confusion", [tmp_path], truth="happy", predicted="happy", show="counts", order="unsure"))
    assert "**Happy**, read right" in texts(page)
    (frame,) = figures(page)[0]["layout"]["shapes"]
    assert (frame["x0"] + frame["x1"]) / 2 == EMOTIONS.index("happy")


def test_pictures_of_other_data_are_not_shown(tmp_path: Path):
    write_run(tmp_path / "results")
    _, parquet = write_matching(tmp_path / "other")
    page = sound(open_page("confusion", [tmp_path / "results"], parquet))
    assert "lacks 200 of the 200 faces" in texts(page)
    assert "<img" not in html(page)
    assert "data-sample=" in html(page)


def test_explanations_come_from_the_run_and_only_when_asked(tmp_path: Path, model_folder: Path):
    import shutil

    run, parquet = write_matching(tmp_path)
    page = sound(open_page("confusion", [run.parent], parquet, explain="predicted"))
    assert "weights of this run are not here" in texts(page)
    pictures = html(page).count("<img")
    shutil.copytree(model_folder, run / "model")
    page = sound(page.run())
    assert "weights of this run" not in texts(page)
    assert html(page).count("<img") == 2 * pictures
    page.segmented_control(key="explain").select("off")
    assert html(sound(page.run())).count("<img") == pictures


def test_two_runs_on_the_same_faces_show_how_each_read_them(tmp_path: Path):
    run, parquet = write_matching(tmp_path)
    other = write_run(run.parent, labels="ferplus", seed=1, n=20)
    score_faces(other, parquet, skill=3, seed=1)
    a, b = run.name, other.name
    page = sound(open_page("confusion", [run.parent], parquet, run=a, against=b, truth="happy", predicted="happy"))
    by_a = html(page)
    page.segmented_control(key="of").select("B")
    assert html(sound(page.run())) != by_a
