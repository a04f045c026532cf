"""The page: layout and wiring only. What happens to a picture is in handlers.py, what is shown in markup.py."""

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from resemotenet import EmotionPredictor, LoadedModel
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.following import Follower, quick_finder

from . import admission, connections, gate, guard, handlers, live, markup, parts, tools, video
from .browser import device_files
from .endpoints import Endpoints
from .films import Films
from .opening import Opening
from .origins import OriginCheck, Origins
from .pictures import PictureQueue
from .sessions import remember_nothing
from .shares import Turns, address_of
from .uploads import UploadRoute, Uploads

# Settings for whoever runs the page: addresses of its code and of a dashboard, to which it links.
CODE, DASHBOARD = "RESEMOTENET_CODE", "RESEMOTENET_DASHBOARD"

_SYSTEM_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_SYSTEM_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

_UNANSWERED = "() => document.querySelector('#photo .picker').dispatchEvent(new Event('unanswered'))"

_Call = Callable[[Any, gr.Request], Awaitable[dict[str, Any]]]  # of the page's scripts


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
    films = films_for(reader, uploads)
    page = build(reader, films, at_once, on_device=files is not None)
    launch(page, films, files, port=port, open_browser=open_browser).block_thread()


def films_for(reader: handlers.Reader, uploads: Uploads) -> Films:
    """The videos that are read; with one core each, since other visitors need theirs."""
    finder = quick_finder(every_core=False)
    return Films(_here(reader, finder), finder, uploads)


def _here(reader: handlers.Reader, finder: Follower) -> EmotionPredictor:
    """Reads on this machine, whatever reads the pictures."""
    model = reader.model
    return EmotionPredictor(model, device=model.device, backend=model.backend, detector=finder, source=reader.source)


def launch(
    page: gr.Blocks,
    films: Films,
    files: device_files.Pending | None = None,
    *,
    port: int | None = None,
    open_browser: bool = False,
) -> gr.Blocks:
    """The page that ``build`` gave, served from now on; arguments as for ``serve``, and the files of the reader."""
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")  # uvicorn's default is this machine, where anybody may be
    with _no_proxy(), tools.offered(films.uploads):
        page.launch(
            server_port=port,
            max_threads=admission.PLACES,  # so many calls are in the house, and none waits in Gradio's own queue
            inbrowser=open_browser,
            theme=_theme(),
            favicon_path=parts.WEB / "favicon.png",
            # Not "settings": nobody records the screen or installs the page here, and the theme is the system's.
            footer_links=["api", "gradio"],
            run_history=False,  # Gradio's default is that every call is stored in the visitor's browser
            enable_monitoring=False,
            ssr_mode=False,
            max_file_size=guard.MAX_FILM_BYTES,
            app_kwargs={"middleware": middleware(page, films, files)},
            mcp_server=tools.installed(),
            prevent_thread_lock=True,
        )
    remember_nothing(page)
    connections.bound(page.server)
    page.server.config.timeout_graceful_shutdown = 1  # seconds; without it, as long as visitors stay connected
    return page


