"""``python -m resemotenet timeline``: numbers and a plot from a table of faces."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from resemotenet import Video, timeline, watch
from resemotenet.cli import main
from resemotenet.corpus.bulk import Settings, read_corpus
from resemotenet.corpus.tables import columns, read_table, write_tables
from tests import films

LABELS = ("happy", "neutral", "sad")


def row(source: str, person: int | None, time: float | None, happy: float, sad: float = 0.1) -> dict:
    probabilities = {"happy": happy, "sad": sad, "neutral": 1 - happy - sad}
    label = max(probabilities, key=probabilities.__getitem__)
    known = {"source": source, "person": person, "time": time, "label": label, "not_sure": False, **probabilities}
    numbers = {name for name, kind in columns(LABELS).items() if kind != "string"} - set(known)
    return {**dict.fromkeys(numbers, 1), **known}


def meeting(source: str = "film.mp4") -> list[dict]:
    """Ten seconds of somebody who is happy for the last two, and of somebody who never is."""
    times = np.arange(0, 10, 0.2).round(3).tolist()
    rows = [row(source, 1, time, 0.8 if time >= 8 else 0.2) for time in times]
    return sorted([*rows, *(row(source, 2, time, 0.1, 0.6) for time in times)], key=lambda each: each["time"])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return written(tmp_path / "faces.csv", meeting())


def written(path: Path, rows: list[dict]) -> Path:
    write_tables(path, rows, [], LABELS, "a" * 64)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*words: str | Path) -> tuple[int, str, str]:
        code = main(["timeline", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


class TestNumbers:
    def test_three_lines_a_person(self, run, table):
        code, out, err = run(table, "--smoothing", "0")
        assert (code, err) == (0, "")
        name, head, *lines = out.splitlines()
        assert (name, head.split()) == ("film.mp4", ["person", "seconds", *LABELS])
        assert [line.split() for line in lines] == [
            ["1", "10.0", "time", "20%", "80%", "0%"],
            ["usual", "20%", "70%", "10%"],
            ["change", "0", "to", "+60", "-60", "to", "0", "0", "to", "0"],
            ["2", "10.0", "time", "0%", "0%", "100%"],
            ["usual", "10%", "30%", "60%"],
            ["change", *3 * ["0", "to", "0"]],
        ]
        assert len({len(line) for line in (head, *lines)}) == 1

    @pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
    def test_the_formats_say_the_same(self, run, table, tmp_path, suffix):
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
        assert run(written(tmp_path / f"faces.{suffix}", meeting())) == run(table)

    def test_json_is_the_timeline_of_the_film(self, run, reader, tmp_path):
        """What watching the film gives, but for the digits that the table leaves out."""
        one, other = films.heads()
        path = tmp_path / "film.mp4"
        films.write(path, (films.scene((one, 20 + number, 90), (other, 400, 90)) for number in range(films.RATE)))
        read_corpus(reader, [str(path)], Settings(tmp_path / "t.jsonl", 1))
        code, out, _ = run(tmp_path / "t.jsonl", "--json", "--smoothing", "0.4")
        told = json.loads(out)
        assert (code, told.pop("source")) == (0, str(path))
        expected = timeline(watch(reader, Video.open(path).frames(every=0.2)), smoothing=0.4).to_dict()
        assert [each["times"] for each in told["people"]] == [each["times"] for each in expected["people"]]
        for mine, theirs in zip(told["people"], expected["people"], strict=True):
            assert mine["shares"] == pytest.approx(theirs["shares"], abs=2e-3)
            assert mine["change"]["happy"] == pytest.approx(theirs["change"]["happy"], abs=2e-3)

    def test_pictures_are_left_out_and_films_kept_apart(self, run, tmp_path):
        rows = [row("a.jpg", None, None, 0.5), *meeting("a.mp4"), *meeting("b.mp4")]
        table = written(tmp_path / "faces.csv", rows)
        code, out, _ = run(table)
        assert code == 0
        assert [line for line in out.splitlines() if not line.startswith(" ")] == ["a.mp4", "b.mp4"]
        assert run(table, "--film", "b.mp4")[1] == out[out.index("b.mp4") :]


class TestFiles:
    def test_a_plot_with_a_row_a_person(self, run, table, tmp_path):
        code, _, err = run(table, "--out", tmp_path / "timeline.svg")
        assert (code, err) == (0, f"{tmp_path / 'timeline.svg'}\n")
        words = [each.text for each in ElementTree.parse(tmp_path / "timeline.svg").iter() if each.text]
        assert [word for word in words if word.startswith("Person")] == ["Person 1", "Person 2"]

    @pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
    def test_a_row_a_reading(self, run, table, tmp_path, suffix):
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
        out = tmp_path / f"changes.{suffix}"
        assert run(table, "--smoothing", "0", "--out", out)[0] == 0
        rows = list(read_table(out))
        assert len(rows) == 100
        last = rows[49]
        assert (last["source"], last["person"], last["time"], last["label"]) == ("film.mp4", 1, 9.8, "happy")
        assert (last["happy"], last["change_happy"], last["change_neutral"]) == pytest.approx((0.8, 0.6, -0.6))

    def test_both_at_once(self, run, table, tmp_path):
        names = [tmp_path / "timeline.svg", tmp_path / "changes.csv"]
        assert run(table, "--out", names[0], "--out", names[1])[0] == 0
        assert all(name.stat().st_size for name in names)

    def test_the_table_is_not_written_over(self, run, table):
        before = table.read_bytes()
        code, _, err = run(table, "--out", table)
        assert (code, table.read_bytes()) == (1, before)
        assert "would write over the table" in err

    def test_a_plot_is_of_one_film(self, run, tmp_path):
        table = written(tmp_path / "faces.csv", [*meeting("a.mp4"), *meeting("b.mp4")])
        code, _, err = run(table, "--out", tmp_path / "t.svg")
        assert (code, (tmp_path / "t.svg").exists()) == (1, False)
        assert "a plot is of one film, and there are 2; name it: --film a.mp4, b.mp4" in err
        assert run(table, "--out", tmp_path / "t.svg", "--film", "b.mp4")[0] == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("rows", "told"),
        [
            ([], "no film with a face in it"),
            ([row("a.jpg", None, None, 0.5)], "no film with a face in it"),
            (
                [row("a.mp4", 1, time, 0.5) | {"source": name} for time, name in enumerate("aba")],
                "do not stand together",
            ),
            ([row("a.mp4", 1, None, 0.5)], "time of a row of a.mp4 is None, expected a number"),
            ([row("a.mp4", 1, 0.2, 0.5) | {"sad": None}], "sad of a row of a.mp4 is None, expected a number"),
        ],
    )
    def test_tables_without_a_timeline(self, run, tmp_path, rows, told):
        code, out, err = run(written(tmp_path / "faces.csv", rows))
        assert (code, out) == (1, "")
        assert told in err

    def test_the_second_table_is_none_of_faces(self, run, tmp_path):
        write_tables(tmp_path / "t.jsonl", [], [{"source": "a.jpg", "reason": "no face"}], LABELS, "a" * 64)
        code, _, err = run(tmp_path / "t.missed.jsonl")
        assert (code, "not a table of faces" in err) == (1, True)

    @pytest.mark.parametrize("content", [b"[1]\n", b"no json\n", b"\xff\xfe"])
    def test_what_is_no_table(self, run, tmp_path, content):
        (tmp_path / "t.jsonl").write_bytes(content)
        code, out, err = run(tmp_path / "t.jsonl")
        assert (code, out) == (1, "")
        assert "not a table of faces" in err

    def test_a_film_that_is_not_in_it(self, run, table):
        assert "no film other.mp4 with a face in it" in run(table, "--film", "other.mp4")[2]

    @pytest.mark.parametrize("out", ["t.png", "t", "nowhere/t.csv"])
    def test_names_that_nothing_can_have(self, run, table, out):
        code, _, err = run(table, "--out", table.parent / out)
        assert code == 1
        assert "must end in" in err or "no such folder" in err

    def test_a_smoothing_that_is_no_time(self, run, table):
        with pytest.raises(SystemExit) as left:
            run(table, "--smoothing", "-1")
        assert left.value.code == 2
