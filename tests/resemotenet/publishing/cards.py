"""What the tests of this folder share: the address of the card, the card itself, and changed files."""

import json
from pathlib import Path

from resemotenet.publishing.card import model_card
from resemotenet.publishing.facts import gather

PAGE = "https://hub.example/owner/name"


def card_of(folder: Path, *, tag: str | None = None) -> str:
    return model_card(gather(folder), "owner/name", page=PAGE, tag=tag)


def change(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
