"""One run, from data to a finished results folder; reads top to bottom.

An interrupted run goes on from its last whole epoch: order, augmentation and dropout of an epoch are pure functions of
(seed, epoch), so the weights come out the same as if it had never stopped.
"""

import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list, gather_object
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from resemotenet.checkpoint import LoadedModel, ModelInfo, load_model, save_model
from resemotenet.errors import DeviceError, TrainingError
from resemotenet.models import create_model
from resemotenet.results import SCHEMA, ResultsFolder, write_json

from .augmentation import augment
from .config import RunConfig
from .cost import count_macs, peak_memory
from .description import check_network, describe
from .evaluation import figures, predict_all, record
from .loading import Batches, Data, load_data
from .optimization import build_average, build_optimizer, learning_rate, loss_function
from .recorder import Recorder

# Reading a loss waits for the device, so losses are looked at in groups.
_CHECK_EVERY = 20


def train(config: RunConfig) -> ResultsFolder:
    """Start a new run and bring it to its end at validation; test is not touched.

    Raises:
        DatasetError: the data cannot be used.
        UnknownModelError, CompactLayoutError: there is no such network, or not for this input.
        DeviceError: the device does not have the precision.
        TrainingError: a setting makes no sense, or the loss is not finite.
    """
    accelerator = _accelerator(config)
    check_network(config)
    data = load_data(config)
    folder = ""
    if accelerator.is_main_process:
        folder = str(Recorder.start(config, _device_name(accelerator.device), data.audit).folder.path)
    (folder,) = broadcast_object_list([folder])
    return _run(config, Recorder(Path(folder)), data, accelerator)


def resume(config: RunConfig, folder: Path) -> ResultsFolder:
    """Go on with an unfinished run from its last whole epoch; errors as in ``train``."""
    accelerator = _accelerator(config)
    return _run(config, Recorder(folder), load_data(config), accelerator)


@dataclass
class _Progress:
    """All that changes while a run goes on; what a resumed run needs."""

    model: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: Any
    epoch: int = 0
    chosen: dict[str, Any] | None = None

    @property
    def judged(self) -> nn.Module:
        """The weights that are validated and kept."""
        return self.model if self.average is None else self.average.module

    def state(self) -> dict[str, Any]:
        parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer, "scaler": self.scaler}
        saved = {name: part.state_dict() for name, part in parts.items() if part is not None}
        return {**saved, "epoch": self.epoch, "chosen": self.chosen}

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"], strict=True)
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"], strict=True)
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.epoch, self.chosen = state["epoch"], state["chosen"]


def _run(config: RunConfig, recorder: Recorder, data: Data, accelerator: Accelerator) -> ResultsFolder:
    info = describe(config)
    progress = _begin(config, info, accelerator)
    if (state := recorder.load_state()) is not None:
        progress.restore(state)
    model, optimizer = accelerator.prepare(progress.model, progress.optimizer)
    batches = Batches.of(
        data.train,
        accelerator.device,
        batch_size=config.optimization.batch_size,
        seed=config.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
    )
    if accelerator.is_main_process:
        recorder.forget_epochs_from(progress.epoch)
    with _progress_bar(recorder.run, config, progress, len(batches), accelerator) as bar:
        while progress.epoch < config.optimization.epochs:
            started = time.perf_counter()
            loss = _train_epoch(model, optimizer, progress, batches, config, accelerator, bar)
            measured = _validate(progress.judged, info, data, recorder.folder.path)
            line = {
                "epoch": progress.epoch,
                "loss": loss,
                "learning_rate": optimizer.param_groups[0]["lr"],
                "seconds": round(time.perf_counter() - started, 2),
                "validation": measured,
            }
            progress.epoch += 1
            if accelerator.is_main_process:
                _keep(recorder, progress, info, data.primary, measured)
                recorder.epoch(line)
                recorder.save_state(progress.state())
                bar.write(_shown(line, progress, config, data.primary))
    accelerator.wait_for_everyone()
    finish(recorder, config, data, progress.chosen, accelerator)
    accelerator.wait_for_everyone()
    return recorder.folder


def _begin(config: RunConfig, info: ModelInfo, accelerator: Accelerator) -> _Progress:
    """Everything that changes, as it stands before the first step."""
    torch.manual_seed(config.seed)
    model = create_model(info.architecture, **info.arguments).to(accelerator.device)
    model = model.to(memory_format=torch.channels_last)
    decay = config.optimization.ema_decay
    return _Progress(
        model=model,
        average=None if decay is None else build_average(model, decay),
        optimizer=build_optimizer(model, config.optimization),
        scaler=accelerator.scaler,
    )


