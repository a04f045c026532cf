"""The queue for pictures: whoever asks, page or program, addresses take turns."""

from collections.abc import Callable
from typing import Any, ClassVar

import gradio as gr

from . import guard, handlers
from .shares import Turns, address_of


class PictureQueue:
    """Has pictures read: addresses take turns.

    Attributes:
        event: settings for the events of the page that lead here.
    """

    event: ClassVar = {"concurrency_limit": None, "concurrency_id": "pictures"}

    def __init__(self, reader: handlers.Reader, at_once: int = 1) -> None:
        self._reader = reader
        self._turns = Turns(at_once, "pictures")

    async def answer(self, asker: gr.Request, **asked: Any) -> dict[str, Any]:
        """``handlers.answer``."""
        return await self._turns.run(address_of(asker.client), lambda: handlers.answer(self._reader, **asked))

    async def report(self, asker: gr.Request, receive: Callable[[], bytes]) -> dict[str, Any]:
        """The one JSON for the bytes of a picture."""
        return await self._turns.run(
            address_of(asker.client), lambda: self._reader.read(guard.open_picture(receive())).to_dict()
        )
