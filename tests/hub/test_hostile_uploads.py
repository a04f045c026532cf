"""A Hub that is nobody's friend, and something is to be put there."""

import time
from pathlib import Path
from typing import Any

import pytest

from resemotenet import errors
from resemotenet.checkpoints.hub import look_at_space, upload
from tests.hub.hostile import ALWAYS, files_outside_the_cache, in_one_sentence
from tests.hub.server import LoopbackHub

NAME = "owner/name"
STEPS = ("whoami", "repos/create", "/preupload/", "PUT /cdn", "/commit/", "/tag/")


def put(**how: Any) -> None:
    upload({"a.safetensors": b"weights"}, NAME, message="m", tag="v1", **how)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("where", STEPS)
def test_who_takes_for_ever_to_take_something(where: str, hub: LoopbackHub) -> None:
    hub.fail(where, times=ALWAYS, drip=0.1, drip_headers=True)
    with pytest.raises(errors.HubConnectionError, match=r"too slow.*try again later"):
        put()
    hub.going.set()
    asked = len(hub.requests)
    time.sleep(1.5)
    assert len(hub.requests) == asked, "nobody goes on trying in the dark"


@pytest.mark.parametrize("where", STEPS)
def test_a_refusal_without_an_end(where: str, hub: LoopbackHub) -> None:
    endless = {"message": "x" * 60_000, "endless": True, "headers": {"Content-Length": None, "X-Error-Message": None}}
    hub.fail(where, times=ALWAYS, status=403, **endless)
    with pytest.raises(errors.HubIntegrityError, match="sends more than") as caught:
        put()
    in_one_sentence(caught.value)
    assert hub.sent < 40 * 2**20


@pytest.mark.parametrize("where", ["whoami", "repos/create", "/refs", "/commit/"])
@pytest.mark.parametrize("body", [b"[" * 10**6, b"5", b"", b"[]", b'{"url": 5}', b"\xff"], ids=repr)
def test_answers_that_make_no_sense(body: bytes, where: str, hub: LoopbackHub) -> None:
    hub.fail(where, times=ALWAYS, edit=lambda _: body)
    try:
        put()
    except errors.HubError as error:
        in_one_sentence(error)
    else:
        assert where in ("whoami", "repos/create"), "of their answers nothing is used"


def test_an_upload_is_not_told_a_lie(hub: LoopbackHub) -> None:
    hub.fail("/commit/", edit=lambda body: body | {"commitOid": "\x1b[2J"})
    with pytest.raises(errors.HubIntegrityError, match="which is none") as caught:
        upload({"README.md": b"# hi"}, NAME, message="m")
    in_one_sentence(caught.value)


@pytest.mark.parametrize("tag", ["../evil", "{tmp}/evil", "0" * 40])
def test_the_card_of_a_space_that_leads_out_of_the_cache(tag: str, hub: LoopbackHub, tmp_path: Path) -> None:
    hub.create("spaces/owner/space", {"README.md": b"# hi"})
    hub.fail("HEAD", times=ALWAYS, headers={"ETag": f'"{tag.format(tmp=tmp_path)}"', "X-Linked-ETag": None})
    with pytest.raises(errors.HubIntegrityError, match="on record, but offers") as caught:
        look_at_space("owner/space")
    in_one_sentence(caught.value)
    assert files_outside_the_cache(tmp_path) == []


def test_the_card_of_a_space_without_an_end(hub: LoopbackHub) -> None:
    hub.create("spaces/owner/space", {"README.md": b"# hi"})
    hub.fail("GET .*resolve-cache", times=ALWAYS, endless=True, headers={"Content-Length": None})
    with pytest.raises(errors.HubIntegrityError, match="sends more than 4 bytes"):
        look_at_space("owner/space")
