"""The page as files alone: which files, and that nothing else is touched. What they do is in tests/browser."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from demo.browser import runtime
from demo.space import __main__ as command
from demo.space.static import assemble_static, filled
from resemotenet.errors import ResEmoteNetError
from tests.browser.on_device import skip_without_runtime
from tests.demo.server import ROOT
from tests.demo.test_space import hub_settings
from tests.hub.server import LoopbackHub


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    skip_without_runtime()
    out = tmp_path_factory.mktemp("site") / "out"
    assert command.main([str(out), "--static"]) == 0
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{word}} {{{word}}}", "&lt;b&gt; <b>"),
        ("{{#each all}}[{{word}}]{{/each}}", "[1][2]"),
        ("function f() { return {}; }", "function f() { return {}; }"),
    ],
)
def test_templates_are_filled_as_gradio_fills_them(template: str, text: str):
    assert filled(template, {"word": "<b>", "all": [{"word": "1"}, {"word": "2"}]}) == text


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(KeyError):
        filled("{{word}}", {})


def test_all_that_the_page_names_is_among_its_files(site: Path):
    files = content(site)
    named = re.findall(r'(?:href|src)="([^"]+)"', files["index.html"].decode())
    local = [name for name in named if not name.startswith(("http", "data:"))]
    assert {"page.css", "site.js", "favicon.png"} <= set(local)
    assert set(local) <= set(files)
    told = json.loads(re.findall(r'id="told">(.*?)</script>', files["index.html"].decode(), re.DOTALL)[0])
    assert all(example["file"] in files for example in told["picture"]["examples"])
    assert f"{told['live']['device']}device.js" in files
    kept = json.loads(re.findall(r"const FILES = (\[.*?\]);", files["sw.js"].decode())[0])
    assert {name for name in files if name.endswith((".js", ".css", ".json"))} - set(kept) == {"sw.js"}


def test_nothing_of_another_site_is_loaded(site: Path):
    page = content(site)["index.html"].decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "'unsafe-eval'" not in policy
    assert not re.findall(r'(?:src|href)="http[^"]*"(?![^>]*rel="noreferrer")', page)


def test_the_card_is_one_of_a_static_space(site: Path):
    card = content(site)["README.md"].decode()
    fields = yaml.safe_load(card.split("---")[1])
    assert fields["sdk"] == "static"
    assert not {"sdk_version", "python_version", "app_file", "suggested_hardware", "preload_from_hub"} & set(fields)
    assert "{" not in card.split("---")[2]


def test_it_is_pushed_as_a_static_space(site: Path, tmp_path: Path):
    with LoopbackHub() as hub:
        line = [sys.executable, "-m", "demo.space", str(tmp_path / "out"), "--static", "--push", "owner/page"]
        settings = os.environ | hub_settings(hub, tmp_path / "hf")
        done = subprocess.run(line, cwd=ROOT, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        space = hub.repositories["spaces/owner/page"]
        assert space.sdk == "static"
        files = {name: file.content for name, file in space.files().items() if name != ".gitattributes"}
        assert files == content(site)


def test_the_same_call_gives_the_same_bytes_and_replaces_only_its_own(site: Path, tmp_path: Path):
    again = assemble_static(tmp_path / "again")
    assert content(again) == content(site)
    assert content(assemble_static(again)) == content(site)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("my own")
    with pytest.raises(ResEmoteNetError, match="no earlier call wrote"):
        assemble_static(tmp_path / "mine")


def test_without_the_runtime_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(runtime, "FILES", (tmp_path / "missing",))
    assert command.main([str(tmp_path / "out"), "--static"]) == 1
    assert "'make runtime' fetches it with npm" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
