"""The page with weights of the Hub, and as a Space, in a real browser.

``RESEMOTENET_SCREENSHOTS=FOLDER`` keeps pictures of the page with weights of the Hub.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from demo.space.assemble import assemble
from resemotenet.checkpoints.checkpoint import read_info
from resemotenet.checkpoints.pretrained import bundled_folder
from tests.browser.conftest import Launch, visits_of
from tests.browser.live_page import sideways, wait_for_answers, watch
from tests.browser.test_photo import ASTRONAUT, TWO_FACES, choose, expect_state
from tests.browser.test_screenshots import FAINT, PHONE, WIDE
from tests.demo.server import ROOT, started
from tests.demo.space_host import HOST, DeviceApi, can_be_zero_gpu
from tests.demo.test_space import hub_settings
from tests.hub.server import File, LoopbackHub

NAME = "a-research-group-with-a-long-name/emotions-of-faces-half-width-fer-plus"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(tmp_path_factory.mktemp("space") / "out")


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """A Hub on loopback that has the bundled weights, under another name."""
    with LoopbackHub() as hub:
        files = {
            path.name: File(path.read_bytes(), path.suffix == ".safetensors") for path in bundled_folder().iterdir()
        }
        hub.create(NAME, files)
        yield hub


def test_the_assembled_space_answers(launch: Launch, space: Path, tmp_path: Path):
    browser = launch("patterns")
    with started(["app.py"], space, tmp_path) as demo, visits_of(demo) as visits:
        page = visits.open(browser)
        choose(page, TWO_FACES)
        expect_state(page, "done", re.compile("^2 faces"))
        expect(page.locator(".about")).to_contain_text("weights were trained by this project")


def test_on_zerogpu_pictures_take_a_gpu_and_the_camera_does_not(launch: Launch, space: Path, tmp_path: Path):
    can_be_zero_gpu(tmp_path)
    browser = launch("astronaut")
    with (
        DeviceApi() as api,
        started([HOST, "app.py", "--zero-gpu"], space, tmp_path, api.settings(tmp_path / "host")) as demo,
        visits_of(demo) as visits,
    ):
        page = visits.open(browser, camera=True)
        page.get_by_role("tab", name="Live camera").click()
        watch(page)
        wait_for_answers(page, 5)
        expect(page.locator(".live .cards .label")).to_have_text("Happy")
        page.locator(".live .why").click()
        expect(page.locator(".live .reason")).to_have_attribute("data-state", "done")
        assert api.scheduled() == []
        page.get_by_role("tab", name="Picture").click()
        choose(page, ASTRONAUT)
        expect_state(page, "done", re.compile("^1 face: happy"))
        assert len(api.scheduled()) == 1
        api.seconds_left = 3
        choose(page, TWO_FACES)
        expect(page.get_by_text("Read without a GPU")).to_be_visible()
        expect_state(page, "done", re.compile("^2 faces"))
        keep(page, "space-without-gpu-phone", PHONE)


def test_weights_of_the_hub_answer_and_are_named(launch: Launch, hub: LoopbackHub, tmp_path: Path):
    browser, settings = launch("patterns"), hub_settings(hub, tmp_path / "hf")
    with started(["-m", "demo", "--model", NAME], ROOT, tmp_path, settings) as demo, visits_of(demo) as visits:
        sha = hub.repositories[NAME].sha()
        for theme in ("light", "dark"):
            page = visits.open(browser, theme=theme)
            for device, size in (("wide", WIDE), ("phone", PHONE)):
                keep(page, f"hub-{device}-{theme}", size)
                assert sideways(page) <= 0
                assert page.evaluate(FAINT) == []
        for part in (".masthead .weights", ".about"):
            link = page.locator(f"{part} a", has_text=NAME)
            expect(link).to_have_attribute("href", f"{hub.url}/{NAME}/tree/{sha}")
            expect(page.locator(f"{part} code")).to_have_text(sha[:7])
        stated = [fact for fact in read_info(bundled_folder()).measured if fact["split"] == "test"]
        expect(page.locator(".about li strong")).to_have_text([f"{fact['accuracy'] * 100:.1f}%" for fact in stated])
        expect(page.locator(".about")).to_contain_text("they were not checked here")
        hub.stop()  # the weights are here by now
        choose(page, ASTRONAUT)
        expect_state(page, "done", re.compile("^1 face: happy"))
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy JSON").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        report = json.loads(page.evaluate("navigator.clipboard.readText()"))
        assert (report["model"]["source"], report["model"]["revision"]) == (NAME, sha)


def keep(page: Page, name: str, size: dict[str, int]) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.wait_for_timeout(150)
    if folder := os.environ.get("RESEMOTENET_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
