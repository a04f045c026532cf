"""Figures and tables of the dashboard as people use them: read on a phone, saved, ticked."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dashboard_visits import Visitor, drawn
from tests.dashboard import fake_runs
from tests.dashboard.contrast import contrast

SVG = "{http://www.w3.org/2000/svg}"
# [text, colour, size] of all that is written around what a figure draws.
LETTERS = """() => [...document.querySelectorAll(
    ".js-plotly-plot :is(.xaxislayer-above, .yaxislayer-above, .infolayer) text"
)].filter((text) => text.textContent.trim()).map((text) => {
    const innermost = [...text.querySelectorAll("tspan")];
    const sizes = [text, ...innermost].map((each) => parseFloat(getComputedStyle(each).fontSize));
    return [text.textContent, getComputedStyle(text).fill, Math.min(...sizes)];
})"""
GROUND = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


@pytest.fixture
def two_runs(tmp_path: Path) -> list[str]:
    for model in ("resemotenet", "vgg"):
        fake_runs.write_run(tmp_path, model=model)
    return ["--results", str(tmp_path)]


def hexadecimal(color: str) -> str:
    """ "rgb(28, 34, 48)" -> "#1C2230"."""
    return "#{:02X}{:02X}{:02X}".format(*map(int, re.findall(r"\d+", color)[:3]))


def figures_drawn(page: Page, number: int) -> None:
    expect(page.locator(".js-plotly-plot .nsewdrag").nth(number - 1)).to_be_visible()
    drawn(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_letters_of_figures_can_be_read_on_a_phone(visit_dashboard: Visitor, theme: str):
    page = visit_dashboard(width=390, theme=theme)
    figures_drawn(page, 3)
    ground = hexadecimal(page.evaluate(GROUND))
    letters = page.evaluate(LETTERS)
    assert len(letters) > 30
    assert {text: size for text, _, size in letters if size < 12} == {}
    assert {text: color for text, color, _ in letters if contrast(hexadecimal(color), ground) < 4.5} == {}


def test_the_cross_table_is_read_on_a_phone(visit_dashboard: Visitor):
    page = visit_dashboard(path="cross_dataset", width=390)
    cells = page.locator(".crossing td")
    expect(cells).to_have_count(6)
    for cell in cells.all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert cell.evaluate("node => parseFloat(getComputedStyle(node).fontSize)") >= 14
        assert cell.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_a_figure_is_saved_as_svg_with_all_its_words(visit_dashboard: Visitor):
    page = visit_dashboard()
    figures_drawn(page, 1)
    with page.expect_download() as download:
        page.get_by_role("button", name="SVG").first.click()
    assert download.value.suggested_filename == "answers.svg"
    picture = ElementTree.parse(download.value.path()).getroot()
    assert picture.tag == f"{SVG}svg"
    words = {"".join(text.itertext()) for text in picture.iter(f"{SVG}text")}
    assert {"Accuracy, %", "Claimed in a paper", "Measured here, 95% interval"} <= words
    assert any(word.startswith("FER+ strict") for word in words)
    assert len(list(picture.iter(f"{SVG}path"))) > 20
    assert float(picture.get("width") or 0) > 500


def test_pdf_prints_the_figure_and_nothing_else(visit_dashboard: Visitor):
    page = visit_dashboard()
    figures_drawn(page, 1)
    page.add_init_script("window.print = () => { window.top.printed = document.documentElement.outerHTML; }")
    page.get_by_role("button", name="PDF").first.click()
    page.wait_for_function("window.printed")
    printed = page.evaluate("window.printed")
    assert "Claimed in a paper" in printed
    assert "Every run" not in printed
    assert "@page {size: " in printed


def test_a_row_that_is_ticked_leads_to_its_run(visit_dashboard: Visitor, two_runs: list[str]):
    page = visit_dashboard(two_runs)
    figures_drawn(page, 3)
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 17, box["y"] + 33 * 1.5)
    page.get_by_role("link", name="Open this run").click()
    expect(page.locator("h1")).to_have_text("Run")
    page.wait_for_url(re.compile(r"/run\?.*run="))
    drawn(page)
