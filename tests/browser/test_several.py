"""Several pictures given together: one after the other, a broken one named, the others done."""

import csv
import io
import json
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_photo import ASTRONAUT, TWO_FACES, expect_state
from tests.browser.test_photo_drawn import saved


def test_ten_pictures_with_a_broken_one(visit: Visit, tmp_path: Path):
    (tmp_path / "broken.jpg").write_text("just some text")
    Image.linear_gradient("L").resize((320, 240)).save(tmp_path / "grey.png")
    files = [ASTRONAUT, tmp_path / "broken.jpg", tmp_path / "grey.png", TWO_FACES]
    for index in range(6):
        Image.open(ASTRONAUT).rotate(index).save(tmp_path / f"turned{index}.jpg")
        files.append(tmp_path / f"turned{index}.jpg")
    page = visit()
    page.locator(".picker .file").set_input_files(files)
    told = page.locator(".of-all")
    expect(told).to_have_text(re.compile(r"^10 pictures, 9 faces.*\. 1 could not be read\.$"))
    expect_state(page, "done", re.compile("^1 face"))  # the first is shown
    page.locator(".thumb").nth(3).click()
    expect_state(page, "done", re.compile("^2 faces"))
    expect(page.locator(".picker .cards .card")).to_have_count(2)
    page.locator(".thumb").nth(1).click()
    expect_state(page, "refused", re.compile("not a picture"))
    page.locator(".thumb").nth(0).click()
    expect_state(page, "done", re.compile("^1 face"))

    table = list(csv.DictReader(io.StringIO(Path(saved(page, "Save table").path()).read_text(encoding="utf-8"))))
    assert [row["picture"] for row in table[:5]] == ["astronaut", "broken", "grey", "two_faces", "two_faces"]
    assert len(table) == 11
    assert "not a picture" in table[1]["note"]
    assert table[2]["note"] == "no face"
    pictures = json.loads(Path(saved(page, "Save JSON").path()).read_text(encoding="utf-8"))["pictures"]
    assert [len(each.get("faces", [])) for each in pictures[:4]] == [1, 0, 0, 2]
    assert "not a picture" in pictures[1]["problem"]


def test_the_next_picture_takes_the_place_of_several(visit: Visit):
    page = visit()
    page.locator(".picker .file").set_input_files([ASTRONAUT, TWO_FACES])
    expect(page.locator(".thumb")).to_have_count(2)
    page.locator(".picker .file").set_input_files(TWO_FACES)
    expect_state(page, "done", re.compile("^2 faces"))
    expect(page.locator(".gallery")).to_be_hidden()
