"""The page: layout and wiring only. What happens to a picture is in handlers.py, what is shown in markup.py."""

import contextvars
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from PIL import Image
from starlette.middleware import Middleware

from resemotenet import EmotionPredictor, LoadedModel
from resemotenet.errors import ImageError
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.drawing import color_of, text_color
from resemotenet.reading.faces import LOW_SCORE

from . import gate, guard, handlers, live, markup
from .browser import device_files
from .opening import Opening
from .origins import OriginCheck, Origins
from .sessions import keep_few_answers, remember_nothing
from .uploads import Uploads, UploadWatch

_WEB = Path(__file__).parent / "web"
_TITLE = "ResEmoteNet: emotions on faces"

# Settings for whoever runs the page: addresses of its code and of a dashboard, to which it links.
CODE, DASHBOARD = "RESEMOTENET_CODE", "RESEMOTENET_DASHBOARD"

# Pictures that wait to be read; the next is told that the server is busy.
_MAX_WAITING = 16

# Formats that browsers show and cameras write. No image/*: with it an iPhone sends HEIC instead of converting to JPEG.
_ACCEPT = "image/jpeg,image/png,image/webp,image/avif,image/gif,image/bmp,image/tiff"

_SYSTEM_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_SYSTEM_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

# Every so many seconds, uploads older than so many seconds go: those that no call ever asked for.
_ABANDONED = (60, 600)

# What scripts need that show faces.
_READING = ("ask.js", "camera.js", "words.js", "overlay.js", "cards.js", "why.js")
# Those of the tabs, and of the page, which is there when the first of them is.
_PICTURE = (
    *("numbers.js", "saving.js", "shrink.js", "pictures.js", "results.js", "take.js"),
    *("giving.js", "shot.js", "gallery.js", "picker.js", "page.js"),
)
_LIVE = ("reading.js", "numbers.js", "saving.js", "timeline.js", "recording.js", "live.js")
_STYLES = ("page.css", "faces.css", "picture.css", "live.css")

_UNANSWERED = "() => document.querySelector('#photo .picker').dispatchEvent(new Event('unanswered'))"

_Result = TypeVar("_Result")
_Call = Callable[[Any], Awaitable[dict[str, Any]]]  # of the page's scripts


def serve(
    reader: handlers.Reader,
    uploads: Uploads,
    *,
    at_once: int = 1,
    port: int | None = None,
    open_browser: bool = False,
) -> None:
    """Serve the page until interrupted.

    Args:
        reader: reads the pictures; its model also the camera's frames.
        uploads: of the folder that GRADIO_TEMP_DIR names.
        at_once: how many pictures; one already uses every core. More where reading is mostly waiting.
        port: None is GRADIO_SERVER_PORT, or else the first free one from 7860. The address is GRADIO_SERVER_NAME, or
            else this machine alone.
        open_browser: show the page in this machine's browser once it is there.
    """
    files = device_files.offered(reader.model, reader.source)
    page = build(reader, uploads, at_once, on_device=files is not None)
    launch(page, uploads, files, port=port, open_browser=open_browser).block_thread()


def launch(
    page: gr.Blocks,
    uploads: Uploads,
    files: device_files.Pending | None = None,
    *,
    port: int | None = None,
    open_browser: bool = False,
) -> gr.Blocks:
    """The page that ``build`` gave, served from now on; arguments as for ``serve``, and the files of the reader."""
    with _no_proxy():
        page.launch(
            server_port=port,
            inbrowser=open_browser,
            theme=_theme(),
            favicon_path=_WEB / "favicon.png",
            # Not "settings": nobody records the screen or installs the page here, and the theme is the system's.
            footer_links=["api", "gradio"],
            run_history=False,  # Gradio's default is that every call is stored in the visitor's browser
            enable_monitoring=False,
            ssr_mode=False,
            max_file_size=guard.MAX_BYTES,
            app_kwargs={"middleware": middleware(uploads, files)},
            prevent_thread_lock=True,
        )
    remember_nothing(page)
    page.server.config.timeout_graceful_shutdown = 1  # seconds; without it, as long as visitors stay connected
    return page


