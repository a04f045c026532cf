import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from resemotenet import EmotionPredictor, Video, watch
from resemotenet.corpus.bulk import Settings, read_corpus
from resemotenet.corpus.tables import missed_path, read_table
from resemotenet.errors import CorpusError
from resemotenet.reading.faces import Face
from tests import films

ROOT = Path(__file__).resolve().parents[3]


def table(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return list(read_table(path)), list(read_table(missed_path(path)))


class Stopping:
    """A detector that ends the process's work, as Ctrl-C does, after so many pictures."""

    def __init__(self, detector: Any, left: int) -> None:
        self._detector, self._left = detector, left

    def detect(self, image: Image.Image) -> list[Face]:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return self._detector.detect(image)


def stopping(reader: EmotionPredictor, left: int) -> EmotionPredictor:
    return EmotionPredictor(reader.model, device="cpu", detector=Stopping(reader.detector, left))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one, other = films.heads()
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return films.write(
        path, (films.scene((one, 20 + number, 90), (other, 400, 90)) for number in range(3 * films.RATE))
    )


class TestPictures:
    def test_every_picture_is_in_one_of_the_tables(self, reader, photos, tmp_path):
        counts, _ = read_corpus(reader, [str(photos)], Settings(tmp_path / "t.jsonl", 2))
        faces, missed = table(tmp_path / "t.jsonl")
        assert Counter(Path(row["source"]).name for row in faces) == {
            **{f"{number:02}.png": 1 for number in range(12)},
            "two.png": 2,
        }
        reasons = {Path(row["source"]).name: row["reason"] for row in missed}
        assert reasons == {"broken.jpg": "broken", "wall.png": "no face"}
        (told,) = (row["message"] for row in missed if row["message"])
        assert told.startswith(f"{photos / 'broken.jpg'}: not a picture")
        assert (counts.readings, counts.faces, counts.without, counts.broken) == (15, 14, 1, 1)
        assert not Settings(tmp_path / "t.jsonl", 2).journal.exists()

    def test_a_row_is_what_the_predictor_reads(self, reader, photos, tmp_path):
        read_corpus(reader, [str(photos / "two.png")], Settings(tmp_path / "t.jsonl", 1))
        faces, _ = table(tmp_path / "t.jsonl")
        expected = [face.to_dict() for face in reader(photos / "two.png")]
        assert [[row[name] for name in ("x1", "y1", "x2", "y2")] for row in faces] == [each["box"] for each in expected]
        for number, (row, face) in enumerate(zip(faces, expected, strict=True), start=1):
            assert (row["face"], row["width"], row["height"], row["time"]) == (number, *films.SIZE, None)
            assert row["not_sure"] == (face["not_sure"] is not None)
            assert row["model"] == reader.model.sha256()
            assert {name: row[name] for name in ("label", "confidence", "detection_score")}.items() <= face.items()
            assert {label: row[label] for label in face["probabilities"]} == face["probabilities"]

    def test_three_formats_hold_the_same(self, reader, photos, tmp_path):
        pytest.importorskip("pyarrow")
        found = []
        for suffix in ("jsonl", "csv", "parquet"):
            read_corpus(reader, [str(photos)], Settings(tmp_path / f"t.{suffix}", 2))
            found.append(table(tmp_path / f"t.{suffix}"))
        (plain, missed), *others = found
        for faces, without in others:
            for row, other in zip([*plain, *missed], [*faces, *without], strict=True):
                assert list(row) == list(other)
                assert [value if value != "" else None for value in other.values()] == [
                    pytest.approx(value, rel=1e-6) if isinstance(value, float) else value for value in row.values()
                ]

    def test_annotated_copies(self, reader, photos, tmp_path):
        read_corpus(reader, [str(photos)], Settings(tmp_path / "t.csv", 2, annotated=tmp_path / "drawn"))
        assert len(list((tmp_path / "drawn").iterdir())) == 14
        with Image.open(tmp_path / "drawn" / "two.png") as drawn, Image.open(photos / "two.png") as plain:
            assert drawn.tobytes() != plain.convert("RGB").tobytes()

    @pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
    def test_a_name_that_is_no_text(self, reader, photos, tmp_path):
        os.rename(photos / "00.png", os.path.join(os.fsencode(photos), b"\xff.png"))
        read_corpus(reader, [str(photos)], Settings(tmp_path / "t.csv", 1))
        faces, _ = table(tmp_path / "t.csv")
        assert any(row["source"].endswith("\\udcff.png") for row in faces)


class TestStopped:
    def test_it_goes_on_where_it_was(self, reader, photos, tmp_path):
        whole, parts = Settings(tmp_path / "whole.jsonl", 2), Settings(tmp_path / "parts.jsonl", 2)
        read_corpus(reader, [str(photos)], whole)
        for left in (3, 5, 2):
            with pytest.raises(KeyboardInterrupt):
                read_corpus(stopping(reader, left), [str(photos)], parts)
            assert not parts.out.exists()
        counts, _ = read_corpus(reader, [str(photos)], parts)
        assert table(parts.out) == table(whole.out)
        assert 0 < counts.now < counts.readings == 15

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing kills so there")
    def test_killed_in_the_middle(self, reader, photos, model_folder, tmp_path):
        for number in range(12, 60):
            (photos / f"{number:02}.png").write_bytes((photos / f"{number % 12:02}.png").read_bytes())
        out, drawn = tmp_path / "t.csv", tmp_path / "drawn"
        command = [sys.executable, "-m", "resemotenet", "predict", str(photos), "--model", str(model_folder)]
        command += ["--out", str(out), "--annotate", str(drawn), "--workers", "2"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 300
        while process.poll() is None and (not drawn.is_dir() or len(list(drawn.iterdir())) < 8):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            pytest.skip("it was done before it could be killed")
        assert not out.exists()
        read_corpus(reader, [str(photos)], Settings(out, 2, annotated=drawn))
        faces, missed = table(out)
        assert Counter(Path(row["source"]).name for row in faces) == {
            **{f"{number:02}.png": 1 for number in range(60)},
            "two.png": 2,
        }
        assert len(missed) == 2

    def test_other_settings_do_not_mix(self, reader, photos, tmp_path):
        settings = Settings(tmp_path / "t.csv", 1)
        with pytest.raises(KeyboardInterrupt):
            read_corpus(stopping(reader, 2), [str(photos)], settings)
        with pytest.raises(CorpusError, match=r"begun with every 0.2, and this call has 0.5"):
            read_corpus(reader, [str(photos)], replace(settings, every=0.5))

    def test_a_table_that_is_there_is_not_written_over(self, reader, photos, tmp_path):
        (tmp_path / "t.csv").write_text("precious")
        with pytest.raises(CorpusError, match="is there already"):
            read_corpus(reader, [str(photos)], Settings(tmp_path / "t.csv", 1))
        assert (tmp_path / "t.csv").read_text() == "precious"

    def test_two_calls_at_once(self, reader, photos, tmp_path):
        settings = Settings(tmp_path / "t.csv", 1)

        class Nested:
            def detect(self, image: Image.Image) -> list[Face]:
                with pytest.raises(CorpusError, match="another call is at work on it"):
                    read_corpus(reader, [str(photos)], settings)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            read_corpus(EmotionPredictor(reader.model, device="cpu", detector=Nested()), [str(photos)], settings)

    @pytest.mark.parametrize("name", ["t.txt", "t", "nowhere/t.csv"])
    def test_names_that_no_table_can_have(self, reader, photos, tmp_path, name):
        with pytest.raises(CorpusError, match=r"must end in|no such folder"):
            read_corpus(reader, [str(photos)], Settings(tmp_path / name, 1))


class TestFilms:
    def test_rows_are_the_moments(self, reader, film, tmp_path):
        read_corpus(reader, [str(film)], Settings(tmp_path / "t.jsonl", 1))
        faces, missed = table(tmp_path / "t.jsonl")
        moments = list(watch(reader, Video.open(film).frames(every=0.2)))
        assert missed == []
        assert [(row["time"], row["person"], row["x1"]) for row in faces] == [
            (round(moment.time, 3), person, round(face.box[0], 2))
            for moment in moments
            for person, face in zip(moment.people, moment.reading.faces, strict=True)
        ]

    def test_a_film_goes_on_where_it_was(self, reader, film, tmp_path):
        whole, parts = (Settings(tmp_path / f"{name}.jsonl", 1, every=0.04) for name in ("whole", "parts"))
        read_corpus(reader, [str(film)], whole)
        reads = iter(range(60))  # the second piece, from 50 on, breaks off
        real = reader.read
        watcher = EmotionPredictor(reader.model, device="cpu", detector=reader.detector)

        def read(*arguments: Any) -> Any:
            if next(reads, None) is None:
                raise KeyboardInterrupt
            return real(*arguments)

        watcher.read = read  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            read_corpus(watcher, [str(film)], parts)
        counts, _ = read_corpus(reader, [str(film)], parts)
        assert (counts.now, counts.readings) == (25, 75)
        assert table(parts.out) == table(whole.out)

    def test_a_broken_film_is_named_and_the_pictures_are_done(self, reader, photos, tmp_path):
        (photos / "film.mp4").write_bytes(b"no film" * 99)
        read_corpus(reader, [str(photos)], Settings(tmp_path / "t.jsonl", 2))
        faces, missed = table(tmp_path / "t.jsonl")
        assert len(faces) == 14
        assert "film.mp4: not a video" in next(row["message"] for row in missed if row["source"].endswith(".mp4"))

    def test_an_annotated_film(self, reader, film, tmp_path):
        read_corpus(reader, [str(film)], Settings(tmp_path / "t.csv", 1, annotated=tmp_path / "drawn"))
        drawn, plain = Video.open(tmp_path / "drawn" / "film.mp4"), Video.open(film)
        times = [frame.time for frame in drawn.frames()]
        assert times == pytest.approx([frame.time for frame in plain.frames()], abs=0.002)
        with io.BytesIO((tmp_path / "drawn" / "film.mp4").read_bytes()) as file:
            assert b"avc1" in file.read()
        faces, _ = table(tmp_path / "t.csv")
        last = [row for row in faces if row["time"] == faces[-1]["time"]]
        frame = next(frame for frame in drawn.frames() if frame.time >= faces[-1]["time"] - 1e-3)
        original = next(frame for frame in plain.frames() if frame.time >= faces[-1]["time"] - 1e-3)
        for row in last:  # the frame's lower edge is drawn just below the box
            at = (round((row["x1"] + row["x2"]) / 2), max(0, round(row["y2"]) + 1))
            column = (at[0], at[1] - 2, at[0] + 1, at[1] + 4)
            changed = np.asarray(frame.image.crop(column), int) - np.asarray(original.image.crop(column), int)
            assert np.abs(changed).max() > 40
