"""Lists of runs: whatever happens to a process, the same command brings them to their end, and does nothing twice."""

from dataclasses import replace
from pathlib import Path

import pytest

from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder, read_json
from training.campaign import CAMPAIGNS, find_run, rehearsed, run_campaign
from training.cli import main
from training.config import Network, RunConfig


def pair(config: RunConfig) -> list[RunConfig]:
    short = replace(config, optimization=replace(config.optimization, epochs=1))
    return [short, replace(short, seed=1)]


def test_all_runs_come_to_their_end_and_a_second_call_does_nothing(config: RunConfig):
    said: list[str] = []
    assert run_campaign(pair(config), test=True, say=said.append)
    runs = [ResultsFolder(path) for path in sorted(Path(config.results).iterdir())]
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
    of_fixture = RunConfig.from_dict(read_json(finished.config))
    moved = replace(of_fixture, results=finished.path.parent, data=config.data)
    finished.result.unlink()
    said: list[str] = []
    assert run_campaign([moved], test=False, say=said.append)
    assert said[0].endswith("goes on")
    assert finished.is_finished
    assert [path.name for path in finished.path.parent.iterdir()] == [finished.path.name]


def test_other_settings_are_another_run(config: RunConfig, finished: ResultsFolder):
    same = replace(RunConfig.from_dict(read_json(finished.config)), results=finished.path.parent)
    found = find_run(replace(same, data=Path("elsewhere.csv")))
    assert found is not None
    assert found.path == finished.path
    assert find_run(replace(same, seed=5)) is None
    assert find_run(replace(same, optimization=replace(same.optimization, learning_rate=0.01))) is None


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
    assert {(run.network.width, run.optimization.epochs) for run in runs} == {(0.25, 15)}
    assert [(run.network.name, run.seed) for run in runs] == [
        *((name, 0) for name in ("resemotenet", *(f"resemotenet_c{number}" for number in range(2, 7)))),
        *((name, seed) for seed in (1, 2) for name in ("resemotenet", "resemotenet_c2")),
    ]


def test_the_command_line_hands_on_what_was_asked(data_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Up to the runs' own processes, which here come to their end at once, or not in time from the third on."""
    started: list[tuple[RunConfig, bool, float | None]] = []
    enough = 2

    def process(config: RunConfig, test: bool, seconds: float | None, title: str) -> bool:
        started.append((config, test, seconds))
        return len(started) <= enough

    monkeypatch.setattr("training.campaign._in_its_own_process", process)
    given = ["campaign", "ablation", "--data", str(data_path), "--results", str(tmp_path)]
    plans = [replace(plan, data=data_path, results=tmp_path) for plan in CAMPAIGNS["ablation"]()]

    assert main([*given, "--device", "cpu", "--test", "--minutes", "2"]) == 3
    assert [config for config, *_ in started] == [replace(plan, device="cpu") for plan in plans[:3]]
    assert all(test and seconds is not None and 60 < seconds <= 120 for _, test, seconds in started)

    started.clear()
    enough = len(plans)
    assert main([*given, "--rehearse"]) == 0
    assert started == [(rehearsed(plan), False, None) for plan in plans]


def test_an_unknown_name_is_refused(data_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["campaign", "everything", "--data", str(data_path)]) == 1
    assert "there are ablation, tables" in capsys.readouterr().err
