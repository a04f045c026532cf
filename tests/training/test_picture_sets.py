"""Sets of picture files through the trainer: every layout trains an epoch, is evaluated, and is evaluated on."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resemotenet.checkpoints.checkpoint import load_model
from resemotenet.datasets import Collection, dataset_info
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError, DatasetFormatError, ResultsError, TrainingError
from resemotenet.publishing.facts import gather
from resemotenet.runs.metrics import summary
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from resemotenet.runs.schema import Dataset, OperatingPoint, Optimization, RunConfig
from tests.fake_trees import (
    TREES,
    cut_short,
    write_ck_folders,
    write_ck_sequences,
    write_expw,
    write_photograph_folders,
    write_raf_official,
    write_upstream,
)
from training.cli import main
from training.description import describe
from training.elsewhere import drop_stale, evaluate_elsewhere
from training.loading import load_data
from training.loop import train

TRAINABLE = [tree for tree, (name, _) in TREES.items() if name not in ("ckplus", "photographs")]


def set_config(config: RunConfig, name: Any, data: Path, **options: Any) -> RunConfig:
    """The tiny config of the other tests, on another data set, for one epoch."""
    return replace(
        config,
        data=data,
        network=replace(config.network, size=40),
        dataset=Dataset(name=name, labels=name, **options),
        optimization=Optimization(epochs=1, batch_size=8, warmup_epochs=0, ema_decay=None),
    )


@pytest.mark.parametrize("tree", TRAINABLE)
def test_every_layout_trains_an_epoch_and_is_evaluated(
    config: RunConfig, tmp_path: Path, tree: str, capsys: pytest.CaptureFixture
):
    name, write = TREES[tree]
    folder = train(set_config(config, name, write(tmp_path / "data")))
    assert folder.is_finished
    assert main(["evaluate", str(folder.path)]) == 0
    assert f"{name} test: accuracy" in capsys.readouterr().out
    whole = dataset_info(name).read(tmp_path / "data")
    for split in ("validation", "test"):
        stored = Predictions.load(folder.predictions(name, split))
        assert stored.ids.tolist() == whole.split(split).ids.tolist()
        np.testing.assert_array_equal(stored.targets, whole.split(split).targets)
    assert read_json(folder.result)["splits"]["test"]["touched"] == 1


def test_the_audit_keeps_which_faces_were_cut_off(config: RunConfig, tmp_path: Path):
    data = write_expw(tmp_path / "data")
    folder = train(set_config(config, "expw", data))
    source = read_json(folder.audit)["source"]
    assert source["carved"]["by"] == "source picture"
    for split in ("validation", "test"):
        assert (
            source["carved"]["ids"][split] == load_data(set_config(config, "expw", data)).original[split].ids.tolist()
        )
    assert any("64,253" in note for note in source["notes"])


def test_identical_pictures_in_test_are_left_out_of_train(config: RunConfig, tmp_path: Path):
    data = write_upstream(tmp_path / "data")
    shutil.copy(data / "train/train_3_fear.jpg", data / "test/test_3_fear.jpg")
    loaded = load_data(set_config(config, "upstream-csv", data))
    assert loaded.leaked["test"] == {"test/test_3_fear.jpg"}
    assert "train/train_3_fear.jpg" not in loaded.train.ids
    assert len(loaded.train) == 27


class TestBroken:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        root = write_raf_official(tmp_path / "data")
        cut_short(root / "Image/aligned/test_00004_aligned.jpg")
        (root / "Image/aligned/test_00005_aligned.jpg").unlink()
        return root

    def test_stops_before_there_is_a_results_folder(self, config: RunConfig, data: Path):
        with pytest.raises(DatasetFormatError, match=r"1 of 42 pictures cannot be used: .*test_00005"):
            train(set_config(config, "raf-db", data))
        assert not config.results.exists()

    def test_one_that_is_there_and_cut_short_stops_too(self, config: RunConfig, tmp_path: Path):
        root = write_raf_official(tmp_path / "data")
        cut_short(root / "Image/aligned/test_00004_aligned.jpg")
        with pytest.raises(DatasetFormatError, match=r"1 of 14 pictures cannot be used: .*test_00004.*cut short"):
            load_data(set_config(config, "raf-db", root))

    def test_skipped_and_noted_if_asked(self, config: RunConfig, data: Path, capsys: pytest.CaptureFixture):
        folder = train(set_config(config, "raf-db", data, skip_broken=True))
        broken = read_json(folder.audit)["source"]["broken"]
        assert ["test_00005" in broken[0], "test_00004" in broken[1], len(broken)] == [True, True, 2]
        assert "test_00004" in capsys.readouterr().err
        assert main(["evaluate", str(folder.path)]) == 0
        assert read_json(folder.result)["splits"]["test"]["n"] == 12


class TestElsewhere:
    @pytest.mark.parametrize("tree", TREES)
    def test_every_layout_can_be_evaluated_on(self, finished: ResultsFolder, tmp_path: Path, tree: str):
        name, write = TREES[tree]
        before = read_json(finished.result)
        found = evaluate_elsewhere(finished, write(tmp_path / "data"), "test")
        assert list(found) == (["ckplus-peak", "ckplus-last3"] if name == "ckplus" else [name])
        for labels, entry in found.items():
            stored = Predictions.load(finished.predictions(labels, "test"))
            again = summary(stored.probabilities, stored.targets)
            assert {key: getattr(entry, key) for key in again} == again
        after = read_json(finished.result)
        assert after.pop("elsewhere")
        assert after == before  # the run's own figures and touches stay

    def test_the_pictures_are_those_that_the_predictor_would_see(self, finished: ResultsFolder, tmp_path: Path):
        """Up to the rounding of pixels to whole levels."""
        data = write_raf_official(tmp_path / "data")
        evaluate_elsewhere(finished, data, "test")
        stored = Predictions.load(finished.predictions("raf-db", "test"))
        whole = dataset_info("raf-db").read(data)
        assert isinstance(whole, Collection)
        faces, model = whole.split("test"), load_model(finished.model)
        exact = model.probabilities(model.preprocess([faces.crop(row) for row in range(len(faces))])).numpy()
        exact = exact[:, [model.labels.index(emotion) for emotion in EMOTIONS]]
        np.testing.assert_allclose(stored.probabilities, exact, atol=0.02)
        assert stored.ids.tolist() == faces.ids.tolist()

    def test_each_look_is_counted(self, finished: ResultsFolder, tmp_path: Path):
        data = write_ck_folders(tmp_path / "data")
        counted = [evaluate_elsewhere(finished, data, "test")["ckplus-peak"].touched for _ in range(2)]
        assert counted == [1, 2]

    def test_peak_frames_are_among_the_last_three(self, finished: ResultsFolder, tmp_path: Path):
        found = evaluate_elsewhere(finished, write_ck_sequences(tmp_path / "data"), "test")
        assert (found["ckplus-peak"].n, found["ckplus-last3"].n) == (24, 72)

    def test_from_pictures_to_fer2013_and_back(self, config: RunConfig, data_path: Path, tmp_path: Path, capsys):
        raf = write_raf_official(tmp_path / "data")
        folder = train(set_config(config, "raf-db", raf))
        assert main(["evaluate", str(folder.path), "--on", str(data_path)]) == 0
        said = capsys.readouterr().out
        assert "fer2013 test: accuracy" in said
        assert "ferplus-strict test: accuracy" in said
        assert main(["evaluate", str(folder.path), "--on", str(raf)]) == 1
        assert "raf-db, which are the run's own" in capsys.readouterr().err

    def test_its_own_data_set_is_refused(self, finished: ResultsFolder, data_path: Path):
        with pytest.raises(ResultsError, match="which are the run's own"):
            evaluate_elsewhere(finished, data_path, "test")

    def test_broken_pictures_stop_unless_skipped_and_are_counted(self, finished: ResultsFolder, tmp_path: Path):
        data = write_raf_official(tmp_path / "data")
        cut_short(data / "Image/aligned/test_00004_aligned.jpg")
        with pytest.raises(DatasetFormatError, match="test_00004"):
            evaluate_elsewhere(finished, data, "test")
        assert "elsewhere" not in read_json(finished.result)
        entry = evaluate_elsewhere(finished, data, "test", skip_broken=True)["raf-db"]
        assert (entry.n, entry.broken) == (13, 1)

    def test_figures_of_the_model_as_it_was_do_not_outlive_a_release(
        self, finished: ResultsFolder, tmp_path: Path, capsys: pytest.CaptureFixture
    ):
        data = write_raf_official(tmp_path / "data")
        before = evaluate_elsewhere(finished, data, "test")["raf-db"]
        assert before.operating_point == OperatingPoint(temperature=1.0, logit_bias=None)
        assert drop_stale(finished, load_model(finished.model)) == ()
        assert read_json(finished.result)["elsewhere"]["raf-db"]["test"] == before.to_dict()
        assert main(["release", str(finished.path), str(tmp_path / "out")]) == 0
        assert "raf-db test: these figures were of the model as it was before" in capsys.readouterr().err
        assert read_json(finished.result)["elsewhere"] == {"raf-db": {"test": {"touched": 1}}}
        assert not finished.predictions("raf-db", "test").exists()
        assert gather(finished.path).elsewhere == ()
        again = evaluate_elsewhere(finished, data, "test")["raf-db"]
        assert again.touched == 2
        assert gather(finished.path).elsewhere[0].figures.accuracy == again.accuracy

    def test_another_temperature_of_the_same_weights_is_another_model(self, finished: ResultsFolder, tmp_path: Path):
        evaluate_elsewhere(finished, write_ck_folders(tmp_path / "data"), "test")
        info = read_json(finished.model / "config.json")
        write_json(finished.model / "config.json", {**info, "temperature": 1.5})
        assert drop_stale(finished, load_model(finished.model)) == ("ckplus-peak test", "ckplus-last3 test")

    def test_a_split_that_it_does_not_have(self, finished: ResultsFolder, tmp_path: Path):
        with pytest.raises(DatasetFormatError, match="has no validation split; it has test"):
            evaluate_elsewhere(finished, write_ck_folders(tmp_path / "data"), "validation")


def test_from_every_set_to_every_other(config: RunConfig, data_path: Path, tmp_path: Path):
    """Trained on each set that can be trained on, evaluated on all others: they meet in the seven emotions."""
    trees = ("raf-official", "affectnet-lists", "expw", "upstream", "ck-folders")
    places = {TREES[tree][0]: TREES[tree][1](tmp_path / tree) for tree in trees} | {"fer2013": data_path}
    sizes = {"raf-db": 14, "affectnet-7": 14, "expw": 10, "upstream-csv": 14, "fer2013": 35, "ckplus-peak": 24}
    for name in set(places) - {"ckplus"}:
        folder = train(set_config(config, name, places[name]))
        for other, path in places.items():
            if other != name:
                found = evaluate_elsewhere(folder, path, "test")
                first = next(iter(found))
                assert found[first].n == sizes[first]
        assert set(sizes) - {name} <= set(read_json(folder.result)["elsewhere"])


@pytest.mark.parametrize("tree", ["raf-folders", "expw", "upstream"])
def test_the_wrong_name_says_which_one_is_right(config: RunConfig, tmp_path: Path, tree: str):
    name, write = TREES[tree]
    with pytest.raises(DatasetError, match=rf"looks like {name}, not fer2013; give --dataset\.name {name}"):
        load_data(replace(config, data=write(tmp_path / "data")))


def test_photographs_are_not_trained_on(config: RunConfig, tmp_path: Path):
    data = write_photograph_folders(tmp_path)
    with pytest.raises(DatasetError, match=r"is photographs, which is for evaluation only: .*evaluate MODEL --data"):
        load_data(replace(config, data=data))


def test_ckplus_is_not_trained_on(config: RunConfig, tmp_path: Path):
    with pytest.raises(DatasetError, match=r"is ckplus, which is for evaluation only: .* evaluate MODEL --data"):
        load_data(replace(config, data=write_ck_folders(tmp_path / "data")))


def test_labels_of_another_set():
    with pytest.raises(TrainingError, match=r"'raf-db' do not belong to dataset\.name 'expw'"):
        RunConfig(recipe="x", data=Path("x"), dataset=Dataset(name="expw", labels="raf-db"))


@pytest.mark.parametrize("name", ["raf-db", "affectnet-7", "expw"])
def test_weights_say_what_they_were_trained_on_and_may_be_used_for(config: RunConfig, name: str):
    info = describe(set_config(config, name, Path("data")))
    assert info.training["data"] == name
    assert dataset_info(name).title in info.license["text"]
    assert info.license["link"] == dataset_info(name).url


def test_weights_from_a_folder_of_ones_own_claim_no_licence(config: RunConfig):
    assert describe(set_config(config, "upstream-csv", Path("data"))).license["name"] == "unknown"


def test_released_weights_state_facts_that_can_be_measured_again(
    config: RunConfig, data_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    raf, out = write_raf_official(tmp_path / "data"), tmp_path / "out"
    folder = train(set_config(config, "raf-db", raf))
    assert main(["release", str(folder.path), str(out), "--no-half"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(out), "--data", str(raf)]) == 0
    said = capsys.readouterr().out
    assert "raf-db test: accuracy" in said
    assert said.count("as stated") == 2
    assert main(["evaluate", str(out), "--data", str(data_path)]) == 0
    said = capsys.readouterr().out
    assert "fer2013 test: accuracy" in said
    assert "stated" not in said


def test_audit_takes_any_set(tmp_path: Path, capsys: pytest.CaptureFixture):
    data = write_upstream(tmp_path / "data")
    shutil.copy(data / "train/train_3_fear.jpg", data / "test/test_3_fear.jpg")
    assert main(["audit", "--data", str(data)]) == 0
    assert "test images with a copy in train: 1" in capsys.readouterr().out
