"""The Hub on loopback is one that the real client accepts: without that, no other test here proves anything."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._http import get_session

from tests.hub.server import File, LoopbackHub

WEIGHTS = bytes(range(256)) * 50
CARD = b"---\nlicense: other\nlicense_name: mine\npipeline_tag: image-classification\n---\n# A model\n"
FILES = {"config.json": b'{"schema": 1}', "README.md": CARD, "model.safetensors": WEIGHTS}


@pytest.fixture
def api(hub: LoopbackHub) -> HfApi:
    return HfApi()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path | str) -> dict[str, bytes]:
    """The files below a folder, without the one that a Hub puts into every repository."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
    return {name: content for name, content in files.items() if name != ".gitattributes"}


@contextmanager
def process(*command: object) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def test_a_folder_goes_up_in_one_commit_and_comes_down_the_same(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    url = api.create_repo("owner/name")
    assert (url, url.repo_id) == (f"{hub.url}/owner/name", "owner/name")
    commit = api.upload_folder(repo_id="owner/name", folder_path=folder)
    repository = hub.repositories["owner/name"]
    assert len(repository.commits) == 2, "the first holds .gitattributes, the second everything"
    assert repository.sha() == commit.oid
    assert commit.commit_url == f"{hub.url}/owner/name/commit/{commit.oid}"
    assert [name for name, file in repository.files().items() if file.lfs] == ["model.safetensors"]
    assert contents(snapshot_download("owner/name")) == FILES
    info = api.model_info("owner/name", files_metadata=True)
    assert (info.sha, info.private, info.gated) == (commit.oid, False, False)
    assert info.card_data is not None
    assert info.card_data.pipeline_tag == "image-classification"
    assert {file.rfilename: file.size for file in info.siblings or ()}["model.safetensors"] == len(WEIGHTS)


def test_files_have_the_ids_that_git_gives_them(hub: LoopbackHub, api: HfApi, tmp_path: Path) -> None:
    hub.create("owner/name", FILES)
    of = {file.path: file for file in api.get_paths_info("owner/name", list(FILES))}
    listed = {file.path: file.blob_id for file in api.list_repo_tree("owner/name", recursive=True)}  # type: ignore[union-attr]
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(WEIGHTS).hexdigest()}\nsize 12800\n"
    )
    for name, content in (FILES | {"model.safetensors": pointer.encode()}).items():
        git = ["git", "hash-object", "--stdin"]
        expected = subprocess.run(git, input=content, capture_output=True, check=True).stdout.decode().strip()
        assert listed[name] == of[name].blob_id == expected  # type: ignore[union-attr]
    assert of["model.safetensors"].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()  # type: ignore[union-attr]


