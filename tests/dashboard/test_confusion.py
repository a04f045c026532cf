from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support, recall_score
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.analysis.per_class import averages, class_figures, most_confused, together
from dashboard.charts.matrix import confusion_figure, difference_figure
from dashboard.widgets.samples import of_cell
from resemotenet.emotions import EMOTIONS
from resemotenet.metrics import confusion
from resemotenet.results import Predictions
from tests.dashboard.fake_runs import (
    FAULTS,
    draw_predictions,
    write_newer,
    write_older,
    write_run,
    write_running,
    write_unfinished,
)
from tests.dashboard.matching import score_faces, write_matching
from tests.dashboard.pages import figures, html, numbers, open_page, sound, texts

NUMBERS = np.arange(len(EMOTIONS))
PUBLISHED = data.scan([data.PUBLISHED])
SCORED = [(run, each.labels, each.split) for run in PUBLISHED for each in data.scores(run)]


def table_of(found: Predictions) -> np.ndarray:
    return confusion(found.probabilities.argmax(axis=1), found.targets)


def cells(figure: dict) -> dict[tuple[int, int], str]:
    """Text of every cell of a matrix, by row and column."""
    letters = [trace for trace in figure["data"] if trace.get("mode") == "text"]
    return {(y, x): text for trace in letters for x, y, text in zip(trace["x"], trace["y"], trace["text"], strict=True)}


def test_per_class_figures_are_those_of_scikit_learn():
    found = draw_predictions(n=300)
    guesses = found.probabilities.argmax(axis=1)
    expected = precision_recall_fscore_support(found.targets, guesses, labels=NUMBERS, zero_division=np.nan)
    for number, each in enumerate(class_figures(table_of(found))):
        got = (each.precision, each.recall, each.f1, each.support)
        assert [np.nan if value is None else value for value in got] == pytest.approx(
            [column[number] for column in expected], nan_ok=True
        )
        hits = int(((guesses == number) & (found.targets == number)).sum())
        for interval, n in ((each.recall_interval, each.support), (each.precision_interval, (guesses == number).sum())):
            wilson = binomtest(hits, int(n)).proportion_ci(method="wilson") if n else None
            assert interval == (pytest.approx((wilson.low, wilson.high)) if wilson else None)


def test_what_is_not_defined_is_none_and_not_zero():
    table = np.zeros((7, 7), np.int64)
    table[3, 3], table[3, 4] = 8, 2
    by_name = {each.emotion: each for each in class_figures(table)}
    assert by_name["happy"].recall == 0.8
    assert by_name["neutral"].recall is None
    assert by_name["neutral"].precision == 0
    assert by_name["neutral"].f1 == 0
    assert by_name["sad"].f1 is None
    assert by_name["sad"].f1_interval is None


def test_the_interval_of_f1_is_that_of_faces_drawn_again():
    found = draw_predictions(n=500)
    guesses = found.probabilities.argmax(axis=1)
    rng = np.random.default_rng(1)
    drawn = np.array(
        [
            f1_score(found.targets[rows], guesses[rows], labels=NUMBERS, average=None, zero_division=np.nan)
            for rows in rng.integers(0, 500, (400, 500))
        ]
    )
    for number, each in enumerate(class_figures(table_of(found))):
        assert each.f1 is not None
        assert each.f1_interval is not None
        if each.support > 20:  # of a handful of faces the ends jump
            assert list(each.f1_interval) == pytest.approx(np.percentile(drawn[:, number], (2.5, 97.5)), abs=0.04)
        assert each.f1_interval[0] <= each.f1 <= each.f1_interval[1]


def test_a_class_without_a_hit_or_without_a_mistake_has_no_interval_of_f1():
    table = np.diag([50, 0, 30, 40, 20, 20, 20])
    table[1, 3], table[2, 4] = 12, 5
    by_name = {each.emotion: each for each in class_figures(table)}
    assert (by_name["disgust"].f1, by_name["disgust"].f1_interval) == (0, None)
    assert by_name["disgust"].recall_interval is not None  # Wilson's knows better
    assert (by_name["angry"].f1, by_name["angry"].f1_interval) == (1, None)
    assert by_name["fear"].f1_interval is not None


def test_averages_over_emotions_are_those_of_scikit_learn():
    found = draw_predictions(n=300)
    guesses = found.probabilities.argmax(axis=1)
    recall, f1 = averages(table_of(found))
    assert recall.value == pytest.approx(recall_score(found.targets, guesses, average="macro"))
    assert f1.value == pytest.approx(f1_score(found.targets, guesses, average="macro"))
    for each in (recall, f1):
        assert each.interval is not None
        assert each.interval[0] < each.value < each.interval[1]
    table = np.zeros((7, 7), np.int64)
    table[3, 3], table[3, 4] = 8, 2
    recall, f1 = averages(table)
    assert recall.value == 0.8  # of the one emotion that occurs
    assert f1.value == pytest.approx((16 / 18 + 0) / 2)  # neutral is called, so it has a say here


def test_more_faces_narrow_the_interval_of_f1():
    table = table_of(draw_predictions(n=200))
    few, many = class_figures(table)[3].f1_interval, class_figures(100 * table)[3].f1_interval
    assert few is not None
    assert many is not None
    assert few[1] - few[0] == pytest.approx(10 * (many[1] - many[0]), rel=0.2)


