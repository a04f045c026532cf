"""Whatever lies in a folder, the pages get runs and figures, or a sentence that says what is wrong."""

import gc
import json
import os
import shutil
import subprocess
import sys
import weakref
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from dashboard import data
from dashboard.data import PUBLISHED, scan
from resemotenet.errors import ResultsError
from resemotenet.runs.results import read_json, write_json
from resemotenet.runs.schema import Result, parse
from tests.dashboard import fake_runs
from tests.dashboard.fake_runs import FAULTS, write_run
from tests.dashboard.pages import open_page, sound

SCORED = {"labels": "fer2013", "n": 10, "accuracy": 0.5}
not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def only(results: Path) -> data.Run:
    (run,) = scan([results])
    return run


class TestStates:
    def test_each_is_told_from_the_others(self, results: Path, every_state: dict[str, Path]):
        found = {run.path: (run.state, run.problem) for run in scan([results])}
        assert {name: found[path][0] for name, path in every_state.items()} == {
            "finished": "finished",
            "running": "running",
            "unfinished": "unfinished",
            "older": "finished",
            "newer": "newer",
            "broken": "broken",
        }
        problems = {name: found[path][1] for name, path in every_state.items()}
        assert problems["finished"] is None
        assert problems["running"] is None
        assert problems["unfinished"] == (
            f"It stopped after epoch 2 of 10; 'python -m training resume {every_state['unfinished']}' goes on with it."
        )
        assert "older version" in str(problems["older"])
        assert "in schema 99 by a newer version of resemotenet; this one reads up to 1" in str(problems["newer"])
        assert "config.json is damaged" in str(problems["broken"])

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_fault_is_named_and_nothing_raises(self, results: Path, fault: str):
        path = write_run(results)
        spoil, said = FAULTS[fault]
        spoil(path)
        run = only(results)
        assert run.state == "broken"
        assert said in str(run.problem)
        assert str(run.problem).endswith(".")
        everything_of(run)

    def test_values_of_another_type_are_unknown_not_errors(self, results: Path):
        path = write_run(results)
        config = read_json(path / "config.json")
        config |= {"seed": "zero", "recipe": 5, "network": {"name": None, "width": "wide", "size": True}}
        write_json(path / "config.json", config)
        write_json(path / "result.json", {"schema": 1, "splits": [], "cost": "much", "chosen": {"epoch": None}})
        run = only(results)
        assert (run.seed, run.recipe, run.model, run.width, run.size) == (None, "unknown", "unknown", None, None)
        assert (run.parameters, run.macs, run.chosen_epoch, run.touched) == (None, None, None, 0)
        everything_of(run)

    def test_a_run_is_running_while_its_files_change_and_for_three_of_its_epochs(self, results: Path):
        path = fake_runs.write_running(results)
        fake_runs.age(path, 280)
        assert only(results).state == "running"
        fake_runs.age(path, 320)
        assert only(results).state == "unfinished"
        line = json.loads((path / "epochs.jsonl").read_text().splitlines()[-1])
        (path / "epochs.jsonl").write_text(json.dumps({**line, "seconds": 1000.0}) + "\n")
        fake_runs.age(path, 2900)
        assert only(results).state == "running"
        fake_runs.age(path, 3100)
        assert only(results).state == "unfinished"

    def test_a_run_that_has_just_begun(self, results: Path):
        path = fake_runs.write_running(results, epochs=0)
        (path / "epochs.jsonl").unlink()
        run = only(results)
        assert (run.state, run.epochs, run.seconds, run.labels) == ("running", (), None, "fer2013")
        fake_runs.age(path, 86_400)
        assert "It stopped before its first epoch was done" in str(only(results).problem)

    def test_a_line_being_written_is_not_an_epoch_yet(self, results: Path):
        path = fake_runs.write_running(results, epochs=2)
        with (path / "epochs.jsonl").open("a") as file:
            file.write('{"epoch": 2, "lo')
        assert [line.epoch for line in only(results).epochs] == [0, 1]

    def test_resumed_and_without_an_audit(self, results: Path):
        path = write_run(results)
        (path / "audit.json").unlink()
        environment = read_json(path / "environment.json")
        environment["resumptions"] = [{"epoch": 2, "time": "20260101T130000Z"}]
        write_json(path / "environment.json", environment)
        run = only(results)
        assert (run.state, run.problem, run.audit) == ("finished", None, None)
        assert run.environment.resumptions[0].epoch == 2


