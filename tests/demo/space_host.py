"""The host of a Space, on this machine.

As a program (``python space_host.py app.py``) it runs a Space's app file without this checkout in sight. With
``--without-spaces`` the package ``spaces`` is missing. With ``--zero-gpu`` it is ZeroGPU: the package is the real one,
``DeviceApi`` is what decides at the host, and the CPU plays the card. Where the forked process would start CUDA and
copy the weights to it, they come back as tensors of the CPU from where ``spaces`` packed them. Forking, pickling,
scheduling and packing are the package's own.
"""

import json
import math
import os
import runpy
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

HOST = Path(__file__)


def can_be_zero_gpu(folder: Path) -> None:
    """Skips where ``spaces`` cannot pack weights: it needs Linux, and a file system with direct access."""
    import pytest

    pytest.importorskip("spaces", reason="needs the package spaces: pip install -e '.[dev]'")
    if sys.platform != "linux":
        pytest.skip("ZeroGPU is Linux only")
    try:
        os.close(os.open(folder / "direct", os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except OSError as error:
        pytest.skip(f"no direct access to files in {folder}: {error}")


class DeviceApi:
    """ZeroGPU's side on loopback: who asked for a GPU, for how long, and whether they get one.

    Attributes:
        url: for SPACES_ZERO_DEVICE_API_URL.
        calls: (path, parameters) of every request.
        seconds_left: of a visitor's allowance; None is enough.
        late: visitors (their tokens) whose GPU comes when ``free`` is set.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.seconds_left: int | None = None
        self.late: set[str] = set()
        self.free = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                api.calls.append((url.path, dict(parse_qsl(url.query))))
                if api.calls[-1][1].get("token") in api.late:
                    api.free.wait(60)
                status, answer = api.answer(url.path)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        if path != "/schedule":
            return 200, {}
        if self.seconds_left is not None:
            return 429, {"left": self.seconds_left, "wait": 3600}
        return 200, {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "allowed"}

    def settings(self, folder: Path) -> dict[str, str]:
        """Environment variables that make it ZeroGPU, with the host's files in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup").write_text("0::/a-space\n")
        return {
            "SPACES_ZERO_GPU": "true",
            "SPACES_ZERO_DEVICE_API_URL": self.url,
            "ZEROGPU_PROC_SELF_CGROUP_PATH": str(folder / "cgroup"),
            "ZEROGPU_OFFLOAD_DIR": str(folder / "tensors"),
            "HOME": str(folder),
        }

    def scheduled(self) -> list[dict[str, str]]:
        return [parameters for path, parameters in self.calls if path == "/schedule"]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def play_the_card() -> None:
    from spaces.zero import torch as zero
    from spaces.zero.torch import patching

    def move(callback: Any = None) -> None:
        import torch

        for pack in patching.tensor_packs:
            packed, offset = Path(pack.path()).read_bytes(), 0
            for batch in pack.batches:
                for tensor, size, aligned in batch:
                    data = torch.frombuffer(bytearray(packed[offset : offset + size]), dtype=tensor.dtype)
                    for fake in pack.fakes[tensor]:
                        fake.data = data[: math.prod(tensor.shape)].as_strided(tensor.shape, tensor.stride())
                    offset += aligned

    zero.init = lambda uuid: None
    zero.move = move


def run(app: Path, *options: str) -> None:
    root = Path(__file__).resolve().parents[2]
    sys.path[:] = [str(app.parent), *(path for path in sys.path[1:] if Path(path).resolve() != root)]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder)]
    if "--without-spaces" in options:
        sys.modules["spaces"] = None  # type: ignore[assignment]  # Python's own way to say that there is none
    if "--zero-gpu" in options:
        play_the_card()
    runpy.run_path(str(app), run_name="__main__")


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve(), *sys.argv[2:])
