"""A server's videos, as its tests need them."""

import asyncio
import io
import time
from collections.abc import Callable
from pathlib import Path

from demo.films import Film, Films
from demo.uploads import Uploads
from resemotenet import EmotionPredictor
from resemotenet.reading.following import quick_finder
from tests.demo.server import PATIENCE


class House:
    """A server's videos, and what lies in its folder."""

    def __init__(self, predictor: EmotionPredictor, folder: Path) -> None:
        self.folder, self.uploads = folder, Uploads(folder)
        self.films = Films(predictor, quick_finder(every_core=False), self.uploads)

    def upload(self, path: Path, address: str = "a") -> str:
        assert self.uploads.shares.take(address, path.stat().st_size)
        return self.uploads.keep(io.BytesIO(path.read_bytes()), address, path.stat().st_size)

    async def done(self, film: Film) -> None:
        await until(lambda: film.state in ("done", "refused"))

    def is_empty(self) -> bool:
        return list(self.folder.rglob("*")) == [] and self.uploads.shares._taken == {} == self.films._places._taken


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
