import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from resemotenet.checkpoints.checkpoint import read_info
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.errors import CheckpointError, PublicationError, ResultsError
from resemotenet.publishing.facts import gather
from resemotenet.runs.results import Predictions, read_json
from resemotenet.runs.schema import Result, read
from tests.finished_run import add_elsewhere
from tests.resemotenet.publishing.cards import change

PUBLISHED = Path(__file__).parents[3] / "dashboard" / "published"


def test_a_finished_run(run: Path) -> None:
    facts = gather(run)
    assert (facts.finished, facts.remarks, facts.run, facts.epochs_done) == (True, (), "run", 3)
    assert [(each.split, each.labels, each.primary) for each in facts.evaluations] == [
        ("test", "ferplus-strict", True),
        ("test", "fer2013", False),
        ("validation", "ferplus-strict", True),
        ("validation", "fer2013", False),
    ]
    first = facts.evaluations[0]
    assert first.figures.accuracy == read_json(run / "result.json")["splits"]["test"]["accuracy"]
    assert first.confusion().sum() == first.figures.n == 300
    recalls = [row["recall"] for row in first.per_class().values()]
    assert recalls[1] is None, "nobody is disgusted here"
    assert np.mean([recall for recall in recalls if recall is not None]) == pytest.approx(first.figures.macro_recall)
    assert 0 < first.mean_confidence() < 1


def test_measured_facts_are_those_of_the_result(run: Path) -> None:
    result = read_json(run / "result.json")
    facts = read(Result, run / "result.json").facts("fer2013")
    assert [(fact["labels"], fact["split"]) for fact in facts] == [
        ("ferplus-strict", "validation"),
        ("ferplus-strict", "test"),
        ("fer2013", "validation"),
        ("fer2013", "test"),
    ]
    assert facts[1]["accuracy"] == result["splits"]["test"]["accuracy"]
    assert facts[1]["dataset"] == "fer2013"
    assert [fact.get("touched") for fact in facts] == [None, 1, None, None]
    assert {fact["protocol"] for fact in facts} == {"validation-chosen"}


def test_what_older_results_say_of_test_is_left_to_the_count(run: Path) -> None:
    change(run / "result.json", protocol="validation-chosen, test once")
    assert {fact["protocol"] for fact in read(Result, run / "result.json").facts("fer2013")} == {"validation-chosen"}
    assert gather(run).evaluations[0].protocol == "validation-chosen"


def test_other_data_sets_are_checked_too(run: Path) -> None:
    figures = add_elsewhere(run)
    (only,) = gather(run).elsewhere
    assert (only.dataset, only.labels, only.figures.accuracy) == ("ckplus", "ckplus-peak", figures["accuracy"])
    assert {fact["dataset"] for fact in read(Result, run / "result.json").facts("fer2013")} == {"fer2013"}
    result = read_json(run / "result.json")
    result["elsewhere"]["ckplus-peak"]["test"]["accuracy"] = 0.99
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(PublicationError, match=r"accuracy = 0\.99 \(ckplus-peak, test\)"):
        gather(run)


def test_another_data_set_that_was_scored_at_another_operating_point(run: Path) -> None:
    add_elsewhere(run)
    result = read_json(run / "result.json")
    entry = result["elsewhere"]["ckplus-peak"]["test"]
    entry["operating_point"] = {"temperature": 1.0, "logit_bias": None}
    (run / "result.json").write_text(json.dumps(result))
    assert len(gather(run).elsewhere) == 1
    entry["operating_point"]["temperature"] = 1.4
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(PublicationError, match=r"\(ckplus-peak, test\) with operating point .*1\.4.*evaluate it again"):
        gather(run)


@pytest.mark.parametrize("figure", ["n", "accuracy", "interval", "macro_recall", "macro_f1", "nll", "ece"])
def test_a_figure_that_was_changed(run: Path, figure: str) -> None:
    result = read_json(run / "result.json")
    entry = result["splits"]["test"]
    entry[figure] = [0.9, 0.95] if figure == "interval" else entry[figure] * 0.9 if figure != "n" else 299
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(PublicationError, match=rf"result\.json says {figure} = .* \(ferplus-strict, test\)"):
        gather(run)


