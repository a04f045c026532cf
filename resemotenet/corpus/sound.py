"""The sound of a film beside its annotated pictures: copied where an MP4 may hold it, else encoded as AAC."""

import io
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..reading.sources import Member
from ..reading.video import JUMP, open_container, start_of

if TYPE_CHECKING:
    from av.container import OutputContainer

logger = logging.getLogger(__name__)

# What players know in an MP4. FFmpeg would also put Vorbis, FLAC and PCM there, and few could play it.
_COPIED = frozenset({"aac", "ac3", "alac", "eac3", "mp3", "opus"})
# Samples a second of AAC; others are brought to the first one.
_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)


class Sound:
    """The first sound track of a film, for an MP4 of its pictures; without any, it gives nothing.

    Times are those of ``Video.frames``, so sound and pictures stay in step. Damaged parts are left out.

    Args:
        member: the film; a sequence of pictures has no sound.
        output: gets a track as soon as there is something for it; nothing was written into it yet.
    """

    def __init__(self, member: Member, output: "OutputContainer") -> None:
        self._packets, self._output = _made_ready(member, output), output
        self._coming = next(self._packets, None)

    def write(self, until: float, before: Callable[[float], None] = lambda time: None) -> None:
        """Into the output goes what comes until then, in seconds; ``before`` is called with the time of each piece."""
        while self._coming is not None and self._coming[0] <= until:
            time, packet = self._coming
            before(time)
            with suppress(ValueError):  # damaged
                self._output.mux(packet)
            self._coming = next(self._packets, None)

    def close(self) -> None:
        self._packets.close()


def _made_ready(member: Member, output: "OutputContainer") -> Generator[tuple[float, Any], None, None]:
    if member.kind != "video":
        return
    container, _ = open_container(Path(member.path))
    with container:
        track = next(iter(container.streams.audio), None)
        if track is None:
            return
        name = track.codec_context.codec.canonical_name if track.codec_context else None
        if name is None:
            logger.warning("%s: its sound is of an unknown codec, and left out of the annotated film", member.name)
            return
        timed = _timed(container, track)
        made = _copied if name in _COPIED and _fits(track) else _encoded
        yield from made(timed, track, output)


def _fits(track: Any) -> bool:
    """Whether FFmpeg begins an MP4 with it; not where the head of the track is damaged."""
    import av

    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(track)
            trial.start_encoding()
    except ValueError:
        return False
    return True


def _timed(container: Any, track: Any) -> Iterator[Any]:
    """The packets of the track, with times from the beginning of the film, that only go forward."""
    import av

    begin, last = Fraction(start_of(container)).limit_denominator(10**6), None
    shift = round(-begin / track.time_base)
    jump = round(JUMP / track.time_base)
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:  # the end, or without a time
            continue
        if last is not None and stamp + shift <= last - jump:  # a new recording in the same file
            shift = last + (packet.duration or 1) - stamp
        if last is not None and stamp + shift <= last:
            continue
        last = stamp + shift
        packet.dts = packet.pts = last
        yield packet


def _copied(packets: Iterator[Any], track: Any, output: "OutputContainer") -> Iterator[tuple[float, Any]]:
    stream = None
    for packet in packets:
        if stream is None:
            stream = output.add_stream_from_template(track)
        packet.stream = stream
        yield float(packet.pts * packet.time_base), packet


def _encoded(packets: Iterator[Any], track: Any, output: "OutputContainer") -> Iterator[tuple[float, Any]]:
    stream: Any = None
    for packet in packets:
        try:
            frames = packet.decode()
            if stream is None and frames:
                stream = _aac(frames[0], output)
            made = [each for frame in frames for each in stream.encode(frame)]
        except ValueError:  # damaged, or of another kind than before
            continue
        yield from _with_times(made)
    if stream is not None:
        yield from _with_times(stream.encode(None))


def _aac(frame: Any, output: "OutputContainer") -> Any:
    stream: Any = output.add_stream("aac", frame.sample_rate if frame.sample_rate in _RATES else _RATES[0])
    stream.layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
    return stream


def _with_times(packets: list[Any]) -> Iterator[tuple[float, Any]]:
    for packet in packets:
        yield float(packet.pts * packet.time_base), packet
