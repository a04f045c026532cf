"""Results folders that the dashboard's tests share; see fake_runs.py for what is in them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard import fake_runs


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """Streamlit's AppTest leaves the page as ``__main__``, which processes that a later test spawns would run again."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An empty folder for runs."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.fixture
def every_state(results: Path) -> dict[str, Path]:
    """One made-up run in each state that a folder can be in."""
    broken = fake_runs.write_run(results, stamp="20260106T120000Z")
    (broken / "config.json").write_text("{")
    return {
        "finished": fake_runs.write_run(results),
        "running": fake_runs.write_running(results),
        "unfinished": fake_runs.write_unfinished(results),
        "older": fake_runs.write_older(results),
        "newer": fake_runs.write_newer(results),
        "broken": broken,
    }
