"""The results that come with the repository: every figure again, from the predictions beside it."""

from pathlib import Path

import pytest

from resemotenet.checkpoints.checkpoint import load_model
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.runs.metrics import summary
from resemotenet.runs.results import Predictions, ResultsFolder, read_json

PUBLISHED = sorted((Path(__file__).parents[1] / "dashboard" / "published").glob("*/"))


def entries(folder: ResultsFolder):
    result = read_json(folder.result)
    for split, entry in result["splits"].items():
        yield entry["labels"], split, entry
    for labels, splits in result["also"].items():
        for split, entry in splits.items():
            yield labels, split, entry


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_every_figure_follows_from_the_predictions(path: Path):
    folder = ResultsFolder(path)
    assert folder.is_finished
    for labels, split, entry in entries(folder):
        predictions = Predictions.load(folder.predictions(labels, split))
        found = summary(predictions.probabilities, predictions.targets)
        for name, value in found.items():
            assert entry[name] == pytest.approx(value), (labels, split, name)


def test_the_bundled_weights_state_what_their_run_measured():
    info = load_model(bundled_folder()).info
    (path,) = [path for path in PUBLISHED if path.name == info.training["run"]]
    measured = {(labels, split): entry["accuracy"] for labels, split, entry in entries(ResultsFolder(path))}
    stated = {(f["labels"], f["split"]): f["accuracy"] for f in info.measured if f["dataset"] == "fer2013"}
    assert stated == measured
