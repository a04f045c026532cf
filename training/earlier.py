"""Models that were trained before: the one that a run goes on from, and those that teach it."""

import json
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model
from resemotenet.datasets import ReadyFaces
from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import Ancestor, Audit, Earlier, ModelInfo, Result, RunConfig, Teacher, read, salvage

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


@dataclass(frozen=True)
class EarlierModels:
    """The models that a run depends on, each read once.

    Attributes:
        start: the one that it goes on from; None for random weights, or where it goes on from an epoch of its own.
        teachers: by the name of their folder.
    """

    start: LoadedModel | None
    teachers: tuple[tuple[str, LoadedModel], ...]

    @classmethod
    def load(cls, config: RunConfig, *, start: bool = True) -> "EarlierModels":
        """Read those that a config names; without its start where that is not needed any more.

        Raises:
            CheckpointError: one is not there, or is damaged.
        """
        place = config.network.start if start else None
        teachers = tuple((path.name, load_earlier(path)) for path in config.distillation.teachers)
        return cls(None if place is None else load_earlier(place), teachers)

    def __bool__(self) -> bool:
        return self.start is not None or bool(self.teachers)

    def noted(self) -> Earlier:
        """What audit.json keeps of them: what decides their weights and answers."""
        parts: dict[str, Any] = (
            {} if self.start is None else {"start": self.start.sha256(), "chain": _chain(self.start)}
        )
        if self.teachers:
            parts["teachers"] = [_answers_of(teacher) for _, teacher in self.teachers]
        return Earlier(**parts)

    def check(self, folder: ResultsFolder) -> None:
        """See that a run goes on with the models it began with, as far as it noted them: older versions noted less.

        Raises:
            ResultsError: audit.json cannot be read.
            TrainingError: one is another now.
        """
        before, now = read(Audit, folder.audit).earlier or Earlier(), self.noted()
        others = []
        if now.start is not None and before.start not in (None, now.start):
            others.append("start")
        if now.teachers is not None and before.teachers is not None:
            pairs = zip_longest(before.teachers, now.teachers, fillvalue=Teacher(sha256=""))
            if not all(each.to_dict().items() <= found.to_dict().items() for each, found in pairs):
                others.append("teachers")
        if others:
            raise TrainingError(
                f"{folder.path} did not begin with what is now the {' and the '.join(others)} of its config.json: "
                "weights, temperature or views differ; put back what was there, or start a new run"
            )

    def teach(self, faces: ReadyFaces, share: float, device: torch.device) -> "NDArray[np.float32]":
        """What training aims at: (1 - share) of what the labels say, share of what the teachers say on average.

        The teachers see the faces as they are, with their own views and temperature, but without their operating point,
        which is no part of what they know. Without teachers the labels say all.

        Returns:
            (N, 7) float32, columns as ``EMOTIONS``, rows sum to 1.

        Raises:
            ResultsError: a teacher's labels are not the seven emotions.
        """
        if not self.teachers:
            return faces.distribution
        device = on_whole_device(device)
        answers = [
            predict(_without_operating_point(teacher.to(device)), faces, shown=f"{name} teaches").probabilities
            for name, teacher in self.teachers
        ]
        said: NDArray[np.float32] = np.mean(answers, axis=0, dtype=np.float32)
        return (1 - share) * faces.distribution + share * said


def _chain(start: LoadedModel) -> list[Ancestor]:
    """The runs that a model came from, its own last, as far as its config.json and the run around it tell."""
    told = start.info.training
    before = salvage(Earlier, json.dumps({"chain": told.get("chain")})).value
    own = salvage(Ancestor, json.dumps({name: told[name] for name in Ancestor.model_fields if name in told})).value
    own = own or Ancestor()
    stated = [fact.get("touched") for fact in start.info.measured if fact.get("split") == "test"]
    counts = [count for count in stated if type(count) is int]
    around = ResultsFolder(start.folder.parent)
    if around.is_finished and (result := read(Result, around.result)).run == own.run:
        counts.append(result.touched)
    if counts:
        own.test_touched = max(counts)
    return [*((before and before.chain) or ()), own]


def with_chain(info: ModelInfo, noted: Earlier | None) -> ModelInfo:
    """The same with the runs that its weights come from, as audit.json notes them."""
    if noted is None or not noted.chain:
        return info
    return replace(info, training={**info.training, "chain": [each.to_dict() for each in noted.chain]})


def _answers_of(teacher: LoadedModel) -> Teacher:
    return Teacher(sha256=teacher.sha256(), temperature=teacher.info.temperature, views=teacher.info.views)


def take_weights(module: nn.Module, info: ModelInfo, start: LoadedModel) -> None:
    """Give a network, in place, the weights of a trained one of the same kind.

    Args:
        info: what ``module`` will be.

    Raises:
        TrainingError: it is another network, or reads other input or answers in another order; all differences are
            named.
    """
    pairs = {
        "architecture": (start.info.architecture, info.architecture),
        "labels": (start.labels, info.labels),
        # The filter is how its input is made of larger pictures, nothing that weights depend on.
        "input": (replace(start.info.preprocess, interpolation="bilinear"), info.preprocess),
        **{name: (start.info.arguments.get(name), value) for name, value in info.arguments.items()},
    }
    differences = [
        f"{name} {theirs}, here {ours}"
        for name, (theirs, ours) in pairs.items()
        if theirs != ours and name not in OPTIONS
    ]
    if differences:
        raise TrainingError(
            f"network.start {start.folder} is another network: its {'; its '.join(differences)}; "
            "set --network to match it"
        )
    module.load_state_dict(start.module.state_dict(), strict=True)


def _without_operating_point(model: LoadedModel) -> LoadedModel:
    return replace(model, info=replace(model.info, logit_bias=None))
