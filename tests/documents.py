"""The documents of this repository, taken apart: code blocks, commands in the text, links, headings."""

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("resemotenet", "training", "demo", "dashboard")
# What needs the Hub; tests/hub runs these blocks.
REPOSITORY = "owner/name"


@dataclass(frozen=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def blocks(self, language: str) -> list[str]:
        """Fenced code of a language."""
        return [token.content for token in self._tokens() if token.type == "fence" and token.info == language]

    def inline_code(self) -> list[str]:
        """Code inside the text; over a line's end it goes on after a space."""
        return [token.content for token in self._inline() if token.type == "code_inline"]

    def links(self) -> list[str]:
        """Targets of links and pictures."""
        found = [token.attrGet("href" if token.type == "link_open" else "src") for token in self._inline()]
        return [str(target) for target in found if target is not None]

    def anchors(self) -> set[str]:
        """Of the headings, as GitHub makes them."""
        tokens = self._tokens()
        headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def _tokens(self) -> list[Token]:
        return MarkdownIt().enable("table").parse(self.path.read_text(encoding="utf-8"))

    def _inline(self) -> list[Token]:
        return [child for token in self._tokens() for child in token.children or ()]


DOCUMENTS = [
    Document(path)
    for path in sorted([*ROOT.glob("*.md"), *(path for package in PACKAGES for path in (ROOT / package).rglob("*.md"))])
]
