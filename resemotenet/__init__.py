"""Facial emotion recognition: find the faces of a picture and read seven emotions.

    from resemotenet import EmotionPredictor
    faces = EmotionPredictor.from_pretrained()("photo.jpg")

Importing this package loads nothing heavy (PEP 562): torch, PIL and facenet-pytorch come with the first name that
needs them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoints.checkpoint import LoadedModel, load_model
    from .emotions import EMOTIONS
    from .models import create_model, list_models
    from .reading.drawing import annotate
    from .reading.explain import Explanation, explain, overlay
    from .reading.following import watch
    from .reading.predictor import EmotionPredictor
    from .reading.reading import FaceEmotion, Reading
    from .reading.stream import read
    from .reading.timeline import timeline
    from .reading.tracking import TrackedFace, TrackState, track
    from .reading.video import Video

_HOME = {
    "EMOTIONS": ".emotions",
    "EmotionPredictor": ".reading.predictor",
    "Explanation": ".reading.explain",
    "FaceEmotion": ".reading.reading",
    "LoadedModel": ".checkpoints.checkpoint",
    "Reading": ".reading.reading",
    "TrackState": ".reading.tracking",
    "TrackedFace": ".reading.tracking",
    "Video": ".reading.video",
    "annotate": ".reading.drawing",
    "create_model": ".models",
    "explain": ".reading.explain",
    "list_models": ".models",
    "load_model": ".checkpoints.checkpoint",
    "overlay": ".reading.explain",
    "read": ".reading.stream",
    "timeline": ".reading.timeline",
    "track": ".reading.tracking",
    "watch": ".reading.following",
}

__version__ = "0.1.0"
__all__ = [
    "EMOTIONS",
    "EmotionPredictor",
    "Explanation",
    "FaceEmotion",
    "LoadedModel",
    "Reading",
    "TrackState",
    "TrackedFace",
    "Video",
    "annotate",
    "create_model",
    "explain",
    "list_models",
    "load_model",
    "overlay",
    "read",
    "timeline",
    "track",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
