"""What needs processes of its own: being killed, running without the pages' libraries, running as two."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from resemotenet import load_model
from resemotenet.results import Predictions, ResultsFolder, read_json
from training.config import RunConfig
from training.evaluation import predict
from training.loading import load_data
from training.recorder import Recorder

ROOT = Path(__file__).resolve().parents[2]
# One thread each, so that two processes do not fight over two cores.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
SETTINGS = (
    "train", "bundled", "--network.width", "0.0625", "--network.head-dropout", "0", "--optimization.batch-size", "8",
    "--optimization.learning-rate", "0.2", "--optimization.ema-decay", "0.5", "--device", "cpu",
)  # fmt: skip


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
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
    with subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
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
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = python(*launch, "-m", "training", *settings(config, epochs=3))
    assert done.returncode == 0, done.stderr
    (path,) = config.results.iterdir()  # one folder, of the main process
    folder = ResultsFolder(path)
    assert [line["epoch"] for line in folder.read_epochs()] == [0, 1, 2]

    # What two processes wrote is what one reads from the same model.
    scored = load_data(config).scored["validation"]
    for name, faces in scored.items():
        together = Predictions.load(folder.predictions(name, "validation"))
        alone = predict(load_model(folder.model), faces)
        np.testing.assert_allclose(together.probabilities, alone.probabilities, atol=1e-5)
        np.testing.assert_array_equal(together.targets, alone.targets)
        np.testing.assert_array_equal(together.ids, alone.ids)

    # The epoch was judged by the very weights that were kept: both processes had the same BN statistics.
    result = read_json(folder.result)
    assert result["cost"]["processes"] == 2
    judged = folder.read_epochs()[result["chosen"]["epoch"]]["validation"]["ferplus-strict"]
    assert judged["accuracy"] == result["splits"]["validation"]["accuracy"]
    assert judged["nll"] == pytest.approx(result["splits"]["validation"]["nll"], rel=1e-5)
