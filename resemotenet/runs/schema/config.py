"""What a run is made of: config.json of a results folder, and the options of ``python -m training train``.

Every field can be overridden on the command line, for example ``--optimization.epochs 5``. The default of a field that
came later is what runs did before it, so that their config.json is still read as what it was.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from resemotenet.runs.label_sets import teaching

from ...errors import TrainingError
from .model import Channels, Side
from .numbers import Amount, Count, Share, Some
from .reading import LATER, STRICT, adapter, problem

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


def default_results() -> Path:
    """Where results go unless a command says otherwise; the dashboard looks there too."""
    return Path(os.environ.get("RESEMOTENET_RESULTS") or "results")


def _is_text(place: Path) -> bool:
    try:
        return bool(str(place).encode())
    except UnicodeEncodeError:
        return False


class _Part:
    # Ranges hold wherever a config comes from: a program, the command line, a file.
    __pydantic_config__ = ConfigDict(**STRICT, revalidate_instances="always")


@dataclass(frozen=True)
class Network(_Part):
    """The architecture and the input it is trained on."""

    name: str = "resemotenet"
    width: float = 1.0
    compact: bool = True
    """Leave out the weights that never meet a pixel; exact, and about 1.5 times as fast. resemotenet and _c2 only."""
    size: Side = 64
    channels: Channels = 3
    conv_dropout: float | None = 0.2
    """This, and the two below: None for a network that has no such thing."""
    head_dropout: float | None = 0.5
    stochastic_depth: Annotated[float | None, LATER] = None
    """EmoNeXt: None takes 0.1, what the released code takes for every size."""
    backbone: Annotated[Path | None, LATER] = None
    """Start from these torchvision weights (ConvNeXt for EmoNeXt, or ResNet) instead of random ones; a .pth or
    .safetensors file. Nothing is downloaded."""
    start: Annotated[Path | None, LATER] = None
    """Go on from the weights of this model or results folder instead of random ones: the same network (dropout may
    differ) with the same input. Its faces should have been split as these are, or validation and test are none."""


@dataclass(frozen=True)
class Dataset(_Part):
    """What is learned, and from which rows."""

    name: Literal["fer2013", "synthetic", "raf-db", "affectnet-7", "expw", "upstream-csv"] = "fer2013"
    """synthetic: faces drawn by the program, which need no data; see resemotenet.datasets.synthetic. Of the others
    'python -m training datasets' says what they need."""
    labels: Literal["fer2013", "ferplus", "synthetic", "raf-db", "affectnet-7", "expw", "upstream-csv"] = "fer2013"
    """fer2013: the original labels. ferplus: the shares of ten annotators; scored on the strict majority. All others
    go with the data set of their name only."""
    own_share: Annotated[Share, LATER] = 0.0
    """With ferplus: how much of what is aimed at is the original label of the face, the votes have the rest. Scored as
    ferplus is."""
    leave_out_leaked: bool = True
    """Leave out training images that have a pixel-identical copy in validation or test."""
    limit: Some | None = None
    """Only the first this many faces of each split, for a rehearsal; such a run is never a result."""
    skip_broken: Annotated[bool, LATER] = False
    """Leave out pictures that are absent or cannot be read, and note them in audit.json, instead of stopping. For sets
    of picture files."""
    memory_share: Annotated[Share, LATER] = 0.25
    """A set of picture files that takes more than this part of the machine's memory is not held in it but read from a
    prepared file, batch by batch; 0 does so with every one. The batches are the same."""


@dataclass(frozen=True)
class Augmentation(_Part):
    """Ranges are symmetric around "no change" and drawn uniformly, once a face."""

    flip: bool = True
    rotation: Annotated[float, Field(ge=0, le=180)] = 15.0
    """Degrees."""
    scale: Annotated[float, Field(ge=0, le=0.99)] = 0.15
    """Fraction of the side by which more or less of the picture is shown."""
    shift: Share = 0.15
    """Fraction of the side."""
    brightness: Share = 0.2
    """Fraction of full scale added."""
    contrast: Share = 0.2
    """Fraction by which the spread around the face's mean changes."""
    erase: Share = 0.5
    """Probability that one rectangle of 2% to 20% of the area is replaced by noise."""
    dimming: Annotated[float, Field(ge=1, le=100), LATER] = 1.0
    """Light divided by up to this, on a logarithmic scale; 1 for none. This and the three below are what photographs
    do to faces and FER2013's pictures hardly have; each leaves every second face as it is."""
    shade: Annotated[Share, LATER] = 0.0
    """Light falls off across the face, in any direction, by up to this fraction."""
    blur: Annotated[float, Field(ge=0, le=0.25), LATER] = 0.0
    """Standard deviation of a Gaussian blur, up to this fraction of the side."""
    noise: Annotated[Share, LATER] = 0.0
    """Standard deviation of normal noise, up to this fraction of full scale."""
    mixup: Annotated[Amount, LATER] = 0.0
    """Every face of a batch is blended with another one, and so is what is aimed at; one share a batch (or part of
    one), from the Beta distribution that has this for both parameters. 0 for none. Zhang et al. 2018."""


