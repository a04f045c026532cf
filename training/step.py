"""One step: from a batch to the gradient of all its faces, however they are shared out; and the watch over the loss."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.errors import TrainingError
from resemotenet.models.emonext import EmoNeXtOutputs
from resemotenet.runs.schema import RunConfig

from .augmentation import augment, mixup
from .loading import Batch
from .optimization import attention_variance, loss_sum, weight_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Reading a loss waits for the device, so losses are looked at in groups.
_CHECK_EVERY = 20


@dataclass(frozen=True)
class Objective:
    """What a run makes smaller.

    Attributes:
        weights: (7,) one weight an emotion, on the device; None for no weights.
    """

    config: RunConfig
    preprocess: Preprocess
    weights: Tensor | None

    def backward(self, model: nn.Module, batch: Batch, accelerator: Accelerator) -> Tensor:
        """Add the gradient of the batch to the parameters' own; all processes end up with the same one.

        Each process adds up the losses of its faces part by part and divides by what the whole batch weighs.
        DistributedDataParallel takes the mean over processes, hence the factor.

        Args:
            model: in training mode, as ``accelerator.prepare`` gave it, perhaps compiled.

        Returns:
            The loss as this process sees it; the mean over processes is that of the batch.
        """
        parts = self.config.optimization.accumulate
        scale = accelerator.num_processes / weight_sum(batch.all_distribution, self.weights)
        total = torch.zeros((), device=batch.images.device)
        shares = zip(batch.images.chunk(parts), batch.distribution.chunk(parts), strict=True)
        for part, (images, distribution) in enumerate(shares, start=1):
            # Gradients travel between the processes once a batch, with its last part.
            with nullcontext() if part == parts else accelerator.no_sync(model):
                loss = self._loss(model, images, distribution, scale, accelerator)
                accelerator.backward(loss)
            total += loss.detach()
        return total

    def _loss(
        self, model: nn.Module, images: Tensor, distribution: Tensor, scale: Tensor | float, accelerator: Accelerator
    ) -> Tensor:
        """The part's share of the loss of the batch."""
        config = self.config.optimization
        augmentation = self.config.augmentation
        faces = augment(images, augmentation, self.config.network.size)
        faces, distribution = mixup(faces, distribution, augmentation.mixup)
        with accelerator.autocast():
            outputs = model(self.preprocess.normalize(faces).contiguous(memory_format=torch.channels_last))
        if not isinstance(outputs, EmoNeXtOutputs):
            return loss_sum(outputs, distribution, config, self.weights) * scale
        # Of the faces of this part in this process: their mean stands for that of the batch. Added at weight 0 too,
        # since DistributedDataParallel waits for a gradient of the attention, be it zero.
        variance = config.attention_variance * attention_variance(outputs.attention) / config.accumulate
        return loss_sum(outputs.logits, distribution, config, self.weights) * scale + variance


class LossWatch:
    """Adds losses up on the device and stops the run at the first that is not finite, naming its faces.

    Args:
        ids: of all training faces; ``add`` takes their rows.
    """

    def __init__(self, epoch: int, ids: "NDArray[np.str_]") -> None:
        self.epoch, self.ids, self.total, self.count = epoch, ids, 0.0, 0
        self.pending: list[tuple[Tensor, Tensor]] = []
        self.last = torch.zeros(0, dtype=torch.int64)

    def add(self, loss: Tensor, rows: Tensor) -> None:
        self.pending.append((loss, rows))
        self.last = rows
        if len(self.pending) == _CHECK_EVERY:
            self._look()

    def mean(self) -> float:
        """Over all processes."""
        self._look()
        totals, counts = zip(*gather_object([(self.total, self.count)]), strict=True)
        return float(sum(totals) / sum(counts))

    def check_after(self, finite: bool, what: str) -> None:
        """Stop the run if the epoch left behind something that is not finite: its last update is in no loss of it.

        Raises:
            TrainingError: names the faces of the last step.
        """
        if not finite:
            raise TrainingError(
                f"{what} were not finite after epoch {self.epoch}, although its losses were; its last step was on the "
                f"training faces {self._names(self.last)}; the last whole epoch is kept: look at these faces, or lower "
                "the learning rate"
            )

    def _names(self, rows: Tensor) -> str:
        return ", ".join(self.ids[rows.cpu().numpy()])

    def _look(self) -> None:
        if not self.pending:
            return
        losses = torch.stack([loss for loss, _ in self.pending]).tolist()
        for loss, (_, rows) in zip(losses, self.pending, strict=True):
            if not np.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} in epoch {self.epoch}, on the training faces {self._names(rows)}; the "
                    "last whole epoch is kept: look at these faces, or lower the learning rate"
                )
        self.total += sum(losses)
        self.count += len(losses)
        self.pending.clear()
