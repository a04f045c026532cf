"""A small Hugging Face Hub on loopback: the endpoints the real ``huggingface_hub`` client uses.

with LoopbackHub() as hub: ...                  in a thread; point HF_ENDPOINT at hub.url, HF_TOKEN at hub.token
python tests/hub/server.py --folder STATE       in a process; prints its url, keeps its repositories in STATE

As on the real one, LFS content comes from another origin (localhost, not 127.0.0.1), where no token may be sent. Names
and sizes of files are whatever a repository claims, tricks included. Xet is not spoken: HF_HUB_DISABLE_XET=1.
"""

import argparse
import base64
import hashlib
import json
import pickle
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

if __name__ == "__main__":  # a script finds only its own folder
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hub.misbehaving import Answer, MisbehavingHandler, MisbehavingServer, refusal
from tests.hub.repository import ATTRIBUTES, File, Repository, front_matter, is_lfs

__all__ = ["TOKEN", "File", "LoopbackHub", "Repository"]

TOKEN = "hf_" + "Loopback" * 4
# /api/models/owner/name/..., /cdn/owner/name/..., /owner/name/resolve/..., /spaces/owner/name.git/...
ADDRESS = re.compile(r"/(api/|cdn/)?(models/|spaces/)?([^/]+/[^/]+?)(?:\.git)?(?:/(.*))?")


class LoopbackHub(MisbehavingServer):
    """Attributes: token; accounts (token -> the owners it writes for, the first is its name); repositories by path."""

    def __init__(self, port: int = 0, folder: Path | None = None) -> None:
        self.token = TOKEN
        self.accounts: dict[str, tuple[str, ...]] = {TOKEN: ("tester", "owner")}
        self.state = folder / "repositories.pickle" if folder else None
        stored = self.state.read_bytes() if self.state and self.state.is_file() else pickle.dumps({})
        self.repositories: dict[str, Repository] = pickle.loads(stored)
        super().__init__(port, Handler)
        self.cdn = f"http://localhost:{self.server_port}/cdn"

    def create(self, path: str, files: Mapping[str, bytes | File] | None = None, **access: Any) -> Repository:
        """Make a repository with a first commit, as the Hub does, and one of ``files``."""
        repository = self.repositories[path] = Repository(path, **access)
        repository.commit({".gitattributes": ATTRIBUTES})
        if files:
            repository.commit(files)
        return repository

    def save(self) -> None:
        if self.state:
            self.state.parent.mkdir(parents=True, exist_ok=True)
            self.state.with_suffix(".new").write_bytes(pickle.dumps(self.repositories))
            self.state.with_suffix(".new").replace(self.state)


