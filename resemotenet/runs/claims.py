"""What others say: the paper's tables, upstream's README, users of upstream's code. No measurement of this project.

Accuracies and recalls are fractions; a claim stands in no column with a measurement. The paper is Roy et al.,
"ResEmoteNet: Bridging Accuracy and Loss Reduction in Facial Emotion Recognition", IEEE Signal Processing Letters, 2024
(https://doi.org/10.1109/LSP.2024.3521321); "upstream" is https://github.com/ArnabKumarRoy02/ResEmoteNet.
"""

import re
from dataclasses import dataclass

PAPER = "https://doi.org/10.1109/LSP.2024.3521321"
UPSTREAM = "https://github.com/ArnabKumarRoy02/ResEmoteNet"
OURS = "ResEmoteNet"
"""The method of the paper, among the claims."""

# Data set -> as the paper prints it; FERPlus and CK+ are in upstream's README only.
DATASETS: dict[str, str] = {
    "fer2013": "FER2013",
    "raf-db": "RAF-DB",
    "affectnet-7": "AffectNet-7",
    "expw": "ExpW",
    "ckplus": "CK+",
    "ferplus": "FERPlus",
}


@dataclass(frozen=True)
class Claim:
    """A test accuracy that a paper or a README states.

    Attributes:
        method: as printed, but for spelling.
        dataset: a key of ``DATASETS``.
        accuracy: fraction.
        source: where it is printed.
        note: what a reader should know beside it.
    """

    method: str
    dataset: str
    accuracy: float
    source: str
    note: str = ""

    @property
    def address(self) -> str:
        """Of the source."""
        return PAPER if self.source.startswith("paper") else UPSTREAM


@dataclass(frozen=True)
class UserReport:
    """Test accuracies that users of upstream reported in its threads, from the least to the most.

    Attributes:
        what: what they ran.
        low, high: fractions.
        threads: issue numbers there.
        note: what a reader should know beside it.
    """

    what: str
    dataset: str
    low: float
    high: float
    threads: tuple[int, ...]
    note: str = ""
    repository: str = UPSTREAM

    @property
    def source(self) -> str:
        numbers = ", ".join(f"#{number}" for number in self.threads)
        return f"users, {self.repository}/issues {numbers}"


@dataclass(frozen=True)
class Ablation:
    """A row of Table IV: test accuracy on RAF-DB.

    Attributes:
        name: C1 to C6.
        model: what ``create_model`` calls it here; the paper gives no code for C2 to C6. A stage that was removed took
            its pooling along.
        convolutions, attention, residual: channels of the parts that are left.
        removed: as printed, "" for C1.
        accuracy: fraction.
        loss: as printed, in the paper's own unit "Loss (%)".
    """

    name: str
    model: str
    convolutions: tuple[int, ...]
    attention: tuple[int, ...]
    residual: tuple[int, ...]
    removed: str
    accuracy: float
    loss: float

    @property
    def pooled(self) -> str | None:
        """What the other reading is called here, in which the pooling stays; None where no stage is removed."""
        return None if self.name in ("C1", "C2") else f"{self.model}_pooled"


@dataclass(frozen=True)
class Pictures:
    """A column of Table I: what the data sets are said to hold.

    Attributes:
        channels, side: of a picture, in pixels.
        samples: of all splits, also one that Table II does not print.
        classes: emotions.
    """

    channels: int
    side: int
    samples: int
    classes: int


@dataclass(frozen=True)
class Cost:
    """Section III-B: hours of training and milliseconds an image, on an M2 Pro or a P100, it is not said which."""

    dataset: str
    training_hours: float
    inference_ms: float


@dataclass(frozen=True)
class Erratum:
    """Something printed that does not agree with the data or with itself.

    Attributes:
        mark: what stands beside the figure, "(a)".
        where: in the paper.
        datasets: whose figures it is about.
        printed, found: what it says, and what is the case.
    """

    mark: str
    where: str
    datasets: tuple[str, ...]
    printed: str
    found: str


