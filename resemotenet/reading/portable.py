"""The whole reader as files, for programs in any language: five graphs, and one JSON with every number they need.

``demo/browser`` is such a program. It computes what the modules of this wing compute, and takes from here whatever is a
number; so a change of one of them here is a change there as well.
"""

import json
import os
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoints import preprocessing
from ..checkpoints.export import INPUT, OUTPUT, model_graph
from ..checkpoints.gradient import EMOTION, EVIDENCE, evidence_file
from ..emotions import canonical_order
from ..errors import BackendError, CheckpointError
from . import cascade, crops, detector, explain, faces, following, light, tracking
from .reading import REPORT_SCHEMA, model_report

if TYPE_CHECKING:
    from ..checkpoints.checkpoint import LoadedModel
    from ..checkpoints.graph import NetworkGraph
    from ..checkpoints.pretrained import Source

SETTINGS_FILE = "reader.json"
NETWORK_FILE = "network.onnx"
# On which places an answer rests; its weights are those in the network's file.
EXPLAIN_FILE = "explain.onnx"
# Of the cascade, in its order.
CASCADE_FILES = ("proposals.onnx", "refined.onnx", "located.onnx")


def write_reader(model: "LoadedModel", source: "Source", folder: str | Path, precision: str = "int8") -> list[Path]:
    """Write what reads pictures as ``EmotionPredictor`` does into a folder, which is made; returns the files.

    Args:
        source: where the model comes from; reports name it.
        precision: of the network that reads faces: "int8" is a quarter of the size of "exact".

    Raises:
        BackendError: the network has no graph here, or was not calibrated for int8.
        CheckpointError: a file cannot be written.
        ImportError: facenet-pytorch is not installed.
    """
    graphs: dict[str, NetworkGraph] = {NETWORK_FILE: model_graph(model, precision)}
    graphs |= dict(zip(CASCADE_FILES, cascade.graphs(), strict=True))
    contents = {name: graph.to_onnx().SerializeToString() for name, graph in graphs.items()}
    explaining = _explaining(model, contents[NETWORK_FILE], precision)
    contents |= explaining
    values = settings(model, source, precision, explained=bool(explaining))
    contents[SETTINGS_FILE] = json.dumps(values, indent=1).encode()
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            fresh = folder / f".{name}.new"
            fresh.write_bytes(content)
            os.replace(fresh, folder / name)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written: {error.strerror or error}") from error
    return [folder / name for name in contents]


def _explaining(model: "LoadedModel", network: bytes, precision: str) -> dict[str, bytes]:
    """The graph that explains, by its name; none where only torch can."""
    if precision != "int8":
        return {}
    try:
        return {EXPLAIN_FILE: evidence_file(model, network, NETWORK_FILE).SerializeToString()}
    except BackendError:
        return {}


def settings(
    model: "LoadedModel", source: "Source", precision: str = "int8", *, explained: bool = True
) -> dict[str, Any]:
    """Every number of the reader, and what a report says of the model; JSON types only.

    "explain" is null unless ``explained``: where only torch can say on which places an answer rests. Lengths are
    pixels, angles degrees, times seconds, shares 0 to 1, unless the module that is named says otherwise.
    """
    point = model.info.for_photographs()
    values = {
        "schema": REPORT_SCHEMA,
        "model": model_report(model.info, source),
        "network": {
            "file": NETWORK_FILE,
            "input": INPUT,
            "output": OUTPUT,
            "precision": precision,
            "labels": model.info.labels,
            "shown": canonical_order(model.labels),
            "preprocess": {**asdict(model.info.preprocess), "luma": preprocessing.LUMA},
            "views": model.info.views,
            "temperature": point.temperature,
            "logit_bias": point.logit_bias,
            "sure_margin": point.sure_margin,
        },
        "cascade": _cascade(),
        "detector": _detector(),
        "faces": {"max_overlap": faces.MAX_OVERLAP, "low_score": faces.LOW_SCORE},
        "crops": {
            "scale": crops.CROP_SCALE,
            "down": crops.CROP_DOWN,
            "level": crops.LEVEL,
            "rolled_side": crops.ROLLED_SIDE,
        },
        "light": {
            "light": light.LIGHT,
            "white": light.WHITE,
            "least_gain": light.LEAST_GAIN,
            "shadows_gain": light.SHADOWS_GAIN,
            "shadows_level": light.SHADOWS_LEVEL,
            "shadows_share": light.SHADOWS_SHARE,
            "face_dark": light.FACE_DARK,
            "face_middle": light.FACE_MIDDLE,
            "face_sample": light.FACE_SAMPLE,
        },
        "tracking": {"min_overlap": tracking.MIN_OVERLAP, "memory": tracking.MEMORY, "steady": tracking.STEADY},
        "following": {"search_every": following.SEARCH_EVERY, "backlit_every": following.BACKLIT_EVERY},
        "explain": _explain() if explained else None,
    }
    plain: dict[str, Any] = json.loads(json.dumps(values, allow_nan=False))
    return plain


def _explain() -> dict[str, Any]:
    return {
        "file": EXPLAIN_FILE,
        "emotion": EMOTION,
        "evidence": EVIDENCE,
        "colors": explain.COLORS.tolist(),
        "beneath": explain.BENEATH,
        "opacity": explain.OPACITY,
    }


def _cascade() -> dict[str, Any]:
    return {
        "files": CASCADE_FILES,
        "thresholds": cascade.THRESHOLDS,
        "pyramid_factor": cascade.PYRAMID_FACTOR,
        "window": cascade.WINDOW,
        "stride": cascade.STRIDE,
        "refined_side": cascade.REFINED_SIDE,
        "located_side": cascade.LOCATED_SIDE,
        "level_overlap": cascade.LEVEL_OVERLAP,
        "proposed_overlap": cascade.PROPOSED_OVERLAP,
        "refined_overlap": cascade.REFINED_OVERLAP,
        "contained": cascade.CONTAINED,
    }


def _detector() -> dict[str, Any]:
    mtcnn = detector.MTCNNDetector
    usual = {name: parameter.default for name, parameter in signature(mtcnn).parameters.items()}
    return {
        "margin": mtcnn.MARGIN,
        "turns": mtcnn.TURNS,
        "turned_score": mtcnn.TURNED_SCORE,
        "backlit_score": mtcnn.BACKLIT_SCORE,
        "surer": mtcnn.SURER,
        "grey": detector.GREY,
        **{name: usual[name] for name in ("min_score", "max_side", "min_face", "thorough")},
    }
