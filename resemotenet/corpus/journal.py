"""What is done and what was read so far, in one SQLite file: killed at any moment, it holds each picture once or not.

What is read goes in together with the note that it is done, in one transaction, and the tables are written from here
at the end. Nothing of it is kept in memory.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CorpusError
from ..reading.sources import Member, Unreadable

JOURNAL_SCHEMA = 1
# Why a picture is in the second table; one that was read and could not be drawn is in both.
NO_FACE, BROKEN, NOT_DRAWN = "no face", "broken", "not drawn"

_TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE members (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, path BLOB NOT NULL, inside TEXT,
    target TEXT UNIQUE, expected REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0, after REAL, memory TEXT
);
CREATE INDEX undone ON members (id) WHERE done = 0;
CREATE TABLE faces (member INTEGER NOT NULL, time REAL, row TEXT NOT NULL);
CREATE TABLE missed (member INTEGER NOT NULL, time REAL, row TEXT NOT NULL);
CREATE INDEX faces_of ON faces (member);
CREATE INDEX missed_of ON missed (member);
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A member that is not done yet.

    Attributes:
        target: where its annotated copy goes, below the folder of them; unlike any other.
        after: of a film, the time of the last reading that is in; None before the first.
        memory: ``following.Memory.to_dict`` after that reading.
    """

    id: int
    member: Member
    target: str
    after: float | None = None
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one step of work gave: a picture, or a piece of a film.

    Attributes:
        readings: pictures or frames that it stands for.
        faces, missed: rows of the two tables, without "source".
        after, memory: of a film that is not done yet, as in ``Task``.
    """

    id: int
    readings: int
    faces: list[Row] = field(default_factory=list)
    missed: list[Row] = field(default_factory=list)
    done: bool = True
    after: float | None = None
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass
class Counts:
    """How far it is.

    Attributes:
        expected: pictures and frames of films that there will be.
        readings: those that are done; ``now`` of them by this call.
        faces, without, broken: rows; pictures without a face and broken ones are in the second table.
    """

    expected: float = 0.0
    readings: int = 0
    faces: int = 0
    without: int = 0
    broken: int = 0
    now: int = 0


class Journal:
    """The file; of one process at a time. A context manager.

    Args:
        settings: what the rows depend on. A journal begun with others does not mix with them.

    Raises:
        CorpusError: it was begun with other settings, another process has it, or it is no journal.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        try:
            self._base = sqlite3.connect(path, timeout=1, isolation_level=None)
            self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._base.execute("BEGIN IMMEDIATE")
            if not self._base.execute("SELECT name FROM sqlite_master WHERE name = 'settings'").fetchone():
                for statement in _TABLES.split(";\n"):
                    self._base.execute(statement)
                rows = [(name, json.dumps(value)) for name, value in {"schema": JOURNAL_SCHEMA, **settings}.items()]
                self._base.executemany("INSERT INTO settings VALUES (?, ?)", rows)
                self._base.executemany("INSERT INTO settings VALUES (?, '0')", [("readings",)])
            self._check({"schema": JOURNAL_SCHEMA, **settings})
            self._base.execute("COMMIT")
        except sqlite3.OperationalError as error:
            reason = "another call is at work on it" if "locked" in str(error) else str(error)
            raise CorpusError(f"{path}: {reason}") from error
        except sqlite3.DatabaseError as error:
            raise CorpusError(f"{path}: damaged or not of this program ({error}); remove it to begin anew") from error

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def _check(self, settings: dict[str, Any]) -> None:
        begun = {name: json.loads(value) for name, value in self._base.execute("SELECT name, value FROM settings")}
        for name, value in settings.items():
            if begun.get(name) != value:
                raise CorpusError(
                    f"{self.path} was begun with {name} {begun.get(name)!r}, and this call has {value!r}: finish it "
                    "with the settings it was begun with, or remove the file to begin anew"
                )

    def plan(self, found: Iterable[Member | Unreadable], expected: Callable[[Member], float]) -> None:
        """Enter what is to be read, unless it was before; what cannot be looked into is a row at once.

        Args:
            expected: how many readings a member will take.
        """
        with self._transaction():
            for each in found:
                name = _text(each.name)
                if self._base.execute("SELECT id FROM members WHERE name = ?", (name,)).fetchone():
                    continue
                if isinstance(each, Unreadable):
                    id = self._enter((name, "unreadable", b"", None, None, 0))
                    self._write(Outcome(id, 0, missed=[broken(each.message)]))
                else:
                    target = self._free_target(_text(each.below or "picture"))
                    self._enter((name, each.kind, os.fsencode(each.path), each.inside, target, expected(each)))

    def _enter(self, values: tuple[str, str, bytes, str | None, str | None, float]) -> int:
        columns = "name, kind, path, inside, target, expected"
        id = self._base.execute(f"INSERT INTO members ({columns}) VALUES (?, ?, ?, ?, ?, ?)", values).lastrowid
        assert id is not None
        return id

    def _free_target(self, below: str) -> str:
        path, target = Path(below), below
        (number,) = self._base.execute("SELECT COALESCE(MAX(id), 0) FROM members").fetchone()
        while self._base.execute("SELECT id FROM members WHERE target = ?", (target,)).fetchone():
            number += 1
            target = path.with_name(f"{path.stem}-{number}{path.suffix}").as_posix()
        return target

    def tasks(self) -> Iterator[Task]:
        """What is not done, in the order in which it was entered."""
        last = 0
        statement = (
            "SELECT id, name, kind, path, inside, target, after, memory FROM members WHERE done = 0 AND id > ? "
            "ORDER BY id LIMIT 256"
        )
        while rows := self._base.execute(statement, (last,)).fetchall():
            for last, name, kind, path, inside, target, after, memory in rows:
                member = Member(name, kind, os.fsdecode(path), inside)
                yield Task(last, member, target, after, json.loads(memory or "{}"))

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Write what was read, all or nothing."""
        with self._transaction():
            for each in outcomes:
                self._write(each)

    def _write(self, outcome: Outcome) -> None:
        for table, rows in (("faces", outcome.faces), ("missed", outcome.missed)):
            values = [(outcome.id, row.get("time"), json.dumps(row)) for row in rows]
            self._base.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", values)
        state = (outcome.done, outcome.after, json.dumps(outcome.memory) if outcome.memory else None, outcome.id)
        self._base.execute("UPDATE members SET done = ?, after = ?, memory = ? WHERE id = ?", state)
        self._base.execute("UPDATE settings SET value = value + ? WHERE name = 'readings'", (outcome.readings,))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # a full disk has ended it already
                    self._base.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise CorpusError(f"{self.path}: cannot be written ({error}); make room there; nothing is lost") from error

    def counts(self) -> Counts:
        """What is in so far."""
        (expected,) = self._base.execute("SELECT COALESCE(SUM(expected), 0) FROM members").fetchone()
        (readings,) = self._base.execute("SELECT value FROM settings WHERE name = 'readings'").fetchone()
        (faces,) = self._base.execute("SELECT COUNT(*) FROM faces").fetchone()
        reasons = dict(
            self._base.execute("SELECT json_extract(row, '$.reason'), COUNT(*) FROM missed GROUP BY 1").fetchall()
        )
        return Counts(expected, int(readings), faces, reasons.get(NO_FACE, 0), reasons.get(BROKEN, 0))

    def rows(self, table: str) -> Iterator[Row]:
        """All rows of "faces" or "missed", with "source", in the order of the members and of time."""
        assert table in ("faces", "missed")
        statement = (
            f"SELECT name, row FROM members JOIN {table} ON member = id ORDER BY id, {table}.time, {table}.rowid"
        )
        for name, row in self._base.execute(statement):
            yield {"source": name, **json.loads(row)}

    def faces_of(self, id: int) -> Iterator[Row]:
        """The rows of one member, in the order of time."""
        for (row,) in self._base.execute("SELECT row FROM faces WHERE member = ? ORDER BY time, rowid", (id,)):
            yield json.loads(row)

    def films(self) -> list[Task]:
        """All videos and sequences, done or not."""
        statement = "SELECT id, name, kind, path, target FROM members WHERE kind IN ('video', 'sequence') ORDER BY id"
        return [
            Task(id, Member(name, kind, os.fsdecode(path)), target)
            for id, name, kind, path, target in self._base.execute(statement)
        ]

    def remove(self) -> None:
        """Close the file and delete it: the tables are written."""
        self._base.close()
        self.path.unlink()


def _text(name: str) -> str:
    """A name that SQLite takes: bytes that are no text, in names of files, are written out."""
    return name.encode("utf-8", "backslashreplace").decode()


def broken(message: str, time: float | None = None) -> Row:
    """A row for what cannot be read."""
    return {"time": time, "reason": BROKEN, "message": message}
