"""What to say to someone who mistyped a command, a recipe or an option; and the list of what there is."""

import difflib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn

PROGRAM = "python -m training"


def first_line(described: Callable[..., Any]) -> str:
    """What a command or a recipe says of itself in its docstring's first line."""
    return (inspect.getdoc(described) or "").split("\n")[0].replace("``", "'")


def overview(described: Mapping[str, Callable[..., Any]]) -> str:
    """A line for each of them."""
    widest = max(map(len, described))
    return "\n".join(f"  {name:{widest}}  {first_line(each)}" for name, each in described.items())


def check_words(given: Sequence[str]) -> None:
    """Leave with 2 where a word is empty: as a path it would be the working directory."""
    if any(not word.strip() or word.endswith("=") for word in given):
        leave("an argument is empty, and as a path would mean the folder you are in; is a variable not set?")


def check_options(given: Sequence[str], known: Iterator[str], command: str) -> None:
    """Leave with 2 and one line on stderr at the first option that a command does not have.

    Args:
        given: the arguments after the command.
        known: every option, with its dashes.
        command: as it was typed: "train bundled".
    """
    names = ["--help", *known]
    for word in given:
        name = word.partition("=")[0].replace("_", "-")
        if word.startswith("--") and len(word) > 2 and name not in names:
            wrong = f"'{PROGRAM} {command}' has no option {word.partition('=')[0]}"
            leave(did_you_mean(wrong, name, names, f"'{PROGRAM} {command} --help' lists them"))


def did_you_mean(said: str, wrong: str, right: Sequence[str], then: str) -> str:
    """What is wrong, the nearest right name as a question, and what to do then.

    Of options the nearest may be one of another group: --optimization.epochs for "--epochs".
    """
    ends = {_last(name): name for name in reversed(right)}
    near = difflib.get_close_matches(wrong, right, n=1, cutoff=0.6)
    within = difflib.get_close_matches(_last(wrong), ends, n=1, cutoff=0.75)
    chosen = ends.get(_last(wrong)) or (near[0] if near else None) or (ends[within[0]] if within else None)
    return f"{said}; did you mean {chosen}? {then[0].upper()}{then[1:]}" if chosen else f"{said}; {then}"


def _last(name: str) -> str:
    return name.lstrip("-").rpartition(".")[2]


def leave(said: str) -> NoReturn:
    """End the program as wrong usage does."""
    print(f"training: {said}", file=sys.stderr)
    raise SystemExit(2)


def options_of(command: Callable[..., Any]) -> Iterator[str]:
    """Every option of a command, by its signature."""
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is not parameter.POSITIONAL_ONLY:
            yield from options_in(parameter.default, name)


def options_in(value: Any, name: str = "") -> Iterator[str]:
    """Every option that a setting has: itself, or for a group of settings each of them; and "no-" for a switch."""
    group, _, last = name.replace("_", "-").rpartition(".")
    place = f"{group}." if group else ""
    if is_dataclass(value):
        for each in fields(value):
            yield from options_in(getattr(value, each.name), f"{name}.{each.name}" if name else each.name)
        return
    yield f"--{place}{last}"
    if isinstance(value, bool):
        yield f"--{place}no-{last}"
