"""How pages of the dashboard open: without a jump, and so that everybody can use them."""

import pytest

from tests.browser.dashboard_visits import Visitor
from tests.browser.test_accessible import serious
from tests.browser.test_opening import MOST_SHIFT, WATCH

PAGES = ["", "ablation", "cross_dataset", "run", "run?part=Calibration", "compare", "confusion", "datasets"]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_jumps_while_it_opens(visit_dashboard: Visitor, path: str, width: int):
    page = visit_dashboard(path=path, width=width, height=844, script=WATCH)
    page.wait_for_timeout(1500)
    jumps = page.evaluate("window.jumps")
    assert sum(value for value, _ in jumps) < MOST_SHIFT, jumps


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(visit_dashboard: Visitor, path: str, theme: str, width: int):
    page = visit_dashboard(path=path, theme=theme, width=width)
    page.wait_for_timeout(500)
    assert serious(page, "body") == []
