import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from resemotenet import create_model
from resemotenet.checkpoints.checkpoint import LoadedModel, load_model
from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder, read_json, write_json
from resemotenet.runs.schema import Cost, Epoch, Result, RunConfig
from training.cost import count_macs, measure_latency, measure_runs, note_latency, peak_memory, run_cost
from training.evaluation import evaluate_run
from training.loading import load_data
from training.publish import publish

CPU = torch.device("cpu")


def test_macs_of_one_convolution_and_one_matrix_by_hand():
    module = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 8 * 8, 7))
    # Every one of 5 x 8 x 8 outputs is a sum over 3 x 3 x 3; then a 320 x 7 matrix.
    assert count_macs(module, (1, 3, 8, 8)) == 5 * 64 * 27 + 320 * 7


def test_compact_saves_the_taps_that_never_meet_a_pixel():
    full, compact = (create_model("resemotenet", width=0.125, compact=compact) for compact in (False, True))
    # The last block ends on one pixel: 3x3 - 2x2 taps of 128 x 256 kernels, and 3x3 - 1x1 of 256 x 256.
    saved = 5 * 128 * 256 + 8 * 256 * 256
    assert count_macs(full, (1, 3, 64, 64)) - count_macs(compact, (1, 3, 64, 64)) == saved


def test_peak_memory_holds_what_was_held():
    cpu = torch.device("cpu")
    before = peak_memory(cpu)
    held = torch.ones(64, 1024, 1024)  # 256 MiB, written to, so they are really taken
    assert held.nbytes == 2**28
    assert 2**28 < peak_memory(cpu) < 2**40
    del held
    assert peak_memory(cpu) >= max(before, 2**28)  # a peak does not sink


def test_wall_time_is_training_validation_and_saving():
    lines = [
        Epoch(epoch=0, seconds=3.0, saving_seconds_before=0.0),
        Epoch(epoch=1, seconds=4, saving_seconds_before=1.5),
    ]
    assert run_cost(lines, 2.0, CPU)["wall_seconds"] == 10.5
    assert run_cost(lines, 2.0, CPU)["seconds"] == 7


def test_what_a_stop_or_an_older_version_left_unknown_is_left_out():
    lines = [Epoch(epoch=0, seconds=3.0), Epoch(epoch=1, seconds=4.0, saving_seconds_before=None)]
    cost = run_cost(lines, None, CPU)
    assert (cost["wall_seconds"], cost["images_per_second"]) == (7.0, None)
    assert cost["peak_memory_bytes"] > 2**20


class Sleeper(nn.Module):
    """A network that takes this long, and notes for whom it did and what it was given."""

    def __init__(self, seconds: float, seen: list[tuple[float, tuple[int, ...], bool]]) -> None:
        super().__init__()
        self.seconds, self.seen = seconds, seen
        self.head = nn.Linear(1, 7)

    def forward(self, batch: Tensor) -> Tensor:
        self.seen.append((self.seconds, tuple(batch.shape), self.training))
        time.sleep(self.seconds)
        logits: Tensor = self.head(batch.mean(dim=(1, 2, 3))[:, None])
        return logits


@pytest.fixture
def sleeping(model_folder: Path):
    """Makes a model that takes so many seconds for a batch, with its list of what it saw."""
    real = load_model(model_folder)
    seen: list[tuple[float, tuple[int, ...], bool]] = []

    def make(seconds: float, views: Literal["none", "flip"] = "none") -> LoadedModel:
        return LoadedModel(Sleeper(seconds, seen).eval(), replace(real.info, views=views), real.folder)

    make.seen = seen  # type: ignore[attr-defined]
    return make


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


