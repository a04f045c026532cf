import torch
from torch import nn

from resemotenet import create_model
from training.cost import count_macs, peak_memory


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
