"""What a card says of weights that training started from."""

import json
from pathlib import Path
from typing import Any

from resemotenet.publishing.facts import gather
from resemotenet.publishing.publication import prepare
from resemotenet.publishing.taught import taught
from tests.finished_run import make_run

MIXED = {"mixed": {"start_share": 0.25, "start_sha256": "ab" * 32}}


def change(path: Path, part: str, values: dict[str, Any]) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, part: {**content[part], **values}}))


def test_a_run_that_started_from_random_weights(tmp_path: Path, model_folder: Path) -> None:
    assert "started from" not in taught(gather(make_run(tmp_path / "run", model_folder)))


def test_a_run_that_started_from_a_model_and_was_mixed_with_it(tmp_path: Path, model_folder: Path) -> None:
    run = make_run(tmp_path / "run", model_folder)
    change(run / "config.json", "network", {"start": "/home/me/first"})
    change(run / "config.json", "augmentation", {"dimming": 1.0, "blur": 0.04})
    assert "| started from | `first` |" in taught(gather(run))
    change(run / "model" / "config.json", "training", MIXED)
    card = taught(gather(run))
    assert "| started from | `first`; 25% of it is kept in these weights |" in card
    assert "blur 0.04" in card
    assert "dimming" not in card


def test_a_run_that_learned_from_others(tmp_path: Path, model_folder: Path) -> None:
    run = make_run(tmp_path / "run", model_folder)
    assert "learned from" not in taught(gather(run))
    written = json.loads((run / "config.json").read_text())
    distillation = {"teachers": ["/home/me/first", "/home/me/second"], "share": 0.3}
    (run / "config.json").write_text(json.dumps({**written, "distillation": distillation}))
    assert "| learned from | `first`, `second`; 30% of its target |" in taught(gather(run))
    told = (
        prepare(run, "owner/name", page="https://hub.example/owner/name", force=True).content("training.json").decode()
    )
    assert json.loads(told)["config"]["distillation"] == {"teachers": ["first", "second"], "share": 0.3}


def test_a_model_folder_without_its_run(tmp_path: Path, model_folder: Path) -> None:
    model = make_run(tmp_path / "run", model_folder) / "model"
    change(model / "config.json", "training", MIXED)
    assert "| mixed.start_share | 0.25 |" in taught(gather(model))
