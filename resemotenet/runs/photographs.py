"""From what a detector and a network said of photographs to figures; see ``schema.Photographs``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..emotions import EMOTIONS
from .intervals import bootstrap
from .metrics import ece, nll, wilson_interval
from .schema import SCHEMA, MeanRecall, OfEmotion, Photographs

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMMON = 20
"""With fewer pictures than this, the recall of an emotion says next to nothing: 7 of 7 has an interval from 65%."""
_NO_FACE = len(EMOTIONS)


def figures(
    probabilities: "NDArray[np.float32]", targets: "NDArray[np.int64]", found: "NDArray[np.bool_]", **noted: Any
) -> Photographs:
    """Every figure of pictures that could be opened.

    Args:
        probabilities: (N, 7) of the largest face, columns in canonical order; of pictures without a face unread.
        targets: (N,) into the canonical emotions.
        found: (N,) whether there was a face.
        noted: the fields of ``Photographs`` that cannot be computed: several, broken, unanswered, detector, ...

    Raises:
        ValueError: there are no pictures.
    """
    n = len(targets)
    if not n:
        raise ValueError("figures need at least one picture")
    said = np.where(found, probabilities.argmax(axis=1), _NO_FACE)
    table = np.zeros((_NO_FACE + 1, _NO_FACE + 1), np.int64)
    np.add.at(table, (targets, said), 1)
    right, faces = int((said == targets).sum()), int(found.sum())
    of_found: dict[str, Any] = {}
    if faces:
        seen = probabilities[found], targets[found]
        of_found = {
            "accuracy_of_found": right / faces,
            "interval_of_found": list(wilson_interval(right, faces)),
            "nll": nll(*seen),
            "ece": ece(*seen),
        }
    emotions = {
        emotion: OfEmotion(n=int(row.sum()), found=int(row[:_NO_FACE].sum()), right=int(row[at]))
        for at, (emotion, row) in enumerate(zip(EMOTIONS, table, strict=False))
        if row.any()
    }
    common = [emotion for emotion, each in emotions.items() if each.n >= COMMON]
    return Photographs(
        version=SCHEMA,
        dataset="photographs",
        n=n, found=faces, right=right, accuracy=right / n, interval=list(wilson_interval(right, n)), **of_found,
        emotions=emotions, mean_recall=_mean_recall(table, list(emotions)),
        common=_mean_recall(table, common) if common else None, **noted,
    )  # fmt: skip


def _mean_recall(table: "NDArray[np.int64]", emotions: Sequence[str]) -> MeanRecall:
    rows = [EMOTIONS.index(emotion) for emotion in emotions]
    chosen = np.zeros_like(table)
    chosen[rows] = table[rows]
    value = float(np.mean([table[row, row] / table[row].sum() for row in rows]))
    drawn = bootstrap(chosen).macro_recall
    return MeanRecall(value=value, interval=None if drawn is None else list(drawn), emotions=list(emotions))


def in_words(measured: Photographs) -> str:
    """A readable table of all figures."""
    each = measured
    lines = [
        f"photographs: {each.n:,}, a face found in {each.found:,} ({each.found / each.n:.1%}), more than one in "
        f"{each.several:,} (the largest counts)",
        f"right of all:   {each.right:,} ({100 * each.accuracy:.1f}%) {_range(each.interval)}",
    ]
    if each.accuracy_of_found is not None:
        lines.append(f"right of found: {100 * each.accuracy_of_found:.1f}% {_range(each.interval_of_found)}")
    lines.append(f"mean recall:    {_recall(each.mean_recall)}")
    if each.common is not None and each.common.emotions != each.mean_recall.emotions:
        lines.append(f"                {_recall(each.common)} with at least {COMMON} pictures")
    if each.ece is not None and each.nll is not None:
        lines.append(f"calibration:    ECE {100 * each.ece:.1f}%, NLL {each.nll:.3f} (of the faces found)")
    lines += [f"left out: {n:,} {label}, which the model does not answer" for label, n in each.unanswered.items()]
    if each.broken:
        lines.append(f"broken: {each.broken:,} more could not be opened and are not counted above")
    head = f"{'label':10}{'pictures':>9}{'found':>8}{'right':>8}{'recall':>9}"
    rows = [f"{name:10}{of.n:9,}{of.found:8,}{of.right:8,}{of.recall:9.1%}" for name, of in each.emotions.items()]
    return "\n".join([*lines, "", head, *rows])


def _recall(mean: MeanRecall) -> str:
    some = "emotion" if len(mean.emotions) == 1 else "emotions"
    return f"{100 * mean.value:.1f}% {_range(mean.interval)} of {len(mean.emotions)} {some}"


def _range(interval: list[float] | None) -> str:
    return "" if interval is None else f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
