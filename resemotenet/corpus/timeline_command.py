"""``python -m resemotenet timeline faces.parquet``: what a table of faces says of the people in its films over time."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..emotions import percent
from ..errors import CorpusError, printable
from .tables import SUFFIXES, Row, check_name, emotions_of, read_table, write_table

if TYPE_CHECKING:
    from ..reading.timeline import Sighting, Timeline

_PICTURE = ".svg"


def add_timeline(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command timeline."""
    command = commands.add_parser(
        "timeline",
        help="sum up each person of the films in a table that predict --out wrote",
        description="Of each person in a film: the share of time in which each emotion is the largest, what is usual "
        "for the person (the median over time), and how far it goes below and above that, in points.",
        epilog="exit codes: 0 all went well, 1 something failed, 2 wrong arguments",
    )
    command.add_argument("table", type=Path, metavar="TABLE", help="the table of faces: .parquet, .csv or .jsonl")
    command.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="write a plot with a row a person (.svg), or a row a reading with what it is and how it differs from the "
        "person's median (.parquet, .csv, .jsonl); may be given more than once",
    )
    command.add_argument("--film", metavar="SOURCE", help="only this film, named as in the table")
    command.add_argument("--smoothing", type=float, default=1.0, metavar="SECONDS", help="0: none (default: 1)")
    command.add_argument("--json", action="store_true", help="print JSON, one object and one line a film")
    command.set_defaults(run=_timeline, parser=command)


def _timeline(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.smoothing < float("inf"):
        arguments.parser.error(f"--smoothing must be a time in seconds from 0 up, got {arguments.smoothing}")
    for out in arguments.out:
        _check_target(out, arguments.table)
    films = dict(_films(arguments.table, arguments.smoothing, arguments.film))
    if not films:
        which = f"no film {arguments.film} with a face" if arguments.film else "no film with a face"
        raise CorpusError(f"{arguments.table}: {which} in it; films are read by predict FILM --out TABLE")
    for out in arguments.out:
        if out.suffix.lower() == _PICTURE:
            _draw(out, films)
        else:
            write_table(out, _rows(films), _columns(films))
    for source, film in films.items():
        print(json.dumps({"source": source, **film.to_dict()}) if arguments.json else _told(source, film))
    for out in arguments.out:
        print(printable(str(out)), file=sys.stderr)
    return 0


def _check_target(out: Path, table: Path) -> None:
    """Raises CorpusError where nothing can be written there."""
    if os.path.realpath(out) == os.path.realpath(table):
        raise CorpusError(f"--out {out}: this would write over the table that is read; name another file")
    if out.suffix.lower() != _PICTURE:
        if out.suffix.lower() not in SUFFIXES:
            raise CorpusError(f"--out {out}: the name must end in {', '.join((_PICTURE, *SUFFIXES))}")
        check_name(out)


def _films(table: Path, smoothing: float, only: str | None) -> "Iterator[tuple[str, Timeline]]":
    from ..reading.timeline import timeline

    seen = set()
    for source, rows in groupby(_of_people(table), key=lambda row: row["source"]):
        if source in seen:
            raise CorpusError(f"{table}: the rows of {source} do not stand together; sort them by source and time")
        seen.add(source)
        if only in (None, source):
            yield source, timeline(_sightings(rows), smoothing=smoothing)


def _of_people(table: Path) -> Iterator[Row]:
    """The rows of films."""
    for row in read_table(table):
        emotions = emotions_of(row) if {"source", "time", "person"} <= row.keys() else []
        if not emotions:
            raise CorpusError(f"{table}: not a table of faces, which has source, time, person and a column an emotion")
        if row["person"] is None:
            continue
        for name in ("time", "person", *emotions):
            if not isinstance(row[name], int | float):
                raise CorpusError(f"{table}: {name} of a row of {row['source']} is {row[name]!r}, expected a number")
        yield row


def _sightings(rows: Iterable[Row]) -> "Iterator[Sighting]":
    from ..reading.timeline import Sighting

    for row in rows:
        yield Sighting(row["time"], row["person"], {name: row[name] for name in emotions_of(row)})


def _draw(out: Path, films: "dict[str, Timeline]") -> None:
    if len(films) > 1:
        some = ", ".join(list(films)[:3])
        raise CorpusError(f"--out {out}: a plot is of one film, and there are {len(films)}; name it: --film {some}")
    (film,) = films.values()
    out.write_text(film.to_svg(), encoding="utf-8")


def _columns(films: "dict[str, Timeline]") -> dict[str, str]:
    labels = next(iter(films.values())).people[0].labels
    changes = (f"change_{label}" for label in labels)
    numbers = dict.fromkeys([*labels, *changes], "float32")
    return {"source": "string", "person": "int32", "time": "float64", "label": "string", **numbers}


def _rows(films: "dict[str, Timeline]") -> Iterator[Row]:
    for source, film in films.items():
        for each in film.people:
            columns = each.probabilities.round(4).tolist(), each.change.round(4).tolist()
            names = [*each.labels, *(f"change_{label}" for label in each.labels)]
            for time, values, changes in zip(each.times.tolist(), *columns, strict=True):
                label = each.labels[values.index(max(values))]
                numbers = dict(zip(names, [*values, *changes], strict=True))
                yield {"source": source, "person": each.person, "time": time, "label": label, **numbers}


def _told(source: str, film: "Timeline") -> str:
    """A film for people: three lines a person."""
    labels = film.people[0].labels
    widths = [max(10, len(label)) for label in labels]
    head = "  ".join(f"{label:>{width}}" for label, width in zip(labels, widths, strict=True))
    lines = [printable(source), f"  person  seconds          {head}"]
    for each in film.people:
        low, high = each.change.min(axis=0), each.change.max(axis=0)
        cells = {
            "time": [percent(share) for share in each.shares.values()],
            "usual": [percent(share) for share in each.median.values()],
            "change": [f"{_points(down)} to {_points(up)}" for down, up in zip(low, high, strict=True)],
        }
        for number, (name, row) in enumerate(cells.items()):
            first = "" if number else f"{each.person:8}  {each.seconds:7.1f}"
            told = "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
            lines.append(f"{first:17}  {name:6}  {told}")
    return "\n".join(lines)


def _points(change: float) -> str:
    points = round(100 * change)
    return f"{points:+d}" if points else "0"
