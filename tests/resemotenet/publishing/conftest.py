"""Fixtures for the tests of what is published."""

import shutil
from pathlib import Path

import pytest

from tests.finished_run import make_run


@pytest.fixture
def run(tmp_path: Path, model_folder: Path) -> Path:
    return make_run(tmp_path / "run", model_folder)


@pytest.fixture
def model(tmp_path: Path, model_folder: Path) -> Path:
    """A model folder that a test may change."""
    return Path(shutil.copytree(model_folder, tmp_path / "model"))