class Handler(MisbehavingHandler):
    server: LoopbackHub

    def respond(self, body: bytes) -> Answer:
        hub, path, authorization = self.server, urlsplit(self.path).path, self.headers["Authorization"]
        self.names = hub.accounts.get((authorization or "").removeprefix("Bearer "), ())
        if authorization and not self.names:
            raise refusal(401, "Invalid credentials in Authorization header")
        if path == "/api/whoami-v2" and self.names:
            return Answer({"type": "user", "name": self.names[0], "orgs": [{"name": name} for name in self.names[1:]]})
        if path == "/api/validate-yaml":
            return Answer({"errors": [], "warnings": [], "metadata": front_matter(json.loads(body)["content"])})
        if path == "/api/repos/create":
            return self.create(**json.loads(body))
        if (address := ADDRESS.fullmatch(path)) is None:
            raise refusal(404, f"not spoken here: {self.command} {self.path}")
        area, kind, name, call = address.groups("")
        repository = self.find("spaces/" * (kind == "spaces/") + name, area)
        method = "GET" if self.command == "HEAD" else self.command
        answer = self.ask(repository, [method, area, *map(unquote, call.split("/"))], body)
        hub.save()
        return answer

    def find(self, path: str, area: str) -> Repository:
        """The repository, if this account may know of it and do what it asks."""
        found, mine = self.server.repositories.get(path), path.split("/")[-2] in self.names
        if found and (area == "cdn/" or mine):  # addresses of content are told only to who may have it
            return found
        if not found or found.private:
            # The real Hub's 401 has no code; the client then goes by the address, which must begin with https.
            status, message = (404, "Repository not found") if self.names else (401, "Invalid username or password.")
            raise refusal(status, message, "RepoNotFound")
        if self.command in ("POST", "DELETE") and not re.search("paths-info|info/lfs|create_pr=1", self.path):
            raise refusal(403, f"You don't have the rights to change {path}")
        if found.gated and "/resolve" in self.path:
            raise refusal(403 if self.names else 401, f"Access to model {path} is restricted.", "GatedRepo")
        return found

    def ask(self, repository: Repository, what: list[str], body: bytes) -> Answer:
        match what:
            case ["GET", "api/", ""]:
                return Answer(repository.info("main"))
            case ["GET", "api/", "revision", revision]:
                return Answer(repository.info(revision))
            case ["GET", "api/", "tree", revision] if "recursive" in self.path:
                return Answer([file.entry(path) for path, file in repository.files(revision).items()])
            case ["POST", "api/", "paths-info", revision]:
                files, paths = repository.files(revision), parse_qs(body.decode())["paths"]
                return Answer([files[path].entry(path) for path in paths if path in files])
            case ["GET", "api/", "refs"]:
                refs = [(ref.split("/"), {"ref": ref, "targetCommit": sha}) for ref, sha in repository.refs.items()]
                kinds = {"heads": "branches", "tags": "tags", "pr": "pullRequests", "convert": "converts"}
                of = {kind: [ref | {"name": "/".join(at[2:])} for at, ref in refs if at[1] == kind] for kind in kinds}
                return Answer({kinds[kind]: refs for kind, refs in of.items()})
            case ["POST", "api/", "tag", revision]:
                if (ref := f"refs/tags/{json.loads(body)['tag']}") in repository.refs:
                    raise refusal(409, f"Tag reference exists already: {ref}")
                repository.refs[ref] = repository.sha(revision)
                return Answer({})
            case ["POST", "api/", "preupload", revision]:
                sent, files = json.loads(body)["files"], repository.files(revision)
                return Answer({"files": [preupload(file, files) for file in sent]})
            case ["POST", "api/", "commit", revision]:
                return self.commit(repository, revision, [json.loads(line) for line in body.splitlines()])
            case ["POST", "", "info", "lfs", "objects", "batch"]:
                return self.batch(repository, json.loads(body)["objects"])
            case ["POST", "", "info", "lfs", "verify"]:
                if json.loads(body)["oid"] not in repository.uploaded:
                    raise refusal(404, "no such LFS object")
                return Answer({})
            case ["PUT", "cdn/", sha256]:
                if hashlib.sha256(body).hexdigest() != sha256:
                    raise refusal(400, "the content is not what its SHA-256 says")
                repository.uploaded[sha256] = body
                return Answer({})
            case ["GET", "", "resolve", revision, *path]:
                return self.resolve(repository, repository.sha(revision), "/".join(path))
            case ["GET", "", "resolve-cache", sha, *path]:
                return self.content(repository.commits[sha]["/".join(path)], {"X-Repo-Commit": sha})
            case ["GET", "cdn/", sha256]:
                return self.content(File(repository.uploaded[sha256], lfs=True), {})
        raise refusal(404, f"not spoken here: {self.command} {self.path}")

    def create(self, name: str, type: str = "model", organization: str | None = None, **how: Any) -> Answer:
        owner = organization or next(iter(self.names), "")
        path = "spaces/" * (type == "space") + f"{owner}/{name}"
        if owner not in self.names:
            raise refusal(403 if self.names else 401, f"You don't have the rights to create a {type} under {owner!r}")
        if type == "space" and how.get("sdk") not in ("docker", "gradio", "static"):
            raise refusal(400, f"a Space has one of three SDKs, not {how.get('sdk')!r}")
        if path in self.server.repositories:
            return Answer({"error": f"You already created this {type}", "url": f"{self.server.url}/{path}"}, 409)
        self.server.create(path, private=how.get("visibility") == "private", sdk=how.get("sdk"))
        self.server.save()
        return Answer({"url": f"{self.server.url}/{path}", "name": f"{owner}/{name}"})

    def batch(self, repository: Repository, objects: list[dict[str, Any]]) -> Answer:
        answers = []
        for wanted in objects:
            upload = {"href": f"{self.server.cdn}/{repository.path}/{wanted['oid']}"}
            verify = {"href": f"{self.server.url}/{repository.path}.git/info/lfs/verify"}
            needed = {} if wanted["oid"] in repository.uploaded else {"actions": {"upload": upload, "verify": verify}}
            answers.append(wanted | needed)
        return Answer({"transfer": "basic", "objects": answers})

    def commit(self, repository: Repository, revision: str, lines: list[dict[str, Any]]) -> Answer:
        """All of it or nothing."""
        ref = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
        sha, url = repository.sha(revision), f"{self.server.url}/{repository.path}"
        files: dict[str, File | None] = {}
        for line in lines:
            match line["key"], line["value"]:
                case "header", {"parentCommit": parent} if parent != sha:
                    raise refusal(412, "A commit has happened since. Please refresh and try again.")
                case "file", {"path": path, "content": content}:
                    files[path] = File(base64.b64decode(content))
                case "lfsFile", {"path": path, "oid": oid}:
                    if oid not in repository.uploaded:
                        raise refusal(400, f"LFS object {oid} was never uploaded")
                    files[path] = File(repository.uploaded[oid], lfs=True)
                case "deletedFile", {"path": path}:
                    files[path] = None
        proposed = {}
        if "create_pr" in self.path:
            number = 1 + sum(known.startswith("refs/pr/") for known in repository.refs)
            ref, proposed = f"refs/pr/{number}", {"pullRequestUrl": f"{url}/discussions/{number}"}
            repository.refs[ref] = sha
        sha = repository.commit(files, ref)
        return Answer({"success": True, "commitOid": sha, "commitUrl": f"{url}/commit/{sha}"} | proposed)

    def resolve(self, repository: Repository, sha: str, path: str) -> Answer:
        """Where the content is: with LFS at another origin, else at another address here."""
        if path not in repository.commits[sha]:
            raise refusal(404, "Entry not found", "EntryNotFound", **{"X-Repo-Commit": sha})
        file = repository.commits[sha][path]
        here = f"/{repository.path}/resolve-cache/{sha}/{quote(path)}"
        there = f"{self.server.cdn}/{repository.path}/{file.sha256}?Signature=loopback"
        headers: dict[str, str | None] = {
            "X-Repo-Commit": sha,
            "X-Linked-Size": str(file.size),
            "X-Linked-ETag": f'"{file.etag}"',
        }
        status, place = (302, there) if file.lfs else (307, here)
        return Answer(b"", status, headers | {"Location": place})

    def content(self, file: File, headers: dict[str, str | None]) -> Answer:
        content, asked = file.content, self.headers["Range"]
        headers |= {"ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
        if not asked:
            return Answer(content, 200, headers, file.size)
        start, stop = (int(number or len(content) - 1) for number in asked.removeprefix("bytes=").split("-"))
        if start >= len(content):
            raise refusal(416, "Range Not Satisfiable")
        headers["Content-Range"] = f"bytes {start}-{stop}/{len(content)}"
        return Answer(content[start : stop + 1], 206, headers)


def preupload(sent: dict[str, Any], there: dict[str, File]) -> dict[str, Any]:
    """How a file is to be uploaded: as LFS if its name or (a sample of) its content says that it is no text."""
    path, sample = sent["path"], base64.b64decode(sent["sample"])
    lfs = is_lfs(path) or b"\0" in sample or sent["size"] > 10_000_000
    known = {"oid": there[path].etag} if path in there else {}
    return {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False} | known


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where repositories are kept; those of an earlier start are there")
    arguments = parser.parse_args()
    with LoopbackHub(arguments.port, arguments.folder) as running, suppress(KeyboardInterrupt):
        print(running.url, flush=True)
        running.thread.join()
