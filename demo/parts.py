"""What the page is made of: templates, scripts and styles, and what the scripts are told.

The server hands them to Gradio (app.py); a static site writes them into files (space/static.py).
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from resemotenet import LoadedModel
from resemotenet.reading.drawing import color_of, text_color
from resemotenet.reading.faces import LOW_SCORE

from . import guard, handlers, markup
from .films import EVERY

WEB = Path(__file__).parent / "web"
TITLE = "ResEmoteNet: emotions on faces"
STYLES = ("page.css", "faces.css", "picture.css", "live.css", "video.css")

# Formats that browsers show and cameras write. No image/*: with it an iPhone sends HEIC instead of converting to JPEG.
_ACCEPT = "image/jpeg,image/png,image/webp,image/avif,image/gif,image/bmp,image/tiff"

# What scripts need that show faces, and who reads them.
_READING = ("ask.js", "reading.js", "camera.js", "words.js", "overlay.js", "cards.js", "why.js")


class Part(NamedTuple):
    """One tab: files of ``web/``; the scripts run one after the other, as one."""

    template: str
    scripts: tuple[str, ...]


# The page as a whole is there when the picture's part is.
PICTURE = Part(
    "picture.html",
    (
        *_READING,
        *("numbers.js", "saving.js", "opened.js", "shrink.js", "pictures.js", "results.js", "take.js"),
        *("giving.js", "shot.js", "gallery.js", "picker.js", "panels.js", "page.js"),
    ),
)
LIVE = Part("live.html", (*_READING, "numbers.js", "saving.js", "timeline.js", "recording.js", "live.js"))

VIDEO = Part(
    "video.html",
    (
        *("ask.js", "camera.js", "words.js", "overlay.js", "numbers.js", "saving.js", "giving.js"),
        *("moments.js", "seek.js", "person.js", "sending.js", "filming.js", "video.js"),
    ),
)


def web(*files: str) -> str:
    """The content of files of ``web/``, one after the other; ``<!-- NAME.html -->`` in one stands for that file."""
    text = "\n".join((WEB / file).read_text(encoding="utf-8") for file in files)
    return re.sub(r"<!-- ([a-z]+\.html) -->\n", lambda named: web(named[1]), text)


def picture_props(model: LoadedModel, device: str) -> dict[str, Any]:
    """What the picture's part is told.

    Args:
        device: where the reader's files are, as seen from the page; "" where browsers cannot read.
    """
    return {
        "accept": _ACCEPT,
        "max_bytes": guard.MAX_BYTES,
        "opening": guard.for_browsers(),
        "examples": [_example(example) for example in handlers.EXAMPLES],
        "nobody": markup.nobody("found"),
        **_faces(model, device),
    }


def live_props(model: LoadedModel, device: str) -> dict[str, Any]:
    """What the live camera's part is told; arguments as for ``picture_props``."""
    return {"nobody": markup.nobody(), **_faces(model, device)}


def video_props(model: LoadedModel) -> dict[str, Any]:
    """What the video's part is told."""
    width, height = guard.MAX_FILM_SIZE
    return {
        "max_bytes": guard.MAX_FILM_BYTES,
        "max_seconds": guard.MAX_FILM_SECONDS,
        "limits": f"Up to {guard.MAX_FILM_SECONDS // 60} minutes, {guard.MAX_FILM_BYTES // 1_000_000} MB, "
        f"{width} by {height} pixels",
        "step": EVERY,  # not "every": Gradio has that word for a clock
        "nobody": markup.nobody("found"),
        "nothing": markup.nothing_yet("Everybody gets a card like this one."),
        "card": markup.person(model.labels),
        "legend": [{"name": label.capitalize(), "color": color_of(label)} for label in model.labels],
        **_drawing(model),
    }


def _faces(model: LoadedModel, device: str) -> dict[str, Any]:
    return {
        "device": device,
        "nothing": markup.nothing_yet(),
        "card": markup.card(model.labels),
        **_drawing(model),
    }


def _drawing(model: LoadedModel) -> dict[str, Any]:
    return {
        "tones": {label: [color_of(label), text_color(color_of(label))] for label in model.labels},
        "doubt": LOW_SCORE,
    }


def _example(example: handlers.Example) -> dict[str, str]:
    # Without a file of its own to fetch: the server has it.
    with Image.open(handlers.EXAMPLES_FOLDER / example.file) as image:
        return {
            "name": example.name,
            "title": example.title,
            "picture": markup.thumbnail(image.convert("RGB"), 160),
            "file": "",
        }
