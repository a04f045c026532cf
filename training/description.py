"""What a run's model folder says of itself."""

import torch

from resemotenet.checkpoint import ModelInfo
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResEmoteNetError, TrainingError
from resemotenet.models import create_model
from resemotenet.preprocessing import Preprocess

from .config import RunConfig

RESEARCH_LICENSE = {
    "name": "non-commercial-research",
    "text": "Trained on FER2013, whose images are for research only: these weights may be used for non-commercial "
    "research. The MIT licence of the code does not cover them.",
    "link": "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
}

# Grey once: mean and std of FER2013's pixels. Grey three times: ImageNet's, as upstream.
_STATISTICS = {1: ((0.5077,), (0.2550,)), 3: ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))}


def describe(config: RunConfig) -> ModelInfo:
    """The network, its input, where its weights come from and their licence."""
    network = config.network
    mean, std = _STATISTICS[network.channels]
    return ModelInfo(
        architecture=network.name,
        arguments={
            "num_classes": len(EMOTIONS),
            "in_channels": network.channels,
            "width": network.width,
            "compact": network.compact,
            "conv_dropout": network.conv_dropout,
            "head_dropout": network.head_dropout,
        },
        labels=EMOTIONS,
        preprocess=Preprocess(size=network.size, channels=network.channels, mean=mean, std=std),
        training={
            "recipe": config.recipe,
            "data": config.dataset.name,
            "labels": config.dataset.labels,
            "epochs": config.optimization.epochs,
            "seed": config.seed,
        },
        license=RESEARCH_LICENSE,
    )


def check_network(config: RunConfig) -> None:
    """Send one face without pixels through the network, so that one that cannot be trained is known before the start.

    Raises:
        UnknownModelError, CompactLayoutError: there is no such network, or not for this input.
        TrainingError: its settings do not fit each other, or the input is too small for it.
    """
    network = config.network
    try:
        info = describe(config)
        with torch.device("meta"):
            model = create_model(info.architecture, **info.arguments).eval()
            model(torch.empty(1, network.channels, network.size, network.size))
    except ResEmoteNetError:
        raise
    except (ValueError, TypeError, RuntimeError) as error:
        raise TrainingError(f"{network} cannot be built and run: {error}") from error
