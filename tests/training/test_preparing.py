import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resemotenet.datasets import FaceFiles, read_expw, read_rafdb
from resemotenet.errors import DatasetFormatError, TrainingError
from tests.fake_trees import cut_short, write_expw, write_raf_official
from tests.training.killed_preparing import SIZE
from training import preparing
from training.preparing import cache_folder, prepare

SCRIPT = Path(__file__).with_name("killed_preparing.py")
ROOT = SCRIPT.parents[2]


@pytest.fixture
def faces(tmp_path: Path) -> FaceFiles:
    return read_rafdb(write_raf_official(tmp_path / "data")).split("train")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first rows of the blocks that are read, four faces each."""
    monkeypatch.setattr(preparing, "BLOCK", 4)
    seen: list[int] = []
    original = preparing.read_block

    def read_block(item: tuple[int, FaceFiles, int]) -> Any:
        seen.append(item[0])
        return original(item)

    monkeypatch.setattr(preparing, "read_block", read_block)
    return seen


def everything(faces: FaceFiles) -> np.ndarray:
    return faces.read(np.arange(len(faces)), SIZE)


def prepared_pixels(faces: FaceFiles, cache: Path, **options: Any) -> np.ndarray:
    ready, broken = prepare(faces, SIZE, cache, **options)
    assert broken == ()
    assert ready.ids.tolist() == faces.ids.tolist()
    return ready.pixels(np.arange(len(ready)))


def start(faces: FaceFiles, cache: Path, workers: int, moment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(faces.root), str(cache), str(workers), moment],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class TestPrepared:
    def test_holds_what_reading_the_pictures_gives(self, faces: FaceFiles, cache: Path):
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))

    def test_holds_crops_where_faces_have_boxes(self, tmp_path: Path, cache: Path):
        faces = read_expw(write_expw(tmp_path / "data")).split("train")
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))

    def test_several_processes_write_the_same(self, faces: FaceFiles, cache: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(preparing, "BLOCK", 4)
        np.testing.assert_array_equal(prepared_pixels(faces, cache, workers=2), everything(faces))

    def test_is_opened_the_second_time(self, faces: FaceFiles, cache: Path, reads: list[int]):
        prepared_pixels(faces, cache)
        assert reads == [0, 4, 8, 12, 16, 20]
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))
        assert len(reads) == 6

    def test_chosen_faces_bring_their_own_pixels_and_labels(self, faces: FaceFiles, cache: Path):
        ready, _ = prepare(faces, SIZE, cache)
        happy = ready.where(faces.targets == 3)
        assert happy.counts() == {**dict.fromkeys(faces.counts(), 0), "happy": 3}
        expected = everything(faces)[faces.targets == 3]
        np.testing.assert_array_equal(happy.pixels(np.array([2, 0])), expected[[2, 0]])
        np.testing.assert_array_equal(np.concatenate(list(happy.blocks())), expected)
        np.testing.assert_array_equal(happy.into_memory(SIZE)[0].images, expected)
        np.testing.assert_array_equal(happy.distribution, faces.distribution[faces.targets == 3])

    def test_another_size_comes_from_the_pictures(self, faces: FaceFiles, cache: Path):
        ready, _ = prepare(faces, SIZE, cache)
        rows = np.array([5, 1])
        np.testing.assert_array_equal(ready.read(rows, 30), faces.read(rows, 30))
        np.testing.assert_array_equal(ready.read(rows, SIZE), faces.read(rows, SIZE))

    def test_any_rows_in_any_order(self, faces: FaceFiles, cache: Path):
        ready, _ = prepare(faces, SIZE, cache)
        for rows in ([4, 5, 6, 2, 20, 0, 1], [7], [], [3, 3, 4]):
            np.testing.assert_array_equal(ready.pixels(np.array(rows, int)), everything(faces)[rows])

    def test_several_threads_read_at_once(self, faces: FaceFiles, cache: Path):
        ready, expected = prepare(faces, SIZE, cache)[0], everything(faces)
        rows = np.random.default_rng(0).permuted(np.tile(np.arange(21), (200, 1)), axis=1)
        with ThreadPoolExecutor(4) as pool:
            for asked, images in zip(rows, pool.map(ready.pixels, rows), strict=True):
                np.testing.assert_array_equal(images, expected[asked])

    def test_is_taken_into_memory_without_a_picture_being_opened(self, faces: FaceFiles, cache: Path):
        ready, expected = prepare(faces, SIZE, cache)[0], everything(faces)
        shutil.rmtree(faces.root)
        held, broken = ready.into_memory(SIZE)
        np.testing.assert_array_equal(held.images, expected)
        assert (held.name, held.split, broken) == (faces.name, faces.split, ())
        assert held.ids.tolist() == faces.ids.tolist()

    def test_a_file_cut_short_while_it_is_read_is_an_error(self, faces: FaceFiles, cache: Path):
        ready, _ = prepare(faces, SIZE, cache)
        os.truncate(ready.pixel_file.path, 20 * SIZE * SIZE + 7)
        with pytest.raises(DatasetFormatError, match="ends within the faces"):
            ready.pixels(np.arange(15, 21))

    def test_a_reader_goes_on_with_a_file_that_was_replaced(self, faces: FaceFiles, cache: Path):
        before, expected = prepare(faces, SIZE, cache)[0], everything(faces)
        prepare(changed(faces), SIZE, cache)
        assert not before.pixel_file.path.exists()
        np.testing.assert_array_equal(before.pixels(np.arange(21)), expected)

    def test_says_where_and_how_much_it_takes(self, faces: FaceFiles, cache: Path, capsys: pytest.CaptureFixture):
        prepare(faces, 512, cache)
        said = capsys.readouterr().err
        assert f"prepares 21 train faces at 512x512 px in {cache}" in said
        assert "5.2 MiB" in said


class TestKilled:
    @pytest.mark.parametrize(
        ("workers", "moment", "left"),
        [(0, "after 3", [12, 16, 20]), (0, "in the middle of a block", [8, 12, 16, 20])],
    )
    def test_goes_on_and_ends_up_the_same(
        self, faces: FaceFiles, cache: Path, reads: list[int], workers: int, moment: str, left: list[int]
    ):
        process = start(faces, cache, workers, moment)
        process.communicate(timeout=60)
        assert process.returncode == -9
        (part,) = cache.glob("pixels/*/*.part")
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))
        assert reads == left
        assert not part.exists()

    def test_with_workers_which_end_too(self, faces: FaceFiles, cache: Path):
        process = start(faces, cache, 2, "after 3")
        children = [int(pid) for pid in process.communicate(timeout=60)[0].split()]
        assert process.returncode == -9
        assert len(children) == 2
        until = time.monotonic() + 20
        while any(_runs(pid) for pid in children):
            assert time.monotonic() < until, "a worker outlived its parent"
            time.sleep(0.05)
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))

    def test_pixels_that_nothing_vouches_for_do_not_count(self, faces: FaceFiles, cache: Path, reads: list[int]):
        start(faces, cache, 0, "after 3").communicate(timeout=60)
        (about,) = cache.glob("pixels/*/*.part/about.json")
        about.unlink()
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))
        assert reads == [0, 4, 8, 12, 16, 20]

    def test_says_how_many_are_there(self, faces: FaceFiles, cache: Path, capsys: pytest.CaptureFixture):
        start(faces, cache, 0, "after 3").communicate(timeout=60)
        prepare(faces, SIZE, cache)
        assert "; 12 are there already" in capsys.readouterr().err

    def test_a_worker_that_is_killed_ends_in_a_sentence(
        self, faces: FaceFiles, cache: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """As the system does where memory runs out."""
        monkeypatch.setattr(preparing, "BLOCK", 1)
        blocks = preparing.read_blocks(faces, list(range(21)), SIZE, 2)
        next(blocks)
        for child in multiprocessing.active_children():
            child.kill()
        with pytest.raises(TrainingError, match=r"a process that read pictures was ended from outside.*start again"):
            list(blocks)

    def test_two_at_once_do_not_disturb_each_other(self, faces: FaceFiles, cache: Path):
        both = [start(faces, cache, 0, "never") for _ in range(2)]
        said = [process.communicate(timeout=60)[1] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert "".join(said).count("prepares 21 train faces") == 1
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))
        assert len([each for each in cache.glob("pixels/*/*") if each.is_dir()]) == 1


def _runs(pid: int) -> bool:
    """A zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def changed(faces: FaceFiles) -> FaceFiles:
    """A picture is another one, of the same length; only its time of change tells."""
    path = faces.root / faces.files[3]
    length = path.stat().st_size
    Image.new("RGB", (100, 100), "navy").save(path)
    with path.open("ab") as file:
        file.write(b"\0" * (length - path.stat().st_size))
    assert path.stat().st_size == length
    return faces


