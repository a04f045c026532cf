"""Videos that visitors give: a few are read at once, told as they are read, and gone when nobody asks any more.

All but the reading and drawing itself runs on the event loop, so nothing is locked: a thread adds to the lists of its
film, and the loop reads them.
"""

import asyncio
import json
import math
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from starlette.concurrency import run_in_threadpool

from resemotenet import EmotionPredictor
from resemotenet.corpus.film import annotate_film
from resemotenet.errors import CorpusError, ImageError, VideoError
from resemotenet.reading.following import Follower, Moment, watch
from resemotenet.reading.sources import Member
from resemotenet.reading.timeline import Sighting, timeline
from resemotenet.reading.video import Video

from . import guard
from .admission import BUSY
from .shares import Shares, Turns
from .uploads import Upload, Uploads

EVERY = 0.2  # seconds between two readings
SMOOTHING = 1.0  # seconds, of the timeline
AT_ONCE = 2  # videos that are read; others wait
# Videos that wait, are read, or whose results wait, of all addresses; one alone has half.
_PLACES = 16
# Seconds after the last question about a video when it goes; and when nobody waits for it to be read any more. Browsers
# let a page that nobody sees ask once a minute.
_KEPT, _ALONE = 600.0, 150.0
_LOOK_EVERY = 15.0
GONE = "This video is no longer here: please give it again."
_FAILED = "Something went wrong while this video was read: please try again."
_NO_ROOM = "The server has no room for the annotated video now: please try again later."
_TOO_LARGE = f"The annotated video would have more than {guard.MAX_FILM_BYTES // 1_000_000} MB: give a shorter one."


_Result = TypeVar("_Result")


class _LeftError(Exception):
    """Nobody waits for it any more."""


class _TooLargeError(Exception):
    pass


