"""The faces of any data set by split and label definition, ready to be scored."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from resemotenet.datasets import FER2013, DatasetInfo, FaceFiles, ReadyFaces, read_ckplus
from resemotenet.errors import DatasetFormatError
from resemotenet.runs.label_sets import FERPLUS, teaching

from .picture_sets import Storage

Definitions = dict[str, ReadyFaces]
"""Label definition -> its faces; one of them has the faces of all others."""


def scored_sets(
    info: DatasetInfo,
    root: Path,
    splits: Iterable[str],
    size: int,
    *,
    also: Iterable[str] = (),
    skip_broken: bool = False,
    storage: Storage | None = None,
) -> tuple[dict[str, Definitions], tuple[str, ...]]:
    """Read some splits of a data set.

    Args:
        info, root: as ``recognise`` gives them.
        size: side of what is read from picture files; FER2013's is its own.
        also: label definitions that are wanted besides those that runs are scored under.
        skip_broken: leave out pictures that cannot be read.
        storage: where the pixels of a large set are kept.

    Returns:
        Split -> label definition -> faces; and a sentence for each picture that could not be read.

    Raises:
        DatasetError: the set cannot be read, or has no such split.
    """
    if info.name == "ckplus":
        return _ckplus(root, splits, size, skip_broken)
    whole = info.read(root, skip_broken=skip_broken)
    if isinstance(whole, FER2013):
        scored = {*(teaching("fer2013") if whole.votes is None else FERPLUS).scored, *also}
        names = [name for name in FER2013.definitions if name in scored]
        return {split: {name: whole.split(split, name) for name in names} for split in splits}, ()
    broken, found = list(whole.broken), dict[str, Definitions]()
    for split in splits:
        held, unreadable = (storage or Storage()).ready(whole.split(split), size, skip_broken=skip_broken)
        found[split] = {whole.name: held}
        broken += unreadable
    return found, tuple(broken)


def _ckplus(
    root: Path, splits: Iterable[str], size: int, skip_broken: bool
) -> tuple[dict[str, Definitions], tuple[str, ...]]:
    """Both conventions; the last three frames have the peak among them."""
    three = read_ckplus(root, labels="ckplus-last3", skip_broken=skip_broken)
    if other := sorted(set(splits) - {"test"}):
        raise DatasetFormatError(f"CK+ at {root} has no {other[0]} split; it has test")
    held, broken = three.split("test").into_memory(size, skip_broken=skip_broken)
    peaks: FaceFiles = read_ckplus(root, skip_broken=skip_broken).split("test")
    peak = replace(held.where(np.isin(held.ids, peaks.ids)), name="ckplus-peak")
    return {"test": {"ckplus-peak": peak, "ckplus-last3": held}}, (*three.broken, *broken)
