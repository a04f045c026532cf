"""Uploaded pictures: given out once for every upload, then gone."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo.uploads import Uploads, UploadWatch
from resemotenet.errors import ImageError


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "folder-of-its-own" / "picture.jpg"
    path.parent.mkdir()
    path.write_bytes(b"content")
    return path


def test_reading_deletes(uploads: Uploads, file: Path):
    uploads.expect(str(file))
    assert uploads.take(str(file)) == b"content"
    assert not file.exists()


def test_two_callers_with_the_same_picture_are_both_served(uploads: Uploads, file: Path):
    uploads.expect(str(file))
    uploads.expect(str(file))
    assert uploads.take(str(file)) == b"content"
    assert file.exists()
    assert uploads.take(str(file)) == b"content"
    assert not file.exists()


def test_nothing_is_remembered_of_what_was_read(uploads: Uploads, file: Path):
    """A server runs for months."""
    uploads.expect(str(file))
    uploads.take(str(file))
    with pytest.raises(ImageError):
        uploads.take("never uploaded")
    assert not uploads._expected


def test_what_was_not_uploaded_is_neither_given_out_nor_deleted(uploads: Uploads, file: Path):
    with pytest.raises(ImageError, match="Nothing was uploaded"):
        uploads.take(str(file))
    assert file.exists()


def test_an_upload_is_given_out_once(uploads: Uploads, file: Path):
    uploads.expect(str(file))
    uploads.take(str(file))
    file.write_bytes(b"another visitor's")
    with pytest.raises(ImageError, match="Nothing was uploaded"):
        uploads.take(str(file))
    assert file.exists()


def test_a_file_that_was_swept_away_asks_for_the_picture_again(uploads: Uploads, file: Path):
    uploads.expect(str(file))
    file.unlink()
    with pytest.raises(ImageError, match="send it again"):
        uploads.take(str(file))


def test_parts_of_broken_uploads_go_when_no_upload_is_arriving(uploads: Uploads, file: Path, tmp_path: Path):
    part = tmp_path / "part"
    with uploads.arriving():
        part.write_bytes(b"half a picture")
        with pytest.raises(ConnectionError), uploads.arriving():
            raise ConnectionError
        assert part.exists()  # it may belong to the upload that still runs
    assert not part.exists()
    assert file.exists()  # arrived whole, not read yet


@pytest.fixture
def server(uploads: Uploads, file: Path) -> TestClient:
    """Answers as Gradio does, with the file's path, on the upload route and on another."""

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse([str(file)], status_code=int(request.query_params.get("status", "200")))

    routes = [Route(path, answer, methods=["GET", "POST"]) for path in ("/gradio_api/upload", "/other")]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(UploadWatch, uploads=uploads)]))


def test_an_upload_is_expected_from_its_answer_on(server: TestClient, uploads: Uploads, file: Path):
    assert server.post("/gradio_api/upload").json() == [str(file)]
    assert uploads.take(str(file)) == b"content"


@pytest.mark.parametrize(
    ("method", "address"),
    [("POST", "/other"), ("GET", "/gradio_api/upload"), ("POST", "/gradio_api/upload?status=413")],
)
def test_other_answers_are_no_uploads(server: TestClient, uploads: Uploads, file: Path, method: str, address: str):
    assert server.request(method, address).json() == [str(file)]
    with pytest.raises(ImageError):
        uploads.take(str(file))
