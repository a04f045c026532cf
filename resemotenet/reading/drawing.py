"""Boxes and tags on a picture, in the colours of the emotions."""

import base64
import html
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps

from ..emotions import COLORS, percent
from ..errors import printable
from .faces import Box, area

if TYPE_CHECKING:
    from .reading import FaceEmotion, Reading

# For labels beyond the seven: the yellow of the same palette, which no emotion has.
OTHER_COLOR = "#F0E442"
# Smaller letters cannot be read, in pixels and as a share of the longer side (large pictures are shown reduced).
MIN_FONT, MIN_FONT_SHARE = 9, 0.011
# How much of a face a tag may cover.
MAX_COVERED = 0.2

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True)
class Tag:
    """A face's tag: what it says, height of its letters and place, in pixels of the picture."""

    text: str
    font_size: int
    box: Box


def annotate(reading: "Reading", *, max_side: int | None = None) -> Image.Image:
    """A copy of the upright picture with a frame and a tag ("Happy 98%") for every face.

    Args:
        reading: as ``EmotionPredictor.read`` gives it.
        max_side: in pixels. A picture with a longer side is made smaller first, not copied at its full size; lines and
            letters fit the size that is drawn. None keeps the size.

    Returns:
        A new RGB image.
    """
    image, faces = reading.picture.image, reading.faces
    if max_side is not None and max(image.size) > max_side:
        canvas = ImageOps.contain(image, (max_side, max_side), Image.Resampling.LANCZOS)
        faces = tuple(_scaled(face, canvas.width / image.width) for face in faces)
    else:
        canvas = image.copy()
    draw_faces(canvas, faces, range(1, len(faces) + 1) if len(faces) > 1 else None)
    return canvas


def draw_faces(canvas: Image.Image, faces: "Sequence[FaceEmotion]", numbers: Sequence[int] | None) -> None:
    """Draw a frame and a tag for every face into an RGB image, with its number unless there are none."""
    draw = ImageDraw.Draw(canvas)
    for face in reversed(faces):  # the largest last, so that its frame is whole
        _draw_frame(draw, face.box, canvas.size, color_of(face.label))
    for face, tag in zip(faces, _place_tags(faces, canvas.size, numbers), strict=True):
        if tag is not None:
            _draw_tag(draw, tag, color_of(face.label))


def reading_html(reading: "Reading") -> str:
    """The annotated picture, at most 640 px, and a table of its faces; everything inside, nothing is fetched."""
    buffer = io.BytesIO()
    annotate(reading, max_side=640).save(buffer, "JPEG", quality=88)
    picture = f'<img src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
    name = html.escape(printable(reading.picture.path or ""))
    if not reading.faces:
        return f"<figure>{picture}<figcaption>{name} no face</figcaption></figure>"
    labels = list(reading.faces[0].probabilities)
    rows = [
        [str(number), face.answer, *(percent(face.probabilities[label]) for label in labels)]
        for number, face in enumerate(reading.faces, start=1)
    ]
    head = "".join(f"<th>{html.escape(each)}</th>" for each in ("face", "emotion", *labels))
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(each)}</td>' for each in row)}</tr>" for row in rows)
    return f"<figure>{picture}<figcaption>{name}</figcaption></figure><table><tr>{head}</tr>{body}</table>"


def place_tags(faces: "Sequence[FaceEmotion]", size: tuple[int, int]) -> list[Tag | None]:
    """A tag for every face of a picture of (width, height).

    Letters grow with picture and face. Where there are several faces, tags begin with the face's number in the list,
    from 1. Tags stay inside the picture, off each other, and cover at most a fifth of any face. One for which there
    is no such place becomes smaller, then shorter ("1 Happy", "1"); None is the last resort.
    """
    return _place_tags(faces, size, range(1, len(faces) + 1) if len(faces) > 1 else None)


def _place_tags(
    faces: "Sequence[FaceEmotion]", size: tuple[int, int], numbers: Sequence[int] | None
) -> list[Tag | None]:
    tags: list[Tag | None] = []
    boxes = [face.box for face in faces]
    for index, face in enumerate(faces):
        taken = [tag.box for tag in tags if tag is not None]
        variants = _variants(face, numbers[index] if numbers else None, size)
        fitting = (
            Tag(text, font_size, place)
            for text, font_size in variants
            if (place := _place(_tag_size(text, font_size), face.box, size, taken, boxes)) is not None
        )
        tags.append(next(fitting, None))
    return tags


