"""Where weights come from: bundled with the package, a folder, or a repository on the Hugging Face Hub."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, HubNotFoundError
from .checkpoint import find_folder, load_model, swap_in
from .hub_files import CARD, LIBRARY, MODEL_FILES, REPOSITORY

BUNDLED = "bundled"


@dataclass(frozen=True)
class Source:
    """A model folder, and what it is called.

    Attributes:
        folder: ready for ``load_model``. That of a Hub repository lies in huggingface_hub's cache: do not write to it.
        name: "bundled", the folder as it was given, or "owner/name".
        revision: the commit of a Hub repository, 40 hexadecimal digits; else None.
        url: the page of the repository at that commit; else None.
    """

    folder: Path
    name: str
    revision: str | None = None
    url: str | None = None

    @property
    def short_name(self) -> str:
        """``name`` for strangers: of a folder its last part, which says nothing about this machine."""
        return self.name if self.revision or self.name == BUNDLED else self.folder.name


def resolve(source: str | Path | None = None, revision: str | None = None) -> Source:
    """The model folder that ``source`` names; one on the Hub is fetched unless it is in the cache.

    Args:
        source: None for the bundled weights (needs no network), a folder, or "owner/name" on the Hub. A folder that
            exists is taken before a Hub repository of the same name.
        revision: branch, tag or commit of a Hub repository; nothing else has one. A commit (40 digits) that is in the
            cache is taken without asking the network.

    Raises:
        CheckpointNotFoundError: nothing is there.
        HubError: the repository or revision cannot be had; see ``errors``.
        ValueError: a revision of something that is not on the Hub.
    """
    folder = bundled_folder() if source is None else Path(source).expanduser()
    if isinstance(source, str) and not folder.exists() and REPOSITORY.fullmatch(source):
        from .hub import fetch  # its library is heavy, and only needed here

        try:
            snapshot = fetch(source, revision)
        except HubNotFoundError as error:
            raise HubNotFoundError(f"there is no folder {source}; and on the Hub, {error}") from error
        return Source(snapshot.folder, source, snapshot.revision, snapshot.url)
    if revision is not None:
        raise ValueError(f"revision {revision!r} was given, but {folder} is no Hub repository and has none")
    return Source(find_folder(folder), BUNDLED if source is None else str(source))


def pull(name: str, out: str | Path, revision: str | None = None) -> Source:
    """Fetch a model from the Hub into a folder of its own: config.json, model.safetensors and the card, if any.

    The model is loaded before anything is written to ``out``, which appears or changes in one step.

    Args:
        name: "owner/name".
        out: where to; if it exists, it must be empty or hold an earlier pull and nothing else: both files of a model
            and a card that names this library.
        revision: as in ``resolve``.

    Returns:
        Where it came from; ``folder`` is ``out``.

    Raises:
        HubError, CheckpointError: as ``resolve`` and ``load_model``.
        CheckpointError: ``out`` holds other things, or cannot be written.
        ValueError: ``name`` is not "owner/name".
    """
    if not REPOSITORY.fullmatch(name):
        raise ValueError(f"expected a repository as owner/name, got {name!r}")
    from .hub import fetch

    out = Path(out).expanduser().resolve()
    _check_place(out)
    snapshot = fetch(name, revision, card=True)
    load_model(snapshot.folder)
    fresh = out.with_name(f".{out.name}.new")
    try:
        if fresh.exists():  # left behind by a crash
            shutil.rmtree(fresh)
        fresh.mkdir(parents=True)
        for file in (*MODEL_FILES, CARD):
            if (snapshot.folder / file).exists():
                _copy(snapshot.folder / file, fresh / file)
        swap_in(fresh, out)
    except OSError as error:
        raise CheckpointError(f"{out} cannot be written: {error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Source(out, name, snapshot.revision, snapshot.url)


def _check_place(out: Path) -> None:
    """Replacing a folder deletes what is in it, so it must be one that ``pull`` wrote."""
    if not out.exists():
        return
    if not out.is_dir():
        raise CheckpointError(f"{out} is a file; a model is written as a folder, name another place")
    names = {item.name for item in out.iterdir()}
    if others := sorted(names - {*MODEL_FILES, CARD}):
        raise CheckpointError(f"{out} holds other things than a model ({', '.join(others[:10])}); name another place")
    if not names:
        return
    if names != {*MODEL_FILES, CARD} or _library(out / CARD) != LIBRARY:
        raise CheckpointError(
            f"{out} holds {', '.join(sorted(names))}, and nothing tells that an earlier pull wrote it; "
            f"replaced are only {', '.join(MODEL_FILES)} with a {CARD} that says library_name: {LIBRARY} at its top. "
            "Name another place, or empty the folder yourself"
        )


def _library(card: Path) -> str | None:
    """The library_name in the front matter of a model card."""
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    head = re.match(r"---\n(.*?\n)---\n", text, re.DOTALL)
    line = re.search(r"^library_name: *([\"']?)([\w.-]+)\1 *$", head[1], re.MULTILINE) if head else None
    return line[2] if line else None


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        shutil.copyfileobj(read, write)
        write.flush()
        os.fsync(write.fileno())


def bundled_folder() -> Path:
    """The model folder that ships with the package. A source tree without weights lacks it; ``resolve`` says so."""
    return Path(__file__).resolve().parents[1] / "weights"
