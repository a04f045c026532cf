import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resemotenet.errors import VideoError
from resemotenet.reading.video import Frame, Video
from tests import films


def level(frame: Frame) -> float:
    return float(np.asarray(frame.image).mean())


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Two seconds, 50 frames that get lighter."""
    return films.write(tmp_path / "film.mp4", films.ticking(50))


class TestTimes:
    def test_every_frame_with_its_time(self, film):
        video = Video.open(film)
        assert video.duration == pytest.approx(2, abs=0.05)
        assert video.rate == pytest.approx(25)
        assert video.size == (64, 48)
        frames = list(video.frames())
        assert [frame.time for frame in frames] == pytest.approx([number / 25 for number in range(50)], abs=0.002)
        assert np.diff([level(frame) for frame in frames]).min() > 0

    def test_the_first_of_each_stretch(self, film):
        times = [frame.time for frame in Video.open(film).frames(every=0.5)]
        assert times == pytest.approx([0, 0.52, 1.0, 1.52], abs=0.002)  # no frame lies at 0.5

    def test_five_a_second_of_a_rate_that_it_divides(self, film):
        times = [frame.time for frame in Video.open(film).frames(every=0.2)]
        assert times == pytest.approx([0.2 * number for number in range(10)], abs=0.002)

    def test_a_rate_that_varies_is_told_by_the_file(self, tmp_path):
        times = [0, 0.04, 0.08, 0.5, 0.9, 0.94, 3.0, 3.04, 3.5]
        video = Video.open(films.write(tmp_path / "varying.mkv", films.ticking(9), times))
        assert [frame.time for frame in video.frames()] == pytest.approx(times, abs=0.002)
        assert [frame.time for frame in video.frames(every=1)] == pytest.approx([0, 3.0], abs=0.002)

    @pytest.mark.parametrize("after", [0.0, 0.4, 1.2])
    def test_it_goes_on_after_any_time_with_the_same_frames(self, film, after):
        whole = [(frame.time, level(frame)) for frame in Video.open(film).frames(every=0.2)]
        rest = [(frame.time, level(frame)) for frame in Video.open(film).frames(every=0.2, after=after)]
        assert rest == [each for each in whole if each[0] > after + 0.15]

    def test_a_recording_that_does_not_begin_at_zero_is_shown_from_zero(self, tmp_path):
        times = [number / 25 + 100 for number in range(20)]
        video = Video.open(films.write(tmp_path / "late.ts", films.ticking(20), times, codec="mpeg4"))
        found = [frame.time for frame in video.frames()]
        assert found == pytest.approx([number / 25 for number in range(20)], abs=0.002)

    def test_two_recordings_in_one_file_follow_each_other(self, tmp_path):
        one = films.write(tmp_path / "one.ts", films.ticking(50), codec="mpeg4")
        (tmp_path / "two.ts").write_bytes(2 * one.read_bytes())
        times = [frame.time for frame in Video.open(tmp_path / "two.ts").frames()]
        assert len(times) > 90
        assert np.diff(times).min() > 0
        assert times[-1] == pytest.approx(4, abs=0.2)

    @pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf")])
    def test_stretches_that_are_none(self, film, every):
        with pytest.raises(ValueError, match="must be a time in seconds"):
            Video.open(film).frames(every=every)


class TestPixels:
    @pytest.mark.parametrize("turned", [0, 90, 180, -90])
    def test_it_is_turned_as_a_player_turns_it(self, tmp_path, turned):
        marked = films.grey(200, (96, 64))
        marked.paste((200, 30, 30), (0, 0, 48, 32))  # the upper left quarter is red
        video = Video.open(films.write(tmp_path / "phone.mp4", [marked] * 5, turned=turned))
        image = next(video.frames()).image
        expected = marked.rotate(turned, expand=True)
        assert image.size == expected.size
        assert np.abs(np.asarray(image, float) - np.asarray(expected, float)).mean() < 6

    def test_a_phone_held_upright_notes_what_quicktime_calls_clockwise(self, tmp_path):
        """The matrix a = 0, b = 1, c = -1, d = 0 takes right to down: a player turns the frame clockwise."""
        content = films.write(tmp_path / "phone.mp4", [films.grey(9)] * 3, turned=-90).read_bytes()
        words = [0, 0x10000, 0, 0xFFFF0000, 0, 0]
        assert b"".join(word.to_bytes(4, "big") for word in words) in content

    def test_pixels_that_are_not_square_are_made_so(self, tmp_path):
        path = films.write(tmp_path / "dv.mp4", [films.grey(99, (72, 64))] * 3, pixel=Fraction(16, 9))
        assert next(Video.open(path).frames()).image.size == (128, 64)

    @pytest.mark.parametrize(("suffix", "codec"), [(".webm", "libvpx-vp9"), (".avi", "mpeg4"), (".mov", "libx264")])
    def test_other_files(self, tmp_path, suffix, codec):
        path = films.write(tmp_path / f"film{suffix}", films.ticking(10), codec=codec)
        levels = [level(frame) for frame in Video.open(path).frames()]
        assert len(levels) == 10
        assert levels == pytest.approx([20 + 200 * number / 9 for number in range(10)], abs=6)


class TestTrouble:
    def test_sound_alone(self, tmp_path):
        with pytest.raises(VideoError, match="there is sound in it and no picture"):
            Video.open(films.write_sound(tmp_path / "talk.mp4"))

    def test_sound_beside_the_pictures_is_left_alone(self, tmp_path):
        path = films.write(tmp_path / "talk.mp4", films.ticking(30), sound=True)
        frames = Video.open(path).frames()
        assert len(list(frames)) == 30
        assert frames.complaint is None

    def test_a_file_that_was_cut_short_is_read_as_far_as_it_goes(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (150, 48, 64, 3), dtype=np.uint8)
        path = films.write(tmp_path / "film.mp4", map(Image.fromarray, noise))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        frames = Video.open(path).frames()
        count = len(list(frames))
        assert 40 < count < 110
        assert frames.complaint is not None
        assert "the pictures end after" in frames.complaint

    def test_a_file_without_its_table_of_contents(self, tmp_path):
        path = films.write(tmp_path / "film.mp4", films.ticking(50), options={})
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(VideoError, match="cut before its table of contents"):
            Video.open(path)

    def test_damaged_parts_are_left_out_and_counted(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (100, 48, 64, 3), dtype=np.uint8)
        path = films.write(tmp_path / "film.mp4", map(Image.fromarray, noise))
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 40000] = bytes(40000)
        path.write_bytes(content)
        frames = Video.open(path).frames()
        assert 30 < len(list(frames)) <= 100
        assert frames.damaged > 0
        assert frames.complaint is not None
        assert "left out" in frames.complaint

    @pytest.mark.parametrize(
        ("content", "said"),
        [(b"", "the file is empty"), (b"no video at all" * 99, "not a video"), (None, "no such file")],
    )
    def test_files_that_are_none(self, tmp_path, content, said):
        path = tmp_path / "film.mp4"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(VideoError, match=f"film.mp4: .*{said}"):
            Video.open(path)

    def test_a_list_that_names_other_files_opens_none_of_them(self, tmp_path, film):
        playlist = tmp_path / "list.mp4"
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{film}\n#EXT-X-ENDLIST\n")
        with pytest.raises(VideoError, match="not a video"):
            Video.open(playlist)
        playlist.write_text(f"ffconcat version 1.0\nfile '{film.name}'\n")
        with pytest.raises(VideoError, match="not a video"):
            Video.open(playlist)


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = films.write(tmp_path / "film.mp4", (films.grey(9, (320, 240)) for _ in range(500)))
    frames = Video.open(path).frames()
    next(frames)
    tracemalloc.start()
    for _ in frames:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 320 * 240 * 3


def test_a_file_is_closed_when_nobody_reads_on(film):
    frames = Video.open(film).frames()
    next(frames)
    frames.close()
    assert next(frames, None) is None
