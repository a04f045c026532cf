"""What a user installs: the wheel's content, and one list of requirements instead of two."""

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

import resemotenet

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = {"resemotenet/weights/config.json", "resemotenet/weights/model.safetensors"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network by the backend that pip would call."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_wheel_holds_the_library_and_its_weights_and_nothing_else(wheel: Path):
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "resemotenet").rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        content = {name for name in archive.namelist() if ".dist-info/" not in name}
        licenses = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert content == sources | WEIGHTS
    assert len(licenses) == 1


def test_wheel_says_what_it_is(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    assert metadata["Name"] == "resemotenet"
    assert metadata["Version"] == resemotenet.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT AND LicenseRef-Weights-Noncommercial-Research"


def test_bundled_weights_load_from_the_wheel_alone(wheel: Path, tmp_path: Path):
    """No checkout in sight, no network asked for: the unpacked wheel finds and loads its own weights."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from resemotenet import load_model, EMOTIONS; from resemotenet.checkpoints.pretrained import bundled_folder;"
        "model = load_model(bundled_folder()); assert sorted(model.labels) == sorted(EMOTIONS); print(model.folder)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()) == tmp_path / "resemotenet" / "weights"


def test_requirements_are_those_of_library_and_demo(project: dict):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == sorted(project["dependencies"] + project["optional-dependencies"]["demo"])


def test_requirements_are_ranges_so_that_a_host_may_bring_its_own_torch(project: dict):
    for lines in [project["dependencies"], *project["optional-dependencies"].values()]:
        assert [line for line in lines if ">=" not in line or "==" in line or "~=" in line] == []
