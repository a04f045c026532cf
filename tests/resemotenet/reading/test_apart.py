"""Files made to take any time or memory: one sentence each, soon, and the next file is read."""

import io
import multiprocessing
import resource
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from resemotenet.errors import ImageError
from resemotenet.reading import apart
from resemotenet.reading.effort import MAX_SCANS, takes_what_its_size_says
from resemotenet.reading.images import read_image

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited on Linux only")

# Prints how much memory, in kB, the largest process took in which the picture on standard input was opened.
_COUNTS = """
import resource, sys
from resemotenet.errors import ImageError
from resemotenet.reading import apart
from resemotenet.reading.images import read_image
try:
    read_image(sys.stdin.buffer.read())
except ImageError:
    pass
apart._Worker.end_all()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()[:64, :64]).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(*tags: tuple[int, int, int, int], behind: bytes = b"") -> bytes:
    """A TIFF of these (tag, type, count, value or offset), with data from byte 8 on."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(behind)) + behind + struct.pack("<H", len(tags)) + entries + bytes(4)


def enormous_tile() -> bytes:
    """64 by 64 pixels in one tile of 60,000 by 60,000 that is hardly more than its header."""
    size = ((256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1))
    tile = ((322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 100))
    return tiff(*size, *tile, behind=bytes(100))


def many_tags() -> bytes:
    """A thousand tags that all name the same ten megabytes."""
    size = ((256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8))
    return tiff(*size, *((tag, 7, 10_000_000, 8) for tag in range(40_000, 41_000)), behind=bytes(10_000_000))


def many_scans() -> bytes:
    whole = encoded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * (MAX_SCANS + 2) + whole[-2:]


def loose_bytes() -> bytes:
    """A JPEG with a flood of padding before its first marker."""
    whole = encoded("JPEG")
    return whole[:2] + b"\xff" * 200_000 + whole[2:]


def many_chunks() -> bytes:
    whole = encoded("PNG")
    return whole[:33] + (bytes(4) + b"junk" + bytes(4)) * 50_000 + whole[33:]


def packed_bitmap() -> bytes:
    """A BMP of 8 bits whose rows are packed: unpacked byte by byte, in Python."""
    whole = bytearray(encoded("BMP"))
    whole[30] = 1
    return bytes(whole)


RARE = {"TIFF": encoded("TIFF"), "PPM": encoded("PPM"), "JPEG2000": encoded("JPEG2000"), "JPEG": many_scans()}
ODD = {"loose bytes": loose_bytes(), "chunks": many_chunks(), "packed BMP": packed_bitmap(), "comment": b"P6\n#"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP"])
def test_common_files_are_opened_right_here(kind: str, tmp_path: Path):
    path = tmp_path / "picture"
    path.write_bytes(encoded(kind))
    assert takes_what_its_size_says(io.BytesIO(encoded(kind)))
    assert takes_what_its_size_says(path)


@pytest.mark.parametrize("content", [*RARE.values(), *ODD.values()], ids=[*RARE, *ODD])
def test_others_are_not(content: bytes, tmp_path: Path):
    path = tmp_path / "picture"
    path.write_bytes(content)
    assert not takes_what_its_size_says(io.BytesIO(content))
    assert not takes_what_its_size_says(path)


@pytest.mark.parametrize("kind", ["TIFF", "PPM", "JPEG2000"])
def test_what_is_opened_apart_is_the_same_picture(kind: str, tmp_path: Path):
    path = tmp_path / f"ünïcode \udcff.{kind}"
    content = RARE[kind]
    path.write_bytes(content)
    expected = Image.open(io.BytesIO(content)).convert("RGB")
    for source in (path, content):
        image = read_image(source)
        assert (image.mode, image.size) == ("RGB", (64, 64))
        assert np.array_equal(np.asarray(image), np.asarray(expected))
        image.putpixel((0, 0), (1, 2, 3))  # nobody else's
        assert image.getpixel((0, 0)) == (1, 2, 3)


def test_errors_of_files_opened_apart_are_the_usual_sentences():
    with pytest.raises(ImageError, match=r"^the data: the picture is damaged or cut short"):
        read_image(RARE["PPM"][:200])
    with pytest.raises(ImageError, match=r"^a\.tif: "):
        read_image(b"II*\0 is all there is", name="a.tif")
    huge = tiff((256, 4, 1, 60_000), (257, 4, 1, 60_000), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8))
    with pytest.raises(ImageError, match="more than 144 megapixels"):
        read_image(huge)


@LINUX
@pytest.mark.parametrize("content", [enormous_tile(), many_tags()], ids=["one enormous tile", "tags of the same bytes"])
def test_memory_has_a_bound(content: bytes):
    with pytest.raises(ImageError, match=r"^the data: .*(memory|damaged)"):
        read_image(content)
    assert read_image(RARE["TIFF"]).size == (64, 64)
    # Counted by a process of its own: this one has had other children, and the largest of all is what is known.
    done = subprocess.run([sys.executable, "-c", _COUNTS], input=content, capture_output=True, check=True)
    assert int(done.stdout) < 1_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="processor time cannot be limited there")
def test_time_has_a_bound():
    """Comments that Pillow reads from the start again and again: 14 MB of them took minutes."""
    apart._Worker.end_all()
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(ImageError, match="unusually much time or memory"):
        read_image(b"P3\n8 8 255\n" + b"# a comment\n" * 1_200_000)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime < 12
    assert read_image(RARE["PPM"]).size == (64, 64)


def test_what_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(apart, "_PATIENCE", 0.5)
    monkeypatch.setattr(apart, "_START", "import time; time.sleep(600)")
    apart._Worker.end_all()
    begun = time.monotonic()
    with pytest.raises(ImageError, match="unusually much time"):
        read_image(RARE["TIFF"])
    assert time.monotonic() - begun < 60
    assert apart._Worker._kept == []


def test_one_process_serves_one_file_after_the_other():
    read_image(RARE["TIFF"])
    [first] = apart._Worker._kept
    with pytest.raises(ImageError):
        read_image(RARE["TIFF"][:100])
    read_image(RARE["PPM"])
    assert apart._Worker._kept == [first]


def test_threads_are_served_beside_each_other():
    with ThreadPoolExecutor(4) as threads:
        images = list(threads.map(lambda number: read_image(list(RARE.values())[number % 4]), range(12)))
    assert [image.size for image in images] == [(64, 64)] * 12


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_has_processes_of_its_own():
    """Two that share one would read each other's answers."""
    read_image(RARE["TIFF"])
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        sizes = pool.map(_size, [RARE["TIFF"], RARE["PPM"], RARE["JPEG2000"]] * 3)
    assert sizes == [(64, 64)] * 9
    assert read_image(RARE["TIFF"]).size == (64, 64)


def _size(content: bytes) -> tuple[int, int]:
    return read_image(content).size


def test_nothing_that_decoders_print_reaches_the_terminal(capfd: pytest.CaptureFixture[str]):
    """libtiff writes to the process's own standard error."""
    content = bytearray(encoded("TIFF", compression="tiff_lzw"))
    content[8:60] = bytes(52)
    for attempt in (bytes(content), RARE["TIFF"][:-50], many_tags()[:100_000]):
        with pytest.raises(ImageError):
            read_image(attempt)
    threading.Event().wait(0.1)
    assert capfd.readouterr() == ("", "")


def test_a_file_without_enough_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", none_left)
    with pytest.raises(ImageError, match=r"^the data: there is not enough memory for this picture; scale it down$"):
        read_image(encoded("PNG", pnginfo=None))
