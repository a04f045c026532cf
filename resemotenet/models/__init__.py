"""Networks by name: ``create_model``, ``list_models``, ``model_entry``; one file a family.

resemotenet, resemotenet_c2 .. _c6                          the paper's network and its ablations (64 px)
resemotenet_c3_pooled .. _c6_pooled                         the same, read the other way: the pooling stays
plain_cnn, cnn_se, vgg, resnet18, resnet34                  upstream's baselines (64 px)
emonext_tiny, _small, _base, _large, _xlarge                EmoNeXt (224 px)
"""

from . import baselines, emonext, resemotenet  # noqa: F401  (they register their builders)
from ._registry import ModelEntry, create_model, list_models, model_entry

__all__ = ["ModelEntry", "create_model", "list_models", "model_entry"]
