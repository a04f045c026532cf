"""What ``python -m dashboard`` serves: the pages, in a document that has their style and title from the first moment.

Streamlit's own document is empty. It brings the style with the content, and fetches what draws a table or a list when
one is to be drawn, with a bar in its place: the page jumps while it opens. Here the page is shown when it stands, and
until then it is said that it opens. What takes seconds to read is read once, from the start of the server on. On a host
that runs app.py itself the pages are the same but for that.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from html import escape
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.middleware import Middleware
from streamlit.starlette import App

# Streamlit puts the folder of this file on the path, not the one that holds the package.
if (root := str(Path(__file__).resolve().parents[1])) not in sys.path:
    sys.path.insert(0, root)

from dashboard.analysis.groups import usable
from dashboard.data import scan, scores
from dashboard.data.pictures import shared_pictures
from dashboard.options import OptionsError, read_options
from dashboard.widgets.steps import SCRIPT

HERE = Path(__file__).parent
TITLE = "ResEmoteNet results"
# Until the page stands, a progress bar alone is seen. One that never stands is shown all the same. Each part is hidden
# by itself, because Streamlit makes some of them visible whatever they are in.
_UNTIL = """
html:not(.stands) .stMain :not(.stProgress, .stProgress *) {visibility: hidden !important;}
html:not(.stands) body {color-scheme: light dark; background: light-dark(#ffffff, #0e1117);}
html:not(.stands) body::after {content: "The results are being read \\2026"; position: fixed; inset: 40% 0 auto;
  color: light-dark(#5c5c5c, #a8a8a8); font: 1rem/1.5 system-ui, sans-serif; text-align: center;}
"""
_STANDS = """
(() => {
  const stands = () => document.documentElement.classList.add("stands");
  setTimeout(stands, 20000);
  let calm = 0; // looks at which nothing was missing and nothing had moved
  let before;
  const look = () => {
    const height = document.querySelector(".stMainBlockContainer")?.scrollHeight;
    const drawn = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState === "notRunning"
      && document.querySelector(".stMain .stElementContainer")
      && !document.querySelector(".stMain [data-testid^=stSkeleton]");
    calm = drawn && height === before ? calm + 1 : 0;
    before = height;
    if (calm < 6) setTimeout(look, 50);
    else stands();
  };
  look();
})();
"""

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_Served = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class Opening:
    """ASGI middleware that writes style and title into the document."""

    def __init__(self, app: _Served) -> None:
        self.app = app
        style = (HERE / "page.css").read_text(encoding="utf-8")
        self._head = (
            f"<title>{escape(TITLE)}</title><style>{style}{_UNTIL}</style><script>{SCRIPT}{_STANDS}</script></head>"
        ).encode()

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _wants_document(scope):
            await self.app(scope, receive, send)
            return
        # What is changed here must come as it is, and whole.
        changed = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
        plain = {**scope, "headers": [each for each in scope["headers"] if each[0] not in changed]}
        start: _Message = {}
        body = bytearray()

        async def hold(message: _Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            document = bytes(body).replace(b"<title>Streamlit</title>", b"", 1).replace(b"</head>", self._head, 1)
            kept = [each for each in start["headers"] if each[0] not in (b"content-length", b"etag")]
            length = (b"content-length", str(len(document)).encode())
            await send({**start, "headers": [*kept, length]})
            await send({"type": "http.response.body", "body": document})

        await self.app(plain, receive, hold)


def _wants_document(scope: _Message) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _read_ahead() -> None:
    """What the first page needs and what --data names, while whoever has started this opens a browser."""
    try:
        options = read_options(sys.argv[1:])
    except OptionsError:  # which the page says
        return
    import_module("dashboard.views.overview")
    for run in usable(scan(options.folders)):
        scores(run)
    if options.data is not None:  # last: decoding thirty thousand faces would keep the first page waiting
        shared_pictures(options.data).problem()


@asynccontextmanager
async def _lifespan(app: App) -> AsyncIterator[None]:
    Thread(target=_read_ahead, name="ahead", daemon=True).start()
    yield


app = App(HERE / "app.py", middleware=[Middleware(Opening)], lifespan=_lifespan)
