"""AffectNet with seven emotions (Mollahosseini, Hasani and Mahoor 2017): 283,901 and 3,500 faces from the web.

Layouts read:

    annotations     train_set/images/<id>.jpg with train_set/annotations/<id>_exp.npy, val_set/ alike; 224x224
    lists           Manually_Annotated_file_lists/{training,validation}.csv, with a header or without, and the pictures
                    that they name below Manually_Annotated_Images/, cut out by the box that the list gives

Contempt (7) and what is no expression (8 none, 9 uncertain, 10 no face) are left out and counted. The authors keep
their test set; papers report on the validation set, so it is "test" here, to be touched once, and a twentieth of train
is cut off as validation, stratified by emotion. That is as rare in disgust and fear as train is, while the test set has
500 faces of each emotion: accuracies on the two are not comparable, macro recall is.
"""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import DatasetFormatError, DatasetNotFoundError
from .collection import Carved, Collection, Listing, check_inside, code_of
from .lists import columns_of, csv_rows, first_there, is_picture, need_folder, slashed

NAME = "affectnet-7"
CODES: dict[int, str | None] = {
    0: "neutral", 1: "happy", 2: "sad", 3: "surprise", 4: "fear", 5: "disgust", 6: "angry",
    7: None, 8: None, 9: None, 10: None,
}  # fmt: skip
_LEFT_OUT = {"7": "contempt", "8": "none", "9": "uncertain", "10": "no face"}
# Table II of the ResEmoteNet paper, which are the data's own counts.
EXPECTED = {
    "train": {
        "angry": 24_882, "disgust": 3_803, "fear": 6_378, "happy": 134_415, "neutral": 74_874, "sad": 25_459,
        "surprise": 14_090,
    },
    "test": dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), 500),
}  # fmt: skip
CARVED = Carved("train", {"train": 0.95, "validation": 0.05}, seed=0, by="face")
_SETS = {"train": "train_set", "test": "val_set"}
_LISTS = {"train": "training.csv", "test": "validation.csv"}
_LIST_FOLDER = "Manually_Annotated_file_lists"
_PICTURE_FOLDERS = (
    "Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated",
    "Manually_Annotated_compressed",
)  # fmt: skip
_COLUMNS = {
    "file": ("subdirectory_filepath",),
    "x": ("face_x",),
    "y": ("face_y",),
    "width": ("face_width",),
    "height": ("face_height",),
    "expression": ("expression",),
}
# Where a list has no header; after the box come the landmarks in one cell.
_ORDER = {"file": 0, "x": 1, "y": 2, "width": 3, "height": 4, "expression": 6}
_ORIGIN = "the authors' download of AffectNet, mohammadmahoor.com/affectnet"


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the folder it starts from, by the first sign of either; None if it is neither."""
    if any((path / name).is_dir() for name in _SETS.values()):
        return "annotations", path
    if (path / _LIST_FOLDER).is_dir() or all((path / name).is_file() for name in _LISTS.values()):
        return "lists", path
    return None


def read_affectnet(path: str | Path, *, skip_broken: bool = False) -> Collection:
    """Read AffectNet from either layout, without contempt.

    Args:
        path: the folder that holds train_set/ and val_set/, or the file lists and the pictures.
        skip_broken: leave out pictures that are listed but missing, instead of stopping.

    Raises:
        DatasetNotFoundError: it is not AffectNet, or a folder or list is missing.
        DatasetFormatError: a label is none of 0 to 10, a face is there twice, pictures or labels are absent.
    """
    found = find_layout(Path(path))
    if found is None:
        raise DatasetNotFoundError(
            f"{path} is not AffectNet; expected train_set/ and val_set/ with images/ and annotations/, or "
            f"{_LIST_FOLDER}/training.csv and validation.csv. The authors give it to researchers: "
            "mohammadmahoor.com/affectnet"
        )
    layout, root = found
    listing = Listing(NAME, layout, root, _ORIGIN, skip_broken=skip_broken)
    (_from_annotations if layout == "annotations" else _from_lists)(listing)
    return listing.collect(carved=CARVED, expected=EXPECTED)


def _from_annotations(listing: Listing) -> None:
    from tqdm.auto import tqdm

    for split, name in _SETS.items():
        images = need_folder(listing.root, f"{name}/images", "<id>.jpg", _ORIGIN)
        labels = need_folder(listing.root, f"{name}/annotations", "<id>_exp.npy", _ORIGIN)
        emotions = {}
        read = _Annotations()
        for file in tqdm(sorted(labels.glob("*_exp.npy")), desc=f"labels of {name}", disable=None, leave=False):
            emotions[file.name.removesuffix("_exp.npy")] = read(file)
        files: dict[str, str] = {}
        for picture in sorted(name for name in os.listdir(images) if is_picture(name) and not name.startswith(".")):
            stem = picture.rpartition(".")[0]
            if files.setdefault(stem, picture) != picture:
                raise DatasetFormatError(f"{images} has {files[stem]} and {picture}, both of face {stem}; keep one")
        for stem in sorted(files.keys() - emotions.keys()):
            listing.broken.append(f"{images / files[stem]} has no label, {labels / stem}_exp.npy is missing")
        for stem, code in emotions.items():
            place = f"{labels}/{stem}_exp.npy"
            if emotion := _emotion(listing, code, place):
                file = f"{name}/images/{files.get(stem, f'{stem}.jpg')}"
                listing.add(split, file, emotion, id=f"{name}/{stem}", place=place)


class _Annotations:
    """Reads <id>_exp.npy, one number or one string each. There are 290,000 of them but a dozen contents."""

    def __init__(self) -> None:
        self.known: dict[bytes, str] = {}

    def __call__(self, file: Path) -> str:
        content = file.read_bytes()
        if content not in self.known:
            try:
                value = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)  # .npy alone
                (self.known[content],) = (str(each) for each in value.ravel())
            except (ValueError, EOFError, OSError) as error:
                raise DatasetFormatError(f"{file} holds no label: {error}") from error
        return self.known[content]


def _from_lists(listing: Listing) -> None:
    root = listing.root
    lists = root / _LIST_FOLDER if (root / _LIST_FOLDER).is_dir() else root
    folder = first_there(*(root / name for name in _PICTURE_FOLDERS))
    if folder is None:
        raise DatasetNotFoundError(
            f"{root / _PICTURE_FOLDERS[0]} is missing; expected the pictures that the lists name there. It comes with "
            f"{_ORIGIN}"
        )
    place_of_pictures = folder.relative_to(root).as_posix()
    for split, name in _LISTS.items():
        path = lists / name
        if not path.is_file():
            raise DatasetNotFoundError(f"{path} is missing; expected a row for each picture. It comes with {_ORIGIN}")
        for place, cells in _rows(path):
            name_in_list = slashed(cells["file"])
            check_inside(name_in_list, place)
            if emotion := _emotion(listing, cells["expression"], place):  # rows without a face need not have a box
                file, id = f"{place_of_pictures}/{name_in_list}", name_in_list.rpartition(".")[0]
                listing.add(split, file, emotion, id=id, place=place, box=_box(cells, place))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(place, the cells that matter) of each row; the header, if there is one, says in which order they come."""
    at, last = _ORDER, max(_ORDER.values())
    for row, (number, cells) in enumerate(csv_rows(path)):
        if row == 0 and not any(is_picture(cell) for cell in cells):
            at = columns_of(cells, _COLUMNS, path)
            last = max(at.values())
            continue
        if len(cells) <= last or not is_picture(cells[at["file"]]):
            expected = ", ".join(sorted(at, key=lambda name: at[name]))
            raise DatasetFormatError(
                f"{path}, line {number}: {len(cells)} cells, the first {cells[0]!r}; expected {expected} at the "
                f"positions {sorted(at.values())} (counted from 0)"
            )
        yield f"{path}, line {number}", {column: cells[position] for column, position in at.items()}


def _box(cells: dict[str, str], place: str) -> tuple[int, int, int, int]:
    try:
        x, y, width, height = (int(float(cells[name])) for name in ("x", "y", "width", "height"))
    except (ValueError, OverflowError) as error:
        raise DatasetFormatError(f"{place}: the face's box is not four numbers ({error})") from None
    return x, y, x + width, y + height


def _emotion(listing: Listing, code: str, place: str) -> str | None:
    """What the code stands for; None, and counted, if the face is to be left out."""
    emotion = code_of(code, CODES, place)
    if emotion is None:
        listing.left_out[_LEFT_OUT[str(int(float(code)))]] += 1
    return emotion
