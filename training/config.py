"""What a run is made of: one frozen dataclass, written whole into the run's config.json.

Every field can be overridden on the command line, for example ``--optimization.epochs 5``. The default of a field that
came later is what runs did before it, so that their config.json is still read as what it was.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from math import inf
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from resemotenet.errors import TrainingError
from resemotenet.runs.label_sets import teaching


@dataclass(frozen=True)
class Network:
    """The architecture and the input it is trained on."""

    name: str = "resemotenet"
    width: float = 1.0
    compact: bool = True
    """Leave out the weights that never meet a pixel; exact, and about 1.5 times as fast. resemotenet and _c2 only."""
    size: int = 64
    channels: Literal[1, 3] = 3
    conv_dropout: float | None = 0.2
    """This, and the two below: None for a network that has no such thing."""
    head_dropout: float | None = 0.5
    stochastic_depth: float | None = None
    """EmoNeXt: None takes 0.1, what the released code takes for every size."""
    backbone: Path | None = None
    """Start from these torchvision weights (ConvNeXt for EmoNeXt, or ResNet) instead of random ones; a .pth or
    .safetensors file. Nothing is downloaded."""
    start: Path | None = None
    """Go on from the weights of this model or results folder instead of random ones: the same network (dropout may
    differ) with the same input. Its faces should have been split as these are, or validation and test are none."""


@dataclass(frozen=True)
class Dataset:
    """What is learned, and from which rows."""

    name: Literal["fer2013", "synthetic", "raf-db", "affectnet-7", "expw", "upstream-csv"] = "fer2013"
    """synthetic: faces drawn by the program, which need no data; see resemotenet.datasets.synthetic. Of the others
    'python -m training datasets' says what they need."""
    labels: Literal["fer2013", "ferplus", "synthetic", "raf-db", "affectnet-7", "expw", "upstream-csv"] = "fer2013"
    """fer2013: the original labels. ferplus: the shares of ten annotators; scored on the strict majority. All others
    go with the data set of their name only."""
    leave_out_leaked: bool = True
    """Leave out training images that have a pixel-identical copy in validation or test."""
    limit: int | None = None
    """Only the first this many faces of each split, for a rehearsal; such a run is never a result."""
    skip_broken: bool = False
    """Leave out pictures that are absent or cannot be read, and note them in audit.json, instead of stopping. For sets
    of picture files."""
    memory_share: float = 0.25
    """A set of picture files that takes more than this part of the machine's memory is not held in it but read from a
    prepared file, batch by batch; 0 does so with every one. The batches are the same."""


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
    """Probability that one rectangle of 2% to 20% of the area is replaced by noise."""
    dimming: float = 1.0
    """Light divided by up to this, on a logarithmic scale; 1 for none. This and the three below are what photographs
    do to faces and FER2013's pictures hardly have; each leaves every second face as it is."""
    shade: float = 0.0
    """Light falls off across the face, in any direction, by up to this fraction."""
    blur: float = 0.0
    """Standard deviation of a Gaussian blur, up to this fraction of the side."""
    noise: float = 0.0
    """Standard deviation of normal noise, up to this fraction of full scale."""
    mixup: float = 0.0
    """Every face of a batch is blended with another one, and so is what is aimed at; one share a batch (or part of
    one), from the Beta distribution that has this for both parameters. 0 for none. Zhang et al. 2018."""


@dataclass(frozen=True)
class Distillation:
    """Learning also from what trained models say of the training faces (Hinton et al. 2015)."""

    teachers: tuple[Path, ...] = ()
    """Model or results folders, of any architecture; their answers are averaged. Their faces should have been split as
    these are, or validation and test are none. They see a set of picture files at this run's ``network.size``."""
    share: float = 0.5
    """Of what is aimed at; the labels have the rest. Only with teachers."""


@dataclass(frozen=True)
class Optimization:
    """Optimizer, schedule and loss. The rate is a pure function of the step and of the validation so far."""

    epochs: int = 60
    """At most; see ``patience``."""
    batch_size: int = 128
    """Faces for each step of the optimizer, over all processes and accumulated parts."""
    accumulate: int = 1
    """Compute a batch's gradient in this many parts, one after the other, to save memory. Batch normalisation and the
    attention term then see the faces of one part only."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.06
    """Peak."""
    momentum: float = 0.9
    """AdamW: the first of its two decay rates; the second is 0.999."""
    nesterov: bool = True
    weight_decay: float = 5e-4
    decay: Literal["kernels", "all"] = "kernels"
    """all: decay biases and normalisation too."""
    warmup_epochs: float = 2.0
    schedule: Literal["cosine", "constant", "plateau", "restarts"] = "cosine"
    """After the warm-up. plateau: times ``plateau_factor`` whenever more than ``plateau_patience`` epochs brought no
    better validation accuracy. restarts: warm-up and cosine again and again, ``cycle_epochs`` each."""
    plateau_factor: float = 0.1
    plateau_patience: int = 10
    cycle_epochs: float = 1.0
    patience: int | None = None
    """Stop after this many epochs without a better validation accuracy."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a face weighs inversely to how often its emotion is in train, 1 on average."""
    label_smoothing: float = 0.0
    attention_variance: float = 0.0
    """Weight of EmoNeXt's term: the variance of the attention that the faces of a batch pay each other."""
    clip_norm: float | None = 5.0
    ema_decay: float | None = 0.999
    """Exponential moving average of the weights, the one that is validated and kept; None: the weights themselves."""


