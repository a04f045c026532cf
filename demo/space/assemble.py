"""Puts together the folder that is uploaded as a Space: what it needs to run, and nothing else.

The Space's card is README.md: its front matter configures the host, as read in the documentation of Spaces
(https://huggingface.co/docs/hub/spaces-config-reference and spaces-zerogpu) in November 2026.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resemotenet import pretrained
from resemotenet.checkpoint import CONFIG_FILE, WEIGHTS_FILE, load_model
from resemotenet.errors import ResEmoteNetError

ROOT = Path(__file__).resolve().parents[2]

# The Gradio that the page was last looked at with: a Space takes one release, not a range.
GRADIO = "6.31.0"
# ZeroGPU has 3.10.13 and 3.12.12.
PYTHON = "3.12.12"
# ZeroGPU refuses releases of torch that it does not know: 2.8 to 2.11 by every reading, to 2.13 by the latest one.
TORCH_BELOW = "2.12"

# Package -> its files that a Space needs. Of demo/ the top only: what makes Spaces stays at home.
_PACKAGES = {
    "demo": ("*.py", "web/*", "examples/*"),
    "resemotenet": ("**/*.py",),
}
_WEIGHTS = (f"weights/{CONFIG_FILE}", f"weights/{WEIGHTS_FILE}")


@dataclass(frozen=True)
class Pinned:
    """Weights on the Hub, as they are at one commit.

    Attributes:
        name: "owner/name".
        revision: 40 hexadecimal digits.
    """

    name: str
    revision: str


def pin(model: str, revision: str | None = None) -> Pinned:
    """The commit that a repository's branch, tag or main branch is at now, after its weights have been loaded once.

    Raises:
        ResEmoteNetError: there is no such repository or revision, it cannot be reached, or it holds no model.
        ValueError: a revision of a folder.
    """
    source = pretrained.resolve(model, revision)
    if source.revision is None:
        raise ResEmoteNetError(f"{model!r} is a folder here; a Space takes weights from the Hub, as owner/name")
    load_model(source.folder)
    return Pinned(source.name, source.revision)


def assemble(out: Path, model: Pinned | None = None) -> Path:
    """Write the Space's files into ``out``; the same call gives the same bytes.

    Args:
        out: a new folder, an empty one, or one that an earlier call wrote, which is replaced.
        model: weights on the Hub; None puts the bundled ones into the Space.

    Raises:
        ResEmoteNetError: the folder holds other things, or the bundled weights are missing.
    """
    if out.exists() and not _replaceable(out):
        raise ResEmoteNetError(f"{out} holds things that no Space has; name a new folder, or empty it yourself")
    sources = [path for package, patterns in _PACKAGES.items() for path in _files(ROOT / package, patterns)]
    if model is None:
        load_model(pretrained.bundled_folder())
        sources += _files(ROOT / "resemotenet", _WEIGHTS)
    if out.exists():
        shutil.rmtree(out)
    for source in [*sources, ROOT / "LICENSE"]:
        target = out / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    (out / "README.md").write_text(card(model), encoding="utf-8")
    (out / "app.py").write_text(app_file(model), encoding="utf-8")
    (out / "requirements.txt").write_text(requirements(), encoding="utf-8")
    return out


def card(model: Pinned | None = None) -> str:
    """The Space's README.md."""
    text = (Path(__file__).parent / "card.md").read_text(encoding="utf-8")
    if model is None:
        weights = (
            "They lie in `resemotenet/weights`, and `config.json` there states what was measured, and their licence"
        )
    else:
        weights = f"They are those of `{model.name}` at commit `{model.revision}`, whose card states the rest"
    # JSON is YAML, and quotes whatever needs it.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in front_matter(model).items()]
    return "\n".join(["---", *lines, "---", "", text.replace("{weights}", weights)])


def front_matter(model: Pinned | None = None) -> dict[str, Any]:
    """What the host reads."""
    fields: dict[str, Any] = {
        "title": "ResEmoteNet: emotions on faces",
        "emoji": "🙂",
        "colorFrom": "gray",
        "colorTo": "yellow",
        "sdk": "gradio",
        "sdk_version": GRADIO,
        "python_version": PYTHON,
        "app_file": "app.py",
        "short_description": "Finds faces and reads seven emotions in each",
        "suggested_hardware": "zero-a10g",  # what ZeroGPU is still called
        # The code is MIT; weights that travel along have a licence of their own, which the text names.
        "license": "other" if model is None else "mit",
        "tags": ["facial-expression-recognition", "emotion-recognition", "image-classification", "webcam"],
    }
    if model is not None:
        files = f"{CONFIG_FILE},{WEIGHTS_FILE}"
        fields |= {"models": [model.name], "preload_from_hub": [f"{model.name} {files} {model.revision}"]}
    return fields


def app_file(model: Pinned | None = None) -> str:
    """The Space's app.py, with the weights filled in."""
    text = (Path(__file__).parent / "app.py").read_text(encoding="utf-8")
    if model is None:
        return text
    return _replaced(text, MODEL=model.name, REVISION=model.revision)


def _replaced(text: str, **values: str) -> str:
    for name, value in values.items():
        line = f"\n{name}: str | None = None\n"
        assert text.count(line) == 1
        text = text.replace(line, f"\n{name}: str | None = {json.dumps(value)}\n")
    return text


def requirements() -> str:
    """requirements.txt with a last release of torch."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (torch,) = (line for line in lines if line.startswith("torch>="))
    kept = [f"{line},<{TORCH_BELOW}" if line is torch else line for line in lines if not line.startswith("#")]
    return "\n".join(kept) + "\n"


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = []
    for pattern in patterns:
        matches = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
        if not matches:
            raise ResEmoteNetError(f"there is no {folder / pattern}: this is no whole clone of the repository")
        found += matches
    return found


def _replaceable(out: Path) -> bool:
    """Empty, or with a Space's card at its top: nobody's own files."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    ours = {"README.md", "app.py", "requirements.txt", "LICENSE", *_PACKAGES}
    if not names:
        return True
    return names <= ours | {"__pycache__"} and {"README.md", "app.py"} <= names
