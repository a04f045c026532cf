"""A published run can be checked by others and says nothing of the machine it ran on."""

from pathlib import Path

import pytest

from resemotenet.errors import ResultsError
from resemotenet.runs.metrics import summary
from resemotenet.runs.results import Predictions, ResultsFolder, read_json, write_json
from training.cli import main
from training.publish import publish


def test_figures_follow_from_what_is_published(finished: ResultsFolder, tmp_path: Path):
    published = ResultsFolder(publish(finished, tmp_path / "published"))
    entry = read_json(published.result)["splits"]["validation"]
    stored = Predictions.load(published.predictions(entry["labels"], "validation"))
    found = summary(stored.probabilities, stored.targets)
    assert {name: entry[name] for name in found} == found
    assert published.read_epochs() == finished.read_epochs()
    assert read_json(published.audit) == read_json(finished.audit)


def test_neither_weights_nor_paths_of_the_machine_are_published(finished: ResultsFolder, tmp_path: Path):
    environment = read_json(finished.environment)
    command = ["python", "-m", "training", "train", "tiny", "--data", "/home/me/fer2013.parquet", "--results=/data/me"]
    resumed = {"epoch": 2, "command": ["python", "-m", "training", "resume", "/data/me/run"]}
    write_json(finished.environment, environment | {"command": command, "resumptions": [resumed]})
    config = read_json(finished.config)
    network = config["network"] | {"start": "/home/me/weights"}
    taught = {"distillation": {"teachers": ["/home/me/a", "/home/me/b"], "share": 0.5}}
    write_json(finished.config, config | {"cache": "/home/me/pictures", "network": network} | taught)
    source = {"layout": "official", "broken": ["/home/me/faces/test 1.jpg is listed and absent"]}
    write_json(finished.audit, read_json(finished.audit) | {"source": source})

    path = publish(finished, tmp_path / "published")

    assert not (path / "model").exists()
    assert not (path / "resume").exists()
    texts = [file.read_text(encoding="utf-8") for file in path.iterdir() if file.suffix in (".json", ".jsonl")]
    assert [text for text in texts if str(tmp_path.parent) in text or "/me" in text] == []
    found = read_json(path / "environment.json")
    assert found["command"][5:] == ["--data", "fer2013.parquet", "--results=me"]
    assert found["resumptions"][0]["command"][-1] == "run"
    assert read_json(path / "audit.json")["source"]["broken"] == ["test 1.jpg is listed and absent"]
    assert read_json(path / "config.json")["data"] == "fer2013.parquet"
    assert read_json(path / "config.json")["cache"] == "pictures"
    assert read_json(path / "config.json")["network"]["start"] == "weights"
    assert read_json(path / "config.json")["distillation"]["teachers"] == ["a", "b"]


def test_publishing_again_replaces(finished: ResultsFolder, tmp_path: Path):
    path = publish(finished, tmp_path / "published")
    (path / "stale").write_text("of an earlier version")
    assert publish(finished, tmp_path / "published") == path
    assert not (path / "stale").exists()
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_an_unfinished_run_or_its_own_place_is_refused(finished: ResultsFolder, tmp_path: Path):
    with pytest.raises(ResultsError, match="name another place"):
        publish(finished, finished.path.parent)
    finished.result.unlink()
    with pytest.raises(ResultsError, match="not finished"):
        publish(finished, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_from_the_command_line(finished: ResultsFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["publish", str(finished.path), str(tmp_path / "published")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "published" / finished.path.name)
