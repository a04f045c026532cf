"""From a detected face to what a model sees of it: which square, at which roll, cut out of the picture.

A roll is an angle in degrees, clockwise as the picture is seen: how far a face leans to its side, and how far its
square is turned about its centre so that the face stands upright in it.
"""

import math

import numpy as np
from PIL import Image

from .faces import Box, Face, area, clip, roll
from .light import face_lightened

# From a detected box to the frame of a FER2013 image: a square of side CROP_SCALE * m, where m is the geometric mean
# of the box's width and height, centred CROP_DOWN * m below the box's centre. Medians over 1,000 Training faces, of
# which 91% are found, by tests/benchmarks/crop_study.py. The padding around the faces moves the scale from 1.07 to
# 1.09; sideways the median is half a percent, taken as 0 since faces have no preferred side. On PublicTest this
# square and the given frame have a median intersection over union of 0.78: the frames vary, and width, height or
# landmarks in place of m do no better. A model reads these crops as well as the given ones.
CROP_SCALE = 1.08
CROP_DOWN = -0.01

# Degrees. A face with less roll is cut as it lies: networks are trained on such faces, and nothing is sampled twice.
# Up to twice that its square has twice the excess, so that in a video no card jumps; from there on it stands upright.
# Beginning at 5, 10 or 15 degrees reads the same share right (training/LOG.md).
LEVEL = 6.0

# Crops with a roll are halved, and halved again, down to less than twice this side: networks see 48 to 224 pixels.
ROLLED_SIDE = 256


def crop_box(box: Box, size: tuple[int, int]) -> Box:
    """The square that a model trained on FER2013 should see, for a face detected at ``box``.

    A square that would cross the border of the picture is shifted inside; one that is larger than the picture is
    made as small as the shorter side. Nothing is padded: training shows faces off centre, but hardly any bars.

    Args:
        box: (x1, y1, x2, y2), as detected, not clipped: a clipped box would say that the face is smaller.
        size: (width, height) of the picture.

    Returns:
        (x1, y1, x2, y2), whole pixels, square, at least one pixel, inside the picture.
    """
    width, height = size
    x1, y1, x2, y2 = box
    mean = math.sqrt(area(box))
    side = min(max(1, round(CROP_SCALE * mean)), width, height)
    left = round((x1 + x2 - side) / 2)
    top = round((y1 + y2 - side) / 2 + CROP_DOWN * mean)
    left = min(max(left, 0), width - side)
    top = min(max(top, 0), height - side)
    return float(left), float(top), float(left + side), float(top + side)


def crop_roll(face: Face) -> float:
    """The roll of a face's square: that of the face, or less where it is small (``LEVEL``); rounded to 0.01 degrees."""
    measured = roll(face)
    applied = min(abs(measured), max(0.0, 2 * (abs(measured) - LEVEL)))
    return round(math.copysign(applied, measured), 2) if applied else 0.0


def cut(image: Image.Image, square: Box, roll: float = 0.0) -> Image.Image:
    """What is in a square of an RGB picture that is turned clockwise about its centre by ``roll`` degrees.

    A dark face is lightened (``light.face_lightened``): here, and nowhere else, is decided in which light one is read.
    Where the turned square reaches outside the picture, the border is continued outwards, as in training.

    Args:
        square: (x1, y1, x2, y2), whole pixels, inside the picture; as ``crop_box`` gives it.
        roll: as ``crop_roll`` gives it.

    Returns:
        The pixels as they are where there is no roll and light enough; with a roll sampled, at most 511 a side.
    """
    x1, y1, x2, y2 = (round(value) for value in square)
    if not roll:
        return face_lightened(image.crop((x1, y1, x2, y2)))
    side, cos, sin = x2 - x1, math.cos(math.radians(roll)), math.sin(math.radians(roll))
    # The turned square lies in an upright one that is larger by this much on each side.
    more = math.ceil(side / 2 * (abs(cos) + abs(sin) - 1))
    outer = (x1 - more, y1 - more, x2 + more, y2 + more)
    inside = clip(outer, image.size)
    assert inside is not None  # the square is
    left, top, right, bottom = (round(value) for value in inside)
    shrink = 2 ** max(0, int(math.log2(side / ROLLED_SIDE)))
    pixels = np.asarray(image.reduce(shrink, (left, top, right, bottom)))
    missing = ((top - outer[1], outer[3] - bottom), (left - outer[0], outer[2] - right))
    border = [(round(before / shrink), round(after / shrink)) for before, after in missing]
    around = Image.fromarray(np.pad(pixels, [*border, (0, 0)], mode="edge"))
    side //= shrink
    # From a place in the crop to that in the picture, both centres the same.
    across = (cos, -sin, around.width / 2 - (cos - sin) * side / 2)
    down = (sin, cos, around.height / 2 - (sin + cos) * side / 2)
    return face_lightened(
        around.transform((side, side), Image.Transform.AFFINE, (*across, *down), Image.Resampling.BILINEAR)
    )
