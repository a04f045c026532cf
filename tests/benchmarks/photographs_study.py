"""An operating point for faces that are found in photographs: how good it is on people it was not fitted on.

    python -m tests.benchmarks.photographs_study MODEL --data FOLDER [--temperature 0.65] [--penalty 0.03]

FOLDER holds labelled photographs as ``resemotenet.datasets.read_photographs`` takes them, if possible with a column
that says who it is. The bias is that of least NLL in which a face weighs with the root of its emotion's inverse
frequency, plus the penalty times its square: without it, seven faces of disgust would decide about all others. Folds go
by person, five, divided anew ten times; a picture without a face is wrong. The last line is for ``photographs`` in
config.json, fitted on all pictures. Nothing is written. A minute for 700 pictures on one core.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from resemotenet import EmotionPredictor, load_model
from resemotenet.checkpoints.pretrained import resolve
from resemotenet.datasets import read_photographs
from resemotenet.emotions import EMOTIONS
from resemotenet.runs.calibration import apply_temperature
from resemotenet.runs.metrics import ece

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS, DIVISIONS, COMMON = 5, 10, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder, or 'bundled'")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--temperature", type=float, default=0.65)
    parser.add_argument("--penalty", type=float, default=0.03)
    arguments = parser.parse_args()
    views, targets, people = looks(arguments.model, arguments.data)
    found = np.isfinite(views[0]).all(axis=1)
    shares = np.full(views[0].shape, np.nan)
    shares[found] = np.mean([apply_temperature(view[found], arguments.temperature) for view in views], axis=0)
    print(f"{len(targets)} photographs of {len(set(people))} people, a face found in {found.sum()}")
    tell("without a bias", [shares], targets)
    divided = [folded(shares, targets, people, arguments.penalty, seed) for seed in range(DIVISIONS)]
    tell("five folds by person, ten times", divided, targets)
    bias = fitted(shares[found], targets[found], arguments.penalty)
    tell("fitted on all of them (in-sample)", [shifted(shares, bias)], targets)
    print({"temperature": arguments.temperature, "logit_bias": bias.round(4).tolist()})


def looks(name: str, data: Path) -> "tuple[list[NDArray[np.float32]], NDArray[np.int64], NDArray[np.str_]]":
    """What the network says of the largest face of each photograph and of its mirror image, uncalibrated.

    Returns:
        two arrays (N, 7), columns as ``EMOTIONS``, NaN where no face is found; (N,) targets; (N,) who it is.
    """
    model = load_model(resolve(None if name == "bundled" else name).folder)
    plain = replace(model.info, temperature=1.0, logit_bias=None, views="none")
    predictor = EmotionPredictor(replace(model, info=plain), operating_point="given")
    pictures = read_photographs(data).split("test")
    straight, mirrored = (np.full((len(pictures), len(EMOTIONS)), np.nan, np.float32) for _ in range(2))
    order = [predictor.labels.index(emotion) for emotion in EMOTIONS]
    for row in range(len(pictures)):
        crops = predictor.read(pictures.source(row)).crops[:1]
        if crops:
            batch = predictor.model.preprocess(crops)
            for view, shown in ((straight, batch), (mirrored, batch.flip(-1))):
                view[row] = predictor.model.probabilities(shown).numpy()[0, order]
    return (
        [straight, mirrored],
        pictures.targets,
        np.asarray(pictures.ids if pictures.groups is None else pictures.groups),
    )


def shifted(shares: "NDArray[np.float64]", bias: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """(N, 7) probabilities with a bias added to their logarithm."""
    moved: NDArray[np.float64] = shares * np.exp(bias)
    return moved / moved.sum(axis=1, keepdims=True)


def fitted(shares: "NDArray[np.float64]", targets: "NDArray[np.int64]", penalty: float) -> "NDArray[np.float64]":
    """The bias (7,) of least penalised NLL."""
    weights = 1 / np.sqrt(np.bincount(targets, minlength=len(EMOTIONS)).clip(min=1))[targets]
    weights /= weights.mean()
    right, rows = np.eye(len(EMOTIONS))[targets], np.arange(len(targets))

    def loss(bias: "NDArray[np.float64]") -> "tuple[float, NDArray[np.float64]]":
        answers = shifted(shares, bias)
        slope = (weights[:, None] * (answers - right)).mean(axis=0) + 2 * penalty * bias
        return float((weights * -np.log(answers[rows, targets])).mean() + penalty * np.square(bias).sum()), slope

    best: NDArray[np.float64] = minimize(loss, np.zeros(len(EMOTIONS)), jac=True, method="L-BFGS-B").x
    return best


def folded(
    shares: "NDArray[np.float64]", targets: "NDArray[np.int64]", people: "NDArray[np.str_]", penalty: float, seed: int
) -> "NDArray[np.float64]":
    """Each person's answers with the bias that was fitted on the four fifths of the others."""
    names, who = np.unique(people, return_inverse=True)
    fold = (np.random.default_rng(seed).permutation(len(names)) % FOLDS)[who]
    answers, found = np.full_like(shares, np.nan), np.isfinite(shares).all(axis=1)
    for number in range(FOLDS):
        others, own = found & (fold != number), fold == number
        answers[own] = shifted(shares[own], fitted(shares[others], targets[others], penalty))
    return answers


def tell(what: str, answers: "list[NDArray[np.float64]]", targets: "NDArray[np.int64]") -> None:
    """One line: right of all, mean recall of the common emotions with each of them, ECE of those with a face."""
    counts = np.bincount(targets, minlength=len(EMOTIONS))
    common = np.flatnonzero(counts >= COMMON)
    hits = [np.where(np.isnan(each[:, 0]), False, np.nan_to_num(each).argmax(axis=1) == targets) for each in answers]
    right = 100 * np.array([each.mean() for each in hits])
    recalls = 100 * np.array([[each[targets == emotion].mean() for emotion in common] for each in hits])
    known = [(each[~np.isnan(each[:, 0])], targets[~np.isnan(each[:, 0])]) for each in answers]
    means = recalls.mean(axis=1)
    each = ", ".join(
        f"{EMOTIONS[emotion]} {value:.1f}" for emotion, value in zip(common, recalls.mean(axis=0), strict=True)
    )
    print(
        f"{what:34} right {right.mean():.1f} +- {right.std():.1f}%  mean recall {means.mean():.1f} +- "
        f"{means.std():.1f}% ({each})  ECE {np.mean([ece(*pair) for pair in known]):.3f}"
    )


if __name__ == "__main__":
    main()