@dataclass(frozen=True)
class Distillation(_Part):
    """Learning also from what trained models say of the training faces (Hinton et al. 2015)."""

    teachers: tuple[Path, ...] = ()
    """Model or results folders, of any architecture; their answers are averaged. Their faces should have been split as
    these are, or validation and test are none. They see a set of picture files at this run's ``network.size``."""
    share: Share = 0.5
    """Of what is aimed at; the labels have the rest. Only with teachers."""


@dataclass(frozen=True)
class Optimization(_Part):
    """Optimizer, schedule and loss. The rate is a pure function of the step and of the validation so far."""

    epochs: Some = 60
    """At most; see ``patience``."""
    batch_size: Some = 128
    """Faces for each step of the optimizer, over all processes and accumulated parts."""
    accumulate: Annotated[Some, LATER] = 1
    """Compute a batch's gradient in this many parts, one after the other, to save memory. Batch normalisation and the
    attention term then see the faces of one part only."""
    optimizer: Annotated[Literal["sgd", "adamw"], LATER] = "sgd"
    learning_rate: Amount = 0.06
    """Peak."""
    momentum: Share = 0.9
    """AdamW: the first of its two decay rates; the second is 0.999."""
    nesterov: bool = True
    weight_decay: Amount = 5e-4
    decay: Annotated[Literal["kernels", "all"], LATER] = "kernels"
    """all: decay biases and normalisation too."""
    warmup_epochs: Amount = 2.0
    schedule: Literal["cosine", "constant", "plateau", "restarts"] = "cosine"
    """After the warm-up. plateau: times ``plateau_factor`` whenever more than ``plateau_patience`` epochs brought no
    better validation accuracy. restarts: warm-up and cosine again and again, ``cycle_epochs`` each."""
    plateau_factor: Annotated[Share, LATER] = 0.1
    plateau_patience: Annotated[Count, LATER] = 10
    cycle_epochs: Annotated[float, Field(ge=1e-6), LATER] = 1.0
    patience: Annotated[Some | None, LATER] = None
    """Stop after this many epochs without a better validation accuracy."""
    class_weights: Annotated[Literal["none", "balanced"], LATER] = "none"
    """balanced: a face weighs inversely to how often its emotion is in train, 1 on average."""
    label_smoothing: Share = 0.0
    attention_variance: Annotated[Amount, LATER] = 0.0
    """Weight of EmoNeXt's term: the variance of the attention that the faces of a batch pay each other."""
    clip_norm: Amount | None = 5.0
    ema_decay: Share | None = 0.999
    """Exponential moving average of the weights, the one that is validated and kept; None: the weights themselves."""


