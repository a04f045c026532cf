"""What needs processes of its own: being killed, running without the pages' libraries, running as two."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from resemotenet.runs.results import ResultsFolder, read_json
from resemotenet.runs.schema import Audit, Distillation, RunConfig
from tests.training.conftest import STILL, assert_same_run
from tests.training.killed import IN_TEST, MOMENTS
from tests.training.shared_gradient import gradient
from training.cli import main
from training.evaluation import evaluate_run
from training.loading import load_data
from training.loop import resume
from training.recorder import Recorder

ROOT = Path(__file__).resolve().parents[2]
TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SETTINGS = (
    "train", "bundled", "--network.width", "0.0625", "--network.head-dropout", "0", "--optimization.batch-size", "8",
    "--optimization.learning-rate", "0.2", "--optimization.ema-decay", "0.5", "--device", "cpu",
)  # fmt: skip


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def settings(config: RunConfig, epochs: int) -> list[str]:
    return [
        *SETTINGS,
        "--optimization.epochs",
        str(epochs),
        "--data",
        str(config.data),
        "--results",
        str(config.results),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_in_the_middle_of_an_epoch_and_resumed(config: RunConfig):
    command = [sys.executable, "-m", "training", *settings(config, epochs=6)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        lines: list[Path] = []
        while not lines or not lines[0].read_text().count("\n"):
            assert run.poll() is None, "it ended before its first epoch did"
            time.sleep(0.005)
            lines = list(config.results.glob("*/epochs.jsonl"))
        time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    folder = ResultsFolder(lines[0].parent)
    assert not folder.is_finished
    assert 1 <= len(folder.read_epochs()) < 6

    done = python("-m", "training", "resume", str(folder.path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"finished: {folder.path}"
    assert folder.is_finished
    written = [json.loads(line)["epoch"] for line in folder.epochs.read_text().splitlines()]
    assert written == [0, 1, 2, 3, 4, 5]
    state = Recorder(folder.path).load_state()
    assert state is not None
    assert state["epoch"] == 6
    leftovers = [path.name for path in folder.path.rglob(".*")]
    assert leftovers == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_the_worst_moment_and_resumed(
    config: RunConfig, finished: ResultsFolder, tmp_path: Path, moment: str
):
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    script = str(Path(__file__).with_name("killed.py"))
    done = python(script, str(tmp_path / "config.json"), moment)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (path,) = config.results.iterdir()
    killed = ResultsFolder(path)
    assert not killed.is_finished
    state = Recorder(path).load_state()
    assert state is not None
    assert state["epoch"] == MOMENTS[moment][1]

    resume(config, path)
    assert_same_run(killed, finished)
    assert [each.name for each in path.rglob(".*")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_while_test_is_scored_it_is_counted_all_the_same(finished: ResultsFolder):
    """Whoever saw the predictions and killed it before the figures were kept has touched test."""
    before = read_json(finished.result)
    script = str(Path(__file__).with_name("killed.py"))

    def kill() -> None:
        done = python(script, IN_TEST, str(finished.path))
        assert done.returncode == -signal.SIGKILL, done.stderr

    kill()
    assert read_json(finished.result) == {**before, "test_touched": 1}
    assert not list((finished.path / "predictions").glob("*-test.npz"))
    assert main(["evaluate", str(finished.path), "--split", "validation"]) == 0
    assert read_json(finished.result) == {**before, "test_touched": 1}

    assert main(["evaluate", str(finished.path)]) == 0
    whole = read_json(finished.result)
    assert whole["splits"]["test"]["touched"] == 2
    assert "test_touched" not in whole
    kill()
    whole["splits"]["test"]["touched"] = 3
    assert read_json(finished.result) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_in_the_middle_of_an_epoch_and_resumed(config: RunConfig, finished: ResultsFolder):
    # A run that was only begun, so that the command line needs no settings of its own.
    begun = Recorder.start(config, "cpu", Audit()).folder
    script = str(Path(__file__).with_name("killed.py"))
    done = python(script, "ctrl-c", "resume", str(begun.path))
    assert done.returncode == 130
    said = f"training: interrupted; 'python -m training resume {begun.path}' goes on from the last whole epoch"
    assert done.stderr.splitlines()[-1] == said
    assert "Traceback" not in done.stderr
    assert not begun.is_finished
    assert len(begun.read_epochs()) == 2

    assert main(["resume", str(begun.path)]) == 0
    assert_same_run(begun, finished)
    resumptions = read_json(begun.environment)["resumptions"]
    assert [each["epoch"] for each in resumptions] == [0, 2]
    assert resumptions[-1]["versions"]["torch"] == version("torch")


def test_from_training_to_figures_without_the_libraries_of_the_pages(config: RunConfig):
    """None in sys.modules makes every import of that name fail."""
    barred = ("gradio", "streamlit", "facenet_pytorch", "torchvision", "demo", "dashboard")
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({barred!r}))\n"
        "from training.cli import main\n"
        "assert main(sys.argv[2:]) == 0\n"
        "from pathlib import Path\n"
        "(run,) = Path(sys.argv[1]).iterdir()\n"
        "assert main(['evaluate', str(run)]) == 0\n"
    )
    done = python("-c", code, str(config.results), *settings(config, epochs=1))
    assert done.returncode == 0, done.stderr
    assert "fer2013 test: accuracy" in done.stdout


def test_two_processes(config: RunConfig):
    done = python(*TWO, "-m", "training", *settings(config, epochs=3))
    assert done.returncode == 0, done.stderr
    (path,) = config.results.iterdir()  # one folder, of the main process
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith(("results", "finished"))] == [
        "results folder",
        "finished",
    ]
    folder = ResultsFolder(path)
    assert [line.epoch for line in folder.read_epochs()] == [0, 1, 2]

    # The epoch was judged by the very weights that were kept: both processes had the same BN statistics.
    result = read_json(folder.result)
    assert result["cost"]["processes"] == 2
    judged = folder.read_epochs()[result["chosen"]["epoch"]].validation["ferplus-strict"]
    assert judged.accuracy == result["splits"]["validation"]["accuracy"]
    assert judged.nll == pytest.approx(result["splits"]["validation"]["nll"], rel=1e-5)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="two processes need two GPUs")
def test_a_batch_that_two_cannot_share(config: RunConfig):
    """Nothing says that it is the CPU they are to use; they find each other all the same."""
    done = python(*TWO, "-m", "training", *settings(config, epochs=1)[:-2], "--results", str(config.results),
                  "--optimization.batch-size", "9", "--device", "auto")  # fmt: skip
    assert done.returncode != 0
    assert "9 faces cannot be shared evenly by 2 processes" in done.stderr
    assert not config.results.exists()


def test_emonext_in_two_processes_without_its_attention_term(config: RunConfig):
    """They would stop at the second step, were the attention left without a gradient."""
    done = python(*TWO, "-m", "training", "train", "emonext", "--data", str(config.data), "--results",
                  str(config.results), "--network.width", "0.03", "--dataset.limit", "24", "--optimization.epochs", "1",
                  "--optimization.batch-size", "6", "--optimization.attention-variance", "0", "--device",
                  "cpu")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = config.results.iterdir()
    assert read_json(ResultsFolder(path).result)["cost"]["processes"] == 2


class TestOneBatchSharedByTwo:
    """The same batch and the same run, once by two processes and once by one."""

    @pytest.fixture
    def shared(self, config: RunConfig, finished: ResultsFolder) -> RunConfig:
        """Everything on that could tell shares apart, a teacher as well, nothing that is drawn at random."""
        optimization = replace(config.optimization, class_weights="balanced", label_smoothing=0.1, accumulate=2)
        distillation = Distillation(teachers=(finished.path,))
        return replace(config, optimization=optimization, augmentation=STILL, distillation=distillation)

    def test_gradient_and_predictions(
        self, shared: RunConfig, finished: ResultsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "config.json").write_text(json.dumps(shared.to_dict()))
        script = str(Path(__file__).with_name("shared_gradient.py"))
        done = python(*TWO, script, str(tmp_path / "config.json"), str(tmp_path), str(finished.path))
        assert done.returncode == 0, done.stderr

        (loss, first), (other_loss, second) = (torch.load(tmp_path / f"gradient-{rank}.pt") for rank in (0, 1))
        whole_loss, whole = gradient(
            replace(shared, optimization=replace(shared.optimization, accumulate=1)), Accelerator(cpu=True)
        )
        assert (loss + other_loss) / 2 == pytest.approx(whole_loss, rel=1e-5)
        assert loss != pytest.approx(other_loss, rel=1e-3)  # each had faces of its own
        assert set(first) == set(second) == set(whole)
        for name, expected in whole.items():
            assert torch.equal(first[name], second[name])
            torch.testing.assert_close(first[name], expected, rtol=0, atol=1e-5)
        assert max(value.abs().max() for value in whole.values()) > 1e-2

        together = {path.name: path.read_bytes() for path in (finished.path / "predictions").iterdir()}
        monkeypatch.setattr("training.evaluation._BATCH", 8)
        evaluate_run(finished, load_data(shared).scored, "validation")
        assert together == {path.name: path.read_bytes() for path in (finished.path / "predictions").iterdir()}
