"""python -m training datasets: which data sets there are, and what a folder holds."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from resemotenet.datasets import CATALOGUE, Collection, FaceFiles, FaceSet, FaceSource, recognise, splits_of
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetFormatError

from .audit import fingerprints, identical

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 20
"""So many broken pictures are named; all are counted."""


def listing() -> str:
    """Every data set: its files, its codes, where it comes from."""
    parts = []
    for info in CATALOGUE:
        layouts = [("files" if at == 0 else "or", layout) for at, layout in enumerate(info.layouts)]
        rows = [
            ("faces", info.faces),
            *layouts,
            ("codes", info.labels),
            ("for", info.use),
            ("from", info.source),
            ("licence", info.licence),
            ("cite", info.citation),
        ]
        lines = [f"    {name:<8} {value}" for name, value in rows]
        parts.append("\n".join([f"{info.name}: {info.title}", *lines]))
    parts.append(
        "Nothing is downloaded. 'python -m training datasets check PATH' says which of these a folder is and whether "
        "it is whole;\n'python -m training train RECIPE --dataset.name NAME --dataset.labels NAME --data PATH' trains "
        "on it.\nSets of 20,000 pictures and more are decoded and resized once, into a file below ~/.cache/resemotenet "
        "(--cache DIR or\nRESEMOTENET_CACHE move it) of size x size bytes a face: 1.2 GB for AffectNet at 64 px, 14 GB "
        "at 224. It is made again\nwhen a picture changes, and may be deleted at any time."
    )
    return "\n\n".join(parts)


def check(path: Path, *, skip_broken: bool = False) -> dict[str, Any]:
    """Recognise a folder and read every picture of it once; only names, labels and fingerprints are kept.

    Args:
        skip_broken: count absent pictures too, instead of stopping at them.

    Returns:
        What ``in_words`` says, for JSON.

    Raises:
        DatasetError: it is no data set known here, or cannot be read as the one it looks like.
    """
    info, layout, root = recognise(path)
    whole = info.read(root, skip_broken=skip_broken)
    splits = splits_of(whole)
    broken = list(whole.broken) if isinstance(whole, Collection) else []
    prints, targets = {}, {}
    for name, faces in splits.items():
        prints[name], readable, unreadable = _fingerprints(faces)
        targets[name] = faces.targets[readable]
        broken += unreadable
    found: dict[str, Any] = {
        "name": info.name,
        "title": info.title,
        "layout": layout,
        "root": str(root),
        "use": info.use,
        "counts": {name: faces.counts() for name, faces in splits.items()},
        "broken": broken,
        "identical": identical(prints, targets),
    }
    return found | {key: value for key, value in whole.record().items() if key != "layout"}


def _fingerprints(faces: FaceSource) -> "tuple[NDArray[np.str_], NDArray[np.bool_], list[str]]":
    """Of every face that can be read, which those are, and a sentence for each of the others."""
    if isinstance(faces, FaceSet):
        return fingerprints(faces.images), np.ones(len(faces), bool), []
    assert isinstance(faces, FaceFiles)
    prints, readable, broken = [], np.ones(len(faces), bool), []
    for row in tqdm(range(len(faces)), desc=f"{faces.name} {faces.split}", unit="face", disable=None, leave=False):
        try:
            pixels = np.asarray(faces.crop(row))
        except DatasetFormatError as error:
            readable[row] = False
            broken.append(str(error))
        else:
            prints.append(hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest())
    return np.array(prints, dtype=np.str_), readable, broken


def in_words(found: dict[str, Any]) -> str:
    """What ``check`` found, for people; what is wrong comes last."""
    lines = [
        f"{found['name']}: {found['title']}",
        f"layout: {found['layout']}, at {found['root']}; for {found['use']}",
        "",
        _table(found["counts"]),
        "",
    ]
    if found.get("left_out"):
        lines.append("left out: " + ", ".join(f"{n:,} {reason}" for reason, n in found["left_out"].items()))
    if (carved := found.get("carved")) is not None:
        shares = ", ".join(f"{split} {100 * share:.1f}%" for split, share in carved["shares"].items())
        lines.append(
            f"no split of its own for {' and '.join(carved['ids'])}: {carved['from']} is cut into {shares}; stratified "
            f"by emotion, by {carved['by']}, seed {carved['seed']}"
        )
    same = found["identical"]
    lines.append(
        f"identical pictures: {same['identical_groups']:,} groups, {same['groups_across_splits']:,} of them across "
        f"splits, {same['groups_with_conflicting_labels']:,} with conflicting labels"
    )
    lines += [f"    {what}: {n:,}" for what, n in same["leaks"].items() if n]
    lines += [f"note: {note}" for note in found.get("notes", ())]
    lines += [f"broken: {said}" for said in found["broken"][:_SHOWN]]
    if found["broken"]:
        n = len(found["broken"])
        lines.append(f"{n:,} of the pictures cannot be used; --dataset.skip-broken trains without them")
    return "\n".join(lines)


def _table(counts: dict[str, dict[str, int]]) -> str:
    rows = [["", *EMOTIONS, "all"]]
    for split, emotions in counts.items():
        rows.append([split, *(f"{emotions[emotion]:,}" for emotion in EMOTIONS), f"{sum(emotions.values()):,}"])
    return "\n".join(f"{row[0]:<11}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows)
