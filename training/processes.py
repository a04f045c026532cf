"""The processes of a run: one, or as many as torchrun or ``accelerate launch`` started."""

import os

import torch
from accelerate import PartialState

from resemotenet.errors import DeviceError


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