def middleware(uploads: Uploads, files: device_files.Pending | None = None) -> list[Middleware]:
    """What a request meets before Gradio, outermost first."""
    return [
        Middleware(OriginCheck, origins=Origins.of(os.environ)),
        Middleware(guard.BodyLimit),
        Middleware(gate.Gate),
        *([] if files is None else [Middleware(device_files.DeviceFiles, files=files)]),
        Middleware(UploadWatch, uploads=uploads),
        Middleware(
            Opening,
            title=_TITLE,
            description=markup.INVITATION,
            styles=_web(*_STYLES),
            masthead=markup.masthead(),
        ),
    ]


@contextmanager
def _no_proxy() -> Iterator[None]:
    """Gradio asks its own page whether it is there, which no proxy could say."""
    before = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        if before is None:
            del os.environ["no_proxy"]
        else:
            os.environ["no_proxy"] = before


def build(reader: handlers.Reader, uploads: Uploads, at_once: int = 1, *, on_device: bool = False) -> gr.Blocks:
    """The whole page, not started; arguments as for ``serve``.

    Args:
        on_device: whether browsers are offered the reader's files, so that they read themselves.
    """
    page = gr.Blocks(title=_TITLE, analytics_enabled=False, delete_cache=_ABANDONED)
    pictures, calls = PictureQueue(reader, at_once), live.CallQueue()
    with page:
        gr.HTML(markup.header(reader.source), apply_default_css=False)
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Picture"):
                _photo(pictures, reader.model, _explainer(reader.model, calls))
            with gr.Tab("Live camera"):
                _live(reader, calls, on_device)
        gr.HTML(markup.about(reader.model, reader.source, _links()), apply_default_css=False)
        _api(pictures, uploads)
    page.queue(max_size=_MAX_WAITING)
    keep_few_answers(page)
    return page


class PictureQueue:
    """Has pictures read in the order of their arrival, in threads of its own.

    Gradio would read each picture in whatever thread is free. Every thread has a heap and buffers of its own: two
    pictures of 25 megapixels took 180 MB more that way.

    Attributes:
        event: settings for the events of the page that lead here.
    """

    def __init__(self, reader: handlers.Reader, at_once: int = 1) -> None:
        self.event = {"concurrency_limit": at_once, "concurrency_id": "pictures"}
        self._reader = reader
        self._threads = ThreadPoolExecutor(at_once, "pictures")

    def answer(self, **asked: Any) -> dict[str, Any]:
        """``handlers.answer``."""
        return self._in_thread(partial(handlers.answer, self._reader, **asked))

    def report(self, data: bytes) -> dict[str, Any]:
        """The one JSON for the bytes of a picture."""
        return self._in_thread(lambda: self._reader.read(guard.open_picture(data)).to_dict())

    def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        # Gradio keeps whose call this is in context variables, and a GPU is lent on that visitor's account.
        return self._threads.submit(contextvars.copy_context().run, work).result()


def _links() -> dict[str, str]:
    """Where a visitor can go on to, as whoever runs the page says."""
    named = {"The code": os.environ.get(CODE), "All figures": os.environ.get(DASHBOARD)}
    return {name: address for name, address in named.items() if address}


