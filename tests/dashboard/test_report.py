"""The tables of results for a document, and those in ours."""

import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from dashboard.data import PUBLISHED, scan
from dashboard.report import ablation_table, main, renewed, results_table
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from tests.dashboard.fake_runs import write_run

C1_AND_C2 = ("resemotenet", "resemotenet_c2")
REPOSITORY = Path(__file__).parents[2]
RESULTS = PUBLISHED / "README.md"


def rows(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line]
    names = lines[0]
    return [dict(zip(names, line, strict=True)) for line in lines if line != names and set(line) != {"---"}]


def test_the_tables_in_the_results_are_those_of_the_published_runs():
    text = RESULTS.read_text(encoding="utf-8")
    assert all(
        text.count(f"<!-- {mark}{name} -->") == 1 for name in ("results", "ablation") for mark in ("", "end of ")
    )
    command = "python -m dashboard.report --into dashboard/published/README.md"
    assert renewed(text, scan([PUBLISHED]), relative_to=PUBLISHED) == text, f"{command} writes them"


def test_a_folder_that_a_console_cannot_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_run(tmp_path / "Łódź")
    monkeypatch.chdir(tmp_path)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252", write_through=True))
    assert main([str(tmp_path / "Łódź")]) == 0
    assert rb"(\u0141\xf3d\u017a/made_up" in written.getvalue().replace(b"\xf3", rb"\xf3")


def test_only_the_tables_of_a_document_are_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_run(tmp_path / "results")
    document = tmp_path / "README.md"
    document.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    assert main(["--into", str(document), str(tmp_path / "results")]) == 0
    before, table, after = re.split(r"<!-- (?:end of )?results -->\n", document.read_text())
    assert (before, after) == ("before\n", "after\n")
    assert table == results_table(scan([tmp_path]), relative_to=tmp_path)
    document.write_text("no marks")
    assert main(["--into", str(document), str(tmp_path / "results")]) == 1
    assert (
        "marks no place for a table; expected <!-- results --> ... <!-- end of results -->" in capsys.readouterr().err
    )
    assert document.read_text() == "no marks"


def test_rows_stand_in_the_order_of_validation(tmp_path: Path):
    """The order of the test figures would make the first row one that was chosen on test."""
    better = write_run(tmp_path, model="resemotenet", skill=3)
    worse = write_run(tmp_path, model="vgg", skill=1)
    one, other = (ResultsFolder(path).predictions("fer2013", "validation") for path in (better, worse))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    first, second, _ = rows(results_table(scan([tmp_path]), relative_to=tmp_path))
    assert (first["network"], second["network"]) == ("vgg", "resemotenet")
    assert float(first["accuracy, %"].split()[0]) < float(second["accuracy, %"].split()[0])


def test_a_baseline_that_is_not_upstreams_says_so_below_its_table(tmp_path: Path):
    write_run(tmp_path, model="resnet18")
    write_run(tmp_path, model="plain_cnn")
    below = results_table(scan([tmp_path]), relative_to=tmp_path).splitlines()[-1]
    assert below.startswith("resnet18 is not upstream's of that name: torchvision's")


def test_links_lead_to_the_runs():
    table = results_table(scan([PUBLISHED]), relative_to=REPOSITORY)
    links = re.findall(r"\]\(([^)]+)\)", table)
    assert {(REPOSITORY / link).resolve() for link in links} == {path.resolve() for path in PUBLISHED.glob("*/")}


def test_figures_are_those_of_the_predictions():
    (run,) = [run for run in scan([PUBLISHED]) if run.recipe == "bundled" and run.taught == "ferplus" and not run.start]
    (row,) = [row for row in rows(results_table([run], relative_to=REPOSITORY)) if row["n"] == "3,137"]
    stored = Predictions.load(ResultsFolder(run.path).predictions("ferplus-usual", "test"))
    hits = stored.probabilities.argmax(axis=1) == stored.targets
    assert stored.leaked is not None
    assert row["accuracy, %"].startswith(f"{100 * hits.mean():.1f} [")
    assert row["without copies, %"] == f"{100 * hits[~stored.leaked].mean():.1f}"
    assert row["taught"] == "FER+ votes"
    assert row["claimed, %"] == ""  # what papers claim on FER+ names no definition