def _train_epoch(
    model: nn.Module,
    optimizer: Any,
    progress: _Progress,
    batches: Batches,
    config: RunConfig,
    accelerator: Accelerator,
    bar: Any,
) -> float:
    """One pass over the training faces; the mean loss of its batches."""
    epoch = progress.epoch
    # Everything random in this epoch follows from here, so an epoch that is run again is the same epoch.
    torch.manual_seed((config.seed * 1_000_003 + epoch) * 1_009 + accelerator.process_index)
    model.train()
    preprocess = describe(config).preprocess
    watch = _LossWatch(epoch)
    for step, (images, distribution, rows) in enumerate(batches.epoch(epoch)):
        rate = learning_rate(epoch * len(batches) + step, len(batches), config.optimization)
        for group in optimizer.param_groups:
            group["lr"] = rate
        faces = preprocess.normalize(augment(images, config.augmentation, config.network.size))
        with accelerator.autocast():
            logits = model(faces.contiguous(memory_format=torch.channels_last))
        loss = loss_function(logits, distribution, config.optimization)
        watch.add(loss.detach(), rows)
        accelerator.backward(loss)
        if config.optimization.clip_norm is not None:
            accelerator.clip_grad_norm_(model.parameters(), config.optimization.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if progress.average is not None:
            progress.average.update_parameters(progress.model)
        bar.update()
    return watch.mean()


class _LossWatch:
    """Adds losses up on the device and stops the run at the first that is not finite, naming its faces."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.total, self.count = epoch, 0.0, 0
        self.pending: list[tuple[Tensor, Tensor]] = []

    def add(self, loss: Tensor, rows: Tensor) -> None:
        self.pending.append((loss, rows))
        if len(self.pending) == _CHECK_EVERY:
            self._look()

    def mean(self) -> float:
        """Over all processes."""
        self._look()
        totals, counts = zip(*gather_object([(self.total, self.count)]), strict=True)
        return float(sum(totals) / sum(counts))

    def _look(self) -> None:
        if not self.pending:
            return
        losses = torch.stack([loss for loss, _ in self.pending]).tolist()
        for loss, (_, rows) in zip(losses, self.pending, strict=True):
            if not np.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} in epoch {self.epoch}, on the training rows {rows.tolist()}; the last "
                    "whole epoch is kept: look at these faces, or lower the learning rate"
                )
        self.total += sum(losses)
        self.count += len(losses)
        self.pending.clear()


def _validate(module: nn.Module, info: ModelInfo, data: Data, folder: Path) -> dict[str, Any]:
    """Figures of the validation split, under each label definition."""
    # Each process keeps its own BN statistics; those of the main one are saved, so all judge by them.
    for buffer in module.buffers():
        broadcast(buffer)
    model = LoadedModel(module.eval(), info, folder)
    return figures(predict_all(model, data.scored["validation"]))


def _keep(recorder: Recorder, progress: _Progress, info: ModelInfo, primary: str, measured: dict[str, Any]) -> None:
    """Keep the weights if this epoch is the best so far; the earlier one of two equals stays."""
    accuracy = measured[primary]["accuracy"]
    if progress.chosen is not None and accuracy <= progress.chosen["value"]:
        return
    progress.chosen = {"epoch": progress.epoch - 1, "by": f"validation accuracy, {primary}", "value": accuracy}
    source = {**info.training, "run": recorder.run, "chosen_epoch": progress.epoch - 1}
    save_model(recorder.folder.model, progress.judged, replace(info, training=source))


def finish(
    recorder: Recorder, config: RunConfig, data: Data, chosen: dict[str, Any] | None, accelerator: Accelerator
) -> None:
    """Validation predictions of the chosen epoch, then result.json: from here on the run is finished."""
    folder = recorder.folder
    model = load_model(folder.model)
    predictions = predict_all(model, data.scored["validation"])
    if not accelerator.is_main_process:
        return
    for name, each in predictions.items():
        each.save(folder.predictions(name, "validation"))
    cost = {
        "parameters": sum(p.numel() for p in model.module.parameters()),
        "macs": count_macs(model.module, (1, model.preprocess.channels, model.preprocess.size, model.preprocess.size)),
        "epochs": config.optimization.epochs,
        "seconds": round(sum(line["seconds"] for line in folder.read_epochs()), 1),
        "device": _device_name(accelerator.device),
        "processes": accelerator.num_processes,
        "peak_memory_bytes": peak_memory(accelerator.device),
    }
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "run": recorder.run,
        "protocol": "validation-chosen, test once",
        "chosen": chosen,
        "splits": {},
        "also": {},
        "cost": cost,
    }
    record(result, "validation", predictions, model.info.views, data.leaked["validation"])
    write_json(folder.result, result)


def _progress_bar(
    run: str, config: RunConfig, progress: _Progress, steps_per_epoch: int, accelerator: Accelerator
) -> Any:
    return tqdm(
        total=config.optimization.epochs * steps_per_epoch,
        initial=progress.epoch * steps_per_epoch,
        unit="step",
        desc=run,
        disable=not accelerator.is_main_process,
        mininterval=2.0,
        dynamic_ncols=True,
    )


def _shown(line: dict[str, Any], progress: _Progress, config: RunConfig, primary: str) -> str:
    """One epoch in one printed line; a star marks the best so far."""
    measured = line["validation"]
    parts = [f"{name} {100 * each['accuracy']:.2f}" for name, each in measured.items()]
    best = "*" if progress.chosen and progress.chosen["epoch"] == line["epoch"] else " "
    recall = measured[primary]["macro_recall"]
    return (
        f"epoch {progress.epoch:3d}/{config.optimization.epochs}{best} loss {line['loss']:.4f}  validation % "
        f"{', '.join(parts)}  macro recall {100 * recall:.2f}  {line['seconds']:.0f} s"
    )


def _accelerator(config: RunConfig) -> Accelerator:
    try:
        accelerator = Accelerator(cpu=config.device == "cpu", mixed_precision=config.precision)
    except ValueError as error:
        raise DeviceError(f"precision {config.precision!r} cannot be had here: {error}") from error
    if config.precision != "no" and not accelerator.native_amp:  # accelerate would go on in float32
        raise DeviceError(f"precision {config.precision!r} cannot be had on {accelerator.device}; take 'no' or 'bf16'")
    return accelerator


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({platform.machine()})"
