"""Weights and the network they are for: one fits the other, or it is said what does not."""

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import CheckpointFormatError, CheckpointMismatchError
from ..models import create_model, model_entry
from ..runs.schema import ModelInfo

# The width at which shapes are tried out: a channel or a few, whatever the network.
_NARROW = 1 / 64


def assign_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Give a network (on any device, also meta) these weights, floating ones as float32; ``source`` is named in errors.

    Raises:
        CheckpointMismatchError: missing or surplus keys, wrong shapes or kinds of numbers; the first of them are named.
        CheckpointFormatError: a value that is not finite.
    """
    expected = module.state_dict()
    check_fit(state, expected, source)
    state = {name: state[name].to(expected[name].dtype) for name in expected}
    # Here, because every way in leads through here: one NaN makes NaN of every answer.
    if wrong := [name for name, value in state.items() if value.is_floating_point() and not is_finite(value)]:
        raise CheckpointFormatError(
            f"the weights of {source} cannot be used: values that are not finite in {listed(wrong)}; the training "
            "diverged, or the file is damaged"
        )
    module.load_state_dict(state, strict=True, assign=True)
    left_empty = [name for name, buffer in module.named_buffers() if buffer.is_meta]
    assert not left_empty, f"buffers that are not part of the state have no values: {left_empty}"


def empty_network(info: ModelInfo) -> nn.Module:
    """The network without memory for its weights (meta device), so that nothing is drawn only to be replaced.

    Raises:
        CheckpointFormatError: there is no such network, it takes no crops of this size, or explain_layer gives no map.
    """
    try:
        with torch.device("meta"):
            module = create_model(info.architecture, **info.arguments)
        _check_shapes(info)
    except (ValueError, TypeError, RuntimeError, AttributeError, OverflowError) as error:
        raise CheckpointFormatError(
            f"architecture {info.architecture!r} with arguments {info.arguments}, crops of {info.preprocess.size} "
            f"pixels and explain_layer {info.explain_layer!r} cannot be built: {error}"
        ) from error
    return module


@torch.inference_mode()
def _check_shapes(info: ModelInfo) -> None:
    """One blank crop through a narrow twin of the network: its maps are as high and wide, and it takes milliseconds.

    The meta device would do without a twin, but the first pass on it imports torch's compiler, which takes seconds.
    """
    narrow = {"width": _NARROW} if model_entry(info.architecture).scalable else {}
    with torch.device("meta"):
        twin = create_model(info.architecture, **(info.arguments | narrow)).eval()
    twin = twin.to_empty(device="cpu")
    for tensor in (*twin.parameters(), *twin.buffers()):
        tensor.zero_()
    outputs: list[object] = []
    if info.explain_layer is not None:
        layer = twin.get_submodule(info.explain_layer)
        layer.register_forward_hook(lambda _layer, _arguments, output: outputs.append(output))
    side = info.preprocess.size
    twin(torch.zeros(1, info.preprocess.channels, side, side))
    shapes = [tuple(output.shape) if isinstance(output, Tensor) else () for output in outputs]
    if info.explain_layer is not None and [len(shape) for shape in shapes] != [4]:
        raise ValueError("explain_layer must name a layer that gives one map for each crop, or be null")


def check_fit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str | Path) -> None:
    missing, surplus = set(expected) - set(state), set(state) - set(expected)
    problems = [f"missing keys: {listed(missing)}"] if missing else []
    problems += [f"surplus keys: {listed(surplus)}"] if surplus else []
    wrong = []
    for name in sorted(set(expected) & set(state)):
        got, wanted = state[name], expected[name]
        if got.shape != wanted.shape:
            wrong.append(f"{name} has the shape {tuple(got.shape)}, expected {tuple(wanted.shape)}")
        elif got.is_floating_point() != wanted.is_floating_point():
            wrong.append(f"{name} holds {got.dtype}, expected {wanted.dtype}")
    problems += [listed(wrong)] if wrong else []
    if problems:
        raise CheckpointMismatchError(f"the weights of {source} do not fit the network: {'; '.join(problems)}")


def is_finite(value: Tensor) -> bool:
    """Eight times as fast as ``isfinite().all()``: the least and the greatest are NaN where any value is."""
    return value.numel() == 0 or all(bool(each.isfinite()) for each in torch.aminmax(value))


def listed(names: Collection[str]) -> str:
    """The first ten in order, and how many more; a whole network's names would hide what matters."""
    shown, more = sorted(names)[:10], len(names) - 10
    return (", ".join(shown) + (f" and {more} more" if more > 0 else "")) or "none"
