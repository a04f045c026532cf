"""Puts together the folder from which a browser loads the reader: its modules, the runtime, the graphs, the numbers."""

import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from resemotenet import LoadedModel
from resemotenet.checkpoints.pretrained import Source
from resemotenet.reading.portable import SETTINGS_FILE, write_reader

from .. import handlers, live
from . import runtime

HERE = Path(__file__).parent


def assemble(model: LoadedModel, source: Source, folder: Path) -> Path:
    """Write what a browser loads into a folder, which is made; files that are there are replaced.

    Graphs and runtime are packed, since not every server packs what it serves: 14 MB instead of 25.

    Raises:
        BackendError: the network has no graph here, or was not calibrated for int8.
        FileNotFoundError: the runtime is not there; see ``runtime.missing``.
    """
    written = write_reader(model, source, folder)
    for module in HERE.glob("*.js"):
        shutil.copyfile(module, folder / module.name)
    shutil.copyfile(runtime.SCRIPT, folder / "ort.js")
    shutil.copyfile(runtime.BINARY, folder / "ort.wasm")
    large = [folder / "ort.wasm", *(path for path in written if path.name != SETTINGS_FILE)]
    settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    if settings["explain"] is not None:
        said = {"side": handlers.HEAT_SIDE, "reason": handlers.REASON, "no_reason": handlers.NO_REASON}
        settings["explain"] |= said
    settings |= {
        "live": {"search_side": live.SEARCH_SIDE, "max_faces": live.MAX_FACES},
        "downloads": {path.name: _packed(path) for path in large},
    }
    (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return folder


def _packed(path: Path) -> dict[str, Any]:
    """Replace a file by a packed one, always of the same bytes; its size and digest."""
    content = gzip.compress(path.read_bytes(), mtime=0)
    path.with_name(f"{path.name}.gz").write_bytes(content)
    path.unlink()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
