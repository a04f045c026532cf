"""Videos in the house: read in turn, told as they come, and gone with all that was read of them."""

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")


from demo import films, guard, video
from demo.shares import Shares
from resemotenet import EmotionPredictor
from resemotenet.errors import ImageError, VideoError
from resemotenet.reading.following import watch
from resemotenet.reading.timeline import timeline
from resemotenet.reading.video import Video
from tests import films as made
from tests.demo.house import House, until
from tests.demo.test_shares import apart

Visit = Callable[[House], Coroutine[Any, Any, None]]


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> "Door":
    return Door(monkeypatch)


class Door:
    """Holds the reading of videos after the first moment, until it opens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_open = False

        def held(*args: Any, **options: Any) -> Any:
            for moment in watch(*args, **options):
                yield moment
                while not self.is_open:
                    time.sleep(0.01)

        monkeypatch.setattr(films, "watch", held)


def test_all_of_a_video_is_told_as_the_library_reads_it(house: House, clip: Path, predictor: EmotionPredictor):
    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        report = film.report()
        moments = list(watch(predictor, Video.open(clip).frames(every=films.EVERY)))
        assert [each["time"] for each in report["moments"]] == [round(each.time, 3) for each in moments]
        for told, moment in zip(report["moments"], moments, strict=True):
            expected = moment.to_dict()
            assert told["faces"] == expected["faces"]
            assert (report["model"], report["image"]) == (expected["model"], expected["image"])
        summary = timeline(moments, smoothing=films.SMOOTHING).to_dict()
        assert [each["person"] for each in report["timeline"]["people"]] == [1, 2]
        for one, other in zip(report["timeline"]["people"], summary["people"], strict=True):
            assert one["shares"] == pytest.approx(other["shares"], abs=1e-3)
            assert one["median"] == pytest.approx(other["median"], abs=1e-3)
        assert report["problem"] is None
        house.films.end(film.id)
        assert house.is_empty()

    apart(visit())


def not_a_video(path: Path) -> Path:
    path.write_text("just some text")
    return path


def long(path: Path) -> Path:
    return made.write(path, made.ticking(3), [0, 1, guard.MAX_FILM_SECONDS + 60])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (not_a_video, "This video cannot be read: not a video, or cut"),
        (made.write_sound, "This video cannot be read: there is sound in it and no picture."),
        (long, r"This video lasts 11\.\d minutes, and at most 10 are read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_without_our_paths_and_goes(
    house: House, tmp_path_factory: pytest.TempPathFactory, make: Callable[[Path], Path], words: str
):
    given = make(tmp_path_factory.mktemp("given") / "film.mp4")
    with pytest.raises(VideoError, match=words) as caught:
        apart(house.films.begin(house.upload(given)))
    assert str(house.folder) not in str(caught.value)
    assert house.is_empty()


def test_too_many_pixels_or_bytes_say_so(house: House, clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(guard, "MAX_FILM_SIZE", (640, 320))
    with pytest.raises(VideoError, match=r"^This video has 640 by 360 pixels, and at most 640 by 320"):
        apart(house.films.begin(house.upload(clip)))
    monkeypatch.setattr(guard, "MAX_FILM_BYTES", 1000)
    with pytest.raises(VideoError, match=r"MB, and at most 0 MB are read"):
        apart(house.films.begin(house.upload(clip)))
    assert house.is_empty()


def test_a_video_whose_length_nobody_knows_is_read_up_to_the_limit(
    house: House, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """As browsers record them."""
    monkeypatch.setattr(guard, "MAX_FILM_SECONDS", 60)
    given = made.write(
        tmp_path_factory.mktemp("given") / "film.webm",
        made.ticking(4),
        [0, 30, 60, 90],
        codec="libvpx",
        options={"live": "1"},
    )

    async def visit() -> None:
        film = await house.films.begin(house.upload(given))
        assert film.video.duration is None
        await house.done(film)
        assert [each["time"] for each in film.report()["moments"]] == [0, 30, 60]
        assert film.problem == "Only the first 1 minutes of this video were read."
        house.films.end(film.id)

    apart(visit())


def test_a_video_that_is_cut_is_read_to_where_it_ends(
    house: House, clip: Path, tmp_path_factory: pytest.TempPathFactory
):
    cut = tmp_path_factory.mktemp("given") / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size * 9 // 10])

    async def visit() -> None:
        film = await house.films.begin(house.upload(cut))
        await house.done(film)
        assert film.state == "done"
        assert film.problem is not None
        assert film.problem.startswith("This video is not whole: ")
        assert str(house.folder) not in film.problem
        house.films.end(film.id)

    apart(visit())


def test_so_many_are_read_at_once_and_the_others_know_how_many_wait(house: House, clip: Path, door: Door):
    async def visit() -> None:
        begun = [await house.films.begin(house.upload(clip, address)) for address in "abcd"]
        await until(lambda: sum(each.state == "reading" for each in begun) == films.AT_ONCE)
        waiting = [each for each in begun if each.state == "waiting"]
        assert [house.films.ahead(each) for each in waiting] == [0, 1]
        assert video.progress(house.films, {"film": waiting[1].id, "seen": 0})["ahead"] == 1
        house.films.end(waiting[0].id)
        await until(lambda: not waiting[0].tasks)
        assert house.films.ahead(waiting[1]) == 0
        door.is_open = True
        await asyncio.gather(*(house.done(each) for each in begun if each is not waiting[0]))
        for each in begun:
            house.films.end(each.id)
        await until(house.is_empty)

    apart(visit())


def test_one_address_leaves_room_for_the_others(house: House, clip: Path, door: Door):
    house.films._places = Shares(4)

    async def visit() -> None:
        begun = [await house.films.begin(house.upload(clip)) for _ in range(2)]
        with pytest.raises(VideoError, match="Too much is asked"):
            await house.films.begin(house.upload(clip))
        begun.append(await house.films.begin(house.upload(clip, "b")))
        door.is_open = True
        for each in begun:
            house.films.end(each.id)
        await until(house.is_empty)

    apart(visit())


def test_who_leaves_ends_the_reading_and_everything_goes(house: House, clip: Path, door: Door):
    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await until(lambda: len(film.moments) == 1)
        house.films.end(film.id)
        house.films.end(film.id)  # a page may say so twice
        door.is_open = True
        await until(house.is_empty)
        assert len(film.moments) == 1
        assert house.films.find(film.id) is None

    apart(visit())


def test_what_nobody_asks_about_goes(house: House, clip: Path, door: Door, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(films, "_LOOK_EVERY", 0.02)

    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await until(lambda: len(film.moments) == 1)
        film.asked -= films._ALONE
        door.is_open = True
        await until(house.is_empty)

        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        film.asked -= films._KEPT - 60
        await asyncio.sleep(0.1)
        assert not house.is_empty()  # a result is waited for longer than a reading
        film.asked -= 60
        await until(house.is_empty)

    apart(visit())


def test_the_annotated_copy_is_made_on_demand_and_goes_with_the_video(house: House, clip: Path):
    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        asked = {"film": film.id, "seen": 0}
        assert video.progress(house.films, asked)["drawn"] is None
        assert video.progress(house.films, {**asked, "draw": True})["drawn"] == 0.0
        await until(lambda: film.copy is not None)
        assert video.progress(house.films, asked)["drawn"] is True
        assert film.copy is not None
        with av.open(str(film.copy)) as opened:
            frames = [frame.to_image() for frame in opened.decode(video=0)]
        assert len(frames) == 75
        assert difference(frames[40], made.scene((made.heads()[0], 100, 90), (made.heads()[1], 400, 90))) > 500
        house.films.end(film.id)
        assert house.is_empty()

    apart(visit())


def difference(one: Image.Image, other: Image.Image) -> int:
    """Pixels that are clearly others."""
    pair = (np.asarray(each.convert("RGB"), int) for each in (one, other))
    return int((np.abs(np.subtract(*pair)).max(axis=2) > 80).sum())


def test_an_annotated_copy_that_would_be_too_large_says_so(house: House, clip: Path, monkeypatch: pytest.MonkeyPatch):
    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        monkeypatch.setattr(guard, "MAX_FILM_BYTES", 10)
        house.films.draw(film)
        await until(lambda: not film.tasks)
        assert film.drawn == films._TOO_LARGE
        monkeypatch.undo()
        house.films.end(film.id)
        assert house.is_empty()

    apart(visit())


def test_the_api_gets_the_whole_report_and_nothing_stays(house: House, clip: Path):
    async def visit() -> None:
        report = await house.films.whole(house.upload(clip))
        assert list(report) == ["schema", "model", "image", "duration", "every", "problem", "moments", "timeline"]
        assert len(report["moments"]) == 15
        await until(house.is_empty)
        with pytest.raises(ImageError, match="Nothing was uploaded"):
            await house.films.whole(str(clip))

    apart(visit())


def test_a_failure_of_ours_is_told_and_does_not_hold_the_file(
    house: House, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(films, "watch", fail)

    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        answer = video.progress(house.films, {"film": film.id, "seen": 0})
        assert (answer["state"], answer["problem"]) == ("refused", films._FAILED)
        house.films.end(film.id)
        assert house.is_empty()

    apart(visit())
    assert "a bug" in capsys.readouterr().err


def test_a_full_disk_is_a_sentence(house: House, clip: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    async def visit() -> None:
        film = await house.films.begin(house.upload(clip))
        await house.done(film)
        monkeypatch.setattr("resemotenet.corpus.film._encode", full)
        house.films.draw(film)
        await until(lambda: not film.tasks)
        assert film.drawn == films._NO_ROOM
        house.films.end(film.id)
        assert house.is_empty()

    apart(visit())


def test_a_file_that_is_gone_before_its_turn_is_a_sentence(house: House, clip: Path, door: Door):
    async def visit() -> None:
        begun = [await house.films.begin(house.upload(clip, address)) for address in "abc"]
        await until(lambda: sum(each.state == "reading" for each in begun) == films.AT_ONCE)
        shutil.rmtree(begun[2].upload.path.parent)
        begun[2].upload.path.parent.mkdir()
        door.is_open = True
        await house.done(begun[2])
        assert begun[2].problem == "This video cannot be read: no such file or directory."
        for each in begun:
            house.films.end(each.id)
        await until(house.is_empty)

    apart(visit())
