"""Comparing runs whose predictions are made up, so that every count is known."""

import re
from pathlib import Path

import numpy as np
import pytest

from resemotenet.errors import ResultsError
from resemotenet.runs.paired import Paired
from resemotenet.runs.results import Predictions, ResultsFolder, write_json
from training.cli import main
from training.compare import compare, differing_settings, report, verdict

CONFIG = {
    "recipe": "strong",
    "data": "a/fer2013.csv",
    "seed": 0,
    "dataset": {"name": "fer2013", "limit": None},
    "optimization": {"epochs": 40, "learning_rate": 0.06},
}


def write_run(path: Path, right: str, *, split: str = "validation", labels: str = "fer2013", **changes) -> Path:
    """A finished run that scored one face a letter: "x" read right, "." read wrong. All faces are happy."""
    path.mkdir(parents=True, exist_ok=True)
    guesses = np.array([3 if letter == "x" else 0 for letter in right])
    probabilities = np.full((len(right), 7), 0.05, np.float32)
    probabilities[np.arange(len(right)), guesses] = 0.7
    ids = changes.pop("ids", [f"{row:05d}" for row in range(len(right))])
    target = changes.pop("target", 3)
    folder = ResultsFolder(path)
    predictions = Predictions(probabilities, np.full(len(right), target), np.array(ids))
    predictions.save(folder.predictions(labels, split))
    write_json(folder.config, {**CONFIG, **changes})
    figures = {"n": len(right), "accuracy": right.count("x") / len(right)}
    also = {"other": {"validation": figures}}
    result = {"protocol": "none", "splits": {"validation": {"labels": labels, **figures}}, "also": also}
    write_json(folder.result, result)
    return path


def pattern(both: int, only: int, other: int, neither: int, *, second: bool = False) -> str:
    """The letters of the first or the second of two runs with these counts."""
    mine, theirs = ("x", ".") if not second else (".", "x")
    return "x" * both + mine * only + theirs * other + "." * neither


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """The textbook's 161 patients (see test_metrics): both 59, only the first 6, only the second 16, neither 80."""
    return (
        write_run(tmp_path / "one", pattern(59, 6, 16, 80)),
        write_run(tmp_path / "two", pattern(59, 6, 16, 80, second=True), seed=1),
    )


def test_counts_test_and_interval(runs: tuple[Path, Path]):
    pair = compare(*runs, "validation")
    assert pair == Paired("validation", "fer2013", both=59, only_a=6, only_b=16, neither=80)
    assert pair.n == 161
    assert pair.correct == (65, 75)
    assert pair.difference == pytest.approx(10 / 161)
    assert pair.p_value == pytest.approx(0.052479, abs=5e-7)
    assert pair.interval == pytest.approx((0.0032, 0.1195), abs=5e-5)
    turned = compare(runs[1], runs[0], "validation")
    assert turned.difference == -pair.difference
    assert turned.p_value == pair.p_value


def test_faces_are_matched_by_id_not_by_row(runs: tuple[Path, Path]):
    folder = ResultsFolder(runs[1])
    path = folder.predictions("fer2013", "validation")
    stored = Predictions.load(path)
    order = np.random.default_rng(0).permutation(161)
    Predictions(stored.probabilities[order], stored.targets[order], stored.ids[order]).save(path)
    assert compare(*runs, "validation") == Paired("validation", "fer2013", 59, 6, 16, 80)


def test_only_faces_that_both_scored_count(tmp_path: Path):
    one = write_run(tmp_path / "one", "xx.x", ids=["a", "b", "c", "d"])
    two = write_run(tmp_path / "two", "x.xx", ids=["b", "c", "d", "e"])
    pair = compare(one, two, "validation")
    # b: both; c: neither; d: both.
    assert pair == Paired("validation", "fer2013", both=2, only_a=0, only_b=0, neither=1, left_out=2)
    assert "(2 scored by one of the two only are left out)" in report((one,), (two,), "validation")


def test_a_run_against_itself(runs: tuple[Path, Path]):
    words = report((runs[0],), (runs[0],), "validation")
    assert "No setting differs." in words
    assert "B - A: +0.00 points" in words
    assert "Both are right on the very same faces: no difference." in words


