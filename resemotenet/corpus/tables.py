"""The two tables: a row a face, and a row for each picture without one and each that cannot be read."""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

from ..emotions import canonical_order
from ..errors import CorpusError

SUFFIXES = (".parquet", ".csv", ".jsonl")

Row = dict[str, Any]

# Column -> its type in Parquet. "face" counts from 1 in its picture; boxes are pixels of the upright picture.
_FACES = {
    "source": "string",
    "time": "float64",
    "person": "int32",
    "face": "int32",
    "x1": "float32",
    "y1": "float32",
    "x2": "float32",
    "y2": "float32",
    "detection_score": "float32",
    "label": "string",
    "confidence": "float32",
    "not_sure": "bool",
    "width": "int32",
    "height": "int32",
    "model": "string",
}
_MISSED = {
    "source": "string",
    "time": "float64",
    "reason": "string",
    "message": "string",
    "width": "int32",
    "height": "int32",
    "model": "string",
}
_TYPES = {**_FACES, **_MISSED}
_BATCH = 10_000


def columns(labels: Sequence[str]) -> dict[str, str]:
    """The columns of the table of faces: a probability for each of the model's labels is the last."""
    return {**_FACES, **dict.fromkeys(canonical_order(labels), "float32")}


def emotions_of(row: Row) -> list[str]:
    """The columns of a row of the table of faces that are probabilities."""
    return [name for name in row if name not in _FACES]


def missed_path(out: Path) -> Path:
    """Where the second table goes: faces.csv -> faces.missed.csv."""
    return out.with_name(f"{out.stem}.missed{out.suffix}")


def check_name(out: Path) -> None:
    """Raises CorpusError where no table of that name can be written here."""
    if out.suffix.lower() not in SUFFIXES:
        raise CorpusError(f"{out}: the name of a table must end in {', '.join(SUFFIXES)}")
    if out.suffix.lower() == ".parquet":
        _parquet()
    if not out.parent.is_dir():
        raise CorpusError(f"{out.parent}: no such folder; make it first")


def write_tables(out: Path, faces: Iterable[Row], missed: Iterable[Row], labels: Sequence[str], model: str) -> None:
    """Both tables; each appears whole, or not at all.

    Raises:
        CorpusError: they cannot be written.
    """
    for path, rows, types in ((missed_path(out), missed, _MISSED), (out, faces, columns(labels))):
        write_table(path, ({**dict.fromkeys(types), **row, "model": model} for row in rows), types)


def write_table(path: Path, rows: Iterable[Row], types: dict[str, str]) -> None:
    """One table, which appears whole, or not at all.

    Args:
        types: column -> "string", "bool", "int32", "float32" or "float64", in their order; each row has all of them.

    Raises:
        CorpusError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        _write(fresh, path.suffix.lower(), rows, types)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise CorpusError(f"{path}: cannot be written ({error.strerror}); nothing is lost, try again") from error


def read_table(path: Path) -> Iterator[Row]:
    """The rows of a table that ``write_tables`` wrote, with numbers as numbers.

    Raises:
        CorpusError: it is none, or cannot be read.
    """
    check_name(path)
    try:
        yield from _rows(path)
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{path}: not a table of faces, or damaged ({error})") from error


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() == ".parquet":
        for batch in _parquet().ParquetFile(path).iter_batches(_BATCH):
            yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".jsonl":
            for line in file:
                told = json.loads(line)
                if not isinstance(told, dict):
                    raise ValueError(f"a line holds {line.strip()[:40]}, and a row is an object")
                yield told
            return
        for row in csv.DictReader(file):
            yield {name: _value(value, _TYPES.get(name, "float32")) for name, value in row.items()}


def _value(text: str, type: str) -> Any:
    if type == "string":
        return text
    if type == "bool":
        return text == "True"
    return None if text == "" else float(text) if type.startswith("float") else int(text)


def _write(path: Path, suffix: str, rows: Iterable[Row], types: dict[str, str]) -> None:
    if suffix == ".parquet":
        _write_parquet(path, rows, types)
        return
    with path.open("w", encoding="utf-8", newline="", errors="surrogateescape") as file:
        if suffix == ".csv":
            _write_csv(file, rows, list(types))
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)


def _write_csv(file: IO[str], rows: Iterable[Row], names: list[str]) -> None:
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(rows)


def _write_parquet(path: Path, rows: Iterable[Row], types: dict[str, str]) -> None:
    parquet = _parquet()
    import pyarrow

    kinds = {"string": pyarrow.string(), "bool": pyarrow.bool_(), "int32": pyarrow.int32()}
    kinds |= {"float32": pyarrow.float32(), "float64": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in types.items()])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        rows = iter(rows)
        while batch := list(islice(rows, _BATCH)):
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise CorpusError(
            "Parquet is written with PyArrow, which is not installed: pip install pyarrow; or name a .csv or .jsonl"
        ) from error
    return pyarrow.parquet
