"""A Hub on loopback, and the real ``huggingface_hub`` client pointed at it and nowhere else."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import huggingface_hub.constants
import huggingface_hub.file_download
import huggingface_hub.hf_api
import huggingface_hub.utils._http
import pytest

import resemotenet.checkpoints.hub
from resemotenet.checkpoints import hub_limits
from tests.hub.server import LoopbackHub

ROOT = Path(__file__).resolve().parents[2]
# Seconds for what takes a few: test machines may be very busy.
PATIENCE = 120
# Of a model of this package: what a later pull replaces.
CARD = b'---\nlibrary_name: "resemotenet"\n---\n# A model\n'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The client hands LFS content to httpx in a way that httpx deprecates: its affair, not ours."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A running, empty Hub; in this process and in those it starts the client speaks to it as ``tester``.

    The client reads the environment once, when it is imported. Processes that a test starts read what is set here; in
    this process, where it may long be imported, its constants are set to what it would have read.
    """
    with LoopbackHub() as hub:
        home = tmp_path / "hf-home"
        for name in list(os.environ):
            if name.startswith(("HF_", "HUGGING")) or name.upper().endswith("_PROXY"):
                monkeypatch.delenv(name)
        switches = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK")
        settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(home)}
        # Whatever is not on loopback goes to a proxy that is not there.
        nowhere = {"ALL_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1,localhost"}
        for name, value in (settings | nowhere | dict.fromkeys(switches, "1")).items():
            monkeypatch.setenv(name, value)
        constants = huggingface_hub.constants
        for name in switches:
            monkeypatch.setattr(constants, name, True)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
        for name, below in {"HF_HOME": "", "HF_HUB_CACHE": "hub", "HF_TOKEN_PATH": "token"}.items():
            monkeypatch.setattr(constants, name, str(home / below))
        monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(home / "stored_tokens"))
        huggingface_hub.utils._http.close_session()  # the next one reads the proxies
        yield hub
    huggingface_hub.utils._http.close_session()


@pytest.fixture
def model(hub: LoopbackHub, model_folder: Path) -> dict[str, bytes]:
    """The files of a model, which the repository "owner/name" has."""
    files = {path.name: path.read_bytes() for path in model_folder.iterdir()} | {"README.md": CARD}
    hub.create("owner/name", files)
    return files


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits between tries, neither the client nor we; the list holds the seconds that it would have taken."""
    seconds: list[float] = []
    clock = SimpleNamespace(sleep=seconds.append)
    for module in (huggingface_hub.utils._http, huggingface_hub.file_download, resemotenet.checkpoints.hub):
        monkeypatch.setattr(module, "time", clock)
    return seconds


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds, and 100 kB a second, instead of two minutes and 10 kB."""
    monkeypatch.setattr(hub_limits, "PATIENCE", 2.0)
    monkeypatch.setattr(hub_limits, "SLOWEST", 100_000)


@dataclass(frozen=True)
class Command:
    """``python -m resemotenet ARGUMENTS`` in a process of its own, or a script with these arguments."""

    process: "subprocess.Popen[str]"

    @classmethod
    def start(cls, *arguments: object, script: str | None = None, **environment: str) -> Self:
        module = ["-m", "resemotenet"] if script is None else ["-c", script]
        return cls(
            subprocess.Popen(
                [sys.executable, *module, *map(str, arguments)],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    def finish(self) -> str:
        """All that it printed, errors included; it must have gone well."""
        printed, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, printed
        return printed

    def kill(self) -> None:
        """No handler runs, nothing is flushed."""
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def command(hub: LoopbackHub) -> Iterator[Callable[..., Command]]:
    """Starts commands with the hub's environment, and ends those that are left."""
    started: list[Command] = []

    def start(*arguments: object, **more: str) -> Command:
        started.append(Command.start(*arguments, **more))
        return started[-1]

    yield start
    hub.going.set()
    for one in started:
        one.kill()
