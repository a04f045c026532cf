"""All that changes while a run goes on; what a resumed run needs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.swa_utils import AveragedModel

from resemotenet.checkpoints.backbone import load_backbone
from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.errors import ResEmoteNetError, TrainingError
from resemotenet.models import create_model
from resemotenet.runs.schema import ModelInfo, RunConfig

from .earlier import take_weights
from .optimization import build_average, build_optimizer


@dataclass
class Progress:
    """One for each process.

    Attributes:
        scaler: of the loss, in fp16.
        epoch: how many are done.
        chosen: the best epoch so far, as result.json has it; known to the main process alone.
        values: validation accuracy of every epoch done.
        saving_seconds: what saving the last epoch took; None right after a stop, since what is saved cannot hold it.
    """

    model: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: Any
    epoch: int = 0
    chosen: dict[str, Any] | None = None
    values: list[float] = field(default_factory=list)
    saving_seconds: float | None = 0.0

    @classmethod
    def begin(
        cls,
        config: RunConfig,
        info: ModelInfo,
        accelerator: Accelerator,
        *,
        start: LoadedModel | None = None,
        fresh: bool = True,
    ) -> "Progress":
        """As it stands before the first step; if not ``fresh``, ``restore`` follows.

        Args:
            info: as ``describe`` gives it.
            start: the model that ``config.network.start`` names.

        Raises:
            CheckpointError, TrainingError: the weights to start from cannot be used.
        """
        torch.manual_seed(config.seed)
        model = create_model(info.architecture, **info.arguments)
        if fresh and config.network.backbone is not None:
            try:
                accelerator.print(f"backbone {load_backbone(model, config.network.backbone)}")
            except ResEmoteNetError:
                raise
            except ValueError as error:
                raise TrainingError(f"network.backbone cannot be used: {error}") from error
        if fresh and start is not None:
            take_weights(model, info, start)
        model = model.to(accelerator.device)
        model = model.to(memory_format=torch.channels_last)
        decay = config.optimization.ema_decay
        return cls(
            model=model,
            average=None if decay is None else build_average(model, decay),
            optimizer=build_optimizer(model, config.optimization),
            scaler=accelerator.scaler,
        )

    @property
    def judged(self) -> nn.Module:
        """The weights that are validated and kept."""
        return self.model if self.average is None else self.average.module

    def state(self) -> dict[str, Any]:
        """For ``torch.save``, and for ``torch.load`` with weights_only."""
        parts = {"model": self.model, "average": self.average, "optimizer": self.optimizer, "scaler": self.scaler}
        saved = {name: part.state_dict() for name, part in parts.items() if part is not None}
        return {**saved, "epoch": self.epoch, "chosen": self.chosen, "values": self.values}

    def restore(self, state: dict[str, Any], run: Path) -> None:
        """Go on from what ``state`` gave.

        Raises:
            TrainingError: it is of another network or optimizer than the run's config.json asks for.
        """
        self.saving_seconds = None
        try:
            self.model.load_state_dict(state["model"], strict=True)
            self.optimizer.load_state_dict(state["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(state["average"], strict=True)
            if self.scaler is not None:
                self.scaler.load_state_dict(state["scaler"])
            self.epoch, self.chosen, self.values = state["epoch"], state["chosen"], state["values"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(
                f"what {run} saved to go on from does not fit the network or the optimizer of its config.json, which "
                "may have been changed since; put back what was there, or start a new run. Nothing was changed"
            ) from error
