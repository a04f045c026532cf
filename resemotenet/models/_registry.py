"""Names of models, the functions that build them, and what is to know of each before it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..errors import CompactLayoutError, UnknownModelError

Builder = Callable[..., nn.Module]


@dataclass(frozen=True)
class ModelEntry:
    """One network by name.

    Attributes:
        name: what ``create_model`` takes.
        explain_layer: the submodule whose output map explanations look at; larger than 1x1 at ``default_size``.
        default_size: height and width in pixels of the input that it was published for.
        options: arguments that its builder takes besides ``num_classes``, ``in_channels`` and ``width``.
        compact: whether it has an exact compact layout.
        scalable: whether ``width`` may be other than 1.
        build: the builder; call ``create_model`` instead, which checks the arguments.
    """

    name: str
    explain_layer: str
    default_size: int
    build: Builder
    options: tuple[str, ...] = ()
    compact: bool = False
    scalable: bool = True


_ENTRIES: dict[str, ModelEntry] = {}


def register_model(
    *,
    explain_layer: str,
    default_size: int,
    options: tuple[str, ...] = (),
    compact: bool = False,
    scalable: bool = True,
) -> Callable[[Builder], Builder]:
    """Enter a builder under its function's name, with what is to know of it (see ModelEntry); used as a decorator."""

    def enter(builder: Builder) -> Builder:
        name = builder.__name__
        assert name not in _ENTRIES, f"two builders are called {name}"
        _ENTRIES[name] = ModelEntry(
            name=name,
            explain_layer=explain_layer,
            default_size=default_size,
            build=builder,
            options=options,
            compact=compact,
            scalable=scalable,
        )
        return builder

    return enter


def list_models() -> list[str]:
    """All names that ``create_model`` takes, sorted."""
    return sorted(_ENTRIES)


def model_entry(name: str) -> ModelEntry:
    """What is to know of a network before it is built.

    Raises:
        UnknownModelError: no model has that name.
    """
    if name not in _ENTRIES:
        raise UnknownModelError(f"no model is called {name!r}; there are: {', '.join(list_models())}")
    return _ENTRIES[name]


def create_model(
    name: str,
    *,
    num_classes: int = 7,
    in_channels: int = 3,
    width: float = 1.0,
    compact: bool = False,
    **options: Any,
) -> nn.Module:
    """Build a model with random weights, in training mode.

    Args:
        name: one of ``list_models()``.
        num_classes: outputs of the last layer.
        in_channels: 3 (grey repeated, the upstream layout) or 1 (grey once).
        width: multiplies every channel count; 1.0 is the published network. The ResNets have no other.
        compact: leave out the weights that never meet a pixel at 40 to 71 pixels of input (see models.resemotenet).
        **options: what this network takes besides, for example ``head_dropout``; ``model_entry(name).options``.

    Raises:
        UnknownModelError: no model has that name.
        CompactLayoutError: ``compact`` was asked of a model that has no exact compact layout.
        TypeError: the network does not take one of the options.
        ValueError: ``width`` is not positive, or not 1 where nothing else can be had; or an option is out of range.
    """
    entry = model_entry(name)
    if unknown := sorted(set(options) - set(entry.options)):
        takes = ", ".join(("num_classes", "in_channels", "width", "compact", *entry.options))
        raise TypeError(f"{name} takes no argument {', '.join(map(repr, unknown))}; it takes: {takes}")
    if width != 1 and not entry.scalable:
        raise ValueError(f"{name} is torchvision's and has one width only: width must be 1, got {width}")
    if compact:
        if not entry.compact:
            exact = ", ".join(each.name for each in _ENTRIES.values() if each.compact)
            raise CompactLayoutError(
                f"{name} has no compact layout: its last map is larger than 1x1 or its last layers differ, so that "
                f"leaving weights out would change its answers; {exact} have one. Build it with compact=False"
            )
        options["compact"] = True
    return entry.build(num_classes=num_classes, in_channels=in_channels, width=width, **options)
