"""Photographs with an emotion each, anybody's own: to measure detector, crop and network together; for evaluation only.

Layouts read:

    folders   <emotion>/, pictures at any depth below it
    list      a .csv with a header: file name, label, perhaps person. File names are relative to the .csv; in a folder
              it is called photographs.csv, pictures.csv or labels.csv
    table     a .parquet with the columns image (the bytes of a file) and label, perhaps id and person; in a folder it
              is called photographs.parquet

Labels are names, in any of the usual spellings; a number could mean any emotion and is refused. Contempt is left out
and counted. All pictures are one split, "test"; pictures of one person belong to one group, for folds.

A picture has one label however many faces it shows: that of its largest face, as the detector's boxes say (see
training/photographs.py).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from ..emotions import EMOTIONS
from ..errors import DatasetError, DatasetFormatError, DatasetNotFoundError
from .collection import Collection, Listing, check_inside
from .face_files import FaceFiles
from .lists import (
    COLUMNS,
    columns_of,
    csv_rows,
    file_called,
    folders_in,
    is_picture,
    need_columns,
    read_table,
    slashed,
    suffix_of,
)
from .names import emotion_called, is_emotion

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "photographs"
_LISTS = ("photographs.csv", "pictures.csv", "labels.csv")
_TABLE = "photographs.parquet"
_PERSON = ("person", "subject", "identity")
_ORIGIN = "the folder that the list was written for"


@dataclass(frozen=True, kw_only=True)
class EncodedFaces(FaceFiles):
    """Pictures that came as bytes in a table.

    Attributes:
        encoded: (N,) bytes, each the content of a picture file; ``files`` are their ids.
    """

    encoded: "NDArray[np.object_]"

    def where(self, keep: "NDArray[np.bool_] | slice") -> Self:
        """See ``FaceFiles.where``."""
        return replace(super().where(keep), encoded=self.encoded[keep])

    def source(self, row: int) -> bytes:
        """See ``FaceFiles.source``."""
        encoded: bytes = self.encoded[row]
        return encoded


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the file or folder it starts from, by its first sign; None if it is none of them."""
    if path.is_dir():
        named = file_called((*_LISTS, _TABLE), path)
        if named is not None:
            return ("table" if suffix_of(named) == ".parquet" else "list"), named
        return ("folders", path) if any(is_emotion(each.name) for each in folders_in(path)) else None
    if suffix_of(path) == ".csv":
        return ("list", path) if _is_list(path) else None
    return ("table", path) if suffix_of(path) == ".parquet" and _is_table(path) else None


def _is_list(path: Path) -> bool:
    try:
        _, header = next(csv_rows(path), (0, []))
        columns_of(header, COLUMNS, path)
    except DatasetError:
        return False
    return True


def _is_table(path: Path) -> bool:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    try:
        return {"image", "label"} <= set(read_schema(path).names)
    except (ArrowException, OSError):
        return False


def read_photographs(path: str | Path, *, skip_broken: bool = False) -> Collection:
    """Read labelled photographs from any of the layouts; nothing is decoded.

    Args:
        path: the folder, the .csv or the .parquet.
        skip_broken: leave out pictures that are listed but missing, instead of stopping.

    Raises:
        DatasetNotFoundError: nothing is there, or nothing of the kind.
        DatasetFormatError: a label or a folder is no emotion, a column is missing, a picture is there twice.
    """
    path = Path(path)
    found = ("list", path) if suffix_of(path) == ".csv" and path.is_file() else find_layout(path)
    if found is None:
        what = "does not look like labelled photographs" if path.exists() else "does not exist"
        raise DatasetNotFoundError(
            f"{path} {what}; expected folders named after emotions ({', '.join(EMOTIONS)}) with pictures in them, or a "
            "csv with the columns image,label (and person, if you know it)"
        )
    layout, place = found
    if layout == "table":
        return _from_table(place)
    root = place if layout == "folders" else place.parent
    listing = Listing(NAME, layout, root, _ORIGIN, skip_broken=skip_broken)
    (_from_folders if layout == "folders" else _from_list)(listing, place)
    return listing.collect(need=("test",))


def _from_folders(listing: Listing, root: Path) -> None:
    for folder in folders_in(root):
        emotion = emotion_called(folder.name, str(folder))
        for file in sorted(folder.rglob("*")):
            inside = file.relative_to(root)
            if is_picture(file.name) and not any(part.startswith(".") for part in inside.parts):
                _add(listing, inside.as_posix(), emotion, folder.name, str(file), None)


def _from_list(listing: Listing, path: Path) -> None:
    rows = list(csv_rows(path))
    header = rows.pop(0)[1] if rows else []
    at = columns_of(header, COLUMNS, path)
    people = [place for place, cell in enumerate(header) if cell.lower() in _PERSON]
    if len(people) > 1:
        raise DatasetFormatError(f"{path} has {len(people)} columns that say who it is: {header}; keep one")
    for number, cells in rows:
        place = f"{path}, line {number}"
        if len(cells) != len(header):
            raise DatasetFormatError(f"{place}: {len(cells)} cells, expected {len(header)} as in the header")
        file = slashed(cells[at["file name"]])
        if not is_picture(file):
            raise DatasetFormatError(f"{place}: {file!r} is not the name of a picture file")
        check_inside(file, place)
        label = cells[at["label"]]
        _add(listing, file, emotion_called(label, place), label, place, cells[people[0]] if people else None)


def _add(listing: Listing, file: str, emotion: str | None, label: str, place: str, person: str | None) -> None:
    if emotion is None:
        listing.left_out[label.strip().lower()] += 1
    else:
        listing.add("test", file, emotion, id=file, place=place, group=person)


def _from_table(path: Path) -> Collection:
    table = read_table(path).reset_index(drop=True)
    need_columns(table, ("image", "label"), path)
    for row, encoded in enumerate(table["image"]):
        if not isinstance(encoded, bytes):
            raise DatasetFormatError(f"{path}, row {row}: image is {type(encoded).__name__}, expected a file's bytes")
    said = [emotion_called(str(label), f"{path}, row {row}") for row, label in enumerate(table["label"])]
    kept = np.flatnonzero([emotion is not None for emotion in said])
    if not kept.size:
        raise DatasetFormatError(f"{path} holds no picture with one of the seven emotions")
    ids = table["id"].astype(str) if "id" in table else table.index.map("{:06d}".format).to_series()
    if not ids.is_unique:
        raise DatasetFormatError(f"{path}: ids must be unique, but {ids.duplicated().sum()} are repeated")
    named = ids.to_numpy(str)[kept]
    faces = EncodedFaces(
        name=NAME,
        split="test",
        root=path,
        files=named,
        targets=np.array([EMOTIONS.index(said[row] or "") for row in kept], np.int64),
        ids=named,
        groups=table["person"].astype(str).to_numpy(str)[kept] if "person" in table else named,
        encoded=table["image"].to_numpy(object)[kept],
    )
    left_out = table["label"].drop(index=kept).str.lower().value_counts().to_dict()
    return Collection(NAME, "table", path, {"test": faces}, left_out=left_out)
