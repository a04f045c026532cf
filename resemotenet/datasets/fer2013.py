"""FER2013 (Goodfellow et al. 2013) with the FER+ crowd votes (Barsoum et al. 2016).

35,887 grey 48x48 faces. Usage Training 28,709 = train, PublicTest 3,589 = validation, PrivateTest 3,589 = test.
Layouts read:

    fer2013.csv             emotion,pixels,Usage
    icml_face_data.csv      emotion, Usage, pixels (spaces in the header)
    train.csv               emotion,pixels (Training only)
    folders                 train/<emotion>/Training_*.jpg, test/<emotion>/{PublicTest,PrivateTest}_*.jpg, and the
                            spellings of fer2013_folders.py
    *.parquet               row, usage, emotion, image (encoded bytes), ferplus_*, ferplus_named
    fer2013new.csv          FER+ votes in the row order of fer2013.csv; found beside a csv with Usage, or given

A folder that holds one of these files stands for it. Of folders without PublicTest, a tenth of train takes its place:
stratified by emotion, identical pictures together, with seed 0. The images may not be redistributed; the FER+ votes are
MIT.
"""

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..emotions import EMOTIONS
from ..errors import DatasetFormatError, DatasetNotFoundError
from . import fer2013_folders
from .base import FaceSet
from .collection import Carved
from .ferplus import MIN_SOFT_VOTES as MIN_SOFT_VOTES  # known by this module too
from .ferplus import VOTES as VOTES
from .ferplus import crowd, read_votes, vote_table
from .lists import file_called, need_columns, read_table, suffix_of
from .splits import carve

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SIDE = 48
CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
_FILES = ("fer2013.parquet", "fer2013.csv", "icml_face_data.csv", "train.csv")
CARVED = Carved("train", {"train": 0.9, "validation": 0.1}, seed=0, by="identical picture")


@dataclass(frozen=True)
class FER2013:
    """The whole data set in memory; ``split`` takes a part of it under one label definition.

    Attributes:
        images: (N, 48, 48) uint8.
        emotion: (N,) int64, the original label as canonical index.
        usage: (N,) str, "Training", "PublicTest" or "PrivateTest".
        ids: (N,) str: the row number of fer2013.csv, or the path inside the folder.
        votes: (N, 10) int64 in the order of ``VOTES``, or None where there are none; rows of -1 have no votes.
        carved: how "PublicTest" was cut off from train; None where the data came with it.
        notes: sentences for people about splits that are missing.
        definitions: the label definitions that ``split`` takes, of all copies of the data.
    """

    definitions: ClassVar = ("fer2013", "ferplus-strict", "ferplus-usual", "ferplus-soft")

    images: "NDArray[np.uint8]"
    emotion: "NDArray[np.int64]"
    usage: "NDArray[np.str_]"
    ids: "NDArray[np.str_]"
    votes: "NDArray[np.int64] | None" = None
    carved: Carved | None = None
    notes: tuple[str, ...] = ()

    def split(self, split: str, labels: str = "fer2013") -> FaceSet:
        """One split under one label definition.

        Args:
            split: "train", "validation" or "test".
            labels: "fer2013": the original label. "ferplus-strict": an emotion with more than half of the ten votes;
                other rows are left out. "ferplus-usual": single votes dropped, then more than half of what is left.
                "ferplus-soft": rows with at least five votes on the seven emotions, their shares as distribution; of
                emotions with equally many votes the first in canonical order is the target.

        Raises:
            ValueError: no such split or label definition.
            DatasetFormatError: the split is empty, perhaps under these labels only, or there are no FER+ votes.
        """
        if split not in USAGES or labels not in self.definitions:
            raise ValueError(
                f"no split {split!r} with labels {labels!r}; splits: {', '.join(USAGES)}; labels: "
                f"{', '.join(self.definitions)}"
            )
        rows = self.usage == USAGES[split]
        if not rows.any():
            said = "".join(f"; {note}" for note in self.notes)
            raise DatasetFormatError(f"this copy of FER2013 has no {USAGES[split]} images, so no {split} split{said}")
        if labels == "fer2013":
            targets, distribution = self.emotion, np.eye(len(EMOTIONS), dtype=np.float32)[self.emotion]
        else:
            keep, targets, distribution = crowd(self._need_votes(), labels)
            rows &= keep
            if not rows.any():
                raise DatasetFormatError(f"no {USAGES[split]} image has a label under {labels}, so {split} is empty")
        return FaceSet(
            name=labels,
            split=split,
            images=self.images[rows][:, None],
            targets=targets[rows],
            distribution=distribution[rows],
            ids=self.ids[rows],
        )

    def record(self) -> dict[str, Any]:
        """What results keep of how the data was read; nothing of a copy that is whole."""
        kept: dict[str, Any] = {"notes": list(self.notes)} if self.notes else {}
        if self.carved is not None:
            kept["carved"] = self.carved.record({"validation": self.split("validation").ids})
        return kept

    def _need_votes(self) -> "NDArray[np.int64]":
        if self.votes is None:
            raise DatasetFormatError(
                "this copy of FER2013 has no FER+ votes; put fer2013new.csv beside fer2013.csv, or use labels 'fer2013'"
            )
        return self.votes


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the file or folder it starts from, by its first sign; None if it is not there."""
    if path.is_file() and suffix_of(path) in (".csv", ".parquet"):
        return suffix_of(path).lstrip("."), path
    named = file_called(_FILES, path)
    if named is not None:
        return named.name.lower(), path
    return ("folders", path) if fer2013_folders.is_here(path) else None


def read_fer2013(path: str | Path, *, ferplus: str | Path | None = None) -> FER2013:
    """Read FER2013 from any of the layouts above.

    Args:
        path: a .csv or .parquet file, or a folder.
        ferplus: fer2013new.csv for a csv, if it does not lie beside it.

    Raises:
        ValueError: votes were given for a layout whose rows they cannot be matched with.
        DatasetNotFoundError: nothing is there, or nothing that looks like FER2013.
        DatasetFormatError: a column is missing, a label is out of range, an image is broken; names row or file.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetNotFoundError(
            f"there is no FER2013 at {path}; expected fer2013.csv, icml_face_data.csv, a .parquet file, or a folder "
            "with train/ and test/. The data comes from Kaggle's 2013 facial expression recognition challenge"
        )
    if path.is_dir():
        path = file_called(_FILES, path) or path
    if suffix_of(path) == ".csv" and path.is_file():
        return _read_csv(path, None if ferplus is None else Path(ferplus))
    if ferplus is not None:
        raise ValueError(f"FER+ votes can be given for a csv only, their rows do not match those of {path}")
    if path.is_dir():
        return _read_folders(path)
    if suffix_of(path) == ".parquet":
        return _read_parquet(path)
    raise DatasetNotFoundError(f"{path} is neither a .csv, a .parquet file nor a folder")


