"""The shell around the pages: what it is started with, what it says of the folders, how it is started."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import __main__ as command
from dashboard import data
from dashboard.data import PUBLISHED
from dashboard.options import OptionsError, read_options
from tests.dashboard import comparing, fake_runs
from tests.dashboard.comparing import again, words
from tests.disks import read_only

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "dashboard" / "app.py"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESEMOTENET_RESULTS", "RESEMOTENET_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch):
    """The app as ``streamlit run dashboard/app.py -- ARGUMENTS`` starts it."""

    def start(*arguments: object) -> AppTest:
        monkeypatch.setattr(sys, "argv", [str(APP), *map(str, arguments)])
        return again(AppTest.from_file(APP, default_timeout=120))

    return start


def around(test: AppTest) -> str:
    """What stands around every page, among what the page itself says."""
    return "\n".join(str(each.value) for kind in (test.caption, test.markdown) for each in kind)


def test_it_opens_with_the_published_results(start):
    test = start()
    assert test.title[0].value == "Overview"
    assert f"**{len(list(PUBLISHED.glob('*/')))}** finished" in around(test)
    assert "the published runs" in around(test)
    assert len(test.dataframe[0].value)


@pytest.mark.parametrize("state", comparing.STATES)
def test_it_opens_whatever_the_folder_holds(start, results: Path, state: str):
    comparing.STATES[state](results)
    test = start("--results", results)
    assert str(results) in around(test)


def test_nothing_is_written_to_the_folder(start, results: Path, every_state: dict[str, Path]):
    with read_only(results):
        test = start("--results", results)
        assert f"**{len(list(PUBLISHED.glob('*/'))) + 2}** finished" in around(test)


def test_what_is_wrong_is_told_with_its_reason(start, results: Path, every_state: dict[str, Path]):
    (every_state["finished"] / "predictions" / "fer2013-test.npz").write_bytes(b"PK")
    said = around(start("--results", results))
    for state in ("broken", "newer", "unfinished", "older", "finished"):
        assert f"`{every_state[state].name}`" in said
    assert f"`{every_state['running'].name}`" not in said
    assert "config.json is damaged" in said
    assert "newer version of resemotenet" in said
    assert "fer2013-test.npz is damaged" in said


def test_names_from_folders_are_no_markup(start, results: Path):
    path = fake_runs.write_unfinished(results / "[here](javascript)")
    said = around(start("--results", results))
    # The command to resume it names its folder.
    assert r"\[here\]" in said
    assert "](javascript)" not in said
    assert "`" + path.name + "`" in said


def test_a_running_one_shows_how_far_it_is(start, results: Path):
    fake_runs.write_running(results, epochs=3, planned=12)
    test = start("--results", results)
    (progress,) = test.get("progress")
    assert progress.proto.value == 25
    assert "Epoch 4 of 12" in progress.proto.text


def test_new_runs_are_there_at_the_next_look(start, results: Path):
    fake_runs.write_running(results)
    test = start("--results", results)
    before = around(test)
    fake_runs.write_run(results, seed=7)
    assert around(again(test)) != before
    assert "1 (7)" in list(test.dataframe[0].value["Seeds"])


def test_the_folders_are_looked_through_once_for_a_page(start, results: Path, monkeypatch: pytest.MonkeyPatch):
    fake_runs.write_run(results)
    looks = []

    def looked(folders: Sequence[Path]) -> list[data.Run]:
        looks.append(folders)
        return scan(folders)

    scan = data.scan
    monkeypatch.setattr(data, "scan", looked)
    test = start("--results", results)
    assert len(looks) == 1
    again(test)
    assert len(looks) == 2


def test_a_wrong_path_is_one_plain_line(start, tmp_path: Path):
    test = start("--results", tmp_path / "absent")
    assert [each.value for each in test.error] == [
        f"There is no folder {tmp_path / 'absent'}; check the path given. Folders are named by --results and "
        "RESEMOTENET_RESULTS."
    ]
    assert not test.title
    assert "unrecognized arguments: --reslts" in words(start("--reslts", "x"))


def test_options_come_from_arguments_and_environment(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copy = tmp_path / "fer2013.csv"
    copy.touch()
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("RESEMOTENET_RESULTS", str(other))
    monkeypatch.setenv("RESEMOTENET_DATA", str(copy))
    options = read_options(["--results", str(results), "--port", "9000"])
    assert options.folders == (PUBLISHED, results, other)
    assert (options.data, options.port, options.host) == (copy, 9000, "127.0.0.1")
    assert read_options(options.to_arguments()).folders == options.folders


@pytest.mark.parametrize(
    "arguments", [["--results", "absent"], ["--data", "absent.csv"], ["--port", "x"], ["--port", "65536"], ["--x"]]
)
def test_what_cannot_be_is_refused(arguments: list[str]):
    with pytest.raises(OptionsError):
        read_options(arguments)


def test_an_environment_that_names_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESEMOTENET_RESULTS", str(tmp_path / "gone"))
    with pytest.raises(OptionsError, match=r"There is no folder .*gone"):
        read_options([])


def test_the_command_says_one_line_and_fails(capsys: pytest.CaptureFixture[str]):
    assert command.main(["--results", "/no/such/folder"]) == 1
    output = capsys.readouterr()
    assert output.err.startswith("error: There is no folder /no/such/folder")
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_help_needs_no_server():
    done = subprocess.run(
        [sys.executable, "-m", "dashboard", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--results DIR" in done.stdout
    assert "RESEMOTENET_DATA" in done.stdout


def test_the_pages_need_neither_torch_nor_the_trainer():
    code = (
        "import sys, dashboard.data, dashboard.charts.compare\n"
        "from dashboard.analysis import ablations, groups, verdicts\n"
        "from dashboard.views import overview, ablation, cross_dataset\n"
        "print(*sorted({'torch', 'training', 'gradio'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


def test_nothing_is_told_to_others():
    config = tomllib.loads((ROOT / "dashboard" / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["browser"]["gatherUsageStats"] is False
