"""Networks by name: ``create_model``, ``list_models``; one file a family."""

from . import resemotenet  # noqa: F401  (registers its builders)
from ._registry import create_model, list_models

__all__ = ["create_model", "list_models"]