def removed(faces: FaceFiles) -> FaceFiles:
    return faces.where(np.arange(len(faces)) != 3)


def added(faces: FaceFiles) -> FaceFiles:
    shutil.copy(faces.root / faces.files[0], faces.root / "new.jpg")
    more = np.append(np.arange(len(faces)), 0)
    twice = FaceFiles(
        faces.name, faces.split, faces.root, faces.files[more].copy(), faces.targets[more], faces.ids[more].copy(),
        faces.groups[more],
    )  # fmt: skip
    twice.files[-1] = "new.jpg"
    twice.ids[-1] = "new"
    return twice


class TestInvalidated:
    @pytest.mark.parametrize("change", [changed, removed, added])
    def test_by_any_change_of_the_files(
        self, faces: FaceFiles, cache: Path, reads: list[int], change: Callable[[FaceFiles], FaceFiles]
    ):
        before = prepared_pixels(faces, cache)
        (old,) = (each for each in cache.glob("pixels/*/*") if each.is_dir())
        reads.clear()
        after = change(faces)
        np.testing.assert_array_equal(prepared_pixels(after, cache), everything(after))
        assert reads
        assert not np.array_equal(before, everything(after))
        assert not old.exists()  # or the disk would fill up

    def test_by_other_boxes(self, tmp_path: Path, cache: Path):
        faces = read_expw(write_expw(tmp_path / "data")).split("test")
        prepared_pixels(faces, cache)
        assert faces.boxes is not None
        faces.boxes[0] += 3
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))

    def test_by_another_version_of_the_transform(
        self, faces: FaceFiles, cache: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
    ):
        prepared_pixels(faces, cache)
        monkeypatch.setattr(preparing, "VERSION", preparing.VERSION + 1)
        prepared_pixels(faces, cache)
        assert len(reads) == 12

    def test_two_sizes_live_beside_each_other(self, faces: FaceFiles, cache: Path, reads: list[int]):
        for size in (SIZE, 20, SIZE, 20):
            prepare(faces, size, cache)
        assert len(reads) == 12

    def test_a_change_while_reading_is_not_kept(self, faces: FaceFiles, cache: Path, monkeypatch: pytest.MonkeyPatch):
        original = preparing.read_blocks

        def read_blocks(*arguments: Any) -> Iterator[Any]:
            yield from original(*arguments)
            changed(faces)

        with monkeypatch.context() as patch:
            patch.setattr(preparing, "read_blocks", read_blocks)
            with pytest.raises(TrainingError, match="changed while they were read"):
                prepare(faces, SIZE, cache)
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))

    def test_a_file_of_another_length_is_refused(self, faces: FaceFiles, cache: Path):
        prepare(faces, SIZE, cache)
        (pixels,) = cache.glob("pixels/*/*/pixels.uint8")
        cut_short(pixels)
        with pytest.raises(DatasetFormatError, match=r"has 16,800 bytes, 21 faces of 40x40 have 33,600; delete"):
            prepare(faces, SIZE, cache)


