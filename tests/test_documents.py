"""What the documents say works: Python runs, the parsers take the commands, links lead somewhere, figures agree."""

import functools
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dashboard.options
import dashboard.report
import demo.__main__
import demo.space.__main__
import resemotenet.cli
import training.cli
import training.loop
from resemotenet.runs.results import ResultsFolder
from tests import films
from tests.documents import DOCUMENTS, REPOSITORY, ROOT, Document

README_LINES = 150
# Need neither data nor network nor a server, so they run.
OFFLINE = (
    "python -m resemotenet predict photo.jpg",
    "python -m training recipes",
    "python -m training datasets",
    "python -m dashboard.report",
)
# Where a document lets its reader choose.
CHOICES = {"RECIPE": "strong"}


def commands(document: Document) -> Iterator[str]:
    """Every line of its shell blocks, and the commands in its text; without comments, and settings before them."""
    yield from (line for block in document.blocks("sh") for line in block.replace("\\\n", " ").splitlines())
    for code in document.inline_code():
        words = [word for word in code.split() if "=" not in word]
        if words[:1] in (["make"], ["python"]) and words[1:] and "..." not in code:
            yield code


def words_of(command: str) -> list[str]:
    words = [CHOICES.get(word, word) for word in shlex.split(command, comments=True)]
    while "=" in words[0]:
        words.pop(0)
    return words


COMMANDS = [(document.name, command) for document in DOCUMENTS for command in dict.fromkeys(commands(document))]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the pictures and the film that the documents name."""
    for name, example in {"photo": "two_faces", "a": "astronaut", "b": "chelsea", "crop": "grace_hopper"}.items():
        shutil.copy(ROOT / "demo" / "examples" / f"{example}.jpg", tmp_path / f"{name}.jpg")
    films.write(tmp_path / "film.mp4", 5 * [films.scene((films.heads()[0], 200, 90))], [0, 0.2, 0.4, 0.6, 0.8])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_python_runs(document: Document, here: Path):
    """In the order of the page, in one namespace, as a reader would type it."""
    names: dict[str, Any] = {}
    for block in document.blocks("python"):
        if REPOSITORY not in block:  # tests/hub runs those
            exec(compile(block, document.name, "exec"), names)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[f"{name}: {command}" for name, command in COMMANDS])
def test_commands_are_understood(name: str, command: str, here: Path, monkeypatch: pytest.MonkeyPatch):
    """Those that need nothing run; of the others the real parsers read every word."""
    words = words_of(command)
    plain = shlex.join(words)
    if plain.startswith(OFFLINE) and not {"--model", "--into", "check"} & set(words):
        module = {"resemotenet": resemotenet.cli, "training": training.cli, "dashboard.report": dashboard.report}
        assert module[words[2]].main(words[3:]) == 0
    elif words[0] == "make":
        done = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif words[0] == "pip":
        check_pip(words[1:])
    elif words[:3] == ["python", "-m", "http.server"] or words[0] == "docker":
        pass  # not ours
    elif words[:2] == ["python", "-m"]:
        parse(words[2], words[3:], monkeypatch)
    else:
        pytest.fail("nothing here knows this command")


def check_pip(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if words[:2] == ["install", "-r"]:
        assert (ROOT / words[2]).is_file()
    else:
        assert words in [["install", "-e", f".[{extra}]"] for extra in project["optional-dependencies"]]


def parse(module: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails, mostly by SystemExit, where the module's parser refuses the words."""
    if module == "training":
        parse_training(words, monkeypatch)
    elif module == "dashboard":
        dashboard.options._parser().parse_args(words)
    elif module.startswith("tests.benchmarks."):
        assert importlib.util.find_spec(module) is not None
    else:
        parsers: dict[str, Callable[[], Any]] = {
            "resemotenet": resemotenet.cli._parser,
            "demo": demo.__main__._parser,
            "demo.space": demo.space.__main__._parser,
            "dashboard.report": dashboard.report._parser,
        }
        parsers[module]().parse_args(words)


def parse_training(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """tyro reads a command's own signature and calls it at once: what is called here only takes note."""
    calls = []
    if words[0] == "train":

        def train(config: Any) -> ResultsFolder:
            calls.append(config)
            return ResultsFolder(config.results)

        monkeypatch.setattr(training.loop, "train", train)
    else:
        command = getattr(training.cli, f"_{words[0]}", None) or getattr(training.cli, words[0])

        @functools.wraps(command)
        def noted(*arguments: Any, **options: Any) -> int:
            calls.append((arguments, options))
            return 0

        monkeypatch.setattr(training.cli, command.__name__, noted)
    assert training.cli.main(words) == 0
    assert len(calls) == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Document):
    """Those inside the repository; others are not looked up."""
    anchors = {each.path: each.anchors() for each in DOCUMENTS}
    lost = []
    for link in document.links():
        place, _, anchor = link.partition("#")
        path = (document.path.parent / place).resolve() if place else document.path
        if "://" not in link and not (path.exists() and (not anchor or anchor in anchors[path])):
            lost.append(link)
    assert lost == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_the_readme_states_what_was_measured_of_the_bundled_weights():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    config = json.loads((ROOT / "resemotenet" / "weights" / "config.json").read_text(encoding="utf-8"))
    facts = {fact["labels"]: fact for fact in config["measured"] if fact["split"] == "test"}
    for labels in ("ferplus-strict", "fer2013"):
        fact = facts[labels]
        low, high = fact["interval"]
        accuracy = f"{fact['accuracy']:.1%} [{100 * low:.1f}, {100 * high:.1f}]"
        assert f"| {fact['n']:,} | {accuracy} | {fact['macro_recall']:.1%} |" in text


def test_the_table_of_what_broke_names_files_and_tests_that_are_there():
    table = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if re.match(r"\| \d", line)]
    assert [row[0] for row in rows] == [str(number) for number in range(1, 25)]
    for *_, mended, tests in rows:
        assert all((ROOT / name).exists() for name in re.findall(r"`(.+?)`", mended)), mended
        linked = [ROOT / "tests" / name for name in re.findall(r"\]\((.+?)\)", tests)]
        defined = "".join(path.read_text(encoding="utf-8") for path in linked)
        assert linked, tests
        for name in re.findall(r"`(.+?)`", tests):
            assert re.search(rf"(def|class) {name}\b", defined), name
