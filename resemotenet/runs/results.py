"""The results folder: what a training run leaves behind, and how to read it.

    config.json         the whole config, defaults included
    environment.json    commit and dirty flag, versions, device, seed, command; the same of every resumption
    audit.json          identical and nearly identical images within and between the splits; how many faces of each
                        emotion were learned from; a SHA-256 of the data
    epochs.jsonl        one line an epoch, appended while training runs; safe to read at any time
    step.json           how far the epoch is that it works on; gone when it ends
    model/              the chosen epoch as a model folder
    resume/             what going on needs; local, never published
    predictions/        <labels>-<split>.npz
    result.json         written last: its presence means finished

Needs numpy, scipy and pydantic only, so results can be read where there is no torch.
"""

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..emotions import EMOTIONS
from ..errors import ResultsError
from .metrics import confusion, summary
from .schema import Epoch, read_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What numpy and zipfile raise for a file that is missing, cut off, altered, or no .npz at all.
# RuntimeError: of zipfile, members that are encrypted, or written by a version that it does not know.
_DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    MemoryError,
)
# Of a prediction file, unpacked; a million faces with long names have 200.
_MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class Predictions:
    """What a model said of one split; every figure can be computed again from it.

    Attributes:
        probabilities: (N, 7) float32, columns in canonical order, rows sum to 1.
        targets: (N,) int64 into the canonical emotions.
        ids: (N,) str, the data set's sample ids.
        leaked: (N,) bool, which images have a pixel-identical copy in train; None where the file does not say.
    """

    probabilities: "NDArray[np.float32]"
    targets: "NDArray[np.int64]"
    ids: "NDArray[np.str_]"
    leaked: "NDArray[np.bool_] | None" = None

    def __post_init__(self) -> None:
        n = self.ids.size
        shapes = (self.probabilities.shape, self.targets.shape, self.ids.shape)
        if shapes != ((n, len(EMOTIONS)), (n,), (n,)):
            raise ResultsError(
                f"predictions do not fit together: probabilities {shapes[0]}, targets {shapes[1]}, ids {shapes[2]}; "
                f"expected (N, {len(EMOTIONS)}), (N,), (N,)"
            )
        right = self.probabilities.dtype == np.float32 and self.targets.dtype == np.int64 and self.ids.dtype.kind == "U"
        if not right:
            raise ResultsError(
                f"predictions hold probabilities {self.probabilities.dtype}, targets {self.targets.dtype}, ids "
                f"{self.ids.dtype}; expected float32, int64, str"
            )
        if self.leaked is not None and (self.leaked.shape != (n,) or self.leaked.dtype != np.bool_):
            raise ResultsError(
                f"leaked is {self.leaked.dtype} of shape {self.leaked.shape}; expected bool of shape ({n},)"
            )

    @property
    def n(self) -> int:
        """How many faces were scored."""
        return self.ids.size

    @cached_property
    def guesses(self) -> "NDArray[np.int64]":
        """(N,) the likeliest emotion of each face; the first of those that are equally likely."""
        likeliest: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return likeliest

    @cached_property
    def correct(self) -> "NDArray[np.bool_]":
        """(N,) which faces were read as labelled."""
        right: NDArray[np.bool_] = self.guesses == self.targets
        return right

    @cached_property
    def confusion(self) -> "NDArray[np.int64]":
        """(7, 7) counts, rows are the truth, columns the guess, both in canonical order.

        Raises:
            ValueError: there are no faces, or a target is no emotion.
        """
        return confusion(self.guesses, self.targets)

    @cached_property
    def without_leaks(self) -> "Predictions | None":
        """Of the faces without a copy in train; None where none or all have one, or that is not known."""
        if self.leaked is None or not self.leaked.any() or self.leaked.all():
            return None
        return self.take(np.flatnonzero(~self.leaked))

    def figures(self) -> dict[str, Any]:
        """As ``metrics.summary``, with n and accuracy of the faces without a copy in train where some have one.

        Raises:
            ValueError: as there.
        """
        figures = summary(self.probabilities, self.targets)
        if (clean := self.without_leaks) is not None:
            figures["without_leaks"] = {"n": clean.n, "accuracy": float(clean.correct.mean())}
        return figures

    def save(self, path: Path) -> None:
        """Write one .npz, atomically; the same predictions give the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = {each.name: getattr(self, each.name) for each in fields(self)}
        arrays = {name: array for name, array in stored.items() if array is not None}
        with replacing(path) as fresh, fresh.open("wb") as file:
            np.savez_compressed(file, labels=np.array(EMOTIONS), **arrays)

    def take(self, rows: "NDArray[np.int64]") -> "Predictions":
        """Of these faces only, in this order."""
        leaked = None if self.leaked is None else self.leaked[rows]
        return Predictions(self.probabilities[rows], self.targets[rows], self.ids[rows], leaked)

    @classmethod
    def load(cls, path: str | Path) -> "Predictions":
        """Read what ``save`` wrote.

        Raises:
            ResultsError: the file is missing or damaged, or its columns are in another order.
        """
        try:
            if Path(path).exists() and not Path(path).is_file():
                raise ValueError("it is no file")  # a pipe would be waited for
            # Opened here, because numpy leaves a damaged file open.
            with open(path, "rb") as file, zipfile.ZipFile(file) as members:
                size = sum(member.file_size for member in members.infolist())
                if size > _MOST_BYTES:
                    raise ValueError(f"it unpacks to {size / 1e6:,.0f} MB, expected at most {_MOST_BYTES / 1e6:,.0f}")
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                labels = tuple(str(label) for label in arrays["labels"])
                leaked = arrays.get("leaked")
                predictions = cls(arrays["probabilities"], arrays["targets"], arrays["ids"], leaked)
            "".join(map(str, predictions.ids)).encode()  # half characters could not be shown
        except _DAMAGED as error:
            raise ResultsError(f"{path} holds no predictions: {error}") from error
        if labels != EMOTIONS:
            raise ResultsError(f"{path} has the columns {labels}, expected {EMOTIONS}")
        return predictions


@dataclass(frozen=True)
class ResultsFolder:
    """The places in one run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def audit(self) -> Path:
        return self.path / "audit.json"

    @property
    def epochs(self) -> Path:
        return self.path / "epochs.jsonl"

    @property
    def step(self) -> Path:
        return self.path / "step.json"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def resume(self) -> Path:
        return self.path / "resume"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    def predictions(self, labels: str, split: str) -> Path:
        return self.path / "predictions" / f"{labels}-{split}.npz"

    @property
    def is_finished(self) -> bool:
        return self.result.is_file()

    def check_finished(self) -> None:
        """Raise ResultsError unless the run is finished."""
        if not self.is_finished:
            raise ResultsError(f"{self.path} has no {self.result.name}, so the run is not finished; resume it first")

    def read_epochs(self) -> list[Epoch]:
        """All epochs written so far; a last line cut off by a crash is not one.

        Raises:
            ResultsError: another line is damaged.
        """
        return read_lines(Epoch, self.epochs)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it takes the place of ``path`` only when the block ends well.

    Raises:
        OSError: the disk is full, say; names ``path``.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        yield fresh
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as error:
        error.filename = str(path)  # a full disk names no file, others the one beside
        raise
    finally:
        with suppress(OSError):  # what it failed with is what counts
            fresh.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON, atomically; numbers that are not finite are refused."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def flatten(values: Mapping[str, Any], separator: str = ".") -> dict[str, Any]:
    """Nested objects as one, under joined names: "optimization.epochs"."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}{separator}{inner}": each for inner, each in flatten(value, separator).items()}
        else:
            flat[name] = value
    return flat


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        ResultsError: it is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} cannot be read: {error}") from error
