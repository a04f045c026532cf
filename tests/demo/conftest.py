"""Fixtures for the tests of the page."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from resemotenet import EmotionPredictor
from tests import films as made

if TYPE_CHECKING:
    from .house import House

EXAMPLES = Path(__file__).resolve().parents[2] / "demo" / "examples"


@pytest.fixture(scope="session")
def predictor(model_folder: Path) -> EmotionPredictor:
    """The real detector with random weights: finds faces, and reads them at random."""
    return EmotionPredictor.from_pretrained(model_folder, device="cpu")


@pytest.fixture
def astronaut() -> bytes:
    """A JPEG file with one face."""
    return (EXAMPLES / "astronaut.jpg").read_bytes()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes the bytes of a plain picture file: ``picture(width, height, format, **options)``."""

    def make(width: int, height: int, kind: str = "PNG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, kind, **options)
        return buffer.getvalue()

    return make


@pytest.fixture
def png_header() -> Callable[[int, int], bytes]:
    """A PNG file that ends where its pixels would begin: its size can be read, they cannot."""

    def make(width: int, height: int) -> bytes:
        chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 1000) + b"IDAT"

    return make


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of two people."""
    one, other = made.heads()
    scenes = (made.scene((one, 60 + number, 90), (other, 400, 90)) for number in range(75))
    return made.write(tmp_path_factory.mktemp("clips") / "clip.mp4", scenes)


@pytest.fixture
def house(predictor: EmotionPredictor, tmp_path: Path) -> "House":
    from .house import House  # needs gradio

    return House(predictor, tmp_path)
