"""One spelling of numbers everywhere: 95% without a space, as CONTRIBUTING.md says."""

import re
from pathlib import Path

import pytest

from tests.documents import PACKAGES, ROOT

# Not a placeholder, %{x} or %(x)s, nor a remainder of what stands in brackets or is called.
SPACED = re.compile(r"[\d}] %(?![\w({]| \(| \w+\()")


def test_percent_stands_close_to_its_number():
    folders = [ROOT / package for package in (*PACKAGES, "tests")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".js", ".html", ".md"}]
    ours = [
        path for path in (*files, *ROOT.glob("*.md")) if "node_modules" not in path.parts and path != Path(__file__)
    ]
    texts = {path: path.read_text(encoding="utf-8") for path in ours}
    lines = [f"{path.relative_to(ROOT)}: {line.strip()}" for path, text in texts.items() for line in text.splitlines()]
    assert len(lines) > 10_000
    assert [line for line in lines if SPACED.search(line)] == []


@pytest.mark.parametrize("text", ["95 % of them", "{share:.1f} %", "5 %."])
def test_the_check_sees_a_space(text: str):
    assert SPACED.search(text)
