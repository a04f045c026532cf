"""Puts together the page as files alone: pictures and camera are read in the visitor's browser, and nowhere else.

Any web server serves them, a static Space too. What Gradio adds to the parts of the page (tabs, theme, the order in
which scripts start) is in ``site/``.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from resemotenet import load_model
from resemotenet.checkpoints import pretrained
from resemotenet.errors import ResEmoteNetError

from .. import handlers, markup, parts
from ..browser import runtime
from ..browser.assemble import assemble as assemble_reader
from .assemble import MARK, ROOT, Pinned, front_matter, has_mark

_SITE = Path(__file__).parent / "site"
_READER = "device/"
_EACH = re.compile(r"\{\{#each (\w+)\}\}(.*?)\{\{/each\}\}", re.DOTALL)
_VALUE = re.compile(r"\{\{\{(\w+)\}\}\}|\{\{(\w+)\}\}")
# Of a Space's card: what is about machines that run something.
_RUNNING = {"sdk_version", "python_version", "app_file", "suggested_hardware", "preload_from_hub"}


def assemble_static(out: Path, model: Pinned | None = None) -> Path:
    """Write the page into ``out``; the same call gives the same bytes.

    Args:
        out: a new folder, an empty one, or one that an earlier call wrote, which is replaced.
        model: weights on the Hub; the bundled ones unless given.

    Raises:
        ResEmoteNetError: the folder holds other things, the runtime is missing, or the model has no ranges for 8 bits.
    """
    if why := runtime.missing():
        raise ResEmoteNetError(f"a page without a server needs the runtime for browsers: {why}")
    if out.exists() and not _replaceable(out):
        raise ResEmoteNetError(
            f"{out} holds things that no earlier call wrote; name a new folder, or empty it yourself"
        )
    source = pretrained.resolve() if model is None else pretrained.resolve(model.name, model.revision)
    loaded = load_model(source.folder)
    if out.exists():
        shutil.rmtree(out)
    assemble_reader(loaded, source, out / _READER)
    (out / "page.css").write_text(f"{(_SITE / 'site.css').read_text()}\n{parts.web(*parts.STYLES)}", encoding="utf-8")
    scripts = [_function("picture", parts.PICTURE), _function("live", parts.LIVE)]
    (out / "parts.js").write_text("\n".join(scripts), encoding="utf-8")
    (out / "index.html").write_text(_document(loaded, source), encoding="utf-8")
    shutil.copyfile(_SITE / "site.js", out / "site.js")
    shutil.copyfile(parts.WEB / "favicon.png", out / "favicon.png")
    for example in handlers.EXAMPLES:
        shutil.copyfile(handlers.EXAMPLES_FOLDER / example.file, _made(out / "examples") / example.file)
    shutil.copyfile(ROOT / "LICENSE", out / "LICENSE")
    (out / "sw.js").write_text(_service_worker(out), encoding="utf-8")
    (out / "README.md").write_text(_card(out, model), encoding="utf-8")
    return out


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A template of ``web/`` with its values, by as much of Gradio's rules as ours use.

    ``{{{name}}}`` is HTML, ``{{name}}`` is text, and ``{{#each names}}...{{/each}}`` repeats what is in it.
    """

    def value(found: re.Match[str]) -> str:
        return str(values[found[1]]) if found[1] else escape(str(values[found[2]]))

    repeated = _EACH.sub(lambda found: "".join(filled(found[2], each) for each in values[found[1]]), template)
    return _VALUE.sub(value, repeated)


def _document(model: Any, source: pretrained.Source) -> str:
    told = {"picture": parts.picture_props(model, _READER), "live": parts.live_props(model, _READER)}
    for example, props in zip(handlers.EXAMPLES, told["picture"]["examples"], strict=True):
        props["file"] = f"examples/{example.file}"
    values = {
        "title": parts.TITLE,
        "description": markup.INVITATION,
        "masthead": markup.header(source),
        "picture": filled(parts.web(parts.PICTURE.template), told["picture"]),
        "live": filled(parts.web(parts.LIVE.template), told["live"]),
        "about": markup.about(model, source),
        # Not "</script>", whatever a model's labels are.
        "told": json.dumps(told).replace("<", "\\u003c"),
    }
    return filled((_SITE / "index.html").read_text(encoding="utf-8"), values)


def _function(name: str, part: parts.Part) -> str:
    """A part's scripts as they are run on the served page, with the same names around them."""
    return f"export function {name}(element, props, server, trigger, watch) {{\n{parts.web(*part.scripts)}\n}}\n"


def _service_worker(out: Path) -> str:
    """All that a visit needs, but the large files: those the reader's own cache keeps."""
    paths = sorted(path for path in out.rglob("*") if path.is_file() and path.suffix not in (".gz", ".md"))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    names = [path.relative_to(out).as_posix() for path in paths if path.name not in ("LICENSE", "index.html")]
    values = {"version": digest.hexdigest()[:16], "files": json.dumps(["./", *names])}
    return filled((_SITE / "sw.js").read_text(encoding="utf-8"), values)


def _card(out: Path, model: Pinned | None) -> str:
    fields = {key: value for key, value in front_matter(model).items() if key not in _RUNNING} | {"sdk": "static"}
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    named = "The project's own" if model is None else f"Those of `{model.name}` at commit `{model.revision}`"
    text = (_SITE / "card.md").read_text(encoding="utf-8")
    text = text.replace("{size}", f"{size / 1e6:.0f}").replace("{weights}", named)
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---", "", MARK, "", text])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _replaceable(out: Path) -> bool:
    """Empty, or with a card of ours: it is written last, so all beside it was written here."""
    if not out.is_dir():
        return False
    readme = out / "README.md"
    if not any(out.iterdir()):
        return True
    return (out / "sw.js").is_file() and readme.is_file() and has_mark(readme.read_text(encoding="utf-8"))
