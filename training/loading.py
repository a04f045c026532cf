"""A data set as one uint8 tensor on the device, cut into batches; 48x48 faces take 82 MB in all.

Sets of picture files are read once, at the size of the network's input. Those that are too large for memory stay in
their prepared file (``picture_sets``), and a batch brings its own faces to the device; the batches are the same.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from resemotenet.datasets import (
    FER2013,
    SPLITS,
    FaceSet,
    ReadyFaces,
    Synthetic,
    dataset_info,
    recognise,
)
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetError, DatasetFormatError, DatasetNotFoundError, TrainingError
from resemotenet.runs.label_sets import teaching
from resemotenet.runs.results import ResultsFolder
from resemotenet.runs.schema import Audit, RunConfig, read

from .ahead import ahead
from .audit import audit, fingerprints_of
from .picture_sets import PictureFiles, Storage

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Data:
    """Everything a run reads: faces to learn from, faces to score, the audit of both."""

    train: ReadyFaces
    scored: dict[str, dict[str, ReadyFaces]]
    """By split ("validation", "test"), then by label definition."""
    leaked: dict[str, set[str]]
    """By split: ids of faces that have an identical copy in train, whatever train leaves out."""
    original: dict[str, ReadyFaces]
    """By split, under the original labels, whatever train leaves out."""
    source: dict[str, Any] = field(default_factory=dict)
    """Of a set of picture files: layout, what was left out, which faces were cut off for which split."""

    @cached_property
    def audit(self) -> dict[str, Any]:
        """The content of audit.json; seconds of work that only the start of a run needs.

        "learned": the label set learned from, and how many faces of each emotion are left of train under it.
        """
        learned = {"labels": self.train.name, "faces": self.train.counts()}
        source = {"source": self.source} if self.source else {}
        return {**audit(self.original), "learned": learned, "sha256": self.sha256, **source}

    @cached_property
    def sha256(self) -> str:
        """Over ids, pixels and labels of all faces learned from or scored; the same from every format of the data."""
        digest = hashlib.sha256()
        scored = [faces for definitions in self.scored.values() for faces in definitions.values()]
        for faces in (self.train, *scored):
            digest.update(f"{faces.split} {faces.name} {' '.join(faces.ids)}".encode())
            # Shares of votes to four digits, so that the last bit of a division does not matter.
            shares = np.rint(faces.distribution * 10_000).astype("<i4")
            for images in faces.blocks():
                digest.update(images.tobytes())
            for part in (faces.targets.astype("<i8"), shares):
                digest.update(part.tobytes())
        return digest.hexdigest()

    @property
    def primary(self) -> str:
        """The label definition by which the epoch is chosen."""
        return next(iter(self.scored["validation"]))

    @property
    def untaught(self) -> tuple[str, ...]:
        """Emotions that no training face is labelled with, not even by a share: a network cannot learn them here."""
        shares = self.train.distribution.sum(axis=0)
        return tuple(emotion for emotion, share in zip(EMOTIONS, shares, strict=True) if share == 0)


def load_data(config: RunConfig) -> Data:
    """Read the data set of a run and make sure that it can be trained on, before any hour is spent.

    Raises:
        DatasetError: it is missing, broken or has an empty split, or too few faces to train on or to score.
    """
    whole = _read(config)
    original: dict[str, ReadyFaces] = {split: whole.split(split) for split in SPLITS}
    prints = {split: fingerprints_of(faces) for split, faces in original.items()}
    leaked = {
        split: set(original[split].ids[np.isin(prints[split], prints["train"])]) for split in ("validation", "test")
    }
    # Counted before a label definition leaves any out, so that all definitions see the same faces.
    first = {split: faces.ids[: config.dataset.limit] for split, faces in original.items()}

    def part(split: str, labels: str) -> ReadyFaces:
        faces = original[split] if labels == original[split].name else whole.split(split, labels)
        return faces.where(np.isin(faces.ids, first[split]))

    taught = teaching(config.dataset.labels)
    train = part("train", taught.learned)
    if config.dataset.own_share:
        train = _with_original(train, original["train"], config.dataset.own_share)
    if config.dataset.leave_out_leaked:
        others = np.concatenate([prints["validation"], prints["test"]])
        train = train.where(~np.isin(train.ids, original["train"].ids[np.isin(prints["train"], others)]))
    if len(train) < config.optimization.batch_size:
        batch = config.optimization.batch_size
        raise DatasetFormatError(f"{len(train)} training faces are fewer than one batch of {batch}; make it smaller")
    scored = {split: {name: part(split, name) for name in taught.scored} for split in ("validation", "test")}
    for split, definitions in scored.items():
        for name, faces in definitions.items():
            if not len(faces):
                raise DatasetFormatError(f"no {split} face is left under the labels {name}, so nothing can be scored")
    return Data(train, scored, leaked, original, _source(whole))


def _source(whole: FER2013 | Synthetic | PictureFiles) -> dict[str, Any]:
    if isinstance(whole, Synthetic):
        return {}
    return whole.record() if isinstance(whole, FER2013) else whole.source


def _with_original(train: ReadyFaces, original: ReadyFaces, share: float) -> FaceSet:
    """The faces of ``train``, a share of whose distribution is the original label."""
    assert isinstance(train, FaceSet)  # only FER2013 has both kinds of labels
    own = original.where(np.isin(original.ids, train.ids)).distribution
    return replace(train, distribution=(1 - share) * train.distribution + share * own)


def load_data_of(folder: ResultsFolder, config: RunConfig) -> Data:
    """The data of a run that was begun before, which must be what it was then.

    Raises:
        DatasetError: as ``load_data``, or ids, pixels or labels are others. Runs of a version that did not note them go
            on without.
        ResultsError: audit.json cannot be read.
    """
    data = load_data(config)
    noted = read(Audit, folder.audit).sha256
    if noted is not None and noted != data.sha256:
        raise DatasetError(
            f"{config.data or 'the synthetic data'} is not the data that {folder.path} began with: ids, pixels or "
            "labels differ; name that data with --data, or start a new run"
        )
    return data


def _read(config: RunConfig) -> "FER2013 | Synthetic | PictureFiles":
    name, skip = config.dataset.name, config.dataset.skip_broken
    if name == "synthetic":
        return Synthetic()
    assert config.data is not None  # RunConfig sees to it
    whole = dataset_info(name).read(_root(config.data, name), skip_broken=skip)
    if isinstance(whole, FER2013):
        return whole
    storage = Storage(config.cache, config.dataset.memory_share)
    return PictureFiles.of(whole, config.network.size, skip_broken=skip, storage=storage)


def _root(path: Path, name: str) -> Path:
    """Where in a folder the data set lies; the path itself where it is not seen, since its reader says what it misses.

    Raises:
        DatasetError: another data set is there.
    """
    try:
        # Signs of FER2013, the default, are in the copies of others too.
        info, _, root = recognise(path, None if name == "fer2013" else name)
    except DatasetNotFoundError:
        try:
            info, _, root = recognise(path)
        except DatasetNotFoundError:
            return path
    if info.name == name:
        return root
    if not info.use.startswith("training"):
        raise DatasetError(
            f"{path} is {info.name}, which is for evaluation only: python -m training evaluate MODEL --data {path}"
        )
    raise DatasetError(
        f"{path} looks like {info.name}, not {name}; give --dataset.name {info.name} --dataset.labels {info.name}"
    )


class Batch(NamedTuple):
    """What one process has of a batch.

    Attributes:
        images: (B, 1, H, W) uint8.
        distribution: (B, 7) float32.
        rows: (B,) int64, the faces' rows in train.
        all_distribution: (batch_size, 7) float32, of the faces of all processes.
    """

    images: Tensor
    distribution: Tensor
    rows: Tensor
    all_distribution: Tensor


@dataclass(frozen=True)
class Batches:
    """Batches of one process; all processes together see a face once an epoch.

    The order is a pure function of (seed, epoch), so a resumed run meets the same batches. The last batch of an epoch
    is left out if it is not whole: BN statistics of a handful of faces are noise.

    Attributes:
        images: (N, 1, H, W) uint8 on the device; or faces in a prepared file, which are read ahead of the step.
        distribution: (N, 7) float32, on the device.

    Raises:
        TrainingError: processes and accumulated parts cannot share a batch evenly.
    """

    images: Tensor | ReadyFaces
    distribution: Tensor
    batch_size: int
    seed: int
    process: int = 0
    processes: int = 1
    parts: int = 1

    @classmethod
    def of(
        cls,
        faces: ReadyFaces,
        device: torch.device,
        *,
        aims: "NDArray[np.float32] | None" = None,
        **arguments: Any,
    ) -> "Batches":
        """Of all faces of a set, with what is aimed at, (N, 7); the set's own distribution unless given."""
        images = torch.from_numpy(faces.images).to(device) if isinstance(faces, FaceSet) else faces
        return cls(images, torch.from_numpy(faces.distribution if aims is None else aims).to(device), **arguments)

    def __post_init__(self) -> None:
        if self.batch_size % (self.processes * self.parts):
            raise TrainingError(
                f"a batch of {self.batch_size} faces cannot be shared evenly by {self.processes} processes in "
                f"{self.parts} parts each; make it a multiple of {self.processes * self.parts}"
            )

    def __len__(self) -> int:
        return len(self.images) // self.batch_size

    def epoch(self, number: int) -> Iterator[Batch]:
        """What this process has of batch after batch."""
        generator = torch.Generator().manual_seed(self.seed * 100_003 + number)
        order = torch.randperm(len(self.images), generator=generator)
        batches = torch.split(order[: len(self) * self.batch_size], self.batch_size)
        if isinstance(self.images, Tensor):
            for batch in batches:
                batch = batch.to(self.images.device)
                yield self._batch(batch, self.images[batch[self.process :: self.processes]])
        else:
            for batch, images in ahead(self._read, batches):
                device = self.distribution.device
                yield self._batch(batch.to(device), images.to(device, non_blocking=True))

    def _read(self, batch: Tensor) -> Tensor:
        """What this process has of the images of a batch, where the device can fetch them from."""
        assert not isinstance(self.images, Tensor)
        images = torch.from_numpy(self.images.pixels(batch[self.process :: self.processes].numpy()))
        return images.pin_memory() if self.distribution.is_cuda else images

    def _batch(self, batch: Tensor, images: Tensor) -> Batch:
        rows = batch[self.process :: self.processes]
        return Batch(images, self.distribution[rows], rows, self.distribution[batch])
