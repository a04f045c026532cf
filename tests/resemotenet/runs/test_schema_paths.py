"""Nothing of the machine that a run ran on is left in what goes to others, whichever setting or sentence names it."""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from resemotenet.runs.schema import Audit, Distillation, Environment, Network, RunConfig, Start, without_paths

SECRET = "/home/somebody/my own faces"


def full_of_paths() -> RunConfig:
    """A config in which every setting that can be a path is one; backbone and start cannot be both."""
    secret = Path(SECRET)
    return RunConfig(
        recipe="tiny",
        data=secret / "fer2013.csv",
        results=secret / "results",
        cache=secret / ".cache",
        network=Network(start=secret / "first"),
        distillation=Distillation(teachers=(secret / "a", secret / "b")),
    )


def paths_in(kind: Any, value: Any) -> dict[str, Any]:
    """Every field of a config, and of its parts, whose type says Path."""
    found: dict[str, Any] = {}
    for field, hint in zip(fields(kind), get_type_hints(kind).values(), strict=True):
        inner = getattr(value, field.name)
        if is_dataclass(inner):
            found |= paths_in(type(inner), inner)
        elif "Path" in str(hint):
            found[field.name] = inner
    return found


def test_of_every_setting_that_is_a_path_the_last_part_is_left():
    config = full_of_paths()
    assert {name for name, value in paths_in(RunConfig, config).items() if not value} == {"backbone"}
    told = without_paths(config)
    assert paths_in(RunConfig, told) == {
        "data": Path("fer2013.csv"),
        "results": Path("results"),
        "cache": Path(".cache"),
        "backbone": None,
        "start": Path("first"),
        "teachers": (Path("a"), Path("b")),
    }
    other = replace(config, network=Network(backbone=Path(SECRET) / "convnext.pth"))
    assert without_paths(other).network.backbone == Path("convnext.pth")
    assert "somebody" not in json.dumps(told.to_dict()) + json.dumps(without_paths(other).to_dict())
    assert replace(told, **{name: getattr(config, name) for name in ("data", "results", "cache")},
                   network=config.network, distillation=config.distillation) == config  # fmt: skip


def test_of_another_system_too():
    told = without_paths(replace(full_of_paths(), data=Path(r"C:\Users\somebody\fer2013.csv")))
    assert told.data == Path("fer2013.csv")


def test_commands_of_every_start():
    command = ["python", "-m", "training", "train", "tiny", "--data", f"{SECRET}/fer2013.csv", f"--results={SECRET}/x"]
    environment = Environment(commit="abc", command=command, resumptions=[Start(command=["resume", f"{SECRET}/x/run"])])
    told = without_paths(environment)
    assert told.command == ["python", "-m", "training", "train", "tiny", "--data", "fer2013.csv", "--results=x"]
    assert told.resumptions[0].command == ["resume", "run"]
    assert told.commit == "abc"


def test_sentences_of_an_audit():
    said = [
        f"{SECRET}/Image/aligned/test 4.jpg (id test 4) is listed and absent",
        "/mnt/other/place/x.jpg cannot be read: cannot identify image file '/mnt/other/place/x.jpg'",
    ]
    audit = Audit(images={"train": 3}, source={"layout": "official", "broken": said, "left_out": {"a/b": 3}})
    told = without_paths(audit, [Path(SECRET), Path("results")])
    assert told.source["broken"] == [
        "Image/aligned/test 4.jpg (id test 4) is listed and absent",
        "x.jpg cannot be read: cannot identify image file 'x.jpg'",
    ]
    assert (told.images, told.source["left_out"]) == ({"train": 3}, {"a/b": 3})


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/me/fer2013.csv", "fer2013.csv"),
        ("/home/me/my faces.csv", "my faces.csv"),
        ("--data=/home/me/fer2013.csv", "--data=fer2013.csv"),
        ("--data=/home/me/my faces.csv", "--data=my faces.csv"),
        (r"C:\Users\me\fer2013.csv", "fer2013.csv"),
        (r"\\server\share\fer2013.csv", "fer2013.csv"),
        ("D:/faces/fer2013.csv", "fer2013.csv"),
        ("~/faces/fer2013.csv", "fer2013.csv"),
        ("read /home/me/a.csv, then (/home/me/b.csv)", "read a.csv, then (b.csv)"),
        ("data/fer2013.csv", "data/fer2013.csv"),
        ("--seed", "--seed"),
        ("0.25", "0.25"),
        ("and/or", "and/or"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("", ""),
    ],
)
def test_only_absolute_paths_are_shortened(text: str, left: str):
    assert without_paths(text) == left


def test_anything_else_is_as_it_was():
    for value in (None, 3, 0.5, True, {"a": [1, {"b": None}]}, (1, "x")):
        assert without_paths(value) == value