def _read_csv(path: Path, ferplus: Path | None) -> FER2013:
    table = read_table(path)
    need_columns(table, ("emotion", "pixels"), path)
    whole = "Usage" in table
    usage = table["Usage"].tolist() if whole else ["Training"] * len(table)
    # train.csv has no Usage and only some of the rows that the votes are given for.
    if ferplus is None and whole and path.with_name("fer2013new.csv").is_file():
        ferplus = path.with_name("fer2013new.csv")
    votes = None if ferplus is None else read_votes(ferplus, usage)
    images = np.empty((len(table), SIDE, SIDE), np.uint8)
    for row, pixels in enumerate(table["pixels"]):
        images[row] = _parse_pixels(pixels, f"{path}, row {row}")
    return _checked(images, _codes(table, path), usage, [f"{row:05d}" for row in range(len(table))], votes, path)


def _parse_pixels(pixels: Any, place: str) -> "NDArray[np.uint8]":
    words = str(pixels).split()
    try:
        values = np.array(words, dtype=np.int64)
    except (ValueError, OverflowError) as error:
        if any(word.lower() in ("nan", "inf", "-inf") for word in words):
            raise DatasetFormatError(f"{place}: a pixel is NaN or infinite, expected 0 to 255") from None
        raise DatasetFormatError(f"{place}: a pixel is not a whole number ({error})") from None
    if values.size != SIDE * SIDE:
        raise DatasetFormatError(f"{place}: {values.size} pixels, expected {SIDE * SIDE}")
    if values.min() < 0 or values.max() > 255:
        raise DatasetFormatError(f"{place}: pixels from {values.min()} to {values.max()}, expected 0 to 255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _read_parquet(path: Path) -> FER2013:
    from PIL import Image

    table = read_table(path)
    need_columns(table, ("row", "usage", "emotion", "image"), path)
    if table["row"].dtype.kind not in "iu":
        raise DatasetFormatError(f"{path}: the column row must hold whole numbers, got {table['row'].dtype}")
    images = np.empty((len(table), SIDE, SIDE), np.uint8)
    kind: str | None = None  # of the picture before; Pillow tries one format after the other, which takes half the time
    for row, encoded in enumerate(table["image"]):
        if not isinstance(encoded, bytes):
            raise DatasetFormatError(f"{path}, row {row}: image is {type(encoded).__name__}, expected encoded bytes")
        place = f"{path}, row {row}"
        try:
            images[row], kind = _decode(Image, io.BytesIO(encoded), place, None if kind is None else (kind,))
        except DatasetFormatError:
            images[row], kind = _decode(Image, io.BytesIO(encoded), place)
    votes = None
    columns = [f"ferplus_{name.lower()}" for name in VOTES]
    if columns[0] in table:
        need_columns(table, (*columns, "ferplus_named"), path)
        votes = vote_table(table, columns, table["ferplus_named"].to_numpy(bool), path)
    ids = [f"{row:05d}" for row in table["row"]]
    return _checked(images, _codes(table, path), table["usage"].tolist(), ids, votes, path)


def _read_folders(path: Path) -> FER2013:
    from PIL import Image

    listed = list(fer2013_folders.labelled_files(path))
    if not listed:
        raise DatasetNotFoundError(f"{path} holds none of {', '.join(_FILES)}, and no images as train/<emotion>/*.jpg")
    images = np.empty((len(listed), SIDE, SIDE), np.uint8)
    for row, (file, _, _) in enumerate(listed):
        images[row], _ = _decode(Image, file, str(file))
    files, emotions, usage = zip(*listed, strict=True)
    ids = [file.relative_to(path).as_posix() for file in files]
    note = fer2013_folders.note_on(set(usage), path)
    whole = _checked(images, [CODES.index(emotion) for emotion in emotions], list(usage), ids, None, path)
    if {"Training", "PrivateTest"} <= set(usage) and "PublicTest" not in usage:
        return _carve(whole)
    return replace(whole, notes=(note,) if note else ())


def _decode(
    image_module: Any, source: Any, place: str, kinds: tuple[str, ...] | None = None
) -> "tuple[NDArray[np.uint8], str | None]":
    """A picture, and of which of Pillow's formats it is; ``kinds``: those that are tried, all unless given."""
    try:
        with image_module.open(source, formats=kinds) as picture:
            kind: str | None = picture.format
            if picture.mode.startswith(("F", "I")):  # converting would cut values off, and make a black pixel of NaN
                raise DatasetFormatError(_deep(np.asarray(picture), place))
            pixels = np.asarray(picture.convert("L"))
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
    ) as error:  # all of them mean a damaged file to one of PIL's readers
        raise DatasetFormatError(f"{place}: the image cannot be decoded ({error})") from None
    if pixels.shape != (SIDE, SIDE):
        raise DatasetFormatError(
            f"{place}: the image is {pixels.shape[1]}x{pixels.shape[0]}, expected FER2013's {SIDE}x{SIDE}; faces of "
            "another set are read with lists like train_labels.csv, see upstream-csv in 'python -m training datasets'"
        )
    return pixels, kind


