"""The dashboard as its visitors meet it: ``python -m dashboard`` in a process of its own."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.demo.server import PATIENCE, free_port


@contextmanager
def running(folder: Path, arguments: Sequence[str]) -> Iterator[str]:
    """Serve with these arguments, from ``folder`` (where the log is too), and stop afterwards; the address."""
    port = free_port()
    names = ("STREAMLIT_", "RESEMOTENET_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    # Started elsewhere, as from an installed package: nothing may depend on the working directory.
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-m", "dashboard", "--port", str(port), *arguments]
    log = folder / "log.txt"
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", process, log)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the dashboard did not start:\n{log.read_text()}")