def test_the_report_of_one_pair(runs: tuple[Path, Path]):
    lines = report((runs[0],), (runs[1],), "validation").splitlines()
    assert lines[:2] == ["Settings that differ:", "  seed: A 0, B 1"]
    assert "validation, fer2013 labels, 161 faces that both scored" in lines
    assert "  A  40.37% [33.1, 48.1]  one" in lines
    assert "  right: both 59, only A 6, only B 16, neither 80" in lines
    assert "  B - A: +6.21 points [+0.32, +11.95]" in lines
    assert (
        "B is right on 10 more faces of 161. Were neither better, a difference this large would come up by chance in "
        "5.2% of such comparisons (exact McNemar test), so it cannot be told from chance here, nor ruled out."
    ) in lines
    assert lines[-1].startswith("This speaks of these two networks on these faces. With one seed each it says nothing")


@pytest.mark.parametrize(
    ("only_a", "only_b", "words"),
    [
        (120, 161, r"^B is right on 41 more .* in 1\.7% of .*, so between these two networks it is probably real\.$"),
        (161, 120, r"^A is right on 41 more .* in 1\.7% of .*, so between these two networks it is probably real\.$"),
        (100, 200, r"^B is right on 100 more .* in less than 0\.01% .*, so between these two networks it is real\.$"),
        (
            100,
            126,
            r"^B is right on 26 more .* 9\.6% of .*, so it cannot be told from chance here, nor ruled",
        ),
        (100, 110, r"^B is right on 10 more .* chance in 53% of .*, so it may well be chance\.$"),
        (100, 100, r"^Both are right on equally many faces, if not the same: no difference\.$"),
    ],
)
def test_the_verdict(only_a: int, only_b: int, words: str):
    pair = Paired("test", "fer2013", both=2400, only_a=only_a, only_b=only_b, neither=1189 - only_a - only_b)
    assert re.search(words, verdict(pair)), verdict(pair)


