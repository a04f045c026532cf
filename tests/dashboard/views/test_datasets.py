from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard import data
from dashboard.analysis import crowd
from dashboard.analysis.counting import counted_in_data, scored_counts
from dashboard.data.pictures import Pictures
from dashboard.views.datasets import audit_rows, table_ii_rows
from resemotenet.datasets import read_fer2013
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError
from resemotenet.runs.claims import TABLE_II
from resemotenet.runs.results import read_json, write_json
from resemotenet.runs.schema import Audit, Dataset, Optimization, RunConfig, salvage
from tests.dashboard.fake_runs import AUDIT, write_every_state, write_run
from tests.dashboard.matching import write_matching
from tests.dashboard.pages import figures, html, numbers, open_page, sound, texts
from tests.dashboard.published import PUBLISHED, name_of, stored
from tests.fake_fer2013 import write_csv
from training.loading import load_data

# Scored by FER2013's labels and by the crowd's.
BY_THE_CROWD = [run for run in PUBLISHED if data.has_predictions(run, "ferplus-strict", "test")]
VOTES = "Labels against votes"


@pytest.fixture(scope="module")
def matching(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_matching(tmp_path_factory.mktemp("matching"))


@pytest.mark.parametrize("run", BY_THE_CROWD, ids=name_of)
@pytest.mark.parametrize("definition", crowd.DEFINITIONS)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_published_labels_against_the_crowd(run: data.Run, definition: str, split: str):
    page = sound(
        open_page("datasets", [data.PUBLISHED], section=VOTES, majority=definition, split=split, cells="counts")
    )
    with np.load(run.path / "predictions" / f"fer2013-{split}.npz") as file:
        original = pd.Series(file["targets"], index=file["ids"])
    with np.load(run.path / "predictions" / f"{definition}-{split}.npz") as file:
        majority = pd.Series(file["targets"], index=file["ids"]).reindex(original.index).fillna(7).astype(int)
    expected = pd.crosstab(original, majority).reindex(index=range(7), columns=range(8), fill_value=0).to_numpy()
    matrix, bars = figures(page)
    assert (numbers(matrix["data"][0]["z"]) == expected).all()
    same, n = np.trace(expected[:, :7]), expected[:, :7].sum()
    assert f"majority for **{n:,}** of {len(original):,} faces" in texts(page)
    assert f"**{100 * same / n:.1f}%**" in texts(page)
    shares = 100 * np.diag(expected) / expected[:, :7].sum(axis=1)
    assert list(numbers(bars["data"][0]["x"])) == pytest.approx(list(shares))


def test_the_crowd_agrees_with_the_labels_as_often_as_is_known():
    found = crowd.of_run(BY_THE_CROWD[0], "ferplus-strict", "test")
    assert sum(n for _, n, _ in crowd.agreement(found.table()).values()) == 2720
    assert sum(same for same, _, _ in crowd.agreement(found.table()).values()) / 2720 == pytest.approx(0.722, abs=5e-4)


def test_predictions_and_data_tell_the_same_of_the_crowd(matching: tuple[Path, Path]):
    path, parquet = matching
    (run,) = data.scan([path])
    pictures = Pictures(parquet)
    for definition in crowd.DEFINITIONS:
        for split in ("validation", "test"):
            told = crowd.of_run(run, definition, split)
            seen = crowd.of_pictures(pictures, definition, split)
            assert (told.table() == seen.table()).all()
            assert (told.ids[told.rows(0, 4)] == seen.ids[seen.rows(0, 4)]).all()
    table = crowd.of_pictures(pictures, "ferplus-strict", "train").table()
    assert table.sum() == 84
    assert table[:, crowd.NO_MAJORITY].sum() > 0
    assert np.trace(table[:, :7]) < table[:, :7].sum()


@pytest.fixture(scope="module")
def real(fer2013_parquet: Path) -> Pictures:
    """FER2013 itself, read once."""
    return Pictures(fer2013_parquet)


def test_real_data_and_published_predictions_agree(real: Pictures):
    for run in PUBLISHED:
        for each in data.scores(run):
            found = data.predictions(run, each.labels, each.split)
            assert real.mismatch(found, each.labels, each.split) is None
    for run in BY_THE_CROWD:
        assert (
            crowd.of_run(run, "ferplus-usual", "test").table()
            == crowd.of_pictures(real, "ferplus-usual", "test").table()
        ).all()


def test_the_printed_table_and_what_is_in_the_data(real: Pictures):
    whole = real.data
    rows = table_ii_rows("fer2013")
    for split in ("train", "test"):
        counts = whole.split(split).counts()
        assert rows[f"{split.capitalize()}, in the data"] == [*counts.values(), len(whole.split(split))]


def test_explanations_of_published_runs_come_from_the_weights_that_gave_their_predictions(real: Pictures):
    import torch

    from dashboard.widgets.explanations import weights_of
    from resemotenet.checkpoints.checkpoint import load_model
    from resemotenet.checkpoints.pretrained import bundled_folder

    bundled = load_model(bundled_folder()).info.training["run"]
    for run in [run for run in PUBLISHED if run.id == bundled]:  # of the others no weights are published
        model = load_model(weights_of(run))
        found = data.predictions(run, run.labels, "test")
        faces = torch.from_numpy(np.stack([real.picture(str(name)) for name in found.ids[:64]]))[:, None]
        probabilities = model.probabilities(model.preprocess.batch(faces)).numpy()
        columns = [model.labels.index(emotion) for emotion in EMOTIONS]
        assert probabilities[:, columns] == pytest.approx(found.probabilities[:64], abs=1e-3)


def test_errata_of_the_table_are_marked_cell_by_cell():
    rows = table_ii_rows("fer2013")
    wrong = [name for name, mark in zip(rows["Emotion"], rows["Test, erratum"], strict=True) if mark]
    assert wrong == ["Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    assert set(rows["Test, erratum"]) == {"", "(a)"}
    assert "Train, erratum" not in rows
    for name in TABLE_II:
        printed = table_ii_rows(name)
        assert len({len(column) for column in printed.values()}) == 1
        assert not any("data" in column for column in printed) or name == "fer2013"


@pytest.mark.parametrize(("labels", "leave_out", "limit"), [("fer2013", True, None), ("ferplus", True, None),
                                                            ("fer2013", False, 40), ("ferplus", True, 60)])  # fmt: skip
def test_what_was_trained_on_is_what_the_trainer_loads(
    matching: tuple[Path, Path], labels: str, leave_out: bool, limit: int | None
):
    path, parquet = matching
    config = RunConfig(
        recipe="made_up",
        data=parquet,
        dataset=Dataset(labels=labels, leave_out_leaked=leave_out, limit=limit),  # type: ignore[arg-type]
        optimization=Optimization(batch_size=8),
    )
    (run,) = data.scan([path])
    told = {"name": "fer2013", "labels": labels, "leave_out_leaked": leave_out, "limit": limit}
    run = replace(run, config={**run.config, "dataset": told})
    expected = load_data(config).train
    found = counted_in_data(run, Pictures(parquet))
    assert found.by_emotion == expected.counts()
    assert found.total == len(expected)


def test_another_data_set_is_not_counted_in_this_one(matching: tuple[Path, Path]):
    path, parquet = matching
    (run,) = data.scan([path])
    run = replace(run, config={**run.config, "dataset": {"name": "raf-db", "labels": "raf-db"}})
    with pytest.raises(DatasetError, match="trained on raf-db"):
        counted_in_data(run, Pictures(parquet))


@pytest.mark.parametrize("run", PUBLISHED, ids=name_of)
def test_published_class_counts_are_those_of_the_predictions(run: data.Run):
    page = sound(open_page("datasets", [data.PUBLISHED], run=run.id))
    shown = page.dataframe[0].value
    for each in scored_counts(run):
        expected = np.bincount(stored(run, each.labels, each.split)[1], minlength=7)
        assert list(shown[each.split.capitalize()]) == [*expected, expected.sum()]
    says = "learned" in read_json(run.path / "audit.json")  # runs of today do
    assert ("start with `--data PATH`" in texts(page)) is not says
    assert ("Train" in shown) is says


def test_a_run_that_says_what_it_learned_from_needs_no_data(tmp_path: Path):
    path = write_run(tmp_path, labels="fer2013")
    audit = read_json(path / "audit.json")
    faces = {emotion: 10 * number for number, emotion in enumerate(EMOTIONS)}
    write_json(path / "audit.json", {**audit, "learned": {"labels": "fer2013", "faces": faces}})
    page = sound(open_page("datasets", [tmp_path], run=path.name))
    assert list(page.dataframe[0].value["Train"]) == [*faces.values(), 210]
    assert list(page.dataframe[1].value["Train, this run"]) == [*faces.values(), 210]
    assert "train: FER2013's own labels, from audit.json" in texts(page)
    assert "--data PATH" not in texts(page)


def test_with_data_the_training_faces_are_counted(matching: tuple[Path, Path]):
    path, parquet = matching
    page = sound(open_page("datasets", [path.parent], parquet))
    shown = page.dataframe[0].value
    assert list(shown["Train"])[:-1] == list(
        counted_in_data(data.scan([path])[0], Pictures(parquet)).by_emotion.values()
    )
    bars = figures(page)[0]["data"]
    assert len(bars) == 3
    assert sum(numbers(bars[0]["x"])) == pytest.approx(100)


def test_a_run_on_the_labels_of_the_table_has_columns_of_its_own(matching: tuple[Path, Path], tmp_path: Path):
    _, parquet = matching
    path = write_run(tmp_path, labels="fer2013")
    write_run(tmp_path, labels="ferplus", seed=1)
    by_labels = {run.taught: run for run in data.scan([tmp_path])}
    page = sound(open_page("datasets", [tmp_path], parquet, run=path.name))
    shown = page.dataframe[1].value
    learned = counted_in_data(by_labels["fer2013"], Pictures(parquet))
    assert list(shown["Train, this run"]) == [*learned.by_emotion.values(), learned.total]
    with np.load(path / "predictions" / "fer2013-test.npz") as file:
        assert list(shown["Test, this run"])[:-1] == list(np.bincount(file["targets"], minlength=7))
    assert "without the copies of validation and test faces" in texts(page)
    page.selectbox(key="table").set_value("raf-db")
    assert not any("this run" in name for name in sound(page.run()).dataframe[1].value)
    page = sound(open_page("datasets", [tmp_path], parquet, run=by_labels["ferplus"].id))
    assert not any("this run" in name for name in page.dataframe[1].value)
    assert "has no column here" in texts(page)


def test_an_audit_is_shown_whole_and_an_old_one_without_what_it_lacks(tmp_path: Path):
    rows = {what: n for what, n, _ in audit_rows(Audit(**AUDIT))}
    assert rows["test images with a copy in train"] == 288
    assert rows["groups with conflicting labels"] == 57
    assert rows["images in train"] == 28_709
    near = {
        "pairs": 12,
        "pairs_with_conflicting_labels": 3,
        "leaks": {"test images with a near copy": 4},
        "rule": {"a": 1},
    }
    more = {what: n for what, n, _ in audit_rows(Audit(**AUDIT | {"near_copies": near}))}
    assert set(more) - set(rows) == {
        "pairs of near copies",
        "pairs of near copies with conflicting labels",
        "test images with a near copy",
    }
    assert audit_rows(Audit()) == []
    odd = salvage(Audit, '{"images": 3, "leaks": null, "blank_images": "x"}')
    assert audit_rows(odd.value or Audit()) == []
    path = write_run(tmp_path)
    page = sound(open_page("datasets", [tmp_path], section="Audit"))
    assert dict(zip(page.dataframe[0].value["Found"], page.dataframe[0].value["How many"], strict=True)) == rows
    assert "Near copies were not counted" in texts(page)
    assert "**left out**" in texts(page)
    (path / "audit.json").unlink()
    assert "There is no audit here" in texts(sound(page.run()))


def test_the_faces_that_the_crowd_disputes_are_shown(matching: tuple[Path, Path]):
    path, parquet = matching
    page = sound(
        open_page("datasets", [path.parent], parquet, section=VOTES, split="train", label="angry", crowd="neutral")
    )
    whole = read_fer2013(parquet)
    votes = whole.votes
    assert votes is not None
    rows = [row for row in range(84) if whole.emotion[row] == 0 and votes[row, 0] == 9]
    assert f"says **neutral**: {len(rows)} faces" in texts(page)
    body = html(page)
    assert [f"{row:05d}" for row in rows] == [part.split('"')[0] for part in body.split('data-sample="')[1:]]
    assert body.count("90%") == len(rows)
    page.selectbox(key="crowd").set_value("no majority")
    assert "Angry → no majority" in html(sound(page.run()))


def test_data_without_votes_falls_back_on_predictions_and_says_so(matching: tuple[Path, Path], tmp_path: Path):
    from tests.dashboard.matching import draw_disputed

    path, _ = matching
    plain = write_csv(draw_disputed(), tmp_path / "fer2013.csv")
    page = sound(open_page("datasets", [path.parent], plain, section=VOTES, split="test"))
    assert "no FER+ votes" in texts(page)
    assert "the labels that made_up" in texts(page)
    page = sound(open_page("datasets", [tmp_path / "nothing"], plain, section=VOTES, split="test"))
    assert "fer2013new.csv" in texts(page)


def test_without_runs_the_page_says_what_to_do(tmp_path: Path):
    page = sound(open_page("datasets", [tmp_path]))
    assert "There is no run yet" in texts(page)
    assert "Table II" in texts(page)  # needs no run
    for section in ("Audit", VOTES):
        page = sound(open_page("datasets", [tmp_path], section=section))
        assert page.info


def test_runs_in_every_state_are_opened_in_every_part(tmp_path: Path):
    write_every_state(tmp_path)
    strange = write_run(tmp_path, seed=99)
    write_json(strange / "config.json", {**read_json(strange / "config.json"), "dataset": [1]})
    write_json(strange / "audit.json", {"images": {"train": "many"}, "leaks": 3, "near_copies": []})
    for section in ("Class counts", "Audit", VOTES):
        page = sound(open_page("datasets", [tmp_path], section=section))
        for run in data.scan([tmp_path]):
            if section != VOTES and run.config and run.state != "newer":
                page.selectbox(key="run").set_value(run.id)
                words = texts(sound(page.run()))
                assert page.selectbox(key="run").value == run.id
                if run.state != "running" and run.problem:
                    assert run.problem in words
                if section == "Audit":
                    assert bool(page.dataframe) == bool(run.audit), run.id
                    assert (f"audit.json of `{run.id}`" in words) == bool(run.audit)
                elif run.state == "finished" and isinstance(run.config["dataset"], dict):
                    assert list(page.dataframe[0].value["Test"])[-1] == 200


def test_every_emotion_has_its_column_and_row():
    assert crowd.COLUMNS[: len(EMOTIONS)] == EMOTIONS