def test_seeds_share_a_row_with_their_spread(tmp_path: Path):
    for seed in (1, 0, 2):
        write_run(tmp_path, seed=seed)
    runs = scan([tmp_path])
    row, crowd = rows(results_table(runs, relative_to=tmp_path))
    assert re.findall(r"\[(\d)\]\(", row["seeds"]) == ["0", "1", "2"]
    assert re.fullmatch(r"\d+\.\d ± \d+\.\d \[\d+\.\d, \d+\.\d\]", row["accuracy, %"])
    assert (row["claimed, %"], crowd["accuracy, %"], crowd["n"]) == ("79.79", "63.4", "3,589")
    assert crowd["setting"].startswith("plurality of FER+ votes, all faces")
    assert "72.2 on the 2,720 faces with a strict majority" in crowd["setting"]


@pytest.mark.parametrize(("teachers", "told"), [([], ""), (["a"], ", 1 teacher"), (["a", "b"], ", 2 teachers")])
def test_what_a_run_started_from_and_who_taught_it_stand_in_its_setting(tmp_path: Path, teachers: list[str], told: str):
    path = write_run(tmp_path)
    config = read_json(path / "config.json")
    config["distillation"] = {"teachers": teachers, "share": 0.5}
    write_json(path / "config.json", config | {"network": config["network"] | {"start": "somewhere/weights"}})
    row, _ = rows(results_table(scan([tmp_path]), relative_to=tmp_path))
    assert row["setting"].endswith(f", from weights{told}")


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    path = write_run(tmp_path / "results")
    broken = shutil.copytree(path, path.with_name(path.name.replace("-s0-", "-s1-")))
    (broken / "config.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    assert main(["results"]) == 0
    out, problems = capsys.readouterr()
    assert f"[0](results/{path.name})" in out
    assert broken.name not in out
    assert broken.name in problems


def test_ablations_stand_beside_c1_of_the_same_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    base, other = (write_run(tmp_path, model=model, skill=1.0 + number) for number, model in enumerate(C1_AND_C2))
    write_run(tmp_path, model=C1_AND_C2[1], seed=1)
    right = []
    for path in (base, other):
        stored = Predictions.load(ResultsFolder(path).predictions("fer2013", "test"))
        right.append((stored.probabilities.argmax(axis=1) == stored.targets).mean())
    first, second = rows(ablation_table(scan([tmp_path]), relative_to=tmp_path))
    assert first["accuracy, %"].startswith(f"{100 * right[0]:.1f} [")
    assert second["against C1, seed 0, points"].startswith(f"{100 * (right[1] - right[0]):+.1f} [")
    assert (first["against C1, seed 0, points"], first["over seeds"]) == ("", "")
    assert second["over seeds"].endswith("(seeds 0, 1)")
    assert second["means against C1's, points"] == ""  # C1 has one seed
    assert "without an interval" not in ablation_table(scan([tmp_path]), relative_to=tmp_path)
    assert second["the paper's claim (RAF-DB), points"] == "-0.58"

    assert main(["--ablation", str(tmp_path)]) == 0
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    assert main(["--ablation", str(tmp_path)]) == 1
    assert "no run of C1 to C6" in capsys.readouterr().err


def test_means_over_seeds_stand_beside_the_comparison_of_one_seed_each(tmp_path: Path):
    right: dict[str, list[float]] = {}
    for model, seeds in zip(C1_AND_C2, ((0, 1), (0,)), strict=True):
        for seed in seeds:
            path = write_run(tmp_path, model=model, seed=seed, skill=1.0 + 0.3 * seed)
            stored = Predictions.load(ResultsFolder(path).predictions("fer2013", "test"))
            right.setdefault(model, []).append(100 * (stored.probabilities.argmax(axis=1) == stored.targets).mean())
    table = ablation_table(scan([tmp_path]), relative_to=tmp_path)
    first, second = rows(table)
    c1, c2 = (np.mean(right[model]) for model in C1_AND_C2)
    assert second["means against C1's, points"] == f"{c2 - c1:+z.1f}"
    assert first["means against C1's, points"] == ""
    assert "speak of these two networks on these faces, not of the two designs" in table
    low, high = sorted(right["resemotenet"])
    assert f"C1 alone has {low:.1f} to {high:.1f}% over its 2 seeds" in table
    assert "Means against C1's stand without an interval; one seed only: C2." in table
    write_run(tmp_path, model=C1_AND_C2[1], seed=1)
    assert "stand without an interval.\n" in ablation_table(scan([tmp_path]), relative_to=tmp_path)


def test_a_seed_in_another_layout_is_a_seed_and_marked(tmp_path: Path):
    for seed, compact in ((0, True), (1, False)):
        path = write_run(tmp_path, seed=seed)
        config = read_json(path / "config.json")
        write_json(path / "config.json", config | {"network": config["network"] | {"compact": compact}})
    runs = scan([tmp_path])
    table = ablation_table(runs, relative_to=tmp_path)
    (row,) = rows(table)
    assert row["parameters, M"] == "2.27 (compact)"
    assert row["over seeds"].endswith("(seeds 0, 1)")
    assert "In the published layout C1 has 5.02 M parameters and 15.2 M multiply-adds" in table
    together, _ = rows(results_table(runs, relative_to=tmp_path))
    assert re.findall(r"\[(\d)\]\(", together["seeds"]) == ["0", "1"]


@pytest.mark.parametrize("width", [0.25, 0.5])
def test_what_the_compact_layout_leaves_out(tmp_path: Path, width: float):
    from resemotenet import create_model
    from training.cost import count_macs

    cost = {}
    for compact in (True, False):
        network = create_model("resemotenet", width=width, in_channels=1, compact=compact)
        cost[compact] = sum(each.numel() for each in network.parameters()), count_macs(network, (1, 1, 48, 48))
    path = write_run(tmp_path, width=width)
    result = read_json(path / "result.json")
    compact_cost = dict(zip(("parameters", "macs"), cost[True], strict=True))
    write_json(path / "result.json", result | {"cost": result["cost"] | compact_cost})
    parameters, macs = cost[False]
    said = f"C1 has {parameters / 1e6:.2f} M parameters and {macs / 1e6:.1f} M multiply-adds."
    assert said in ablation_table(scan([tmp_path]), relative_to=tmp_path)


def test_a_damaged_file_leaves_its_row_empty(tmp_path: Path):
    write_run(tmp_path)
    path = write_run(tmp_path, model=C1_AND_C2[1])
    ResultsFolder(path).predictions("fer2013", "test").write_bytes(b"PK no archive")
    first, second = rows(ablation_table(scan([tmp_path]), relative_to=tmp_path))
    assert first["accuracy, %"] != ""
    assert (second["accuracy, %"], second["against C1, seed 0, points"]) == ("", "")


@pytest.mark.parametrize("arguments", [[], ["--ablation"]])
def test_nothing_to_tell_is_an_error(tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]):
    write_run(tmp_path / "there", test=False)
    absent = tmp_path / "TYPO"
    assert main([*arguments, str(tmp_path / "there"), str(absent)]) == 1
    assert capsys.readouterr() == (
        "",
        f"error: There is no folder {absent}; check the path given.\n",
    )
    assert main([*arguments, str(tmp_path / "there")]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: no run ")
    assert "'python -m training evaluate RUN --split test'" in error
