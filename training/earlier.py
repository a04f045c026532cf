"""Models that were trained before: the one that a run goes on from, and those that teach it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model
from resemotenet.datasets import ReadyFaces
from resemotenet.errors import TrainingError
from resemotenet.publishing.checks import sha256_of
from resemotenet.runs.results import ResultsFolder, read_json
from resemotenet.runs.schema import ModelInfo

from .config import Distillation, RunConfig
from .description import OPTIONS
from .evaluation import on_whole_device, predict

if TYPE_CHECKING:
    from numpy.typing import NDArray


def load_earlier(path: Path, device: torch.device | str = "cpu") -> LoadedModel:
    """The model of a model folder or of a results folder.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    inside = ResultsFolder(path).model
    return load_model(inside if inside.is_dir() else path, device=device)


def noted(config: RunConfig) -> dict[str, Any]:
    """What audit.json keeps of the earlier models that a run depends on; empty where it depends on none.

    Returns:
        "start": SHA-256 of its weights. "teachers": of each the SHA-256 and what else decides its answers.

    Raises:
        CheckpointError: one is not there, or is damaged.
    """
    start, teachers = config.network.start, config.distillation.teachers
    return {
        **({"start": sha256_of(load_earlier(start))} if start is not None else {}),
        **({"teachers": [_answers_of(load_earlier(path)) for path in teachers]} if teachers else {}),
    }


def _answers_of(teacher: LoadedModel) -> dict[str, Any]:
    return {"sha256": sha256_of(teacher), "temperature": teacher.info.temperature, "views": teacher.info.views}


def check_earlier(folder: ResultsFolder, config: RunConfig, *, fresh: bool) -> None:
    """See that a run goes on with the models it began with. Runs of a version that noted none go on without.

    Args:
        fresh: no epoch was finished, so that it starts from its start again.

    Raises:
        CheckpointError: one is not there, or is damaged.
        TrainingError: one is another now.
    """
    if not fresh:
        config = replace(config, network=replace(config.network, start=None))
    before, now = earlier_of(folder), noted(config)
    if others := [role for role in now if role in before and before[role] != now[role]]:
        raise TrainingError(
            f"{folder.path} did not begin with what is now the {' and the '.join(others)} of its config.json: weights, "
            "temperature or views differ; put back what was there, or start a new run"
        )


def earlier_of(folder: ResultsFolder) -> dict[str, Any]:
    """What ``noted`` gave when a run began; empty also for runs of a version that did not keep it.

    Raises:
        ResultsError: audit.json cannot be read.
    """
    earlier: dict[str, Any] = read_json(folder.audit).get("earlier", {})
    return earlier


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
        "input": (given.info.preprocess, info.preprocess),
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


def taught(faces: ReadyFaces, distillation: Distillation, device: torch.device) -> "NDArray[np.float32]":
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
    device = on_whole_device(device)
    answers = [
        predict(_without_operating_point(load_earlier(each, device)), faces, shown=f"{each.name} teaches").probabilities
        for each in distillation.teachers
    ]
    said: NDArray[np.float32] = np.mean(answers, axis=0, dtype=np.float32)
    return (1 - distillation.share) * faces.distribution + distillation.share * said


def _without_operating_point(model: LoadedModel) -> LoadedModel:
    return replace(model, info=replace(model.info, logit_bias=None))
