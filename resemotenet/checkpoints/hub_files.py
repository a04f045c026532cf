"""The files of a model on the Hub: which are asked for, how large they may be, and where the cache keeps them."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ..errors import HubIntegrityError, HubNotFoundError

# "owner/name" on the Hub.
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
CARD = "README.md"
# What a card of ours calls its library.
LIBRARY = "resemotenet"
MODEL_FILES = ("config.json", "model.safetensors")
# The largest model of the registry has some 350 million parameters: 1.4 GB.
LARGEST = {"config.json": 2**20, "model.safetensors": 2 * 2**30, CARD: 2**20}


_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Remote:
    """A repository at one commit, as the Hub describes it: whatever it says, until ``check`` has looked.

    Attributes:
        repository: "owner/name".
        sha: the commit.
        files: of each its size in bytes and its hash on record (SHA-256, or the id of a git blob).
        kind: what it is a repository of.
        private: whether others cannot see it.
    """

    repository: str
    sha: str
    files: dict[str, tuple[Any, Any]]
    kind: Literal["model", "space"] = "model"
    private: bool = False

    def check(self, names: Sequence[str]) -> None:
        """Before anything is downloaded: these files are there, not too large, and with a hash to compare with.

        Raises:
            HubNotFoundError: one is not there.
            HubIntegrityError: one is too large, or cannot be checked; or any file of the repository has an unsafe name.
        """
        for name in self.files:
            _check_name(name, self.repository)
        for name in names:
            if name not in self.files:
                raise HubNotFoundError(
                    f"{self.repository} at {self.sha} has no {name}, so it is not a model of this package; expected "
                    f"{' and '.join(MODEL_FILES)}"
                )
            size, digest = self.files[name]
            if type(size) is not int or size < 0 or not isinstance(digest, str) or not _HASH.fullmatch(digest):
                raise HubIntegrityError(
                    f"the Hub does not say the size and hash of {name} of {self.repository} (it says {size!r} and "
                    f"{digest!r}), so it cannot be checked; it was not downloaded"
                )
            if size > LARGEST[name]:
                raise HubIntegrityError(
                    f"{name} of {self.repository} has {size:,} bytes, expected at most {LARGEST[name]:,}; it was not "
                    "downloaded"
                )


def _check_name(name: object, repository: str) -> None:
    """Only known names are ever asked for; a repository that has such a name was not made by honest tools."""
    path = PurePosixPath(name if isinstance(name, str) else "")
    if path.is_absolute() or ".." in path.parts or not path.parts or re.search(r"[\\:\x00-\x1f]", str(name)):
        raise HubIntegrityError(
            f"{repository} has a file called {name!r}, a name that could lead out of its folder; nothing was downloaded"
        )


def recorded_hash(path: Path) -> str | None:
    """The hash of a file in the cache: it is a link to a blob that is named after it.

    Where the system has no links (Windows without developer mode) the cache holds the file itself and no hash.
    """
    return Path(os.readlink(path)).name if path.is_symlink() else None


def listing(sizes: Mapping[str, int], repository: str) -> str:
    """What is about to be uploaded, for people: a line for all files, and one with size and name for each."""
    width = len(f"{max(sizes.values()):,}")
    lines = [f"  {size:{width},}  {name}" for name, size in sizes.items()]
    return "\n".join([f"{len(sizes)} files, {sum(sizes.values()):,} bytes, for {repository}:", *lines])


def forget(path: Path) -> None:
    """Take a file out of the cache: the link, and the blob that it leads to if that lies where this cache has blobs."""
    blob = Path(os.path.normpath(path.parent / os.readlink(path))) if path.is_symlink() else None
    with suppress(OSError):  # a cache that may only be read; why the file is no good is said by who calls
        path.unlink(missing_ok=True)
        # path: storage/snapshots/commit/name
        if blob is not None and blob.parent == path.parents[2] / "blobs":
            blob.unlink(missing_ok=True)