class TestLatency:
    def test_it_is_the_median_time_of_one_face_in_evaluation_mode(self, sleeping, three_threads: None):
        (latency,) = measure_latency([sleeping(0.02)])
        low, high = latency.quartiles
        assert 20 <= low <= latency.milliseconds <= high
        assert (latency.faces, latency.threads) == (1, 3)
        assert latency.device.startswith("cpu (")
        shapes, modes = {shape for _, shape, _ in sleeping.seen}, {training for *_, training in sleeping.seen}
        assert {shape[0] for shape in shapes} == {1}
        assert modes == {False}

    def test_views_are_in_it(self, sleeping):
        (latency,) = measure_latency([sleeping(0.001, views="flip")])
        assert {shape[0] for _, shape, _ in sleeping.seen} == {2}
        assert (latency.faces, latency.views) == (1, "flip")

    def test_several_models_take_turns_and_are_told_apart(self, sleeping):
        slow, quick = measure_latency([sleeping(0.03), sleeping(0.003)])
        assert slow.milliseconds > quick.milliseconds >= 3
        assert slow.time == quick.time
        who = [seconds for seconds, *_ in sleeping.seen]
        turns = [seconds for row, seconds in enumerate(who) if row == 0 or seconds != who[row - 1]]
        assert turns == [0.03, 0.003] * 6  # to warm up, then five rounds

    def test_it_comes_to_an_end_soon(self, sleeping):
        measure_latency([sleeping(0.001)])
        assert len(sleeping.seen) <= 20 + 5 * 41
        (slow,) = measure_latency([sleeping(0.3)])
        assert slow.passes == 5

    def test_a_result_that_has_it_keeps_it_unless_the_views_are_others(self, sleeping):
        result = Result(protocol="", splits={}, cost=Cost(macs=1, seconds=1.0, device="cpu"))
        note_latency(result, sleeping(0.001))
        assert result.cost is not None
        first = result.cost.latency
        assert first is not None
        note_latency(result, sleeping(0.01))
        assert result.cost.latency is first
        note_latency(result, sleeping(0.01, views="flip"))
        assert result.cost.latency.views == "flip"
        assert result.cost.latency.milliseconds > first.milliseconds
        older = Result(protocol="", splits={})
        note_latency(older, sleeping(0.001))
        assert older == Result(protocol="", splits={})

    def test_training_notes_it_and_publishing_carries_it(self, finished: ResultsFolder, tmp_path: Path):
        latency = read_json(finished.result)["cost"]["latency"]
        assert 0 < latency["quartiles"][0] <= latency["milliseconds"] <= latency["quartiles"][1]
        published = ResultsFolder(publish(finished, tmp_path / "published"))
        assert read_json(published.result)["cost"]["latency"] == latency

    def test_scoring_a_run_of_before_adds_it(self, finished: ResultsFolder, config: RunConfig):
        result = read_json(finished.result)
        del result["cost"]["latency"]
        write_json(finished.result, result)
        data = load_data(config)
        evaluate_run(finished, data.scored, "validation", data.leaked["validation"])
        again = read_json(finished.result)
        assert again["cost"].pop("latency")["milliseconds"] > 0
        assert again == result

    def test_measured_anew_only_it_changes(self, finished: ResultsFolder):
        before = read_json(finished.result)
        (latency,) = measure_runs([finished], CPU)
        after = read_json(finished.result)
        assert after["cost"].pop("latency") == latency.to_dict()
        assert latency.time >= before["cost"].pop("latency")["time"]
        assert after == before

    def test_runs_that_cannot_be_measured_are_named_before_any_is(self, finished: ResultsFolder, tmp_path: Path):
        before = finished.result.read_bytes()
        published = ResultsFolder(publish(finished, tmp_path / "published"))
        with pytest.raises(ResultsError, match=rf"{published.path} has no weights"):
            measure_runs([finished, published], CPU)
        with pytest.raises(ResultsError, match=r"nowhere has no result\.json"):
            measure_runs([finished, ResultsFolder(tmp_path / "nowhere")], CPU)
        assert finished.result.read_bytes() == before
        write_json(
            finished.result, {name: value for name, value in read_json(finished.result).items() if name != "cost"}
        )
        with pytest.raises(ResultsError, match="notes no cost"):
            measure_runs([finished], CPU)
