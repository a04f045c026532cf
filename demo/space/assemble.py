"""Puts together the folder that is uploaded as a Space: what it needs to run, and nothing else.

The Space's card is README.md: its front matter configures the host, as read in the documentation of Spaces
(https://huggingface.co/docs/hub/spaces-config-reference and spaces-zerogpu) in November 2026.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resemotenet.checkpoints import pretrained
from resemotenet.checkpoints.checkpoint import CONFIG_FILE, WEIGHTS_FILE, load_model, read_info
from resemotenet.errors import ResEmoteNetError
from resemotenet.runs.schema import ModelInfo

from .. import handlers
from ..browser import runtime

ROOT = Path(__file__).resolve().parents[2]

# The Gradio that the page was last looked at with: a Space takes one release, not a range.
GRADIO = "6.31.0"
# ZeroGPU has 3.10.13 and 3.12.12.
PYTHON = "3.12.12"
# ZeroGPU refuses releases of torch that it does not know: 2.8 to 2.11 by every reading, to 2.13 by the latest one.
TORCH_BELOW = "2.12"

# A line of the card that pages do not show. What has it was written here, and may be replaced as a whole.
MARK = "<!-- Made by python -m demo.space, which replaces all of this when it is run again. -->"

# Package -> its files that a Space needs. Of demo/ the top only: what makes Spaces stays at home. Examples by name:
# people try their own pictures, and leave them there.
_EXAMPLES = tuple(f"examples/{name}" for name in ("README.md", *(example.file for example in handlers.EXAMPLES)))
_PACKAGES = {
    "demo": (
        *("*.py", "web/*.css", "web/*.html", "web/*.js", "web/*.png", *_EXAMPLES),
        *("browser/*.py", "browser/*.js", "browser/package.json"),
    ),
    "resemotenet": ("**/*.py",),
}
# What browsers run the reader in, where npm has fetched it; a Space has no npm of its own.
_RUNTIME = tuple(str(path.relative_to(ROOT)) for path in runtime.FILES)
_WEIGHTS = (f"weights/{CONFIG_FILE}", f"weights/{WEIGHTS_FILE}")


@dataclass(frozen=True)
class Pinned:
    """Weights on the Hub, as they are at one commit.

    Attributes:
        name: "owner/name".
        revision: 40 hexadecimal digits.
        license_name: of the weights, as their config.json has it, if it is a name that a card can hold.
    """

    name: str
    revision: str
    license_name: str | None = None


def pin(model: str, revision: str | None = None) -> Pinned:
    """The commit that a repository's branch, tag or main branch is at now, after its weights have been loaded once.

    Raises:
        ResEmoteNetError: there is no such repository or revision, it cannot be reached, or it holds no model.
        ValueError: a revision of a folder.
    """
    source = pretrained.resolve(model, revision)
    if source.revision is None:
        raise ResEmoteNetError(f"{model!r} is a folder here; a Space takes weights from the Hub, as owner/name")
    info = load_model(source.folder).info
    return Pinned(source.name, source.revision, _license_name(info))


def assemble(out: Path, model: Pinned | None = None) -> Path:
    """Write the Space's files into ``out``; the same call gives the same bytes.

    Args:
        out: a new folder, an empty one, or one that an earlier call wrote, which is replaced.
        model: weights on the Hub; None puts the bundled ones into the Space.

    Raises:
        ResEmoteNetError: the folder holds other things, the bundled weights are missing, or a file is a link.
    """
    if out.exists() and not _replaceable(out):
        raise ResEmoteNetError(
            f"{out} holds things that no earlier call wrote; name a new folder, or empty it yourself"
        )
    sources = [path for package, patterns in _PACKAGES.items() for path in _files(ROOT / package, patterns)]
    if model is None:
        load_model(pretrained.bundled_folder())
        sources += _files(ROOT / "resemotenet", _WEIGHTS)
    sources += _files(ROOT, ("LICENSE", *(() if runtime.missing() else _RUNTIME)))
    if out.exists():
        shutil.rmtree(out)
    for source in sources:
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
    return "\n".join(["---", *lines, "---", "", MARK, "", text.replace("{weights}", weights)])


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
        # The code is MIT; the weights have a licence of their own, which binds those who use the page.
        "license": "other",
        "tags": ["facial-expression-recognition", "emotion-recognition", "image-classification", "webcam"],
    }
    name = _license_name(read_info(pretrained.bundled_folder())) if model is None else model.license_name
    if name is not None:
        fields["license_name"] = name
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


def has_mark(card: str) -> bool:
    """Whether a README.md was written here."""
    return MARK in card.splitlines()


def _license_name(info: ModelInfo) -> str | None:
    """A licence's name in the form that cards take; another one is left to the weights' own card."""
    name = info.license.get("name")
    return name if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) else None


def _files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of these patterns, but no hidden ones.

    Raises:
        ResEmoteNetError: a pattern fits nothing; or a file or a folder above it is a link, which leads who knows where.
    """
    found = []
    for pattern in patterns:
        matches = [path for path in sorted(folder.glob(pattern)) if path.is_file() and not _hidden(path, folder)]
        if not matches:
            raise ResEmoteNetError(f"there is no {folder / pattern}: this is no whole clone of the repository")
        for path in matches:
            above = path.relative_to(ROOT).parents
            if link := next((each for each in (path, *(ROOT / part for part in above)) if each.is_symlink()), None):
                raise ResEmoteNetError(
                    f"{link} is a symbolic link; a Space takes files only. Remove it, or copy the file"
                )
        found += matches
    return found


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _replaceable(out: Path) -> bool:
    """Empty, or with a card of ours and nothing beside a Space's files: nobody's own work."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    ours = {"README.md", "app.py", "requirements.txt", "LICENSE", "__pycache__", "build", *_PACKAGES}
    readme = out / "README.md"
    if not names:
        return True
    return names <= ours and readme.is_file() and has_mark(readme.read_text(encoding="utf-8", errors="replace"))
