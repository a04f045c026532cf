import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resemotenet import load_model
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import PublicationError
from resemotenet.publishing.publication import Publication, prepare
from resemotenet.runs.metrics import confusion
from resemotenet.runs.results import Predictions, read_json, write_json
from resemotenet.runs.schema import Distillation, Network, RunConfig, read
from tests.finished_run import SECRET_PLACE, make_run
from tests.resemotenet.publishing.cards import PAGE, change


def write(publication: Publication, folder: Path) -> Path:
    folder.mkdir()
    for name in publication.files:
        (folder / name).write_bytes(publication.content(name))
    return folder


def test_what_a_run_gives(run: Path) -> None:
    publication = prepare(run, "owner/name", page=PAGE)
    assert list(publication.files) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "result.json",
        "confusion.json",
        "confusion.svg",
        "calibration.svg",
        "training.json",
        "audit.json",
    ]
    assert publication.sizes == {name: len(publication.content(name)) for name in publication.files}
    assert json.loads(publication.content("result.json")) == read_json(run / "result.json")
    assert json.loads(publication.content("audit.json")) == read_json(run / "audit.json")


def test_it_can_be_loaded_and_knows_what_was_measured(run: Path, tmp_path: Path) -> None:
    model = load_model(write(prepare(run, "owner/name", page=PAGE), tmp_path / "out"))
    own = load_model(run / "model")
    for name, value in own.module.state_dict().items():
        assert (model.module.state_dict()[name] == value).all()
    assert model.info.measured[1]["accuracy"] == read_json(run / "result.json")["splits"]["test"]["accuracy"]
    assert own.info.measured == ()


def test_nothing_of_the_machine_and_nothing_of_single_pictures(run: Path) -> None:
    publication = prepare(run, "owner/name", page=PAGE)
    everything = b"".join(publication.content(name) for name in publication.files)
    assert SECRET_PLACE.encode() not in everything
    assert str(run.parent).encode() not in everything
    assert b"00017" not in everything, "an id of a picture"
    training = json.loads(publication.content("training.json"))
    assert training["config"]["data"] == "fer2013.parquet"
    assert training["config"]["optimization"]["epochs"] == 3
    assert training["environment"]["commit"] == "b5e2457cc422acfc6cb29ef20f3d57ae874fea99"
    assert "command" not in training["environment"]


@pytest.mark.parametrize("role", ["start", "backbone"])
def test_no_setting_and_no_sentence_says_where_files_lay(run: Path, role: str) -> None:
    """Data, results, cache, start, teachers; the commands of every start; pictures that an audit names; the model."""
    place, audit = Path(SECRET_PLACE), read_json(run / "audit.json")
    config = replace(
        read(RunConfig, run / "config.json"),
        data=place / "data" / "raf db",
        cache=place / "cache" / "pictures",
        network=replace(Network(size=48, channels=1), **{role: place / "earlier" / "first"}),  # type: ignore[arg-type]
        distillation=Distillation(teachers=(place / "earlier" / "second", place / "third")),
    )
    write_json(run / "config.json", config.to_dict())
    broken = [f"{config.data}/Image/test 1.jpg is listed and absent", f"{SECRET_PLACE}/other/x.jpg cannot be read"]
    write_json(run / "audit.json", {**audit, "source": {"layout": "official", "broken": broken}})
    change(run / "environment.json", resumptions=[{"dirty": False, "command": ["resume", f"{SECRET_PLACE}/run"]}])
    change(run / "model" / "config.json", training={"start": f"{SECRET_PLACE}/earlier/first", "data": "fer2013"})
    publication = prepare(run, "owner/name", page=PAGE)
    everything = b"".join(publication.content(name) for name in publication.files)
    for secret in ("somebody", "private", "earlier", f"cache{os.sep}"):
        assert secret.encode() not in everything, secret
    training = json.loads(publication.content("training.json"))
    assert (training["config"]["data"], training["config"]["cache"]) == ("raf db", "pictures")
    assert training["config"]["network"][role] == "first"
    assert training["config"]["distillation"]["teachers"] == ["second", "third"]
    source = json.loads(publication.content("audit.json"))["source"]
    assert source["broken"] == ["Image/test 1.jpg is listed and absent", "x.jpg cannot be read"]
    assert json.loads(publication.content("config.json"))["training"]["start"] == "first"


