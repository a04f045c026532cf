"""What disks and consoles refuse: one sentence with the cause and what to do, no traceback, and a run that goes on."""

import io
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from resemotenet.errors import ResultsError, in_words
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import Audit, Epoch, RunConfig
from tests.disks import small_disk
from tests.training.conftest import assert_same_run
from training.cli import main
from training.loop import resume, train
from training.recorder import Recorder

ROOT = Path(__file__).parents[2]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can become longer: it stands for a full disk, whose error is of the same kind."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def sizes(finished: ResultsFolder) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in finished.path.rglob("*") if path.is_file()}


class TestTraining:
    @pytest.mark.parametrize("what", ["model", "resume/state.pt"])
    def test_the_run_goes_on_once_there_is_room(self, config: RunConfig, finished: ResultsFolder, what: str):
        size = sizes(finished)
        assert size["audit.json"] < size["model.safetensors"] // 2 < size["state.pt"] // 4
        room = size["model.safetensors"] // 2 if what == "model" else size["state.pt"] - 4096
        with room_for(room), pytest.raises(ResultsError) as stop:
            train(config)
        (path,) = config.results.iterdir()
        said = str(stop.value)
        assert said.startswith(str(path / what))
        assert "File too large" in said
        assert said.endswith(f"; then 'python -m training resume {path}' goes on from the last whole epoch")
        assert [each.name for each in path.rglob(".*")] == []  # nothing half written is left
        resume(config, path)
        assert_same_run(ResultsFolder(path), finished)

    def test_the_line_of_an_epoch(self, config: RunConfig, finished: ResultsFolder, monkeypatch: pytest.MonkeyPatch):
        write = Recorder.epoch

        def without_room(self: Recorder, line: Epoch) -> None:
            with room_for(40 if line.epoch == 0 else 2**40):
                write(self, line)

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "epoch", without_room)
            with pytest.raises(ResultsError, match=r"epochs\.jsonl: File too large.*goes on from the last whole epoch"):
                train(config)
        (path,) = config.results.iterdir()
        resume(config, path)
        assert_same_run(ResultsFolder(path), finished)

    def test_a_disk_that_fills_in_the_middle(
        self, config: RunConfig, finished: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """By what others write there; every file of the run is then in the way of the next one."""
        size = sizes(finished)["state.pt"]
        with small_disk(tmp_path / "disk", 8 * size):
            write, filling = Recorder.epoch, tmp_path / "disk" / "of somebody else"

            def filled(self: Recorder, line: Epoch) -> None:
                write(self, line)
                if line.epoch == 1:
                    with pytest.raises(OSError, match="No space left"):
                        filling.write_bytes(bytes(9 * size))

            with monkeypatch.context() as patch:
                patch.setattr(Recorder, "epoch", filled)
                with pytest.raises(
                    ResultsError, match=r"state\.pt: No space left on device.*goes on from the last whole"
                ):
                    train(replace(config, results=tmp_path / "disk" / "results"))
            (path,) = (tmp_path / "disk" / "results").iterdir()
            with pytest.raises(OSError, match="No space left"):
                resume(config, path)
            filling.unlink()
            resume(config, path)
            assert_same_run(ResultsFolder(path), finished)

    def test_the_start(self, config: RunConfig, capsys: pytest.CaptureFixture[str]):
        with room_for(100), pytest.raises(ResultsError, match=r"results cannot be kept in .*File too large"):
            Recorder.start(config, "cpu", Audit(source={"layout": "x" * 1000}))
        assert list(config.results.iterdir()) == []


class TestCommands:
    def told(self, capsys: pytest.CaptureFixture[str], *command: str | Path) -> str:
        assert main([str(part) for part in command]) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("training: ")
        return said

    def test_figures_that_cannot_be_kept(self, finished: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        before = finished.result.read_bytes()
        with room_for(100):
            said = self.told(capsys, "evaluate", finished.path)
        assert said.startswith(f"training: {finished.result}: File too large; ")
        assert finished.result.read_bytes() == before

    def test_weights_that_cannot_be_written(
        self, finished: ResultsFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        (tmp_path / "file").write_text("")
        assert "Not a directory" in self.told(capsys, "release", finished.path, tmp_path / "file" / "out")

    def test_a_report_into_a_folder_that_is_not_there(
        self, data_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        path = tmp_path / "absent" / "audit.json"
        said = self.told(capsys, "audit", "--data", data_path, "--json", path)
        assert said == f"training: {path}: No such file or directory; make the folder first, or correct the name"
        assert "No such file" in self.told(capsys, "datasets", "check", data_path, "--json", path)

    def test_a_place_to_publish_that_is_a_file(
        self, finished: ResultsFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        (tmp_path / "file").write_text("")
        assert "file" in self.told(capsys, "publish", finished.path, tmp_path / "file")

    def test_a_reader_that_has_seen_enough(self):
        command = f"{sys.executable} -m training recipes | head -n 1"
        done = subprocess.run(
            command, shell=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""

    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
    def test_nowhere_to_print_to(self, tmp_path: Path, closed: str):
        """As where a scheduler starts programs with their streams closed."""
        command = f"exec {sys.executable} -m training recipes {closed}"
        with (tmp_path / "said").open("w+") as said:
            done = subprocess.run(
                command, shell=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=said, stderr=said,
                check=False,
            )  # fmt: skip
            said.seek(0)
            assert "Traceback" not in said.read()
        assert done.returncode == 0


class TestNamesThatAConsoleCannotShow:
    def test_a_run_comes_to_its_end(self, config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Its stdout goes into a file as a Western Windows writes one."""
        begun = replace(config, results=tmp_path / "Łódź", optimization=replace(config.optimization, epochs=1))
        run = Recorder.start(begun, "cpu", Audit()).folder
        console = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", console)
            assert main(["resume", str(run.path)]) == 0
        assert run.is_finished
        said = console.buffer.getvalue().decode("cp1252")
        assert said.count(r"\u0141ód\u017a") == 2  # where the results lie, at the start and at the end

    def test_a_folder_that_is_no_utf_8_is_refused_before_the_run(self, config: RunConfig, tmp_path: Path):
        """The library that reads weights cannot open it."""
        with pytest.raises(ResultsError, match=r"its name is not UTF-8.*give another place with --results"):
            train(replace(config, results=tmp_path / "bad\udcff"))
        assert not (tmp_path / "bad\udcff").exists()

    def test_in_the_process_of_a_campaign(self, config: RunConfig, tmp_path: Path):
        results = tmp_path / "Łódź"
        code = (
            "from training.campaign import run_campaign; from resemotenet.runs.schema import RunConfig, read\n"
            "if __name__ == '__main__':\n"
            "    from resemotenet.cli import print_any_name; print_any_name()\n"
            "    assert run_campaign([read(RunConfig, 'config.json')], test=True)\n"
        )
        (tmp_path / "campaign.py").write_text(code)
        short = replace(config, results=results, optimization=replace(config.optimization, epochs=1))
        write_json(tmp_path / "config.json", short.to_dict())
        done = subprocess.run(
            [sys.executable, "campaign.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert r"\u0141\xf3d\u017a" in done.stdout


def test_a_disk_that_must_not_be_written_to_is_named_by_the_file_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Where not even what was not written can be removed."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OSError, match="Read-only") as refused:
        write_json(tmp_path / "result.json", {})
    assert in_words(refused.value) == f"{tmp_path / 'result.json'}: Read-only file system; name another place"


def test_an_error_is_named_with_cause_and_remedy():
    assert in_words(OSError(28, "No space left on device", "/data/x")) == (
        "/data/x: No space left on device; make room there, or name another place"
    )
    assert in_words(OSError(30, "Read-only file system")) == "Read-only file system; name another place"
    assert in_words(OSError("something else")) == "something else"
