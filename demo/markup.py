"""HTML of the page: results, table, the text about the model. Everything that comes from outside is escaped."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from itertools import islice
from typing import Any, Literal, TypeGuard

from PIL import Image

from resemotenet import FaceEmotion, LoadedModel, Reading
from resemotenet.checkpoints.pretrained import Source, bundled_folder
from resemotenet.emotions import EMOTIONS, percent
from resemotenet.reading.drawing import color_of
from resemotenet.reading.faces import LOW_SCORE
from resemotenet.runs.claims import DATASETS
from resemotenet.runs.label_sets import LABEL_SETS

from . import guard

_THUMBNAIL_SIDE = 112  # shown at 56 CSS pixels: sharp on screens of double density
# Of what a config.json says, which may be anybody's: facts, and letters of a word and of a text.
_MAX_FACTS, _MAX_WORD, _MAX_TEXT = 6, 80, 400

_NO_FACE = """
<div class="notice">
  <p class="notice-title">No face {where}</p>
  <p>Faces are found best when they look towards the camera, are evenly lit and take up a good part of the picture.</p>
</div>"""

_LIMITS = """
<p>For research and for fun. It names the expression that a picture shows, as people who label pictures would;
nobody's feelings can be read off a face.</p>
<p><strong>Not for decisions about people.</strong> The EU AI Act forbids inferring emotions at work and in
education. How well it works for different groups of people is not known: nobody has measured it.</p>"""

# What the fields of a measured fact say, in words for visitors; values that are not known here stand as they are.
_PLAIN = {
    "dataset": {**DATASETS, "synthetic": "faces drawn by the program"},
    "labels": {
        **{key: each.name for key, each in LABEL_SETS.items()},
        **{key: "its own labels" for key in LABEL_SETS if key in DATASETS or key == "synthetic"},
        "ferplus-strict": "faces on which more than half of ten people agree (FER+ strict)",
        "ferplus-usual": "the same with single votes dropped (FER+ usual)",
    },
    "split": {"test": "test split"},
}


def data_uri(image: Image.Image, kind: Literal["JPEG", "PNG"] = "JPEG", *, quality: int = 88) -> str:
    """A picture in a data URI: the page shows it without a file on the server. ``quality`` is for JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def thumbnail(image: Image.Image, side: int) -> str:
    """At most ``side`` pixels on each side, as a data URI; the image given is not changed."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return data_uri(small, quality=85)


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


def nobody(where: str = "in sight") -> str:
    """What stands in place of the cards where there is no face, and what to do about it."""
    return _NO_FACE.format(where=where)


def live_card(labels: Sequence[str]) -> str:
    """A card without a face, which the live page copies and fills."""
    return _card('<canvas class="crop" width="112" height="112"></canvas>', labels)


def cards(reading: Reading) -> str:
    """A card a face: its crop, what it was read as, and one bar an emotion. Largest face first, at most twelve."""
    if not reading.faces:
        return f'<section class="faces" aria-label="Result">{nobody("found")}</section>'
    faces = zip(reading.faces, reading.crops, reading.looks, strict=True)
    shown = "".join(_photo_card(*face, number) for number, face in enumerate(islice(faces, guard.MAX_FACES_SHOWN), 1))
    # In the tab order, so that a list longer than its frame can be scrolled with the keyboard.
    return f'<section class="faces" aria-label="Result" tabindex="0">{shown}</section>'


def _photo_card(face: FaceEmotion, crop: Image.Image, look: Image.Image, number: int) -> str:
    picture = f'<img class="crop" src="{thumbnail(crop, _THUMBNAIL_SIDE)}" alt="Face {number}">'
    return _card(picture, list(face.probabilities), face, number, data_uri(look, "PNG"))


def _card(picture: str, labels: Sequence[str], face: FaceEmotion | None = None, number: int = 0, seen: str = "") -> str:
    options = "".join(f'<option value="{escape(label)}">{escape(label.capitalize())}</option>' for label in labels)
    bars = _bars(dict.fromkeys(labels)) if face is None else _bars(face.probabilities, face.label)
    title = "" if face is None else escape(face.label.capitalize())
    sub = "" if face is None else f"{escape(percent(face.confidence))} · face {number}"
    if face is not None and face.detection_score < LOW_SCORE:
        sub += f" · detection {escape(percent(face.detection_score))}"
    given = "" if face is None else f' data-input="{seen}" data-label="{escape(face.label)}"'
    return f"""