def _table_iii() -> tuple[Claim, ...]:
    columns = ("fer2013", "raf-db", "affectnet-7", "expw")
    rows: dict[str, tuple[float | None, ...]] = {
        "Seg. VGG-19": (75.97, None, None, None),
        "EmoNeXt": (76.12, None, None, None),
        "Ensemble ResMaskingNet": (76.82, None, None, None),
        "SEResNet": (None, 83.37, 56.54, None),
        "ARM": (None, 90.42, 62.5, None),
        "APViT": (None, 91.98, 66.91, 73.48),
        "ARBEx": (None, 92.47, None, None),
        "S2D": (None, 92.57, 67.62, None),
        "C MT EmoAffectNet": (None, None, 69.4, None),
        "AGLRLS": (None, None, None, 73.0),
        "SchiNet": (None, None, None, 73.10),
        OURS: (79.79, 94.76, 72.93, 75.67),
    }
    notes = {
        (OURS, "affectnet-7"): "72.39 in the abstract",
        (OURS, "fer2013"): "the per-class recalls printed beside it give 78.4 ± 0.5",
        (OURS, "raf-db"): "the per-class recalls printed beside it give 97.3 ± 0.5",
        ("EmoNeXt", "fer2013"): "its XLarge size, pretrained on ImageNet-22k",
    }
    return tuple(
        Claim(method, dataset, round(percent / 100, 4), "paper, Table III", notes.get((method, dataset), ""))
        for method, row in rows.items()
        for dataset, percent in zip(columns, row, strict=True)
        if percent is not None
    )


_README = "upstream's README, Results"
_UNSAID = "neither the definition of the labels nor the number of classes is stated"

CLAIMS: tuple[Claim, ...] = (
    *_table_iii(),
    Claim(OURS, "ckplus", 1.0, _README, "how the data was split is not stated"),
    Claim("best other (not named)", "ckplus", 1.0, _README),
    Claim(OURS, "ferplus", 0.9164, _README, _UNSAID),
    Claim("best other (not named)", "ferplus", 0.9555, _README, _UNSAID),
)

USER_REPORTS: tuple[UserReport, ...] = (
    UserReport("ResEmoteNet, released code, trained again", "fer2013", 0.58, 0.60, (7, 16, 34, 39)),
    UserReport("ResEmoteNet, released code, trained again", "fer2013", 0.66, 0.66, (40,)),
    UserReport("ResEmoteNet, released weights", "fer2013", 0.659, 0.716, (13, 46), "#16 saw almost the claim"),
    UserReport("ResEmoteNet, trained again with the user's own augmentation", "fer2013", 0.62, 0.62, (46,)),
    UserReport(
        "ResEmoteNet, on the author's own copy of the data", "fer2013", 0.90, 0.92, (32, 40, 49),
        "its validation was cut off after augmenting, says the author, #36",
    ),
    UserReport("ResEmoteNet, released weights", "raf-db", 0.36, 0.36, (50,)),
    UserReport("EmoNeXt, tiny", "fer2013", 0.714, 0.716, (6,), repository="the EmoNeXt repository"),
)  # fmt: skip

_RESNET = (
    "torchvision's, with a max pooling after the first convolution that upstream's lacks: its maps are half as wide"
)
NOT_UPSTREAMS: dict[str, str] = {
    "resnet18": _RESNET,
    "resnet34": _RESNET,
    "vgg": "each convolution has running statistics of its own, where upstream's share those of a stage",
    "cnn_se": "SE takes the 1024 channels that arrive; upstream's, sized for 512, cannot run",
}
"""Network of ours -> in what it is not upstream's of that name, though it is one of the baselines."""

ABLATIONS: tuple[Ablation, ...] = (
    Ablation("C1", "resemotenet", (64, 128, 256), (256,), (256, 512, 1024), "", 0.9476, 3.73),
    Ablation("C2", "resemotenet_c2", (64, 128, 256), (), (256, 512, 1024), "SE (256)", 0.9418, 16.83),
    Ablation("C3", "resemotenet_c3", (128, 256), (256,), (256, 512, 1024), "CNN (64)", 0.8351, 7.19),
    Ablation("C4", "resemotenet_c4", (256,), (256,), (256, 512, 1024), "CNN (64, 128)", 0.8827, 5.32),
    Ablation("C5", "resemotenet_c5", (64, 128, 256), (256,), (512, 1024), "RB (256)", 0.7539, 10.2),
    Ablation("C6", "resemotenet_c6", (64, 128, 256), (256,), (1024,), "RB (256, 512)", 0.8277, 8.8),
)
"""Table IV."""

COSTS: tuple[Cost, ...] = (
    Cost("fer2013", 3.0, 1.4),
    Cost("raf-db", 2.0, 3.2),
    Cost("affectnet-7", 6.0, 3.6),
    Cost("expw", 4.5, 1.9),
)

