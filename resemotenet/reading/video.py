"""Videos: frames with their true times, upright, one after the other, so that ten hours need the memory of a minute."""

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..checkpoints.backends import core_count
from ..errors import VideoError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
    }
)
# 8192 x 4320, above every camera that people have: a small file can claim any size to exhaust memory.
MAX_FRAME_PIXELS = 8192 * 4320

# FFmpeg also reads playlists, which name other files and addresses; what is uploaded must not choose what is opened.
_FORMATS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,h264,hevc,ivf,mjpeg"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
# Seconds. A time that goes back further begins a new recording in the same file; shorter ones are left out.
JUMP = 1.0
# Seconds that may be missing at the end of a whole file, since durations are those of the longest track.
_SLACK = 1.0

# What turns a frame counterclockwise by so many degrees.
_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video.

    Attributes:
        time: in seconds from the beginning, as a player shows it.
        image: upright, RGB, with square pixels.
    """

    time: float
    image: Image.Image


@dataclass(frozen=True)
class Video:
    """What a video file says of itself; nothing of it is decoded yet.

    Attributes:
        path: the file.
        duration: in seconds, or None where the file does not say.
        rate: mean frames a second, or None where the file does not say.
        size: (width, height) of the frames as they are stored, in pixels; a turned one is shown the other way around.
    """

    path: Path
    duration: float | None
    rate: float | None
    size: tuple[int, int]

    @classmethod
    def open(cls, path: str | Path) -> "Video":
        """Look into a file.

        Raises:
            VideoError: not a video, damaged, without pictures, or with too large ones. One sentence for people.
        """
        path = Path(path)
        container, stream = open_container(path)
        with container:
            rate = stream.average_rate or stream.guessed_rate
            duration = container.duration / 1e6 if container.duration and container.duration > 0 else None
            return cls(path, duration, float(rate) if rate else None, (stream.width, stream.height))

    def frames(self, every: float | None = None, after: float | None = None) -> "Frames":
        """The frames, decoded as they are asked for.

        Args:
            every: seconds. Of each such stretch of time the first frame is given; None gives all of them.
            after: seconds. Goes on where the frame of that time was the last one given; jumps over what is before.

        Raises:
            ValueError: ``every`` is no time.
            VideoError: as ``open``, while it is iterated.
        """
        if every is not None and not (0 < every < math.inf):
            raise ValueError(f"every must be a time in seconds, more than 0, got {every}")
        return Frames(self, every, after)


class Frames:
    """An iterator of ``Frame``; damaged parts are left out and counted, and do not end it.

    Attributes:
        damaged: how many parts of the file could not be decoded so far.
        time: of the last frame that was decoded, given out or not; None before the first.
    """

    def __init__(self, video: Video, every: float | None, after: float | None) -> None:
        self.damaged = 0
        self.time: float | None = None
        self._video = video
        self._chosen = self._choose(every, after)

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._chosen)

    def close(self) -> None:
        """Close the file before the end."""
        self._chosen.close()

    @property
    def complaint(self) -> str | None:
        """Once all frames were given: what is wrong with the file, in one sentence; None if it is whole."""
        name, wrong = self._video.path, []
        if self.damaged:
            wrong.append(f"{self.damaged:,} damaged part{'s' * (self.damaged > 1)} left out")
        length = self._video.duration
        if self.time is None:
            wrong.append("not one frame can be read")
        elif length is not None and self.time < length - max(_SLACK, 2 / (self._video.rate or math.inf)):
            wrong.append(f"the pictures end after {self.time:.1f} of {length:.1f} s")
        return f"{name}: {'; '.join(wrong)}" if wrong else None

    def _choose(self, every: float | None, after: float | None) -> Generator[Frame, None, None]:
        due = -math.inf if after is None else _next_due(after, every)
        container, stream = open_container(self._video.path)
        with container:
            if after is not None:
                container.seek(int((after + start_of(container)) * 1e6))
            for time, frame in self._decoded(container, stream):
                if time < due or (after is not None and time <= after):
                    continue
                due = _next_due(time, every)
                yield Frame(time, _upright(frame, float(stream.sample_aspect_ratio or 1)))

    def _decoded(self, container: "InputContainer", stream: "VideoStream") -> "Iterator[tuple[float, VideoFrame]]":
        """Every frame with a time that only goes forward."""
        step = float(1 / (stream.average_rate or stream.guessed_rate or 25))
        shift, start, last = 0.0, start_of(container), -math.inf
        for frame in self._frames_of(container, stream):
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp is None or frame.time_base is None:
                time = step if last == -math.inf else last + step
            else:
                time = float(stamp * frame.time_base) - start + shift
            if time <= last - JUMP:
                shift += last + step - time
                time = last + step
            if time <= last:
                continue
            self.time = last = time
            yield time, frame

    def _frames_of(self, container: "InputContainer", stream: "VideoStream") -> "Iterator[VideoFrame]":
        import av

        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except (StopIteration, av.error.EOFError):
                return
            except (av.error.FFmpegError, ValueError) as error:
                self.damaged += 1
                if not isinstance(error, av.error.InvalidDataError):  # of the file and not of a part of it
                    return
                continue
            yield from (frame for frame in frames if _has_pixels(frame))


def _next_due(time: float, every: float | None) -> float:
    """When the stretch after that of ``time`` begins; a thousandth early, since times in files are rounded."""
    return time if every is None else every * (math.floor(time / every + 1e-3) + 1 - 1e-3)


def open_container(path: Path) -> "tuple[InputContainer, VideoStream]":
    """A file and the track with its pictures; whoever opens it closes it.

    Raises:
        VideoError: as ``Video.open``.
    """
    if not path.exists():
        raise VideoError(f"{path}: no such file or directory")
    if not path.is_file():
        raise VideoError(f"{path}: a folder, a pipe or a device, expected a video file")
    if path.stat().st_size == 0:
        raise VideoError(f"{path}: the file is empty")
    av = _av()
    try:
        container: InputContainer = av.open(str(path.resolve()), options=dict(_OPTIONS), metadata_errors="replace")
    except (av.error.InvalidDataError, av.error.ArgumentError):
        raise VideoError(
            f"{path}: not a video, or cut before its table of contents, or of a format not read here"
        ) from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = " ".join((getattr(error, "strerror", None) or str(error)).split()).lower()
        raise VideoError(f"{path}: the video cannot be opened ({reason})") from error
    try:
        return container, _track(container, path)
    except BaseException:
        container.close()
        raise


def _track(container: "InputContainer", path: Path) -> "VideoStream":
    from av.stream import Disposition

    pictures = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    if not pictures:
        raise VideoError(
            f"{path}: there is sound in it and no picture" if container.streams.audio else f"{path}: no video"
        )
    stream = pictures[0]
    if stream.codec_context is None:
        raise VideoError(f"{path}: its codec is not known here; save it as H.264 (MP4) or VP9 (WebM)")
    if stream.width * stream.height > MAX_FRAME_PIXELS:
        raise VideoError(
            f"{path}: frames of {stream.width} x {stream.height}, at most 8192 x 4320 are read; scale it down"
        )
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = core_count()
    return stream


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise VideoError("videos are read with PyAV, which is not installed: pip install av") from error
    return av


def start_of(container: "InputContainer") -> float:
    """The time stamp at which the file begins, in seconds; a player shows it as 0."""
    return (container.start_time or 0) / 1e6


def _has_pixels(frame: Any) -> bool:
    return bool(0 < frame.width * frame.height <= MAX_FRAME_PIXELS)


def _upright(frame: "VideoFrame", widening: float) -> Image.Image:
    """As it is shown: square pixels, turned as the file says.

    Args:
        widening: width of a pixel over its height.
    """
    image: Image.Image = frame.to_image(  # type: ignore[no-untyped-call]
        width=max(1, round(frame.width * widening))
    )
    turn = _TURNS.get(round(frame.rotation) % 360)
    return image if turn is None else image.transpose(turn)
