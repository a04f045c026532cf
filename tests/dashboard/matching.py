"""A results folder whose predictions are about faces that are really there: the made-up FER2013 of the tests."""

from pathlib import Path

import numpy as np

from resemotenet.datasets import read_fer2013
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.results import Predictions, ResultsFolder
from tests.dashboard.fake_runs import write_run
from tests.fake_fer2013 import VOTE_COLUMNS, Fake, draw, write_parquet

DEFINITIONS = ("ferplus-strict", "ferplus-usual", "fer2013")


def draw_disputed() -> Fake:
    """The faces of ``draw``, but the crowd calls every fourth one neutral and is split over every seventh."""
    fake = draw()
    for row in range(len(fake)):
        if row % 4 == 0:
            fake.votes[row] = 0
            fake.votes[row, VOTE_COLUMNS.index("neutral")] = 9
            fake.votes[row, VOTE_COLUMNS.index("unknown")] = 1
        elif row % 7 == 0:
            fake.votes[row] = [2, 2, 2, 2, 2, 0, 0, 0, 0, 0]
    return fake


def write_matching(folder: Path, *, skill: float = 1.5, seed: int = 0) -> tuple[Path, Path]:
    """(run, data): a finished run and the parquet of the faces that it was scored on."""
    folder.mkdir(parents=True, exist_ok=True)
    data = write_parquet(draw_disputed(), folder / "fer2013.parquet")
    path = write_run(folder / "results", labels="ferplus", seed=seed, n=20)
    score_faces(path, data, skill=skill, seed=seed)
    return path, data


def score_faces(path: Path, data: Path, *, skill: float = 1.5, seed: int = 0) -> None:
    """Put predictions about the faces of ``data`` in the place of a run's own."""
    whole = read_fer2013(data)
    for split in ("validation", "test"):
        drawn = np.random.default_rng([seed, len(split)]).normal(0, 1, (len(whole.ids), len(EMOTIONS)))
        for labels in DEFINITIONS:
            faces = whole.split(split, labels)
            # The same answer to a face under every definition, as from a real model.
            rows = np.searchsorted(whole.ids, faces.ids)
            logits = drawn[rows] + skill * np.eye(len(EMOTIONS))[whole.emotion[rows]]
            weights = np.exp(logits)
            probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
            Predictions(probabilities, faces.targets, faces.ids).save(ResultsFolder(path).predictions(labels, split))
