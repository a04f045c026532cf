"""The document that a browser gets first, as ``python -m dashboard`` serves it."""

import re
from pathlib import Path

import httpx
import pytest

from dashboard.widgets.steps import SCRIPT
from tests.dashboard.server import running

STYLE = Path(__file__).resolve().parents[2] / "dashboard" / "page.css"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory):
    with running(tmp_path_factory.mktemp("served"), []) as address:
        yield address


@pytest.mark.parametrize("path", ["", "run", "run?run=some-run"])
def test_the_document_has_title_and_style_from_the_first_moment(address: str, path: str):
    answer = httpx.get(address + path, headers={"accept": "text/html,*/*", "accept-encoding": "gzip"})
    document = answer.text
    assert answer.status_code == 200
    assert re.findall("<title>(.*?)</title>", document) == ["ResEmoteNet results"]
    head = document.partition("</head>")[0]
    assert STYLE.read_text(encoding="utf-8") in head
    assert SCRIPT in head


def test_everything_else_comes_as_streamlit_sends_it(address: str):
    assert httpx.get(f"{address}_stcore/health", headers={"accept": "*/*"}).text == "ok"
    plain = httpx.get(address, headers={"accept": "*/*"})
    assert "<title>Streamlit</title>" in plain.text
