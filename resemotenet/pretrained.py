"""Where weights come from: bundled with the package, a folder, or a repository on the Hugging Face Hub."""

import re
from pathlib import Path

from .checkpoint import find_folder
from .errors import CheckpointNotFoundError

_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def resolve(source: str | Path | None = None, revision: str | None = None) -> Path:
    """The model folder that ``source`` names, ready for ``load_model``.

    Args:
        source: None for the bundled weights (needs no network), a folder, or "owner/name" on the Hub. A folder that
            exists is taken before a Hub repository of the same name.
        revision: branch, tag or commit of a Hub repository; nothing else has one.

    Raises:
        CheckpointNotFoundError: nothing is there.
        ValueError: a revision of something that is not on the Hub.
    """
    folder = bundled_folder() if source is None else Path(source).expanduser()
    if isinstance(source, str) and not folder.exists() and _HUB_NAME.fullmatch(source):
        return _from_hub(source, revision)
    if revision is not None:
        raise ValueError(f"revision {revision!r} was given, but {folder} is no Hub repository and has none")
    return find_folder(folder)


def bundled_folder() -> Path:
    """The model folder that ships with the package. A source tree without weights lacks it; ``resolve`` says so."""
    return Path(__file__).resolve().parent / "weights"


def _from_hub(name: str, revision: str | None) -> Path:
    # The one place that hub.py takes over.
    at = "" if revision is None else f" at revision {revision!r}"
    raise CheckpointNotFoundError(
        f"there is no folder {name!r}, and this version cannot load {name!r}{at} from the Hub: that arrives with "
        "hub.py. Download the repository and name its folder"
    )
