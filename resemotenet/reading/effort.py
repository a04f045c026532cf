"""Which files take no more time and memory to open than their size says; all others are opened apart.

That is known of the formats that cameras and browsers use most. What a file is, its first bytes say.
"""

import io
import re
from pathlib import Path

# A progressive JPEG is drawn in a dozen scans, each a pass over all pixels; a thousand of them take minutes.
MAX_SCANS = 50
_MAX_SEGMENTS = 5000  # of a JPEG; a large one with colour profile and comments has some hundred
# Pillow walks through both in Python, a microsecond or several each: through bytes between the segments of a JPEG that
# belong to none, and through the chunks of a PNG, of which one of 100 MB usually has some ten thousand.
_MAX_LOOSE, _MAX_CHUNKS = 100_000, 30_000
# A file of more bytes is not looked through.
_MAX_BYTES = 200_000_000

# Markers of a JPEG that a length follows, and its end. Not those that may stand between the bytes of a scan: FF00 is a
# byte of the picture, FFD0 to FFD7 are restarts. Nor FF01 to FFBF: libjpeg gives up at most of them, or goes on to the
# next marker, as is done here; so no scan that it would draw is missed.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
_END, _SCAN = b"\xd9", b"\xda"
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"

_HEAD = 34
# HEIC is opened by plugins that whoever uses the library has registered in this process.
_AVIF_BRANDS = (b"avif", b"avis")


def takes_what_its_size_says(source: Path | io.BytesIO) -> bool:
    """Whether a file can be opened right here: its time and memory are bounded by its pixels.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(source, io.BytesIO):
        return _is_plain(bytes(source.getbuffer()[:_HEAD])) and not has_many_parts(source.getbuffer())
    with source.open("rb") as file:
        head = file.read(_HEAD)
        if not (_is_plain(head) and head.startswith((_JPEG, _PNG))):
            return _is_plain(head)
        data = head + file.read(_MAX_BYTES)
    return len(data) < _MAX_BYTES and not has_many_parts(data)


def _is_plain(head: bytes) -> bool:
    if head.startswith(b"BM"):  # those that are packed are unpacked byte by byte, in Python
        return head[30:34] in (b"\0\0\0\0", b"\3\0\0\0")
    if head[4:8] == b"ftyp":
        return head[8:12] not in _AVIF_BRANDS
    rare = head.startswith((b"II", b"MM", b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")) or re.match(rb"P[1-7yfF]", head)
    return not rare


def has_many_parts(data: bytes | memoryview) -> bool:
    """Whether a JPEG or a PNG takes long to open whatever its pixels; no other file does."""
    if data[: len(_JPEG)] == _JPEG:
        return has_many_scans(bytes(data))
    return data[: len(_PNG)] == _PNG and _has_many_chunks(data)


def _has_many_chunks(data: bytes | memoryview) -> bool:
    place = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        if place >= len(data) or data[place + 4 : place + 8] == b"IEND":
            return False
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return True


def has_many_scans(data: bytes) -> bool:
    """Whether a JPEG is built of more scans than ``MAX_SCANS``, or of a flood of segments, or of bytes before them.

    Reads the markers as libjpeg does, up to the end of the picture: phones append a film to it, in whose bytes any
    marker occurs by chance, and so it does in a preview inside a segment.
    """
    scans, place, loose = 0, 2, 0
    for _ in range(_MAX_SEGMENTS):
        marker = _MARKER.search(data, place)
        if marker is None or marker[1] == _END:
            return not scans and loose + len(data) - place > _MAX_LOOSE
        if not scans:
            loose += marker.start() - place
        scans += marker[1] == _SCAN
        if scans > MAX_SCANS or loose > _MAX_LOOSE:
            return True
        # The length counts its own two bytes, whatever it says.
        place = marker.end() + max(2, int.from_bytes(data[marker.end() : marker.end() + 2], "big"))
    return True