def color_of(label: str) -> str:
    """The colour of an emotion as "#RRGGBB"."""
    return COLORS.get(label, OTHER_COLOR)


def text_color(background: str) -> str:
    """Black or white, whichever is read better on ``background`` (WCAG 2 contrast ratio)."""
    red, green, blue = (_linear(value / 255) for value in ImageColor.getrgb(background)[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#FFFFFF"


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _scaled(face: "FaceEmotion", scale: float) -> "FaceEmotion":
    x1, y1, x2, y2 = face.box
    return replace(face, box=(scale * x1, scale * y1, scale * x2, scale * y2))


def _line_width(box: Box, picture: tuple[int, int]) -> int:
    return max(1, round(min(max(picture) / 300, (box[2] - box[0]) / 24)))


def _draw_frame(draw: ImageDraw.ImageDraw, box: Box, picture: tuple[int, int], color: str) -> None:
    """A coloured line around the box, moved inside the picture, with a dark edge on both sides: visible on anything."""
    line = _line_width(box, picture)
    edge = max(1, line // 3)
    x1, y1 = (max(0, round(value) - line) for value in box[:2])
    x2, y2 = (min(end - 1, round(value) + line) for end, value in zip(picture, box[2:], strict=True))
    dark = (x1 - edge, y1 - edge, x2 + edge, y2 + edge)
    draw.rounded_rectangle(dark, radius=2 * line + edge, outline="#1A1A1A", width=line + 2 * edge)
    draw.rounded_rectangle((x1, y1, x2, y2), radius=2 * line, outline=color, width=line)


def _variants(face: "FaceEmotion", number: int | None, picture: tuple[int, int]) -> Iterator[tuple[str, int]]:
    """Texts and letter sizes of a tag, from the best to the smallest."""
    longer, width = max(picture), face.box[2] - face.box[0]
    smallest = max(MIN_FONT, round(MIN_FONT_SHARE * longer))
    size = max(smallest, round(min(max(0.16 * width, 0.016 * longer), 0.032 * longer)))
    start = f"{number} " if number else ""
    name = f"{start}{face.label.capitalize()}"
    for text in (f"{name} {percent(face.confidence)}", name, start.strip()):
        if text:
            yield text, size
            yield text, smallest


def _tag_size(text: str, font_size: int) -> tuple[int, int]:
    left, _, right, _ = _font(font_size).getbbox(text)
    pad = max(2, round(0.3 * font_size))
    # One height for all texts, with and without letters that hang below the line.
    return round(right - left) + 2 * pad, round(1.2 * font_size) + pad


def _place(
    size: tuple[int, int], box: Box, picture: tuple[int, int], tags: Sequence[Box], faces: Sequence[Box]
) -> Box | None:
    """Where the tag goes: of the places around its box, the one that covers least of any face; None if none will do."""
    width, height = size
    if width > picture[0] or height > picture[1]:
        return None
    line = _line_width(box, picture)
    x1, y1, x2, y2 = box
    above, below, left, right = y1 - height - line, y2 + line, x1 - line, x2 + line - width
    corners = [(left, above), (left, below), (right, above), (right, below)]
    corners += [(left - width, y1), (x2 + line, y1), (left - width, y2 - height), (x2 + line, y2 - height)]
    best, least = None, MAX_COVERED
    for x, y in corners:
        x, y = round(min(max(0, x), picture[0] - width)), round(min(max(0, y), picture[1] - height))
        place = (float(x), float(y), float(x + width), float(y + height))
        if any(_shared(place, tag) for tag in tags):
            continue
        covered = max(_shared(place, face) / area(face) for face in faces)
        if covered < least:
            best, least = place, covered
    return best


def _shared(a: Box, b: Box) -> float:
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def _draw_tag(draw: ImageDraw.ImageDraw, tag: Tag, color: str) -> None:
    x1, y1, x2, y2 = tag.box
    draw.rounded_rectangle((x1, y1, x2 - 1, y2 - 1), radius=(y2 - y1) / 5, fill=color)
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    draw.text(middle, tag.text, fill=text_color(color), font=_font(tag.font_size), anchor="mm")


@lru_cache(maxsize=32)
def _font(size: int) -> Font:
    return ImageFont.load_default(size)
