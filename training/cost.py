"""What a network and a run cost."""

import platform
import statistics
import sys
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


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


def run_cost(lines: list[dict[str, Any]], last_saving: float | None, device: torch.device) -> dict[str, Any]:
    """What the epochs took, from the lines of epochs.jsonl, which have the same of each single one.

    Args:
        last_saving: seconds that saving the last epoch took, which no line has; None where a stop came after it.
    """
    seconds = [line["seconds"] for line in lines]
    # Runs begun before lines held memory, speed or saving may end with a later version.
    peaks = [line["peak_memory_bytes"] for line in lines if "peak_memory_bytes" in line]
    speeds = [line["images_per_second"] for line in lines if "images_per_second" in line]
    savings = [*(line.get("saving_seconds_before") for line in lines), last_saving]
    return {
        "epochs": len(lines),
        "seconds": round(sum(seconds), 1),
        # Training, validation and saving; without the saving of epochs right after which the run was stopped.
        "wall_seconds": round(sum(seconds) + sum(saving or 0.0 for saving in savings), 1),
        "seconds_per_epoch": {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)},
        "images_per_second": statistics.median(speeds) if speeds else None,
        "device": device_name(device),
        "peak_memory_bytes": max([*peaks, peak_memory(device)]),
    }
