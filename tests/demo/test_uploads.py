"""Uploaded pictures: given out once, then gone; never more than there is room for."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo import admission, guard
from demo.shares import Shares
from demo.uploads import UploadRoute, Uploads
from resemotenet.errors import ImageError

ROUTE = "/gradio_api/upload"
MOST = 100_000  # bytes of a request, where a test would send too much


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


@pytest.fixture
def server(uploads: Uploads) -> Iterator[TestClient]:
    async def other(request: Request) -> PlainTextResponse:
        return PlainTextResponse("other")

    routes = [Route(path, other, methods=["GET", "POST"]) for path in (ROUTE, "/other")]
    layers = [Middleware(guard.BodyLimit), Middleware(UploadRoute, uploads=uploads)]
    with TestClient(Starlette(routes=routes, middleware=layers), client=("192.0.2.1", 1)) as client:
        yield client


def files(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def send(server: TestClient, *contents: bytes) -> list[str]:
    answer = server.post(ROUTE, files=[("files", ("a name.jpg", content)) for content in contents])
    assert answer.status_code == 200, answer.text
    paths: list[str] = answer.json()
    return paths


def test_what_was_uploaded_is_given_out_once_and_deleted(server: TestClient, uploads: Uploads, tmp_path: Path):
    [path] = send(server, b"content")
    assert uploads.take(path) == b"content"
    assert files(tmp_path) == []
    with pytest.raises(ImageError, match="Nothing was uploaded"):
        uploads.take(path)


def test_callers_with_the_same_picture_have_a_file_each(server: TestClient, uploads: Uploads, tmp_path: Path):
    paths = [*send(server, b"content", b"content"), *send(server, b"content")]
    assert [uploads.take(path) for path in paths] == [b"content"] * 3
    assert files(tmp_path) == []


def test_a_large_upload_arrives_whole(server: TestClient, uploads: Uploads):
    content = bytes(range(256)) * 20_000
    [path] = send(server, content)
    assert uploads.take(path) == content


def test_no_path_says_anything_of_the_caller(server: TestClient, tmp_path: Path):
    [path] = send(server, b"content")
    assert re.fullmatch(r"[0-9a-f]{32}/picture", Path(path).relative_to(tmp_path).as_posix())


def test_what_was_not_uploaded_is_neither_given_out_nor_deleted(uploads: Uploads, tmp_path: Path):
    file = tmp_path / "picture"
    file.write_bytes(b"content")
    with pytest.raises(ImageError, match="Nothing was uploaded"):
        uploads.take(str(file))
    assert file.exists()


def test_a_file_that_was_swept_away_asks_for_the_picture_again(server: TestClient, uploads: Uploads):
    [path] = send(server, b"content")
    Path(path).unlink()
    with pytest.raises(ImageError, match="send it again"):
        uploads.take(path)


def test_what_nobody_asks_for_goes(uploads: Uploads, tmp_path: Path):
    path = uploads.keep(io.BytesIO(b"content"), "a", 7)
    assert uploads.shares.take("a", 7)
    uploads.drop(path)
    uploads.drop(path)  # asked for meanwhile, say
    assert files(tmp_path) == []
    assert uploads.shares._taken == {}


def test_uploads_of_all_have_a_bound_and_each_address_a_share(
    server: TestClient, uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(admission, "_PATIENCE", 0.1)
    uploads.shares = Shares(10_000)
    paths = [path for _ in range(4) for path in send(server, bytes(1000))]
    refused = server.post(ROUTE, files={"files": ("a.jpg", bytes(2000))})
    assert (refused.status_code, refused.json()) == (507, {"detail": admission.BUSY})
    assert len(paths) == len([file for file in files(tmp_path) if file.is_file()]) == 4
    with TestClient(server.app, client=("192.0.2.2", 1)) as other:
        send(other, bytes(2000))
    uploads.take(paths[0])
    send(server, bytes(1000))


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nno such thing", 400),
        ({"Content-Type": "multipart/form-data"}, b"--x", 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n" + bytes(MOST), 413),
    ],
)
def test_what_is_no_upload_is_refused_and_leaves_nothing(
    server: TestClient,
    uploads: Uploads,
    tmp_path: Path,
    headers: dict[str, str],
    body: bytes,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(guard, "MAX_UPLOAD_BYTES", MOST)
    assert server.post(ROUTE, content=body, headers=headers).status_code == status
    assert files(tmp_path) == []
    assert uploads.shares._taken == {}


def test_a_file_that_is_too_large_for_a_picture_is_not_read_as_one_and_goes(
    server: TestClient, uploads: Uploads, tmp_path: Path
):
    [path] = send(server, bytes(guard.MAX_BYTES + 1))
    with pytest.raises(ImageError, match="at most 15 MB"):
        uploads.take(path)
    assert files(tmp_path) == []
    assert uploads.shares._taken == {}


def test_what_was_claimed_stays_until_it_is_let_go_with_all_beside_it(
    server: TestClient, uploads: Uploads, tmp_path: Path
):
    [path] = send(server, b"content")
    upload = uploads.claim(path)
    uploads.drop(path)  # its time is over, and it is not only an upload any more
    assert upload.path.read_bytes() == b"content"
    (upload.path.parent / "beside").write_bytes(b"more")
    with pytest.raises(ImageError, match="Nothing was uploaded"):
        uploads.claim(path)
    uploads.let_go(upload)
    assert files(tmp_path) == []
    assert uploads.shares._taken == {}


def test_without_room_on_disk_there_is_a_sentence_and_nothing_is_left(
    server: TestClient, uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shutil.copyfileobj", full_disk)
    answer = server.post(ROUTE, files={"files": ("a.jpg", b"content")})
    assert answer.status_code == 507
    assert "no room" in answer.json()["detail"]
    assert files(tmp_path) == []
    assert uploads.shares._taken == {}


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_other_requests_go_on(server: TestClient):
    assert server.post("/other").text == "other"
    assert server.get(ROUTE).text == "other"