def everything_of(run: data.Run) -> None:
    """Ask a run for all a page could ask for."""
    names = [name for name, value in vars(data.Run).items() if isinstance(value, property | cached_property)]
    assert {"seed", "labels", "started", "seconds"} <= set(names)
    for name in names:
        getattr(run, name)
    for score in data.scores(run):
        assert 0 <= score.accuracy <= 1
    data.prediction_problems(run)


class TestScan:
    def test_the_newest_first_and_hidden_ones_never(self, results: Path):
        for stamp in ("20260301T000000Z", "20250101T000000Z", "20260302T000000Z"):
            write_run(results, stamp=stamp)
        fresh = write_run(results, stamp="20260303T000000Z")
        fresh.rename(results / f".{fresh.name}.new")
        assert [run.id[-16:] for run in scan([results])] == ["20260302T000000Z", "20260301T000000Z", "20250101T000000Z"]

    def test_runs_in_folders_of_folders_and_a_run_named_itself(self, results: Path):
        path = write_run(results / "ablation" / "wide")
        assert [run.path for run in scan([results])] == [path]
        assert [run.path for run in scan([path])] == [path]

    def test_other_things_in_the_folder_are_no_runs(self, results: Path):
        write_run(results)
        (results / "notes.txt").write_text("x")
        (results / "pictures").mkdir()
        model = results / "released"
        model.mkdir()
        for name in ("config.json", "model.safetensors"):
            (model / name).write_text("{}")
        assert len(scan([results])) == 1

    def test_folders_that_are_not_there_give_nothing_and_say_why(self, tmp_path: Path):
        file = tmp_path / "file"
        file.write_text("")
        assert scan([tmp_path / "none", file]) == []
        assert "There is no folder" in str(data.folder_problem(tmp_path / "none"))
        assert "is a file" in str(data.folder_problem(file))
        assert data.folder_problem(tmp_path) is None

    def test_a_link_to_nowhere_is_passed_over(self, results: Path):
        (results / "lost").symlink_to(results / "gone")
        path = write_run(results)
        (path / "predictions" / "fer2013-train.npz").symlink_to(path / "gone.npz")
        run = only(results)
        assert [score.split for score in data.scores(run)] == ["test", "validation"]
        assert data.prediction_problems(run) == ("predictions/fer2013-train.npz cannot be opened; copy it again.",)

    def test_a_run_and_its_copy_are_one_the_fuller_or_the_first(self, tmp_path: Path):
        path = write_run(tmp_path / "a")
        copy = tmp_path / "b" / path.name
        shutil.copytree(path, copy)
        assert [run.path for run in scan([tmp_path / "b", tmp_path / "a"])] == [copy]
        (copy / "predictions" / "fer2013-test.npz").unlink()
        assert [run.path for run in scan([tmp_path / "b", tmp_path / "a"])] == [path]

    def test_two_runs_of_one_name_in_two_folders_are_both_there(self, tmp_path: Path):
        """Of one recipe and seed, started in the same second on two machines."""
        paths = [write_run(tmp_path / place, skill=skill) for place, skill in (("a", 1.0), ("b", 2.0))]
        runs = scan([tmp_path / "a", tmp_path / "b"])
        assert sorted(run.path for run in runs) == paths
        assert {run.id for run in runs} == {paths[0].name, f"{paths[0].name} in {tmp_path / 'b'}"}
        assert {run.started for run in runs} == {datetime(2026, 1, 1, 12, tzinfo=UTC)}
        again = scan([tmp_path / "a", tmp_path / "b"])  # a page that was opened finds its run again
        assert {run.id: run.path for run in runs} == {run.id: run.path for run in again}

    def test_so_are_two_that_have_only_begun(self, tmp_path: Path):
        for place in ("a", "b"):
            fake_runs.write_running(tmp_path / place, epochs=0)
        assert len(scan([tmp_path / "a", tmp_path / "b"])) == 2

    def test_a_copy_of_one_of_them_is_still_a_copy(self, tmp_path: Path):
        paths = [write_run(tmp_path / place, skill=skill) for place, skill in (("a", 1.0), ("b", 2.0))]
        shutil.copytree(paths[1], tmp_path / "c" / paths[1].name)
        assert sorted(run.path for run in scan([tmp_path / place for place in "abc"])) == paths

    def test_only_what_changed_is_read_again(self, results: Path):
        kept, changed = write_run(results, seed=0), write_run(results, seed=1)
        before = {run.path: run for run in scan([results])}
        again = {run.path: run for run in scan([results])}
        assert all(again[path] is before[path] for path in before)
        result = read_json(changed / "result.json")
        result["chosen"]["epoch"] = 1
        write_json(changed / "result.json", result)
        after = {run.path: run for run in scan([results])}
        assert after[kept] is before[kept]
        assert (before[changed].chosen_epoch, after[changed].chosen_epoch) == (3, 1)

    def test_what_is_gone_is_let_go(self, results: Path):
        write_run(results, seed=0)
        run = only(results)
        data.scores(run)
        shutil.rmtree(run.path)
        gone = weakref.ref(run)
        del run
        assert scan([results]) == []
        gc.collect()
        assert gone() is None

    def test_a_run_that_is_repaired_is_well_again(self, results: Path):
        path = write_run(results)
        whole = (path / "config.json").read_bytes()
        (path / "config.json").unlink()
        assert only(results).state == "broken"
        (path / "config.json").write_bytes(whole)
        assert only(results).state == "finished"

    def test_the_folders_of_the_environment_and_the_command_line(self, monkeypatch, tmp_path: Path):
        monkeypatch.delenv("RESEMOTENET_RESULTS", raising=False)
        assert data.default_folders() == (PUBLISHED,)
        monkeypatch.setenv("RESEMOTENET_RESULTS", str(tmp_path))
        assert data.default_folders(["elsewhere", tmp_path]) == (PUBLISHED, Path.cwd() / "elsewhere", tmp_path)


