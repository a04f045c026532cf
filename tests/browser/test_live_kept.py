"""What is kept of the live camera: the last minute, recorded numbers, a frame, and a summary at the end."""

import csv
import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from resemotenet import EMOTIONS
from resemotenet.reading.drawing import color_of
from tests.browser.conftest import Visit
from tests.browser.live_page import decoded, expect_state, wait_for_answers, watch
from tests.browser.test_photo_drawn import pixels_like


def test_numbers_are_recorded_to_a_table(visit_live: Visit):
    page = visit_live()
    record = page.locator("#live .record")
    expect(record).to_have_attribute("aria-disabled", "true")
    watch(page)
    record.click()
    expect(record).to_have_text("Stop and save CSV")
    wait_for_answers(page, 5)
    with page.expect_download() as download:
        record.click()
    assert download.value.suggested_filename == "live-emotions.csv"
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert len(rows) >= 5
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds[0] == 0
    assert seconds == sorted(seconds)
    assert {row["label"] for row in rows} == {"happy"}
    assert all(abs(sum(float(row[name]) for name in EMOTIONS) - 1) < 1e-3 for row in rows)


def test_a_recording_without_a_face_says_that_nothing_is_saved(visit_live: Visit):
    page = visit_live()
    watch(page)
    page.locator(".live .go").click()
    expect_state(page, "paused")
    record = page.locator("#live .record")
    record.click()
    record.click()
    expect(record).to_have_text("Record numbers")
    expect(page.locator(".summary")).to_have_text("Nothing is saved: no face was read while numbers were recorded.")


def test_the_last_minute_is_drawn_and_summed_up_when_it_stops(visit_live: Visit):
    page = visit_live()
    watch(page)
    wait_for_answers(page, 8)
    page.wait_for_timeout(1000)
    minute = page.locator(".timeline")
    expect(minute).to_have_attribute("aria-label", "The last minute, one row: a row a person")
    assert pixels_like(decoded(minute.evaluate("canvas => canvas.toDataURL()")), color_of("happy")) > 20
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".summary")).to_have_text(
        re.compile(r"^Watched for \d+ s\. Face 1: happy \d+%.* of the time\.$")
    )
    watch(page)
    expect(page.locator(".summary")).to_be_empty()


def test_a_frame_is_saved_as_it_is_shown(visit_live: Visit):
    page = visit_live()
    watch(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this picture").click()
    image = Image.open(download.value.path()).convert("RGB")
    assert pixels_like(image, color_of("happy")) > 200
