"""Lists of runs: whatever happens to a process, the same command brings them to their end, and does nothing twice."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder, read_json, write_json
from resemotenet.runs.schema import Network, RunConfig, read
from tests.fake_fer2013 import Fake, write_parquet
from training import loading
from training.campaign import CAMPAIGNS, DataHashes, find_run, rehearsed, run_campaign
from training.cli import main


def pair(config: RunConfig) -> list[RunConfig]:
    short = replace(config, optimization=replace(config.optimization, epochs=1))
    return [short, replace(short, seed=1)]


def test_all_runs_come_to_their_end_and_a_second_call_does_nothing(config: RunConfig):
    said: list[str] = []
    assert run_campaign(pair(config), test=True, say=said.append)
    runs = [ResultsFolder(path) for path in sorted(Path(config.results).glob("[!.]*"))]
    assert [read_json(run.config)["seed"] for run in runs] == [0, 1]
    assert [read_json(run.result)["splits"]["test"]["touched"] for run in runs] == [1, 1]

    said.clear()
    assert run_campaign(pair(config), test=True, say=said.append)
    assert [line.split(": ")[-1] for line in said] == [f"done, {run.path.name}" for run in runs]
    assert [read_json(run.result)["splits"]["test"]["touched"] for run in runs] == [1, 1]


def test_out_of_time_it_stops_and_goes_on_later(config: RunConfig):
    said: list[str] = []
    assert not run_campaign(pair(config)[:1], test=False, minutes=0.0, say=said.append)
    assert said[-1].startswith("out of time")
    assert run_campaign(pair(config)[:1], test=False)
    assert [run for run in map(find_run, pair(config)) if run is not None and run.is_finished]


def test_an_interrupted_run_is_gone_on_with(config: RunConfig, finished: ResultsFolder):
    """``finished`` without its result is a run that was cut off after its last epoch."""
    of_fixture = read(RunConfig, finished.config, TrainingError)
    moved = replace(of_fixture, results=finished.path.parent, data=config.data)
    finished.result.unlink()
    said: list[str] = []
    assert run_campaign([moved], test=False, say=said.append)
    assert said[0].endswith("goes on")
    assert finished.is_finished
    assert [path.name for path in finished.path.parent.glob("[!.]*")] == [finished.path.name]


def test_other_settings_are_another_run(config: RunConfig, finished: ResultsFolder, tmp_path: Path):
    same = replace(read(RunConfig, finished.config, TrainingError), results=finished.path.parent)
    found = find_run(replace(same, data=Path(shutil.copy(config.data or "", tmp_path / "elsewhere.parquet"))))
    assert found is not None
    assert found.path == finished.path
    assert find_run(replace(same, seed=5)) is None
    assert find_run(replace(same, optimization=replace(same.optimization, learning_rate=0.01))) is None


class TestOtherData:
    """Runs of the same settings on other data are other runs, whatever the files are called."""

    @pytest.fixture
    def same(self, finished: ResultsFolder) -> RunConfig:
        return replace(read(RunConfig, finished.config, TrainingError), results=finished.path.parent)

    @pytest.fixture
    def other(self, same: RunConfig, fake: Fake, tmp_path: Path) -> RunConfig:
        """One face of train is another one."""
        images = fake.images.copy()
        images[3] = 255 - images[3]
        return replace(same, data=write_parquet(replace(fake, images=images), tmp_path / "other.parquet"))

    def test_a_finished_run_does_not_count(self, same: RunConfig, other: RunConfig):
        assert find_run(same) is not None
        assert find_run(other) is None

    def test_nor_does_a_run_that_was_cut_off(self, finished: ResultsFolder, same: RunConfig, other: RunConfig):
        finished.result.unlink()
        assert find_run(same) is not None
        assert find_run(other) is None

    def test_under_the_same_path(self, finished: ResultsFolder, same: RunConfig, other: RunConfig, tmp_path: Path):
        assert same.data is not None
        assert other.data is not None
        path = Path(shutil.copy(same.data, tmp_path / "data.parquet"))
        assert find_run(replace(same, data=path)) is not None
        shutil.copy(other.data, path)
        assert find_run(replace(same, data=path)) is None

    def test_a_run_that_did_not_note_its_data_counts_by_its_path(
        self, finished: ResultsFolder, same: RunConfig, other: RunConfig
    ):
        noted = read_json(finished.audit)
        write_json(finished.audit, {name: value for name, value in noted.items() if name != "sha256"})
        assert find_run(same) is not None
        assert find_run(replace(same, data=Path("elsewhere.csv"))) is None

    def test_a_campaign_on_other_data_trains_its_own_runs(self, finished: ResultsFolder, other: RunConfig, fake: Fake):
        short = replace(other, optimization=replace(other.optimization, epochs=1))
        of_a = read_json(finished.config)
        of_a["optimization"]["epochs"] = 1
        write_json(finished.config, of_a)
        assert run_campaign([short], test=False)
        runs = [ResultsFolder(path) for path in Path(other.results).glob("[!.]*")]
        assert len(runs) == 2
        assert len({read_json(run.audit)["sha256"] for run in runs}) == 2

    def test_the_data_is_read_once_for_runs_that_read_the_same_of_it(
        self, same: RunConfig, monkeypatch: pytest.MonkeyPatch
    ):
        calls, original = [], loading.load_data

        def load_data(config: RunConfig) -> loading.Data:
            calls.append(config)
            return original(config)

        monkeypatch.setattr(loading, "load_data", load_data)
        data_of = DataHashes()
        for seed in (0, 0, 1):
            find_run(replace(same, seed=seed), data_of)
        assert len(calls) == 1


def test_a_run_that_fails_stops_the_campaign(config: RunConfig, capfd: pytest.CaptureFixture[str]):
    broken = replace(config, data=Path("absent.csv"))
    with pytest.raises(TrainingError, match="failed with exit code 1"):
        run_campaign([broken, config], test=False)
    assert "absent.csv" in capfd.readouterr().err
    assert find_run(config) is None


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_every_run_of_a_campaign_goes_through_its_rehearsal_settings(name: str, config: RunConfig):
    """Networks can be built and settings are in range; all runs differ."""
    from training.description import check_network

    plans = [replace(run, data=config.data) for run in CAMPAIGNS[name]()]
    for run in plans:
        check_network(run)
        check_network(rehearsed(run))
    assert len({repr(run) for run in plans}) == len(plans)


def test_the_ablation_differs_in_the_network_and_the_seed_alone():
    runs = CAMPAIGNS["ablation"]()
    assert len({repr(replace(run, seed=0, network=Network())) for run in runs}) == 1
    assert {(run.network.width, run.network.size, run.optimization.epochs) for run in runs} == {(0.25, 48, 15)}
    both = [f"resemotenet_c{number}{reading}" for reading in ("_pooled", "") for number in range(3, 7)]
    assert [(run.network.name, run.seed) for run in runs] == [
        (name, seed) for seed in range(3) for name in ("resemotenet", "resemotenet_c2", *both)
    ]


def test_the_command_line_hands_on_what_was_asked(data_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Up to the runs' own processes, which here come to their end at once, or not in time from the third on."""
    started: list[tuple[RunConfig, bool, float | None]] = []
    enough = 2

    def process(config: RunConfig, run: None, test: bool, seconds: float | None, title: str) -> bool:
        started.append((config, test, seconds))
        return len(started) <= enough

    monkeypatch.setattr("training.campaign._in_its_own_process", process)
    given = ["campaign", "ablation", "--data", str(data_path), "--results", str(tmp_path)]
    plans = [replace(plan, data=data_path, results=tmp_path) for plan in CAMPAIGNS["ablation"]()]

    assert main([*given, "--device", "cpu", "--precision", "bf16", "--test", "--minutes", "2"]) == 3
    assert [config for config, *_ in started] == [replace(plan, device="cpu", precision="bf16") for plan in plans[:3]]
    assert all(test and seconds is not None and 60 < seconds <= 120 for _, test, seconds in started)

    started.clear()
    enough = len(plans)
    assert main([*given, "--rehearse"]) == 0
    assert started == [(rehearsed(plan), False, None) for plan in plans]


def test_an_unknown_name_is_refused(data_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["campaign", "everything", "--data", str(data_path)])
    assert stopped.value.code == 2
    assert "there are ablation, baselines, tables" in capsys.readouterr().err