class TestRun:
    def test_what_it_says_of_itself(self, results: Path):
        write_run(results, seed=3, labels="ferplus", epochs=4, planned=9)
        run = only(results)
        assert (run.recipe, run.model, run.dataset, run.taught, run.labels) == (
            "made_up", "resemotenet", "fer2013", "ferplus", "ferplus-strict"
        )  # fmt: skip
        assert (run.seed, run.width, run.size, run.epochs_planned, run.chosen_epoch) == (3, 0.25, 48, 9, 3)
        assert (run.parameters, run.macs, run.seconds, run.peak_memory) == (2_269_415, 12_465_088, 240.0, 1_500_000_000)
        assert (run.protocol, run.views, run.touched) == ("validation-chosen", "none", 1)
        assert run.started == datetime(2026, 1, 1, 12, tzinfo=UTC)
        assert not run.published

    @pytest.mark.parametrize(
        ("result", "words"),
        [
            ({}, "test not scored"),
            ({"splits": {"test": {**SCORED, "touched": 1}}}, "test scored once"),
            ({"splits": {"test": {**SCORED, "touched": 2}}}, "test scored twice"),
            ({"splits": {"test": {**SCORED, "touched": 3}}}, "test scored 3 times"),
            ({"splits": {"test": SCORED}}, "test scored, not noted how often"),
            ({"test_touched": 1}, "test scored once"),
        ],
    )
    def test_the_protocol_says_how_often_test_was_scored(self, result: dict[str, object], words: str):
        for protocol in ("validation-chosen", "validation-chosen, test once"):
            text = json.dumps({"protocol": protocol, "splits": {}, **result})
            run = data.Run(Path("x"), "x", "finished", result=parse(Result, text, "result.json", ResultsError))
            assert run.protocol_in_words == f"validation-chosen; {words}"

    def test_while_it_runs_time_and_labels_come_from_the_epochs(self, results: Path):
        fake_runs.write_running(results, epochs=3, labels="ferplus")
        run = only(results)
        assert (run.seconds, run.labels, run.peak_memory) == (180.0, "ferplus-strict", 1_500_000_000)

    def test_seeds_of_one_experiment_share_a_key_and_nothing_else_does(self, results: Path):
        for seed in (0, 1):
            write_run(results, seed=seed)
        write_run(results, seed=2, width=0.5)
        write_run(results, seed=3, model="resemotenet_c2")
        keys = {run.seed: run.recipe_key for run in scan([results])}
        assert keys[0] == keys[1]
        assert len({keys[1], keys[2], keys[3]}) == 3

    def test_seeds_on_other_data_are_not_of_one_experiment(self, results: Path):
        paths = [write_run(results, seed=seed) for seed in (0, 1, 2)]
        for path, data_hash in zip(paths, "aab", strict=True):
            write_json(path / "audit.json", {**read_json(path / "audit.json"), "sha256": data_hash})
        keys = {run.seed: run.recipe_key for run in scan([results])}
        assert keys[0] == keys[1] != keys[2]

    def test_a_seed_of_a_later_version_is_a_seed_of_the_same_experiment(self, results: Path):
        """Which has settings that the earlier one did not know, and leaves them as they were."""
        paths = [write_run(results, seed=seed) for seed in (0, 1, 2)]
        later = read_json(paths[1] / "config.json")
        later["augmentation"] |= {"mixup": 0.0, "dimming": 1.0}
        write_json(paths[1] / "config.json", later | {"distillation": {"teachers": [], "share": 0.5}})
        write_json(paths[2] / "config.json", later | {"seed": 2, "distillation": {"teachers": ["best"], "share": 0.5}})
        keys = {run.seed: run.recipe_key for run in scan([results])}
        assert keys[0] == keys[1] != keys[2]


