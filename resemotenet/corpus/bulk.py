"""Many pictures and films, read into two tables; stopped at any moment, it goes on where it was."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ..errors import CorpusError, VideoError
from ..reading.sources import Member, Unreadable, members
from .journal import BROKEN, NO_FACE, Counts, Journal, Outcome
from .tables import check_name, write_tables
from .work import Work, run

if TYPE_CHECKING:
    from ..reading.predictor import EmotionPredictor

# Seconds between two entries in the journal: what a kill costs at most is read again.
_ENTRY = 1.0
# Readings a second of a film that is read frame by frame and does not say its rate.
_USUAL_RATE = 25.0


@dataclass(frozen=True)
class Settings:
    """How many pictures are read.

    Attributes:
        out: the table of faces; the other one stands beside it.
        workers: pictures that are read at once.
        every: seconds between two readings of a film; None reads every frame.
        rate: pictures a second of a sequence.
        annotated: a folder for annotated copies, or None.
    """

    out: Path
    workers: int
    every: float | None = 0.2
    rate: float = 25.0
    annotated: Path | None = None

    @property
    def journal(self) -> Path:
        return self.out.with_name(f"{self.out.name}.unfinished")


def read_corpus(predictor: "EmotionPredictor", names: Sequence[str], settings: Settings) -> tuple[Counts, float]:
    """Read everything that the names stand for (``sources.members``).

    Returns:
        What is in the tables, and the seconds that this call took for its part.

    Raises:
        CorpusError: the tables cannot be written, are there already, or another call is at work on them.
        KeyboardInterrupt: as it came; what was read is in the journal.
    """
    start = time.perf_counter()
    with open_journal(predictor, members(dict.fromkeys(names), stdin=sys.stdin), settings) as journal:
        counts = journal.counts()
        work = Work(predictor, settings.every, settings.rate, settings.annotated)
        _collect(journal, counts, work, settings.workers)
        seconds = time.perf_counter() - start
        if settings.annotated is not None:
            _annotate_films(journal, settings)
        finish(journal, predictor, settings)
    return counts, seconds


def open_journal(predictor: "EmotionPredictor", found: Iterable[Member | Unreadable], settings: Settings) -> Journal:
    """The journal of this table, with everything entered that is to be read."""
    check_name(settings.out)
    if settings.out.exists() and not settings.journal.exists():
        raise CorpusError(f"{settings.out} is there already; remove it, or name another table")
    journal = Journal(settings.journal, _fixed(predictor, settings))
    journal.plan(found, lambda member: _expected(member, settings))
    return journal


def finish(journal: Journal, predictor: "EmotionPredictor", settings: Settings) -> None:
    """Write both tables and remove the journal."""
    rows = journal.rows("faces"), journal.rows("missed")
    write_tables(settings.out, *rows, predictor.labels, predictor.model.sha256())
    journal.remove()


def _fixed(predictor: "EmotionPredictor", settings: Settings) -> dict[str, Any]:
    """What must be the same when it goes on, or two kinds of rows would be mixed."""
    return {
        "model": predictor.model.sha256(),
        "precision": predictor.model.precision,
        "every": settings.every,
        "rate": settings.rate,
    }


def _expected(member: Member, settings: Settings) -> float:
    """How many readings it will take; a film that cannot be opened is one row."""
    if member.kind == "picture":
        return 1
    try:
        seconds = member.length(settings.rate)
    except VideoError:
        return 1
    return max(1.0, (seconds or 0) / (settings.every or 1 / _USUAL_RATE))


def _collect(journal: Journal, counts: Counts, work: Work, workers: int) -> None:
    """Read what is not done, and enter it, every second."""
    outcomes = run(work, journal.tasks(), workers)
    entered = time.monotonic()
    ready: list[Outcome] = []
    # disable=None: no bar where stderr is not a terminal.
    with tqdm(total=round(counts.expected), initial=counts.readings, unit="picture", disable=None) as bar:
        try:
            for outcome in outcomes:
                ready.append(outcome)
                add(counts, outcome)
                bar.set_postfix(faces=f"{counts.faces:,}", broken=counts.broken, refresh=False)
                bar.update(outcome.readings)
                if time.monotonic() - entered > _ENTRY:
                    journal.add(ready)
                    ready, entered = [], time.monotonic()
        finally:  # also where it is stopped: what is ready is kept
            journal.add(ready)
            outcomes.close()


def add(counts: Counts, outcome: Outcome) -> None:
    counts.readings += outcome.readings
    counts.now += outcome.readings
    counts.faces += len(outcome.faces)
    counts.without += _how_many(outcome, NO_FACE)
    counts.broken += _how_many(outcome, BROKEN)


def _how_many(outcome: Outcome, reason: str) -> int:
    return sum(row["reason"] == reason for row in outcome.missed)


def _annotate_films(journal: Journal, settings: Settings) -> None:
    from .film import annotate_film

    assert settings.annotated is not None
    for task in tqdm(journal.films(), disable=None, unit="film", desc="drawing"):
        target = (settings.annotated / task.target).with_suffix(".mp4")
        annotate_film(task.member, journal.faces_of(task.id), target, rate=settings.rate)
