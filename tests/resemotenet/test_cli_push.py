"""The commands push and pull, as far as they need no Hub."""

import subprocess
import sys
from pathlib import Path

import pytest

from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.cli import main

ROOT = Path(__file__).resolve().parents[2]


def in_a_process(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options)


class TestPushAndPull:
    """What needs no Hub; the rest is in tests/hub."""

    def test_a_dry_run_shows_card_and_files_and_loads_no_network(self, model_folder):
        code = (
            "import sys, socket\n"
            "def forbidden(*_): raise AssertionError('the network was used')\n"
            "socket.socket.connect = forbidden\n"
            "from resemotenet.cli import main\n"
            "sys.exit(main(sys.argv[1:]))"
        )
        done = in_a_process("-c", code, "push", model_folder, "owner/name", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("---\nlibrary_name:")
        assert "# name\n" in done.stdout
        size = (model_folder / "model.safetensors").stat().st_size
        assert f"  {size:,}  model.safetensors" in done.stderr

    def test_a_dry_run_into_a_folder_writes_all_that_is_to_be_looked_at(self, capsys, tmp_path):
        """Of the bundled weights, whose published run is found: their figures were computed again."""
        out = tmp_path / "card"
        for _ in range(2):  # a second look may follow
            assert main(["push", str(bundled_folder()), "owner/name", "--dry-run", str(out)]) == 0
        names = ["README.md", "config.json", "result.json", "confusion.json", "confusion.svg", "calibration.svg",
                 "training.json", "audit.json"]  # fmt: skip
        assert capsys.readouterr().out.splitlines() == 2 * [str(out / name) for name in names]
        assert sorted(path.name for path in out.iterdir()) == sorted(names)
        card = (out / "README.md").read_text(encoding="utf-8")
        assert "Not checked" not in card
        assert "not checked" not in card
        (out / "photo.jpg").touch()
        assert main(["push", str(bundled_folder()), "owner/name", "--dry-run", str(out)]) == 1
        assert "photo.jpg, which is no part of a card" in capsys.readouterr().err

    def test_what_must_not_be_published(self, capsys, tmp_path):
        assert main(["push", str(tmp_path), "owner/name", "--dry-run"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "neither a results folder" in captured.err

    @pytest.mark.parametrize("command", [["push", ".", "name"], ["push", ".", "a/b/c"], ["pull", "../x", "out"]])
    def test_names_of_repositories(self, capsys, command):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert stop.value.code == 2
        assert "expected owner/name" in capsys.readouterr().err

    def test_a_proposal_cannot_be_tagged(self, capsys):
        with pytest.raises(SystemExit) as stop:
            main(["push", ".", "owner/name", "--pr", "--tag", "v1"])
        assert stop.value.code == 2
        assert "--tag names a commit, and --pr only proposes one" in capsys.readouterr().err

    def test_a_place_that_is_taken(self, capsys, tmp_path):
        (tmp_path / "thesis.tex").touch()
        assert main(["pull", "owner/name", str(tmp_path)]) == 1
        assert "holds other things than a model (thesis.tex)" in capsys.readouterr().err
