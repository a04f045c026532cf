"""What the page shows from its first moment: title and shape of the page, in the document that Gradio sends.

Gradio's own document is empty until its scripts have run, and jumps while they build it. Here it stays hidden until our
parts stand, behind what is shown at once; and it says what it is, not that it is made with Gradio.
"""

import gzip
import re
from html import escape
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What other sites show of a link to a page; Gradio's are about Gradio.
_ABOUT_GRADIO = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')
_BODY = re.compile(r"<body[^>]*>")

# The theme as Gradio will choose it; and a page that never stands is shown all the same.
_SCRIPT = """<script>
document.body.classList.toggle("dark",
  (new URLSearchParams(location.search).get("__theme") ?? "system") === "system"
    ? matchMedia("(prefers-color-scheme: dark)").matches
    : new URLSearchParams(location.search).get("__theme") === "dark");
setTimeout(() => document.documentElement.classList.add("stands"), 20000);
</script>"""
_SHAPE = """
<div class="gradio-container opening"><div class="main">{masthead}<div class="shape"></div></div></div>
<noscript>This page needs JavaScript.</noscript>"""


class Opening:
    """ASGI middleware that writes the page's beginning into the document at ``/``.

    Args:
        title, description: of the page, as plain text.
        styles: of the whole page.
        masthead: HTML of what stands first.
    """

    def __init__(self, app: "ASGIApp", *, title: str, description: str, styles: str, masthead: str) -> None:
        self.app = app
        self._head = (
            f"<title>{escape(title)}</title>\n"
            f'<meta name="description" content="{escape(description)}">\n'
            f"<style>{styles}</style>\n"
        )
        self._body = _SCRIPT + _SHAPE.format(masthead=masthead)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("GET", "/"):
            await self.app(scope, receive, send)
            return
        packed = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        # What is changed here must come as it is.
        plain = {**scope, "headers": [each for each in scope["headers"] if each[0] != b"accept-encoding"]}
        start: Message = {}
        body = bytearray()

        async def opened(message: "Message") -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body", False):
                return
            headers = MutableHeaders(raw=list(start["headers"]))
            sent = bytes(body)
            if start["status"] == 200 and headers.get("content-type", "").startswith("text/html"):
                sent = self.write(sent.decode()).encode()
                headers.add_vary_header("Accept-Encoding")
                if packed:
                    sent, headers["content-encoding"] = gzip.compress(sent, 6), "gzip"
                headers["content-length"] = str(len(sent))
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": sent})

        await self.app(plain, receive, opened)

    def write(self, document: str) -> str:
        """The document with title, styles and the first sight of the page in it."""
        document = _ABOUT_GRADIO.sub("", document).replace("</head>", f"{self._head}</head>", 1)
        return _BODY.sub(lambda body: body[0] + self._body, document, count=1)