@dataclass(frozen=True)
class RunConfig:
    """One run from data to a results folder."""

    recipe: str
    data: Path | None = None
    """A .csv or .parquet file or a folder; see resemotenet.datasets. None for synthetic faces only."""
    results: Path = Path("results")
    cache: Path | None = None
    """Where picture files are kept as they go into training, decoded and resized; 'python -m training datasets' says
    more. None: what the variable RESEMOTENET_CACHE says, or ~/.cache/resemotenet."""
    seed: int = 0
    network: Network = field(default_factory=Network)
    dataset: Dataset = field(default_factory=Dataset)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimization: Optimization = field(default_factory=Optimization)
    distillation: Distillation = field(default_factory=Distillation)
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Of training. no: float32, whose convolutions cuDNN may round to TF32. Evaluation is in full float32 always."""
    device: Literal["auto", "cpu"] = "auto"
    compile: bool = False
    """torch.compile the training step's network: minutes at the start, pays in long runs on a GPU. On two CPU cores it
    was slower than without (LOG.md)."""
    track: Literal["none", "tensorboard", "trackio", "wandb"] = "none"
    """Send each epoch's figures there too; the package of that name must be installed."""

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = attrgetter(name)(self)
            if value is not None and not low <= value <= high:
                raise TrainingError(f"{name} is {value}, expected {low} to {high}")
        own = teaching(self.dataset.labels).dataset
        if self.dataset.name != own:
            raise TrainingError(
                f"dataset.labels {self.dataset.labels!r} do not belong to dataset.name {self.dataset.name!r}: "
                "fer2013 goes with fer2013 or ferplus, every other set with the labels of its own name; give "
                f"--dataset.name {own} or --dataset.labels {self.dataset.name}"
            )
        if self.network.backbone is not None and self.network.start is not None:
            raise TrainingError("a network starts from a backbone or from a model: give --network.backbone or .start")
        if self.dataset.name != "synthetic" and self.data is None:
            raise TrainingError(f"the data set {self.dataset.name} has to be given: --data PATH")
        if self.optimization.optimizer == "sgd" and self.optimization.nesterov and not self.optimization.momentum:
            raise TrainingError("Nesterov's momentum needs a momentum above 0; give --optimization.no-nesterov")
        if self.optimization.optimizer == "adamw" and self.optimization.momentum == 1:
            raise TrainingError("optimization.momentum is 1, but AdamW needs one below 1; its usual one is 0.9")

    def to_dict(self) -> dict[str, Any]:
        """What config.json of a results folder holds."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunConfig":
        """Read back ``to_dict``; settings that came later than the run have their defaults.

        Raises:
            TrainingError: a setting is missing or not known to this version, or out of range.
        """
        parts: dict[str, Any] = {
            "network": Network,
            "dataset": Dataset,
            "augmentation": Augmentation,
            "optimization": Optimization,
        }
        try:
            nested = {name: part(**values[name]) for name, part in parts.items()}
            starts = {name: values["network"].get(name) for name in ("backbone", "start")}
            given = {name: Path(path) for name, path in starts.items() if path is not None}
            nested["network"] = replace(nested["network"], **given)
            distillation = Distillation(**values.get("distillation", {}))
            teachers = tuple(Path(path) for path in distillation.teachers)
            nested["distillation"] = replace(distillation, teachers=teachers)
            data = None if values["data"] is None else Path(values["data"])
            cache = None if values.get("cache") is None else Path(values["cache"])
            places = {"data": data, "results": Path(values["results"]), "cache": cache}
            return cls(**{**values, **nested, **places})
        except (KeyError, TypeError) as error:
            raise TrainingError(f"this is no config of a run, or of another version: {error}") from error


_RANGES: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "dataset.limit": (1, inf),
    "dataset.memory_share": (0, 1),
    "augmentation.rotation": (0, 180),
    "augmentation.scale": (0, 0.99),
    "augmentation.shift": (0, 1),
    "augmentation.brightness": (0, 1),
    "augmentation.contrast": (0, 1),
    "augmentation.erase": (0, 1),
    "augmentation.dimming": (1, 100),
    "augmentation.shade": (0, 1),
    "augmentation.blur": (0, 0.25),
    "augmentation.noise": (0, 1),
    "augmentation.mixup": (0, inf),
    "distillation.share": (0, 1),
    "optimization.epochs": (1, inf),
    "optimization.batch_size": (1, inf),
    "optimization.accumulate": (1, inf),
    "optimization.learning_rate": (0, inf),
    "optimization.momentum": (0, 1),
    "optimization.weight_decay": (0, inf),
    "optimization.warmup_epochs": (0, inf),
    "optimization.plateau_factor": (0, 1),
    "optimization.plateau_patience": (0, inf),
    "optimization.cycle_epochs": (1e-6, inf),
    "optimization.patience": (1, inf),
    "optimization.attention_variance": (0, inf),
    "optimization.label_smoothing": (0, 1),
    "optimization.clip_norm": (0, inf),
    "optimization.ema_decay": (0, 1),
}
