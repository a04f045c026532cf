"""The Hugging Face Hub: files of a model in, files of a folder out. The only file that imports huggingface_hub.

In: of a repository only files with known names are asked for, and none above a size. What arrives is compared with the
hash that the Hub has on record, each time it is used, also when it comes from huggingface_hub's cache; what differs is
thrown away. Out: all files in one commit, so that a repository is never half new.

The token is huggingface_hub's own matter (`hf auth login`, HF_TOKEN); nothing here reads or prints it.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_token,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import repo_folder_name

from .. import __version__
from ..errors import (
    HubAccessError,
    HubConnectionError,
    HubError,
    HubIntegrityError,
    HubRateLimitError,
    HubRepositoryNotFoundError,
    HubRevisionNotFoundError,
    HubServerError,
)
from .hub_errors import LATER, explain, status_of, without_credentials
from .hub_files import CARD, MODEL_FILES, Remote, fits, forget, recorded_hash

logger = logging.getLogger(__name__)

Kind = Literal["model", "space"]
_SHA = re.compile(r"[0-9a-f]{40}")
# What git allows as a name; none of them leads out of a folder.
_REVISION = re.compile(
    r"(?!.*(\.\.|//|/\.|@\{))[^\s\x00-\x1f\x7f-\x9f~^:?*\[\\/.-][^\s\x00-\x1f\x7f-\x9f~^:?*\[\\]*(?<!/)"
)
_TRIES = 3

# The base of all errors of the HTTP library, which is httpx or httpx2, as the release of huggingface_hub has it.
_TransportError: Any = HfHubHTTPError.__bases__[0]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Snapshot:
    """Files of a repository at one commit, whole and checked.

    Attributes:
        folder: where they lie, in huggingface_hub's cache: to be read, never to be written to.
        repository: "owner/name".
        revision: the commit, 40 hexadecimal digits.
    """

    folder: Path
    repository: str
    revision: str

    @property
    def url(self) -> str:
        """The repository's page at this commit."""
        return f"{page(self.repository)}/tree/{self.revision}"


@dataclass(frozen=True)
class Upload:
    """What came of an upload: the commit, its page, and the page of the pull request if it is one."""

    revision: str
    url: str
    pull_request: str | None = None


def page(repository: str, kind: Kind = "model") -> str:
    """Where people find a repository, without the credentials that the Hub's address may carry."""
    return f"{without_credentials(constants.ENDPOINT)}/{'spaces/' if kind == 'space' else ''}{repository}"


def fetch(repository: str, revision: str | None = None, *, card: bool = False) -> Snapshot:
    """A model's files at a commit, from the cache or the Hub.

    A commit (40 digits) is taken from the cache without a word to the network, if it is there. A branch or a tag is
    looked up first; when the Hub cannot be reached, what it stood for last time is used, and a warning says so.

    Args:
        repository: "owner/name".
        revision: branch, tag or commit; None is the main branch.
        card: fetch README.md too, where there is one.

    Raises:
        HubError: one of its children for each way to fail; nothing half-done is left in the cache.
    """
    if revision is not None and not _REVISION.fullmatch(revision):
        raise HubRevisionNotFoundError(f"{revision!r} can be no branch, tag or commit of {repository}")
    exact = revision is not None and _SHA.fullmatch(revision) is not None
    wanted = (*MODEL_FILES, CARD) if card else MODEL_FILES
    if exact and (kept := _cached(repository, revision, wanted)) is not None:
        return kept
    try:
        remote = _look_up(repository, revision)
    except (HubConnectionError, HubServerError, HubRateLimitError) as error:
        kept = _cached(repository, revision, MODEL_FILES)
        reason = str(error).removesuffix(LATER)
        if kept is None:
            what = f"nothing whole of {_at(repository, revision)} is in the cache"
            raise type(error)(f"{reason}, and {what}{LATER}") from error
        newer = "" if exact else ", though the Hub may have a newer one"
        logger.warning("%s; using commit %s of %s from the cache%s", reason, kept.revision, repository, newer)
        return kept
    names = [name for name in wanted if name in remote.files or name != CARD]
    remote.check(names)
    folder = {_download(remote, name).parent for name in names}.pop()
    if not exact:
        _remember(repository, revision or "main", remote.sha)
    return Snapshot(folder, repository, remote.sha)