@dataclass(eq=False)
class Film:
    """A video in the house.

    Attributes:
        id: by which its visitor asks about it; nobody else knows it.
        head: of the one JSON what is the same for all frames; None before the first one was read.
        moments: {"time", "faces"} as JSON, of each frame that was read.
        problem: what is wrong with it, in one sentence.
        summary: ``Timeline.to_dict``, once it is read.
        drawn: how many seconds of the annotated copy there are; the copy; or why there is none. None: nobody wants it.
        asked: when somebody asked about it last.
        busy: a thread reads or draws it.
    """

    upload: Upload
    video: Video
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: Literal["waiting", "reading", "done", "refused"] = "waiting"
    head: dict[str, Any] | None = None
    moments: list[str] = field(default_factory=list)
    problem: str | None = None
    summary: dict[str, Any] | None = None
    drawn: float | Path | str | None = None
    asked: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    busy: bool = False
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    @property
    def copy(self) -> Path | None:
        """The annotated copy, once it is there."""
        return self.drawn if isinstance(self.drawn, Path) else None

    def add(self, moment: Moment) -> None:
        told = moment.to_dict()
        if self.head is None:
            self.head = {name: told[name] for name in ("schema", "model", "image")}
        told = {"time": told["time"], "faces": told["faces"]}
        self.moments.append(json.dumps(told, separators=(",", ":")))  # a tenth of what the objects take

    def sightings(self) -> Iterator[Sighting]:
        for moment in map(json.loads, self.moments):
            for face in moment["faces"]:
                yield Sighting(moment["time"], face["person"], face["probabilities"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """What ``annotate_film`` takes."""
        for moment in map(json.loads, self.moments):
            for face in moment["faces"]:
                yield {"time": moment["time"], **face, **dict(zip(("x1", "y1", "x2", "y2"), face["box"], strict=True))}

    def report(self) -> dict[str, Any]:
        """All that was read, as the API gives it."""
        moments = [json.loads(each) for each in self.moments]
        duration = self.video.duration
        return {
            **(self.head or {}),
            "duration": None if duration is None else round(duration, 3),
            "every": EVERY,
            "problem": self.problem,
            "moments": moments,
            "timeline": self.summary,
        }


class Films:
    """The videos in the house.

    Args:
        predictor, finder: read them; neither may spread its work over all cores.
        uploads: where their files come from.
    """

    def __init__(self, predictor: EmotionPredictor, finder: Follower, uploads: Uploads) -> None:
        self.uploads = uploads
        self._predictor, self._finder = predictor, finder
        self._films: dict[str, Film] = {}
        self._places = Shares(_PLACES)
        self._reading = Turns(AT_ONCE, "films", _give_way, kept=False)
        self._drawing = Turns(1, "drawing", _give_way, kept=False)

    async def begin(self, path: str) -> Film:
        """Take an uploaded file, which is read when its turn comes.

        Raises:
            ImageError, VideoError: nobody uploaded it; it cannot be read; it is too long or too large.
        """
        upload = self.uploads.claim(path)
        try:
            film = Film(upload, await run_in_threadpool(guard.open_film, upload.path))
            if not self._places.take(upload.address):
                raise VideoError(BUSY)
        except BaseException:
            self.uploads.let_go(upload)
            raise
        if sum(each.state == "reading" for each in self._films.values()) < AT_ONCE:
            film.state = "reading"  # at once
        self._films[film.id] = film
        self._start(film, self._read_in_turn(film))
        asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look_after, film)
        return film

    async def whole(self, path: str) -> dict[str, Any]:
        """``Film.report`` of an uploaded file, once all of it is read; nothing is kept.

        Raises:
            ImageError, VideoError: as ``begin``, and where nothing of it can be read.
        """
        film = await self.begin(path)
        film.asked = math.inf
        try:
            await asyncio.wait(set(film.tasks))
            if film.state != "done":
                raise VideoError(film.problem or _FAILED)
            return await run_in_threadpool(film.report)
        finally:
            self.end(film.id)

    def find(self, film_id: object) -> Film | None:
        """A video that is here; it is asked about now."""
        film = self._films.get(film_id) if isinstance(film_id, str) else None
        if film is not None:
            film.asked = time.monotonic()
        return film

    def ahead(self, film: Film) -> int:
        """How many came before it and wait as well."""
        waiting = [each for each in self._films.values() if each.state == "waiting"]
        return waiting.index(film) if film in waiting else 0

    def draw(self, film: Film) -> None:
        """Have the annotated copy made, unless that was asked for before."""
        if film.state == "done" and (film.drawn is None or isinstance(film.drawn, str)):
            film.drawn = 0.0
            self._start(film, self._draw_in_turn(film))

    def end(self, film_id: object) -> None:
        """A video and all that was read of it go. Nothing happens where it is not here."""
        film = self._films.pop(film_id, None) if isinstance(film_id, str) else None
        if film is None:
            return
        film.ended.set()  # its threads look at that between two frames
        for task in film.tasks if not film.busy else ():
            task.cancel()  # waits for its turn
        if not film.tasks:
            self._release(film)

    def _start(self, film: Film, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        film.tasks.add(task)
        task.add_done_callback(lambda done: self._finish(film, done))

    def _finish(self, film: Film, done: "asyncio.Task[None]") -> None:
        film.tasks.discard(done)
        if not done.cancelled() and (error := done.exception()) is not None:
            film.state, film.problem = "refused", _FAILED
            print(f"error: a video could not be read: {error!r}", file=sys.stderr)
        if film.ended.is_set() and not film.tasks:
            self._release(film)

    def _release(self, film: Film) -> None:
        self._places.give_back(film.upload.address)
        if isinstance(film.drawn, Path):
            self.uploads.shares.give_back(film.upload.address, guard.MAX_FILM_BYTES)
        self.uploads.let_go(film.upload)

    def _look_after(self, film: Film) -> None:
        """It goes when nobody has asked for a while."""
        if film.ended.is_set():
            return
        silent = time.monotonic() - film.asked
        if silent > (_KEPT if film.state in ("done", "refused") else _ALONE):
            self.end(film.id)
        else:
            asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look_after, film)

    async def _read_in_turn(self, film: Film) -> None:
        await self._reading.run(film.upload.address, lambda: self._at_work(film, self._read))

    @staticmethod
    def _at_work(film: Film, work: Callable[[Film], _Result]) -> _Result:
        film.busy = True
        try:
            return work(film)
        finally:
            film.busy = False

    def _read(self, film: Film) -> None:
        film.state = "reading"
        frames = film.video.frames(every=EVERY)
        try:
            with closing(watch(self._predictor, frames, finder=self._finder)) as moments:
                for moment in moments:
                    if film.ended.is_set():
                        return
                    if moment.time > guard.MAX_FILM_SECONDS:
                        film.problem = f"Only the first {guard.MAX_FILM_SECONDS // 60} minutes of this video were read."
                        break
                    film.add(moment)
            complaint = frames.complaint if film.problem is None else None
        except (ImageError, VideoError) as error:
            complaint = str(error)
        if complaint is not None:
            film.problem = self._told(film, complaint)
        if film.head is None:
            film.state = "refused"
            return
        film.summary = timeline(film.sightings(), smoothing=SMOOTHING).to_dict()
        film.state = "done"

    @staticmethod
    def _told(film: Film, complaint: str) -> str:
        sentence = guard.about_film(complaint, film.upload.path)
        return sentence if film.head is None else sentence.replace("cannot be read", "is not whole", 1)

    async def _draw_in_turn(self, film: Film) -> None:
        address, shares = film.upload.address, self.uploads.shares
        if not shares.take(address, guard.MAX_FILM_BYTES):
            film.drawn = _NO_ROOM
            return
        try:
            film.drawn = await self._drawing.run(address, lambda: self._at_work(film, self._draw))
        except BaseException:
            film.drawn = _NO_ROOM
            raise
        finally:
            if not isinstance(film.drawn, Path):
                shares.give_back(address, guard.MAX_FILM_BYTES)

    def _draw(self, film: Film) -> Path | str:
        """The annotated copy, beside the video; or why there is none, in one sentence."""
        folder = film.upload.path.parent
        own = film.upload.length

        def before(seconds: float) -> None:
            if film.ended.is_set():
                raise _LeftError
            if sum(file.stat().st_size for file in folder.iterdir()) - own > guard.MAX_FILM_BYTES:
                raise _TooLargeError
            film.drawn = seconds

        member = Member("video", "video", str(film.upload.path))
        try:
            return annotate_film(member, film.rows(), folder / "annotated.mp4", before=before) or _FAILED
        except _LeftError:
            return GONE
        except _TooLargeError:
            return _TOO_LARGE
        except CorpusError as error:
            print(f"error: {error}", file=sys.stderr)
            return _NO_ROOM


def _give_way() -> None:
    """Threads that read videos let those that answer pictures and cameras go first."""
    if sys.platform == "linux":  # elsewhere this would be about the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
