from typing import Any

import torch
from torch import nn

from resemotenet import create_model
from training.cost import count_macs, peak_memory, run_cost

CPU = torch.device("cpu")


def test_macs_of_one_convolution_and_one_matrix_by_hand():
    module = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 8 * 8, 7))
    # Every one of 5 x 8 x 8 outputs is a sum over 3 x 3 x 3; then a 320 x 7 matrix.
    assert count_macs(module, (1, 3, 8, 8)) == 5 * 64 * 27 + 320 * 7


def test_compact_saves_the_taps_that_never_meet_a_pixel():
    full, compact = (create_model("resemotenet", width=0.125, compact=compact) for compact in (False, True))
    # The last block ends on one pixel: 3x3 - 2x2 taps of 128 x 256 kernels, and 3x3 - 1x1 of 256 x 256.
    saved = 5 * 128 * 256 + 8 * 256 * 256
    assert count_macs(full, (1, 3, 64, 64)) - count_macs(compact, (1, 3, 64, 64)) == saved


def test_peak_memory_holds_what_was_held():
    cpu = torch.device("cpu")
    before = peak_memory(cpu)
    held = torch.ones(64, 1024, 1024)  # 256 MiB, written to, so they are really taken
    assert held.nbytes == 2**28
    assert 2**28 < peak_memory(cpu) < 2**40
    del held
    assert peak_memory(cpu) >= max(before, 2**28)  # a peak does not sink


def test_wall_time_is_training_validation_and_saving():
    lines = [{"seconds": 3.0, "saving_seconds_before": 0.0}, {"seconds": 4.0, "saving_seconds_before": 1.5}]
    assert run_cost(lines, 2.0, CPU)["wall_seconds"] == 10.5
    assert run_cost(lines, 2.0, CPU)["seconds"] == 7


def test_what_a_stop_or_an_older_version_left_unknown_is_left_out():
    lines: list[dict[str, Any]] = [{"seconds": 3.0}, {"seconds": 4.0, "saving_seconds_before": None}]
    cost = run_cost(lines, None, CPU)
    assert (cost["wall_seconds"], cost["images_per_second"]) == (7.0, None)
    assert cost["peak_memory_bytes"] > 2**20
