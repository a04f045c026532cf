"""The sound of annotated films: that of the film, in step with its pictures."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from resemotenet.corpus.film import annotate_film
from resemotenet.reading.sources import Member
from resemotenet.reading.video import Video
from tests import films

BEEP = 1.0  # seconds: the pictures turn white, and a tone begins


def tone(rate: int, channels: int, seconds: float) -> Iterator[Any]:
    """Silence, and from ``BEEP`` on 440 Hz."""
    count = 1024
    for start in range(0, round(seconds * rate), count):
        times = (start + np.arange(count)) / rate
        wave = np.where(times >= BEEP, 8000 * np.sin(2 * np.pi * 440 * times), 0).astype(np.int16)
        frame: Any = av.AudioFrame.from_ndarray(
            np.repeat(wave, channels)[None], "s16", "mono" if channels == 1 else "stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame


def talking(
    path: Path, codec: str, *, rate: int = 48_000, channels: int = 2, late: float = 0.0, seconds: float = 2.0
) -> Path:
    """Two seconds of pictures, and of sound, whose pictures and sound begin this much after 0."""
    pictures = {".webm": "libvpx", ".avi": "mpeg4", ".mpg": "mpeg1video"}.get(path.suffix, "libx264")
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(pictures, films.RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        track: Any = container.add_stream(codec, rate)
        track.layout = "mono" if channels == 1 else "stereo"
        sounds = tone(rate, channels, seconds)
        for number in range(2 * films.RATE):
            time = number / films.RATE
            frame = av.VideoFrame.from_image(films.grey(255 if time >= BEEP else 0))
            frame.pts, frame.time_base = number + round(late * films.RATE), Fraction(1, films.RATE)
            container.mux(stream.encode(frame))
            while (sound := next(sounds, None)) is not None:
                now = sound.pts / rate
                sound.pts += round(late * rate)
                container.mux(track.encode(sound))
                if now > time:
                    break
        for sound in sounds:
            sound.pts += round(late * rate)
            container.mux(track.encode(sound))
        for each in (stream, track):
            container.mux(each.encode(None))
    return path


def annotated(path: Path) -> Path:
    target = annotate_film(Member(str(path), "video", str(path)), [], path.with_name("annotated.mp4"))
    assert target is not None
    return target


def beginnings(path: Path) -> tuple[float, float]:
    """When the picture turns white, and when the tone begins, in seconds as a player shows them."""
    white = next(frame.time for frame in Video.open(path).frames() if np.asarray(frame.image).mean() > 128)
    with av.open(str(path)) as container:
        start = (container.start_time or 0) / 1e6
        frames: Any = container.decode(audio=0)
        for frame in frames:
            wave = np.abs(frame.to_ndarray().astype(np.float64))
            wave = wave.reshape(-1, frame.layout.nb_channels) if not frame.format.is_planar else wave.T
            loud = np.flatnonzero(wave.max(axis=1) > (0.1 if "flt" in frame.format.name else 3000))
            if len(loud):
                return white, float(frame.pts * frame.time_base) - start + loud[0] / frame.sample_rate
    raise AssertionError("no tone")


def track_of(path: Path) -> tuple[str, int, int]:
    with av.open(str(path)) as container:
        (track,) = container.streams.audio
        return track.codec_context.name, track.rate, track.layout.nb_channels


def tracks(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams]


def packets_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "aac"), ("a.webm", "libopus"), ("a.avi", "libmp3lame"), ("a.mkv", "ac3"), ("a.mov", "alac")],
)
def test_what_an_mp4_may_hold_is_copied(tmp_path, name, codec):
    path = talking(tmp_path / name, codec)
    made = annotated(path)
    assert track_of(made) == track_of(path)
    assert packets_of(made) == packets_of(path)
    assert beginnings(made) == pytest.approx(beginnings(path), abs=0.002)
    assert beginnings(made) == pytest.approx((BEEP, BEEP), abs=0.05)  # a frame, and what MP3 begins with


def test_aac_of_a_broadcast_loses_its_headers_and_nothing_else(tmp_path):
    path = talking(tmp_path / "a.ts", "aac")
    made = annotated(path)
    assert track_of(made) == ("aac", 48_000, 2)
    # Seven bytes before each packet say what stands once in an MP4.
    assert packets_of(made) == [packet[7:] for packet in packets_of(path)]
    assert beginnings(made) == pytest.approx(beginnings(path), abs=0.002)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels", "expected"),
    [
        ("a.mkv", "pcm_s16le", 44_100, 1, ("aac", 44_100, 1)),
        ("a.avi", "pcm_s16le", 22_050, 2, ("aac", 22_050, 2)),
        ("a.mkv", "flac", 96_000, 2, ("aac", 48_000, 2)),
        ("a.mpg", "mp2", 48_000, 2, ("aac", 48_000, 2)),
    ],
)
def test_all_other_sound_becomes_aac(tmp_path, name, codec, rate, channels, expected):
    path = talking(tmp_path / name, codec, rate=rate, channels=channels)
    made = annotated(path)
    assert track_of(made) == expected
    assert beginnings(made) == pytest.approx((BEEP, BEEP), abs=0.03)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "aac"), ("a.mkv", "pcm_s16le"), ("a.ts", "aac")])
def test_a_film_that_does_not_begin_at_0(tmp_path, name, codec):
    path = talking(tmp_path / name, codec, late=5.0)
    assert beginnings(annotated(path)) == pytest.approx(beginnings(path), abs=0.03)


def test_sound_that_goes_on_after_the_pictures_is_whole(tmp_path):
    path = talking(tmp_path / "a.mp4", "aac", seconds=3.5)
    assert packets_of(annotated(path)) == packets_of(path)


def test_damaged_sound_is_left_out_and_the_rest_is_in_step(tmp_path):
    path = talking(tmp_path / "a.mkv", "flac")
    content = bytearray(path.read_bytes())
    place = content.index(packets_of(path)[-5])
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    made = annotated(path)
    assert track_of(made)[0] == "aac"
    assert beginnings(made) == pytest.approx((BEEP, BEEP), abs=0.03)


def test_sound_whose_head_is_damaged_costs_the_sound_alone(tmp_path):
    path = talking(tmp_path / "a.mov", "alac")
    content = path.read_bytes()
    place = content.rindex(b"alac") + 4
    path.write_bytes(content[:place] + bytes(32) + content[place + 32 :])
    assert tracks(annotated(path)) == ["video"]


def test_without_sound_there_is_none(tmp_path):
    made = annotated(films.write(tmp_path / "a.mp4", films.ticking(5)))
    assert tracks(made) == ["video"]
