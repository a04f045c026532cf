"""What the tests of this folder share: the address of the card, the card itself, and changed files."""

import json
import re
from pathlib import Path

from resemotenet.publishing.card import model_card
from resemotenet.publishing.facts import gather

PAGE = "https://hub.example/owner/name"


def card_of(folder: Path, *, tag: str | None = None) -> str:
    return model_card(gather(folder), "owner/name", page=PAGE, tag=tag)


def change(path: Path, **values) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def section(card: str, title: str) -> str:
    """The text below a heading, up to the next of its rank or a higher one."""
    (mark,) = re.findall(rf"^(#+) {re.escape(title)}$", card, re.MULTILINE)
    below = card.split(f"\n{mark} {title}\n")[1]
    return re.split(rf"^#{{1,{len(mark)}}} ", below, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Cells of the first table in a text, without its two head lines."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]
