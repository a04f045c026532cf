import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from resemotenet import EMOTIONS, EmotionPredictor, FaceEmotion, create_model, load_model
from resemotenet.cli import format_table, main
from resemotenet.emotions import COLORS
from tests.readings import reading_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "astronaut.jpg"
    path.parent.mkdir()
    Image.fromarray(data.astronaut()).save(path, quality=95)
    return path


@pytest.fixture
def folder(photo: Path) -> Path:
    """Two pictures, one of them further down; a text that claims to be one, a hidden file and a text."""
    below = photo.parent / "more"
    below.mkdir()
    Image.fromarray(data.coffee()).resize((300, 200)).save(below / "coffee.bmp")
    (photo.parent / "broken.png").write_text("no picture")
    (photo.parent / "._astronaut.jpg").write_text("what a file system left")
    (photo.parent / "readme.txt").write_text("text")
    return photo.parent


@pytest.fixture
def predict(model_folder: Path, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main(["predict", "--model", str(model_folder), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def in_a_process(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options)


class TestPredict:
    def test_a_table(self, predict, photo):
        code, out, err = predict(photo)
        assert (code, err) == (0, "")
        head, titles, row = out.splitlines()
        assert head == f"{photo}  512 x 512, 1 face"
        assert titles.split() == ["#", "emotion", *EMOTIONS, "x1", "y1", "x2", "y2"]
        number, label, *percents = row.split()[:9]
        assert (number, label in EMOTIONS) == ("1", True)
        assert sum(float(percent.rstrip("%")) for percent in percents) == pytest.approx(100, abs=0.4)
        assert np.abs(np.subtract([int(value) for value in row.split()[9:]], (180, 66, 268, 174))).max() < 10

    def test_json_of_one_picture(self, predict, photo):
        code, out, err = predict(photo, "--json")
        assert (code, err) == (0, "")
        report = json.loads(out)
        assert report["schema"] == 1
        assert report["image"] == {"path": str(photo), "width": 512, "height": 512}
        (face,) = report["faces"]
        assert list(face["probabilities"]) == list(EMOTIONS)
        assert face["label"] in EMOTIONS

    def test_json_lines_of_a_folder(self, predict, folder):
        code, out, err = predict(folder, "--json")
        reports = [json.loads(line) for line in out.splitlines()]
        assert [Path(report["image"]["path"]).name for report in reports] == [
            "astronaut.jpg",
            "broken.png",
            "coffee.bmp",
        ]
        assert [len(report["faces"]) for report in reports if "faces" in report] == [1, 0]
        assert reports[1]["schema"] == 1
        assert reports[1]["error"].startswith(f"{folder / 'broken.png'}: not a picture")
        assert (code, err.count("\n")) == (1, 1)

    def test_a_bad_file_is_one_line_and_the_others_are_done(self, predict, photo, folder, tmp_path):
        missing = tmp_path / "missing.jpg"
        code, out, err = predict(missing, folder / "broken.png", photo)
        assert code == 1
        assert "512 x 512, 1 face" in out
        lines = err.splitlines()
        assert lines[0] == f"resemotenet: {missing}: no such file or directory"
        assert lines[1].startswith(f"resemotenet: {folder / 'broken.png'}: not a picture")
        assert len(lines) == 2

    def test_names_that_cannot_be_asked_about_do_not_end_the_call(self, predict, photo, tmp_path):
        loop = tmp_path / "loop.jpg"
        loop.symlink_to(loop)
        long, nul = "x" * 5000, "a\0b.jpg"
        code, out, err = predict(loop, long, nul, "", " ", photo, "--json", "--save", tmp_path / "out")
        reports = [json.loads(line) for line in out.splitlines()]
        assert [report["image"]["path"] for report in reports] == [nul, "", " ", str(loop), long, str(photo)]
        assert ["error" in report for report in reports] == [True] * 5 + [False]
        assert (code, err.count("\n")) == (1, 5)
        assert (tmp_path / "out" / "astronaut.jpg").is_file()

    @pytest.mark.parametrize("address", ["https://example.org/a.jpg", "file:///home/a.jpg", "s3://bucket/a.jpg"])
    def test_an_address_is_named_as_it_was_given(self, predict, photo, address):
        code, out, err = predict(address, photo)
        assert "1 face" in out
        assert (code, err.startswith(f"resemotenet: {address}: an address, and nothing is fetched")) == (1, True)

    def test_a_folder_that_cannot_be_read_is_a_failure(self, predict, folder, monkeypatch):
        real = os.scandir

        def denied(path):
            if Path(path).name == "more":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", denied)
        (folder / "broken.png").unlink()
        code, out, err = predict(folder)
        assert "1 face" in out
        assert code == 1
        assert err == f"resemotenet: {folder / 'more'}: the folder cannot be read (permission denied)\n"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
    def test_a_pipe_and_a_link_to_nothing_are_lines(self, predict, folder):
        (folder / "broken.png").unlink()
        os.mkfifo(folder / "pipe.jpg")
        (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
        code, out, err = predict(folder)
        assert (code, out.count("512 x 512")) == (1, 1)
        assert "gone.jpg: no such file" in err
        assert "pipe.jpg: a pipe or a device, expected a file" in err

    def test_a_picture_too_large_for_the_memory(self, predict, photo, folder, monkeypatch):
        real = EmotionPredictor.read

        def read(self, image):
            if Path(image).suffix == ".bmp":
                raise MemoryError
            return real(self, image)

        monkeypatch.setattr(EmotionPredictor, "read", read)
        code, out, err = predict(folder / "more" / "coffee.bmp", photo)
        assert (code, "1 face" in out) == (1, True)
        assert "not enough memory" in err

    def test_names_do_not_command_the_terminal(self, predict, photo, tmp_path):
        evil = tmp_path / "a\x1b[2J\u202e\nb.jpg"
        evil.write_bytes(photo.read_bytes())
        code, out, err = predict(evil, tmp_path / "no\x1b]0;title\x07.jpg", "--save", tmp_path / "o\x1b[m")
        assert code == 1
        assert not set(out + err) & {"\x1b", "\x07", "\u202e"}
        assert "a\\x1b[2J\\u202e\\nb.jpg  512 x 512, 1 face" in out

    def test_no_face_is_no_failure(self, predict, folder):
        code, out, _ = predict(folder / "more" / "coffee.bmp")
        assert code == 0
        assert out == f"{folder / 'more' / 'coffee.bmp'}  300 x 200, no face\n"

    def test_a_folder_without_pictures(self, predict, tmp_path):
        (tmp_path / "empty").mkdir()
        code, out, err = predict(tmp_path / "empty")
        assert (code, out) == (1, "")
        assert err == f"resemotenet: {tmp_path / 'empty'}: no pictures in this folder\n"

    def test_a_path_given_twice_is_read_once(self, predict, photo):
        _, out, _ = predict(photo, photo, "--json")
        assert len(out.splitlines()) == 1


class TestSave:
    def test_one_picture(self, predict, photo, tmp_path):
        target = tmp_path / "new" / "out.png"
        code, out, _ = predict(photo, "--save", target)
        assert code == 0
        assert out.endswith(f"  annotated: {target}\n")
        with Image.open(target) as saved:
            assert saved.size == (512, 512)
            colours = {saved.getpixel((224, y)) for y in range(50, 75)}
        assert colours & {tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)) for color in COLORS.values()}

    def test_a_folder_keeps_its_tree_and_suffixes_that_can_be_written(self, predict, folder, tmp_path):
        predict(folder, "--save", tmp_path / "out")
        written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
        assert written == ["astronaut.jpg", "more/coffee.png"]

    def test_pictures_of_one_name_do_not_overwrite_each_other(self, predict, photo, tmp_path):
        other = tmp_path / "astronaut.jpg"
        Image.fromarray(data.astronaut()[:200]).save(other)
        predict(photo, other, "--save", tmp_path / "out")
        sizes = {}
        for path in (tmp_path / "out").iterdir():
            with Image.open(path) as saved:
                sizes[path.name] = saved.size
        assert sizes == {"astronaut.jpg": (512, 512), "astronaut-2.jpg": (512, 200)}

    def test_one_picture_into_an_existing_folder(self, predict, photo, tmp_path):
        (tmp_path / "out").mkdir()
        assert predict(photo, "--save", tmp_path / "out")[0] == 0
        assert (tmp_path / "out" / "astronaut.jpg").is_file()

    @pytest.mark.parametrize(
        ("save", "message"),
        [("in/astronaut.jpg", "write over"), ("out.txt", "must end in"), ("out", "must end in")],
    )
    def test_targets_that_cannot_be_meant(self, photo, tmp_path, capsys, save, message):
        before = photo.read_bytes()
        with pytest.raises(SystemExit) as stopped:
            main(["predict", str(photo), "--save", str(tmp_path / save)])
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err
        assert photo.read_bytes() == before

    def test_several_pictures_into_one_file(self, photo, tmp_path, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(["predict", str(photo.parent), "--save", str(tmp_path / "out.png")])
        assert stopped.value.code == 2
        assert "must be a folder" in capsys.readouterr().err

    def test_a_place_that_cannot_be_written(self, predict, photo, tmp_path):
        (tmp_path / "file").write_text("in the way")
        code, _, err = predict(photo, "--save", tmp_path / "file" / "out.png")
        assert code == 1
        assert err.count("\n") == 1
        assert "cannot be written" in err

    def test_a_format_that_does_not_take_the_picture(self, predict, photo, tmp_path):
        Image.new("L", (17000, 20)).save(tmp_path / "in" / "wide.webp", "PNG")
        code, out, err = predict(photo.parent, "--save", tmp_path / "out")
        assert code == 1
        assert "17000 x 20, no face" in out
        assert err.startswith(f"resemotenet: {tmp_path / 'out' / 'wide.webp'}: cannot be written (")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["astronaut.jpg"]


class TestFailures:
    def test_no_model(self, capsys, photo, tmp_path):
        assert main(["predict", str(photo), "--model", str(tmp_path / "nowhere")]) == 1
        err = capsys.readouterr().err
        assert err.startswith("resemotenet: ")
        assert err.count("\n") == 1

    def test_no_such_device(self, predict, photo):
        code, out, err = predict(photo, "--device", "gpu")
        assert (code, out) == (1, "")
        assert err == "resemotenet: no device is called 'gpu'; expected auto, cpu, cuda, cuda:1 or mps\n"

    @pytest.mark.parametrize("arguments", [[], ["predict"], ["convert", "x.pth", ""], ["predict", "x", "--unknown"]])
    def test_wrong_arguments(self, arguments, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "usage: resemotenet" in capsys.readouterr().err


class TestConvert:
    def test_an_upstream_checkpoint(self, tmp_path, capsys):
        torch.save(create_model("resemotenet").state_dict(), tmp_path / "best_model.pth")
        assert main(["convert", str(tmp_path / "best_model.pth"), str(tmp_path / "out"), "--compact"]) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
        assert load_model(tmp_path / "out").labels[0] == "happy"

    def test_a_file_that_is_none(self, tmp_path, capsys):
        (tmp_path / "model.pth").write_text("not a checkpoint")
        assert main(["convert", str(tmp_path / "model.pth"), str(tmp_path / "out")]) == 1
        err = capsys.readouterr().err
        assert err.startswith("resemotenet: ")
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()


class TestProcess:
    def test_help_loads_nothing_heavy(self):
        code = (
            "import sys, resemotenet.cli as cli\n"
            "try:\n    cli.main(['predict', '--help'])\n"
            "except SystemExit as stop:\n    assert stop.code == 0\n"
            "print([name for name in ('torch', 'PIL', 'numpy', 'facenet_pytorch') if name in sys.modules])"
        )
        done = in_a_process("-c", code)
        assert done.stderr == ""
        assert done.stdout.splitlines()[-1] == "[]"
        assert "one object and one line a picture" in done.stdout

    def test_the_module_with_a_broken_file(self, model_folder, tmp_path):
        path = tmp_path / "photo.jpg"
        path.write_bytes(b"\xff\xd8\xff\xe0 cut short")
        done = in_a_process("-m", "resemotenet", "-v", "predict", path, "--model", model_folder, "--device", "cpu")
        assert (done.returncode, done.stdout) == (1, "")
        device, complaint = done.stderr.splitlines()
        assert device == "EmotionPredictor: resemotenet on cpu, backend onnxruntime, precision exact"
        assert complaint.startswith(f"resemotenet: {path}: ")

    @pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
    @pytest.mark.parametrize(
        ("stream", "arguments"),
        [("stdout", ("--help",)), ("stdout", ("predict", "", "--json")), ("stderr", ("predict", ""))],
    )
    def test_nobody_reads(self, stream, arguments):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-W", "error", "-m", "resemotenet", *arguments]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writing}
        done = subprocess.run(command, cwd=ROOT, **streams, text=True, timeout=300, check=False)
        os.close(writing)
        assert done.returncode in (0, 1)
        assert "Traceback" not in (done.stderr or "") + (done.stdout or "")
        assert "Exception ignored" not in (done.stderr or "")

    @pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
    def test_a_reader_that_has_seen_enough(self, model_folder, photo):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-W", "error", "-m", "resemotenet", "predict", photo, "--model", model_folder]
        with os.fdopen(writing, "w") as stdout:
            done = subprocess.run(
                command, cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=300, check=False
            )
        assert (done.returncode, done.stderr) == (1, "")


def test_columns_stand_under_their_titles():
    probabilities = dict(zip(EMOTIONS, (0.0, 1.0, 0.5, 0.25, 0.001, 0.0, 0.1), strict=True))
    face = FaceEmotion((1.0, 2.0, 1234.4, 5.0), (1.0, 2.0, 4.0, 5.0), 1.0, "disgust", 1.0, probabilities)
    _, titles, row = format_table(reading_of(Image.new("RGB", (2000, 10)), [face])).splitlines()
    for title, value in zip([*EMOTIONS, "x1", "x2"], ["0.0%", "100.0%", "50.0%", "25.0%", "0.1%"], strict=False):
        end = titles.index(title) + len(title)
        assert row[:end].endswith(value), title
    assert row.endswith("    1     2  1234     5")


def test_an_answer_that_is_not_sure_names_two():
    shares = {**dict.fromkeys(EMOTIONS, 0.0), "sad": 0.6, "neutral": 0.4}
    face = FaceEmotion((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0, 4.0), 1.0, "sad", 0.6, shares, sure_margin=0.3)
    assert "   1  not sure: sad or neutral     0.0%" in format_table(reading_of(Image.new("RGB", (20, 10)), [face]))


def test_a_low_detection_score_is_shown():
    probabilities = dict.fromkeys(EMOTIONS, 1 / 7)
    faces = [
        FaceEmotion((1.0, 2.0, 3.0, 4.0), (1.0, 2.0, 3.0, 4.0), s, "sad", 1 / 7, probabilities) for s in (0.95, 0.98)
    ]
    _, _, unsure, sure = format_table(reading_of(Image.new("RGB", (20, 10)), faces)).splitlines()
    assert unsure.endswith("     4  detection 95.0%")
    assert sure.endswith("     4")
