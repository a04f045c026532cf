"""What a run is made of: one frozen dataclass, written whole into the run's config.json.

Every field can be overridden on the command line, for example ``--optimization.epochs 5``.
"""

from dataclasses import asdict, dataclass, field
from math import inf
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from resemotenet.errors import TrainingError


@dataclass(frozen=True)
class Network:
    """The architecture and the input it is trained on."""

    name: str = "resemotenet"
    width: float = 1.0
    compact: bool = True
    """Leave out the weights that never meet a pixel; exact, and about 1.5 times as fast."""
    size: int = 64
    channels: Literal[1, 3] = 3
    conv_dropout: float = 0.2
    head_dropout: float = 0.5


@dataclass(frozen=True)
class Dataset:
    """What is learned, and from which rows."""

    name: Literal["fer2013"] = "fer2013"
    labels: Literal["fer2013", "ferplus"] = "fer2013"
    """fer2013: the original labels. ferplus: the shares of ten annotators; scored on the strict majority."""
    leave_out_leaked: bool = True
    """Leave out training images that have a pixel-identical copy in validation or test."""
    limit: int | None = None
    """Only the first this many faces of each split, for a rehearsal; such a run is never a result."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges are symmetric around "no change" and drawn uniformly, once a face."""

    flip: bool = True
    rotation: float = 15.0
    """Degrees."""
    scale: float = 0.15
    """Fraction of the side by which more or less of the picture is shown."""
    shift: float = 0.15
    """Fraction of the side."""
    brightness: float = 0.2
    """Fraction of full scale added."""
    contrast: float = 0.2
    """Fraction by which the spread around the face's mean changes."""
    erase: float = 0.5
    """Probability that one rectangle of 2 % to 20 % of the area is replaced by noise."""


@dataclass(frozen=True)
class Optimization:
    """SGD with momentum; the rate is a pure function of the step."""

    epochs: int = 60
    batch_size: int = 128
    """Over all processes."""
    learning_rate: float = 0.06
    """Peak."""
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    warmup_epochs: float = 2.0
    schedule: Literal["cosine", "constant"] = "cosine"
    label_smoothing: float = 0.0
    clip_norm: float | None = 5.0
    ema_decay: float | None = 0.999
    """Exponential moving average of the weights, the one that is validated and kept; None: the weights themselves."""


@dataclass(frozen=True)
class RunConfig:
    """One run from data to a results folder."""

    recipe: str
    data: Path
    """A .csv or .parquet file or a folder; see resemotenet.datasets."""
    results: Path = Path("results")
    seed: int = 0
    network: Network = field(default_factory=Network)
    dataset: Dataset = field(default_factory=Dataset)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimization: Optimization = field(default_factory=Optimization)
    precision: Literal["no", "bf16", "fp16"] = "no"
    device: Literal["auto", "cpu"] = "auto"

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = attrgetter(name)(self)
            if value is not None and not low <= value <= high:
                raise TrainingError(f"{name} is {value}, expected {low} to {high}")

    def to_dict(self) -> dict[str, Any]:
        """What config.json of a results folder holds."""
        return {**asdict(self), "data": str(self.data), "results": str(self.results)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunConfig":
        """Read back ``to_dict``.

        Raises:
            TrainingError: a setting is missing or not known to this version, or out of range.
        """
        parts = {"network": Network, "dataset": Dataset, "augmentation": Augmentation, "optimization": Optimization}
        try:
            nested = {name: part(**values[name]) for name, part in parts.items()}
            return cls(**{**values, **nested, "data": Path(values["data"]), "results": Path(values["results"])})
        except (KeyError, TypeError) as error:
            raise TrainingError(f"this is no config of a run, or of another version: {error}") from error


_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "dataset.limit": (1, inf),
    "augmentation.rotation": (0, 180),
    "augmentation.scale": (0, 0.99),
    "augmentation.shift": (0, 1),
    "augmentation.brightness": (0, 1),
    "augmentation.contrast": (0, 1),
    "augmentation.erase": (0, 1),
    "optimization.epochs": (1, inf),
    "optimization.batch_size": (1, inf),
    "optimization.learning_rate": (0, inf),
    "optimization.momentum": (0, 1),
    "optimization.weight_decay": (0, inf),
    "optimization.warmup_epochs": (0, inf),
    "optimization.label_smoothing": (0, 1),
    "optimization.clip_norm": (0, inf),
    "optimization.ema_decay": (0, 1),
}
