"""The tab Video's server side: what the page asks about a video that it has uploaded, and the annotated copy."""

import re
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from resemotenet.errors import ImageError, VideoError

from . import gate
from .admission import refuse
from .films import GONE, Films

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_MOST = 200  # moments in one answer


async def begin(films: Films, asked: Any) -> dict[str, Any]:
    """Take an uploaded video.

    Args:
        asked: {"path"}, as the upload was answered. From outside, so anything may be in it.

    Returns:
        {"film": by which it is asked about, "duration": seconds or None}, or {"refused": one sentence}.
    """
    path = asked.get("path") if isinstance(asked, dict) else None
    try:
        film = await films.begin(path if isinstance(path, str) else "")
    except (ImageError, VideoError) as error:
        return {"refused": str(error)}
    return {"film": film.id, "duration": film.video.duration}


def progress(films: Films, asked: Any) -> dict[str, Any]:
    """What has come since the page asked last.

    Args:
        asked: {"film": as ``begin`` gave it, "seen": how many moments the page has, "draw": whether the annotated copy
            is wanted}. From outside, so anything may be in it.

    Returns:
        {"state", "ahead": how many wait before it, "head": what is the same for all moments, "moments": new ones, as
        JSON, "seen": how many are told with these, "problem", "timeline": once all of them are told, "drawn": None,
        seconds, True, or why not}; or {"gone": one sentence}.
    """
    film = films.find(asked.get("film")) if isinstance(asked, dict) else None
    if film is None:
        return {"gone": GONE}
    if asked.get("draw") is True:
        films.draw(film)
    state, seen = film.state, asked.get("seen")  # in this order: what is done has all its moments
    seen = seen if type(seen) is int and 0 <= seen <= len(film.moments) else 0
    moments = film.moments[seen : seen + _MOST]
    seen += len(moments)
    ended = state in ("done", "refused")
    all_told = ended and seen == len(film.moments)
    return {
        "state": "reading" if ended and not all_told else state,
        "ahead": films.ahead(film),
        "head": film.head,
        "moments": moments,
        "seen": seen,
        "problem": film.problem,
        "timeline": film.summary if all_told else None,
        "drawn": True if film.copy else film.drawn,
    }


class FilmRoute:
    """ASGI middleware: a video's visitor fetches its annotated copy (GET), and lets it go (POST)."""

    def __init__(self, app: "ASGIApp", films: Films) -> None:
        self.app = app
        self.films = films

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        named = re.fullmatch(gate.FILM, scope["path"]) if scope["type"] == "http" else None
        if named is None:
            await self.app(scope, receive, send)
            return
        if scope["method"] == "POST":
            self.films.end(named[1])
            await Response(status_code=204)(scope, receive, send)
            return
        film = self.films.find(named[1])
        copy = None if film is None else film.copy
        if copy is None:
            await refuse(HTTPException(404, GONE), scope, receive, send)
            return
        # Without a name: the page gives it that of the visitor's own file.
        headers = {"Content-Disposition": "attachment"}
        await FileResponse(copy, media_type="video/mp4", headers=headers)(scope, receive, send)