class TestBroken:
    @pytest.fixture
    def damaged(self, faces: FaceFiles) -> FaceFiles:
        cut_short(faces.root / faces.files[5])
        (faces.root / faces.files[17]).write_bytes(b"")
        return faces

    @pytest.mark.parametrize("workers", [0, 2])
    def test_all_are_counted_and_named(self, damaged: FaceFiles, cache: Path, workers: int):
        first, second = (re.escape(str(damaged.files[row])) for row in (5, 17))
        with pytest.raises(
            DatasetFormatError, match=rf"^2 of 21 pictures cannot be used: .*{first}.*cut short.*{second}.*is empty"
        ):
            prepare(damaged, SIZE, cache, workers=workers)

    def test_left_out_if_asked_and_not_held_against_the_file(self, damaged: FaceFiles, cache: Path, reads: list[int]):
        for _ in range(2):
            ready, broken = prepare(damaged, SIZE, cache, skip_broken=True)
            whole = np.delete(np.arange(21), [5, 17])
            np.testing.assert_array_equal(ready.pixels(np.arange(19)), damaged.read(whole, SIZE))
            assert ready.ids.tolist() == damaged.ids[whole].tolist()
            assert len(broken) == 2
        assert len(reads) == 6
        with pytest.raises(DatasetFormatError, match="2 of 21"):
            prepare(damaged, SIZE, cache)

    def test_only_their_blocks_are_read_again(self, damaged: FaceFiles, cache: Path, reads: list[int]):
        with pytest.raises(DatasetFormatError):
            prepare(damaged, SIZE, cache)
        reads.clear()
        prepare(damaged, SIZE, cache, skip_broken=True)
        assert reads == [4, 16]

    def test_nothing_left(self, faces: FaceFiles, cache: Path):
        for file in faces.files:
            cut_short(faces.root / file)
        with pytest.raises(DatasetFormatError, match=r"21 of 21 pictures .*; and 16 more"):
            prepare(faces, SIZE, cache, skip_broken=True)


