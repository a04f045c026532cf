import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from resemotenet.errors import ResultsError, TrainingError
from resemotenet.runs.results import read_json, write_json
from resemotenet.runs.schema import Audit, Epoch, RunConfig, read
from training.recorder import Recorder, check_place


def test_a_new_folder_says_what_is_known_before_the_start(config: RunConfig):
    recorder = Recorder.start(config, "cpu (test)", Audit(images={"train": 3}))
    assert re.fullmatch(r"tiny-resemotenet-ferplus-s0-\d{8}T\d{6}Z", recorder.run)
    assert recorder.folder.path.parent == config.results
    assert read(RunConfig, recorder.folder.config, TrainingError) == config
    assert read_json(recorder.folder.audit) == {"images": {"train": 3}}
    environment = read_json(recorder.folder.environment)
    assert environment["seed"] == 0
    assert environment["device"] == "cpu (test)"
    assert environment["versions"]["torch"] == version("torch")
    assert environment["command"][:3] == ["python", "-m", "training"]
    assert set(environment) >= {"commit", "dirty", "threads", "python", "platform"}
    assert not recorder.folder.is_finished


class TestNames:
    @pytest.fixture(autouse=True)
    def one_second(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "time", lambda: 1_800_000_000.7)

    @staticmethod
    def name(second: int) -> str:
        return f"tiny-resemotenet-ferplus-s0-20270115T08000{second}Z"

    def test_runs_that_start_in_one_second_take_the_next_that_is_free(self, config: RunConfig):
        runs = [Recorder.start(config, "cpu", Audit(images={"train": number})) for number in range(3)]
        assert [run.run for run in runs] == [self.name(second) for second in range(3)]
        assert [read_json(run.folder.audit)["images"]["train"] for run in runs] == [0, 1, 2]  # none is written over
        assert len(list(config.results.iterdir())) == 3

    def test_from_several_threads_at_once(self, config: RunConfig):
        with ThreadPoolExecutor(8) as pool:
            runs = list(
                pool.map(lambda number: Recorder.start(config, "cpu", Audit(images={"train": number})), range(8))
            )
        assert sorted(run.run for run in runs) == [self.name(second) for second in range(8)]
        assert [read_json(run.folder.audit)["images"]["train"] for run in runs] == list(range(8))

    @pytest.mark.parametrize("taken", ["{}", ".{}.new"])
    def test_an_empty_folder_and_one_that_a_crash_left_are_not_taken_over(self, config: RunConfig, taken: str):
        (config.results / taken.format(self.name(0))).mkdir(parents=True)
        assert Recorder.start(config, "cpu", Audit()).run == self.name(1)

    def test_other_seeds_have_that_second_too(self, config: RunConfig):
        one, other = (Recorder.start(replace(config, seed=seed), "cpu", Audit()) for seed in (0, 1))
        assert one.run[-16:] == other.run[-16:]


def test_a_folder_is_there_whole_or_not_at_all(config: RunConfig):
    class Unwritable:
        pass

    with pytest.raises(ValueError, match="Unable to serialize"):
        Recorder.start(config, "cpu", Audit(source={"images": Unwritable()}))
    assert [path.name for path in config.results.iterdir() if not path.name.startswith(".")] == []


def test_every_resumption_is_entered(config: RunConfig):
    recorder = Recorder.start(config, "cpu (test)", Audit())
    first = read_json(recorder.folder.environment)
    assert first["resumptions"] == []
    recorder.resumed(3, "another device")
    recorder.resumed(5, "cpu (test)")
    environment = read_json(recorder.folder.environment)
    assert {name: environment[name] for name in first if name != "resumptions"} == {
        name: value for name, value in first.items() if name != "resumptions"
    }
    assert [(each["epoch"], each["device"]) for each in environment["resumptions"]] == [
        (3, "another device"), (5, "cpu (test)")
    ]  # fmt: skip
    for each in environment["resumptions"]:
        assert each["versions"]["torch"] == version("torch")
        assert re.fullmatch(r"\d{8}T\d{6}Z", each["time"])
        assert set(each) >= {"commit", "dirty", "command", "threads"}


