"""HTML of the page: results, table, the text about the model. Everything that comes from outside is escaped."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from PIL import Image

from resemotenet import FaceEmotion, LoadedModel
from resemotenet.drawing import color_of
from resemotenet.emotions import EMOTIONS
from resemotenet.pretrained import bundled_folder

from . import guard

_THUMBNAIL_SIDE = 112  # shown at 56 CSS pixels: sharp on screens of double density

_NO_FACE = """
<div class="notice">
  <p class="notice-title">No face found</p>
  <p>Faces are found best when they look towards the camera, are evenly lit and take up a good part of the picture.</p>
</div>"""

_LIMITS = """
<p>For research and for fun. It names the expression that a picture shows, as people who label pictures would;
nobody's feelings can be read off a face.</p>
<p><strong>Not for decisions about people.</strong> The EU AI Act forbids inferring emotions at work and in
education. How well it works for different groups of people is not known: nobody has measured it.</p>"""

# What the fields of a measured fact say, in words for visitors; other values stand as they are.
_PLAIN = {
    "dataset": {"fer2013": "FER2013"},
    "labels": {
        "fer2013": "its own labels",
        "ferplus-strict": "faces on which more than half of ten people agree (FER+ strict)",
        "ferplus-usual": "the same with single votes dropped (FER+ usual)",
    },
    "split": {"test": "test split"},
}


def data_uri(image: Image.Image, *, quality: int = 88) -> str:
    """A picture as a JPEG in a data URI: the page shows it without a file on the server."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def thumbnail(image: Image.Image, side: int) -> str:
    """At most ``side`` pixels on each side, as a data URI; the image given is not changed."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return data_uri(small, quality=85)


def percent(fraction: float) -> str:
    """0.873 -> "87%"; "<1%" and ">99%" rather than a 0 or 100 that is not one."""
    if 0 < fraction < 0.01:
        return "<1%"
    if 0.99 < fraction < 1:
        return ">99%"
    return f"{fraction:.0%}"


def nothing_yet() -> str:
    """The result side before there is a result: the seven emotions, waiting."""
    return f"""
<section class="faces waiting" aria-label="Result">
  <div class="card">
    <div class="card-head"><div class="crop blank"></div>
    <div><p class="label">Result</p><p class="sub">Every face gets seven bars like these.</p></div></div>
    {_bars(dict.fromkeys(EMOTIONS))}
  </div>
</section>"""


def faces(image: Image.Image, found: Sequence[FaceEmotion]) -> str:
    """A card a face: its crop, what it was read as, and one bar an emotion. Largest face first, at most twelve."""
    if not found:
        return f'<section class="faces" aria-label="Result">{_NO_FACE}</section>'
    shown = found[: guard.MAX_FACES_SHOWN]
    cards = "".join(_card(image, face, number) for number, face in enumerate(shown, 1))
    # In the tab order, so that a list longer than its frame can be scrolled with the keyboard.
    return f'<section class="faces" aria-label="Result" tabindex="0">{cards}</section>'


def _card(image: Image.Image, face: FaceEmotion, number: int) -> str:
    left, top, right, bottom = face.crop_box
    crop = image.crop((round(left), round(top), round(right), round(bottom)))
    return f"""
<article class="card" aria-label="Face {number}">
  <div class="card-head">
    <img class="crop" src="{thumbnail(crop, _THUMBNAIL_SIDE)}" alt="Face {number}">
    <div><p class="label">{escape(face.label.capitalize())}</p>
    <p class="sub">{escape(percent(face.confidence))} · face {number}</p></div>
  </div>
  {_bars(face.probabilities, face.label)}
