"""Faces on a page: picture, probabilities as bars, the crowd's votes, and where the network looked.

``cards`` builds the HTML as text; pictures stand in it as data, so no file is made of them anywhere.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from resemotenet.emotions import COLORS, EMOTIONS, percent

from ..data.pictures import Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resemotenet.runs.results import Predictions

_STYLE = """<style>
.faces {display:grid; grid-template-columns:repeat(auto-fill,minmax(285px,1fr)); gap:10px; font-size:12px;
  line-height:1.25}
.face {border:1px solid color-mix(in srgb,currentColor 18%,transparent); border-radius:8px; padding:8px; display:flex;
  gap:10px; min-width:0}
.face .look {display:flex; flex-direction:column; gap:6px; flex:none}
.face img {width:96px; height:96px; image-rendering:pixelated; border-radius:4px; display:block}
.face .told {flex:1; min-width:0}
.face .head {display:flex; justify-content:space-between; gap:6px; margin-bottom:4px}
.face .id {opacity:.65; overflow:hidden; text-overflow:ellipsis; white-space:nowrap}
.face .bar {display:grid; grid-template-columns:56px 1fr 34px; gap:5px; align-items:center; height:15px}
.face .bar.wrong, .face .bar.right {font-weight:650}
.face .track {height:8px; border-radius:2px; background:color-mix(in srgb,currentColor 9%,transparent)}
.face .fill {height:8px; border-radius:2px}
.face .share {text-align:right; font-variant-numeric:tabular-nums}
.face .votes {margin-top:5px; opacity:.8}
</style>"""


@dataclass(frozen=True)
class Sample:
    """One face as a model read it.

    Attributes:
        truth, predicted: canonical emotions, as index.
        probabilities: (7,) in canonical order; of annotators, the share of votes for each.
        verdict: what to write above; "Neutral → sad" unless given.
        note: what to say below, such as that the same picture is in train.
    """

    id: str
    truth: int
    predicted: int
    probabilities: "NDArray[np.float32]"
    verdict: str = ""
    note: str = ""

    @property
    def confidence(self) -> float:
        return float(self.probabilities[self.predicted])


def copies_in_words(left_out: bool | None) -> str:
    """What to say of a face that has a pixel-identical copy among the training images of its data set.

    Args:
        left_out: whether the run left those out of training; None where it does not say.
    """
    if left_out:
        return "Copy in the train split; this run left it out"
    return "The same picture is in train" + ("" if left_out is False else "; whether it was left out is not recorded")


def samples(predictions: "Predictions", rows: "NDArray[np.int64]", *, left_out: bool | None = None) -> list[Sample]:
    """The faces of these rows, in this order; ``left_out`` as for ``copies_in_words``."""
    leaked = predictions.leaked
    return [
        Sample(
            str(predictions.ids[row]),
            int(predictions.targets[row]),
            int(predictions.guesses[row]),
            predictions.probabilities[row],
            note=copies_in_words(left_out) if leaked is not None and leaked[row] else "",
        )
        for row in rows
    ]


def of_cell(
    predictions: "Predictions", truth: int, predicted: int, *, surest_first: bool = True
) -> "NDArray[np.int64]":
    """Rows of one cell of the confusion matrix, by confidence; of equals the first in the file comes first."""
    rows = np.flatnonzero((predictions.targets == truth) & (predictions.guesses == predicted))
    confidence = predictions.probabilities[rows, predicted]
    return rows[np.argsort(-confidence if surest_first else confidence, kind="stable")]


def most_confident_mistakes(predictions: "Predictions") -> "NDArray[np.int64]":
    """Rows read wrong, those first in which the model was surest of its answer."""
    probabilities = predictions.probabilities
    wrong = np.flatnonzero(~predictions.correct)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def hardest(predictions: "Predictions") -> "NDArray[np.int64]":
    """Rows read wrong, those first whose true emotion the model thought least likely: the largest losses."""
    probabilities = predictions.probabilities
    wrong = np.flatnonzero(~predictions.correct)
    return wrong[np.argsort(probabilities[wrong, predictions.targets[wrong]], kind="stable")]


def cards(
    shown: Sequence[Sample],
    pictures: Pictures | None = None,
    overlays: Mapping[str, Image.Image] | None = None,
    *,
    explained: str = "",
) -> str:
    """HTML of a grid of faces.

    Args:
        pictures: None shows numbers only; else it must hold every id.
        overlays: by id, where the network looked.
        explained: which emotion the overlays are about, for those who cannot see them.
    """
    parts = [_card(each, pictures, overlays or {}, explained) for each in shown]
    return f'{_STYLE}<div class="faces">{"".join(parts)}</div>'


def _card(each: Sample, pictures: Pictures | None, overlays: Mapping[str, Image.Image], explained: str) -> str:
    name, truth, predicted = html.escape(each.id), EMOTIONS[each.truth], EMOTIONS[each.predicted]
    look = ""
    if pictures is not None:
        alt = f"face {name}, labelled {truth}, read as {predicted}"
        look = _image(Image.fromarray(pictures.picture(each.id)), alt)
        if each.id in overlays:
            look += _image(overlays[each.id], f"face {name}: what speaks for {html.escape(explained)}")
        look = f'<div class="look">{look}</div>'
    verdict = html.escape(each.verdict) or (
        truth.capitalize() if truth == predicted else f"{truth.capitalize()} → {predicted}"
    )
    bars = "".join(_bar(number, each) for number in range(len(EMOTIONS)))
    head = f'<div class="head"><b>{verdict}</b><span class="id" title="{name}">{name}</span></div>'
    note = f'<div class="votes">{html.escape(each.note)}</div>' if each.note else ""
    votes = "" if pictures is None else _votes(pictures.votes(each.id))
    return f'<div class="face" data-sample="{name}">{look}<div class="told">{head}{bars}{votes}{note}</div></div>'


def _bar(number: int, each: Sample) -> str:
    emotion, share = EMOTIONS[number], float(each.probabilities[number])
    role = "right" if number == each.truth else "wrong" if number == each.predicted else ""
    mark = " ✓" if number == each.truth else ""
    fill = f"width:{100 * share:.1f}%;background:{COLORS[emotion]}"
    return (
        f'<div class="bar {role}"><span>{emotion.capitalize()}{mark}</span><span class="track">'
        f'<div class="fill" style="{fill}"></div></span><span class="share">{html.escape(percent(share))}</span></div>'
    )


def _votes(votes: Mapping[str, int] | None) -> str:
    if votes is None:
        return '<div class="votes">No FER+ votes</div>'
    given = sorted(((n, name) for name, n in votes.items() if n), key=lambda each: -each[0])
    listed = ", ".join(f"{n} {html.escape(name)}" for n, name in given) or "none"
    return f'<div class="votes">Votes: {listed}</div>'


def _image(picture: Image.Image, alt: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img alt="{alt}" src="data:image/png;base64,{encoded}">'
