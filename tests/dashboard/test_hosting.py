"""What a host installs is what the pages need, no more and no less."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.request
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from tests.demo.server import PATIENCE, free_port

ROOT = Path(__file__).resolve().parents[2]
# Every page over the published runs, in a process that finds none of the modules named.
OPEN_ALL = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
absent = set(sys.argv[1:])
sys.meta_path.insert(0, Absent())
from tests.dashboard.pages import open_page, sound
from dashboard.app import PAGES
from dashboard.data import PUBLISHED
for view, *_ in PAGES:
    sound(open_page(view, [PUBLISHED]))
"""


def listed() -> list[str]:
    """dashboard/requirements.txt is what Streamlit Community Cloud reads, and what the Dockerfile installs."""
    lines = (ROOT / "dashboard" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def project(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[ ;<>=!~\[(]", requirement, maxsplit=1)[0]).lower()


def installed_with(names: list[str]) -> set[str]:
    """These projects, and all that their own requirements bring along; extras do not count."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        try:
            further = requires(name) or []
        except PackageNotFoundError:  # of another platform
            continue
        waiting += [project(each) for each in further if "extra ==" not in each]
    return seen


def test_what_is_listed_is_named_in_the_project_too():
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {*extra["optional-dependencies"]["dashboard"]}
    named = set(listed())
    assert wanted <= named
    assert named - wanted <= {*extra["dependencies"], *extra["optional-dependencies"]["training"]}


def test_every_page_is_drawn_with_what_is_listed_alone():
    there = {*installed_with([project(each) for each in listed()]), "resemotenet"}
    absent = [module for module, owners in packages_distributions().items() if not {*map(project, owners)} & there]
    assert {"torch", "gradio"} <= set(absent)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", OPEN_ALL, *absent]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def instructions(name: str) -> list[str]:
    """What stands behind every such instruction of the Dockerfile."""
    lines = (ROOT / "dashboard" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def test_the_files_of_the_image_serve_the_pages(tmp_path: Path):
    """The image is not built; what it copies is, and its command is run."""
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for each in instructions("COPY"):
        source, target = each.split()
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target, ignore=ignore)
    (command,) = instructions("CMD")
    words = json.loads(command)
    port = free_port()
    assert (words[0], words[words.index("--port") + 1]) == ("python", *instructions("EXPOSE"))
    words = [sys.executable, *words[1:-1], str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RESEMOTENET_")}
    environment["PYTHONPATH"] = str(tmp_path)
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}/_stcore/health"
        deadline = time.monotonic() + PATIENCE
        while (answer := answered(address)) is None and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.2)
        assert answer == b"ok", (tmp_path / "log.txt").read_text()
    finally:
        process.terminate()
        process.wait(PATIENCE)


def answered(address: str) -> bytes | None:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return response.read()
    except OSError:
        return None
