"""Names of models and the functions that build them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ..errors import UnknownModelError

Builder = Callable[..., nn.Module]
_BUILDERS: dict[str, Builder] = {}


def register_model(builder: Builder) -> Builder:
    """Enter a builder under its function's name; used as a decorator."""
    name = builder.__name__
    assert name not in _BUILDERS, f"two builders are called {name}"
    _BUILDERS[name] = builder
    return builder


def list_models() -> list[str]:
    """All names that ``create_model`` takes, sorted."""
    return sorted(_BUILDERS)


def create_model(
    name: str,
    *,
    num_classes: int = 7,
    in_channels: int = 3,
    width: float = 1.0,
    compact: bool = False,
    **arguments: Any,
) -> nn.Module:
    """Build a model with random weights, in training mode.

    Args:
        name: one of ``list_models()``.
        num_classes: outputs of the last layer.
        in_channels: 3 (grey repeated, the upstream layout) or 1 (grey once).
        width: multiplies every channel count; 1.0 is the published network.
        compact: leave out the weights that never meet a pixel at 40 to 71 pixels of input (see models.compact).
        **arguments: what this one builder takes besides, for example ``head_dropout``.

    Raises:
        UnknownModelError: no builder has that name.
        CompactLayoutError: ``compact`` was asked of a model that has no exact compact layout.
        TypeError: the builder does not take one of the arguments.
    """
    if name not in _BUILDERS:
        raise UnknownModelError(f"no model is called {name!r}; there are: {', '.join(list_models())}")
    return _BUILDERS[name](num_classes=num_classes, in_channels=in_channels, width=width, compact=compact, **arguments)
