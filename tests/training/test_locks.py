"""Two processes on one run: the second one is refused in one sentence and changes nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder, read_json, write_json
from resemotenet.runs.schema import RunConfig
from tests.disks import read_only
from tests.training.conftest import stop_after_one_epoch
from training.campaign import run_campaign
from training.cli import main
from training.loading import load_data
from training.locks import alone_with, hold, only_campaign
from training.release import release

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from resemotenet.runs.results import ResultsFolder
from training.locks import alone_with, only_campaign
with {} as held:
    print("held", flush=True)
    time.sleep(600)
"""


def holder(code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(code)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


class TestRun:
    def test_whatever_another_process_does_to_it_is_refused(
        self, finished: ResultsFolder, config: RunConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        before = finished.result.read_bytes()
        other = holder(f"alone_with(ResultsFolder(Path({str(finished.path)!r})))")
        try:
            run = str(finished.path)
            for command in (
                ["evaluate", run],
                ["evaluate", run, "--split", "validation"],
                ["release", run, str(tmp_path / "out")],
                ["latency", run],
            ):
                assert main(command) == 1
                (said,) = capsys.readouterr().err.splitlines()
                assert said == f"training: another process is working on {run}; wait until it ends, or stop it"
        finally:
            end(other)
        assert finished.result.read_bytes() == before
        assert not (tmp_path / "out").exists()
        assert main(["evaluate", run]) == 0  # the lock ended with its process

    def test_it_is_not_gone_on_with(
        self, config: RunConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        stopped = ResultsFolder(stop_after_one_epoch(config, monkeypatch))
        before = stopped.epochs.read_bytes(), stopped.environment.read_bytes()
        other = holder(f"alone_with(ResultsFolder(Path({str(stopped.path)!r})))")
        try:
            assert main(["resume", str(stopped.path)]) == 1
            assert "another process is working on" in capsys.readouterr().err
            with pytest.raises(TrainingError, match="failed with exit code 1"):
                run_campaign([config], test=False)
        finally:
            end(other)
        assert (stopped.epochs.read_bytes(), stopped.environment.read_bytes()) == before
        assert main(["resume", str(stopped.path)]) == 0

    def test_two_at_once_give_one_whole_run(self, config: RunConfig, monkeypatch: pytest.MonkeyPatch):
        stopped = ResultsFolder(stop_after_one_epoch(config, monkeypatch))
        command = [sys.executable, "-m", "training", "resume", str(stopped.path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        both = [
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=300)[1] for process in both]
        assert sorted(process.returncode for process in both) in ([0, 0], [0, 1])  # the later may find it finished
        assert "Traceback" not in "".join(said)
        assert [line.epoch for line in stopped.read_epochs()] == [0, 1, 2, 3]
        assert len(read_json(stopped.environment)["resumptions"]) == 1

    def test_one_that_must_not_be_written_to_is_named_with_what_to_do(
        self, finished: ResultsFolder, config: RunConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ):  # fmt: skip
        stopped = str(stop_after_one_epoch(config, monkeypatch))
        run = str(finished.path)
        before = finished.result.read_bytes()
        with read_only(finished.path), read_only(Path(stopped)):
            for command in (
                ["evaluate", run],
                ["latency", run],
                ["release", run, f"{tmp_path}/out"],
                ["resume", stopped],
            ):
                assert main(command) == 1
                said = capsys.readouterr().err.splitlines()[-1]
                assert said.startswith(
                    f"training: what is done with {command[1]} is noted in it, which cannot be written"
                )
                assert said.endswith("make it writable, or name a copy of it that is")
            for command in (["compare", run, run], ["publish", run, f"{tmp_path}/published"]):
                assert main(command) == 0
        assert finished.result.read_bytes() == before
        assert main(["resume", stopped]) == 0

    def test_a_release_evaluates_inside_its_own_lock(self, finished: ResultsFolder, config: RunConfig, tmp_path: Path):
        release(finished, tmp_path / "out", load_data(config), half=False)
        assert (tmp_path / "out").is_dir()

    def test_a_folder_that_is_no_run_gets_no_lock(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        (tmp_path / "config.json").write_text("{}")
        assert main(["evaluate", str(tmp_path)]) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


class TestCampaign:
    def test_a_second_one_on_its_folder_is_refused(
        self, config: RunConfig, data_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        other = holder(f"only_campaign(Path({str(config.results)!r}))")
        try:
            command = ["campaign", "ablation", "--data", str(data_path), "--results", str(config.results), "--rehearse"]
            assert main(command) == 1
        finally:
            end(other)
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"training: another campaign is writing to {config.results} now; wait")
        assert [path.name for path in config.results.iterdir()] == [".campaign.lock"]

    def test_of_two_that_start_at_once_one_does_the_runs(self, config: RunConfig, tmp_path: Path):
        code = (
            "import sys\nfrom resemotenet.errors import ResEmoteNetError\n"
            "from resemotenet.runs.schema import RunConfig, read\nfrom training.campaign import run_campaign\n"
            "if __name__ == '__main__':\n"
            "    try:\n        assert run_campaign([read(RunConfig, 'config.json')], test=False)\n"
            "    except ResEmoteNetError as error:\n        sys.exit(str(error))\n"
        )
        (tmp_path / "campaign.py").write_text(code)
        write_json(tmp_path / "config.json", config.to_dict())
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        both = [
            subprocess.Popen(
                [sys.executable, "campaign.py"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=300)[1] for process in both]
        assert sorted(process.returncode for process in both) in ([0, 0], [0, 1])  # the later may find it done
        assert "Traceback" not in "".join(said)
        (run,) = config.results.glob("[!.]*")
        assert [line.epoch for line in ResultsFolder(run).read_epochs()] == [0, 1, 2, 3]
        assert read_json(ResultsFolder(run).environment)["resumptions"] == []

    def test_a_folder_that_must_not_be_written_to(
        self, config: RunConfig, data_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        config.results.mkdir()
        with read_only(config.results):
            for place in (config.results, config.results / "new"):
                command = ["campaign", "ablation", "--data", str(data_path), "--results", str(place), "--rehearse"]
                assert main(command) == 1
                (said,) = capsys.readouterr().err.splitlines()
                assert said.startswith(f"training: results cannot be kept in {place}: ")
                assert said.endswith("; give another place with --results")

    def test_it_may_use_another_folder(self, config: RunConfig, tmp_path: Path):
        with only_campaign(tmp_path / "a"), only_campaign(tmp_path / "b"):
            pass


def test_a_disk_that_knows_no_locks_is_said(
    finished: ResultsFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def unknown(self: FileLock, *_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", unknown)
    with alone_with(finished), hold(finished.path / "other"):
        pass
    assert capsys.readouterr().err.count("knows no locks: see that no other process works there") == 2