def _theme() -> gr.themes.Base:
    """Fonts of the visitor's system: nothing is fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue="neutral", neutral_hue="neutral", radius_size="lg", font=_SYSTEM_FONTS, font_mono=_SYSTEM_MONO
    )


def _photo(pictures: PictureQueue, model: LoadedModel, explain_face: _Call) -> None:
    """One picture, and all that was read of it, which the browser draws."""
    picker = gr.HTML(
        value={"state": "empty"},
        html_template=_web("picture.html"),
        js_on_load=_web(*_READING, *_PICTURE),
        server_functions=[explain_face],
        apply_default_css=False,
        elem_id="photo",
        accept=_ACCEPT,
        max_bytes=guard.MAX_BYTES,
        examples=[_example(example) for example in handlers.EXAMPLES],
        nobody=markup.nobody("found"),
        **_faces(model),
    )

    def answer(event: gr.EventData) -> dict[str, Any]:
        return pictures.answer(picture=event.picture, example=event.example, shown=event.shown, request=event.request)

    asked = picker.picture(
        answer,
        inputs=None,
        outputs=picker,
        show_progress="hidden",
        trigger_mode="multiple",
        api_visibility="private",
        **pictures.event,
    )
    asked.failure(fn=None, js=_UNANSWERED)


def _faces(model: LoadedModel) -> dict[str, Any]:
    """What the scripts know that draw faces."""
    return {
        "nothing": markup.nothing_yet(),
        "card": markup.card(model.labels),
        "tones": {label: [color_of(label), text_color(color_of(label))] for label in model.labels},
        "doubt": LOW_SCORE,
    }


def _live(reader: handlers.Reader, calls: live.CallQueue, on_device: bool) -> None:
    """The camera's picture and its faces. The page asks by calls of its own, so nothing waits in Gradio's queue."""
    # Not turned: an empty room would be searched eight times, frame after frame. One core: other visitors need theirs.
    finder = MTCNNDetector(max_side=live.SEARCH_SIDE, turned=False, every_core=False)
    model = reader.model
    predictor = EmotionPredictor(
        model, device=model.device, backend=model.backend, detector=finder, source=reader.source
    )

    async def read_frame(asked: Any) -> dict[str, Any]:
        return await calls.run(lambda: live.answer(predictor, finder, asked))

    gr.HTML(
        html_template=_web("live.html"),
        js_on_load=_web(*_READING, *_LIVE),
        server_functions=[read_frame, _explainer(model, calls)],
        apply_default_css=False,
        elem_id="live",
        device=device_files.PATH[1:] if on_device else "",
        nobody=markup.nobody(),
        **_faces(model),
    )


def _explainer(model: LoadedModel, calls: live.CallQueue) -> _Call:
    async def explain_face(asked: Any) -> dict[str, Any]:
        answer = await calls.run(lambda: handlers.explain_face(model, asked))
        return answer if "busy" not in answer else {"refused": "Many are asking at the moment: please try again."}

    return explain_face


def _web(*files: str) -> str:
    """The content of files of ``web/``, one after the other."""
    return "\n".join((_WEB / file).read_text(encoding="utf-8") for file in files)


def _example(example: handlers.Example) -> dict[str, str]:
    with Image.open(handlers.EXAMPLES_FOLDER / example.file) as image:
        return {"name": example.name, "title": example.title, "picture": markup.thumbnail(image.convert("RGB"), 160)}


def _api(pictures: PictureQueue, uploads: Uploads) -> None:
    """``/predict``: one picture in, the one JSON out."""

    def predict(image: Any) -> dict[str, Any]:
        try:
            return pictures.report(_received(image, uploads))
        except ImageError as error:
            raise gr.Error(str(error), print_exception=False) from error

    upload = gr.Image(visible=False, label="image")
    # Gradio's own example is an address on the web, which this server would not fetch.
    upload.example_payload = lambda: {"path": "photo.jpg", "meta": {"_type": "gradio.FileData"}}  # type: ignore[method-assign]
    gr.on(
        [],  # no event of the page leads here
        predict,
        inputs=upload,
        outputs=gr.JSON(visible=False, label="report"),
        # gr.Image would decode the file, and answer one that is no picture with "error".
        preprocess=False,
        api_name="predict",
        api_description="Find the faces of one picture and read seven emotions from each. "
        "Send the file itself: a call that names an address is refused, nothing is fetched. "
        "The file is deleted once it is read.",
        **pictures.event,
    )


def _received(image: Any, uploads: Uploads) -> bytes:
    """The bytes of a picture as a caller of the API names it: a file uploaded before, or a data URI."""
    match image:
        case {"url": str(url)} if url.startswith("data:"):
            return guard.decode_data_uri(url)
        case {"path": str(path)}:
            return uploads.take(path)
    raise ImageError("There is no picture in this call.")
