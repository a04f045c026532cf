"""Models that were trained before: the one that a run goes on from, and those that teach it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resemotenet.checkpoint import LoadedModel, ModelInfo, load_model
from resemotenet.datasets import ReadyFaces
from resemotenet.errors import TrainingError
from resemotenet.publishing.checks import sha256_of
from resemotenet.results import ResultsFolder, read_json

from .config import Distillation, RunConfig
from .description import OPTIONS
from .evaluation import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray


def load_earlier(path: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """The model of a model folder or of a results folder.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    inside = ResultsFolder(path).model
    return load_model(inside if inside.is_dir() else path, device=device)


def digests(config: RunConfig) -> dict[str, Any]:
    """SHA-256 of the weights of all earlier models that a run depends on, under "start" and "teachers"; of none, empty.

    Raises:
        CheckpointError: one is not there, or is damaged.
    """
    noted: dict[str, Any] = {}
    if config.network.start is not None:
        noted["start"] = sha256_of(load_earlier(config.network.start))
    if config.distillation.teachers:
        noted["teachers"] = _digests_of_teachers(config)
    return noted


def _digests_of_teachers(config: RunConfig) -> list[str]:
    return [sha256_of(load_earlier(path)) for path in config.distillation.teachers]


def check_teachers(folder: ResultsFolder, config: RunConfig) -> None:
    """See that a run goes on with the teachers it began with.

    Raises:
        CheckpointError: one is not there, or is damaged.
        TrainingError: one has other weights now.
    """
    if earlier_of(folder).get("teachers", []) != _digests_of_teachers(config):
        teachers = ", ".join(map(str, config.distillation.teachers))
        raise TrainingError(
            f"the teachers {teachers} are not those that {folder.path} began with: their weights differ; put those "
            "back, or start a new run"
        )


def earlier_of(folder: ResultsFolder) -> dict[str, Any]:
    """What ``digests`` gave when a run began; empty also for runs of a version that did not note it.

    Raises:
        ResultsError: audit.json cannot be read.
    """
    noted: dict[str, Any] = read_json(folder.audit).get("earlier", {})
    return noted


def take_weights(module: nn.Module, info: ModelInfo, start: Path) -> None:
    """Give a network, in place, the weights of a trained one of the same kind.

    Args:
        info: what ``module`` will be.
        start: a model folder or a results folder.

    Raises:
        CheckpointError: there is no model, or it is damaged.
        TrainingError: it is another network, or reads other input or answers in another order; all differences are
            named.
    """
    given = load_earlier(start)
    pairs = {
        "architecture": (given.info.architecture, info.architecture),
        "labels": (given.labels, info.labels),
        "input": (given.preprocess, info.preprocess),
        **{name: (given.info.arguments.get(name), value) for name, value in info.arguments.items()},
    }
    differences = [
        f"{name} {theirs}, here {ours}"
        for name, (theirs, ours) in pairs.items()
        if theirs != ours and name not in OPTIONS
    ]
    if differences:
        raise TrainingError(
            f"network.start {start} is another network: its {'; its '.join(differences)}; set --network to match it"
        )
    module.load_state_dict(given.module.state_dict(), strict=True)


def taught(faces: ReadyFaces, distillation: Distillation, device: torch.device | str) -> "NDArray[np.float32]":
    """What training aims at: (1 - share) of what the labels say, share of what the teachers say on average.

    The teachers see the faces as they are, with their own views and temperature, but without their operating point,
    which is no part of what they know. Without teachers the labels say all.

    Returns:
        (N, 7) float32, columns as ``EMOTIONS``, rows sum to 1.

    Raises:
        CheckpointError: a teacher is not there, or is damaged.
        ResultsError: its labels are not the seven emotions.
    """
    if not distillation.teachers:
        return faces.distribution
    answers = [
        predict(_without_operating_point(load_earlier(each, device)), faces, shown=f"{each.name} teaches").probabilities
        for each in distillation.teachers
    ]
    said: NDArray[np.float32] = np.mean(answers, axis=0, dtype=np.float32)
    return (1 - distillation.share) * faces.distribution + distillation.share * said


def _without_operating_point(model: LoadedModel) -> LoadedModel:
    return replace(model, info=replace(model.info, logit_bias=None))
