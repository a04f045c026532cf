"""What a network and a run cost."""

import sys

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
    """Bytes: the most that this process held, on the device if that is a GPU of its own."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts KiB, macOS bytes
