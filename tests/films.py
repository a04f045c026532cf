"""Videos for tests: written with the encoders that PyAV brings, of drawn pictures and of free photographs."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from skimage import data

SIZE = (640, 360)
RATE = 25
EXAMPLES = Path(__file__).resolve().parents[1] / "demo" / "examples"


def write(
    path: Path,
    images: Iterable[Image.Image],
    times: Iterable[float] | None = None,
    *,
    codec: str = "libx264",
    turned: int = 0,
    pixel: Fraction = Fraction(1),
    sound: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A video.

    Args:
        times: of each picture, in seconds; ``RATE`` a second unless given.
        turned: degrees by which a player turns it counterclockwise, as phones note how they were held.
        pixel: width of a pixel over its height.
        options: MP4 writes its table of contents first, as what is cut short is only readable then.
    """
    options = {"movflags": "faststart"} if options is None and path.suffix == ".mp4" else options
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = None  # of a kind that the codec's name decides
        track: Any = None
        for number, image in enumerate(images):
            if stream is None:
                stream = container.add_stream(codec, RATE, options={"crf": "20"} if codec == "libx264" else {})
                stream.width, stream.height = image.size
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = Fraction(1, 1000)
                stream.codec_context.sample_aspect_ratio = pixel
                stream.set_display_rotation(turned)
                track = container.add_stream("aac", 48000) if sound else None
                moments = iter(times) if times is not None else (index / RATE for index in range(10**9))
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = round(1000 * next(moments)), Fraction(1, 1000)
            container.mux(stream.encode(frame))
            if track is not None:
                container.mux(track.encode(_silence(number)))
        for each in filter(None, (stream, track)):
            container.mux(each.encode(None))
    return path


def write_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("aac", 48000)
        for number in range(50):
            container.mux(track.encode(_silence(number)))
        container.mux(track.encode(None))
    return path


def _silence(number: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts = 48000, 1024 * number
    return frame


def grey(level: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, (level,) * 3)


def heads() -> tuple[Image.Image, Image.Image]:
    """Two people of free photographs, 160 x 160, each with a face some 80 px wide."""
    with Image.open(EXAMPLES / "grace_hopper.jpg") as opened:
        other = opened.convert("RGB").crop((86, 50, 446, 410))
    one = Image.fromarray(data.astronaut()).crop((128, 30, 318, 220))
    return one.resize((160, 160)), other.resize((160, 160))


def scene(*placed: tuple[Image.Image, float, float]) -> Image.Image:
    """Pictures on a grey wall, each at the place of its top left corner; later ones in front."""
    wall = Image.new("RGB", SIZE, (120, 125, 130))
    for image, x, y in placed:
        wall.paste(image, (round(x), round(y)))
    return wall


def ticking(count: int) -> Iterator[Image.Image]:
    """Pictures that get lighter, so that each is told from the others."""
    yield from (grey(round(20 + 200 * number / max(1, count - 1))) for number in range(count))
