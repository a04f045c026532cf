"""The layout that upstream's training script reads, whatever the faces are.

    train_labels.csv and train/, valid_labels.csv and valid/ (or val, validation), test_labels.csv and test/

A row is a file name and a number in upstream's order of emotions. Upstream writes the lists without a header and reads
them as if there were one, which loses the first face of each; here a header is recognised by having no number, and
columns may come in either order. Pictures lie in the split's folder, in images/<split>/, in images/, or beside the
lists. Splits are taken as given; without a validation split a tenth of train is cut off, stratified by emotion.
Upstream's author took it from an already augmented train (its thread #36), so that near copies of one face were on both
sides: check a folder from elsewhere with 'python -m training datasets check'.
"""

from pathlib import Path

from ..emotions import UPSTREAM_ORDER
from ..errors import DatasetFormatError, DatasetNotFoundError
from .collection import Carved, Collection, Listing, absent_files, check_inside, code_of
from .lists import COLUMNS, columns_of, csv_rows, is_picture, slashed
from .names import emotion_called, is_emotion

NAME = "upstream-csv"
CODES = dict(enumerate(UPSTREAM_ORDER))
CARVED = Carved("train", {"train": 0.9, "validation": 0.1}, seed=0, by="face")
_WORDS = {"train": ("train",), "validation": ("valid", "val", "validation"), "test": ("test",)}
_ORIGIN = "wherever this folder came from; upstream's data_csv.py writes such lists"


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the folder it starts from, by the first of its lists; None if there is none."""
    there = any((path / f"{word}_labels.csv").is_file() for words in _WORDS.values() for word in words)
    return ("lists", path) if there else None


def read_upstream(path: str | Path, *, skip_broken: bool = False) -> Collection:
    """Read a folder made for upstream's script.

    Args:
        path: the folder that holds train_labels.csv.
        skip_broken: leave out pictures that are listed but missing, instead of stopping.

    Raises:
        DatasetNotFoundError: there is no such list.
        DatasetFormatError: a label is none of 0 to 6, columns cannot be told apart, a face is there twice, a file lies
            outside the folder, pictures are absent, train or test is.
    """
    root = Path(path)
    if find_layout(root) is None:
        raise DatasetNotFoundError(
            f"{root} holds no upstream lists; expected train_labels.csv with train/, valid_labels.csv with valid/, "
            "test_labels.csv with test/"
        )
    listing = Listing(NAME, "lists", root, _ORIGIN, skip_broken=skip_broken)
    given = [split for split, words in _WORDS.items() if _add_split(listing, split, words)]
    return listing.collect(carved=None if "validation" in given or "train" not in given else CARVED)


def _add_split(listing: Listing, split: str, words: tuple[str, ...]) -> bool:
    """Whether the split is there."""
    there = [word for word in words if (listing.root / f"{word}_labels.csv").is_file()]
    if not there:
        return False
    if len(there) > 1:
        raise DatasetFormatError(f"{listing.root} has {' and '.join(f'{word}_labels.csv' for word in there)}; keep one")
    word = there[0]
    path = listing.root / f"{word}_labels.csv"
    rows = _rows(path)
    folder = _folder_of(listing.root, word, rows)
    for place, file, label in rows:
        emotion = emotion_called(label, place) if is_emotion(label) else code_of(label, CODES, place)
        listing.add(split, f"{folder}{file}", emotion, id=f"{word}/{file}", place=place)
    return True


def _rows(path: Path) -> list[tuple[str, str, str]]:
    """(place, file name, label) of each face."""
    rows = list(csv_rows(path))
    if not rows:
        raise DatasetFormatError(f"{path} is empty; expected a row 'file name,label' for each face")
    first = rows[0][1]
    if any(is_picture(cell) for cell in first):
        at = _columns_by_content(first, path)
    else:
        at = columns_of(first, COLUMNS, path)
        rows = rows[1:]
    found = []
    for number, cells in rows:
        place = f"{path}, line {number}"
        if len(cells) <= max(at.values()) or not is_picture(cells[at["file name"]]):
            raise DatasetFormatError(f"{place}: {','.join(cells)!r}, expected a file name and a label")
        file = slashed(cells[at["file name"]])
        check_inside(file, place)
        found.append((place, file, cells[at["label"]]))
    return found


def _columns_by_content(first: list[str], path: Path) -> dict[str, int]:
    """Without a header: the one cell that is a file name, and the one other."""
    pictures = [at for at, cell in enumerate(first) if is_picture(cell)]
    if len(first) != 2 or len(pictures) != 1:
        raise DatasetFormatError(
            f"{path} has no header, and its first row {first} is not a file name and a label; expected two columns, or "
            "a header like ImageName,Label"
        )
    return {"file name": pictures[0], "label": 1 - pictures[0]}


def _folder_of(root: Path, word: str, rows: list[tuple[str, str, str]]) -> str:
    """Where the pictures of a list are, with a slash at its end: the place that has most of them."""
    places = (f"{word}/", f"images/{word}/", "images/", "")
    files = {file for _, file, _ in rows}
    return min(places, key=lambda place: len(absent_files(root, {place + file for file in files})))