def upload(
    files: Mapping[str, Path | bytes],
    repository: str,
    *,
    message: str,
    kind: Kind = "model",
    private: bool = False,
    pull_request: bool = False,
    tag: str | None = None,
    obsolete: Callable[[str], bool] = lambda name: False,
) -> Upload:
    """Put files into a repository, which is made if there is none, in one commit.

    Args:
        files: path in the repository -> a file here, or its content.
        private: make a private repository; one that exists must be private already.
        pull_request: propose the commit instead of making it.
        tag: a name for the commit; must be new.
        obsolete: of which other files the commit deletes those that are there.

    Raises:
        HubError: one of its children; after an interruption the repository is as before, or has the whole commit.
    """
    if tag is not None and not _REVISION.fullmatch(tag):
        raise HubError(f"{tag!r} can be no tag")
    if get_token() is None:
        raise HubAccessError("uploading needs a token: run `hf auth login`, or set HF_TOKEN")
    api = _api()
    with _explained(repository):
        _retried(api.whoami)
        there = _open(api, repository, kind, private, tag)

        def commit() -> CommitInfo:
            additions = [CommitOperationAdd(name, content) for name, content in files.items()]
            gone = [CommitOperationDelete(name) for name in there if name not in files and obsolete(name)]
            return api.create_commit(
                repository, [*additions, *gone], commit_message=message, repo_type=kind, create_pr=pull_request
            )

        # A commit that was made, though the answer was lost, is found again; a pull request would be opened twice.
        done = commit() if pull_request else _retried(commit)
        if tag is not None:
            # It was new above, so one that exists now is ours: made by a call whose answer was lost.
            _retried(lambda: api.create_tag(repository, tag=tag, revision=done.oid, repo_type=kind, exist_ok=True))
    return Upload(done.oid, without_credentials(str(done.commit_url)), done.pr_url and without_credentials(done.pr_url))


def _open(api: HfApi, repository: str, kind: Kind, private: bool, tag: str | None) -> list[str]:
    """Make the repository if there is none, see that it is as it should be; the names of its files."""
    sdk = "gradio" if kind == "space" else None
    _retried(lambda: api.create_repo(repository, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk))
    if tag is not None:
        refs = _retried(lambda: api.list_repo_refs(repository, repo_type=kind))
        if tag in {ref.name for ref in refs.tags}:
            raise HubError(f"{repository} has a tag {tag!r} already, and a tag does not move; choose another name")
    info = _retried(lambda: api.space_info(repository) if kind == "space" else api.model_info(repository))
    if private and not info.private:
        raise HubError(f"{repository} exists already and is public; make it private on its page first")
    return [file.rfilename for file in info.siblings or ()]


@dataclass(frozen=True)
class Space:
    """What is in a Space now: the names of its files, and its README.md, "" where it has none."""

    names: tuple[str, ...]
    card: str


def look_at_space(repository: str) -> Space | None:
    """A Space as it is; None where there is none that this token may see.

    Raises:
        HubError: one of its children.
    """
    with _explained(repository):
        try:
            info = _retried(lambda: _api().space_info(repository))
        except RepositoryNotFoundError:
            return None
        names = tuple(file.rfilename for file in info.siblings or ())
        if CARD not in names:
            return Space(names, "")
        get = _api().hf_hub_download
        path = Path(_retried(lambda: get(repository, CARD, repo_type="space", revision=info.sha)))
        return Space(names, path.read_text(encoding="utf-8", errors="replace"))


def upload_space(folder: Path, repository: str, *, private: bool = False, pull_request: bool = False) -> Upload:
    """Make a Gradio Space hold exactly the files of ``folder``, hidden ones left out; see ``upload``."""
    names = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return upload(
        {name.as_posix(): path for name, path in names.items() if not any(part[0] == "." for part in name.parts)},
        repository,
        message="Upload the Space",
        kind="space",
        private=private,
        pull_request=pull_request,
        obsolete=lambda name: name != ".gitattributes",
    )