@dataclass(frozen=True)
class RunConfig(_Part):
    """One run from data to a results folder."""

    recipe: str
    data: Path | None = None
    """A .csv or .parquet file or a folder; see resemotenet.datasets. None for synthetic faces only."""
    results: Path = field(default_factory=default_results)
    """Where the results folder goes; unless said, where RESEMOTENET_RESULTS says, or results."""
    cache: Annotated[Path | None, LATER] = None
    """Where picture files are kept as they go into training, decoded and resized; 'python -m training datasets' says
    more. None: what the variable RESEMOTENET_CACHE says, or ~/.cache/resemotenet."""
    seed: Seed = 0
    network: Network = field(default_factory=Network)
    dataset: Dataset = field(default_factory=Dataset)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimization: Optimization = field(default_factory=Optimization)
    distillation: Annotated[Distillation, LATER] = field(default_factory=Distillation)
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Of training. no: float32, whose convolutions cuDNN may round to TF32. Evaluation is in full float32 always."""
    device: Literal["auto", "cpu"] = "auto"
    compile: Annotated[bool, LATER] = False
    """torch.compile the training step's network: minutes at the start, pays in long runs on a GPU. On two CPU cores it
    was slower than without (LOG.md)."""
    track: Annotated[Literal["none", "tensorboard", "trackio", "wandb"], LATER] = "none"
    """Send each epoch's figures there too; the package of that name must be installed."""

    def __post_init__(self) -> None:
        for name, kind in _CHECKED.items():
            try:
                adapter(kind).validate_python(getattr(self, name))
            except ValidationError as wrong:
                raise TrainingError(f"the config {problem(wrong, name)}") from wrong
        for place in self.places:
            # What the command line still lacks is no Path; and a place for results has an error of its own.
            if isinstance(place, Path) and place != self.results and not _is_text(place):
                raise TrainingError(f"{str(place)!r} is not UTF-8, so config.json cannot hold it; rename it")
        own = teaching(self.dataset.labels).dataset
        if self.dataset.name != own:
            raise TrainingError(
                f"dataset.labels {self.dataset.labels!r} do not belong to dataset.name {self.dataset.name!r}: "
                "fer2013 goes with fer2013 or ferplus, every other set with the labels of its own name; give "
                f"--dataset.name {own} or --dataset.labels {self.dataset.name}"
            )
        if self.dataset.own_share and self.dataset.labels != "ferplus":
            raise TrainingError(
                f"dataset.own_share {self.dataset.own_share} mixes the original labels into FER+ votes; give "
                "--dataset.labels ferplus with it"
            )
        if self.network.backbone is not None and self.network.start is not None:
            raise TrainingError("a network starts from a backbone or from a model: give --network.backbone or .start")
        if self.dataset.name != "synthetic" and self.data is None:
            raise TrainingError(f"the data set {self.dataset.name} has to be given: --data PATH")
        if self.optimization.optimizer == "sgd" and self.optimization.nesterov and not self.optimization.momentum:
            raise TrainingError("Nesterov's momentum needs a momentum above 0; give --optimization.no-nesterov")
        if self.optimization.optimizer == "adamw" and self.optimization.momentum == 1:
            raise TrainingError("optimization.momentum is 1, but AdamW needs one below 1; its usual one is 0.9")

    @property
    def places(self) -> tuple[Path, ...]:
        """Where things lay on the machine that it ran on."""
        named = (self.data, self.results, self.cache, self.network.backbone, self.network.start)
        return (*(place for place in named if place is not None), *self.distillation.teachers)

    def to_dict(self) -> dict[str, Any]:
        """What config.json of a results folder holds."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return values


# All but where things lie: a recipe leaves open where the data is.
_CHECKED: dict[str, Any] = {
    "seed": Seed,
    "network": Network,
    "dataset": Dataset,
    "augmentation": Augmentation,
    "optimization": Optimization,
    "distillation": Distillation,
}
