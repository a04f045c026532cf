"""A short run of the fuzz command; and that it finds, keeps and counts what fails."""

from pathlib import Path
from random import Random

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install -r requirements.txt")

from tests import fuzz


def test_a_short_run_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code = fuzz.main(["--seconds", "5", "--seed", "1", "--keep", str(tmp_path)])
    said = capsys.readouterr().out
    assert code == 0, said
    assert said.endswith("; 0 failed\n")
    assert all(kind in said for kind in fuzz.KINDS)
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_kept_with_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(folder: Path) -> fuzz._Feed:
        def feed(random: Random, place: Path) -> None:
            (place / "input").write_bytes(b"what did it")
            raise ZeroDivisionError

        return feed

    monkeypatch.setitem(fuzz.KINDS, "pictures", broken)
    assert fuzz.main(["--seconds", "0", "--seed", "3", "--only", "pictures", "--keep", str(tmp_path)]) == 1
    [case] = tmp_path.iterdir()
    assert case.name == "pictures-3-0"
    assert (case / "input").read_bytes() == b"what did it"
    assert "ZeroDivisionError" in (case / "error.txt").read_text()


def test_a_seed_gives_the_same_cases_again():
    content = bytes(range(256)) * 4
    first, again = ([fuzz.damaged(Random(f"{seed} 5"), content) for seed in range(20)] for _ in range(2))
    assert first == again
    assert len(set(first)) > 10
