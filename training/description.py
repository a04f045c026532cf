"""What a run's model folder says of itself."""

import torch

from resemotenet.datasets import dataset_info
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResEmoteNetError, TrainingError
from resemotenet.models import create_model, model_entry
from resemotenet.models.emonext import EmoNeXt
from resemotenet.runs.schema import ModelInfo, Preprocessing, RunConfig

SYNTHETIC_LICENSE = {
    "name": "mit",
    "text": "Trained on faces drawn by the program: these weights say nothing about people, they serve to try things "
    "out. The MIT licence of the code covers them.",
    "link": "https://opensource.org/license/mit",
}
RESEARCH_LICENSE = {
    "name": "non-commercial-research",
    "text": "Trained on FER2013, whose images are for research only: these weights may be used for non-commercial "
    "research. The MIT licence of the code does not cover them.",
    "link": "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
}
UNKNOWN_LICENSE = {
    "name": "unknown",
    "text": "Trained on pictures from a folder of one's own: their licence decides what these weights may be used for. "
    "The MIT licence of the code does not cover them.",
}

_EARLIER = "The licence of the weights that training started or learned from holds too."

# Settings that shape no weight, so that weights fit a network that has them otherwise.
OPTIONS = ("conv_dropout", "head_dropout", "stochastic_depth")

# Grey once: mean and std of FER2013's pixels. Grey three times: ImageNet's, as upstream.
_STATISTICS = {1: ((0.5077,), (0.2550,)), 3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}


def describe(config: RunConfig) -> ModelInfo:
    """The network, its input, where its weights come from and their licence.

    Raises:
        UnknownModelError: there is no such network.
    """
    network = config.network
    mean, std = _STATISTICS[network.channels]
    options = {name: getattr(network, name) for name in OPTIONS}
    starts, teachers = {"backbone": network.backbone, "start": network.start}, config.distillation.teachers
    return ModelInfo(
        architecture=network.name,
        arguments={
            "num_classes": len(EMOTIONS),
            "in_channels": network.channels,
            "width": network.width,
            "compact": network.compact,
            **{name: value for name, value in options.items() if value is not None},
        },
        labels=EMOTIONS,
        preprocess=Preprocessing(size=network.size, channels=network.channels, mean=mean, std=std),
        explain_layer=model_entry(network.name).explain_layer,
        training={
            "recipe": config.recipe,
            "data": config.dataset.name,
            "labels": config.dataset.labels,
            "epochs": config.optimization.epochs,
            "seed": config.seed,
            **{name: path.resolve().name for name, path in starts.items() if path is not None},
            **({"teachers": [path.resolve().name for path in teachers]} if teachers else {}),
        },
        license=_license(config),
    )


def _license(config: RunConfig) -> dict[str, str]:
    """What the weights may be used for, which the data decides; also that of the weights they come from."""
    own = _license_of(config.dataset.name)
    if config.network.start is None and not config.distillation.teachers:
        return own
    name = UNKNOWN_LICENSE["name"] if own is SYNTHETIC_LICENSE else own["name"]
    return {**own, "name": name, "text": f"{own['text']} {_EARLIER}"}


def _license_of(dataset: str) -> dict[str, str]:
    if dataset in ("synthetic", "fer2013"):
        return SYNTHETIC_LICENSE if dataset == "synthetic" else RESEARCH_LICENSE
    info = dataset_info(dataset)
    if info.url is None:
        return UNKNOWN_LICENSE
    return {
        "name": RESEARCH_LICENSE["name"],
        "text": f"Trained on {info.title}, whose pictures are for research only: these weights may be used for "
        "non-commercial research. The MIT licence of the code does not cover them.",
        "link": info.url,
    }


def check_network(config: RunConfig) -> ModelInfo:
    """Send two faces without pixels through the network, so that one that cannot be trained is known before the start.

    Returns:
        Its description.

    Raises:
        UnknownModelError, CompactLayoutError: there is no such network, or not for this input.
        TrainingError: its settings do not fit each other, or the input is too small for it.
    """
    network = config.network
    _check_options(config)
    try:
        info = describe(config)
        with torch.device("meta"):
            model = create_model(info.architecture, **info.arguments).eval()
            model(torch.empty(2, network.channels, network.size, network.size))
    except ResEmoteNetError:
        raise
    except (ValueError, TypeError, RuntimeError) as error:
        raise TrainingError(f"{network} cannot be built and run: {error}") from error
    if config.optimization.attention_variance and not isinstance(model, EmoNeXt):
        raise TrainingError(
            f"optimization.attention_variance is a loss of EmoNeXt's attention, which {network.name} does not have; "
            "give --optimization.attention-variance 0"
        )
    return info


def _check_options(config: RunConfig) -> None:
    """All that this network has no use for in one message, as what to add to the command line."""
    network, entry = config.network, model_entry(config.network.name)
    surplus = [name for name in OPTIONS if getattr(network, name) is not None and name not in entry.options]
    flags = [f"--network.{name.replace('_', '-')} None" for name in surplus]
    if network.compact and not entry.compact:
        surplus, flags = [*surplus, "compact layout"], [*flags, "--network.no-compact"]
    if surplus:
        raise TrainingError(f"{entry.name} has no {', no '.join(surplus)}; give {' '.join(flags)}")
