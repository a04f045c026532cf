"""ONNX Runtime answers as torch does, for every network; and nobody gets another backend than the one asked for."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

from resemotenet import load_model
from resemotenet.checkpoints.backends import Session, choose_backend
from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.checkpoints.export import model_graph
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.checkpoints.pretrained import bundled_folder
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import BackendError, DeviceError
from resemotenet.models import create_model, list_models, model_entry
from resemotenet.runs.schema import ModelInfo, Preprocessing

ROOT = Path(__file__).resolve().parents[3]

# As in the tests of the models: EmoNeXt's larger sizes are one network when they are narrow.
WIDTHS = {"emonext_tiny": 1 / 6, "emonext_small": 1 / 6, "resnet18": 1.0, "resnet34": 1.0}
NETWORKS = [name for name in list_models() if name not in {"emonext_large", "emonext_xlarge"}]


def faces(preprocess: Preprocess, count: int = 5) -> Tensor:
    """Crops of photographs, each of another place and size around a face."""
    astronaut, camera = data.astronaut()[40:200, 150:290], data.camera()[90:220, 170:280]
    crops = [picture[step : 120 + step, 2 * step :] for step in range(0, 40, 4) for picture in (astronaut, camera)]
    return preprocess(crops[:count])


def model(module: nn.Module, architecture: str, side: int, **settings: Any) -> LoadedModel:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    info = ModelInfo(architecture, {}, EMOTIONS, Preprocessing(side, 3, mean, std), explain_layer=None)
    return LoadedModel(module.eval(), replace(info, **settings), Path("nowhere"))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_exact(name: str, randomize):
    module = randomize(create_model(name, width=WIDTHS.get(name, 1 / 8))).eval()
    exact = model(module, name, model_entry(name).default_size, views="flip")
    crops = faces(exact.preprocess)
    with torch.inference_mode():
        logits = module(crops)
    # Differences of about one from face to face, as in a trained network, around equal shares.
    spread, middle = float(logits.std(dim=0).max()), logits.mean(dim=0)
    info = replace(exact.info, temperature=spread, logit_bias=tuple((-middle / spread).tolist()))
    exact = replace(exact, info=info)
    expected = exact.probabilities(crops)
    assert expected.std(dim=0).max() > 0.02, "the network hardly looks at its input"
    fast = exact.with_backend("onnxruntime")
    assert fast.backend == "onnxruntime"
    torch.testing.assert_close(fast.probabilities(crops), expected, rtol=0, atol=1e-4)


def test_compact_networks_are_exact(randomize):
    module = randomize(create_model("resemotenet", width=1 / 8, compact=True))
    exact = model(module, "resemotenet", 48)
    crops = faces(exact.preprocess)
    fast = exact.with_backend("onnxruntime").probabilities(crops)
    torch.testing.assert_close(fast, exact.probabilities(crops), rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def bundled() -> LoadedModel:
    return load_model(bundled_folder())


def test_the_bundled_network_is_exact(bundled):
    crops = faces(bundled.preprocess, 20)
    fast = bundled.with_backend("auto")
    assert fast.backend == "onnxruntime"
    torch.testing.assert_close(fast.probabilities(crops), bundled.probabilities(crops), rtol=0, atol=1e-5)


def test_many_faces_are_shared_among_the_cores_and_stay_in_order(bundled):
    crops = faces(bundled.preprocess, 20).repeat(7, 1, 1, 1)
    fast = bundled.with_backend("onnxruntime")
    one_by_one = torch.cat([fast.probabilities(crop[None]) for crop in crops[:20]])
    torch.testing.assert_close(fast.probabilities(crops), one_by_one.repeat(7, 1), rtol=0, atol=1e-5)


def test_several_threads_may_ask_one_session(bundled):
    fast = bundled.with_backend("onnxruntime")
    crops = faces(bundled.preprocess, 8)
    expected = fast.probabilities(crops)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda number: fast.probabilities(crops[number % 8][None])[0], range(64)))
    torch.testing.assert_close(torch.stack(answers), expected.repeat(8, 1), rtol=0, atol=1e-6)


def test_the_session_outlives_the_graph_it_was_made_of(bundled):
    session = Session(model_graph(bundled))
    crops = faces(bundled.preprocess, 2).numpy()
    before = session(crops)[0]
    _litter = [np.full(10**6, number, np.float32) for number in range(20)]  # where the constants were
    assert (session(crops)[0] == before).all()


def test_nothing_is_sent_and_nothing_is_left_on_disk(tmp_path):
    """ONNX Runtime would keep an identifier of the machine in the home folder, and a file in the temporary one."""
    code = (
        "from resemotenet import load_model; from resemotenet.checkpoints.pretrained import bundled_folder;"
        "load_model(bundled_folder(), backend='onnxruntime')"
    )
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    moved = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home" / "cache")}
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    environment |= {**moved, "TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class TestChoice:
    def test_auto_is_onnxruntime_on_the_cpu_and_torch_elsewhere(self):
        assert choose_backend("auto", torch.device("cpu")) == "onnxruntime"
        assert choose_backend("auto", torch.device("cuda")) == "torch"
        assert choose_backend("auto", torch.device("mps")) == "torch"

    def test_what_is_asked_for_is_taken(self):
        assert choose_backend("torch", torch.device("cpu")) == "torch"
        assert choose_backend("onnxruntime", torch.device("cpu")) == "onnxruntime"

    def test_onnxruntime_elsewhere_is_an_error(self):
        with pytest.raises(BackendError, match="'onnxruntime' runs on the CPU here, not on 'cuda:1'"):
            choose_backend("onnxruntime", torch.device("cuda:1"))

    def test_an_unknown_name_is_an_error(self):
        with pytest.raises(BackendError, match="no backend is called 'onnx'; expected one of auto, onnxruntime, torch"):
            choose_backend("onnx", torch.device("cpu"))

    @pytest.mark.parametrize("asked", ["auto", "onnxruntime"])
    def test_where_it_is_missing_torch_is_not_taken_instead(self, monkeypatch, asked):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(BackendError, match=r"pip install onnxruntime; or ask for backend 'torch'"):
            load_model(bundled_folder(), backend=asked)
        assert load_model(bundled_folder(), backend="torch").backend == "torch"

    def test_a_model_says_what_it_took_and_shares_its_module(self, bundled):
        fast = bundled.with_backend("onnxruntime")
        assert (bundled.backend, fast.backend) == ("torch", "onnxruntime")
        assert fast.module is bundled.module
        assert fast.with_backend("auto") is fast
        assert fast.with_backend("torch").backend == "torch"

    def test_a_model_in_onnxruntime_stays_on_the_cpu(self, bundled):
        fast = bundled.with_backend("onnxruntime")
        assert fast.to("cpu") is fast
        with pytest.raises(DeviceError, match="runs in ONNX Runtime on the CPU"):
            fast.to("cuda")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_process_has_cores_of_its_own():
    """In a process of its own, since this one has threads that a fork would not take along either."""
    code = (
        "import os, signal\n"
        "from resemotenet.checkpoints.backends import spread\n"
        "assert list(spread(abs, [-1, 2])) == [1, 2]\n"
        "if (child := os.fork()) == 0:\n"
        "    signal.alarm(30)\n"
        "    os._exit(0 if list(spread(abs, [-3, 4])) == [3, 4] else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0, 'the child waited for ever'\n"
        "assert list(spread(abs, [-5])) == [5]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("before", ["", "read(picture)"])
def test_a_forked_process_reads_pictures(before):
    code = (
        "import os, signal, torch, skimage.data\n"
        "from resemotenet import EmotionPredictor\n"
        "torch.set_num_threads(2)\n"
        "read, picture = EmotionPredictor.from_pretrained(device='cpu'), skimage.data.astronaut()\n"
        f"{before}\n"
        "if (child := os.fork()) == 0:\n"
        "    signal.alarm(60)\n"
        "    os._exit(0 if len(read(picture)) == 1 else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0, 'the child waited for ever'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_onnxruntime_reports_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where it does, it leaves a session's file in the temporary folder and an identifier in the home, even offline."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    places = {"TMPDIR": str(tmp_path / "temporary"), "HOME": str(tmp_path / "home")}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    code = (
        "import torch, resemotenet; from resemotenet.checkpoints.pretrained import bundled_folder;"
        "resemotenet.load_model(bundled_folder(), backend='onnxruntime').probabilities(torch.zeros(1, 1, 48, 48))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