<article class="card" aria-label="Face {number}"{given}>
  <div class="card-head">
    {picture}
    <div class="read"><p class="label">{title}</p><p class="sub">{sub}</p></div>
    <button type="button" class="why" aria-expanded="false" aria-label="Why? Face {number}">Why?</button>
  </div>
  {bars}
  <div class="reason" hidden>
    <div class="heat"><img alt=""><span class="spinner" aria-hidden="true"></span></div>
    <div><label>What speaks for <select>{options}</select></label><p class="reason-text" role="status"></p></div>
  </div>
</article>"""


def _bars(probabilities: Mapping[str, float | None], winner: str | None = None) -> str:
    """One row an emotion, in canonical order so that faces compare; the text says it all, the bar is decoration."""
    rows = "".join(_bar(label, value, label == winner) for label, value in probabilities.items())
    return f'<ul class="bars" aria-label="Probabilities">{rows}</ul>'


def _bar(label: str, value: float | None, winner: bool) -> str:
    width, figure = (f"{value:.2%}", escape(percent(value))) if value is not None else ("0", "")
    return (
        f'<li data-emotion="{escape(label)}"{" class=winner" if winner else ""}>'
        f'<span class="name">{escape(label.capitalize())}</span><span class="track" aria-hidden="true">'
        f'<span class="fill" style="width:{width};background:{color_of(label)}"></span></span>'
        f'<span class="figure">{figure}</span></li>'
    )


def table(faces: Sequence[FaceEmotion]) -> str:
    """Every face as a row: label, probabilities in percent with one decimal, detection score, box."""
    if not faces:
        return ""
    labels = list(faces[0].probabilities)
    names = ["Face", "Emotion", *(label.capitalize() for label in labels), "Detection", "Box (x, y, width, height)"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(_row(face, number, labels) for number, face in enumerate(faces, 1))
    return f"""
<div class="table-frame" tabindex="0" role="region" aria-label="All faces as a table">
<table><caption>Probabilities in percent, boxes in pixels of the upright picture.</caption>
<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"""


def _row(face: FaceEmotion, number: int, labels: Sequence[str]) -> str:
    x1, y1, x2, y2 = face.box
    cells = [f"{face.probabilities[label] * 100:.1f}" for label in labels]
    cells += [f"{face.detection_score:.3f}", f"{x1:.0f}, {y1:.0f}, {x2 - x1:.0f}, {y2 - y1:.0f}"]
    return (
        f'<tr><th scope="row">{number}</th><td class="word">{escape(face.answer.capitalize())}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def header(source: Source) -> str:
    """Title and invitation; where the weights are not the project's own, which ones answer."""
    answers = "" if _is_ours(source) else f'<p class="weights">Weights: {_named(source)}</p>'
    return f"""
<header class="masthead">
  <h1>Read the emotions on faces</h1>
  <p>Give a picture or start your camera: every face gets a box and a probability for each of seven emotions.</p>
  {answers}
</header>"""


def about(model: LoadedModel, source: Source) -> str:
    """Which weights answer, what is known of them, their licence, and what none of it is for."""
    info = model.info
    weights = "were trained by this project" if _is_ours(source) else f"come from {_named(source)}"
    return f"""
<footer class="about">
  <section><h2>The model</h2>
    <p>The network {escape(info.architecture)}, whose weights {weights}. It looks at {info.preprocess.size} by
    {info.preprocess.size} grey pixels of each face.</p>
    {_license(info.license)}
    <p>Pictures are held in memory while they are read. They are not stored.</p></section>
  <section><h2>Measured accuracy</h2>{_remarks(info.training)}{_measured(info.measured, source)}</section>
  <section><h2>What it is for</h2>{_LIMITS}</section>
</footer>"""


