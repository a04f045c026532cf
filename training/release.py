"""From a finished run to weights for others: stored small, calibrated on validation, facts measured."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from resemotenet.checkpoints.checkpoint import LoadedModel, load_model, save_model
from resemotenet.datasets import ReadyFaces
from resemotenet.errors import TrainingError
from resemotenet.publishing.facts import remarks_on
from resemotenet.runs.calibration import apply_temperature, best_temperature, choose_prior_bias
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import Audit, Environment, Mixed, ModelInfo, Released, Result, RunConfig, read

from .earlier import load_earlier
from .elsewhere import drop_stale
from .evaluation import evaluate_run, predict
from .loading import Data
from .locks import alone_with

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Once the temperature is fitted, a lead says about the same of all models. Below this one, of the bundled weights'
# answers, the first is right about every second time (LOG.md, "not sure").
_SURE_MARGIN = 0.3
# What is fitted, or follows from it.
_AS_TRAINED: dict[str, Any] = {"temperature": 1.0, "logit_bias": None, "photographs": None, "measured": ()}


def release(
    folder: ResultsFolder,
    out: Path,
    data: Data,
    *,
    views: Literal["none", "flip"] = "flip",
    half: bool = True,
    accuracy_margin: float = 0.0,
    start_share: float = 0.0,
) -> Result:
    """Fix the model of a finished run as it will be used, measure it, write it to ``out`` with its facts.

    The run's own model becomes the one released, so its predictions are those of the released weights. Views are given;
    on validation, by the labels that chose the epoch, the temperature is fitted and then, on what it gives, the
    operating point chosen. Test is touched once, after everything is chosen.

    Releasing a run again gives the same weights and chooses the rest anew; it is another touch of test, and counted.
    Figures on other data sets that the model as it was before gave are taken out, and named.

    Args:
        out: the model folder to write or replace.
        views: see ``ModelInfo.views``.
        half: store kernels and matrices as float16.
        accuracy_margin: how much validation accuracy the operating point may cost, see ``choose_prior_bias``.
        start_share: in [0, 1), how much of the released weights are those that the run started from (see ``mix``).

    Returns:
        What the run's result.json now holds.

    Raises:
        ResultsError: the run is not finished, or another process works on it.
        TrainingError: an emotion never occurs in training; or there is no start to mix in, or it was mixed in before,
            or has other weights now.
        CheckpointError: the start is not where the run found it.
    """
    folder.check_finished()
    prior = _shares(data)
    dtype = torch.float16 if half else torch.float32
    with alone_with(folder):
        config, environment = read(RunConfig, folder.config, TrainingError), read(Environment, folder.environment)
        model = load_model(folder.model)
        earlier = {name: value for name, value in model.info.training.items() if name != "remarks"}
        provenance = {**earlier, "commit": environment.commit, "dirty": environment.dirty}
        if start_share:
            mixed = _mix_in_start(folder, config.network.start, model, start_share)
            provenance["mixed"] = {**mixed, "test_seen": read(Result, folder.result).touched > 0}
        if remarks := list(remarks_on(config, environment)):
            provenance["remarks"] = remarks  # the model folder goes its own way, without the run that says so
        info = replace(model.info, views=views, training=provenance, **_AS_TRAINED)
        save_model(folder.model, model.module, info, dtype=dtype)
        stored = load_model(folder.model)
        info = _operating_point(stored, data.scored["validation"][data.primary], prior, accuracy_margin)
        save_model(folder.model, stored.module, info, dtype=dtype)
        _note(folder, info, data.primary)
        drop_stale(folder, load_model(folder.model))
        evaluate_run(folder, data.scored, "validation", data.leaked["validation"])
        result = evaluate_run(folder, data.scored, "test", data.leaked["test"])
        model = load_model(folder.model)
        save_model(out, model.module, replace(model.info, measured=result.facts(config.dataset.name)), dtype=dtype)
        return result


def _operating_point(
    stored: LoadedModel, validation: ReadyFaces, prior: "NDArray[np.float64]", accuracy_margin: float
) -> ModelInfo:
    """Its info with the temperature fitted and, on what that gives, the bias chosen."""
    info = replace(stored.info, temperature=round(_temperature(stored, validation), 4))
    plain = predict(replace(stored, info=info), validation)
    bias = choose_prior_bias(plain.probabilities, plain.targets, prior, accuracy_margin=accuracy_margin)
    return replace(info, logit_bias=tuple(round(float(value), 4) for value in bias), sure_margin=_SURE_MARGIN)


def _mix_in_start(folder: ResultsFolder, start: Path | None, model: LoadedModel, share: float) -> dict[str, Any]:
    """Change a run's weights in place; what to say of it where they go."""
    if start is None or not 0 < share < 1:
        raise TrainingError(
            f"start_share is {share}, the run started from {start or 'random weights'}; a share above 0 and below 1 of "
            "a start that was a model can be mixed in"
        )
    if "mixed" in model.info.training:
        raise TrainingError(f"{model.info.training['mixed']} is in these weights already; release the run without it")
    given = load_earlier(start)
    found, noted = given.sha256(), read(Audit, folder.audit).earlier
    if noted is not None and noted.start not in (None, found):
        raise TrainingError(f"{start} holds other weights than when {folder.path} started from it; put those back")
    mix(model.module, given.module, share)
    return Mixed(start_share=share, start_sha256=found).to_dict()


