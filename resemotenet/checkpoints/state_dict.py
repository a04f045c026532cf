"""The tensors of a file that somebody else's training wrote, by the names that the network itself gives them.

A .pth file is a pickle, in a zip archive unless it is very old. It is read with ``weights_only=True``, which builds
tensors and plain containers and refuses everything else, so that opening a stranger's file runs no code. What
trainings wrap around a network (a dict with the epoch beside it, ``module.`` before each name) is known here and taken
off; what is not known stays, and whoever compares names with a network's will say so.
"""

import os
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import CheckpointError, CheckpointFormatError, CheckpointNotFoundError, UnsafeCheckpointError
from .fitting import listed

# Under which a dict holds the state_dict, in the order in which they are looked for: averaged weights are taken where
# there are no others.
HOLDERS = (
    *("model_state_dict", "state_dict", "model_state", "model", "network", "net", "module", "weights", "params"),
    *("ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "ema", "params_ema", "shadow"),
)
# Before every name: DataParallel's and torch.optim's averages, torch.compile's, and attributes of Lightning's modules.
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.", "ema_model.", "ema.", "model_ema.", "student.")
# Parts of a name, wherever they stand: of layers that were compiled, sharded or recomputed one by one.
_PARTS = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# What wrappers have beside the network: a count of what was averaged, weights of the classes in the loss.
_BESIDE = re.compile(r"(n_averaged|(?:criterion|loss|loss_fn|loss_func|loss_function)\.).*", re.DOTALL)

# So many containers within each other are looked through for a network under a name that is not known.
_DEEPEST = 4

# What torch.save writes begins as a zip archive or, in its format before 2020, as a pickle of protocol 2 or later.
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
# An old file begins with so many pickles; the tensors follow.
_OLD_PICKLES = 5
# A tensor takes some forty, its optimizer's state twice as many.
MOST_STEPS = 3_000_000
LONGEST_CLASS = 500


@dataclass(frozen=True)
class StateDict:
    """The tensors of a file.

    Attributes:
        tensors: by name; at least one.
        stripped: what was taken off, outermost first: keys of dicts that held the rest, what wrappers have beside the
            network, prefixes of all names, parts of some.
    """

    tensors: dict[str, Tensor]
    stripped: tuple[str, ...] = ()


def read_state_dict(path: Path) -> StateDict:
    """The state_dict of a file that torch.save or safetensors' save_file wrote; opening it runs no code.

    Raises:
        CheckpointNotFoundError: there is no such file.
        CheckpointFormatError: it is damaged, holds no state_dict, or would grow when it is unpacked.
        UnsafeCheckpointError: it is a pickle that holds more than tensors and plain values.
    """
    if not os.path.isfile(path):  # pathlib's raises where a folder may not be entered
        what = "is not a file" if os.path.exists(path) else "does not exist"
        raise CheckpointNotFoundError(f"{path} {what}; expected a checkpoint that torch.save wrote")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _load_plain(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointFormatError(f"{path} is damaged, unreadable or not a safetensors file: {error}") from error
    held, keys = _held(content)
    return _unwrapped(_checked(held, path), keys, path)


def _load_plain(path: Path) -> Any:
    """The content of a file that torch.save wrote, if it is tensors and plain values only."""
    with path.open("rb") as file:
        beginning = file.read(4)
        if not beginning.startswith((_ZIP, _PICKLE)):
            raise CheckpointFormatError(f"{path} is not a checkpoint that torch.save wrote (a download that failed?)")
        if not beginning.startswith(_ZIP):
            file.seek(0)
            _check_pickles(file, path, _OLD_PICKLES)
    try:
        if beginning == _ZIP:
            _check_archive(path)
        with warnings.catch_warnings(action="ignore"):  # torch warns about what it refuses in the next moment
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        what = f"it asks for {wanted[1]}" if wanted else "it does more than a checkpoint of tensors needs"
        raise UnsafeCheckpointError(
            f"{path} is a pickle that holds more than tensors and plain values: {what}. It was not loaded, because "
            "that could run code. Have its owner save model.state_dict() alone"
        ) from error
    except Exception as error:  # damaged bytes surface as nearly any type: RuntimeError, KeyError, EOFError, ...
        reason = (str(error) or type(error).__name__).split(". ")[0]
        raise CheckpointFormatError(f"{path} is damaged, cut short or of another kind: {reason}") from error


def _check_archive(path: Path) -> None:
    """torch.save packs nothing, so an archive that would grow is a trap."""
    with zipfile.ZipFile(path) as archive:
        total, packed = sum(entry.file_size for entry in archive.infolist()), path.stat().st_size
        if total > packed:
            raise CheckpointFormatError(
                f"{path} has {packed:,} bytes and would unpack to {total:,}; torch.save packs nothing, so this is no "
                "checkpoint of its making and was not read"
            )
        for entry in archive.infolist():
            if entry.filename.endswith("data.pkl"):
                with archive.open(entry) as file:
                    _check_pickles(file, path, 1)


def _check_pickles(file: IO[bytes], path: Path, count: int) -> None:
    """Every step of a pickle makes an object, and torch takes the square of a name's length in time to refuse it."""
    for number, (operation, argument) in enumerate(_steps(file, count), start=1):
        if number > MOST_STEPS:
            raise CheckpointFormatError(
                f"{path} holds a pickle of more than {MOST_STEPS:,} steps, which no network's tensors take; not "
                "loaded. Have its owner save model.state_dict() alone"
            )
        if operation == "GLOBAL" and len(str(argument)) > LONGEST_CLASS:
            raise UnsafeCheckpointError(
                f"{path} is a pickle that asks for a class whose name has {len(str(argument)):,} characters; not "
                "loaded, because that could run code"
            )


def _steps(file: IO[bytes], count: int) -> Iterator[tuple[str, object]]:
    """The operations of so many pickles, each with its argument, up to what is damaged: torch will say that."""
    with suppress(ValueError):
        for _ in range(count):
            yield from ((operation.name, argument) for operation, argument, _place in pickletools.genops(file))


def _held(content: Any) -> tuple[Any, list[str]]:
    """What the innermost of the dicts that hold each other has, and the keys on the way."""
    keys: list[str] = []
    while isinstance(content, dict):
        key = next((key for key in HOLDERS if isinstance(content.get(key), dict)), None)
        if key is None:
            break
        keys.append(key)
        content = content[key]
    if isinstance(content, dict) and any(isinstance(value, Tensor) for value in content.values()):
        return content, keys
    found = [] if not isinstance(content, (dict, list, tuple)) else list(islice(_networks(content, [], set()), 2))
    if len(found) != 1:  # none, or nobody knows which
        return content, keys
    place, content = found[0]
    return content, keys + place


def _networks(content: Any, place: list[str], seen: set[int]) -> Iterator[tuple[list[str], Any]]:
    """Every dict of nothing but tensors in containers within each other, and where it is, as ["best", "0"]."""
    seen.add(id(content))  # a container may hold itself
    if isinstance(content, dict) and content and all(isinstance(k, str) and _is_dense(v) for k, v in content.items()):
        yield place, content
    elif len(place) < _DEEPEST:
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            if isinstance(value, (dict, list, tuple)) and id(value) not in seen:
                yield from _networks(value, [*place, ascii(key).strip("'")[:40]], seen)


def _checked(state: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(state, dict):
        raise CheckpointFormatError(f"{path} holds a {type(state).__name__}, expected a state_dict")
    if kinds := {type(key).__name__ for key in state if not isinstance(key, str)}:
        raise CheckpointFormatError(
            f"{path} holds no state_dict: the names of tensors are text, but here are keys of the type "
            f"{', '.join(sorted(kinds))}"
        )
    others = [key for key, value in state.items() if not _is_dense(value)]
    if others or all(_BESIDE.fullmatch(name) for name in state):
        raise CheckpointFormatError(
            f"{path} holds no state_dict, bare or under one of {', '.join(HOLDERS)}: "
            + (f"these entries are not tensors: {listed(others)}" if others else "it is empty")
        )
    return state


def _unwrapped(state: dict[str, Tensor], keys: list[str], path: Path) -> StateDict:
    stripped = list(keys)
    if beside := {name: found[1] for name in state if (found := _BESIDE.fullmatch(name))}:
        stripped += sorted(set(beside.values()))
        state = {name: value for name, value in state.items() if name not in beside}
    names = {name: name for name in state}
    while prefix := next((each for each in PREFIXES if all(name.startswith(each) for name in names.values())), ""):
        stripped.append(prefix)
        names = {old: name.removeprefix(prefix) for old, name in names.items()}
    if parts := sorted({part for name in names.values() for part in _PARTS.findall(name)}):
        stripped += [f"{part}." for part in parts]
        names = {old: _PARTS.sub("", name) for old, name in names.items()}
    if len(set(names.values())) < len(names):
        raise CheckpointFormatError(f"{path} has two tensors of one name, once {', '.join(stripped)} is taken off")
    return StateDict({names[old]: value for old, value in state.items()}, tuple(stripped))


def _is_dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta and not value.is_quantized
