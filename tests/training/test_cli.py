"""The command line as a user meets it: what it prints, what it returns, what it leaves behind."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from resemotenet.checkpoints.checkpoint import load_model, save_model
from resemotenet.errors import ResultsError
from resemotenet.models import create_model
from resemotenet.runs.results import Predictions, ResultsFolder, read_json
from resemotenet.runs.schema import Audit, Fact, RunConfig, parse
from tests.fake_fer2013 import draw, write_parquet
from tests.training.conftest import TINY, epochs_of, error_line
from training.cli import main
from training.recipes import RECIPES
from training.recorder import Recorder
from training.saying import read_config


def test_recipes(capsys: pytest.CaptureFixture[str]):
    assert main(["recipes"]) == 0
    printed = capsys.readouterr().out
    for name in RECIPES:
        assert f"{name}\n    " in printed
        assert f"python -m training train {name}" in printed


def test_audit(capsys: pytest.CaptureFixture[str], data_path: Path):
    assert main(["audit", "--data", str(data_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "images in train: 84",
        "images in validation: 35",
        "images in test: 35",
        "identical groups: 4",
        "surplus copies: 5",
        "groups across splits: 3",
        "groups with conflicting labels: 3",
        "blank images: 2",
        "validation images with a copy in train: 1",
        "test images with a copy in train: 1",
        "train images with a copy elsewhere: 3",
        "near copies: not counted, for the images are all alike",
    ]


class TestTrain:
    def test_overrides_reach_the_run(self, capsys: pytest.CaptureFixture[str], data_path: Path, tmp_path: Path):
        chosen = [
            "--seed",
            "7",
            "--dataset.labels",
            "fer2013",
            "--augmentation.no-flip",
            "--optimization.ema-decay",
            "None",
        ]
        given = ["train", "bundled", "--data", str(data_path), "--results", str(tmp_path), *TINY, *chosen]
        assert main(given) == 0
        (path,) = tmp_path.iterdir()
        assert path.name.startswith("bundled-resemotenet-fer2013-s7-")
        assert capsys.readouterr().out.splitlines()[-1] == f"finished: {path}"
        config = read_config(ResultsFolder(path))
        recipe = RECIPES["bundled"]()
        assert config == replace(
            recipe,
            data=data_path,
            results=tmp_path,
            seed=7,
            device="cpu",
            network=replace(recipe.network, width=0.0625),
            dataset=replace(recipe.dataset, labels="fer2013"),
            augmentation=replace(recipe.augmentation, flip=False),
            optimization=replace(recipe.optimization, batch_size=16, epochs=1, ema_decay=None),
        )
        assert ResultsFolder(path).is_finished

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--data", "gone.csv"), "training: there is no FER2013 at gone.csv; expected"),
            (
                ("--data", "x", "--optimization.epochs", "0"),
                "training: the config says optimization.epochs = 0, which should be",
            ),
            (
                ("--data", "x", "--network.name", "vgg19"),
                "training: no model is called 'vgg19'; there are: ",
            ),
            (("--data", "x", "--results", __file__), "training: results cannot be kept in "),
            (("--data", "x", "--network.size", "96"), "training: the compact layout got a 3x3 map"),
        ],
    )
    def test_errors_are_one_line_and_1(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
    ):
        assert main(["train", "bundled", "--results", str(tmp_path / "results"), *arguments]) == 1
        assert error_line(capsys).startswith(message)
        assert not (tmp_path / "results").exists()

    @pytest.mark.parametrize(
        ("command", "stopped", "said"),
        [
            (["train", "bundled", "--data", "x"], "training.cli._train", ""),  # before there is a folder
            (["audit", "--data", "x"], "training.picture_sets.all_splits", ""),
            (["resume", "RUN"], "training.loop.resume", "; 'resume' goes on from the last whole epoch"),
        ],
    )
    def test_ctrl_c_names_resume_where_there_is_something_to_resume(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        config: RunConfig,
        command: list[str],
        stopped: str,
        said: str,
    ):
        def interrupted(*given: object, **named: object) -> None:
            raise KeyboardInterrupt

        begun = Recorder.start(config, "cpu", Audit()).folder
        monkeypatch.setattr(stopped, interrupted)
        assert main([str(begun.path) if word == "RUN" else word for word in command]) == 130
        assert error_line(capsys) == f"training: interrupted{said}"


def test_quick_needs_no_data(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """The recipe made quicker still; its own two minutes are in its docstring."""
    given = ["train", "quick", "--results", str(tmp_path), *TINY, "--dataset.limit", "400"]
    assert main(given) == 0
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("quick-resemotenet-synthetic-s0-")
    folder = ResultsFolder(path)
    assert read_json(folder.result)["splits"]["validation"]["labels"] == "synthetic"
    assert read_json(folder.audit)["leaks"]["test images with a copy in train"] == 0
    assert main(["evaluate", str(path)]) == 0
    assert "synthetic test: accuracy" in capsys.readouterr().out
    assert folder.predictions("synthetic", "test").is_file()


@pytest.mark.parametrize(
    ("recipe", "smaller"),
    [
        ("strong", ()),
        ("paper", ("--network.compact",)),  # half the time, the same function
        ("upstream", ("--network.compact",)),
        ("emonext", ("--network.width", "0.03", "--dataset.limit", "40")),
    ],
)
def test_recipes_run(data_path: Path, tmp_path: Path, recipe: str, smaller: tuple[str, ...]):
    """One epoch at a fraction of the width; 'bundled' and 'quick' are run elsewhere."""
    given = ["train", recipe, "--data", str(data_path), "--results", str(tmp_path), *TINY, *smaller]
    assert main(given) == 0
    (path,) = tmp_path.iterdir()
    (line,) = epochs_of(ResultsFolder(path))
    assert 1 < line["loss"] < 3  # ln 7 = 1.95 before anything is learned
    assert ResultsFolder(path).is_finished


class TestResume:
    def test_a_finished_run_is_left_alone(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        before = finished.result.stat().st_mtime_ns
        assert main(["resume", str(finished.path)]) == 0
        assert capsys.readouterr().out == f"{finished.path} is finished already\n"
        assert finished.result.stat().st_mtime_ns == before

    def test_with_the_data_moved(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder, tmp_path: Path):
        before = finished.result.read_bytes()
        finished.result.unlink()
        config = read_json(finished.config)
        finished.config.write_text(json.dumps({**config, "data": "gone.parquet"}))
        assert main(["resume", str(finished.path)]) == 1
        assert error_line(capsys).startswith("training: there is no FER2013 at gone.parquet")
        moved = write_parquet(draw(), tmp_path / "moved.parquet")
        assert main(["resume", str(finished.path), "--data", str(moved)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"finished: {finished.path}"
        again, first = read_json(finished.result), json.loads(before)
        assert again["splits"] == first["splits"]

    @pytest.mark.parametrize("command", ["resume", "evaluate"])
    def test_with_other_data(
        self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder, tmp_path: Path, command: str
    ):
        path = write_parquet(draw(), tmp_path / "other.parquet")
        rows = pd.read_parquet(path)
        rows.loc[[40, 41], "image"] = rows.loc[[41, 40], "image"].to_numpy()
        rows.to_parquet(path)
        before = finished.result.read_bytes()
        if command == "resume":
            finished.result.unlink()
        assert main([command, str(finished.path), "--data", str(path)]) == 1
        line = error_line(capsys)
        assert line.startswith(f"training: {path} is not the data that {finished.path} began with: ids, pixels or")
        assert finished.is_finished == (command == "evaluate")
        if command == "evaluate":
            assert finished.result.read_bytes() == before

        # A run of a version that did not note its data goes on without.
        audit = read_json(finished.audit)
        del audit["sha256"]
        finished.audit.write_text(json.dumps(audit))
        assert main([command, str(finished.path), "--data", str(path)]) == 0

    def test_no_run(self, capsys: pytest.CaptureFixture[str], tmp_path: Path):
        assert main(["resume", str(tmp_path / "gone")]) == 1
        assert "gone/config.json cannot be read" in error_line(capsys).replace("\\", "/")

    def test_a_config_of_another_version(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        written = json.dumps({**read_json(finished.config), "colour": "blue"})
        finished.config.write_text(written)
        assert main(["resume", str(finished.path)]) == 1
        assert "has colour, which this version does not know" in error_line(capsys)
        assert finished.config.read_text() == written


class TestEvaluateARun:
    def test_test_is_scored_printed_and_counted(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        assert main(["evaluate", str(finished.path)]) == 0
        printed = capsys.readouterr().out.splitlines()
        entry = read_json(finished.result)["splits"]["test"]
        assert entry["touched"] == 1
        assert [line.split(":")[0] for line in printed] == ["ferplus-strict test", "ferplus-usual test", "fer2013 test"]
        assert f"accuracy {100 * entry['accuracy']:.2f}% [" in printed[0]
        assert "n = 35" in printed[0]
        assert f"without leaked faces {100 * entry['without_leaks']['accuracy']:.2f}% (n = 34)" in printed[0]

    def test_validation(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        assert main(["evaluate", str(finished.path), "--split", "validation"]) == 0
        assert "test" not in read_json(finished.result)["splits"]
        assert "ferplus-strict validation: accuracy" in capsys.readouterr().out

    def test_the_name_of_a_data_set_goes_with_another_set(
        self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder, data_path: Path
    ):
        given = ["evaluate", str(finished.path), "--data", str(data_path), "--dataset.name", "raf-db"]
        assert main(given) == 1
        assert "--dataset.name says which another is, with --on" in error_line(capsys)

    def test_an_unfinished_run(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        finished.result.unlink()
        assert main(["evaluate", str(finished.path)]) == 1
        assert error_line(capsys).endswith("the run is not finished; resume it first")

    def test_nothing_there(self, capsys: pytest.CaptureFixture[str], tmp_path: Path):
        assert main(["evaluate", str(tmp_path / "gone")]) == 1
        assert error_line(capsys).startswith("training: ")


class TestLatency:
    def test_runs_are_measured_printed_and_written(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        other = ResultsFolder(Path(shutil.copytree(finished.path, finished.path.with_name("other"))))
        assert main(["latency", str(finished.path), str(other.path), "--device", "cpu"]) == 0
        head, _, *rows = capsys.readouterr().out.splitlines()
        for row, run in zip(rows, (finished, other), strict=True):
            latency = read_json(run.result)["cost"]["latency"]
            assert row.split()[0] == f"{latency['milliseconds']:.3f}"
            assert row.split()[-1] == run.path.name
            assert latency["device"] in head

    def test_a_run_without_weights(self, capsys: pytest.CaptureFixture[str], finished: ResultsFolder):
        shutil.rmtree(finished.model)
        assert main(["latency", str(finished.path)]) == 1
        assert f"{finished.path} has no weights" in error_line(capsys)

    def test_no_run(self, capsys: pytest.CaptureFixture[str]):
        assert main(["latency"]) == 1
        assert "name the runs" in error_line(capsys)


class TestEvaluateAModelFolder:
    @pytest.fixture
    def folder(self, finished: ResultsFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
        """The model of a run, with the figures of its validation split as facts."""
        entry = read_json(finished.result)["splits"]["validation"]
        model = load_model(finished.model)
        facts = ({"dataset": "fer2013", "split": "validation", **entry},)
        capsys.readouterr()
        return save_model(tmp_path / "model", model.module, replace(model.info, measured=facts))

    def test_facts_as_stated(self, capsys: pytest.CaptureFixture[str], folder: Path, data_path: Path):
        before = {path: path.read_bytes() for path in folder.iterdir()}
        assert main(["evaluate", str(folder), "--data", str(data_path)]) == 0
        printed = capsys.readouterr().out
        own, strict, usual = printed.splitlines()
        assert strict.startswith("ferplus-strict validation: accuracy ")
        assert strict.endswith(": as stated")
        assert own.startswith("fer2013 validation: accuracy ")
        assert "stated" not in own + usual
        assert {path: path.read_bytes() for path in folder.iterdir()} == before

    def test_facts_that_are_not(self, capsys: pytest.CaptureFixture[str], folder: Path, data_path: Path):
        config = read_json(folder / "config.json")
        config["measured"][0]["accuracy"] = 0.95
        (folder / "config.json").write_text(json.dumps(config))
        assert main(["evaluate", str(folder), "--data", str(data_path)]) == 1
        assert capsys.readouterr().out.splitlines()[1].endswith(": STATED 95.00% of 34")

    def test_no_facts(self, capsys: pytest.CaptureFixture[str], model_folder: Path, data_path: Path):
        assert main(["evaluate", str(model_folder), "--data", str(data_path)]) == 0
        lines = capsys.readouterr().out.splitlines()
        names = ["fer2013 test", "ferplus-strict test", "ferplus-usual test"]
        assert [line.split(":")[0] for line in lines] == names
        assert all("n = 35, macro recall" in line for line in lines)

    def test_without_data(self, capsys: pytest.CaptureFixture[str], model_folder: Path):
        assert main(["evaluate", str(model_folder)]) == 1
        assert error_line(capsys) == "training: a model folder does not say where its data is; give --data"

    def test_damaged(self, capsys: pytest.CaptureFixture[str], model_folder: Path, data_path: Path, tmp_path: Path):
        folder = Path(shutil.copytree(model_folder, tmp_path / "model"))
        (folder / "model.safetensors").write_bytes(b"x")
        assert main(["evaluate", str(folder), "--data", str(data_path)]) == 1
        assert "damaged, unreadable or not a safetensors file" in error_line(capsys)

    def test_a_checkpoint_or_the_folder_that_it_lies_in(
        self, capsys: pytest.CaptureFixture[str], data_path: Path, tmp_path: Path
    ):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            torch.save(create_model("resemotenet").state_dict(), tmp_path / "best_model.pth")
        assert main(["evaluate", str(tmp_path), "--data", str(data_path)]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("fer2013 test: accuracy ")
        assert main(["evaluate", str(tmp_path / "best_model.pth"), "--on", str(data_path)]) == 0
        assert capsys.readouterr().out == printed
        assert sorted(path.name for path in tmp_path.iterdir()) == ["best_model.pth"]
        (tmp_path / "last.pth").write_bytes(b"x")
        assert main(["evaluate", str(tmp_path), "--data", str(data_path)]) == 1
        assert "holds 2 checkpoints; name one: " in error_line(capsys)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--data", "DATA", "--on", "DATA"], "give --data or --on, not both"),
            (["--data", "DATA", "--dataset.name", "raf-db"], "does not look like raf-db; it looks like fer2013"),
            (["--data", "DATA", "--dataset.name", "rafdb"], "no data set is called 'rafdb'; there are raf-db,"),
            (["--on", "DATA", "--json", "gone/x.json"], "gone/x.json cannot be written: its folder is not there"),
        ],
    )
    def test_what_cannot_be_measured_is_no_success(
        self, capsys: pytest.CaptureFixture[str], model_folder: Path, data_path: Path, options: list[str], said: str
    ):
        given = [str(data_path) if word == "DATA" else word for word in options]
        assert main(["evaluate", str(model_folder), *given]) == 1
        assert said in error_line(capsys)

    def test_a_folder_of_neither_kind(self, capsys: pytest.CaptureFixture[str], data_path: Path, tmp_path: Path):
        assert main(["evaluate", str(tmp_path), "--data", str(data_path)]) == 1
        assert "is neither a results folder (it has no config.json) nor a model folder" in error_line(capsys)

    def test_figures_and_predictions_as_files(
        self, capsys: pytest.CaptureFixture[str], model_folder: Path, data_path: Path, tmp_path: Path
    ):
        files = ["--json", str(tmp_path / "facts.json"), "--predictions", str(tmp_path / "said.npz")]
        assert main(["evaluate", str(model_folder), "--data", str(data_path), *files]) == 0
        facts = [
            parse(Fact, json.dumps(fact), "facts.json", ResultsError) for fact in read_json(tmp_path / "facts.json")
        ]
        assert [(fact.dataset, fact.labels, fact.split, fact.n) for fact in facts] == [
            ("fer2013", "fer2013", "test", 35), ("fer2013", "ferplus-strict", "test", 35),
            ("fer2013", "ferplus-usual", "test", 35),
        ]  # fmt: skip
        for fact in facts:
            stored = Predictions.load(tmp_path / f"said-{fact.labels}-test.npz")
            assert (stored.n, float(stored.correct.mean())) == (fact.n, fact.accuracy)
