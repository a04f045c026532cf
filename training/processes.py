"""The processes of a run: one, or as many as torchrun or ``accelerate launch`` started."""

import os

import torch
from accelerate import Accelerator, PartialState

from resemotenet.errors import DeviceError
from resemotenet.runs.schema import RunConfig

from .trackers import check_tracker


def join_processes(*, cpu: bool = False) -> PartialState:
    """This process as one among its fellows; later calls give the same answer.

    Args:
        cpu: compute on the CPU even where there is a GPU.

    Raises:
        DeviceError: several processes were started, but accelerate cannot make them work together here.
    """
    # Where there is nothing but a CPU, accelerate has to be told so: otherwise each process takes itself for the only
    # one, and all of them write.
    state = PartialState(cpu=cpu or not torch.accelerator.is_available())
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != state.num_processes:
        raise DeviceError(
            f"{started} processes were started, but on {state.device} they cannot share a run; start one, or give "
            "--device cpu"
        )
    return state


def start_accelerator(config: RunConfig) -> Accelerator:
    """Device, processes, precision and tracker as a run asks for them.

    Raises:
        DeviceError: the device does not have the precision.
    """
    check_tracker(config.track)
    log_with = None if config.track == "none" else config.track
    state = join_processes(cpu=config.device == "cpu")
    try:
        accelerator = Accelerator(
            cpu=state.device.type == "cpu",
            mixed_precision=config.precision,
            log_with=log_with,
            project_dir=config.results,
        )
    except ValueError as error:
        raise DeviceError(f"precision {config.precision!r} cannot be had here: {error}") from error
    if config.precision != "no" and not accelerator.native_amp:  # accelerate would go on in float32
        raise DeviceError(f"precision {config.precision!r} cannot be had on {accelerator.device}; take 'no' or 'bf16'")
    return accelerator
