"""Fixtures that several packages' tests share."""

import os
from pathlib import Path
from typing import Any

import pytest

# The networks of tests are so small that a second thread costs more than it brings, several times over where two
# processes share two cores. Torch reads it as it is loaded, here and in the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
# Tests that load ONNX Runtime themselves do it as the library does: without events to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with seeded random weights: the bundled architecture, a sixteenth of its width, grey 48 px.

    Shared by the whole session: copy it before changing it.
    """
    import torch

    from resemotenet import EMOTIONS, create_model
    from resemotenet.checkpoints.checkpoint import save_model
    from resemotenet.runs.schema import ModelInfo, Preprocessing

    arguments: dict[str, Any] = {"num_classes": len(EMOTIONS), "in_channels": 1, "width": 0.0625, "compact": True}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = create_model("resemotenet", **arguments)
    info = ModelInfo(
        architecture="resemotenet",
        arguments=arguments,
        labels=EMOTIONS,
        preprocess=Preprocessing(size=48, channels=1, mean=(0.5077,), std=(0.2550,)),
    )
    return save_model(tmp_path_factory.mktemp("models") / "random", module, info)


@pytest.fixture(scope="session")
def fer2013_parquet() -> Path:
    """FER2013 with the FER+ votes. It may not be redistributed, so a clone is without it; skips then."""
    path = Path(os.environ.get("RESEMOTENET_DATA", ROOT.parent / "shared" / "data" / "fer2013.parquet"))
    if not path.is_file():
        pytest.skip(f"FER2013 is not at {path}; set RESEMOTENET_DATA to a fer2013.parquet")
    return path