</article>"""


def _bars(probabilities: "dict[str, float] | dict[str, None]", winner: str | None = None) -> str:
    """One row an emotion, in canonical order so that faces compare; the text says it all, the bar is decoration."""
    rows = "".join(_bar(label, value, label == winner) for label, value in probabilities.items())
    return f'<ul class="bars" aria-label="Probabilities">{rows}</ul>'


def _bar(label: str, value: float | None, winner: bool) -> str:
    fill = figure = ""
    if value is not None:
        fill = f'<span class="fill" style="width:{value:.2%};background:{color_of(label)}"></span>'
        figure = escape(percent(value))
    return (
        f'<li class="{"winner" if winner else ""}"><span class="name">{escape(label.capitalize())}</span>'
        f'<span class="track" aria-hidden="true">{fill}</span><span class="figure">{figure}</span></li>'
    )


def table(found: Sequence[FaceEmotion]) -> str:
    """Every face as a row: label, probabilities in percent with one decimal, detection score, box."""
    if not found:
        return ""
    labels = list(found[0].probabilities)
    names = ["Face", "Emotion", *(label.capitalize() for label in labels), "Detection", "Box (x, y, width, height)"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(_row(face, number, labels) for number, face in enumerate(found, 1))
    return f"""
<div class="table-frame" tabindex="0" role="region" aria-label="All faces as a table">
<table><caption>Probabilities in percent, boxes in pixels of the upright picture.</caption>
<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"""


def _row(face: FaceEmotion, number: int, labels: Sequence[str]) -> str:
    x1, y1, x2, y2 = face.box
    cells = [f"{face.probabilities[label] * 100:.1f}" for label in labels]
    cells += [f"{face.detection_score:.3f}", f"{x1:.0f}, {y1:.0f}, {x2 - x1:.0f}, {y2 - y1:.0f}"]
    return (
        f'<tr><th scope="row">{number}</th><td class="word">{escape(face.label.capitalize())}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def header() -> str:
    return """
<header class="masthead">
  <h1>Read the emotions on faces</h1>
  <p>Give a picture: every face in it gets a box and a probability for each of seven emotions.</p>
</header>"""


def about(model: LoadedModel) -> str:
    """Which weights answer, what was measured of them, their licence, and what none of it is for."""
    info = model.info
    bundled = model.folder == bundled_folder()
    weights = "were trained by this project" if bundled else f"come from {escape(model.folder.name)}"
    # What was chosen on validation flatters itself there, so test stands alone where it was measured.
    facts = [fact for fact in info.measured if fact.get("split") == "test"] or info.measured
    measured = "".join(f"<li>{_fact(fact)}</li>" for fact in facts)
    accuracy = f"<ul>{measured}</ul>" if measured else "<p>Not measured: nothing is known about these weights.</p>"
    return f"""
<footer class="about">
  <section><h2>The model</h2>
    <p>The network {escape(info.architecture)}, whose weights {weights}. It looks at {info.preprocess.size} by
    {info.preprocess.size} grey pixels of each face.</p>
    {_license(info.license)}
    <p>Your picture is held in memory while it is read. It is not stored.</p></section>
  <section><h2>Measured accuracy</h2>{accuracy}</section>
  <section><h2>What it is for</h2>{_LIMITS}</section>
</footer>"""


def _fact(fact: dict[str, Any]) -> str:
    """One entry of ``measured`` as a line; what an entry does not say is left out."""
    right = f"<strong>{fact['accuracy'] * 100:.1f}%</strong> right" if "accuracy" in fact else ""
    where = [escape(words.get(fact[key], str(fact[key]))) for key, words in _PLAIN.items() if key in fact]
    if "n" in fact:
        where.append(f"{fact['n']:,} faces")
    if "macro_recall" in fact:
        where.append(f"{fact['macro_recall'] * 100:.1f}% averaged over the emotions")
    return f'{right} <span class="where">{", ".join(where)}</span>'


def _license(license: dict[str, Any]) -> str:
    if not license.get("name"):
        return "<p>Licence of the weights: not stated.</p>"
    name = escape(str(license["name"]))
    link = str(license.get("link") or "")
    if link.startswith("https://"):
        name = f'<a href="{escape(link)}" rel="noreferrer" target="_blank">{name}</a>'
    text = escape(str(license.get("text") or ""))
    return f"<p>Licence of the weights: {name}. {text}</p>"
