"""Sets that stay in a prepared file: the same batches, weights, audit and figures as those held in memory."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resemotenet.datasets import FaceSet, PreparedFaces, read_rafdb
from resemotenet.errors import DatasetFormatError, TrainingError
from resemotenet.runs.results import Predictions, ResultsFolder, read_json
from resemotenet.runs.schema import Dataset, Optimization, RunConfig, read
from tests.fake_trees import cut_short, write_affectnet_lists, write_raf_official, write_upstream
from tests.training.conftest import weights
from training import audit, loop, picture_sets
from training.audit import in_words
from training.cli import main
from training.elsewhere import evaluate_elsewhere
from training.loading import Batches, load_data
from training.picture_sets import Storage
from training.preparing import prepare

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESEMOTENET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """With a copy of a training picture in test."""
    root = write_raf_official(tmp_path / "data")
    shutil.copy(root / "Image/aligned/train_00003_aligned.jpg", root / "Image/aligned/test_00003_aligned.jpg")
    return root


def raf(config: RunConfig, data: Path, memory_share: float, epochs: int = 2) -> RunConfig:
    return replace(
        config,
        data=data,
        network=replace(config.network, size=40),
        dataset=Dataset(name="raf-db", labels="raf-db", memory_share=memory_share),
        optimization=Optimization(epochs=epochs, batch_size=8, warmup_epochs=0, ema_decay=0.5),
    )


def assert_same_weights(one: ResultsFolder, other: ResultsFolder) -> None:
    first, second = weights(one), weights(other)
    assert [name for name, value in first.items() if not torch.equal(value, second[name])] == []
    assert (one.model / "model.safetensors").read_bytes() == (other.model / "model.safetensors").read_bytes()


class TestBatches:
    @pytest.mark.parametrize("processes", [1, 2])
    def test_are_those_of_faces_in_memory(self, data: Path, cache: Path, processes: int):
        files = read_rafdb(data).split("train")
        held, _ = files.into_memory(40)
        streamed, _ = prepare(files, 40, cache)
        for process in range(processes):
            options: dict[str, Any] = {"batch_size": 4, "seed": 3, "process": process, "processes": processes}
            ways = [Batches.of(faces, CPU, **options) for faces in (held, streamed)]
            for epoch in (0, 5):
                count = 0
                for one, other in zip(*(way.epoch(epoch) for way in ways), strict=True):
                    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
                    assert one.images.dtype == other.images.dtype == torch.uint8
                    count += 1
                assert count == len(ways[0]) == len(ways[1]) == 5

    def test_draw_nothing_from_the_global_generator(self, data: Path, cache: Path):
        streamed, _ = prepare(read_rafdb(data).split("train"), 40, cache)
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        list(Batches.of(streamed, CPU, batch_size=4, seed=0).epoch(0))
        assert torch.equal(torch.rand(3), expected)


class TestRuns:
    @pytest.fixture
    def held(self, config: RunConfig, data: Path) -> ResultsFolder:
        return loop.train(replace(raf(config, data, 0.25), results=config.results / "held"))

    def test_have_the_same_weights_audit_and_figures(
        self, config: RunConfig, data: Path, held: ResultsFolder, cache: Path
    ):
        assert not cache.exists()
        streamed = loop.train(raf(config, data, 0))
        assert len(list(cache.glob("pixels/raf-db-*/*/about.json"))) == 3
        assert_same_weights(held, streamed)
        assert read_json(held.audit) == read_json(streamed.audit)
        assert read_json(held.audit)["leaks"]["test images with a copy in train"] == 1
        for folder in (held, streamed):
            assert main(["evaluate", str(folder.path)]) == 0
        for split in ("validation", "test"):
            one, other = (Predictions.load(folder.predictions("raf-db", split)) for folder in (held, streamed))
            np.testing.assert_array_equal(one.probabilities, other.probabilities)
            np.testing.assert_array_equal(one.leaked, other.leaked)
        assert read_json(held.result)["splits"] == read_json(streamed.result)["splits"]

    @pytest.mark.parametrize("then", [0, 0.25])
    def test_go_on_bit_for_bit_on_either_way(
        self, config: RunConfig, data: Path, held: ResultsFolder, then: float, monkeypatch: pytest.MonkeyPatch
    ):
        original = loop._train_epoch

        def stopped(run: Any, model: Any, optimizer: Any, progress: Any) -> Any:
            if progress.epoch == 1:
                raise KeyboardInterrupt
            return original(run, model, optimizer, progress)

        with monkeypatch.context() as patch:
            patch.setattr(loop, "_train_epoch", stopped)
            with pytest.raises(KeyboardInterrupt) as stop:
                loop.train(raf(config, data, 0))
        folder = loop.resume(raf(config, data, then), Path(stop.value.args[0]))
        assert folder.is_finished
        assert_same_weights(held, folder)

    def test_with_broken_pictures_stop_before_there_is_a_folder(self, config: RunConfig, data: Path):
        cut_short(data / "Image/aligned/test_00004_aligned.jpg")
        streaming = raf(config, data, 0, epochs=1)
        with pytest.raises(DatasetFormatError, match=r"1 of 14 pictures cannot be used: .*test_00004.*cut short"):
            loop.train(streaming)
        assert not config.results.exists()
        folder = loop.train(replace(streaming, dataset=replace(streaming.dataset, skip_broken=True)))
        assert "test_00004" in read_json(folder.audit)["source"]["broken"][0]

    def test_keep_the_cache_where_the_command_says(self, config: RunConfig, data: Path, tmp_path: Path, cache: Path):
        place = tmp_path / "elsewhere"
        folder = loop.train(replace(raf(config, data, 0, epochs=1), cache=place))
        assert (place / "pixels").is_dir()
        assert not cache.exists()
        assert main(["evaluate", str(folder.path)]) == 0
        assert not cache.exists()
        assert read(RunConfig, folder.config, TrainingError).cache == place


def test_another_set_is_scored_the_same_from_its_file(finished: ResultsFolder, tmp_path: Path, cache: Path):
    path = write_affectnet_lists(tmp_path / "affectnet")
    found = []
    for share in (0.25, 0.0):
        entry = evaluate_elsewhere(finished, path, "test", storage=Storage(memory_share=share))["affectnet-7"]
        stored = Predictions.load(finished.predictions("affectnet-7", "test"))
        found.append((stored.probabilities.tobytes(), {**entry.to_dict(), "touched": None}))
    assert found[0] == found[1]
    assert cache.exists()


def test_many_faces_that_fit_come_from_the_file_into_memory(
    config: RunConfig, data: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
):
    read = load_data(raf(config, data, 0.25))
    assert isinstance(read.train, FaceSet)
    assert not cache.exists()
    monkeypatch.setattr(picture_sets, "_PREPARED_FROM", 42)
    again = load_data(raf(config, data, 0.25))
    assert isinstance(again.train, FaceSet)
    assert cache.exists()
    np.testing.assert_array_equal(read.train.images, again.train.images)
    assert read.sha256 == again.sha256
    assert isinstance(load_data(raf(config, data, 0)).train, PreparedFaces)


def test_the_share_of_memory_decides(config: RunConfig, data: Path, monkeypatch: pytest.MonkeyPatch):
    taken = 42 * 40 * 40
    for memory, kind in ((taken * 10, FaceSet), (taken * 10 - 1, PreparedFaces)):
        monkeypatch.setattr(picture_sets, "usable_memory", lambda memory=memory: memory)
        assert isinstance(load_data(raf(config, data, 0.1)).train, kind)
    with pytest.raises(TrainingError, match=r"dataset\.memory_share = 1\.5, which should be less than"):
        raf(config, data, 1.5)


def test_near_copies_are_not_looked_for_among_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    data = write_upstream(tmp_path / "upstream")
    assert main(["audit", "--data", str(data)]) == 0
    assert "not searched" not in capsys.readouterr().out
    monkeypatch.setattr(audit, "NEAR_FACES", 48)
    assert main(["audit", "--data", str(data), "--json", str(tmp_path / "audit.json")]) == 0
    said = "49 faces of 0 MiB; near copies are looked for among at most 48"
    assert f"near copies: not searched, for there are {said}" in capsys.readouterr().out
    found = read_json(tmp_path / "audit.json")
    assert "near_copies" not in found  # None would say that the images are all alike
    assert found["near_copies_not_searched"].startswith(said)
    assert found["identical_groups"] == 0
    assert in_words(found).endswith("MiB")