def _api() -> HfApi:
    return HfApi(library_name="resemotenet", library_version=__version__)


def _at(repository: str, revision: str | None) -> str:
    return repository if revision is None else f"{repository} at {revision}"


def _look_up(repository: str, revision: str | None) -> Remote:
    with _explained(repository, revision):
        info = _retried(lambda: _api().model_info(repository, revision=revision, files_metadata=True))
    exact = revision is not None and _SHA.fullmatch(revision)
    if info.sha is None or not _SHA.fullmatch(info.sha) or (exact and info.sha != revision):
        raise HubIntegrityError(f"the Hub gave {info.sha!r} as the commit of {_at(repository, revision)}; not taken")
    return Remote(
        repository,
        info.sha,
        {
            file.rfilename: (file.lfs.size, file.lfs.sha256) if file.lfs else (file.size, file.blob_id)
            for file in info.siblings or ()
        },
    )


def _download(remote: Remote, name: str) -> Path:
    repository, digest = remote.repository, remote.files[name][1]
    kept = _path_in_cache(repository, remote.sha, name)
    if kept is not None and fits(kept, digest):
        return kept
    if again := kept is not None:
        logger.warning("%s of %s in the cache is damaged; downloading it again", name, repository)
    with _explained(repository, remote.sha):
        get = _api().hf_hub_download
        path = Path(_retried(lambda: get(repository, name, revision=remote.sha, force_download=again)))
    if path.parent.name != remote.sha or not fits(path, digest):
        forget(path)
        raise HubIntegrityError(
            f"{name} of {repository} arrived with other bytes than the Hub has on record ({digest}); it was thrown "
            "away. Try again; if it stays so, something between here and the Hub changes files"
        )
    return path


def _cached(repository: str, revision: str | None, names: Sequence[str]) -> Snapshot | None:
    """What the cache has of a revision, if it is all there and undamaged."""
    paths = [_path_in_cache(repository, revision, name) for name in names]
    if any(path is None or not fits(path, recorded_hash(path)) for path in paths):
        return None
    folders = {path.parent for path in paths if path is not None}
    return Snapshot(folder := folders.pop(), repository, folder.name) if len(folders) == 1 else None


def _path_in_cache(repository: str, revision: str | None, name: str) -> Path | None:
    with _explained(repository, revision):
        found = try_to_load_from_cache(repository, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _remember(repository: str, revision: str, sha: str) -> None:
    """Note in the cache what a branch or tag stands for, as huggingface_hub does, but once all files are whole."""
    path = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model") / "refs" / revision
    fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(sha, encoding="ascii")
        fresh.replace(path)
    except OSError as error:  # a cache that may only be read
        logger.warning(
            "without network, %s will not be found in the cache by name: %s", _at(repository, revision), error
        )


def _retried(call: Callable[[], _T]) -> _T:
    """Once more, and once more, when the Hub itself fails; every call here may be made twice."""
    for attempt in range(1, _TRIES):
        try:
            return call()
        except HfHubHTTPError as error:
            if status_of(error) < 500:
                raise
            logger.info("the Hub answered %s; trying again", status_of(error))
            time.sleep(attempt)
    return call()


@contextmanager
def _explained(repository: str, revision: str | None = None) -> Iterator[None]:
    """Turn what huggingface_hub raises into one of our errors."""
    where = _at(repository, revision)
    try:
        yield
    except HFValidationError as error:
        raise HubRepositoryNotFoundError(f"{repository!r} is no name of a repository: {error}") from error
    except LocalEntryNotFoundError as error:  # a HEAD request failed; the reason is its cause
        raise explain(error.__cause__ or error, where, constants.ENDPOINT) from error
    # Among them HfHubHTTPError; ValueError, KeyError: an answer that makes no sense; RuntimeError: xet, if it is on.
    except (OSError, ValueError, KeyError, RuntimeError, _TransportError) as error:
        raise explain(error, where, constants.ENDPOINT) from error