def test_runs_from_before_resumptions_were_entered(config: RunConfig):
    recorder = Recorder.start(config, "cpu", Audit())
    environment = read_json(recorder.folder.environment)
    del environment["resumptions"]
    write_json(recorder.folder.environment, environment)
    recorder.resumed(1, "cpu")
    assert len(read_json(recorder.folder.environment)["resumptions"]) == 1


@pytest.mark.parametrize("inside", ["", "results", "more/results"])
def test_results_in_a_place_that_is_no_folder(config: RunConfig, tmp_path: Path, inside: str):
    (tmp_path / "file").write_text("x")
    place = tmp_path / "file" / inside
    for refused in (lambda: Recorder.start(replace(config, results=place), "cpu", Audit()), lambda: check_place(place)):
        with pytest.raises(
            ResultsError, match=r"results cannot be kept in .*file.*; give another place with --results"
        ):
            refused()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_results_in_a_place_that_must_not_be_written_to(config: RunConfig, tmp_path: Path):
    tmp_path.chmod(0o500)
    for refused in (lambda: Recorder.start(config, "cpu", Audit()), lambda: check_place(config.results)):
        with pytest.raises(ResultsError, match="give another place with --results"):
            refused()


def test_a_place_that_can_be_made_is_not_made_yet(tmp_path: Path):
    check_place(tmp_path / "new" / "results")
    assert list(tmp_path.iterdir()) == []


def test_seeds_have_folders_of_their_own(config: RunConfig):
    one, other = (Recorder.start(replace(config, seed=seed), "cpu", Audit()) for seed in (0, 1))
    assert "-s0-" in one.run
    assert "-s1-" in other.run


class TestEpochs:
    @pytest.fixture
    def recorder(self, config: RunConfig) -> Recorder:
        recorder = Recorder.start(config, "cpu", Audit())
        for epoch in range(3):
            recorder.epoch(Epoch(epoch=epoch, loss=0.1))
        return recorder

    def test_each_is_a_line(self, recorder: Recorder):
        lines = recorder.folder.epochs.read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]

    def test_going_on_drops_what_will_be_run_again_and_what_was_cut_off(self, recorder: Recorder):
        with recorder.folder.epochs.open("a") as file:
            file.write('{"epoch": 3, "lo')
        recorder.forget_epochs_from(2)
        recorder.epoch(Epoch(epoch=2, loss=0.2))
        expected = [Epoch(epoch=epoch, loss=loss) for epoch, loss in enumerate((0.1, 0.1, 0.2))]
        assert recorder.folder.read_epochs() == expected

    def test_numbers_that_are_none_are_refused(self, recorder: Recorder):
        line = Epoch(epoch=3)
        line.loss = float("nan")
        with pytest.raises(ValueError, match="not JSON compliant"):
            recorder.epoch(line)
        assert len(recorder.folder.read_epochs()) == 3


class TestState:
    def test_a_run_that_was_only_begun_has_nothing_to_go_on_from(self, config: RunConfig):
        recorder = Recorder.start(config, "cpu", Audit())
        assert recorder.load_state() is None
        recorder.forget_epochs_from(0)
        (recorder.folder.resume / "state.pt").unlink()  # as of a version that wrote none before the first epoch
        assert recorder.load_state() is None

    def test_round_trip(self, config: RunConfig):
        recorder = Recorder.start(config, "cpu", Audit())
        for epoch in (1, 2):
            recorder.save_state(
                {"model": {"w": torch.full((2,), float(epoch))}, "epoch": epoch, "chosen": {"value": 0.5}}
            )
        state = recorder.load_state()
        assert state is not None
        assert torch.equal(state["model"]["w"], torch.tensor([2.0, 2.0]))
        assert (state["epoch"], state["chosen"]) == (2, {"value": 0.5})

    def test_a_failure_while_writing_keeps_the_state_before(self, config: RunConfig):
        class Unwritable:
            def __reduce__(self) -> Any:
                raise RuntimeError("broke off")

        recorder = Recorder.start(config, "cpu", Audit())
        recorder.save_state({"epoch": 1})
        with pytest.raises(RuntimeError, match="broke off"):
            recorder.save_state({"epoch": 2, "model": Unwritable()})
        assert recorder.load_state() == {"epoch": 1}
        assert [path.name for path in recorder.folder.resume.iterdir()] == ["state.pt"]
