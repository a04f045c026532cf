"""The demo as its visitors meet it: ``python -m demo`` in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Seconds for what takes a fraction of one: test machines may be very busy. Less is for those who write tests.
PATIENCE = float(os.environ.get("RESEMOTENET_PATIENCE", "240"))


@dataclass(frozen=True)
class Demo:
    """A running demo.

    Attributes:
        address: where the page is.
        temporary: the only folder in which it makes temporary files.
        process: the server, to look at its memory.
    """

    address: str
    temporary: Path
    process: "subprocess.Popen[bytes]"

    def files(self) -> list[Path]:
        """What it has left on disk; without the file of its own code that torch writes as it starts, up to 2.8."""
        own = "_remote_module_non_scriptable.py"
        return [path for path in self.temporary.rglob("*") if path.is_file() and path.name != own]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def running(
    model: Path, folder: Path, port: int | None = None, settings: Mapping[str, str] | None = None
) -> AbstractContextManager[Demo]:
    """``started`` for ``python -m demo`` with a model folder."""
    return started(["-m", "demo"], ROOT, folder, {"RESEMOTENET_MODEL": str(model), **(settings or {})}, port)


@contextmanager
def started(
    arguments: Sequence[str | Path],
    place: Path,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Demo]:
    """Start a demo with its temporary files and its log under ``folder``, and stop it afterwards.

    The server reads all pictures and frames unless ``settings`` say otherwise.

    Args:
        arguments: of Python.
        place: the working directory.
        folder: may be of a server that was stopped; its log is continued.
        settings: environment variables besides those of this process.
        port: a free one unless given.
    """
    port = port or free_port()
    temporary, log = folder / "temporary", folder / "log.txt"
    temporary.mkdir(exist_ok=True, parents=True)
    foreign = (
        "GRADIO_",
        "RESEMOTENET_MODEL",
        "RESEMOTENET_DEVICE",
        "RESEMOTENET_HOSTS",
        "RESEMOTENET_EMBED_IN",
        "RESEMOTENET_CODE",
        "RESEMOTENET_DASHBOARD",
        "SPACE_",
        "SPACES_",
        "PYTHONPATH",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {"GRADIO_SERVER_PORT": str(port), "TMPDIR": str(temporary), "RESEMOTENET_DEVICE": "off"}
    environment |= {"GRADIO_TEMP_DIR": str(temporary / "gradio"), **(settings or {})}
    with log.open("ab") as output:
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=place, env=environment, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        _wait_for(port, process, log)
        yield Demo(f"http://127.0.0.1:{port}/", temporary, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    wait_until(lambda: not _lives(process.pid))
    assert list(temporary.rglob("resemotenet-*")) == [], "a server that was stopped left its temporary folder"


def _lives(group: int) -> bool:
    """Whether any process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the demo did not start:\n{log.read_text()}")
