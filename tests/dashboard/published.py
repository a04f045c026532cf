"""The runs that come with this repository, and what their files hold."""

import numpy as np

from dashboard import data

PUBLISHED = data.scan([data.PUBLISHED])
# Run, label definition and split of each of their prediction files.
SCORED = [(run, each.labels, each.split) for run in PUBLISHED for each in data.scores(run)]


def name_of(part: object) -> str:
    """Of a part of an entry of these lists, in the names of tests."""
    return part.id if isinstance(part, data.Run) else str(part)


def stored(run: data.Run, labels: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and targets, read without this project's code."""
    with np.load(run.path / "predictions" / f"{labels}-{split}.npz") as file:
        return file["probabilities"].astype(np.float64), file["targets"]
