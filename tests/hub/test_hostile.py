"""A Hub that is nobody's friend: nothing is written or deleted outside of the cache, and all ends in a bound."""

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from resemotenet import errors
from resemotenet.checkpoints import hub_limits
from resemotenet.checkpoints.hub_files import forget
from resemotenet.checkpoints.pretrained import pull, resolve
from tests.hub.hostile import ALWAYS, files_outside_the_cache, in_one_sentence
from tests.hub.server import LoopbackHub

NAME = "owner/name"
WEIGHTS, SETTINGS = "HEAD .*/resolve/.*safetensors", "HEAD .*/resolve-cache/.*config.json"


@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag"])
@pytest.mark.parametrize("where", [WEIGHTS, SETTINGS], ids=["weights", "settings"])
@pytest.mark.parametrize(
    "tag",
    [
        "../evil",
        "../../../../evil",
        "{tmp}/evil",
        "..",
        ".",
        "evil",
        "a\\..\\evil",
        "0" * 64,
        "W/../../evil",
        "x" * 5000,
    ],
)
def test_a_tag_that_leads_out_of_the_cache(
    tag: str, where: str, header: str, hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    """huggingface_hub names a file of its cache, and the lock for it, after the ETag."""
    hub.fail(
        where, times=ALWAYS, headers={"ETag": None, "X-Linked-ETag": None, header: f'"{tag.format(tmp=tmp_path)}"'}
    )
    with pytest.raises(errors.HubIntegrityError, match="on record, but offers") as caught:
        pull(NAME, tmp_path / "out")
    in_one_sentence(caught.value)
    assert files_outside_the_cache(tmp_path) == []
    assert hub.asked("GET /cdn") == 0
    hub.failures.clear()
    pull(NAME, tmp_path / "out")


@pytest.mark.parametrize("refused", [False, True], ids=["file", "no file"])
@pytest.mark.parametrize("commit", ["../../../evil", "{tmp}/evil", "main", "0" * 40, ""])
def test_a_commit_that_leads_out_of_the_cache(
    commit: str, refused: bool, hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    """huggingface_hub has a folder for each commit, and notes there, too, which files a commit does not have."""
    answer = {"status": 404, "code": "EntryNotFound"} if refused else {}
    hub.fail("HEAD", times=ALWAYS, headers={"X-Repo-Commit": commit.format(tmp=tmp_path)}, **answer)
    with pytest.raises(errors.HubIntegrityError, match="on record, but offers") as caught:
        pull(NAME, tmp_path / "out")
    in_one_sentence(caught.value)
    assert files_outside_the_cache(tmp_path) == []


def test_only_blobs_of_the_cache_are_forgotten(tmp_path: Path) -> None:
    """Also where an earlier version, or another program, left a link that leads out."""
    folder = tmp_path / "models--owner--name" / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    for number, place in enumerate(
        ("thesis.tex", "models--owner--name/refs/main", "models--other--name/blobs/x", "models--owner--name/blobs/a/b")
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("years of work")
        for target in (tmp_path / place, os.path.relpath(tmp_path / place, folder)):
            (link := folder / f"{number}.json").symlink_to(target)
            forget(link)
            assert not link.is_symlink()
            assert (tmp_path / place).read_text() == "years of work"


NO_LENGTH = {"headers": {"Content-Length": None}}
SLOW: dict[str, tuple[str, dict[str, Any]]] = {
    "one byte at a time, of the weights": ("GET /cdn", {"drip": 0.1}),
    "one byte at a time, of the settings": ("GET .*resolve-cache", {"drip": 0.1}),
    "one byte at a time, without a length": ("GET /cdn", {"drip": 0.1, **NO_LENGTH}),
    "one byte at a time, of what there is": ("GET /api", {"drip": 0.1}),
    "headers a byte at a time": ("GET /api", {"drip": 0.1, "drip_headers": True}),
    "headers of a file a byte at a time": ("HEAD .*safetensors", {"drip": 0.1, "drip_headers": True}),
    "a refusal a byte at a time": ("HEAD .*safetensors", {"drip": 0.1, "drip_headers": True, "status": 500}),
    "a little, and the connection ends, for ever": ("GET /cdn", {"cut": 1}),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("where", "how"), SLOW.values(), ids=SLOW.keys())
def test_who_takes_for_ever_is_not_waited_for(
    where: str, how: dict[str, Any], hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    hub.fail(where, times=ALWAYS, **how)
    started = time.monotonic()
    with pytest.raises(errors.HubConnectionError, match=r"too slow.*try again later") as caught:
        pull(NAME, tmp_path / "out")
    assert time.monotonic() - started < 15
    in_one_sentence(caught.value)
    assert not (tmp_path / "out").exists()
    hub.going.set()
    hub.failures.clear()
    pull(NAME, tmp_path / "out")


@pytest.mark.parametrize("header", [{"Retry-After": "31536000"}, {"RateLimit": '"api";r=0;t=31536000'}], ids=str)
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("where", ["GET /api", "HEAD .*safetensors", "GET /cdn"])
def test_who_says_to_come_back_next_year_is_believed(
    where: str, status: int, header: dict[str, str], hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    hub.fail(where, times=ALWAYS, status=status, headers=header)
    with pytest.raises(errors.HubConnectionError, match="come back in 31536000 seconds") as caught:
        pull(NAME, tmp_path / "out")
    in_one_sentence(caught.value)
    hub.failures.clear()
    pull(NAME, tmp_path / "out")  # nothing waits on in the dark, with the cache locked


def test_a_slow_line_is_waited_for_as_long_as_bytes_come(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_limits, "PATIENCE", 1.0)
    monkeypatch.setattr(hub_limits, "SLOWEST", 200)
    hub.repositories[NAME].commit({"model.safetensors": bytes(1000)})
    hub.fail("GET /cdn", drip=0.003)
    started = time.monotonic()
    with pytest.raises(errors.CheckpointFormatError):  # it came, and is no model
        pull(NAME, tmp_path / "out")
    assert time.monotonic() - started > 3 * hub_limits.PATIENCE


LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "weights without an end": ("GET /cdn", {"endless": True, **NO_LENGTH}),
    "settings without an end": ("GET .*resolve-cache", {"endless": True, **NO_LENGTH}),
    "a list without an end": ("GET /api", {"endless": True, **NO_LENGTH}),
    "a refusal without an end": (
        "GET /api",
        {"status": 403, "message": "x" * 60_000, "endless": True, "headers": {"Content-Length": None}},
    ),
    "a refused file without an end": (
        "GET /cdn",
        {"status": 403, "message": "x" * 60_000, "endless": True, "headers": {"Content-Length": None}},
    ),
    "another size in the headers": ("safetensors", {"headers": {"X-Linked-Size": "1000000000000"}, "endless": True}),
    "a packed list": (
        "GET /api",
        {"edit": lambda body: gzip.compress(bytes(10**8)), "headers": {"Content-Encoding": "gzip"}},
    ),
    "a packed file": (
        "GET /cdn",
        {"edit": lambda body: gzip.compress(bytes(10**8)), "headers": {"Content-Encoding": "gzip"}},
    ),
    "a file packed in a way nobody has": ("GET /cdn", {"headers": {"Content-Encoding": "zstd, br"}}),
}


@pytest.mark.parametrize(("where", "how"), LARGE.values(), ids=LARGE.keys())
def test_more_than_was_announced_is_not_taken(
    where: str, how: dict[str, Any], hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    hub.fail(where, times=ALWAYS, **how)
    with pytest.raises(errors.HubIntegrityError) as caught:
        pull(NAME, tmp_path / "out")
    in_one_sentence(caught.value)
    assert hub.sent < 40 * 2**20, "what the limits allow, and what was on its way"
    assert files_outside_the_cache(tmp_path) == []
    kept = [path for path in Path(constants.HF_HUB_CACHE).rglob("*") if path.is_file() and path.stat().st_size > 10**6]
    assert kept == []


@pytest.mark.parametrize("where", ["HEAD", "GET .*(resolve|cdn)", "resolve|cdn"])
@pytest.mark.parametrize("header", ["Content-Length", "X-Linked-Size"])
@pytest.mark.parametrize("size", [None, "-1", "abc", "1e3", "", "9" * 5000])
def test_odd_sizes_in_headers(
    size: str | None, header: str, where: str, hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    """What came is what is on record, or it is refused; a size that nobody says is no reason to."""
    hub.fail(where, times=ALWAYS, headers={header: size})
    try:
        pull(NAME, tmp_path / "out")
    except errors.HubError as error:
        assert size is not None
        in_one_sentence(error)
        assert not (tmp_path / "out").exists()
    else:
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == model
        shutil.rmtree(tmp_path / "out")
    assert files_outside_the_cache(tmp_path) == []


def test_a_long_refusal_is_cut(hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path) -> None:
    hub.fail("GET /api", status=403, edit=None, message="go \x1b[2J\x07away " * 2000)
    with pytest.raises(errors.HubAccessError, match="your token lacks the right") as caught:
        pull(NAME, tmp_path / "out")
    in_one_sentence(caught.value)


def info(**changes: Any) -> dict[str, Any]:
    return {"edit": lambda body: body | changes}


def sibling(**changes: Any) -> dict[str, Any]:
    def edit(body: dict[str, Any]) -> dict[str, Any]:
        return body | {"siblings": [{**each, **changes} for each in body["siblings"]]}

    return {"edit": edit}


NONSENSE: dict[str, dict[str, Any]] = {
    "files that are a number": info(siblings=5),
    "files that are names": info(siblings=["config.json"]),
    "files that are null": info(siblings=[None]),
    "a name that is a number": sibling(rfilename=5),
    "a name that is a list": sibling(rfilename=["config.json"]),
    "a size below nothing": sibling(size=-1, lfs=None),
    "a size that is a word": sibling(size="900", lfs=None),
    "a size that is a fraction": sibling(size=900.5, lfs=None),
    "a size that is true": sibling(size=True, lfs=None),
    "a size that no text holds": sibling(size=10**4000, lfs=None),
    "no size": sibling(size=None, lfs=None),
    "a hash that is a path": sibling(blobId="../../evil", lfs=None),
    "a hash that is a number": sibling(blobId=5, lfs=None),
    "a hash that is longer": sibling(blobId="0" * 41, lfs=None),
    "LFS without a hash": sibling(lfs={"size": 1, "pointerSize": 1, "sha256": None}),
    "LFS that is a word": sibling(lfs="yes"),
    "a commit that is a path": info(sha="../../evil"),
    "a commit that is a number": info(sha=5),
    "no commit": info(sha=None),
    "a list": {"edit": lambda body: [body]},
    "a number": {"edit": lambda body: 5},
    "nothing": {"edit": lambda body: b""},
    "depth": {"edit": lambda body: b"[" * 10**6},
    "no UTF-8": {"edit": lambda body: b'{"sha": "\xff\xfe"}'},
    "NaN": {"edit": lambda body: b'{"sha": NaN}'},
    "a date that is none": info(lastModified="yesterday"),
}


@pytest.mark.parametrize("how", NONSENSE.values(), ids=NONSENSE.keys())
def test_what_makes_no_sense_is_not_believed(
    how: dict[str, Any], hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    hub.fail("GET /api", times=ALWAYS, **how)
    with pytest.raises(errors.HubIntegrityError) as caught:
        resolve(NAME)
    in_one_sentence(caught.value)
    assert hub.asked("/resolve|/cdn") == 0
    assert files_outside_the_cache(tmp_path) == []


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://x/y", "http://[", "//", "http://127.0.0.1:9/", "{self}"]
)
def test_being_sent_elsewhere(place: str, hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path) -> None:
    there = place.format(self=f"{hub.url}/{NAME}/resolve/main/model.safetensors")
    hub.fail(WEIGHTS, times=ALWAYS, headers={"Location": there})
    hub.fail("GET /owner.*safetensors", times=ALWAYS, headers={"Location": there})
    with pytest.raises(errors.HubError) as caught:
        pull(NAME, tmp_path / "out")
    in_one_sentence(caught.value)
    assert files_outside_the_cache(tmp_path) == []


def test_xet_is_not_spoken_where_it_would_pass_the_limits(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    route = f"{hub.url}/xet-route"
    hub.fail("HEAD", times=ALWAYS, headers={"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": route})
    pull(NAME, tmp_path / "out")
    assert hub.asked("xet-route") == 0


def test_answers_are_asked_for_as_they_are(hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path) -> None:
    """Packed ones are refused, so none must come from a Hub that is honest."""
    pull(NAME, tmp_path / "out")
    assert {request.encoding for request in hub.requests} == {"identity"}


def test_others_who_use_the_library_are_left_alone(hub: LoopbackHub, model: dict[str, bytes]) -> None:
    """The hooks are in the one HTTP client of the process; what is not asked by us has no limits of ours."""
    from huggingface_hub.utils._http import get_session

    resolve(NAME)
    hub.create("owner/data", {"large.txt": b"x" * (hub_limits.LARGEST_ANSWER + 1)})
    hub.fail("large", times=ALWAYS, headers={"ETag": '"not/a/hash"'})
    answer = get_session().get(f"{hub.url}/owner/data/resolve/main/large.txt")
    assert len(answer.content) == hub_limits.LARGEST_ANSWER + 1


def test_a_client_that_an_application_configured_is_kept(
    hub: LoopbackHub, model: dict[str, bytes], request: pytest.FixtureRequest
) -> None:
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils import _http

    made: list[object] = []

    def own() -> Any:
        made.append(client := _http.default_client_factory())
        return client

    set_client_factory(own)
    request.addfinalizer(lambda: set_client_factory(_http.default_client_factory))
    hub.fail("GET /api", edit=lambda body: json.dumps(body).encode() + b" " * hub_limits.LARGEST_ANSWER)
    with pytest.raises(errors.HubIntegrityError, match="sends more than"):
        resolve(NAME)
    assert made


def test_an_interrupt_leaves_no_half_file(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.fail("GET /cdn", drip=0.001)
    seconds_left: Callable[[hub_limits.Exchange], float] = hub_limits.Exchange.seconds_left

    def interrupted(self: hub_limits.Exchange) -> float:
        if self.received > 10 and self.digest == hub.repositories[NAME].files()["model.safetensors"].sha256:
            raise KeyboardInterrupt
        return seconds_left(self)

    monkeypatch.setattr(hub_limits.Exchange, "seconds_left", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pull(NAME, tmp_path / "out")
    hub.going.set()
    time.sleep(0.2)
    assert list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete")) == []
    assert not (tmp_path / "out").exists()
