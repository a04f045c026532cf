"""Every layout under every command that takes a data set: all of them know it, or all say the same is wrong with it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resemotenet.datasets import CATALOGUE
from resemotenet.runs.schema import Dataset, RunConfig
from tests.fake_fer2013 import CODES, Fake, draw, write_csv, write_folders, write_parquet, write_train_csv
from tests.fake_trees import TREES, change, write_upstream
from training.cli import main
from training.loading import load_data

SPELT = ("Anger", "Disgusted", "FEAR", "Happiness", "sadness", "surprised", "Neutral")


def write_plain(
    root: Path, *, train: str = "train", test: str = "test", names: tuple[str, ...] = CODES, validation: str = ""
) -> Path:
    """Folders in which file names say nothing; PublicTest goes with PrivateTest unless it has a folder of its own."""
    fake = draw()
    for row, (image, code, usage) in enumerate(zip(fake.images, fake.codes, fake.usage, strict=True)):
        split = {"Training": train, "PublicTest": validation or test, "PrivateTest": test}[usage]
        folder = root / split / names[code]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"im{row}.png")
    return root


def write_windows_lists(root: Path) -> Path:
    write_upstream(root)
    for split in ("train", "valid", "test"):
        path = root / f"{split}_labels.csv"
        path.write_text(path.read_text().replace(f"{split}_", f"faces\\{split}_"))
        (root / split / "faces").mkdir()
        for file in (root / split).glob("*.jpg"):
            file.rename(root / split / "faces" / file.name)
    return root


def write_named_labels(root: Path) -> Path:
    write_upstream(root)
    for split in ("train", "valid", "test"):
        path = root / f"{split}_labels.csv"
        path.write_text(path.read_text().replace(",0\n", ",happiness\n").replace(",0\r\n", ",happiness\r\n"))
    return root


def of_fake(write: Callable[..., Path], *more: str) -> Callable[[Path], Path]:
    def written(root: Path) -> Path:
        fake: Fake = draw()
        root.mkdir(parents=True, exist_ok=True)
        return write(fake, root.joinpath(*more)) if more else write(fake, root)

    return written


# Layout -> (name of the data set, splits it gives, what writes it and returns the path to give).
GOOD: dict[str, tuple[str, int, Callable[[Path], Path]]] = {
    **{tree: (name, 1 if name in ("ckplus", "photographs") else 3, write) for tree, (name, write) in TREES.items()},
    "fer-csv": ("fer2013", 3, of_fake(write_csv, "fer2013.csv")),
    "fer-parquet": ("fer2013", 3, of_fake(write_parquet, "faces.parquet")),
    "fer-folders": ("fer2013", 3, of_fake(write_folders)),
    "fer-train-and-test": ("fer2013", 3, write_plain),
    "fer-capitals": ("fer2013", 3, lambda root: write_plain(root, train="Train", test="Test", names=SPELT)),
    "fer-val": ("fer2013", 3, lambda root: write_plain(root, train="training", validation="val", names=SPELT)),
    "fer-unpacked-twice": ("fer2013", 3, lambda root: write_plain(root / "archive/images").parents[1]),
    "fer-numbers-with-names": (
        "fer2013", 3, lambda root: write_plain(root, names=tuple(f"{at}_{name}" for at, name in enumerate(CODES))),
    ),
    "upstream-of-windows": ("upstream-csv", 3, write_windows_lists),
    "upstream-by-name": ("upstream-csv", 3, write_named_labels),
}  # fmt: skip

# Layout -> (what every command says, what writes it).
BAD: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "fer-by-number": (
        "says no emotion by name, and data sets count them differently",
        lambda root: write_plain(root, names=tuple("0123456")),
    ),
    "fer-by-number-from-one": (
        "says no emotion by name, and data sets count them differently",
        lambda root: write_plain(root, names=tuple("1234567")),
    ),
    "fer-with-a-stranger": (
        "'contented' is not an emotion; expected one of angry",
        lambda root: write_plain(root, names=("contented", *CODES[1:])),
    ),
    "fer-twice-a-split": (
        "are both for one split; keep one",
        lambda root: write_plain(write_plain(root, test="val"), test="valid"),
    ),
    "nothing": ("does not look like", lambda root: root),
}

COMMANDS = {
    "check": lambda path, model: ["datasets", "check", path],
    "audit": lambda path, model: ["audit", "--data", path],
    "evaluate": lambda path, model: ["evaluate", model, "--data", path],
    "on": lambda path, model: ["evaluate", model, "--on", path],
}


def said_by(command: str, path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(COMMANDS[command](str(path), str(model_folder)))
    captured = capsys.readouterr()
    return code, captured.out + captured.err


@pytest.mark.parametrize("layout", GOOD)
def test_every_command_knows_every_layout(
    layout: str, tmp_path: Path, model_folder: Path, config: RunConfig, capsys: pytest.CaptureFixture[str]
):
    name, splits, write = GOOD[layout]
    path = write(tmp_path / "data")
    code, said = said_by("check", path, model_folder, capsys)
    assert (code, said.split(":")[0]) == (0, name)
    code, said = said_by("audit", path, model_folder, capsys)
    assert code == 0
    assert said.count("images in ") == splits
    for command in ("evaluate", "on"):
        code, said = said_by(command, path, model_folder, capsys)
        assert code == 0
        assert ("ckplus-peak test: accuracy" if name == "ckplus" else name) in said
    if splits == 3:
        found = load_data(_learning(config, name, path))
        assert set(found.scored) == {"validation", "test"}
        assert len(found.train) >= 8


def _learning(config: RunConfig, name: str, path: Path) -> RunConfig:
    return replace(config, data=path, dataset=Dataset(name=name, labels=name))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", BAD)
def test_every_command_says_what_is_wrong(
    layout: str, tmp_path: Path, model_folder: Path, config: RunConfig, capsys: pytest.CaptureFixture[str]
):
    expected, write = BAD[layout]
    (tmp_path / "data").mkdir()
    path = write(tmp_path / "data")
    for command in COMMANDS:
        code, said = said_by(command, path, model_folder, capsys)
        assert (code, expected in said) == (1, True), said
    if layout != "nothing":
        with pytest.raises(ValueError, match=expected):
            load_data(_learning(config, "fer2013", path))


def test_a_copy_without_validation_gets_one_that_no_copy_straddles(tmp_path: Path, config: RunConfig):
    found = load_data(_learning(config, "fer2013", write_plain(tmp_path)))
    validation = found.scored["validation"]["fer2013"]
    assert len(validation) + len(found.original["train"]) == 84
    assert 7 <= len(validation) <= 14
    assert found.leaked["validation"] == set()
    carved = found.audit["source"]["carved"]
    assert carved["ids"]["validation"] == validation.ids.tolist()
    assert carved["by"] == "identical picture"
    again = load_data(_learning(config, "fer2013", write_plain(tmp_path)))
    assert again.sha256 == found.sha256


def test_labels_are_those_of_the_folders(tmp_path: Path, config: RunConfig):
    """Spellings change nothing: the same faces as from the csv, with the same labels."""
    named = load_data(_learning(config, "fer2013", write_plain(tmp_path / "a", names=SPELT, validation="valid")))
    plain = load_data(_learning(config, "fer2013", write_csv(draw(), tmp_path / "fer2013.csv")))
    for one, other in ((named.train, plain.train), (named.scored["test"]["fer2013"], plain.scored["test"]["fer2013"])):
        assert one.counts() == other.counts()
        order = np.argsort([int(id.rpartition("/im")[2].partition(".")[0]) for id in one.ids.tolist()])
        np.testing.assert_array_equal(one.targets[order], other.targets)


def test_train_and_validation_only_says_what_to_do(tmp_path: Path, config: RunConfig, capsys):
    path = write_plain(tmp_path, test="validation")
    assert main(["datasets", "check", str(path)]) == 0
    assert "note: " in capsys.readouterr().out
    with pytest.raises(ValueError, match="call the one with the validation pictures test, and a tenth of train"):
        load_data(_learning(config, "fer2013", path))


def test_a_list_of_training_pictures_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_train_csv(draw(), tmp_path / "train.csv")
    assert main(["audit", "--data", str(path)]) == 0
    assert "images in train: 84" in capsys.readouterr().out


def test_faces_of_another_size_are_not_fer2013(tmp_path: Path, model_folder: Path, capsys):
    path = write_plain(tmp_path)
    Image.new("L", (100, 100)).save(path / "train/happy/im3.png")
    assert main(["evaluate", str(model_folder), "--data", str(path)]) == 1
    assert "100x100, expected FER2013's 48x48; faces of another set are read with lists" in capsys.readouterr().err


def test_every_set_of_the_catalogue_is_tried():
    assert {name for name, *_ in GOOD.values()} == {info.name for info in CATALOGUE}


def test_a_number_in_a_list_of_windows_still_has_to_be_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    change(write_windows_lists(tmp_path) / "train_labels.csv", ",6", ",9")
    assert main(["datasets", "check", str(tmp_path)]) == 1
    assert "the label is '9', expected one of 0 happy" in capsys.readouterr().err
