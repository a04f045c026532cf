"""Files and functions stay small enough to be read in one go, and tests lie where what they test lies."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("resemotenet", "training", "demo", "dashboard", "tests")
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


def sources(*suffixes: str) -> Iterator[Path]:
    for package in PACKAGES:
        paths = (path for path in sorted((ROOT / package).rglob("*")) if "node_modules" not in path.parts)
        yield from (path for path in paths if path.suffix in suffixes)


def functions_over(limit: int, source: str) -> list[tuple[str, int]]:
    """(name, lines) of every function in it that is longer, with its decorators left out."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > limit:
                found.append((node.name, lines))
    return found


def test_files_are_short():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(".py", ".js", ".css")}
    assert len(lengths) > 100
    assert {path.as_posix(): lines for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}


def test_functions_are_short():
    long = {path: functions_over(MOST_LINES_OF_A_FUNCTION, path.read_text(encoding="utf-8")) for path in sources(".py")}
    assert {path.as_posix(): found for path, found in long.items() if found} == {}


@pytest.mark.parametrize(("limit", "found"), [(2, [("inner", 3), ("outer", 5)]), (4, [("outer", 5)]), (5, [])])
def test_the_check_counts_functions_in_classes_and_in_functions(limit: int, found: list[tuple[str, int]]):
    source = (
        "class A:\n    @property\n    def outer(self):\n        async def inner():\n"
        "            await x\n            await y\n        return inner\n"
    )
    assert sorted(functions_over(limit, source)) == found


@pytest.mark.parametrize("package", PACKAGES[:-1])
def test_folders_of_tests_are_those_of_the_package(package: str):
    tests = ROOT / "tests" / package
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    assert [folder for folder in folders if not (ROOT / package / folder / "__init__.py").is_file()] == []