def middleware(page: gr.Blocks, films: Films, files: device_files.Pending | None = None) -> list[Middleware]:
    """What a request meets before Gradio, outermost first."""
    return [
        Middleware(OriginCheck, origins=Origins.of(os.environ)),
        Middleware(admission.Admission, queue=lambda: page._queue),
        Middleware(guard.BodyLimit),
        Middleware(gate.Gate),
        *([] if files is None else [Middleware(device_files.DeviceFiles, files=files)]),
        Middleware(UploadRoute, uploads=films.uploads),
        Middleware(video.FilmRoute, films=films),
        Middleware(
            Opening,
            title=parts.TITLE,
            description=markup.INVITATION,
            styles=parts.web(*parts.STYLES),
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


def build(reader: handlers.Reader, films: Films, at_once: int = 1, *, on_device: bool = False) -> gr.Blocks:
    """The whole page, not started; arguments as for ``serve``.

    Args:
        on_device: whether browsers are offered the reader's files, so that they read themselves.
    """
    page = gr.Blocks(title=parts.TITLE, analytics_enabled=False)
    pictures, calls = PictureQueue(reader, at_once), Turns(min(8, os.cpu_count() or 1), "calls")
    device = device_files.PATH[1:] if on_device else ""
    with page:
        gr.HTML(markup.header(reader.source), apply_default_css=False)
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Picture"):
                _photo(pictures, reader.model, _explainer(reader.model, calls), device)
            with gr.Tab("Live camera"):
                _live(reader, calls, device)
            with gr.Tab("Video"):
                _video(films, reader.model)
        gr.HTML(markup.about(reader.model, reader.source, _links()), apply_default_css=False)
        Endpoints(pictures, films).add()
    page.queue()
    return page


def _address(asker: gr.Request) -> str:
    return address_of(asker.client)


def _links() -> dict[str, str]:
    """Where a visitor can go on to, as whoever runs the page says."""
    named = {"The code": os.environ.get(CODE), "All figures": os.environ.get(DASHBOARD)}
    return {name: address for name, address in named.items() if address}


def _theme() -> gr.themes.Base:
    """Fonts of the visitor's system: nothing is fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue="neutral", neutral_hue="neutral", radius_size="lg", font=_SYSTEM_FONTS, font_mono=_SYSTEM_MONO
    )


def _photo(pictures: PictureQueue, model: LoadedModel, explain_face: _Call, device: str) -> None:
    """One picture, and all that was read of it, which the browser draws."""
    picker = gr.HTML(
        value={"state": "empty"},
        html_template=parts.web(parts.PICTURE.template),
        js_on_load=parts.web(*parts.PICTURE.scripts),
        server_functions=[explain_face],
        apply_default_css=False,
        elem_id="photo",
        **parts.picture_props(model, device),
    )

    async def answer(event: gr.EventData, asker: gr.Request) -> dict[str, Any]:
        asked = {"picture": event.picture, "example": event.example, "shown": event.shown, "request": event.request}
        return await pictures.answer(asker, **asked)

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


def _live(reader: handlers.Reader, calls: Turns, device: str) -> None:
    """The camera's picture and its faces. The page asks by calls of its own, so nothing waits in Gradio's queue."""
    # Once: an empty room would be searched nine times, frame after frame. One core: other visitors need theirs.
    finder = MTCNNDetector(max_side=live.SEARCH_SIDE, thorough=False, every_core=False)
    model, predictor = reader.model, _here(reader, finder)

    async def read_frame(asked: Any, asker: gr.Request) -> dict[str, Any]:
        return await calls.run(_address(asker), lambda: live.answer(predictor, finder, asked))

    gr.HTML(
        html_template=parts.web(parts.LIVE.template),
        js_on_load=parts.web(*parts.LIVE.scripts),
        server_functions=[read_frame, _explainer(model, calls)],
        apply_default_css=False,
        elem_id="live",
        **parts.live_props(model, device),
    )


def _video(films: Films, model: LoadedModel) -> None:
    """A video, which the page sends by itself, and asks about until it is read."""

    async def begin_film(asked: Any) -> dict[str, Any]:
        return await video.begin(films, asked)

    async def film_progress(asked: Any) -> dict[str, Any]:
        return video.progress(films, asked)

    gr.HTML(
        html_template=parts.web(parts.VIDEO.template),
        js_on_load=parts.web(*parts.VIDEO.scripts),
        server_functions=[begin_film, film_progress],
        apply_default_css=False,
        elem_id="film",
        **parts.video_props(model),
    )


def _explainer(model: LoadedModel, calls: Turns) -> _Call:
    async def explain_face(asked: Any, asker: gr.Request) -> dict[str, Any]:
        return await calls.run(_address(asker), lambda: handlers.explain_face(model, asked))

    return explain_face