class TestPlace:
    def test_given_or_from_the_environment_or_the_users_own(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("RESEMOTENET_CACHE", str(tmp_path / "a"))
        assert cache_folder(tmp_path / "b") == tmp_path / "b"
        assert cache_folder() == tmp_path / "a"
        monkeypatch.delenv("RESEMOTENET_CACHE")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
        assert cache_folder() == tmp_path / "c/resemotenet"
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert cache_folder() == Path.home() / ".cache/resemotenet"

    def test_not_in_the_data_set(self, faces: FaceFiles):
        with pytest.raises(TrainingError, match=r"lies in the data set's folder .*--cache or RESEMOTENET_CACHE"):
            prepare(faces, SIZE, faces.root / "cache")

    def test_too_little_room_is_found_before_anything_is_read(
        self, faces: FaceFiles, cache: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch
    ):
        usage = shutil.disk_usage("/")._replace(free=2**14)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(TrainingError, match=r"0\.0 MiB, cannot be kept in .*, and 0 MiB are free there; name"):
            prepare(faces, SIZE, cache)
        assert reads == []

    @pytest.mark.parametrize("reserve", [True, False])
    def test_a_disk_that_takes_no_more(
        self, faces: FaceFiles, cache: Path, monkeypatch: pytest.MonkeyPatch, reserve: bool
    ):
        """The limit on the length of files stands for it; without reserving, it is met in the middle."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        if not reserve:
            monkeypatch.setattr(preparing, "_reserve", lambda path, *_: path.write_bytes(b""))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, limits[1]))
            with pytest.raises(TrainingError, match=r"cannot be kept in .*: File too large; name another place"):
                prepare(faces, SIZE, cache)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        monkeypatch.undo()
        np.testing.assert_array_equal(prepared_pixels(faces, cache), everything(faces))

    def test_where_nothing_may_be_written(self, faces: FaceFiles, tmp_path: Path):
        (tmp_path / "file").write_text("")
        with pytest.raises(TrainingError, match=r"cannot be kept in .*/file/"):
            prepare(faces, SIZE, tmp_path / "file")
