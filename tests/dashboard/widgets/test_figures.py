"""What goes with a figure: the ways to save it, and a script that Streamlit does not leave out."""

import re
from pathlib import Path

from dashboard.widgets import figures
from tests.dashboard import fake_runs
from tests.dashboard.comparing import opened
from tests.dashboard.pages import html


def test_the_script_names_no_tag():
    """Streamlit's purifier drops a script with one, wholly and without a word."""
    script = Path(figures.__file__).with_suffix(".js").read_text(encoding="utf-8")
    assert re.findall(r"<[/\w!]", script) == []


def test_every_figure_can_be_saved_as_svg_and_as_pdf(results: Path):
    fake_runs.write_run(results)
    saved = re.findall(r'data-figure="([\w-]+)" data-kind="(\w+)"', html(opened("overview", results)))
    assert saved == [(name, kind) for name in ("answers", "ranking", "cost-macs") for kind in ("svg", "pdf")]