def test_accuracy_without_leaks_that_was_changed(run: Path) -> None:
    result = read_json(run / "result.json")
    result["also"]["fer2013"]["test"]["without_leaks"]["accuracy"] = 0.99
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(PublicationError, match="fer2013, test, without_leaks"):
        gather(run)


def test_predictions_that_were_changed(run: Path) -> None:
    path = run / "predictions" / "fer2013-validation.npz"
    old = Predictions.load(path)
    Predictions(np.roll(old.probabilities, 1, axis=0), old.targets, old.ids).save(path)
    with pytest.raises(PublicationError, match="Evaluate the run again"):
        gather(run)


def test_predictions_that_are_missing(run: Path) -> None:
    (run / "predictions" / "fer2013-test.npz").unlink()
    with pytest.raises(ResultsError, match=r"fer2013-test\.npz"):
        gather(run)


def test_a_model_that_looks_twice_since_it_was_measured(run: Path) -> None:
    change(run / "model" / "config.json", views="flip")
    with pytest.raises(PublicationError, match=r"measured \(.*\) with views 'none', but the model now has 'flip'"):
        gather(run)


@pytest.mark.parametrize(("name", "value"), [("temperature", 5.0), ("logit_bias", [0.5, 0, 0, 0, 0, 0, -0.5])])
@pytest.mark.parametrize("released", [False, True])
def test_a_model_with_another_operating_point_than_was_measured(
    run: Path, released: bool, name: str, value: float | list[float]
) -> None:
    if released:
        point = {"temperature": 0.5, "logit_bias": [0.1, 0, 0, 0, 0, 0, -0.1], "views": "none"}
        change(run / "model" / "config.json", **point)
        change(run / "result.json", released={**point, "by": "validation, ferplus-strict"})
        assert gather(run).evaluations
    change(run / "model" / "config.json", **{name: value})
    with pytest.raises(PublicationError, match=f"was measured with {name} .*, but the model now has"):
        gather(run)


def test_weights_that_were_replaced(run: Path) -> None:
    assert not gather(run).weights_are_named
    weights = run / "model" / "model.safetensors"
    name_weights(run, hashlib.sha256(weights.read_bytes()).hexdigest())
    assert gather(run).weights_are_named
    tensors = load_file(weights)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    save_file({**tensors, name: tensors[name] + 1}, weights)
    with pytest.raises(PublicationError, match=r"measured \(ferplus-strict, .*\) with weights of SHA-256 .* now has"):
        gather(run)


