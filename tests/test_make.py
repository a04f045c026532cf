"""What the Makefile and .ci/run promise, played with programs that only note how they were called."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lowest import pins

ROOT = Path(__file__).resolve().parents[1]
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="no make")

# Notes how it was called; fails where it is asked to. The venv that it makes holds itself.
PLAYED = """#!/bin/sh
call="$(basename "$0") $*"
echo "${CI:+CI=$CI }${REQUIRE_BROWSER:+REQUIRE_BROWSER=$REQUIRE_BROWSER }$call" >>"$PLAYED_LOG"
case "$call" in
    *"$PLAYED_FAILS"*) exit 3 ;;
    *"-m venv"*)
        for venv in "$@"; do :; done
        mkdir -p "$venv/bin" && for name in python ruff mypy; do cp "$0" "$venv/bin/$name"; done ;;
esac
"""
NEVER = "what is never called"


class Place:
    """A folder with the Makefile and .ci/run, and a PATH on which stands nothing but what is played."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.tools, self.log = folder, tools, tools / "log"
        for name in (
            "Makefile",
            ".ci/run",
            "requirements.txt",
            "pyproject.toml",
            "tests/lowest.py",
            "demo/browser/package.json",
            "demo/browser/package-lock.json",
        ):
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            shutil.copy2(ROOT / name, folder / name)
        for name in (
            "bash",
            "sh",
            "basename",
            "cmp",
            "cp",
            "df",
            "dirname",
            "echo",
            "env",
            "grep",
            "mkdir",
            "rm",
            "touch",
            "find",
        ):
            (tools / name).symlink_to(str(shutil.which(name)))

    def play(self, *names: str) -> None:
        for name in names:
            (self.tools / name).write_text(PLAYED)
            (self.tools / name).chmod(0o755)

    def run(self, *command: str, fails: str = NEVER) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": str(self.tools), "PLAYED_LOG": str(self.log), "PLAYED_FAILS": fails}
        return subprocess.run(
            command, cwd=self.folder, env=environment, input="", capture_output=True, text=True, check=False
        )

    def make(self, *arguments: str, fails: str = NEVER) -> "subprocess.CompletedProcess[str]":
        return self.run(str(MAKE), *arguments, fails=fails)

    def calls(self) -> list[str]:
        """What was called since the last time this was asked."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def place(tmp_path: Path) -> Place:
    tools = tmp_path / "tools"
    tools.mkdir()
    return Place(tmp_path / "checkout", tools)


def test_help_names_every_target(place: Place):
    targets = re.findall(r"^\.PHONY: help (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    named = re.findall(r"[a-z]+(?:-[a-z]+)*", place.make().stdout)
    assert set(targets) <= set(named)


def test_test_runs_lint_types_and_every_test(place: Place):
    place.play("python3")
    assert place.make("test", "ARGS=--verbose").returncode == 0
    calls = place.calls()
    assert [call for call in calls if call.startswith(("ruff", "mypy"))] == [
        "ruff check .", "ruff format --check .", "mypy "
    ]  # fmt: skip
    tests = calls[-1].split()
    assert tests[:3] == ["python", "-m", "pytest"]
    assert tests[-1] == "--verbose"
    choosing = {"-m", "-k", "--ignore", "--ignore-glob", "--deselect", "--last-failed", "--lf"}
    assert not {argument.partition("=")[0] for argument in tests[3:]} & choosing
    assert not [argument for argument in tests[3:] if argument.startswith("tests")]


@pytest.mark.parametrize("wrong", ["ruff check", "ruff format", "mypy", "python -m pytest"])
def test_what_fails_fails_make(place: Place, wrong: str):
    place.play("python3")
    assert place.make("test").returncode == 0
    assert place.make("test", fails=wrong).returncode != 0


@pytest.mark.parametrize(("target", "installed"), [("demo", "-r requirements.txt"), ("dashboard", "-e .[dashboard]")])
def test_a_page_is_installed_once_and_again_where_that_broke_off(place: Place, target: str, installed: str):
    place.play("python3")
    assert place.make(target, fails="install").returncode != 0
    assert place.calls()[-1] == f"python -m pip --disable-pip-version-check install {installed}"

    assert place.make(target, "ARGS=--port 1").returncode == 0
    again, started = place.calls()
    assert again.endswith(f"install {installed}")
    assert started == f"python -m {target} {'--open ' if target == 'demo' else ''}--port 1"

    assert place.make(target).returncode == 0
    assert len(place.calls()) == 1


def test_the_lowest_releases_have_a_place_of_their_own(place: Place):
    place.play("python3")
    assert place.make("test-lowest", "ARGS=-x").returncode == 0
    pins, installed, tests = place.calls()[-3:]
    assert pins == "python tests/lowest.py"
    assert installed.endswith("install --constraint .venv-lowest/lowest.txt -e .[demo,dashboard,training,dev]")
    assert tests.startswith("python -m pytest -W default tests/")
    assert tests.endswith(" -x")
    for each in tests.split()[5:-1]:
        assert (ROOT / each).exists(), each
    assert not (place.folder / ".venv").exists()


def test_every_requirement_has_a_lower_bound_to_pin():
    pinned = list(pins())
    assert "numpy==1.26" in pinned
    assert "facenet-pytorch==2.5.3" in pinned
    assert len(pinned) == len({pin.partition("==")[0] for pin in pinned}) > 25


def test_without_a_python_that_will_do_it_says_which_would(place: Place):
    place.play("python3")
    done = place.make("demo", fails="sys.version_info")
    assert done.returncode != 0
    assert "no Python 3.11, 3.12 or 3.13 among: python3 python3.13" in done.stderr
    assert "make demo PYTHON=/path/to/python3.12" in done.stderr
    assert not (place.folder / ".venv").exists()


def test_a_python_without_venv_says_what_to_install(place: Place):
    place.play("python3")
    done = place.make("demo", fails="ensurepip")
    assert done.returncode != 0
    assert "sudo apt install python3-venv" in done.stderr


def test_a_space_takes_model_and_revision_and_is_not_pushed_without_a_name(place: Place):
    place.play("python3")
    assert place.make("space", "MODEL=o/n", "REVISION=v1").returncode == 0
    assert place.calls()[-1] == "python -m demo.space build/space --model o/n --revision v1"
    assert place.make("push-space").returncode != 0
    assert place.calls() == []
    assert place.make("push-space", "SPACE=o/s").returncode == 0
    assert place.calls() == ["python -m demo.space build/space --push o/s"]
    assert place.make("push-space-static", "SPACE=o/s").returncode == 0
    assert place.calls() == ["python -m demo.space build/space-static --static --push o/s"]


def test_the_runtime_for_browsers_is_fetched_once_and_again_where_that_broke_off(place: Place):
    place.play("npm")
    assert "npm failed: pictures are read by the server" in place.make("runtime", fails="npm ci").stdout
    assert place.make("runtime").returncode == 0
    assert place.calls() == 2 * ["npm ci --prefix build/browser --ignore-scripts --no-audit --no-fund"]
    assert place.make("runtime").returncode == 0
    assert place.calls() == []
    (place.folder / "demo" / "browser" / "package-lock.json").write_text("{}")  # another release
    assert place.make("runtime").returncode == 0
    assert len(place.calls()) == 1


def test_without_npm_the_page_starts_and_says_how_to_get_the_rest(place: Place):
    place.play("python3")
    done = place.make("demo")
    assert done.returncode == 0
    assert "Install Node.js with npm, then: make runtime" in done.stdout
    assert place.calls()[-1] == "python -m demo --open"


class TestCI:
    def test_it_is_make_test_and_a_missing_browser_fails(self, place: Place):
        place.play("make", "chromium", "npm", "python3")
        assert place.run(".ci/run").returncode == 0
        assert place.calls()[-1] == "CI=true REQUIRE_BROWSER=1 make test"

    def test_what_fails_fails_it(self, place: Place):
        place.play("make", "chromium", "npm", "python3")
        assert place.run(".ci/run", fails="make test").returncode == 3

    def test_what_is_missing_is_installed_first(self, place: Place):
        place.play("apt-get", "python3")
        assert place.run(".ci/run", fails="ensurepip").returncode != 0  # there is still no make
        update, install = [call for call in place.calls() if "apt-get" in call]
        assert update.endswith("apt-get update -q")
        assert install.split()[-4:] == ["make", "chromium", "npm", "python3-venv"]