TABLE_I: dict[str, Pictures] = {
    "fer2013": Pictures(1, 48, 35_887, 7),
    "raf-db": Pictures(3, 100, 15_339, 7),
    "affectnet-7": Pictures(3, 224, 287_401, 7),
    "expw": Pictures(3, 224, 91_793, 7),
}

# Angry, disgust, fear, happy, neutral, sad, surprise: the canonical order.
TABLE_II: dict[str, dict[str, tuple[int, ...]]] = {
    "fer2013": {
        "train": (3995, 436, 4097, 7215, 4965, 4830, 3171),
        "test": (491, 416, 626, 594, 528, 879, 55),
    },
    "raf-db": {
        "train": (705, 717, 281, 4772, 2524, 1982, 1290),
        "test": (162, 160, 74, 1185, 680, 478, 329),
    },
    "affectnet-7": {
        "train": (24882, 3803, 6378, 134415, 74874, 25459, 14090),
        "test": (500,) * 7,
    },
    "expw": {
        "train": (2569, 2796, 761, 21375, 24418, 7391, 4943),
        "test": (364, 396, 108, 3024, 3454, 1046, 699),
    },
}
"""Faces per class as printed; FER2013's test column is permuted there, see ``FER2013_COUNTS``."""

FER2013_COUNTS: dict[str, tuple[int, ...]] = {
    "train": (3995, 436, 4097, 7215, 4965, 4830, 3171),
    "validation": (467, 56, 496, 895, 607, 653, 415),
    "test": (491, 55, 528, 879, 626, 594, 416),
}
"""Counted in the data: Training, PublicTest, PrivateTest under the original labels."""

RECALLS: dict[str, tuple[float, ...]] = {
    "fer2013": (0.71, 0.75, 0.70, 0.89, 0.82, 0.71, 0.81),
    "raf-db": (0.96, 0.93, 0.90, 0.99, 0.97, 0.96, 0.98),
}
"""Read off the paper's confusion matrices, to two digits, in the canonical order."""


def accuracy_from_recalls(dataset: str) -> float:
    """What the printed recalls amount to, weighted with the true test counts; good to ± 0.005."""
    counts = FER2013_COUNTS["test"] if dataset == "fer2013" else TABLE_II[dataset]["test"]
    return sum(recall * n for recall, n in zip(RECALLS[dataset], counts, strict=True)) / sum(counts)


ERRATA: tuple[Erratum, ...] = (
    Erratum(
        "(a)",
        "Table II, FER2013, test",
        ("fer2013",),
        "disgust 416, fear 626, happy 594, neutral 528, sad 879, surprise 55",
        "the column is permuted: disgust 55, fear 528, happy 879, neutral 626, sad 594, surprise 416",
    ),
    Erratum(
        "(b)",
        "abstract and Table III",
        ("affectnet-7",),
        "AffectNet-7: 72.39% in one, 72.93% in the other",
        "72.93, as in section IV and upstream's README",
    ),
    Erratum(
        "(c)",
        "confusion matrices and Table III",
        ("fer2013", "raf-db"),
        "79.79% on FER2013 and 94.76% on RAF-DB",
        "the recalls in the matrices, weighted with the test counts, give "
        f"{100 * accuracy_from_recalls('fer2013'):.1f} and {100 * accuracy_from_recalls('raf-db'):.1f}% (each ± 0.5, "
        "because they have two digits)",
    ),
)


def claim_of(method: str, dataset: str) -> Claim | None:
    """What is claimed for a method on a data set."""
    return next((each for each in CLAIMS if (each.method, each.dataset) == (method, dataset)), None)


def reports_for(dataset: str) -> tuple[UserReport, ...]:
    """What users measured on a data set with what was released."""
    return tuple(each for each in USER_REPORTS if each.dataset == dataset)


def ablation_of(model: str) -> Ablation | None:
    """The row of Table IV that a network of this name is, in either reading."""
    return next((each for each in ABLATIONS if model in (each.model, each.pooled)), None)


def errata_in(table: str) -> tuple[Erratum, ...]:
    """What is wrong in a table, by its printed name: "Table II", "Table III"."""
    return tuple(each for each in ERRATA if table in re.split(r", | and ", each.where))


def cost_for(dataset: str) -> Cost | None:
    """What training and reading are said to take on a data set."""
    return next((each for each in COSTS if each.dataset == dataset), None)