class TestSeveralSeeds:
    @pytest.fixture
    def sides(self, tmp_path: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        """Right on 60, 61, 62 of 100 faces and on 70, 71, 72."""
        return tuple(
            tuple(
                write_run(tmp_path / f"{name}{seed}", "x" * (start + seed) + "." * (100 - start - seed), seed=seed)
                for seed in range(3)
            )
            for name, start in (("a", 60), ("b", 70))
        )  # type: ignore[return-value]

    def test_means_spread_and_welchs_test(self, sides):
        lines = report(sides[0], sides[1], "validation").splitlines()
        assert "  A  mean 61.00%, std 1.00 (60.00, 61.00, 62.00)" in lines
        assert "  B  mean 71.00%, std 1.00 (70.00, 71.00, 72.00)" in lines
        # Equal spreads, so Welch is Student with 4 degrees of freedom: t = 10 / sqrt(2 / 3) = 12.25, 97.5% at 2.776.
        half = 2.776 * (2 / 3) ** 0.5
        assert f"B - A on average: +10.00 points [+{10 - half:.2f}, +{10 + half:.2f}]." in lines[-1]
        assert "in 0.026% of cases (Welch's t-test), so on these faces it is real." in lines[-1]

    def test_one_seed_on_a_side_has_no_spread(self, sides):
        words = report(sides[0], sides[1][:1], "validation")
        assert "  B  mean 70.00% (70.00)" in words
        assert words.endswith("A recipe's spread shows from two seeds on; name further runs to judge the recipes.")

    def test_seeds_without_any_spread(self, tmp_path: Path):
        same = [write_run(tmp_path / name, "xx..", seed=seed) for seed, name in enumerate("abcd")]
        assert report(tuple(same[:2]), tuple(same[2:]), "validation").endswith("so their spread says nothing.")

    def test_runs_that_are_no_seeds_of_one_recipe_are_named(self, sides, tmp_path: Path):
        longer = {**CONFIG["optimization"], "epochs": 80}  # type: ignore[dict-item]
        odd = write_run(tmp_path / "odd", "x" * 65 + "." * 35, seed=9, optimization=longer)
        words = report((*sides[0], odd), sides[1], "validation")
        assert "     these runs differ in more than their seed: optimization.epochs" in words

    def test_a_run_named_twice_is_refused(self, sides):
        with pytest.raises(ResultsError, match="named twice"):
            report((sides[0][0], sides[0][0]), sides[1], "validation")

    def test_other_faces_are_refused(self, sides, tmp_path: Path):
        short = write_run(tmp_path / "short", "xx", seed=5)
        with pytest.raises(ResultsError, match="not all scored on the same faces"):
            report(sides[0], (*sides[1], short), "validation")


class TestErrors:
    def test_missing_test_predictions_name_the_command(self, runs: tuple[Path, Path]):
        with pytest.raises(ResultsError) as error:
            compare(*runs, "test")
        assert f"'python -m training evaluate {runs[0]} --split test', a touch of test that is counted" in str(
            error.value
        )

    def test_disjoint_ids(self, runs: tuple[Path, Path], tmp_path: Path):
        other = write_run(tmp_path / "other", "xx", ids=["train/happy/1.jpg", "train/happy/2.jpg"])
        with pytest.raises(ResultsError, match=r"share no face of validation.*00000.*train/happy/1\.jpg"):
            compare(runs[0], other, "validation")

    def test_other_labels_of_the_same_faces(self, runs: tuple[Path, Path], tmp_path: Path):
        other = write_run(tmp_path / "other", "x" * 161, target=4)
        with pytest.raises(ResultsError, match="161 of 161 faces have another fer2013 label"):
            compare(runs[0], other, "validation")

    def test_other_label_definitions_need_a_choice(self, runs: tuple[Path, Path], tmp_path: Path):
        other = write_run(tmp_path / "other", "x" * 161, labels="ferplus-strict")
        with pytest.raises(
            ResultsError, match=r"judged by fer2013 labels, .* by ferplus-strict; give --labels .*: other"
        ):
            compare(runs[0], other, "validation")
        with pytest.raises(ResultsError, match="was not scored by fer2013 labels; it has: ferplus-strict, other"):
            compare(runs[0], other, "validation", "fer2013")

    def test_other_data_sets_even_with_the_same_ids(self, runs: tuple[Path, Path], tmp_path: Path):
        other = write_run(tmp_path / "other", "x" * 161, dataset={"name": "synthetic"})
        with pytest.raises(ResultsError, match=r"scored on fer2013, .* on synthetic"):
            compare(runs[0], other, "validation")

    def test_an_unfinished_run(self, runs: tuple[Path, Path]):
        ResultsFolder(runs[1]).result.unlink()
        with pytest.raises(ResultsError, match=r"two has no result\.json, so the run is not finished"):
            compare(*runs, "validation")


@pytest.mark.parametrize("name", ["data", "results", "cache", "device", "track"])
def test_where_files_lie_what_watched_and_which_device_are_no_settings(tmp_path: Path, name: str):
    one, two = write_run(tmp_path / "one", "x", **{name: "another"}), write_run(tmp_path / "two", "x")
    assert "No setting differs." in report((one,), (two,), "validation")


def test_published_runs_of_several_versions_differ_in_what_differs():
    """The first lacks a setting that came later; the recipe was mended in between."""
    published = Path(__file__).parents[2] / "dashboard/published"
    runs = (published / f"strong-resemotenet-fer2013-s0-{stamp}" for stamp in ("20261122T112453Z", "20261130T234110Z"))
    assert differing_settings(*runs) == {
        "network.size": (64, 48),
        "augmentation.shift": (0.15, 0.075),
        "augmentation.erase": (0.5, 0),
        "precision": ("no", "bf16"),
    }


def test_a_setting_of_one_run_only(tmp_path: Path):
    one = write_run(tmp_path / "one", "x", optimization={"epochs": 40, "momentum": 0.9})
    two = write_run(tmp_path / "two", "x")
    assert differing_settings(one, two) == {
        "optimization.momentum": (0.9, None),
        "optimization.learning_rate": (None, 0.06),
    }


class TestCommand:
    def test_it_prints_and_leaves_the_runs_alone(self, runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
        before = {path: path.read_bytes() for run in runs for path in run.rglob("*") if path.is_file()}
        assert main(["compare", str(runs[0]), str(runs[1])]) == 0
        assert "B is right on 10 more faces of 161." in capsys.readouterr().out
        assert {path: path.read_bytes() for run in runs for path in run.rglob("*") if path.is_file()} == before

    def test_further_seeds_and_labels(
        self, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        more = [str(write_run(tmp_path / name, "x" * 70 + "." * 91, seed=7)) for name in ("three", "four")]
        also = ["--also-a", more[0], "--also-b", more[1]]
        assert main(["compare", str(runs[0]), str(runs[1]), "--labels", "fer2013", *also]) == 0
        assert "Over seeds:" in capsys.readouterr().out

    def test_an_error_is_one_line_and_1(self, runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]):
        assert main(["compare", str(runs[0]), str(runs[1]), "--split", "test"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("training: ")
        assert captured.err.count("\n") == 1

    def test_a_real_run_against_itself(self, finished: ResultsFolder, capsys: pytest.CaptureFixture[str]):
        assert main(["compare", str(finished.path), str(finished.path), "--labels", "ferplus-usual"]) == 0
        assert "ferplus-usual labels, 34 faces that both scored" in capsys.readouterr().out
