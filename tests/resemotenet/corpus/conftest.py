"""Many small pictures, and the predictor that reads them."""

from pathlib import Path

import pytest

from resemotenet import EmotionPredictor
from resemotenet.reading.detector import MTCNNDetector
from tests import films


@pytest.fixture(scope="session")
def reader(model_folder: Path) -> EmotionPredictor:
    """The real detector, random weights."""
    return EmotionPredictor.from_pretrained(model_folder, device="cpu", detector=MTCNNDetector(every_core=False))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures with a face, one with two, one with none, one that is broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    one, other = films.heads()
    for number in range(12):
        (one if number % 2 else other).rotate(number, fillcolor=(120, 125, 130)).save(folder / f"{number:02}.png")
    films.scene((one, 40, 90), (other, 400, 90)).save(folder / "two.png")
    films.grey(90, (40, 40)).save(folder / "wall.png")
    (folder / "broken.jpg").write_text("no picture")
    return folder
