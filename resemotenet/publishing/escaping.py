"""Free text of a model's files, made fit for a card: it may be anybody's, so it stays in its line and is no markup."""

import re
from typing import Any

_LINK = re.compile(r"https?://[^\s<>()\[\]{}\"'`\\|*]{1,500}", re.IGNORECASE | re.ASCII)
_REPOSITORY = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9.-]{1,100}")


def plain(value: Any, longest: int = 200) -> str:
    """One line of printable characters; what is longer than ``longest`` ends in an ellipsis."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(value)).split())
    return line if len(line) <= longest else line[: longest - 1] + "\u2026"


def text(value: Any, longest: int = 200) -> str:
    """As ``plain``, and what Markdown or HTML would take for markup stands as itself."""
    return re.sub(r"([\\\[\]|*#`])", r"\\\1", plain(value, longest)).replace("<", "&lt;")


def code(value: Any, longest: int = 120) -> str:
    """As ``plain``, between backticks; also fit for the cell of a table."""
    return f"`{plain(value, longest).replace('`', chr(39)).replace('|', '/')}`"


def link(url: Any) -> str | None:
    """An address that may be followed, or None."""
    return url if isinstance(url, str) and _LINK.fullmatch(url) else None


def repository_name(name: Any) -> str | None:
    """ "owner/name", or None for what is none."""
    return name if isinstance(name, str) and _REPOSITORY.fullmatch(name) else None


def license_name(name: Any) -> str | None:
    """The name of a licence as the Hub takes it, or None."""
    return name if isinstance(name, str) and _SLUG.fullmatch(name) else None
