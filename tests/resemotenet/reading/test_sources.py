import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resemotenet.errors import ImageError, VideoError
from resemotenet.reading.sources import Member, Unreadable, members
from tests import films


def picture(path: Path, level: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    films.grey(level).save(path)
    return path


def names(*given: str | Path, **options) -> list[str]:
    return [each.name for each in members(map(str, given), **options)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    for name in ("b.jpg", "a.png", "deep/er/c.JPG", ".hidden.jpg", ".git/d.jpg", "deep/.e.jpg"):
        picture(top / name)
    (top / "notes.txt").write_text("no picture")
    return top


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, level in {"b.png": 20, "sub/a.png": 80, "__MACOSX/a.png": 1, ".c.png": 1}.items():
            buffer = io.BytesIO()
            films.grey(level).save(buffer, "PNG")
            file.writestr(name, buffer.getvalue())
        file.writestr("broken.jpg", "no picture")
        file.writestr("readme.txt", "text")
    return path


class TestFolders:
    def test_all_below_sorted_and_nothing_hidden(self, folder):
        assert names(folder) == [str(folder / name) for name in ("a.png", "b.jpg", "deep/er/c.JPG")]
        below = [each.below for each in members([str(folder)]) if isinstance(each, Member)]
        assert below == ["a.png", "b.jpg", "deep/er/c.JPG"]

    @pytest.mark.skipif(os.name == "nt", reason="links need rights there")
    def test_links_are_followed_once(self, folder, tmp_path):
        picture(tmp_path / "elsewhere" / "f.jpg")
        (folder / "link").symlink_to(tmp_path / "elsewhere")
        (folder / "twice").symlink_to(tmp_path / "elsewhere")
        (folder / "deep" / "up").symlink_to(folder)
        (folder / "gone").symlink_to(tmp_path / "nowhere")
        assert [name for name in names(folder) if "f.jpg" in name] == [str(folder / "link" / "f.jpg")]
        assert len(names(folder)) == 4

    def test_films_and_zips_count_too_unless_only_pictures_are_wanted(self, folder, archive):
        films.write(folder / "film.mp4", films.ticking(3))
        archive.rename(folder / "many.zip")
        kinds = [(each.name, each.kind) for each in members([str(folder)]) if isinstance(each, Member)]
        assert (str(folder / "film.mp4"), "video") in kinds
        assert (f"{folder}/many.zip/sub/a.png", "picture") in kinds
        assert len(names(folder, films=False)) == 3

    def test_an_empty_folder_is_named(self, tmp_path):
        (empty,) = members([str(tmp_path)])
        assert empty == Unreadable(str(tmp_path), f"{tmp_path}: no pictures in this folder")


class TestZips:
    def test_pictures_are_read_without_unpacking(self, archive):
        found = list(members([str(archive)]))
        assert [each.name for each in found] == [f"{archive}/{name}" for name in ("b.png", "broken.jpg", "sub/a.png")]
        dark, broken, light = (each for each in found if isinstance(each, Member))
        assert [np.asarray(each.open().image).mean() for each in (dark, light)] == [20, 80]
        assert dark.open().path == dark.name
        with pytest.raises(ImageError, match=r"many.zip/broken.jpg: not a picture"):
            broken.open()

    def test_a_name_that_leads_out_stays_below(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
            file.writestr("../../out.png", b"x")
            file.writestr("/abs.png", b"x")
        assert sorted(each.below for each in members([str(tmp_path / "evil.zip")]) if isinstance(each, Member)) == [
            "evil/abs.png",
            "evil/out.png",
        ]

    def test_a_damaged_zip_is_named(self, archive):
        archive.write_bytes(archive.read_bytes()[:-100])
        (broken,) = members([str(archive)])
        assert isinstance(broken, Unreadable)
        assert "many.zip: the zip is damaged" in broken.message

    def test_a_damaged_member_does_not_harm_the_others(self, archive):
        content = bytearray(archive.read_bytes())
        at = content.index(b"sub/a.png") + 12
        content[at : at + 20] = bytes(20)
        archive.write_bytes(content)
        whole, _, damaged = (each for each in members([str(archive)]) if isinstance(each, Member))
        assert whole.open().size == (64, 48)
        with pytest.raises(ImageError, match="damaged in the zip"):
            damaged.open()

    def test_more_than_a_picture_unpacks_to_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("resemotenet.reading.sources.MAX_UNPACKED", 1000)
        with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("bomb.png", bytes(10**6))
        (bomb,) = members([str(tmp_path / "bomb.zip")])
        assert isinstance(bomb, Member)
        with pytest.raises(ImageError, match="unpacked; scale it down"):
            bomb.open()

    def test_what_is_packed_twice_is_named(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr("b.zip", b"x")
            file.writestr("film.mp4", b"x")
        found = list(members([str(tmp_path / "a.zip")]))
        assert all(isinstance(each, Unreadable) and "unpack it" in each.message for each in found)
        assert len(found) == 2


class TestLists:
    def test_a_name_a_line(self, folder, tmp_path):
        stdin = io.StringIO(f"{folder / 'b.jpg'}\n\n{folder / 'a.png'}\r\n{tmp_path / 'with space .jpg'}\n")
        assert names("-", stdin=stdin) == [
            str(folder / "b.jpg"),
            str(folder / "a.png"),
            str(tmp_path / "with space .jpg"),
        ]

    @pytest.mark.parametrize(
        ("name", "said"),
        [("", "names no file"), ("a\0b", "names no file"), ("s3://bucket/a.jpg", "nothing is fetched")],
    )
    def test_what_cannot_be_meant(self, name, said):
        (found,) = members([name])
        assert isinstance(found, Unreadable)
        assert said in found.message

    def test_what_is_not_there_is_said_when_it_is_opened(self, tmp_path):
        (found,) = members([str(tmp_path / "gone.jpg")])
        assert isinstance(found, Member)
        with pytest.raises(ImageError, match="no such file"):
            found.open()


class TestSequences:
    @pytest.fixture
    def pattern(self, tmp_path: Path) -> str:
        for number in (*range(8, 12), 13):  # from 8 on, and 12 is missing
            picture(tmp_path / f"shot_{number}.png", 10 * number)
        (tmp_path / "shot_12.txt").write_text("")
        return str(tmp_path / "shot_%d.png")

    def test_numbers_are_times(self, pattern):
        (found,) = members([pattern])
        assert isinstance(found, Member)
        assert (found.kind, found.below) == ("sequence", "shot_N.mp4")
        frames = found.frames(None, rate=10)
        assert [(frame.time, np.asarray(frame.image).mean()) for frame in frames] == [
            (0.0, 80), (0.1, 90), (0.2, 100), (0.3, 110), (0.5, 130)
        ]  # fmt: skip
        assert frames.complaint is None

    def test_the_first_of_each_stretch_and_on_from_there(self, pattern):
        (found,) = members([pattern])
        assert isinstance(found, Member)
        assert [frame.time for frame in found.frames(0.2, rate=10)] == [0.0, 0.2, 0.5]
        assert [frame.time for frame in found.frames(0.2, after=0.0, rate=10)] == [0.2, 0.5]

    def test_broken_ones_are_counted_and_named(self, pattern):
        Path(pattern.replace("%d", "9")).write_text("no picture")
        (found,) = members([pattern])
        assert isinstance(found, Member)
        frames = found.frames(None, rate=10)
        assert len(list(frames)) == 4
        assert frames.complaint is not None
        assert "1 picture left out (" in frames.complaint
        assert "shot_9.png: not a picture" in frames.complaint

    def test_no_such_names(self, tmp_path):
        (found,) = members([str(tmp_path / "none_%05d.png")])
        assert isinstance(found, Member)
        with pytest.raises(VideoError, match="no picture has such a name"):
            found.frames(None)


def test_a_video_of_any_name_in_capitals(tmp_path):
    (found,) = members([str(tmp_path / "FILM.MOV")])
    assert isinstance(found, Member)
    assert found.kind == "video"


def test_a_frame_of_a_sequence_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    films.grey(50, (80, 40)).save(tmp_path / "1.jpg", exif=exif)
    (found,) = members([str(tmp_path / "%d.jpg")])
    assert isinstance(found, Member)
    assert next(found.frames(None)).image.size == (40, 80)
