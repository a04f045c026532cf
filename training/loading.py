"""The whole data set as one uint8 tensor on the device, cut into batches; 48x48 faces take 82 MB in all."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from resemotenet.datasets import FER2013, SPLITS, FaceSet, read_fer2013
from resemotenet.errors import DatasetFormatError, TrainingError

from .audit import audit, has_copy_in
from .config import RunConfig

# What a run learns from, and the label definitions its predictions are scored under, the first one deciding.
_LEARNED = {"fer2013": "fer2013", "ferplus": "ferplus-soft"}
_SCORED = {"fer2013": ("fer2013",), "ferplus": ("ferplus-strict", "ferplus-usual", "fer2013")}


@dataclass(frozen=True)
class Data:
    """Everything a run reads: faces to learn from, faces to score, the audit of both."""

    train: FaceSet
    scored: dict[str, dict[str, FaceSet]]
    """By split ("validation", "test"), then by label definition."""
    leaked: dict[str, set[str]]
    """By split: ids of faces that have an identical copy in train, whatever train leaves out."""
    audit: dict[str, Any]

    @property
    def primary(self) -> str:
        """The label definition by which the epoch is chosen."""
        return next(iter(self.scored["validation"]))


def load_data(config: RunConfig) -> Data:
    """Read the data set of a run and make sure that it can be trained on, before any hour is spent.

    Raises:
        DatasetError: it is missing, broken or has an empty split, or too few faces to train on.
    """
    whole = read_fer2013(config.data)
    original = {split: whole.split(split) for split in SPLITS}
    leaked = {
        split: set(original[split].ids[has_copy_in(original[split].images, original["train"].images)])
        for split in ("validation", "test")
    }
    kept = _first(whole, config.dataset.limit)
    train = kept.split("train", _LEARNED[config.dataset.labels])
    if config.dataset.leave_out_leaked:
        others = np.concatenate([original["validation"].images, original["test"].images])
        train = train.where(~has_copy_in(train.images, others))
    if len(train) < config.optimization.batch_size:
        batch = config.optimization.batch_size
        raise DatasetFormatError(f"{len(train)} training faces are fewer than one batch of {batch}; make it smaller")
    scored = {
        split: {name: kept.split(split, name) for name in _SCORED[config.dataset.labels]}
        for split in ("validation", "test")
    }
    return Data(train, scored, leaked, audit(original))


def _first(whole: FER2013, limit: int | None) -> FER2013:
    """Only the first faces of each split, counted before a label definition leaves any out."""
    if limit is None:
        return whole
    rows = np.concatenate([np.flatnonzero(whole.usage == usage)[:limit] for usage in SPLITS.values()])
    return replace(
        whole,
        images=whole.images[rows],
        emotion=whole.emotion[rows],
        usage=whole.usage[rows],
        ids=whole.ids[rows],
        votes=None if whole.votes is None else whole.votes[rows],
    )


@dataclass(frozen=True)
class Batches:
    """Batches of one process; all processes together see a face once an epoch.

    The order is a pure function of (seed, epoch), so a resumed run meets the same batches. The last batch of an epoch
    is left out if it is not whole: BN statistics of a handful of faces are noise.

    Raises:
        TrainingError: the processes cannot share a batch evenly.
    """

    images: Tensor
    distribution: Tensor
    batch_size: int
    seed: int
    process: int = 0
    processes: int = 1

    @classmethod
    def of(cls, faces: FaceSet, device: torch.device, **arguments: Any) -> "Batches":
        return cls(
            torch.from_numpy(faces.images).to(device), torch.from_numpy(faces.distribution).to(device), **arguments
        )

    def __post_init__(self) -> None:
        if self.batch_size % self.processes:
            raise TrainingError(
                f"a batch of {self.batch_size} faces cannot be shared evenly by {self.processes} processes; make it a "
                "multiple of them"
            )

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(images (B, 1, H, W) uint8, distribution (B, 7), rows (B,)) of this process, batch after batch."""
        generator = torch.Generator().manual_seed(self.seed * 100_003 + number)
        order = torch.randperm(len(self.images), generator=generator)
        for step in range(len(self)):
            batch = order[step * self.batch_size : (step + 1) * self.batch_size]
            rows = batch[self.process :: self.processes].to(self.images.device)
            yield self.images[rows], self.distribution[rows], rows
