"""The pages about single runs in a real browser: a click on a confusion cell shows the faces in it."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard import data
from resemotenet.checkpoints.checkpoint import read_info
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.emotions import EMOTIONS
from tests.browser.dashboard_visits import Visitor, drawn
from tests.dashboard.fake_runs import write_run, write_running
from tests.dashboard.matching import score_faces, write_matching

VIEWS = {
    "confusion": "Confusion",
    "run": "Run",
    "datasets": "Data sets",
}


@pytest.fixture(scope="module")
def matching(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(results, data): two runs on made-up faces, and one that trains."""
    run, parquet = write_matching(tmp_path_factory.mktemp("matching"))
    other = write_run(run.parent, labels="ferplus", seed=1, n=20, stamp="20251231T120000Z")
    score_faces(other, parquet, skill=3, seed=1)
    write_running(run.parent, seed=2, stamp="20251230T120000Z", epochs=6)
    return run.parent, parquet


def with_pictures(matching: tuple[Path, Path]) -> list[str]:
    return ["--results", str(matching[0]), "--data", str(matching[1])]


def settled(page: Page, figures: int = 1) -> None:
    """The page has come to its end: figures are drawn and nothing is being computed."""
    expect(page.locator(".js-plotly-plot .nsewdrag").nth(figures - 1)).to_be_visible()
    drawn(page)


def click_cell(page: Page, truth: str, predicted: str, figure: int = 0) -> None:
    area = page.locator(".js-plotly-plot").nth(figure).locator(".nsewdrag").first
    area.scroll_into_view_if_needed()
    # The pointer must be seen to come, or Plotly does not know what it stands on.
    box = area.bounding_box()
    assert box is not None
    x = box["x"] + box["width"] * (EMOTIONS.index(predicted) + 0.5) / len(EMOTIONS)
    y = box["y"] + box["height"] * (EMOTIONS.index(truth) + 0.5) / len(EMOTIONS)
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y, steps=3)
    expect(page.locator(".hoverlayer .hovertext").first).to_be_visible()
    page.mouse.click(x, y)


def expected_faces(run: Path, truth: str, predicted: str, labels: str = "fer2013") -> list[str]:
    """Ids of a cell, surest first."""
    found = data.predictions(data.scan([run])[0], labels, "test")
    column = EMOTIONS.index(predicted)
    rows = [
        row
        for row in range(len(found.ids))
        if found.targets[row] == EMOTIONS.index(truth) and found.probabilities[row].argmax() == column
    ]
    return [str(found.ids[row]) for row in sorted(rows, key=lambda row: -found.probabilities[row, column])]


def expect_faces(page: Page, ids: list[str]) -> None:
    """These faces in this order, and no others, once the page has got there."""
    shown = page.locator(".face")
    expect(shown).to_have_count(len(ids))
    for place, sample in enumerate(ids):
        expect(shown.nth(place)).to_have_attribute("data-sample", sample)


@pytest.mark.parametrize(("width", "theme"), [(1400, "light"), (390, "dark")])
@pytest.mark.parametrize("view", VIEWS)
def test_every_page_opens_wide_and_on_a_phone(
    visit_dashboard: Visitor, matching: tuple[Path, Path], view: str, width: int, theme: str
):
    page = visit_dashboard(with_pictures(matching), view, width=width, theme=theme)
    expect(page.get_by_role("heading", name=VIEWS[view], exact=True)).to_be_visible()
    settled(page)
    # Nothing but tables, which scroll by themselves, is wider than the page.
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= width


