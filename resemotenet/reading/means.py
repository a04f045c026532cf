"""Parts of a picture at other sizes, every new pixel the mean of those it covers; thousands of parts at once."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 2**24
"""Of a picture: beyond, sums of its levels would not fit into 32 bits."""


class Means:
    """A picture as sums over everything above and to the left, with which the mean of any rectangle is four look-ups.

    A pixel of n that divide a length of m covers the pixels that its part touches, from floor(i m / n) to
    ceil((i + 1) m / n): torch's interpolation "area", with the same result but for rounding.

    Args:
        pixels: (H, W, 3), of at most ``MAX_PIXELS``; or, in half the time, (H, W, 4), whose last channel is not looked
            at.
    """

    def __init__(self, pixels: "NDArray[np.uint8]") -> None:
        height, width, channels = pixels.shape
        assert height * width < MAX_PIXELS
        # Four channels: 16 bytes are copied as one, and two sums are added up as one of 64 bits.
        sums = np.empty((height + 1, width + 1, 4), np.uint32)
        sums[0] = sums[:, 0] = sums[..., channels:] = 0
        sums[1:, 1:, :channels] = pixels
        pairs = sums.view(np.uint64)
        np.cumsum(pairs[1:], axis=1, out=pairs[1:])
        for row in range(1, height):  # several times as fast as cumsum(axis=0)
            pairs[row + 1] += pairs[row]
        self._sums = sums

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self._sums.shape[1] - 1, self._sums.shape[0] - 1

    def whole(self, width: int, height: int, border: int = 0, rows: range | None = None) -> "NDArray[np.float32]":
        """The picture at another size, without a border of so many new pixels: (1, 3, height, width) less twice it.

        Args:
            rows: only these of what is inside the border.
        """
        left, right = _edges(self.size[0], width, border)
        top, bottom = _edges(self.size[1], height, border, rows)
        bands = self._sums.take(bottom, axis=0)
        bands -= self._sums.take(top, axis=0)
        sums = bands.take(right, axis=1)
        sums -= bands.take(left, axis=1)
        return _planes(sums[None], np.multiply.outer(bottom - top, right - left)[None])

    def parts(self, corners: "NDArray[np.int64]", side: int) -> "NDArray[np.float32]":
        """Rectangles (N, 4), (x1, y1, x2, y2) in whole pixels inside the picture, as squares (N, 3, side, side)."""
        steps = np.arange(side)
        starts, sizes = corners[:, :2, None], (corners[:, 2:] - corners[:, :2])[:, :, None]
        (left, top), (right, bottom) = (
            (starts + edges).transpose(1, 0, 2) for edges in (steps * sizes // side, -(-(steps + 1) * sizes // side))
        )
        sums = self._at(bottom, right)
        sums -= self._at(top, right)
        sums -= self._at(bottom, left)
        sums += self._at(top, left)
        return _planes(sums, (bottom - top)[:, :, None] * (right - left)[:, None, :])

    def _at(self, y: "NDArray[np.int64]", x: "NDArray[np.int64]") -> "NDArray[np.uint32]":
        """The sums at places (N, S) down and (N, S) across: (N, S, S, 4)."""
        places = y[:, :, None] * self._sums.shape[1] + x[:, None, :]
        sums: NDArray[np.uint32] = self._sums.reshape(-1, 4).take(places, axis=0)
        return sums


def _edges(
    length: int, count: int, border: int, some: range | None = None
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Where the pixels of a smaller or larger picture begin and end in this one; inside a border, or some of these."""
    steps = np.arange(border, count - border)
    steps = steps if some is None else steps[some.start : some.stop]
    return steps * length // count, -(-(steps + 1) * length // count)


def _planes(sums: "NDArray[np.uint32]", counts: "NDArray[np.int64]") -> "NDArray[np.float32]":
    """Sums (N, H, W, 4) of so many pixels (N, H, W) -> means (N, 3, H, W)."""
    shares = np.reciprocal(counts.astype(np.float32))
    means = np.empty((len(sums), 3, *sums.shape[1:3]), np.float32)
    # Processors turn numbers with a sign into floats several times as fast as those without.
    signed = sums if int(counts.max(initial=0)) * 255 >= 2**31 else sums.view(np.int32)
    for channel in range(3):
        means[:, channel] = signed[..., channel]
        means[:, channel] *= shares
    return means
