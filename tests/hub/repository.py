"""What a Hub keeps: repositories, their commits and files, named by hashes as git names them."""

import fnmatch
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from tests.hub.misbehaving import refusal

# Of the patterns that a new repository's .gitattributes holds.
LFS = ("*.bin", "*.npy", "*.npz", "*.onnx", "*.parquet", "*.pt", "*.pth", "*.safetensors", "*.zip")
ATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS).encode()


def is_lfs(path: str) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in LFS)


@dataclass(frozen=True)
class File:
    """A file of a commit. ``claimed`` is a size to lie about it with."""

    content: bytes
    lfs: bool = False
    claimed: int | None = None

    @property
    def size(self) -> int:
        return len(self.content) if self.claimed is None else self.claimed

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git holds instead of the content of an LFS file."""
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @cached_property
    def oid(self) -> str:
        """What git calls the blob that it holds."""
        held = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(held) + held).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid

    def entry(self, path: str) -> dict[str, Any]:
        """What /tree and, under other names, a repository's information say of it."""
        names = {"type": "file", "path": path, "rfilename": path, "oid": self.oid, "blobId": self.oid}
        lfs = {"oid": self.sha256, "sha256": self.sha256, "size": self.size, "pointerSize": len(self.pointer)}
        return names | {"size": self.size} | ({"lfs": lfs} if self.lfs else {})


@dataclass
class Repository:
    """Commits (sha -> path -> file) and the refs that point at them. ``uploaded``: LFS content, committed or not."""

    path: str  # "owner/name" or "spaces/owner/name"
    private: bool = False
    gated: bool = False
    sdk: str | None = None  # of a Space
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    uploaded: dict[str, bytes] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes | File | None], ref: str = "refs/heads/main") -> str:
        """Add, replace or (None) delete files; the new commit's sha."""
        tree = dict(self.commits.get(self.refs.get(ref, ""), {}))
        for path, content in files.items():
            tree.pop(path, None)
            if content is not None:
                tree[path] = content if isinstance(content, File) else File(content, is_lfs(path))
        entries = [file.entry(path) for path, file in sorted(tree.items())]
        sha = hashlib.sha1(json.dumps([len(self.commits), ref, entries]).encode()).hexdigest()
        self.commits[sha], self.refs[ref] = tree, sha
        self.uploaded |= {file.etag: file.content for file in tree.values() if file.lfs}
        return sha

    def sha(self, revision: str = "main") -> str:
        known = {sha: sha for sha in self.commits} | self.refs
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in known:
                return known[name]
        raise refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def files(self, revision: str = "main") -> dict[str, File]:
        return self.commits[self.sha(revision)]

    def info(self, revision: str) -> dict[str, Any]:
        """What ``model_info`` and ``space_info`` say."""
        files = self.files(revision)
        said = {"id": self.path.removeprefix("spaces/"), "sha": self.sha(revision), "private": self.private}
        said |= {"gated": "manual" if self.gated else False, "tags": [], "author": self.path.split("/")[-2]}
        card = front_matter(files["README.md"].content.decode()) if "README.md" in files else {}
        return said | {"cardData": card, "siblings": [file.entry(path) for path, file in files.items()]}


def front_matter(card: str) -> Any:
    try:
        return yaml.safe_load(card.split("---\n")[1]) if card.startswith("---\n") else {}
    except (IndexError, yaml.YAMLError) as error:
        raise refusal(400, f"the metadata cannot be read: {error}".replace("\n", " ")) from error