def mix(module: nn.Module, start: nn.Module, share: float) -> None:
    """Weights on the line between a start and what was fine-tuned from it, in place: share * start + (1 - share) * own.

    What fine-tuning gains where its faces differ is mostly kept, what it loses elsewhere mostly won back, as Wortsman
    et al. 2022 found (Robust fine-tuning of zero-shot models, WiSE-FT). Running means and variances are mixed as well.
    """
    theirs = start.state_dict()
    for name, own in module.state_dict().items():
        if own.is_floating_point():
            own.mul_(1 - share).add_(theirs[name], alpha=share)


def _note(folder: ResultsFolder, info: ModelInfo, labels: str) -> None:
    """Enter in result.json what the predictions beside it will be made with: a reader cannot see it in them."""
    result = read(Result, folder.result)
    result.released = Released(
        temperature=info.temperature, logit_bias=list(info.logit_bias or ()), views=info.views,
        by=f"validation, {labels}", **{name: value for name, value in info.training.items() if name == "mixed"},
    )  # fmt: skip
    write_json(folder.result, result.to_dict())


def _temperature(model: LoadedModel, faces: ReadyFaces) -> float:
    """The temperature of least NLL, applied where the model applies it: to each view, before they are averaged.

    The labels decide what the probabilities will be true of. Those of a crowd's strict majority are about faces that
    people are sure of; on a face that people disagree about, the model will then be too sure.
    """
    straight = replace(model, info=replace(model.info, views="none", temperature=1.0, logit_bias=None))
    looks = [predict(straight, faces).probabilities]
    if model.info.views == "flip":
        looks.append(predict(replace(straight, module=_Mirrored(model.module)), faces).probabilities)

    def pipeline(temperature: float) -> "NDArray[np.float32]":
        average: NDArray[np.float32] = np.mean([apply_temperature(look, temperature) for look in looks], axis=0)
        return average

    return best_temperature(pipeline, faces.targets)


class _Mirrored(nn.Module):
    """What a network says of the mirror images."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Tensor) -> Tensor:
        logits: Tensor = self.module(batch.flip(-1))
        return logits


def _shares(data: Data) -> "NDArray[np.float64]":
    """The share (7,) of each emotion in training, all positive."""
    shares: NDArray[np.float64] = data.train.distribution.mean(axis=0, dtype=np.float64)
    if data.untaught:
        raise TrainingError(
            f"no training face is labelled {' or '.join(data.untaught)}, so the model was never taught it, and no "
            "operating point can make up for that; train on data that has all seven emotions"
        )
    return shares
