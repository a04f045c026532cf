"""A head that leans to its side, in front of the camera: its card and its explanation show it upright."""

import io
from base64 import b64decode

import numpy as np
from PIL import Image
from playwright.sync_api import Request, expect

from resemotenet.reading.crops import cut
from tests.browser.conftest import Visit
from tests.browser.live_page import answers, asked, decoded, expect_state, watch

CARD_PICTURE = "document.querySelector('.live .cards canvas.crop').toDataURL('image/png')"


def test_a_leaning_head_stands_upright_on_its_card(visit_live: Visit):
    page = visit_live("leaning")
    sent: list[Request] = []
    page.on("requestfinished", lambda request: sent.append(request) if asked(request) else None)
    watch(page)
    card = page.locator(".live .cards .card")
    expect(card.locator(".label")).to_have_text("Happy")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)  # what was under way has arrived, and must not be drawn any more

    (face,) = answers(page)[-1]["faces"]
    assert 15 < face["crop_roll"] < 35
    shown = Image.open(io.BytesIO(b64decode(page.evaluate(CARD_PICTURE).split(",")[1]))).convert("RGB")
    # The page draws from the frame it sent, which is among the last.
    differences = []
    for request in sent[-6:]:
        question, response = asked(request), request.response()
        if question and response and response.json()["faces"]:
            (each,) = response.json()["faces"]
            upright = cut(decoded(question["frame"]), each["crop_box"], each["crop_roll"]).resize(shown.size)
            differences.append(np.abs(np.asarray(upright, float) - np.asarray(shown, float)).mean())
    assert min(differences) < 6

    card.get_by_role("button", name="Why?").click()
    expect(card.locator(".reason img")).to_have_js_property("naturalWidth", 264)
    expect(card.locator(".reason .reason-text")).to_contain_text("spoke for happy")
    expect_state(page, "paused", "Paused.")
