"""The pages that compare runs, in a real browser over a real server."""

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.analysis.ablations import CONFIGURATIONS
from dashboard.data import PUBLISHED
from tests.browser.dashboard_visits import Visitor, drawn
from tests.dashboard import comparing, fake_runs

PAGES = {
    "": "Overview",
    "ablation": "Ablations",
    "compare": "Compare",
    "run": "Run",
    "cross_dataset": "Cross data set",
}
SCREENS = {"wide, light": (1440, "light"), "wide, dark": (1440, "dark"), "phone, light": (390, "light")}


@pytest.fixture(scope="session")
def many_runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("many")
    comparing.many(folder)
    return ["--results", str(folder)]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_whole(visit_dashboard: Visitor, many_runs: list[str], path: str, screen: str):
    width, theme = SCREENS[screen]
    page = visit_dashboard(many_runs, path, width=width, theme=theme)
    expect(page.locator("h1")).to_have_text(PAGES[path])
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    background = page.get_by_test_id("stApp").evaluate("node => getComputedStyle(node).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (theme == "dark")
    # Tables scroll in themselves; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    main = page.get_by_test_id("stMain")
    assert main.evaluate("node => node.scrollWidth - node.clientWidth") <= 0


def test_it_opens_with_the_published_results_and_nothing_else(visit_dashboard: Visitor):
    page = visit_dashboard()
    expect(page.get_by_text("79.79").first).to_be_visible()
    expect(page.get_by_text("not yet re-run here").first).to_be_visible()
    expect(page.get_by_text(f"{len(list(PUBLISHED.glob('*/')))} finished ·")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


def test_a_choice_goes_into_the_address_and_comes_back_with_the_page(visit_dashboard: Visitor, many_runs: list[str]):
    page = visit_dashboard(many_runs)
    page.get_by_role("radio", name="Each run").click()
    page.wait_for_url(re.compile("[?&]rows=runs(&|$)"))
    drawn(page)
    page.get_by_role("link", name="Ablations").click()
    expect(page.locator("h1")).to_have_text("Ablations")
    drawn(page)
    assert "rows" not in page.url
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("h1")).to_have_text("Overview")
    page.wait_for_url(re.compile("[?&]rows=runs(&|$)"))
    expect(page.get_by_role("radio", name="Each run")).to_be_checked()


def test_going_back_in_the_browser_takes_the_choice_back(visit_dashboard: Visitor, many_runs: list[str]):
    page = visit_dashboard(many_runs)
    page.get_by_role("radio", name="Validation").click()
    page.wait_for_url(re.compile("[?&]split=validation(&|$)"))
    drawn(page)
    page.go_back()
    expect(page.get_by_role("radio", name="Test")).to_be_checked()


def test_going_back_from_a_page_just_opened_leaves_it(visit_dashboard: Visitor, many_runs: list[str]):
    page = visit_dashboard(many_runs)
    page.wait_for_url(re.compile("[?&]split=test(&|$)"))
    page.wait_for_function("window.stepsAreActs")
    before = page.evaluate("history.length")
    page.get_by_role("link", name="Ablations").click()
    page.wait_for_url(re.compile("/ablation.*[?&]series="))
    drawn(page)
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    expect(page.locator("h1")).to_have_text("Overview")
    drawn(page)


def test_pages_of_a_list_are_drawn_without_a_warning_in_the_log(visit_dashboard: Visitor, tmp_path: Path):
    fake_runs.write_run(tmp_path, n=600)
    arguments = ["--results", str(tmp_path)]
    page = visit_dashboard(arguments, "confusion?labels=fer2013&split=test&truth=happy&predicted=happy&page=2")
    page.get_by_role("button", name="Page 3").click()
    page.wait_for_url(re.compile("[?&]page=3(&|$)"))
    drawn(page)
    assert "default value" not in visit_dashboard.dashboards.log(arguments)


def test_a_link_to_what_is_gone_says_so(visit_dashboard: Visitor, many_runs: list[str]):
    page = visit_dashboard(many_runs, "cross_dataset?runs=no-such-run&split=test")
    expect(page.get_by_text("This link names a run that is not here: “no-such-run”.")).to_be_visible()


def test_a_table_is_taken_away_as_csv(visit_dashboard: Visitor, many_runs: list[str]):
    page = visit_dashboard(many_runs, "ablation")
    page.get_by_role("button", name="For a paper: CSV, LaTeX").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    with Path(download.value.path()).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["Configuration"] for row in rows] == list(CONFIGURATIONS)
    assert download.value.suggested_filename == "ablations.csv"
    expect(page.get_by_text(r"\begin{table}")).to_be_visible()


RANGES = "plot => [...plot._fullLayout.xaxis.range, ...plot._fullLayout.yaxis.range]"


def ranges(page: Page) -> list[float]:
    """Both axes of the figure of accuracy against cost, as they are seen."""
    found: list[float] = page.locator(".js-plotly-plot").nth(2).evaluate(RANGES)
    return found


def test_a_page_follows_a_run_and_keeps_its_zoom(visit_dashboard: Visitor, tmp_path: Path):
    for seed, width in ((0, 0.25), (1, 0.5)):
        fake_runs.write_run(tmp_path, seed=seed, width=width)
    path = fake_runs.write_running(tmp_path, epochs=2, planned=10)
    page = visit_dashboard(["--results", str(tmp_path)])
    expect(page.get_by_text("epoch 3 of 10")).to_be_visible()
    before = ranges(page)
    zoom(page)
    second = "document.querySelectorAll('.js-plotly-plot')[2]"
    page.wait_for_function(f"before => ({RANGES})({second})[0] != before", arg=before[0])
    zoomed = ranges(page)
    line = json.loads((path / "epochs.jsonl").read_text().splitlines()[-1])
    with (path / "epochs.jsonl").open("a") as file:
        file.write(json.dumps(line | {"epoch": 2}) + "\n")
    expect(page.get_by_text("epoch 4 of 10")).to_be_visible()
    drawn(page)
    assert ranges(page) == pytest.approx(zoomed)
    # A run that ends joins the table without a reload.
    fake_runs.write_run(tmp_path, seed=9, stamp="20260109T120000Z")
    expect(page.get_by_text(f"{3 + len(list(PUBLISHED.glob('*/')))} finished ·")).to_be_visible()
    drawn(page)


def zoom(page: Page) -> None:
    """Drag a box into the figure."""
    plot = page.locator(".js-plotly-plot").nth(2)
    plot.scroll_into_view_if_needed()
    box = plot.locator(".nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
