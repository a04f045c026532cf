"""ExpW, expressions in the wild (Zhang, Luo, Loy and Tang 2018): 91,793 faces on photographs from the web.

Layout read:

    label/label.lst     a line a face: name face_id top left right bottom confidence label (mind the order of the box)
    image/origin/*.jpg  whole photographs; the faces are cut out by their boxes

There is no official split. The paper's train (64,253) and test (9,091) leave 18,449 faces, a fifth, for a validation
part that it does not print, and nobody published which faces they are. Here all is cut in those proportions: stratified
by emotion, by photograph (two faces of one photograph are never in two splits), with seed 0. Figures on this test
split are therefore not measured on the paper's faces.

Photographs are turned upright by their EXIF data before the box is applied. Whether the authors' boxes are of the
turned or of the stored picture could not be checked; pictures from the web rarely carry a turn.
"""

from dataclasses import replace
from pathlib import Path

from ..errors import DatasetFormatError, DatasetNotFoundError
from .collection import Carved, Collection, Listing, check_inside, code_of
from .lists import first_there, is_picture, need_file, need_folder, word_rows

NAME = "expw"
CODES = {0: "angry", 1: "disgust", 2: "fear", 3: "happy", 4: "sad", 5: "surprise", 6: "neutral"}
# Of label.lst; Table II's columns are 70.0 and 9.9% of each.
EXPECTED = {
    "all": {
        "angry": 3_671, "disgust": 3_995, "fear": 1_088, "happy": 30_537, "neutral": 34_883, "sad": 10_559,
        "surprise": 7_060,
    }
}  # fmt: skip
PAPER = {
    "train": {
        "angry": 2_569, "disgust": 2_796, "fear": 761, "happy": 21_375, "neutral": 24_418, "sad": 7_391,
        "surprise": 4_943,
    },
    "test": {
        "angry": 364, "disgust": 396, "fear": 108, "happy": 3_024, "neutral": 3_454, "sad": 1_046, "surprise": 699,
    },
}  # fmt: skip
_ALL = 91_793
_SHARES = {split: sum(emotions.values()) / _ALL for split, emotions in PAPER.items()}
CARVED = Carved("all", {**_SHARES, "validation": 1 - sum(_SHARES.values())}, seed=0, by="source picture")
_LIST = "label/label.lst"
_PICTURES = "image/origin"
_ORIGIN = "the authors' download of ExpW, mmlab.ie.cuhk.edu.hk/projects/socialrelation"


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the folder it starts from, by its first sign; None if it is not there."""
    for root in (path, path / "ExpW"):
        if (root / _PICTURES).is_dir() or (root / _LIST).is_file() or (root / "label.lst").is_file():
            return "photographs", root
    return None


def read_expw(path: str | Path, *, skip_broken: bool = False) -> Collection:
    """Read ExpW.

    Args:
        path: the folder that holds image/ and label/.
        skip_broken: leave out pictures that are listed but missing, instead of stopping.

    Raises:
        DatasetNotFoundError: it is not ExpW, or the list or the folder of photographs is missing.
        DatasetFormatError: a line is not as expected, a label is none of 0 to 6, a face is there twice, photographs
            are absent.
    """
    found = find_layout(Path(path))
    if found is None:
        raise DatasetNotFoundError(f"{path} is not ExpW; expected {_LIST} and {_PICTURES}/*.jpg of {_ORIGIN}")
    layout, root = found
    listing = Listing(NAME, layout, root, _ORIGIN, skip_broken=skip_broken)
    need_folder(root, _PICTURES, "the photographs", f"{_ORIGIN} (its archive of pictures comes in several parts)")
    file = first_there(root / _LIST, root / "label.lst") or need_file(root, _LIST, "a line for each face", _ORIGIN)
    for number, words in word_rows(file):
        _add(listing, words, f"{file}, line {number}")
    collection = listing.collect(carved=CARVED, expected=EXPECTED, expected_by="the authors' list")
    return replace(collection, notes=(*collection.notes, *_own_split(collection)))


def _add(listing: Listing, words: list[str], place: str) -> None:
    if len(words) != 8 or not is_picture(words[0]):
        raise DatasetFormatError(
            f"{place}: {' '.join(words)!r}, expected 8 words: name face_id top left right bottom confidence label"
        )
    name, face, *edges, _, label = words
    check_inside(name, place)
    try:
        top, left, right, bottom = (int(edge) for edge in edges)
    except ValueError as error:
        raise DatasetFormatError(f"{place}: the box {' '.join(edges)!r} is not four whole numbers ({error})") from None
    if top >= bottom or left >= right:
        raise DatasetFormatError(
            f"{place}: the box has top {top}, left {left}, right {right}, bottom {bottom}, so it is empty; expected "
            "top below bottom and left below right, in the order top left right bottom"
        )
    listing.add(
        "all", f"{_PICTURES}/{name}", code_of(label, CODES, place), id=f"{name}#{face}", place=place, group=name,
        box=(left, top, right, bottom),
    )  # fmt: skip


def _own_split(collection: Collection) -> list[str]:
    """Sizes of the splits cut here beside the paper's, where they differ."""
    sentences = []
    for split, emotions in PAPER.items():
        ours, paper = len(collection.splits.get(split, ())), sum(emotions.values())
        if ours != paper:
            sentences.append(
                f"{split}, cut here by photograph, has {ours:,} faces; Table II of the paper has {paper:,}"
            )
    return sentences