def name_weights(run: Path, digest: str) -> None:
    """Say in every entry of result.json with which weights it was measured."""
    result = read_json(run / "result.json")
    for entry in [*result["splits"].values(), *result["also"]["fer2013"].values()]:
        entry["weights"] = {"sha256": digest}
    (run / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize(
    ("file", "change_", "told"),
    [
        (
            "result.json",
            {"splits": {"test": {"labels": "fer2013", "n": 9, "accuracy": "0.87"}}},
            r"splits\.test\.accuracy = '0\.87', which should be a valid number",
        ),
        (
            "result.json",
            {"splits": {"test": {"labels": "fer2013", "n": 9, "accuracy": 0.8, "interval": 0.9}}},
            r"splits\.test\.interval = 0\.9, which should be a valid array",
        ),
        ("result.json", {"splits": {"test": 5}}, r"splits\.test = 5, which should be an object"),
        ("result.json", {"chosen": {"epoch": 1, "by": "x", "value": "high"}}, r"chosen\.value = 'high'"),
        ("result.json", {"also": {"fer2013": []}}, r"also\.fer2013 = \[\], which should be an object"),
        ("result.json", {"schema": "1"}, "schema = '1', which should be a valid integer"),
        ("config.json", {"dataset": None}, "dataset = None, which should be an object"),
        (
            "config.json",
            {"optimization": {"epochs": 3}},
            r"has no optimization\.batch_size, no optimization\.learning_rate",
        ),
        ("environment.json", {"resumptions": [3]}, r"resumptions\.0"),
        ("environment.json", {"dirty": "no"}, "dirty = 'no', which should be a valid boolean"),
        ("audit.json", {"images": {"test": "many"}}, r"images\.test = 'many'"),
        ("audit.json", {"near_copies": {"leaks": 3}}, r"near_copies\.leaks"),
    ],
)
def test_a_damaged_folder_is_told_as_one(run: Path, file: str, change_: dict, told: str) -> None:
    change(run / file, **change_)
    with pytest.raises(PublicationError, match=rf"{file} .*{told}"):
        gather(run)


@pytest.mark.parametrize("file", ["config.json", "environment.json", "result.json", "audit.json"])
@pytest.mark.parametrize("content", ["[]", "3", "{}"])
def test_a_file_with_something_else_in_it(run: Path, file: str, content: str) -> None:
    (run / file).write_text(content)
    if (file, content) in (("audit.json", "{}"), ("environment.json", "{}")):
        gather(run)  # what is not known is said to be so
        return
    with pytest.raises(PublicationError, match=file):
        gather(run)


def test_a_config_without_a_data_set(run: Path) -> None:
    config = read_json(run / "config.json")
    del config["dataset"]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(PublicationError, match=r"config\.json has no dataset"):
        gather(run)


def test_a_result_of_a_newer_schema(run: Path) -> None:
    change(run / "result.json", schema=2)
    with pytest.raises(PublicationError, match="schema 2"):
        gather(run)


def test_an_unfinished_run(run: Path) -> None:
    (run / "result.json").unlink()
    facts = gather(run)
    assert facts.remarks == ("The run is not finished: 3 of 3 epochs are done.",)
    assert facts.evaluations == ()


@pytest.mark.parametrize("when", ["start", "resumption"])
def test_a_dirty_tree(run: Path, when: str) -> None:
    if when == "start":
        change(run / "environment.json", dirty=True)
    else:
        change(run / "environment.json", resumptions=[{"dirty": True}])
    assert gather(run).remarks == (
        "The code had changes that are not in its commit, b5e2457cc422acfc6cb29ef20f3d57ae874fea99.",
    )


@pytest.mark.parametrize("when", ["start", "resumption"])
def test_a_tree_of_which_nothing_is_known(run: Path, when: str) -> None:
    start = {"commit": None, "dirty": None}
    change(run / "environment.json", **(start if when == "start" else {"resumptions": [start]}))
    assert gather(run).remarks == ("Whether the code was changed is not known: it was not a git checkout.",)


def test_a_rehearsal(run: Path) -> None:
    config = read_json(run / "config.json")
    change(run / "config.json", dataset={**config["dataset"], "limit": 100})
    assert gather(run).remarks == ("A rehearsal: only the first 100 faces of each split were used.",)


def test_a_run_of_which_the_weights_were_not_kept(run: Path) -> None:
    shutil.rmtree(run / "model")
    with pytest.raises(PublicationError, match="has no model/, so there are no weights to publish"):
        gather(run)


def test_a_model_folder_is_checked_with_the_run_that_it_names(run: Path, tmp_path: Path) -> None:
    model = Path(shutil.move(run / "model", tmp_path / "model"))
    training = read_json(model / "config.json")["training"]
    change(model / "config.json", training={**training, "run": "run"})
    with pytest.raises(PublicationError, match="does not say of every figure which weights gave it"):
        gather(model, run)
    name_weights(run, hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest())
    photographs = {"dataset": "photographs", "labels": "photographs", "split": "test", "n": 9, "accuracy": 0.5}
    change(model / "config.json", measured=[photographs])
    facts = gather(model, run)
    assert (facts.finished, facts.run, len(facts.evaluations)) == (True, "run", 4)
    assert facts.evaluations[0].predictions is not None
    assert [fact.dataset for fact in facts.stated] == ["photographs"]
    name_weights(run, "0f" * 32)
    with pytest.raises(PublicationError, match="with weights of SHA-256 0f0f"):
        gather(model, run)


def test_a_model_folder_with_the_run_of_another(run: Path, model_folder: Path, tmp_path: Path) -> None:
    model = shutil.copytree(run / "model", tmp_path / "model")
    change(model / "config.json", training={"run": "other"})
    with pytest.raises(PublicationError, match="is the run run, but the weights name other"):
        gather(model, run)
    with pytest.raises(PublicationError, match="is no results folder"):
        gather(model, model_folder)
    with pytest.raises(PublicationError, match="is a run itself"):
        gather(run, run)


def test_the_bundled_weights_are_checked_with_their_published_run() -> None:
    model = read_info(bundled_folder())
    facts = gather(bundled_folder(), PUBLISHED / model.training["run"])
    assert facts.weights_are_named
    assert facts.remarks == ()
    assert {(each.labels, each.split): each.figures.accuracy for each in facts.evaluations} == {
        (fact["labels"], fact["split"]): fact["accuracy"] for fact in model.measured if fact["dataset"] == "fer2013"
    }
    (photographs,) = facts.stated
    assert facts.photographs is not None
    assert photographs.n == facts.photographs.n
    assert photographs.accuracy == pytest.approx(facts.photographs.accuracy)
    # What their config.json says of the runs before is what those say themselves.
    for each in facts.chain:
        before = PUBLISHED / str(each.run)
        result = read(Result, before / "result.json")
        assert result.chosen is not None
        planned = read_json(before / "config.json")["optimization"]["epochs"]
        assert (each.epochs, each.chosen_epoch, each.test_touched) == (planned, result.chosen.epoch, result.touched)
    assert facts.mixed == (facts.result and facts.result.released and facts.result.released.mixed)


def test_a_model_folder(model_folder: Path) -> None:
    facts = gather(model_folder)
    assert (facts.evaluations, facts.remarks, facts.run, facts.finished) == ((), (), None, False)
    assert facts.parameters == sum(p.numel() for p in facts.model.module.parameters()) > 10_000


def test_a_model_folder_of_a_dirty_tree(model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    change(folder / "config.json", training={"dirty": True})
    assert gather(folder).remarks == ("The code had changes that were not committed.",)


def test_a_model_folder_tells_what_was_said_against_it(model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    change(folder / "config.json", training={"dirty": True, "remarks": ["A rehearsal.", "Not\nfinished."]})
    assert gather(folder).remarks == ("A rehearsal.", "Not finished.")
    change(folder / "config.json", training={"dirty": None})
    assert gather(folder).remarks == ("Whether the code was changed is not known: it was not a git checkout.",)


@pytest.mark.parametrize("figures", [{"accuracy": "0.6"}, {"accuracy": 86.9}, {"n": 0}, {"interval": 0.9}])
def test_a_measured_fact_that_is_none(model_folder: Path, tmp_path: Path, figures: dict) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    fact = {"dataset": "fer2013", "labels": "fer2013", "split": "test", "n": 9, "accuracy": 0.6}
    change(folder / "config.json", measured=[{**fact, **figures}])
    with pytest.raises(PublicationError, match=f"a measured fact in config.json says {next(iter(figures))} = "):
        gather(folder)


def test_a_measured_fact_that_does_not_say_enough(model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    change(folder / "config.json", measured=[{"dataset": "fer2013", "accuracy": 0.9}])
    with pytest.raises(PublicationError, match=r"fact in config\.json has no labels; has no split; has no n$"):
        gather(folder)


def test_neither_run_nor_model(tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="neither a results folder"):
        gather(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        gather(tmp_path / "nowhere")
