"""ONNX Runtime Web, in which browsers run the networks: npm fetches the release that package-lock.json pins."""

import json
from pathlib import Path

_PINNED = Path(__file__).parent / "package.json"
# Not beside this file: whoever walks through the sources would read thousands of them.
FOLDER = Path(__file__).resolve().parents[2] / "build" / "browser" / "node_modules" / "onnxruntime-web"
STATED = FOLDER / "package.json"
SCRIPT, BINARY = FOLDER / "dist" / "ort.wasm.bundle.min.mjs", FOLDER / "dist" / "ort-wasm-simd-threaded.wasm"
FILES = (STATED, SCRIPT, BINARY)

_HOW = "'make runtime' fetches it with npm"


def missing() -> str | None:
    """Why no browser can read here, in one sentence; None where the runtime is there."""
    if not all(path.is_file() for path in FILES):
        return f"ONNX Runtime Web is not there; {_HOW}"
    wanted = json.loads(_PINNED.read_text(encoding="utf-8"))["dependencies"]["onnxruntime-web"]
    there = json.loads(STATED.read_text(encoding="utf-8"))["version"]
    return None if there == wanted else f"ONNX Runtime Web is {there}, expected {wanted}; {_HOW}"
