"""What others wrote, fit to be shown: it can be sent to a browser, and Markdown neither links nor loads anything."""

import json
from pathlib import Path
from typing import Any

# Between the signs that make a link or a picture of a text; it has no width.
_JOINER = "\u2060"


def harmless(text: str | Path) -> str:
    """A text without halves of characters, and without links and pictures.

    Names of files hold halves where they are no UTF-8, JSON where it was written so; no answer of the server can.
    """
    whole = str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    for sign in ("![", "](", "]["):
        whole = whole.replace(sign, f"{sign[0]}{_JOINER}{sign[1]}")
    return whole


def harmless_json(text: bytes) -> bytes:
    """A JSON value whose texts are; what is no JSON stays as it is."""
    try:
        return json.dumps(_harmless(json.loads(text)), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    if isinstance(value, dict):
        return {harmless(key): _harmless(each) for key, each in value.items()}
    return value
