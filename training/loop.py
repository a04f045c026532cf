"""One run, from data to a finished results folder; reads top to bottom.

An interrupted run goes on from its last whole epoch: order, augmentation and dropout of an epoch are pure functions of
(seed, epoch), so the weights come out the same as if it had never stopped: bit for bit on a CPU with the same number of
threads, to rounding on a GPU, where some sums run in no fixed order.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list
from torch import nn
from tqdm.auto import tqdm

from resemotenet.checkpoints.checkpoint import LoadedModel, save_model
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.errors import CheckpointError, CheckpointFormatError, ResEmoteNetError, ResultsError, in_words
from resemotenet.runs.results import Predictions, ResultsFolder, write_json
from resemotenet.runs.schema import SCHEMA, Audit, Chosen, Cost, Epoch, Figures, ModelInfo, Result, RunConfig, read

from .cost import count_macs, device_name, forget_peak_memory, note_latency, peak_memory, run_cost
from .description import check_network, describe
from .earlier import EarlierModels, with_chain
from .evaluation import load_chosen, made_with, marked, predict_all, record, save_predictions
from .loading import Batches, Data, load_data, load_data_of
from .locks import alone_with
from .optimization import class_weights, has_stalled, learning_rate
from .processes import start_accelerator
from .progress import Progress
from .recorder import Recorder, check_place
from .step import LossWatch, Objective
from .trackers import start_tracking, track_epoch


def train(config: RunConfig) -> ResultsFolder:
    """Start a new run and bring it to its end at validation; test is not touched.

    Everything that can be wrong from the start is found before the results folder exists.

    Raises:
        DatasetError: the data cannot be used.
        UnknownModelError, CompactLayoutError: there is no such network, or not for this input.
        CheckpointError: the backbone's weights cannot be used.
        DeviceError: the device does not have the precision.
        ResultsError: no folder can be made where the results are to lie.
        TrainingError: a setting makes no sense, or the loss or the weights became not finite.
    """
    accelerator = start_accelerator(config)
    info = check_network(config)
    check_place(config.results)
    earlier = EarlierModels.load(config)
    data = load_data(config)
    if accelerator.is_main_process and data.untaught:
        print(
            f"no training face is labelled {' or '.join(data.untaught)}, which the model will not learn from them; a "
            "release refuses such a model",
            file=sys.stderr,
        )
    info = _with_what_was_taught(info, data)
    batches = _batches(config, data, earlier, accelerator)
    progress = Progress.begin(config, info, accelerator, start=earlier.start)
    audit = Audit(**data.audit, earlier=earlier.noted()) if earlier else Audit(**data.audit)
    info = with_chain(info, audit.earlier)
    del earlier  # its memory
    folder = ""
    if accelerator.is_main_process:
        folder = str(Recorder.start(config, device_name(accelerator.device), audit).folder.path)
    (folder,) = broadcast_object_list([folder])
    with alone_with(ResultsFolder(Path(folder))):
        return _run(config, info, Recorder(Path(folder)), data, batches, progress, accelerator)


def resume(config: RunConfig, folder: Path) -> ResultsFolder:
    """Go on with an unfinished run from its last whole epoch; errors as in ``train``.

    Raises:
        DatasetError: also where the data is not what the run began with.
        TrainingError: also where a model that the run depends on is not the one that it began with.
        ResultsError: also where another process works on the run, or what going on needs is missing or damaged; then
            nothing was changed.
    """
    accelerator = start_accelerator(config)
    with alone_with(ResultsFolder(folder)):
        return _go_on(config, Recorder(folder), accelerator)


def _go_on(config: RunConfig, recorder: Recorder, accelerator: Accelerator) -> ResultsFolder:
    if recorder.folder.is_finished:  # while this process waited or looked elsewhere
        return recorder.folder
    state = recorder.load_state()
    fresh = state is None
    if state is not None:
        recorder.check_state(state)
    earlier = EarlierModels.load(config, start=fresh)
    earlier.check(recorder.folder)
    data = load_data_of(recorder.folder, config)
    info = _with_what_was_taught(describe(config), data)
    info = with_chain(info, read(Audit, recorder.folder.audit).earlier)
    batches = _batches(config, data, earlier, accelerator)
    progress = Progress.begin(config, info, accelerator, start=earlier.start, fresh=fresh)
    del earlier  # its memory
    if state is not None:
        if "values" not in state:  # of a version before schedules looked at them
            lines = recorder.folder.read_epochs()[: state["epoch"]]
            state["values"] = [line.validation[data.primary].accuracy for line in lines]
        progress.restore(state, recorder.folder.path)
    if accelerator.is_main_process:
        recorder.resumed(progress.epoch, device_name(accelerator.device))
    return _run(config, info, recorder, data, batches, progress, accelerator)


def _batches(config: RunConfig, data: Data, earlier: EarlierModels, accelerator: Accelerator) -> Batches:
    return Batches.of(
        data.train,
        accelerator.device,
        aims=earlier.teach(data.train, config.distillation.share, accelerator.device),
        batch_size=config.optimization.batch_size,
        seed=config.seed,
        process=accelerator.process_index,
        processes=accelerator.num_processes,
        parts=config.optimization.accumulate,
    )


@dataclass(frozen=True)
class _Run:
    """What stays the same from the first epoch to the last."""

    config: RunConfig
    info: ModelInfo
    recorder: Recorder
    data: Data
    batches: Batches
    objective: Objective
    accelerator: Accelerator
    bar: Any


def _run(
    config: RunConfig,
    info: ModelInfo,
    recorder: Recorder,
    data: Data,
    batches: Batches,
    progress: Progress,
    accelerator: Accelerator,
) -> ResultsFolder:
    model, optimizer = accelerator.prepare(progress.model, progress.optimizer)
    # The step asks for autocast where it wants it; without this, validation would be in low precision as well.
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    if config.compile:
        model = torch.compile(model)
    weights = class_weights(batches.distribution, config.optimization)
    objective = Objective(config, Preprocess.of(info.preprocess), weights)
    start_tracking(accelerator, config, recorder.folder.path)
    if accelerator.is_main_process:
        recorder.forget_epochs_from(progress.epoch)
        print(f"results folder: {recorder.folder.path}", flush=True)
    with _progress_bar(recorder.run, config, progress, len(batches), accelerator) as bar:
        run = _Run(config, info, recorder, data, batches, objective, accelerator, bar)
        try:
            _until_done(run, model, optimizer, progress)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(str(recorder.folder.path)) from stop  # what can be resumed
        except OSError as error:
            if isinstance(error, ResEmoteNetError | BrokenPipeError):
                raise
            raise _resumable(recorder.folder.path, in_words(error)) from error
    accelerator.end_training()
    return recorder.folder


def _resumable(run: Path, refused: str) -> ResultsError:
    """What a disk refused, with the command that goes on once that is mended."""
    return ResultsError(f"{refused}; then 'python -m training resume {run}' goes on from the last whole epoch")


def _with_what_was_taught(info: ModelInfo, data: Data) -> ModelInfo:
    """The copy of a data set that one has may be a part of it: weights say themselves how much they learned from."""
    unseen = {"untaught": list(data.untaught)} if data.untaught else {}
    return replace(info, training={**info.training, "faces": len(data.train), **unseen})


def _until_done(run: _Run, model: nn.Module, optimizer: Any, progress: Progress) -> None:
    """Epoch after epoch, each saved before the next one, then the result."""
    config, recorder, accelerator = run.config, run.recorder, run.accelerator
    while not _is_done(config, progress):
        line = _epoch(run, model, optimizer, progress)
        started = time.perf_counter()
        if accelerator.is_main_process:
            _keep(recorder, progress, run.info, run.data.primary)
            recorder.epoch(line)
            recorder.save_state(progress.state())
            run.bar.write(_shown(line, progress, config, run.data.primary))
            sys.stdout.flush()  # or a log file would stay empty for hours
        progress.saving_seconds = round(time.perf_counter() - started, 2)
        track_epoch(accelerator, line)
    accelerator.wait_for_everyone()
    finish(recorder, run.data, progress, accelerator)
    accelerator.wait_for_everyone()


def _is_done(config: RunConfig, progress: Progress) -> bool:
    """The same in all processes, since each has all figures."""
    limit = config.optimization
    return progress.epoch >= limit.epochs or has_stalled(progress.values, limit.patience)


def _epoch(run: _Run, model: nn.Module, optimizer: Any, progress: Progress) -> Epoch:
    """Train and validate once; the line for epochs.jsonl.

    A line is written before its epoch is saved whole, so it has the time that saving the epoch before took.

    Raises:
        TrainingError: a loss, the weights or the answers to the validation faces are not finite.
    """
    forget_peak_memory(run.accelerator.device)
    started = time.perf_counter()
    watch = _train_epoch(run, model, optimizer, progress)
    loss = watch.mean()
    watch.check_after(_is_finite(progress.model) and _is_finite(progress.judged), "the weights")
    trained = time.perf_counter()
    try:
        predictions = _validate(progress.judged, run.info, run.data, run.recorder.folder.path)
    except CheckpointFormatError:  # the weights answer with what is no number, but not which faces did it
        watch.check_after(False, "the answers to the validation faces")
        raise
    measured = {labels: Figures(**each.figures()) for labels, each in predictions.items()}
    progress.values.append(measured[run.data.primary].accuracy)
    progress.epoch += 1
    return Epoch(
        epoch=progress.epoch - 1,
        loss=loss,
        learning_rate=optimizer.param_groups[0]["lr"],
        seconds=round(time.perf_counter() - started, 2),
        saving_seconds_before=progress.saving_seconds,
        images_per_second=round(len(run.batches) * run.batches.batch_size / (trained - started), 1),
        peak_memory_bytes=peak_memory(run.accelerator.device),
        validation=measured,
    )


def _train_epoch(run: _Run, model: nn.Module, optimizer: Any, progress: Progress) -> LossWatch:
    """One pass over the training faces; the losses of its batches."""
    config, epoch, batches, accelerator = run.config.optimization, progress.epoch, run.batches, run.accelerator
    # Everything random in this epoch follows from here, so an epoch that is run again is the same epoch.
    torch.manual_seed((run.config.seed * 1_000_003 + epoch) * 1_009 + accelerator.process_index)
    model.train()
    watch = LossWatch(epoch, run.data.train.ids)
    for step, batch in enumerate(batches.epoch(epoch), start=epoch * len(batches)):
        rate = learning_rate(step, len(batches), config, progress.values)
        for group in optimizer.param_groups:
            group["lr"] = rate
        watch.add(run.objective.backward(model, batch, accelerator), batch.rows)
        if config.clip_norm is not None:
            # Takes fp16's loss scale out of the gradients first, or nearly all of them would be clipped away.
            accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if progress.average is not None:
            progress.average.update_parameters(progress.model)
        run.bar.update()
        if accelerator.is_main_process:
            run.recorder.step(epoch, step + 1 - epoch * len(batches), len(batches))
    return watch


def _is_finite(module: nn.Module) -> bool:
    """Whether all that is trained in it is; waits for the device once."""
    return bool(torch.stack([each.isfinite().all() for each in module.parameters()]).all())


def _validate(module: nn.Module, info: ModelInfo, data: Data, folder: Path) -> dict[str, Predictions]:
    """Predictions of the validation split, under each label definition."""
    # Each process keeps its own BN statistics; those of the main one are saved, so all judge by them.
    for buffer in module.buffers():
        broadcast(buffer)
    model = LoadedModel(module.eval(), info, folder)
    return predict_all(model, data.scored["validation"])


def _keep(recorder: Recorder, progress: Progress, info: ModelInfo, primary: str) -> None:
    """Keep the weights if this epoch is the best so far; the earlier one of two equals stays."""
    accuracy, epoch = progress.values[-1], progress.epoch - 1
    if progress.chosen is not None and accuracy <= progress.chosen["value"]:
        return
    progress.chosen = {"epoch": epoch, "by": f"validation accuracy, {primary}", "value": accuracy}
    source = {**info.training, "run": recorder.run, "chosen_epoch": epoch}
    try:
        save_model(recorder.folder.model, progress.judged, replace(info, training=source))
    except CheckpointError as error:
        raise _resumable(recorder.folder.path, str(error)) from error


def finish(recorder: Recorder, data: Data, progress: Progress, accelerator: Accelerator) -> None:
    """Validation predictions of the chosen epoch, then result.json: from here on the run is finished."""
    folder = recorder.folder
    model = load_chosen(folder)
    predictions = marked(predict_all(model, data.scored["validation"]), data.leaked["validation"])
    if not accelerator.is_main_process:
        return
    save_predictions(folder, "validation", predictions)
    assert progress.chosen is not None
    result = Result(
        version=SCHEMA,
        run=recorder.run,
        protocol="validation-chosen",
        chosen=Chosen(**progress.chosen),
        splits={},
        also={},
        cost=Cost(
            parameters=sum(p.numel() for p in model.module.parameters()),
            macs=count_macs(model.module, (1, model.preprocess.channels, *[model.preprocess.size] * 2)),
            **run_cost(folder.read_epochs(), progress.saving_seconds, accelerator.device),
            processes=accelerator.num_processes,
        ),
    )
    record(result, "validation", predictions, made_with(model))
    note_latency(result, model)
    recorder.no_step()
    write_json(folder.result, result.to_dict())


def _progress_bar(
    run: str, config: RunConfig, progress: Progress, steps_per_epoch: int, accelerator: Accelerator
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


def _shown(line: Epoch, progress: Progress, config: RunConfig, primary: str) -> str:
    """One epoch in one printed line; a star marks the best so far."""
    parts = [f"{name} {100 * each.accuracy:.2f}" for name, each in line.validation.items()]
    best = "*" if progress.chosen and progress.chosen["epoch"] == line.epoch else " "
    recall = line.validation[primary].macro_recall
    return (
        f"epoch {progress.epoch:3d}/{config.optimization.epochs}{best} loss {line.loss:.4f}  validation % "
        f"{', '.join(parts)}  macro recall {100 * (recall or 0):.2f}  {line.seconds:.0f} s, "
        f"{(line.peak_memory_bytes or 0) / 2**20:,.0f} MiB"
    )