def test_what_did_not_change_is_not_sent_again(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    api.create_repo("owner/name")
    first = api.upload_folder(repo_id="owner/name", folder_path=folder)
    assert api.create_repo("owner/name", exist_ok=True).repo_id == "owner/name"
    assert api.upload_folder(repo_id="owner/name", folder_path=folder).oid == first.oid
    (folder / "config.json").write_text("{}")
    second = api.upload_folder(repo_id="owner/name", folder_path=folder)
    assert second.oid != first.oid
    assert hub.asked("PUT") == 1, "the weights, once"
    repository = hub.repositories["owner/name"]
    assert repository.files(second.oid)["config.json"].content == b"{}"
    assert repository.files(first.oid)["config.json"].content == FILES["config.json"]


def test_tags_and_commits_name_a_state_that_stays(hub: LoopbackHub, api: HfApi) -> None:
    first = hub.create("owner/name", FILES).sha()
    api.create_tag("owner/name", tag="v1", tag_message="first")
    hub.repositories["owner/name"].commit({"config.json": b"{}"})
    assert api.model_info("owner/name", revision="v1").sha == first
    for revision, content in {"main": b"{}", "v1": FILES["config.json"], first: FILES["config.json"]}.items():
        assert Path(hf_hub_download("owner/name", "config.json", revision=revision)).read_bytes() == content
    refs = api.list_repo_refs("owner/name")
    assert {ref.name: ref.target_commit for ref in refs.tags} == {"v1": first}
    assert [ref.name for ref in refs.branches] == ["main"]
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag("owner/name", tag="v1")


def test_a_pull_request_leaves_main_alone(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    repository = hub.create("owner/name", {"config.json": b"{}"})
    before = repository.sha()
    commit = api.upload_folder(repo_id="owner/name", folder_path=folder, create_pr=True)
    assert (commit.pr_num, commit.pr_revision) == (1, "refs/pr/1")
    assert commit.pr_url == f"{hub.url}/owner/name/discussions/1"
    assert repository.sha() == before
    assert contents(snapshot_download("owner/name", revision="refs/pr/1")) == FILES


def test_anyone_may_propose_but_not_push(hub: LoopbackHub, folder: Path) -> None:
    hub.create("owner/name")
    hub.accounts["hf_visitor"] = ("visitor",)
    visitor = HfApi(token="hf_visitor")
    with pytest.raises(HfHubHTTPError, match="403"):
        visitor.upload_folder(repo_id="owner/name", folder_path=folder)
    with pytest.raises(HfHubHTTPError, match="403"):
        visitor.create_repo("owner/other")
    assert visitor.upload_folder(repo_id="owner/name", folder_path=folder, create_pr=True).pr_num == 1


def test_a_space_has_its_own_addresses(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    assert api.create_repo("owner/name", repo_type="space", space_sdk="gradio") == f"{hub.url}/spaces/owner/name"
    (folder / "folder").mkdir()
    (folder / "folder" / "picture.bin").write_bytes(b"\0" * 9)
    api.upload_folder(repo_id="owner/name", folder_path=folder, repo_type="space")
    files = hub.repositories["spaces/owner/name"].files()
    assert files["folder/picture.bin"] == File(b"\0" * 9, lfs=True)
    assert "owner/name" not in hub.repositories
    assert set(api.list_repo_files("owner/name", repo_type="space")) == set(files)
    down = contents(snapshot_download("owner/name", repo_type="space"))
    assert down == FILES | {"folder/picture.bin": b"\0" * 9}
    api.delete_file("folder/picture.bin", "owner/name", repo_type="space")
    assert "folder/picture.bin" not in hub.repositories["spaces/owner/name"].files()


def test_binary_files_go_the_long_way_whatever_their_name(hub: LoopbackHub, api: HfApi) -> None:
    hub.create("owner/name")
    api.upload_file(path_or_fileobj=b"\x89PNG\0", path_in_repo="picture.png", repo_id="owner/name")
    assert hub.repositories["owner/name"].files()["picture.png"].lfs


def test_the_token_goes_to_the_hub_and_never_to_its_storage(hub: LoopbackHub, api: HfApi, folder: Path) -> None:
    api.create_repo("owner/name")
    api.upload_folder(repo_id="owner/name", folder_path=folder)
    snapshot_download("owner/name")
    storage = [request for request in hub.requests if request.host.startswith("localhost")]
    assert [request.line.split(" ")[0] for request in storage] == ["PUT", "GET"]
    assert [request.authorization for request in storage] == [None, None]
    assert all(request.authorization == f"Bearer {hub.token}" for request in hub.requests if request not in storage)


def test_upload_of_other_bytes_than_announced_is_refused(hub: LoopbackHub) -> None:
    hub.create("owner/name")
    answer = get_session().put(f"{hub.cdn}/owner/name/{hashlib.sha256(WEIGHTS).hexdigest()}", content=b"x")
    assert answer.status_code == 400
    assert hub.repositories["owner/name"].uploaded == {}


def test_a_commit_of_what_was_never_uploaded_is_refused_whole(hub: LoopbackHub) -> None:
    before = hub.create("owner/name").sha()
    lines = [
        {"key": "header", "value": {"summary": "half"}},
        {"key": "file", "value": {"path": "config.json", "content": "e30=", "encoding": "base64"}},
        {"key": "lfsFile", "value": {"path": "model.safetensors", "algo": "sha256", "oid": "0" * 64, "size": 1}},
    ]
    address, headers = f"{hub.url}/api/models/owner/name/commit/main", {"Authorization": f"Bearer {hub.token}"}
    answer = get_session().post(address, content="\n".join(map(json.dumps, lines)), headers=headers)
    assert answer.status_code == 400
    assert hub.repositories["owner/name"].sha() == before


def test_a_card_whose_metadata_cannot_be_read_is_refused(hub: LoopbackHub, api: HfApi) -> None:
    hub.create("owner/name")
    with pytest.raises(ValueError, match=r"Invalid metadata in README\.md"):
        api.upload_file(path_or_fileobj=b"---\na: [\n---\n", path_in_repo="README.md", repo_id="owner/name")


def test_a_download_may_begin_in_the_middle(hub: LoopbackHub) -> None:
    hub.create("owner/name", FILES)
    address, session = f"{hub.url}/owner/name/resolve/main/model.safetensors", get_session()
    answer = session.get(address, headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, WEIGHTS[100:200])
    assert answer.headers["Content-Range"] == "bytes 100-199/12800"
    assert session.get(address, headers={"Range": "bytes=12700-"}).content == WEIGHTS[12700:]
    assert session.get(address, headers={"Range": "bytes=12800-"}).status_code == 416


def test_private_repositories_are_unknown_to_others(hub: LoopbackHub, api: HfApi) -> None:
    assert api.create_repo("owner/secret", private=True)
    assert api.model_info("owner/secret").private
    hub.accounts["hf_visitor"] = ("visitor",)
    for token, status in ((False, 401), ("hf_visitor", 404)):
        with pytest.raises(RepositoryNotFoundError) as caught:
            HfApi().model_info("owner/secret", token=token)
        assert caught.value.response.status_code == status


def test_gated_repositories_tell_of_themselves_and_give_nothing(hub: LoopbackHub) -> None:
    hub.create("owner/name", FILES, gated=True)
    hub.accounts["hf_visitor"] = ("visitor",)
    assert HfApi(token="hf_visitor").model_info("owner/name").gated == "manual"
    for token, status in ((False, 401), ("hf_visitor", 403)):
        with pytest.raises(GatedRepoError) as caught:
            hf_hub_download("owner/name", "config.json", token=token)
        assert caught.value.response.status_code == status
    assert hf_hub_download("owner/name", "config.json")


def test_what_is_missing_is_said_exactly(hub: LoopbackHub, api: HfApi) -> None:
    hub.create("owner/name", FILES)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("owner/none")
    with pytest.raises(RepositoryNotFoundError):
        api.space_info("owner/name")
    with pytest.raises(RevisionNotFoundError):
        hf_hub_download("owner/name", "config.json", revision="v9")
    with pytest.raises(RemoteEntryNotFoundError):
        hf_hub_download("owner/name", "missing.json")
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token="hf_wrong")
    assert api.whoami()["name"] == "tester"


def test_ordered_failures_happen_as_often_as_ordered(hub: LoopbackHub, api: HfApi, waits: list[float]) -> None:
    hub.create("owner/name", FILES)
    hub.fail("GET /api/models/owner/name/tree", times=2, status=503)
    assert contents(snapshot_download("owner/name")) == FILES
    assert hub.asked("GET .*/tree/") == 3
    assert waits == [1, 2]


def test_a_download_that_is_cut_goes_on_where_it_ended(hub: LoopbackHub, api: HfApi, waits: list[float]) -> None:
    hub.create("owner/name", FILES)
    hub.fail("GET /cdn/", cut=1000)
    assert Path(hf_hub_download("owner/name", "model.safetensors")).read_bytes() == WEIGHTS
    assert hub.asked("GET /cdn/") == 2


def test_nothing_else_can_be_reached(hub: LoopbackHub) -> None:
    with pytest.raises(Exception, match="Connection refused"):
        HfApi(endpoint="https://example.org").model_info("owner/name")


def test_a_stopped_hub_is_gone(hub: LoopbackHub, api: HfApi) -> None:
    hub.create("owner/name", FILES)
    path = snapshot_download("owner/name")
    hub.stop()
    with pytest.raises(Exception, match="Connection refused"):
        api.model_info("owner/name")
    assert snapshot_download("owner/name") == path, "the client takes its cache"


def test_as_a_process_it_keeps_its_state(folder: Path, tmp_path: Path, hub: LoopbackHub) -> None:
    script, state = Path(__file__).with_name("server.py"), tmp_path / "state"
    for there in (False, True):
        with process(sys.executable, script, "--folder", state) as hub_process:
            assert hub_process.stdout is not None
            api = HfApi(endpoint=hub_process.stdout.readline().strip())
            assert api.repo_exists("owner/name") == there
            if not there:
                api.create_repo("owner/name")
                api.upload_folder(repo_id="owner/name", folder_path=folder)
            down = tmp_path / f"down-{there}"
            api.snapshot_download("owner/name", local_dir=down)
        shutil.rmtree(down / ".cache")
        assert contents(down) == FILES