def _deep(pixels: "NDArray[Any]", place: str) -> str:
    if not np.isfinite(pixels).all():
        return f"{place}: a pixel is NaN or infinite, expected 0 to 255"
    return f"{place}: the image has {pixels.dtype} pixels from {pixels.min()} to {pixels.max()}, expected 8 bits each"


def _codes(table: "pd.DataFrame", path: Path) -> list[int]:
    """The column emotion, every value one of 0 to 6."""
    import pandas as pd

    codes = pd.to_numeric(table["emotion"], errors="coerce")
    wrong = np.flatnonzero(~codes.isin(range(len(CODES))))
    if wrong.size:
        row = wrong[0]
        raise DatasetFormatError(f"{path}, row {row}: emotion {table['emotion'].iloc[row]}, expected 0 to 6")
    return [int(code) for code in codes]


def _checked(
    images: "NDArray[np.uint8]",
    codes: list[int],
    usage: list[str],
    ids: list[str],
    votes: "NDArray[np.int64] | None",
    path: Path,
) -> FER2013:
    if not ids:
        raise DatasetFormatError(f"{path} holds no faces")
    usages = np.asarray(usage, dtype=str)
    unknown = np.flatnonzero(~np.isin(usages, list(USAGES.values())))
    if unknown.size:
        row = unknown[0]
        raise DatasetFormatError(
            f"{path}, row {row}: Usage {str(usages[row])!r}, expected one of {', '.join(USAGES.values())}"
        )
    if len(set(ids)) != len(ids):
        raise DatasetFormatError(f"{path}: row numbers must be unique, but {len(ids) - len(set(ids))} are repeated")
    canonical = np.array([EMOTIONS.index(name) for name in CODES], np.int64)[np.asarray(codes)]
    return FER2013(images, canonical, usages, np.asarray(ids, dtype=str), votes)


def _carve(whole: FER2013) -> FER2013:
    """Cut off a validation split; copies of one picture stay on one side."""
    train = np.flatnonzero(whole.usage == "Training")
    groups = np.array([hashlib.sha256(whole.images[row].tobytes()).hexdigest() for row in train])
    part = carve(whole.emotion[train], groups, CARVED.shares, CARVED.seed)
    usage = whole.usage.astype("U11")
    usage[train[part == "validation"]] = "PublicTest"
    return replace(whole, usage=usage, carved=CARVED)
