"""The gradient of one batch; alone, or run by torchrun as one of several processes that share the batch.

python -m torch.distributed.run --nproc-per-node 2 tests/training/shared_gradient.py CONFIG.json OUT RUN
"""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.errors import TrainingError
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import RunConfig, read
from training import evaluation
from training.description import describe
from training.earlier import EarlierModels
from training.loading import Batches, load_data
from training.loop import _batches
from training.optimization import class_weights
from training.progress import Progress
from training.step import Objective


def gradient(config: RunConfig, accelerator: Accelerator) -> tuple[float, dict[str, Tensor]]:
    """This process's loss and the gradient that all processes have; BN in evaluation, dropout off."""
    info = describe(config)
    batches: Batches = _batches(config, load_data(config), EarlierModels.load(config), accelerator)
    progress = Progress.begin(config, info, accelerator)
    model, _ = accelerator.prepare(progress.model, progress.optimizer)
    model.eval()
    weights = class_weights(batches.distribution, config.optimization)
    objective = Objective(config, Preprocess.of(info.preprocess), weights)
    loss = objective.backward(model, next(batches.epoch(0)), accelerator)
    grads = {name: each.grad for name, each in progress.model.named_parameters() if each.grad is not None}
    return loss.item(), grads


def main(config_path: str, out: str, run: str) -> None:
    config = read(RunConfig, config_path, TrainingError)
    accelerator = Accelerator(cpu=True)
    torch.save(gradient(config, accelerator), Path(out) / f"gradient-{accelerator.process_index}.pt")
    # Small batches, so that each process has some.
    evaluation._BATCH = 8
    evaluation.evaluate_run(ResultsFolder(Path(run)), load_data(config).scored, "validation")
    accelerator.end_training()


if __name__ == "__main__":
    main(*sys.argv[1:])
