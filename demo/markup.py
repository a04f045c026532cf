"""HTML of the page: results, table, the text about the model. Everything that comes from outside is escaped."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal, TypeGuard

from PIL import Image

from resemotenet import LoadedModel
from resemotenet.checkpoints.pretrained import Source, bundled_folder
from resemotenet.emotions import EMOTIONS
from resemotenet.reading.drawing import color_of
from resemotenet.runs.claims import DATASETS, PAPER
from resemotenet.runs.label_sets import LABEL_SETS

INVITATION = "Give a picture or start your camera: every face gets a box and a probability for each of seven emotions."
# What the fact is about that says most of a visitor's own pictures.
_PHOTOGRAPHS = "photographs"
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


def nothing_yet(promise: str = "Every face gets seven bars like these.") -> str:
    """The result side before there is a result: the seven emotions, waiting."""
    return f"""
<section class="faces waiting" aria-label="Result">
  <div class="card">
    <div class="card-head"><div class="crop blank"></div>
    <div><p class="label">Result</p><p class="sub">{promise}</p></div></div>
    {_bars(EMOTIONS)}
  </div>
</section>"""


def nobody(where: str = "in sight") -> str:
    """What stands in place of the cards where there is no face, and what to do about it."""
    return _NO_FACE.format(where=where)


def card(labels: Sequence[str]) -> str:
    """A card without a face, which the page's scripts copy and fill."""
    options = "".join(f'<option value="{escape(label)}">{escape(label.capitalize())}</option>' for label in labels)
    return f"""
<article class="card">
  <div class="card-head">
    <canvas class="crop" width="112" height="112"></canvas>
    <div class="read"><p class="label"></p><p class="sub"></p></div>
    <button type="button" class="more" aria-expanded="false">Bars</button>
    <button type="button" class="why" aria-expanded="false">Why?</button>
  </div>
  {_bars(labels)}
  <div class="reason" hidden>
    <div class="heat"><img alt=""><span class="spinner" aria-hidden="true"></span></div>
    <div><label>What speaks for <select>{options}</select></label><p class="reason-text" role="status"></p></div>
  </div>
</article>"""


def person(labels: Sequence[str]) -> str:
    """A card of a person in a video, which the page's scripts copy and fill."""
    return f"""
<article class="card">
  <div class="card-head">
    <canvas class="crop" width="112" height="112"></canvas>
    <div class="read"><p class="label"></p><p class="sub"></p></div>
  </div>
  <p class="columns" aria-hidden="true"><span>Share of time</span><span>Now against usual, points</span></p>
  {_bars(labels, "Share of the time, and now against what is usual, in points", '<span class="change"></span>')}
</article>"""


def _bars(labels: Sequence[str], title: str = "Probabilities", more: str = "") -> str:
    """One empty row an emotion, in canonical order so that faces compare; the text says it, the bar is decoration."""
    rows = "".join(
        f'<li data-emotion="{escape(label)}"><span class="name">{escape(label.capitalize())}</span>'
        f'<span class="track" aria-hidden="true"><span class="fill" style="width:0;background:{color_of(label)}">'
        f'</span></span><span class="figure"></span>{more}</li>'
        for label in labels
    )
    return f'<ul class="bars" aria-label="{title}">{rows}</ul>'


def masthead(answers: str = "") -> str:
    """Title and invitation; below them, as HTML, which weights answer."""
    return f"""
<header class="masthead">
  <h1>Read the emotions on faces</h1>
  <p>{INVITATION}</p>
  {answers}
</header>"""


def header(source: Source) -> str:
    """Title and invitation; where the weights are not the project's own, which ones answer."""
    return masthead("" if _is_ours(source) else f'<p class="weights">Weights: {_named(source)}</p>')


def about(model: LoadedModel, source: Source, links: Mapping[str, str] | None = None) -> str:
    """How good the answers are, which weights give them, their licence, and what none of it is for.

    Args:
        links: names and addresses to go on to, besides the paper.
    """
    info = model.info
    weights = "were trained by this project" if _is_ours(source) else f"come from {_named(source)}"
    further = {"The paper": PAPER, **(links or {})}
    linked = " · ".join(_link(escape(name), address) for name, address in further.items())
    return f"""
<footer class="about">
  <section><h2>How good is it?</h2>{_remarks(info.training)}{_measured(info.measured, source)}</section>
  <section><h2>What it is for</h2>{_LIMITS}</section>
  <section><h2>The model</h2>
    <p>The network {escape(info.architecture)}, whose weights {weights}. It sees each face as {info.preprocess.size} by
    {info.preprocess.size} grey pixels.</p>
    {_license(info.license)}
    <p>Pictures are held in memory while they are read. They are not stored.</p>
    <p class="links">{linked}</p></section>
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
    """One figure, what to expect on photographs, and the rest for those who open it."""
    # What was chosen on validation flatters itself there, so test stands alone where it was measured.
    chosen = [fact for fact in facts if fact.get("split") == "test" or fact.get("dataset") == _PHOTOGRAPHS] or list(
        facts
    )
    lines = "".join(f"<li>{line}</li>" for fact in chosen[:_MAX_FACTS] if (line := _fact(fact)))
    if not lines:
        return "<p>Not measured: nothing is known about these weights.</p>"
    notes = []
    if '"interval"' in lines:
        notes.append("In brackets: the 95% interval.")
    if not _is_ours(source):
        notes.append("These figures come with the weights; they were not checked here.")
    rest = f"<ul>{lines}</ul><p>{' '.join(notes)}</p>"
    return f"{_headline(chosen)}<details><summary>All figures</summary>{rest}</details>"


def _headline(facts: Sequence[dict[str, Any]]) -> str:
    """Faces that were cut out for a test are easier than photographs, in which they must be found first."""
    photographs = next((fact for fact in facts if fact.get("dataset") == _PHOTOGRAPHS and _fact(fact)), None)
    crops = next((fact for fact in facts if fact.get("dataset") != _PHOTOGRAPHS and _fact(fact)), None)
    told = []
    if crops is not None:
        told.append(
            f"<p><strong>{crops['accuracy'] * 100:.1f}%</strong> of {_many(crops, 'test faces')} are read right.</p>"
        )
    if photographs is not None:
        share = f"{photographs['accuracy'] * 100:.1f}%"
        told.append(
            f"<p>On photographs, where faces must be found first, expect <strong>{share}</strong> "
            f"({_many(photographs, 'photographs')}).</p>"
        )
    return "".join(told)


def _many(fact: Mapping[str, Any], what: str) -> str:
    return f"{fact['n']:,} {what}" if type(fact.get("n")) is int else what


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
    if fact.get("dataset") == _PHOTOGRAPHS:  # data set, labels and split are one word there
        where = [_many(fact, "photographs"), "the face found by the detector"]
        where += [escape(str(fact["protocol"])[:_MAX_WORD])] if fact.get("protocol") else []
    else:
        where = [escape(_plain(fact[key], words)) for key, words in _PLAIN.items() if key in fact]
        where += [_many(fact, "faces")] if type(fact.get("n")) is int else []
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