@pytest.mark.parametrize(("by", "normalize"), [("truth", "true"), ("prediction", "pred"), ("counts", None)])
def test_a_matrix_shows_what_scikit_learn_counts(by: str, normalize: str | None):
    found = draw_predictions(n=400)
    guesses = found.probabilities.argmax(axis=1)
    expected = confusion_matrix(found.targets, guesses, labels=NUMBERS, normalize=normalize)
    figure = confusion_figure(table_of(found), by).to_plotly_json()
    assert numbers(figure["data"][0]["z"]) == pytest.approx(expected)
    for (row, column), text in cells(figure).items():
        value = expected[row, column] * (1 if normalize is None else 100)
        assert text == ("·" if value == 0 else "<1" if value < 0.5 else f"{value:.0f}")


def test_a_row_without_faces_is_empty_and_not_zero():
    table = np.zeros((7, 7), np.int64)
    table[0, 0] = 3
    texts_of = cells(confusion_figure(table, "truth").to_plotly_json())
    assert texts_of[0, 0] == "100"
    assert texts_of[0, 1] == "·"
    assert texts_of[1, 1] == ""


def test_every_cell_can_be_clicked_and_says_which_it_is():
    figure = confusion_figure(table_of(draw_predictions(n=50)), "truth", (2, 6)).to_plotly_json()
    (markers,) = [trace for trace in figure["data"] if trace.get("mode") == "markers"]
    places = list(zip(markers["y"], markers["x"], strict=True))
    assert [tuple(each) for each in markers["customdata"]] == places
    assert len(set(places)) == 49
    words = dict(zip(places, markers["hovertext"], strict=True))[2, 6]
    assert "truth Fear, predicted Surprise" in words
    (frame,) = figure["layout"]["shapes"]
    assert (frame["x0"] + frame["x1"], frame["y0"] + frame["y1"]) == (12, 4)


def test_the_difference_is_b_minus_a_and_white_where_nothing_changed():
    a, b = table_of(draw_predictions(n=300, seed=1)), table_of(draw_predictions(n=300, seed=2, skill=2))
    counts = difference_figure(a, b, "counts").to_plotly_json()
    z = numbers(counts["data"][0]["z"])
    assert (z == b - a).all()
    assert counts["data"][0]["zmin"] == -counts["data"][0]["zmax"]
    assert {text for place, text in cells(counts).items() if (b - a)[place] == 0} == {"·"}
    shares = difference_figure(a, b, "truth").to_plotly_json()
    rows = [table / table.sum(axis=1, keepdims=True) for table in (a, b)]
    assert numbers(shares["data"][0]["z"]) == pytest.approx(rows[1] - rows[0])
    same = difference_figure(a, a, "truth").to_plotly_json()
    assert set(cells(same).values()) == {"·"}


def test_two_runs_are_brought_to_the_faces_they_share():
    whole = draw_predictions(n=100)
    order = np.random.default_rng(0).permutation(100)[:60]
    part = Predictions(whole.probabilities[order], whole.targets[order], whole.ids[order])
    both = together(whole, part)
    assert both.problem is None
    assert both.left_out == 40
    assert list(both.first.ids) == list(both.second.ids)
    assert (both.first.probabilities == both.second.probabilities).all()
    strangers = Predictions(whole.probabilities, whole.targets, np.char.add("x", whole.ids))
    assert "share no face" in str(together(whole, strangers).problem)
    others = Predictions(whole.probabilities, (whole.targets + 1) % 7, whole.ids)
    assert "other data" in str(together(whole, others).problem)


def test_the_page_begins_with_the_commonest_mistake():
    table = np.diag([50] * 7)
    table[4, 5] = 9
    table[5, 4] = 8
    assert most_confused([table]) == (4, 5)
    assert most_confused([np.diag([5, 4, 3, 9, 1, 1, 1])]) == (3, 3)


@pytest.mark.parametrize(("run", "labels", "split"), SCORED, ids=lambda each: getattr(each, "id", each))
def test_published_matrices_and_classes_are_those_of_the_predictions(run: data.Run, labels: str, split: str):
    with np.load(run.path / "predictions" / f"{labels}-{split}.npz") as file:
        targets, guesses = file["targets"], file["probabilities"].argmax(axis=1)
    for by, normalize in (("truth", "true"), ("prediction", "pred"), ("counts", None)):
        page = sound(open_page("confusion", [data.PUBLISHED], run=run.id, labels=labels, split=split, show=by))
        expected = confusion_matrix(targets, guesses, labels=NUMBERS, normalize=normalize)
        shown = numbers(figures(page)[0]["data"][0]["z"])
        if by == "prediction":
            # What was never answered has no share of its answers: scikit-learn says 0, the page nothing.
            expected[:, np.bincount(guesses, minlength=len(EMOTIONS)) == 0] = np.nan
        assert shown == pytest.approx(expected, nan_ok=True)
    assert f"**{100 * (targets == guesses).mean():.1f} % (" in texts(page)
    assert f"macro recall **{100 * recall_score(targets, guesses, average='macro'):.1f} %** (" in texts(page)
    assert f"macro F1 **{100 * f1_score(targets, guesses, average='macro'):.1f} %** (" in texts(page)
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
    write_run(tmp_path)
    write_running(tmp_path)
    write_unfinished(tmp_path)
    write_older(tmp_path)
    write_newer(tmp_path)
    for number, (spoil, _) in enumerate(FAULTS.values()):
        spoil(write_run(tmp_path, seed=number, stamp="20260106T120000Z"))
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
        point, interval = shown["B - A, points"][row], shown["B - A, 95 %"][row]
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
    assert "B - A, 95 %" not in page.dataframe[0].value
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
