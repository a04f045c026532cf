"""What the page asks about a video that it has uploaded, and the annotated copy."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo import films, video
from demo.video import FilmRoute
from tests.demo.house import House, until
from tests.demo.test_shares import apart


def test_the_page_gets_what_it_has_not_seen(house: House, clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(video, "_MOST", 4)

    async def visit() -> None:
        begun = await video.begin(house.films, {"path": house.upload(clip)})
        assert begun["duration"] == pytest.approx(3, abs=0.1)
        film = house.films.find(begun["film"])
        assert film is not None
        await house.done(film)
        seen, moments, states = 0, list[str](), list[str]()
        while not states or states[-1] != "done":
            answer = video.progress(house.films, {"film": begun["film"], "seen": seen})
            states.append(answer["state"])
            assert (answer["timeline"] is not None) == (answer["state"] == "done")
            seen, moments = answer["seen"], moments + answer["moments"]
        assert moments == film.moments
        assert len(states) == 4
        house.films.end(film.id)

    apart(visit())


@pytest.mark.parametrize("asked", [None, "text", {}, {"film": None}, {"film": ["a"]}, {"film": "a" * 32}, {"seen": -1}])
def test_whatever_else_is_asked_is_answered_in_one_sentence(house: House, asked: Any):
    assert video.progress(house.films, asked) == {"gone": films.GONE}
    refused = apart(video.begin(house.films, asked))["refused"]
    assert refused == "Nothing was uploaded under this path: send the file itself."


@pytest.mark.parametrize("seen", [-1, 10**9, 1.5, "2", None, True])
def test_a_number_that_means_nothing_begins_at_the_first_moment(house: House, clip: Path, seen: Any):
    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        assert video.progress(house.films, {"film": film.id, "seen": seen})["seen"] == len(film.moments)
        house.films.end(film.id)

    apart(visit())


def test_the_route_gives_the_copy_and_lets_it_go(house: House, clip: Path):
    async def other(request: Request) -> PlainTextResponse:
        return PlainTextResponse("other")

    app = Starlette(
        routes=[Route("/{path:path}", other, methods=["GET", "POST"])],
        middleware=[Middleware(FilmRoute, films=house.films)],
    )
    with TestClient(app) as visitor:
        assert visitor.portal is not None
        film = visitor.portal.call(house.films.begin, house.upload(clip))
        route = f"/gradio_api/film/{film.id}"
        assert (visitor.get(route).status_code, visitor.get(route).json()) == (404, {"detail": films.GONE})
        visitor.portal.call(house.done, film)
        visitor.portal.call(house.films.draw, film)
        visitor.portal.call(until, lambda: film.copy is not None)
        answer = visitor.get(route)
        assert film.copy is not None
        assert answer.content == film.copy.read_bytes()
        assert answer.headers["content-type"] == "video/mp4"
        assert "attachment" in answer.headers["content-disposition"]
        assert visitor.post(route).status_code == 204
        assert house.is_empty()
        assert visitor.get(route).status_code == 404
        assert visitor.get("/gradio_api/info").text == "other"
