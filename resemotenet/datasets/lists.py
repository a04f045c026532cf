"""Reading the lists that data sets come with: lines and CSV files with or without a header."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DatasetFormatError, DatasetNotFoundError
from ..reading.images import SUFFIXES

if TYPE_CHECKING:
    import pandas as pd


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, cells without surrounding spaces) of every row that is not empty.

    Raises:
        DatasetFormatError: it cannot be read, or is no text.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_separator(path))
            for cells in reader:
                if any(cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetFormatError(f"{path} cannot be read as a list: {_reason(error)}") from error


def _separator(path: Path) -> str:
    """What stands between the cells of a CSV, by its first line: Excel writes semicolons where numbers have commas."""
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline(10_000)
    return "," if "," in first else next((mark for mark in ";\t" if mark in first), ",")


def word_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, words) of every line that is not empty; errors as ``csv_rows``."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if words := line.split():
                    yield number, words
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetFormatError(f"{path} cannot be read as a list: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return "it is not UTF-8 text; save it as CSV (UTF-8)" if isinstance(error, UnicodeDecodeError) else str(error)


def columns_of(header: list[str], known: Mapping[str, tuple[str, ...]], path: Path) -> dict[str, int]:
    """Where the columns are, whatever their order.

    Args:
        header: the cells of the first row.
        known: column -> the names it goes by, in lower case.

    Raises:
        DatasetFormatError: a column is missing, or there twice.
    """
    lower = [cell.lower() for cell in header]
    found = {column: [at for at, cell in enumerate(lower) if cell in names] for column, names in known.items()}
    wrong = [column for column, places in found.items() if len(places) != 1]
    if wrong:
        expected = "; ".join(f"{column}: {' or '.join(names)}" for column, names in known.items())
        raise DatasetFormatError(
            f"{path} has the header {header}, in which {' and '.join(wrong)} cannot be identified; expected one column "
            f"each of {expected}"
        )
    return {column: places[0] for column, places in found.items()}


COLUMNS = {
    "file name": ("imagename", "image_name", "image", "filename", "file_name", "file", "path", "pth", "img", "name"),
    "label": ("label", "labels", "emotion", "class", "code", "target"),
}
"""Of a list of pictures with a label each: what the two columns are called in lists that go around."""

_SUFFIXES = tuple(SUFFIXES)


def is_picture(name: str) -> bool:
    """By its suffix."""
    return name.lower().endswith(_SUFFIXES)


def slashed(file: str) -> str:
    """A file name from a list, with forward slashes; lists made on Windows have the others."""
    return file.replace("\\", "/")


def pictures_in(folder: Path) -> list[Path]:
    """Files that are pictures by their suffix, sorted; hidden ones are no part of a data set."""
    return sorted(file for file in folder.iterdir() if is_picture(file.name) and not file.name.startswith("."))


def folders_in(folder: Path) -> list[Path]:
    """Sorted; hidden ones left out."""
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))


def suffix_of(path: Path) -> str:
    """In lower case: some systems write FER2013.CSV."""
    return path.suffix.lower()


def file_called(names: Iterable[str], folder: Path) -> Path | None:
    """The first of these files that is in a folder, in whatever case its name is written there."""
    there = {each.name.lower(): each for each in sorted(folder.iterdir(), reverse=True)} if folder.is_dir() else {}
    return next((there[name] for name in names if name in there and there[name].is_file()), None)


def first_there(*places: Path) -> Path | None:
    """The first of the places that exists."""
    return next((place for place in places if place.exists()), None)


def need_folder(root: Path, name: str, holds: str, origin: str) -> Path:
    """A folder of a data set.

    Raises:
        DatasetNotFoundError: it is not there; says what it should hold and which download gives it.
    """
    folder = root / name
    if not folder.is_dir():
        raise DatasetNotFoundError(f"{folder} is missing; expected {holds} there. It comes with {origin}")
    return folder


def need_file(root: Path, name: str, holds: str, origin: str) -> Path:
    """A list of a data set; errors as ``need_folder``."""
    file = root / name
    if not file.is_file():
        raise DatasetNotFoundError(f"{file} is missing; expected {holds}. It comes with {origin}")
    return file


def read_table(path: Path) -> "pd.DataFrame":
    """A CSV or Parquet file with its header, for columns that a table is the better form of.

    Raises:
        DatasetFormatError: it cannot be read.
    """
    import pandas as pd

    try:
        if suffix_of(path) == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, sep=_separator(path), skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own errors are ValueErrors
        raise DatasetFormatError(f"{path} cannot be read: {_reason(error)}") from error
    table.columns = [str(name).strip() for name in table.columns]
    return table


def need_columns(table: "pd.DataFrame", expected: Iterable[str], path: Path) -> None:
    """Raise DatasetFormatError unless the table has all these columns."""
    missing = [name for name in expected if name not in table]
    if missing:
        raise DatasetFormatError(f"{path} lacks the columns {missing}; it has {list(table.columns)}")