def test_what_a_model_folder_says_of_its_origin_is_without_places(model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    change(folder / "config.json", training={"teachers": [f"{SECRET_PLACE}/a"], "note": f"from {SECRET_PLACE}/b.pth"})
    publication = prepare(folder, "owner/name", page=PAGE)
    assert SECRET_PLACE.encode() not in b"".join(publication.content(name) for name in publication.files)
    assert json.loads(publication.content("config.json"))["training"] == {"teachers": ["a"], "note": "from b.pth"}


def test_confusion_is_counted_from_the_predictions(run: Path) -> None:
    told = json.loads(prepare(run, "owner/name", page=PAGE).content("confusion.json"))
    assert told["labels"] == list(EMOTIONS)
    assert set(told["tables"]) == {f"{a}-{b}" for a in ("ferplus-strict", "fer2013") for b in ("validation", "test")}
    predictions = Predictions.load(run / "predictions" / "fer2013-test.npz")
    expected = confusion(predictions.probabilities.argmax(axis=1), predictions.targets)
    np.testing.assert_array_equal(told["tables"]["fer2013-test"]["counts"], expected)
    assert told["tables"]["fer2013-test"]["n"] == expected.sum()


def test_what_a_model_folder_gives(model_folder: Path) -> None:
    publication = prepare(model_folder, "owner/name", page=PAGE)
    assert list(publication.files) == ["README.md", "config.json", "model.safetensors"]
    assert json.loads(publication.content("config.json")) == read_json(model_folder / "config.json")
    assert publication.content("model.safetensors") == (model_folder / "model.safetensors").read_bytes()
    assert "Not measured" in publication.card


def test_an_unfinished_run_is_refused_unless_forced(run: Path) -> None:
    (run / "result.json").unlink()
    with pytest.raises(
        PublicationError, match=r"The run is not finished: 3 of 3 epochs are done\. --force publishes it"
    ):
        prepare(run, "owner/name", page=PAGE)
    publication = prepare(run, "owner/name", page=PAGE, force=True)
    assert "The run is not finished: 3 of 3 epochs are done." in publication.card
    assert "Not measured" in publication.card
    assert set(publication.files) == {"README.md", "config.json", "model.safetensors", "training.json", "audit.json"}


def test_a_dirty_tree_is_refused_unless_forced(tmp_path: Path, model_folder: Path) -> None:
    run = make_run(tmp_path / "run", model_folder, dirty=True)
    with pytest.raises(PublicationError, match="changes that are not in its commit"):
        prepare(run, "owner/name", page=PAGE)
    card = prepare(run, "owner/name", page=PAGE, force=True).card
    assert "The code had changes that are not in its commit, b5e2457cc422acfc6cb29ef20f3d57ae874fea99." in card
    assert "model-index" not in card, "such figures take part in no ranking"


def test_force_does_not_help_a_lie(run: Path) -> None:
    result = read_json(run / "result.json")
    result["splits"]["test"]["accuracy"] = 0.99
    (run / "result.json").write_text(json.dumps(result))
    with pytest.raises(PublicationError, match=r"says accuracy = 0\.99"):
        prepare(run, "owner/name", page=PAGE, force=True)


def test_a_run_without_weights(run: Path) -> None:
    shutil.rmtree(run / "model")
    with pytest.raises(PublicationError, match="no weights to publish"):
        prepare(run, "owner/name", page=PAGE, force=True)


def test_the_same_run_gives_the_same_bytes(run: Path) -> None:
    first, second = (prepare(run, "owner/name", page=PAGE) for _ in range(2))
    assert all(first.content(name) == second.content(name) for name in first.files)


def test_what_was_forced_stays_forced_on_the_way_back(tmp_path: Path, model_folder: Path) -> None:
    run = make_run(tmp_path / "run", model_folder, dirty=True)
    config = read_json(run / "config.json")
    config["dataset"]["limit"] = 100
    (run / "config.json").write_text(json.dumps(config))
    said = [
        "The code had changes that are not in its commit, b5e2457cc422acfc6cb29ef20f3d57ae874fea99.",
        "A rehearsal: only the first 100 faces of each split were used.",
    ]
    pulled = write(prepare(run, "owner/name", page=PAGE, force=True), tmp_path / "pulled")
    assert load_model(pulled).info.training["remarks"] == said
    with pytest.raises(PublicationError, match="only the first 100 faces"):
        prepare(pulled, "owner/other", page=PAGE)
    again = prepare(pulled, "owner/other", page=PAGE, force=True)
    assert json.loads(again.content("config.json"))["training"]["remarks"] == said
    assert all(each in again.card for each in said)
    assert "model-index" not in again.card


def test_what_was_not_forced_has_no_remarks(run: Path) -> None:
    assert "remarks" not in json.loads(prepare(run, "owner/name", page=PAGE).content("config.json"))["training"]


def test_what_an_unfinished_run_says_of_itself_is_not_published(run: Path) -> None:
    (run / "result.json").unlink()
    config = read_json(run / "model" / "config.json")
    config["measured"] = [{"dataset": "fer2013", "labels": "fer2013", "split": "test", "n": 9, "accuracy": 0.99}]
    (run / "model" / "config.json").write_text(json.dumps(config))
    publication = prepare(run, "owner/name", page=PAGE, force=True)
    assert json.loads(publication.content("config.json"))["measured"] == []
    assert "99.00" not in publication.card


def test_touches_of_test_travel_with_the_model(run: Path, tmp_path: Path) -> None:
    result = read_json(run / "result.json")
    result["splits"]["test"]["touched"] = 3
    result["protocol"] = "validation-chosen, test once"
    (run / "result.json").write_text(json.dumps(result))
    publication = prepare(run, "owner/name", page=PAGE)
    assert not any(b"test once" in publication.content(name) for name in publication.files)
    pulled = write(publication, tmp_path / "pulled")
    assert "Test was scored 3 times" in prepare(pulled, "owner/name", page=PAGE).card