def test_a_click_on_a_cell_lists_its_faces_and_changes_the_address(
    visit_dashboard: Visitor, matching: tuple[Path, Path]
):
    run = next(path for path in matching[0].iterdir() if path.name.endswith("20260101T120000Z"))
    page = visit_dashboard(with_pictures(matching), f"confusion?run={run.name}&labels=fer2013")
    settled(page)
    for truth, predicted in (("happy", "happy"), ("sad", "sad")):
        click_cell(page, truth, predicted)
        expect(page.get_by_text(f"{truth.capitalize()}, read right")).to_be_visible()
        faces = expected_faces(run, truth, predicted)
        expect_faces(page, faces)
        page.wait_for_url(lambda url, truth=truth: f"truth={truth}" in url)  # type: ignore[misc]
        first = page.locator(".face img").first
        assert first.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [48, 48]
        expect(page.locator(".face .votes").first).to_contain_text("Votes:")
    again = visit_dashboard(with_pictures(matching), page.url.split("/", 3)[3])
    settled(again)
    expect(again.get_by_text("Sad, read right")).to_be_visible()
    expect_faces(again, faces)


def test_a_cell_can_be_clicked_again(visit_dashboard: Visitor, matching: tuple[Path, Path]):
    page = visit_dashboard(with_pictures(matching), "confusion?labels=fer2013")
    settled(page)
    for emotion in ("happy", "sad", "happy"):
        click_cell(page, emotion, emotion)
        expect(page.get_by_text(f"{emotion.capitalize()}, read right")).to_be_visible()
        settled(page)


def test_any_of_three_matrices_can_be_clicked(visit_dashboard: Visitor, matching: tuple[Path, Path]):
    a, b = (run.id for run in data.scan([matching[0]]) if run.state == "finished")
    page = visit_dashboard(with_pictures(matching), f"confusion?run={a}&against={b}&labels=fer2013")
    settled(page, figures=3)
    for figure, emotion in enumerate(("happy", "sad", "angry")):
        click_cell(page, emotion, emotion, figure)
        expect(page.get_by_text(f"{emotion.capitalize()}, read right")).to_be_visible()
        settled(page, figures=3)


def test_dragging_over_the_curves_shows_these_epochs_until_told_otherwise(
    visit_dashboard: Visitor, matching: tuple[Path, Path]
):
    run = next(path for path in matching[0].iterdir() if path.name.endswith("20251230T120000Z"))
    page = visit_dashboard(with_pictures(matching), f"run?run={run.name}")
    settled(page)
    span = "() => document.querySelector('.js-plotly-plot')?.layout?.xaxis.range"
    epochs = "() => document.querySelector('.js-plotly-plot')?.data?.[0].x.length"
    box = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.21 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.62 * box["width"], box["y"] + 0.5 * box["height"], steps=8)
    page.mouse.up()
    page.wait_for_url(lambda url: "epochs=2-4" in url)
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.layout?.xaxis?.range?.[0] > 1.5")
    before = page.evaluate(span)
    # Another epoch is done: it appears by itself, and the view stays.
    lines = (run / "epochs.jsonl").read_text().splitlines()
    with (run / "epochs.jsonl").open("a") as file:
        file.write(lines[-1].replace(f'"epoch": {len(lines) - 1}', f'"epoch": {len(lines)}') + "\n")
    page.wait_for_function(f"({epochs})() === {len(lines) + 1}")
    assert page.evaluate(span) == before
    page.get_by_role("button", name="Show all epochs").click()
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.layout?.xaxis?.range?.[1] > 6.5")


def test_faces_of_fer2013_behind_the_published_results(visit_dashboard: Visitor, fer2013_parquet: Path):
    """With the real data: the faces of the bundled weights' run, their votes, and what the network looked at."""
    bundled = read_info(bundled_folder()).training["run"]
    published = next(run for run in data.scan([data.PUBLISHED]) if run.id == bundled)
    address = f"confusion?run={published.id}&labels={published.labels}&split=test"
    page = visit_dashboard(["--data", str(fer2013_parquet)], address)
    settled(page)
    click_cell(page, "fear", "surprise")
    faces = expected_faces(published.path, "fear", "surprise", published.labels)
    expect(page.get_by_text(f"Fear, read as surprise: {len(faces)} of")).to_be_visible()
    expect_faces(page, faces[:12])
    page.get_by_role("radio", name="For its answer").click()
    expect(page.locator(".face img")).to_have_count(2 * min(12, len(faces)))
