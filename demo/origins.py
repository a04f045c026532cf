"""Which other web sites may have to do with the page: none, unless whoever runs it says so.

Any site that a visitor has open can send requests here from the visitor's browser. Browsers say which site asks
(``Origin``) and under which name this server was reached (``Host``). A name that is not ours may be another site's that
was pointed here (DNS rebinding): what it asks would seem to come from ourselves, and it could read the answers. Numbers
cannot be pointed elsewhere, so any address of this machine will do.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Settings for whoever runs the page, words separated by commas or blanks.
HOSTS = "RESEMOTENET_HOSTS"  # further names under which it is reached, as through a proxy
EMBED_IN = "RESEMOTENET_EMBED_IN"  # sites that may show it in a frame and call it

_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")

# Gradio writes scripts and styles into the page, and makes functions out of text.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)


@dataclass(frozen=True)
class Origins:
    """What is known of names and sites.

    Attributes:
        own: names of this machine, in lower case.
        given: names that a proxy in front of it has. "*": any may be pointed here, as at a public server with nothing
            of its visitors' own network.
        sites: other origins that may show the page in a frame and call it. "*" is any.
    """

    own: frozenset[str]
    given: frozenset[str]
    sites: tuple[str, ...]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Origins":
        """As the settings say.

        Raises:
            ValueError: a site that is no origin.
        """
        machine = socket.gethostname().lower()
        own = {"localhost", machine, f"{machine}.local", environment.get("GRADIO_SERVER_NAME", "").lower()}
        given = {*_words(environment, HOSTS), urlsplit(environment.get("GRADIO_ROOT_PATH", "")).hostname or ""}
        sites = _words(environment, EMBED_IN)
        if "SPACE_ID" in environment:  # of Hugging Face, whose site shows it in a frame
            given |= {"*", environment.get("SPACE_HOST", "").lower()}
            sites = ["https://huggingface.co", *sites]
        for site in sites:
            if site != "*" and not _ORIGIN.fullmatch(site):
                raise ValueError(f"{EMBED_IN} takes sites such as https://example.org, without a path; got {site!r}")
        return cls(frozenset(own - {""}), frozenset(given - {""}), tuple(sites))

    def knows(self, host: str) -> bool:
        """Whether the page may be reached under what a request gives as ``Host``."""
        name = _name(host)
        return "*" in self.given or name in self.own | self.given or name.endswith(".localhost") or _is_number(name)

    def may_ask(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` may send requests to ``host``: the page itself, or a site that was named."""
        origin = origin.lower()
        if "*" in self.sites or origin in self.sites:
            return True
        if not _ORIGIN.fullmatch(origin):  # "null": a file, or a frame that is locked in
            return False
        asking = origin.partition("://")[2]
        return _short(asking) == _short(host.lower()) or _name(asking) in self.given

    def headers(self) -> dict[str, str]:
        """For every answer: who may frame the page, and that it loads nothing from elsewhere."""
        headers = {
            "Content-Security-Policy": _POLICY + " ".join(["'self'", *self.sites]),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }
        # For older browsers; it has no words for other sites.
        return headers if self.sites else {**headers, "X-Frame-Options": "SAMEORIGIN"}


def _words(environment: Mapping[str, str], name: str) -> list[str]:
    return environment.get(name, "").replace(",", " ").lower().split()


def _name(host: str) -> str:
    """Without the port: ``localhost:7860`` -> ``localhost``, ``[::1]:7860`` -> ``::1``."""
    name = host.lower()
    return name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0].rstrip(".")


def _short(host: str) -> str:
    """Without the port if it is the one that browsers leave out."""
    return re.sub(r":(80|443)$", "", host)


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class OriginCheck:
    """ASGI middleware that refuses requests of other sites and under other names, and sets the headers."""

    def __init__(self, app: "ASGIApp", origins: Origins) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.origins.headers().items():
                    headers.setdefault(name, value)  # a worker's file brings a tighter policy of its own
            await send(message)

        refusal = self._refusal(scope)
        answer = self.app if refusal is None else JSONResponse({"detail": refusal}, 403)
        await answer(scope, receive, with_headers)

    def _refusal(self, scope: "Scope") -> str | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self.origins.knows(hosts[0]):
            return f"This page is not known under this name: whoever runs it can name it in {HOSTS}."
        # A browser says nothing of the origin where a page loads a picture; a link may lead to the page itself.
        silent = not origins and headers.get("sec-fetch-site") == "cross-site" and not self.origins.sites
        if silent and scope["path"].startswith("/gradio_api/"):
            origins = ["null"]
        if not all(self.origins.may_ask(origin, hosts[0]) for origin in origins):
            return f"Other web sites may not ask here: whoever runs this page can name them in {EMBED_IN}."
        return None
