"""Facial emotion recognition: find the faces of a picture and read seven emotions.

    from resemotenet import EmotionPredictor
    faces = EmotionPredictor.from_pretrained()("photo.jpg")

Importing this package loads nothing heavy (PEP 562): torch, PIL and facenet-pytorch come with the first name that
needs them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import LoadedModel, load_model
    from .emotions import EMOTIONS
    from .models import create_model, list_models
    from .predictor import EmotionPredictor, FaceEmotion

_HOME = {
    "EMOTIONS": ".emotions",
    "EmotionPredictor": ".predictor",
    "FaceEmotion": ".predictor",
    "LoadedModel": ".checkpoint",
    "create_model": ".models",
    "list_models": ".models",
    "load_model": ".checkpoint",
}

__version__ = "0.1.0"
__all__ = [
    "EMOTIONS",
    "EmotionPredictor",
    "FaceEmotion",
    "LoadedModel",
    "create_model",
    "list_models",
    "load_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
