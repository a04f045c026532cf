"""Everything that can go wrong between us and the Hub: its own error, nothing half-done, and then a retry succeeds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from resemotenet import errors
from resemotenet.checkpoints.hub import Upload, page, upload
from resemotenet.checkpoints.pretrained import pull
from resemotenet.publishing.publication import prepare
from tests.hub.server import LoopbackHub

NAME = "owner/name"
LATER, ALWAYS = {"Retry-After": "0"}, float("inf")
REFUSED = {"status": 401, "message": "Invalid credentials in Authorization header"}


@dataclass(frozen=True)
class Case:
    """An order to the hub, the error that it must end in, and what the message must say to do."""

    where: str
    order: dict[str, Any]
    error: type[errors.HubError]
    advice: str
    times: float = ALWAYS

    def happen(self, hub: LoopbackHub) -> None:
        hub.fail(self.where, times=self.times, **self.order)


PULL = {
    "token refused": Case("GET /api", REFUSED, errors.HubAccessError, "sign in anew: `hf auth login`"),
    "no right": Case("GET /api", {"status": 403}, errors.HubAccessError, "make one that has it"),
    "gated": Case("resolve", {"status": 403, "code": "GatedRepo"}, errors.HubAccessError, "accept its terms"),
    "no repository": Case("/api", {"status": 404, "code": "RepoNotFound"}, errors.HubNotFoundError, "check the name"),
    "no revision": Case("/api", {"status": 404, "code": "RevisionNotFound"}, errors.HubNotFoundError, "no such branch"),
    "too many questions": Case("GET /api", {"status": 429, "headers": LATER}, errors.HubConnectionError, "wait"),
    "too many downloads": Case("GET /cdn", {"status": 429, "headers": LATER}, errors.HubConnectionError, "wait"),
    "too many heads": Case("HEAD", {"status": 429, "headers": LATER}, errors.HubConnectionError, "wait"),
    "no answers": Case("GET /api", {"status": 500}, errors.HubConnectionError, "try again later"),
    "no heads": Case("HEAD", {"status": 502}, errors.HubConnectionError, "try again later"),
    "no downloads": Case("GET /cdn", {"status": 503}, errors.HubConnectionError, "try again later"),
    "half a question": Case("GET /api", {"cut": 20}, errors.HubConnectionError, "try again later"),
    "half the weights": Case("GET /cdn", {"cut": 0}, errors.HubConnectionError, "try again later"),
    "half the settings": Case("resolve-cache", {"cut": 0}, errors.HubConnectionError, "try again later"),
    "other weights": Case("GET /cdn", {"wrong": True}, errors.HubIntegrityError, "thrown away. Try again"),
    "other settings": Case("resolve-cache", {"wrong": True}, errors.HubIntegrityError, "thrown away. Try again"),
    "shorter weights": Case("GET /cdn", {"short": 9}, errors.HubIntegrityError, "thrown away; try again"),
    "no JSON": Case("GET /api", {"wrong": True}, errors.HubIntegrityError, "is .* the Hub"),
    "another service's JSON": Case("GET /api", {"status": 200}, errors.HubIntegrityError, "is .* the Hub"),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_nothing_bad_is_kept(hub: LoopbackHub, out: Path) -> None:
    """No folder, none half-made beside it, and in the cache only files that are what the Hub has."""
    assert not out.exists()
    assert [path.name for path in out.parent.iterdir() if "new" in path.name] == []
    cache = Path(constants.HF_HUB_CACHE)
    kept = [path for path in cache.rglob("blobs/*") if path.is_file()] if cache.exists() else []
    true = {file.etag: file.content for file in hub.repositories[NAME].files().values()}
    assert {path.name: path.read_bytes() for path in kept}.items() <= true.items()


@pytest.mark.parametrize("case", PULL.values(), ids=PULL.keys())
def test_a_failed_pull(
    case: Case,
    hub: LoopbackHub,
    model: dict[str, bytes],
    tmp_path: Path,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    case.happen(hub)
    with pytest.raises(case.error, match=case.advice) as caught:
        pull(NAME, tmp_path / "out")
    assert type(caught.value) is case.error
    assert hub.token not in str(caught.value) + caplog.text
    assert len(hub.requests) < 25, "tries are bounded"
    assert sum(waits) < 60
    assert_nothing_bad_is_kept(hub, tmp_path / "out")
    hub.failures.clear()
    pull(NAME, tmp_path / "out")
    assert contents(tmp_path / "out") == model


PUSH = {
    "token refused": Case("whoami", REFUSED, errors.HubAccessError, "sign in anew: `hf auth login`"),
    "no commits": Case("POST .*/commit/", {"status": 403}, errors.HubAccessError, "make one that has it"),
    "no uploads": Case("PUT /cdn", {"status": 403}, errors.HubAccessError, "make one that has it"),
    "too many questions": Case("whoami", {"status": 429, "headers": LATER}, errors.HubConnectionError, "wait"),
    "too many uploads": Case("PUT /cdn", {"status": 429, "headers": LATER}, errors.HubConnectionError, "wait"),
    "too many commits": Case("/commit/", {"status": 429, "headers": LATER}, errors.HubConnectionError, "wait"),
    "no preparation": Case("/preupload/", {"status": 500}, errors.HubConnectionError, "try again later"),
    "failing uploads": Case("PUT /cdn", {"status": 503}, errors.HubConnectionError, "try again later"),
    "failing commits": Case("/commit/", {"status": 500}, errors.HubConnectionError, "try again later"),
    "half an answer": Case("/preupload/", {"cut": 5}, errors.HubConnectionError, "try again later"),
    "half an upload": Case("PUT /cdn", {"cut": 1}, errors.HubConnectionError, "try again later"),
}


def push(folder: Path, name: str = NAME, **how: Any) -> Upload:
    """As the command does it, but errors come out."""
    return upload(prepare(folder, name, page=page(name)).files, name, message="test", **how)


@pytest.mark.parametrize("case", PUSH.values(), ids=PUSH.keys())
def test_a_failed_push(
    case: Case, hub: LoopbackHub, model_folder: Path, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    before = hub.create(NAME, {"README.md": b"old"}).sha()
    case.happen(hub)
    with pytest.raises(case.error, match=case.advice) as caught:
        push(model_folder)
    assert type(caught.value) is case.error
    assert hub.token not in str(caught.value) + caplog.text
    assert len(hub.requests) < 30, "tries are bounded"
    assert sum(waits) < 90
    assert hub.repositories[NAME].sha() == before
    hub.failures.clear()
    push(model_folder)
    files = hub.repositories[NAME].files()
    assert files["model.safetensors"].content == (model_folder / "model.safetensors").read_bytes()
    assert len(hub.repositories[NAME].commits) == 3


def test_a_push_to_what_belongs_to_others(hub: LoopbackHub, model_folder: Path) -> None:
    before = hub.create("stranger/public").sha()
    hub.create("stranger/secret", private=True)
    for name in ("stranger/public", "stranger/secret", "stranger/none"):
        with pytest.raises(errors.HubAccessError, match="make one that has it"):
            push(model_folder, name)
    assert hub.repositories["stranger/public"].sha() == before
    assert "stranger/none" not in hub.repositories
    assert (
        push(model_folder, "stranger/public", pull_request=True).pull_request
        == f"{hub.url}/stranger/public/discussions/1"
    )


def test_the_hub_recovers_within_one_pull(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, waits: list[float]
):
    hub.fail("GET /api", times=2, status=500)
    hub.fail("HEAD .*config.json", status=502)
    hub.fail("HEAD .*safetensors", status=429, headers=LATER)
    hub.fail("GET /cdn", status=429, headers=LATER)
    hub.fail("GET /cdn", cut=300_000)
    pull(NAME, tmp_path / "out")
    assert contents(tmp_path / "out") == model
    assert hub.asked("GET /cdn") == 3, "refused, cut, and the rest"
    assert 0 < sum(waits) < 15


def test_the_hub_recovers_within_one_push(hub: LoopbackHub, model_folder: Path, waits: list[float]) -> None:
    hub.fail("whoami", times=2, status=503)
    hub.fail("/preupload/", status=429, headers=LATER)
    hub.fail("PUT /cdn", status=500)
    hub.fail("/commit/", status=500)
    done = push(model_folder, tag="v1")
    repository = hub.repositories[NAME]
    assert repository.sha("v1") == repository.sha() == done.revision
    assert len(repository.commits) == 2
    assert 0 < sum(waits) < 15


def test_requests_that_are_refused_as_too_many_do_not_become_more(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, waits: list[float]
) -> None:
    """The client asks again, after the time that the Hub names, and then no more."""
    hub.fail("/cdn/|/resolve/", times=ALWAYS, status=429, headers={"Retry-After": "7"})
    with pytest.raises(errors.HubConnectionError, match="wait some minutes"):
        pull(NAME, tmp_path / "out")
    assert len(hub.requests) == 1 + 7
    assert waits == [8.0] * 5


def test_an_answer_that_was_lost_is_found_by_the_retry(hub: LoopbackHub, model_folder: Path) -> None:
    hub.fail("POST .*/commit/", cut=9)
    with pytest.raises(errors.HubConnectionError, match="try again later"):
        push(model_folder, tag="v1")
    repository = hub.repositories[NAME]
    assert len(repository.commits) == 2, "made, though nobody was told"
    assert push(model_folder, tag="v1").revision == repository.sha() == repository.sha("v1")
    assert len(repository.commits) == 2


@pytest.mark.parametrize("where", ["repos/create", "PUT /cdn", "/commit/", "/tag/"])
def test_a_gateway_that_loses_patience_though_all_was_done(
    where: str, hub: LoopbackHub, model_folder: Path, waits: list[float]
) -> None:
    hub.fail(where, status=504, done=True)
    revision = push(model_folder, tag="v1").revision
    repository = hub.repositories[NAME]
    assert revision == repository.sha() == repository.sha("v1")
    assert len(repository.commits) == 2


def test_a_pull_request_is_not_opened_twice(hub: LoopbackHub, model_folder: Path, waits: list[float]) -> None:
    repository = hub.create(NAME)
    hub.fail("/commit/", status=504, done=True)
    with pytest.raises(errors.HubConnectionError):
        push(model_folder, pull_request=True)
    assert [ref for ref in repository.refs if "pr" in ref] == ["refs/pr/1"]


def test_half_a_cache_is_no_cache(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, waits: list[float]
) -> None:
    """The settings came, the weights did not: without network nothing is made of the half."""
    hub.fail("/cdn/", times=ALWAYS, status=500)
    with pytest.raises(errors.HubConnectionError):
        pull(NAME, tmp_path / "out")
    hub.stop()
    for revision in (None, hub.repositories[NAME].sha(), "v1"):
        with pytest.raises(
            errors.HubConnectionError, match=r"nothing whole of owner/name.* is in the cache.*try again later"
        ):
            pull(NAME, tmp_path / "out", revision)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_went_bad_in_the_cache_is_fetched_again(
    name: str, hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    sha = pull(NAME, tmp_path / "one").revision
    (kept,) = Path(constants.HF_HUB_CACHE).rglob(f"snapshots/{sha}/{name}")
    kept.resolve().write_bytes(bytes(len(model[name])))
    pull(NAME, tmp_path / "two", revision=sha)
    assert contents(tmp_path / "two") == model


def test_a_pull_over_an_earlier_one_keeps_it_when_it_fails(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, waits: list[float]
) -> None:
    pull(NAME, tmp_path / "out")
    hub.repositories[NAME].commit({"README.md": b"# Newer\n"})
    hub.fail("/resolve", times=ALWAYS, status=500)
    with pytest.raises(errors.HubConnectionError):
        pull(NAME, tmp_path / "out")
    assert contents(tmp_path / "out") == model
    hub.failures.clear()
    pull(NAME, tmp_path / "out")
    assert contents(tmp_path / "out") == model | {"README.md": b"# Newer\n"}
