"""Who may import whom, read from the source; and what an import must not load, seen in a fresh interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import resemotenet

ROOT = Path(__file__).resolve().parents[1]


# Package -> what none of its files imports, at any depth of the code.
NEVER = {
    "resemotenet": {"training", "demo", "dashboard", "tests", "gradio", "streamlit", "accelerate", "tyro"},
    # A bare GPU machine trains without pages and without a face detector.
    "training": {"demo", "dashboard", "tests", "gradio", "streamlit", "facenet_pytorch"},
    "demo": {"training", "dashboard", "tests", "streamlit"},
    "dashboard": {"training", "demo", "tests", "gradio", "accelerate"},
}
# Library -> the files, of all packages, that import it.
ONLY = {
    "onnx": {f"resemotenet/checkpoints/{name}.py" for name in ("graph", "gradient", "quantize")},
    "onnxruntime": {"resemotenet/checkpoints/backends.py"},
    "facenet_pytorch": {"resemotenet/reading/cascade.py"},
    "huggingface_hub": {"resemotenet/checkpoints/hub.py", "resemotenet/publishing/metadata.py"},
}

# Wing of the library -> what of the library its files import, besides themselves and the package's version. Whatever a
# wing may import stands above it, so there is neither an arrow up nor a circle. With a dot: one module of a wing.
WINGS = {
    "errors": set(),
    "emotions": set(),
    "models": {"errors"},
    "runs": {"errors", "emotions"},
    "checkpoints": {"errors", "emotions", "models", "runs.schema"},
    "reading": {"errors", "emotions", "checkpoints", "runs.schema"},
    "datasets": {"errors", "emotions", "reading.images", "checkpoints.preprocessing"},
    "publishing": {"errors", "emotions", "runs", "checkpoints", "reading", "datasets"},
    "corpus": {"errors", "emotions", "checkpoints", "reading"},
    "cli": {"errors", "checkpoints", "reading", "publishing", "corpus"},
}

# A step on the way of a picture -> the files that take it, of all packages: what it gives is handed on, not made again.
# Cut a second time is only what the browser sends back: the frame of a camera, which nobody else has kept.
STEPS = {
    "lightened": ["resemotenet/reading/images.py"],
    "cut": ["demo/handlers.py", "resemotenet/reading/predictor.py"],
}

# Module to import -> what must not be loaded after it.
LAZY = {
    # Training on a GPU machine loads models too.
    "resemotenet.checkpoints.checkpoint": ("onnx", "onnxruntime"),
    "resemotenet": ("torch", "torchvision", "PIL", "numpy", "facenet_pytorch", "huggingface_hub"),
    "resemotenet.cli": ("torch", "torchvision", "facenet_pytorch", "huggingface_hub"),
    "resemotenet.publishing.publication": ("huggingface_hub",),
    "resemotenet.runs.metrics": ("torch", "PIL", "sklearn", "scipy"),
}


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import in ``source``, which is a module of ``package``.

    Sees import statements wherever they stand and ``import_module("...")`` or ``__import__("...")`` with a literal.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = [*parents, node.module] if node.module else parents
            # "from .. import x" may name a module, so each name counts.
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value)


def hits(folder: Path, libraries: set[str]) -> list[str]:
    """ "file:line module" of every import of one of ``libraries`` by a file under ``folder``, a top-level package."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder.parent)
        for line, module in imported(path.read_text(encoding="utf-8"), ".".join(name.parent.parts)):
            if module.split(".")[0] in libraries:
                found.append(f"{name.as_posix()}:{line} {module}")
    return found


def test_every_package_has_a_rule():
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(NEVER)


@pytest.mark.parametrize("package", NEVER)
def test_packages_keep_apart(package: str):
    assert hits(ROOT / package, NEVER[package]) == []


@pytest.mark.parametrize(("library", "homes"), ONLY.items())
def test_a_library_with_a_home_stays_there(library: str, homes: set[str]):
    everywhere = [hit for package in NEVER for hit in hits(ROOT / package, {library})]
    assert {hit.partition(":")[0] for hit in everywhere} == homes


def calls(path: Path, function: str) -> int:
    """How often a function is called by its own name in a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    named = [node.func for node in nodes if isinstance(node, ast.Call)]
    return sum(function in (getattr(each, "id", None), getattr(each, "attr", None)) for each in named)


@pytest.mark.parametrize(("function", "files"), STEPS.items())
def test_a_picture_takes_each_step_once(function: str, files: list[str]):
    paths = [path for package in sorted(NEVER) for path in sorted((ROOT / package).rglob("*.py"))]
    counts = {path.relative_to(ROOT).as_posix(): calls(path, function) for path in paths}
    assert {name: count for name, count in counts.items() if count} == dict.fromkeys(files, 1)


def test_every_wing_has_a_rule():
    library = ROOT / "resemotenet"
    folders = {path.parent.name for path in library.glob("*/__init__.py")}
    files = {path.stem for path in library.glob("*.py") if not path.stem.startswith("__")}
    assert folders | files == set(WINGS)


@pytest.mark.parametrize("wing", WINGS)
def test_wings_import_only_what_stands_above_them(wing: str):
    """The rules above are read in their order: whatever a wing names has had its own line before."""
    above = list(WINGS)[: list(WINGS).index(wing)]
    assert {name.partition(".")[0] for name in WINGS[wing]} <= set(above)
    wrong = []
    place = ROOT / "resemotenet" / wing
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
        name = path.relative_to(ROOT)
        for line, module in imported(path.read_text(encoding="utf-8"), ".".join(name.parent.parts)):
            package, _, inside = module.partition(".")
            if package == "resemotenet" and inside and not within(inside, {wing, "__version__", *WINGS[wing]}):
                wrong.append(f"{name.as_posix()}:{line} {module}")
    assert wrong == []


def within(module: str, allowed: set[str]) -> bool:
    """Whether ``module`` is one of ``allowed``, or lies in one."""
    return any(f"{module}.".startswith(f"{each}.") for each in allowed)


@pytest.mark.parametrize(
    "code",
    [
        "import training",
        "import os, training.loop",
        "from training import loop",
        "from training.loop import run",
        "from ..training import loop",
        "from .. import training",
        "if TYPE_CHECKING:\n    from training import loop",
        "def late():\n    import training as t",
        "importlib.import_module('training.loop')",
        "__import__('training')",
    ],
)
def test_the_check_sees_every_way_to_import(tmp_path: Path, code: str):
    demo = tmp_path / "demo"
    demo.mkdir()
    (demo / "bad.py").write_text(code + "\n")
    (demo / "good.py").write_text("from . import training\nfrom .training import loop\nimport trainings\n")
    assert [hit.split(":")[0] for hit in hits(demo, {"training"})] == ["demo/bad.py"]


@pytest.mark.parametrize("module", LAZY)
def test_importing_is_light(module: str):
    code = f"import sys, {module}; print(*sorted(set({LAZY[module]!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_probe_sees_a_heavy_import():
    code = "import sys, numpy; print(*({'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy"]


@pytest.mark.parametrize("name", resemotenet.__all__)
def test_every_public_name_is_there(name: str):
    assert name in dir(resemotenet)
    assert getattr(resemotenet, name) is vars(resemotenet)[name]


def test_a_name_that_is_not_there_says_so():
    with pytest.raises(AttributeError, match="'resemotenet' has no attribute 'Predictor'"):
        resemotenet.Predictor  # noqa: B018
