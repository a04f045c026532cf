"""The tree drawn in the docstring of errors.py is the tree of the classes."""

import inspect
import re

from resemotenet import errors

LINE = re.compile(r"^(?P<indent> +(?:│ +)*(?:[├└]── )?)(?P<name>\w+Error)(?: \((?P<builtin>\w+)\))?(?: |$)")


def drawn_tree() -> dict[str, tuple[str, ...]]:
    """Name of each class -> names of its bases, as drawn."""
    assert errors.__doc__ is not None
    tree: dict[str, tuple[str, ...]] = {}
    above: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        depth = len(match["indent"])
        above = [(level, name) for level, name in above if level < depth]
        parent = above[-1][1] if above else "Exception"
        tree[match["name"]] = (parent, match["builtin"]) if match["builtin"] else (parent,)
        above.append((depth, match["name"]))
    return tree


def test_the_drawing_is_true() -> None:
    real = {
        name: tuple(base.__name__ for base in member.__bases__)
        for name, member in inspect.getmembers(errors, inspect.isclass)
    }
    assert len(real) > 10
    assert drawn_tree() == real


def test_every_error_says_what_it_is_for() -> None:
    for name, member in inspect.getmembers(errors, inspect.isclass):
        assert member.__doc__, name


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    told = str(errors.CheckpointNotFoundError("weights.pth holds " + "x" * 10**6 + ", expected tensors"))
    assert len(told) <= errors.LONGEST_MESSAGE
    assert told.startswith("weights.pth holds xxx")
    assert told.endswith("xxx, expected tensors")
    assert "[... 1,000,036 characters ...]" in told


def test_what_a_terminal_would_obey_is_written_out() -> None:
    told = str(errors.ImageError("a\x1b[2J\x9b\r\u202e\ud800.jpg is no picture: é ❤ 顔\nsecond line"))
    assert told == "a\\x1b[2J\\x9b\\r\\u202e\\ud800.jpg is no picture: é ❤ 顔\nsecond line"
