"""The Hugging Face Hub: files of a model in, files of a folder out. huggingface_hub does the work.

In: of a repository only files with known names are asked for, and none above a size. What arrives is compared with the
hash that the Hub has on record, each time it is used, also when it comes from huggingface_hub's cache; what differs is
thrown away. Out: all files in one commit, so that a repository is never half new. Whoever answers under the Hub's
address may be nobody's friend: each exchange has limits, see ``hub_limits``.

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
    SpaceCard,
    constants,
    get_token,
    set_client_factory,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils import _http
from huggingface_hub.utils.sha import git_hash, sha_fileobj

from .. import __version__
from ..errors import HubAccessError, HubConnectionError, HubError, HubIntegrityError, HubNotFoundError
from .hub_errors import LATER, explain, one_line, status_of, without_credentials
from .hub_files import CARD, MODEL_FILES, Remote, forget, recorded_hash
from .hub_limits import Exchange, on_request, on_response

logger = logging.getLogger(__name__)

Kind = Literal["model", "space"]
_SHA = re.compile(r"[0-9a-f]{40}")
# What git allows as a name; none of them leads out of a folder.
_REVISION = re.compile(
    r"(?!.*(\.\.|//|/\.|@\{))[^\s\x00-\x1f\x7f-\x9f~^:?*\[\\/.-][^\s\x00-\x1f\x7f-\x9f~^:?*\[\\]*(?<!/)"
)
_TRIES = 3

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
        raise HubNotFoundError(f"{revision!r} cannot be a branch, tag or commit of {repository}")
    exact = revision is not None and _SHA.fullmatch(revision) is not None
    wanted = (*MODEL_FILES, CARD) if card else MODEL_FILES
    if exact and (kept := _cached(repository, revision, wanted)) is not None:
        return kept
    try:
        remote = _look_up(repository, revision)
    except HubConnectionError as error:
        kept = _cached(repository, revision, MODEL_FILES)
        reason = str(error).removesuffix(LATER)
        if kept is None:
            what = f"nothing whole of {_at(repository, revision)} is in the cache"
            raise HubConnectionError(f"{reason}, and {what}{LATER}") from error
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
    sdk: str | None = None,
    private: bool = False,
    pull_request: bool = False,
    tag: str | None = None,
    obsolete: Callable[[str], bool] = lambda name: False,
) -> Upload:
    """Put files into a repository, which is made if there is none, in one commit.

    Args:
        files: path in the repository -> a file here, or its content.
        sdk: what runs a Space, "gradio" or "static"; None where it is a model.
        private: make a private repository; one that exists must be private already.
        pull_request: propose the commit instead of making it.
        tag: a name for the commit; must be new.
        obsolete: of which other files the commit deletes those that are there.

    Raises:
        HubError: one of its children; after an interruption the repository is as before, or has the whole commit.
    """
    if tag is not None and not _REVISION.fullmatch(tag):
        raise HubError(f"{tag!r} cannot be a tag")
    if get_token() is None:
        raise HubAccessError("uploading needs a token: run `hf auth login`, or set HF_TOKEN")
    api = _api()
    kind: Kind = "model" if sdk is None else "space"
    _ask(Exchange(repository), api.whoami)
    there = _open(api, repository, sdk, private, tag)
    bytes_ = sum(len(each) if isinstance(each, bytes) else each.stat().st_size for each in files.values())

    def commit() -> CommitInfo:
        additions = [CommitOperationAdd(name, content) for name, content in files.items()]
        gone = [CommitOperationDelete(name) for name in there if name not in files and obsolete(name)]
        return api.create_commit(
            repository, [*additions, *gone], commit_message=message, repo_type=kind, create_pr=pull_request
        )

    # A commit that was made, though the answer was lost, is found again; a pull request would be opened twice.
    done = _ask(Exchange(repository, sent=bytes_), commit, tries=1 if pull_request else _TRIES)
    if not _SHA.fullmatch(str(done.oid)):
        raise HubIntegrityError(f"the Hub says that {done.oid!r} is the commit it made of {repository}, which is none")
    if tag is not None:
        # It was new above, so one that exists now is ours: made by a call whose answer was lost.
        _ask(
            Exchange(repository),
            lambda: api.create_tag(repository, tag=tag, revision=done.oid, repo_type=kind, exist_ok=True),
        )
    return Upload(done.oid, one_line(done.commit_url), done.pr_url and one_line(done.pr_url))


def _open(api: HfApi, repository: str, sdk: str | None, private: bool, tag: str | None) -> list[str]:
    """Make the repository if there is none, see that it is as it should be; the names of its files."""
    kind: Kind = "model" if sdk is None else "space"
    exchange = Exchange(repository)
    _ask(
        exchange,
        lambda: api.create_repo(repository, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk),
    )
    if tag is not None:
        refs = _ask(Exchange(repository), lambda: api.list_repo_refs(repository, repo_type=kind))
        if tag in {ref.name for ref in refs.tags}:
            raise HubError(f"{repository} has a tag {tag!r} already, and a tag does not move; choose another name")
    remote = _look_up(repository, None, kind)
    if private and not remote.private:
        raise HubError(f"{repository} exists already and is public; make it private on its page first")
    return list(remote.files)


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
    try:
        remote = _look_up(repository, None, "space")
    except HubNotFoundError:
        return None
    if CARD not in remote.files:
        return Space(tuple(remote.files), "")
    remote.check([CARD])
    return Space(tuple(remote.files), _download(remote, CARD).read_text(encoding="utf-8", errors="replace"))


def upload_space(folder: Path, repository: str, *, private: bool = False, pull_request: bool = False) -> Upload:
    """Make a Space hold exactly the files of ``folder``, hidden ones left out; see ``upload``.

    Its card there, README.md, says which ``sdk`` runs it.

    Raises:
        HubError: one of its children; also where the card names no sdk.
    """
    card = folder / CARD
    sdk = SpaceCard.load(card).data.sdk if card.is_file() else None
    if sdk is None:
        raise HubError(f"{card} names no sdk, so {repository} cannot be made a Space: python -m demo.space writes one")
    names = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return upload(
        {name.as_posix(): path for name, path in names.items() if not any(part[0] == "." for part in name.parts)},
        repository,
        message="Upload the Space",
        sdk=sdk,
        private=private,
        pull_request=pull_request,
        obsolete=lambda name: name != ".gitattributes",
    )


def _api() -> HfApi:
    return HfApi(library_name="resemotenet", library_version=__version__)


def _at(repository: str, revision: str | None) -> str:
    return repository if revision is None else f"{repository} at {revision}"


def _look_up(repository: str, revision: str | None, kind: Kind = "model") -> Remote:
    def ask() -> Remote:
        info: Any = _api().repo_info(repository, repo_type=kind, revision=revision, files_metadata=True)
        files = {
            file.rfilename: (file.lfs.size, file.lfs.sha256) if file.lfs else (file.size, file.blob_id)
            for file in info.siblings or ()
        }
        return Remote(repository, str(info.sha), files, kind, info.private is True)

    remote = _ask(Exchange(_at(repository, revision)), ask)
    exact = revision is not None and _SHA.fullmatch(revision)
    if not _SHA.fullmatch(remote.sha) or (exact and remote.sha != revision):
        raise HubIntegrityError(f"the Hub gave {remote.sha!r} as the commit of {_at(repository, revision)}; not taken")
    return remote


def _download(remote: Remote, name: str) -> Path:
    """A file that ``Remote.check`` has passed, from the cache or the Hub."""
    repository, sha, (size, digest) = remote.repository, remote.sha, remote.files[name]
    kept = _path_in_cache(repository, sha, name, remote.kind)
    if kept is not None and _fits(kept, digest):
        return kept
    if again := kept is not None:
        logger.warning("%s of %s in the cache is damaged; downloading it again", name, repository)
    get = _api().hf_hub_download
    exchange = Exchange(f"{name} of {_at(repository, sha)}", commit=sha, digest=digest, size=size)
    path = Path(
        _ask(exchange, lambda: get(repository, name, repo_type=remote.kind, revision=sha, force_download=again))
    )
    if path.parent.name != sha or not _fits(path, digest):
        forget(path)
        raise HubIntegrityError(
            f"{name} of {repository} arrived with other bytes than the Hub has on record ({digest}); it was thrown "
            "away. Try again; if it stays so, something between here and the Hub changes files"
        )
    return path


def _fits(path: Path, digest: str | None) -> bool:
    """Whether a file has this SHA-256 (64 digits) or git blob id (40); no, where nobody can say."""
    if digest is None:
        return False
    try:
        with path.open("rb") as file:
            return digest == (sha_fileobj(file).hex() if len(digest) == 64 else git_hash(file.read()))
    except OSError as error:
        logger.info("%s cannot be read: %s", path, error)
        return False


def _cached(repository: str, revision: str | None, names: Sequence[str]) -> Snapshot | None:
    """What the cache has of a revision, if it is all there and undamaged."""
    paths = [_path_in_cache(repository, revision, name) for name in names]
    if any(path is None or not _fits(path, recorded_hash(path)) for path in paths):
        return None
    folders = {path.parent for path in paths if path is not None}
    return Snapshot(folder := folders.pop(), repository, folder.name) if len(folders) == 1 else None


def _path_in_cache(repository: str, revision: str | None, name: str, kind: Kind = "model") -> Path | None:
    with _explained(_at(repository, revision)):
        found = try_to_load_from_cache(repository, name, revision=revision, repo_type=kind)
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


def _ask(exchange: Exchange, call: Callable[[], _T], *, tries: int = _TRIES) -> _T:
    """What ``call`` gets from the Hub: within limits, again when the Hub itself fails, and errors in our words.

    Every call that has several tries may be made twice.
    """
    if not isinstance(_http._GLOBAL_CLIENT_FACTORY, _Watched):
        set_client_factory(_Watched(_http._GLOBAL_CLIENT_FACTORY))

    def persistent() -> _T:
        for attempt in range(1, tries):
            try:
                return call()
            except HfHubHTTPError as error:
                if status_of(error) < 500:
                    raise
                logger.info("the Hub answered %s; trying again", status_of(error))
                time.sleep(attempt)
        return call()

    with _explained(exchange.about):
        return exchange.run(persistent)


@dataclass(frozen=True)
class _Watched:
    """Makes the HTTP clients of huggingface_hub as ever, an application's own ones too, with our hooks in them.

    There is no other place for the hooks: huggingface_hub has one client for all, and makes a new one when it likes.
    """

    make: Callable[[], Any]

    def __call__(self) -> Any:
        client = self.make()
        client.event_hooks["request"].append(on_request)
        client.event_hooks["response"].append(on_response)
        return client


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into one of our errors: anything, for it expects a Hub that makes sense."""
    try:
        yield
    except HFValidationError as error:
        raise HubNotFoundError(f"{where!r} is not the name of a repository: {error}") from error
    except LocalEntryNotFoundError as error:  # a HEAD request failed; the reason is its cause
        raise explain(error.__cause__ or error, where, constants.ENDPOINT) from error
    except Exception as error:
        raise explain(error, where, constants.ENDPOINT) from error