def _is_ours(source: Source) -> bool:
    return source.folder == bundled_folder()


def _named(source: Source) -> str:
    """What the weights are called: of a folder its own name, of a repository a link to its page at the commit."""
    name = escape(source.short_name)
    if source.revision is None:
        return name
    commit = f'<code title="{escape(source.revision)}">{escape(source.revision[:7])}</code>'
    return f"{_link(name, source.url)} at {commit}"


def _link(text: str, url: object) -> str:
    """Markup as a link, if the address is one that may be followed."""
    if not (isinstance(url, str) and url.startswith(("https://", "http://"))):
        return text
    return f'<a href="{escape(url)}" rel="noreferrer" target="_blank">{text}</a>'


def _measured(facts: Sequence[dict[str, Any]], source: Source) -> str:
    # What was chosen on validation flatters itself there, so test stands alone where it was measured.
    chosen = [fact for fact in facts if fact.get("split") == "test"] or facts
    lines = "".join(f"<li>{line}</li>" for fact in chosen[:_MAX_FACTS] if (line := _fact(fact)))
    if not lines:
        return "<p>Not measured: nothing is known about these weights.</p>"
    notes = []
    if '"interval"' in lines:
        notes.append("In brackets: the 95% interval.")
    if not _is_ours(source):
        notes.append("These figures come with the weights; they were not checked here.")
    return f"<ul>{lines}</ul><p>{' '.join(notes)}</p>"


def _remarks(training: Mapping[str, Any]) -> str:
    """What spoke against publishing the weights, where they were published all the same; "" where nothing did."""
    remarks = training.get("remarks") or []
    remarks = remarks if isinstance(remarks, list) else [remarks]
    if not remarks:
        return ""
    text = " ".join(escape(str(each)[:_MAX_TEXT]) for each in remarks[:_MAX_FACTS])
    return f"<p><strong>Take no figure from these weights; publishing them was forced.</strong> {text}</p>"


def _fact(fact: dict[str, Any]) -> str:
    """One entry of ``measured`` as a line, "" without an accuracy; what else it does not say is left out.

    It may be anybody's, so anything may be in it.
    """
    accuracy, recall, interval = fact.get("accuracy"), fact.get("macro_recall"), fact.get("interval")
    if not _is_share(accuracy):
        return ""
    where = [escape(_plain(fact[key], words)) for key, words in _PLAIN.items() if key in fact]
    if type(fact.get("n")) is int:
        where.append(f"{fact['n']:,} faces")
    if _is_share(recall):
        where.append(f"{recall * 100:.1f}% averaged over the emotions")
    right = f"<strong>{accuracy * 100:.1f}%</strong> right"
    if isinstance(interval, list) and len(interval) == 2 and all(map(_is_share, interval)):
        right += f' <span class="interval">({interval[0] * 100:.1f} to {interval[1] * 100:.1f})</span>'
    return f'{right} <span class="where">{", ".join(where)}</span>'


def _is_share(value: object) -> TypeGuard[float]:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]


def _plain(value: object, words: Mapping[str, str]) -> str:
    text = str(value)[:_MAX_WORD]
    return words.get(text, text)


def _license(license: dict[str, Any]) -> str:
    if not license.get("name"):
        return "<p>Licence of the weights: not stated.</p>"
    name = _link(escape(str(license["name"])[:_MAX_WORD]), license.get("link"))
    text = escape(str(license.get("text") or "")[:_MAX_TEXT])
    return f"<p>Licence of the weights: {name}. {text}</p>"
