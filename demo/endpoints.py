"""For programs: ``/predict``, ``/predict_many`` and ``/video``, in Gradio's API page and for its clients."""

from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import gradio as gr

from resemotenet.errors import ImageError, VideoError

from . import guard
from .films import EVERY, Films
from .pictures import PictureQueue

MOST = 100  # pictures of one call

_SENT = (
    "Send the file itself: a call that names an address is refused, nothing is fetched. With curl, send it first "
    '(curl -F "files=@{file}" ADDRESS/gradio_api/upload) and put the path that is answered into the call. '
    "The file is deleted once it is read."
)
ONE = f"Find the faces of one picture and read seven emotions from each. {_SENT.format(file='photo.jpg')}"
MANY = (
    f"The same for up to {MOST} pictures: a list in their order, each with its name. One that cannot be read has "
    f'"problem", a sentence, and the others are read. {_SENT.format(file="photo.jpg")}'
)
VIDEO = (
    f"Read a video {1 / EVERY:.0f} times a second: the faces of each moment with the number of their person, and of "
    "each person a timeline: smoothed probabilities, the share of time of each emotion, the change against the "
    f"person's own median. At most {guard.MAX_FILM_SECONDS // 60} minutes, {guard.MAX_FILM_BYTES // 1_000_000} MB and "
    f"{guard.MAX_FILM_SIZE[0]} by {guard.MAX_FILM_SIZE[1]} pixels. {_SENT.format(file='film.mp4')}"
)


class RefusalError(gr.Error):
    """One sentence for who called."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, print_exception=False)

    def __str__(self) -> str:
        return str(self.message)  # Gradio's own is quoted, as tools would tell it


class Endpoints:
    """What the named endpoints do; each raises ``RefusalError``."""

    def __init__(self, pictures: PictureQueue, films: Films) -> None:
        self._pictures, self._films = pictures, films

    async def predict(self, image: Any, asker: gr.Request) -> dict[str, Any]:
        """One picture in, the one JSON out."""
        try:
            return await self._pictures.report(asker, lambda: self._received(image))
        except ImageError as error:
            raise RefusalError(str(error)) from error

    async def predict_many(self, images: Any, asker: gr.Request) -> list[dict[str, Any]]:
        """Pictures in; of each the one JSON with its "name", or the "problem"."""
        images = images if isinstance(images, list) else []
        if not 0 < len(images) <= MOST:
            for image in images:
                self._films.uploads.drop(_path(image))
            raise RefusalError(f"A call brings a list of up to {MOST} pictures.")
        told = []
        for number, image in enumerate(images, start=1):
            name = _name(image) or f"picture {number}"
            try:
                report = await self._pictures.report(asker, lambda image=image: self._received(image))  # type: ignore[misc]
            except ImageError as error:
                report = {"problem": str(error)}
            told.append({"name": name, **report})
        return told

    async def video(self, video: Any, asker: gr.Request) -> dict[str, Any]:
        """A video in; its moments, and the timeline of each person, out."""
        try:
            return await self._films.whole(_path(video))
        except (ImageError, VideoError) as error:
            raise RefusalError(str(error)) from error

    def _received(self, image: Any) -> bytes:
        """The bytes of a picture as a caller names it: a file uploaded before, or a data URI."""
        match image:
            case {"url": str(url)} if url.startswith("data:"):
                return guard.decode_data_uri(url)
        return self._films.uploads.take(_path(image))

    def add(self) -> None:
        """To the page that is being built."""
        one, many, film = (
            gr.Image(visible=False, label="image"),
            gr.File(visible=False, label="images", file_count="multiple"),
            gr.File(visible=False, label="video"),
        )
        _show(one, _file("photo.jpg"))
        _show(many, [_file("a.jpg"), _file("b.jpg")])
        _show(film, _file("film.mp4"))
        self._offer("predict", self.predict, one, "report", ONE)
        self._offer("predict_many", self.predict_many, many, "reports", MANY)
        self._offer("video", self.video, film, "report", VIDEO)

    @staticmethod
    def _offer(name: str, call: Callable[..., Any], given: gr.components.Component, told: str, text: str) -> None:
        gr.on(
            [],  # no event of the page leads here
            call,
            inputs=given,
            outputs=gr.JSON(visible=False, label=told),
            preprocess=False,  # Gradio would decode a picture, and say "error" of one that it cannot read
            api_name=name,
            api_description=text,
            **PictureQueue.event,
        )


def _show(component: gr.components.Component, example: Any) -> None:
    """Gradio's own example is an address on the web, and it says that one may be given: this server fetches nothing."""
    component.example_payload = lambda: example  # type: ignore[method-assign]
    told = {**component.api_info(), "additional_description": "Sent, not named by an address."}
    component.api_info = lambda: told  # type: ignore[method-assign]


def _file(name: str) -> dict[str, Any]:
    return {"path": name, "meta": {"_type": "gradio.FileData"}}


def _path(file: Any) -> str:
    match file:
        case {"path": str(path)}:
            return path
    raise ImageError("There is no file in this call.")


def _name(file: Any) -> str:
    """What the caller calls a file, without folders."""
    match file:
        case {"orig_name": str(name)}:
            return PurePosixPath(PureWindowsPath(name).name).name[:200]
    return ""
