"""What a network and a run cost."""

import platform
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from resemotenet.checkpoints.checkpoint import WEIGHTS_FILE, LoadedModel, load_model
from resemotenet.errors import ResultsError
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import Epoch, Latency, Result, Spread, read

from .locks import alone_with

# Seconds, and how many passes at most, so that a network that takes no time is done at once.
_WARM_UP, _WARM_UP_PASSES = 0.3, 20
_ROUNDS, _ROUND, _ROUND_PASSES = 5, 0.25, 40


def count_macs(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-adds of one forward pass in evaluation mode on an input of this shape (convolutions, matrices)."""
    device = next(module.parameters()).device
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module.eval()(torch.zeros(shape, device=device))
    return int(counter.get_total_flops()) // 2


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that this process held so far.

    On a GPU of its own: there, since ``forget_peak_memory``. On a CPU: since the process began, data and libraries
    included.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts KiB, macOS bytes


def forget_peak_memory(device: torch.device) -> None:
    """Let ``peak_memory`` start anew; a CPU's cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({platform.machine()})"


def run_cost(lines: list[Epoch], last_saving: float | None, device: torch.device) -> dict[str, Any]:
    """What the epochs took, from the lines of epochs.jsonl, which have the same of each single one.

    Args:
        last_saving: seconds that saving the last epoch took, which no line has; None where a stop came after it.
    """
    seconds = [line.seconds for line in lines if line.seconds is not None]
    # Runs begun before lines held memory, speed or saving may end with a later version.
    peaks = [line.peak_memory_bytes for line in lines if line.peak_memory_bytes is not None]
    speeds = [line.images_per_second for line in lines if line.images_per_second is not None]
    savings = [*(line.saving_seconds_before for line in lines), last_saving]
    return {
        "epochs": len(lines),
        "seconds": round(sum(seconds), 1),
        # Training, validation and saving; without the saving of epochs right after which the run was stopped.
        "wall_seconds": round(sum(seconds) + sum(saving or 0.0 for saving in savings), 1),
        "seconds_per_epoch": Spread(median=statistics.median(seconds), least=min(seconds), most=max(seconds)),
        "images_per_second": statistics.median(speeds) if speeds else None,
        "device": device_name(device),
        "peak_memory_bytes": max([*peaks, peak_memory(device)]),
    }


def measure_latency(models: Sequence[LoadedModel]) -> list[Latency]:
    """How long each model takes for one face alone in its batch, the way the predictor has it read.

    From the preprocessed face in the computer's memory to its probabilities there, with the views of the model;
    finding, cutting out and preprocessing the face are not in it. After a warm-up the models take turns, several faces
    each, so that a machine that becomes slower becomes so for all; the first face of a turn is not counted, because it
    has to fetch the weights that another model displaced. At most two seconds a model, but for one that takes more than
    a twentieth of a second for a face. Weights are float32; of a GPU's rounding to TF32 the predictor's rules hold.

    Returns:
        For each: the median in milliseconds, the quartiles, and what they hold for. What was measured in one call has
        the same time (UTC), and is what should be compared.
    """
    faces = [_face(model) for model in models]
    for model, face in zip(models, faces, strict=True):
        _pass_times(model, face, _WARM_UP, _WARM_UP_PASSES)
    found: list[list[float]] = [[] for _ in models]
    for _ in range(_ROUNDS):
        for model, face, times in zip(models, faces, found, strict=True):
            model.probabilities(face)
            times += _pass_times(model, face, _ROUND, _ROUND_PASSES)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return [_latency(model, times, stamp) for model, times in zip(models, found, strict=True)]


def _face(model: LoadedModel) -> torch.Tensor:
    """Noise that spreads like a normalised face."""
    shape = (1, model.preprocess.channels, model.preprocess.size, model.preprocess.size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _pass_times(model: LoadedModel, face: torch.Tensor, seconds: float, most: int) -> list[float]:
    """Seconds of each pass, at least one, until this time or this many are over."""
    times: list[float] = []
    while not times or (sum(times) < seconds and len(times) < most):
        started = time.perf_counter()
        model.probabilities(face)  # ends with the answer in the computer's memory, so a GPU has been waited for
        times.append(time.perf_counter() - started)
    return times


def _latency(model: LoadedModel, times: list[float], stamp: str) -> Latency:
    low, median, high = statistics.quantiles((1000 * seconds for seconds in times), n=4, method="inclusive")
    on_gpu = model.device.type == "cuda"
    return Latency(
        milliseconds=round(median, 4),
        quartiles=[round(low, 4), round(high, 4)],
        faces=1,
        passes=len(times),
        views=model.info.views,
        device=device_name(model.device) if on_gpu else f"{model.device.type} ({_processor()})",
        threads=torch.get_num_threads(),
        torch=str(torch.__version__),
        time=stamp,
    )


def _processor() -> str:
    """The processor's own name where it tells it: times of two that are merely of one kind cannot be compared."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor()])[0] or platform.machine()


def note_latency(result: Result, model: LoadedModel) -> None:
    """Measure the latency and enter it into a result that lacks it, or has it of other views than the model now has.

    A result of a version that noted no cost at all is left as it is.
    """
    cost = result.cost
    if cost is not None and (cost.latency is None or cost.latency.views != model.info.views):
        (cost.latency,) = measure_latency([model])


def measure_runs(folders: Sequence[ResultsFolder], device: torch.device) -> list[Latency]:
    """Measure the latency of several finished runs anew, in turns, and enter it into each one's result.json.

    Raises:
        ResultsError: a run is not finished, has no weights (published ones have none) or is of a version that noted no
            cost, or another process works on it; then nothing is measured.
    """
    for folder in folders:
        folder.check_finished()
        if not (folder.model / WEIGHTS_FILE).is_file():
            raise ResultsError(f"{folder.path} has no weights to measure; name the run where it was trained")
        if read(Result, folder.result).cost is None:
            raise ResultsError(f"{folder.result} notes no cost: an older version wrote it; train the run again")
    with ExitStack() as held:
        for folder in folders:
            held.enter_context(alone_with(folder))
        found = measure_latency([load_model(folder.model, device=device) for folder in folders])
        for folder, latency in zip(folders, found, strict=True):
            result = read(Result, folder.result)
            assert result.cost is not None
            result.cost.latency = latency
            write_json(folder.result, result.to_dict())
    return found
