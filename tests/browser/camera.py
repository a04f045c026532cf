"""What fake cameras show: the demo's free pictures, moving, as files that Chromium takes for a camera.

Chromium reads concatenated JPEGs as MJPEG at 30 frames a second and starts again at the end, so every movement here is
a circle of whole turns.
"""

import io
import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps

EXAMPLES = Path(__file__).resolve().parents[2] / "demo" / "examples"
SIZE = (640, 480)
FRAMES = 120  # 4 seconds

# The upper left corner of each of the crowd's faces where it does not move.
_PLACES = ((30, 60), (255, 30), (480, 75), (140, 280), (390, 270))
# What of the pictures is a head, as (left, top, right, bottom).
_HEADS = {"astronaut": (150, 10, 310, 200), "grace_hopper": (150, 60, 370, 340)}
_HEAD_SIZE = (128, 152)

Scene = Callable[[float], Image.Image]


def write(path: Path, scene: Scene) -> Path:
    """A camera's file that shows ``scene``, given angles from 0 to a full turn."""
    with path.open("wb") as file:
        for index in range(FRAMES):
            frame = io.BytesIO()
            scene(2 * math.pi * index / FRAMES).save(frame, "JPEG", quality=88)
            file.write(frame.getvalue())
    return path


def portrait(name: str, *, width: int = 760, sway: tuple[int, int] = (52, 14)) -> Scene:
    """One person in front of a camera: a moving section of a picture.

    Args:
        name: of a file of the demo's examples.
        width: to which the picture is enlarged, in pixels; at least the camera's plus twice the sway.
        sway: how far the face moves to both sides, in pixels across and down.
    """
    with Image.open(EXAMPLES / f"{name}.jpg") as image:
        picture = image.convert("RGB").resize((width, width * image.height // image.width), Image.Resampling.LANCZOS)
    middle = (width - SIZE[0]) // 2

    def scene(angle: float) -> Image.Image:
        left = middle + round(sway[0] * math.cos(angle))
        top = sway[1] + round(sway[1] * math.sin(2 * angle))
        return picture.crop((left, top, left + SIZE[0], top + SIZE[1]))

    return scene


def leaning(scene: Scene, degrees: float) -> Scene:
    """The same with the camera held askew, so that all leans by that much, clockwise."""
    return lambda angle: scene(angle).rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))


def crowd() -> Scene:
    """Five heads in a room, each moving a little about its own place."""
    heads = [_head("astronaut"), _head("grace_hopper")]
    heads = [*heads, ImageOps.mirror(heads[0]), ImageOps.mirror(heads[1]), heads[0]]
    oval = _oval(_HEAD_SIZE)
    room = _room()

    def scene(angle: float) -> Image.Image:
        frame = room.copy()
        for index, (head, (left, top)) in enumerate(zip(heads, _PLACES, strict=True)):
            turn = angle + 1.3 * index
            frame.paste(head, (left + round(20 * math.cos(turn)), top + round(10 * math.sin(turn))), oval)
        return frame

    return scene


def _head(name: str) -> Image.Image:
    with Image.open(EXAMPLES / f"{name}.jpg") as image:
        return image.convert("RGB").crop(_HEADS[name]).resize(_HEAD_SIZE, Image.Resampling.LANCZOS)


def _oval(size: tuple[int, int]) -> Image.Image:
    """A mask with soft edges: a hard rectangle around a head is nothing that a camera shows."""
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((6, 4, size[0] - 7, size[1] - 5), fill=255)
    return mask.filter(ImageFilter.GaussianBlur(4))


def _room() -> Image.Image:
    """A wall with light from one side, a window and a shelf, out of focus."""
    shade = Image.linear_gradient("L").rotate(90).resize(SIZE)
    room = ImageOps.colorize(shade, "#8d8678", "#d8d2c4")
    draw = ImageDraw.Draw(room)
    draw.rectangle((520, 20, 620, 210), fill="#eef3f5")
    draw.rectangle((0, 395, 640, 480), fill="#6d5f50")
    draw.rectangle((40, 30, 210, 44), fill="#7a6a58")
    return room.filter(ImageFilter.GaussianBlur(6))
