"""What a host installs is what the pages need, no more and no less."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

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
for _, view, *_ in PAGES:
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
