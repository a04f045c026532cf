"""Pictures as if there were more light in them: dark ones, the shadows of bright ones, and one face.

Detector and networks know faces in daylight. Every value is multiplied by the same number, as light does it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Mean grey level up to which dark pictures are lightened, and the share of pixels that may lose detail by it. What
# would gain less than a tenth is left as it is, so what was lightened is not lightened again.
LIGHT = 80
WHITE = 0.02
LEAST_GAIN = 1.1
# Side of the sample that says how dark a picture is.
_SIDE = 256

# The shadows of a picture get so many times the light, where so much of it is darker than that grey level.
SHADOWS_GAIN = 4
SHADOWS_LEVEL = 48
SHADOWS_SHARE = 0.002

# Mean grey level of a face below which it is lightened: at first hardly, the darkest up to LIGHT, so that in a video no
# card jumps. Of 682 photographs of faces the darkest has 55.
FACE_DARK = 55
# The middle of a crop, from here to as far from its other end, is face; around it may be a window.
FACE_MIDDLE = 0.2
FACE_SAMPLE = 32


def lightened(image: Image.Image) -> Image.Image:
    """A dark RGB picture as if there were more light; one that is not dark is returned itself.

    Of faces in a picture with 0.15 times the light half are found, with this nearly all
    (tests/benchmarks/scene_study.py).
    """
    sample = _sample(image, _SIDE)
    return _times(image, _bounded(LIGHT / _mean(sample), sample))


def shadows(image: Image.Image) -> Image.Image | None:
    """An RGB picture exposed for what is dark in it, whatever becomes of the rest; None where nothing is dark."""
    grey = np.asarray(_sample(image, _SIDE).convert("L"))
    return _times(image, SHADOWS_GAIN) if (grey < SHADOWS_LEVEL).mean() >= SHADOWS_SHARE else None


def face_lightened(crop: Image.Image) -> Image.Image:
    """An RGB crop with a dark face in its middle as if there were more light; another one is returned itself.

    It is the face that decides, not the picture: before a bright window a face is dark in a picture that is not.
    """
    left, top = (int(FACE_MIDDLE * side) for side in crop.size)
    middle = crop.crop((left, top, crop.width - left, crop.height - top))
    sample = _sample(middle, FACE_SAMPLE)
    level = _mean(sample)
    return _times(crop, _bounded(min(LIGHT / level, (FACE_DARK / level) ** 2), sample))


def _sample(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.NEAREST)


def _mean(sample: Image.Image) -> float:
    """Mean grey level, at least 1."""
    return max(1.0, float(np.asarray(sample.convert("L")).mean()))


def _bounded(wanted: float, sample: Image.Image) -> float:
    """A gain, or as much of it as leaves the sample its detail."""
    if wanted < LEAST_GAIN:  # as of most pictures, and every frame of a live camera is asked
        return 1.0
    brightest: NDArray[Any] = np.asarray(sample).max(axis=2)
    return min(wanted, 255 / max(1.0, float(np.quantile(brightest, 1 - WHITE))))


def _times(image: Image.Image, gain: float) -> Image.Image:
    return image if gain < LEAST_GAIN else image.point([min(255, round(gain * level)) for level in range(256)] * 3)