def test_reading_needs_no_torch_and_no_streamlit(results: Path):
    write_run(results)
    code = (
        "import sys\nfrom pathlib import Path\nfrom dashboard import data\n"
        f"(run,) = data.scan([Path({str(results)!r})])\n"
        "data.scores(run), data.calibrated(run, 'fer2013', 'test')\n"
        "print(*({'torch', 'streamlit', 'plotly', 'pandas'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_numbers_that_are_none(results: Path):
    path = write_run(results)
    (path / "result.json").write_text(
        '{"schema": 1, "cost": {"parameters": 1' + "0" * 400 + ', "macs": Infinity, "seconds": NaN}}'
    )
    run = only(results)
    assert (run.state, run.parameters, run.macs, run.seconds) == ("finished", None, None, 240.0)


@not_root
def test_a_run_that_must_not_be_read_is_broken_and_the_others_are_there(results: Path):
    locked, _ = write_run(results, seed=0), write_run(results, seed=1)
    for mode in (0o600, 0o000):  # the first lets its files be listed, not opened
        locked.chmod(mode)
        try:
            states = {run.path == locked: run.state for run in scan([results])}
        finally:
            locked.chmod(0o700)
        assert states == {True: "broken", False: "finished"}


@not_root
@pytest.mark.parametrize("view", ["overview", "datasets", "ablation", "confusion", "run", "cross_dataset"])
def test_every_page_opens_beside_a_run_that_must_not_be_read(results: Path, view: str):
    locked, _ = write_run(results, labels="ferplus", seed=0), write_run(results, labels="ferplus", seed=1)
    for mode in (0o600, 0o000):
        locked.chmod(mode)
        try:
            sound(open_page(view, [results]))
        finally:
            locked.chmod(0o700)


@not_root
def test_a_folder_that_must_not_be_read_is_told(results: Path):
    results.chmod(0)
    try:
        assert scan([results]) == []
        assert "must not be read" in str(data.folder_problem(results))
    finally:
        results.chmod(0o700)
