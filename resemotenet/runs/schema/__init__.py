"""What the files of a run and of a model folder hold: their types, their ranges, and how they are read.

    config.py        config.json of a results folder, which is what a training is asked for
    model.py         config.json of a model folder
    result.py        result.json; a line of epochs.jsonl
    photographs.py   how photographs are read, detector included: in result.json, or a file of its own
    environment.py   environment.json, audit.json
    paths.py         what is published says nothing of where files lay
    reading.py       from the text of a file to a value, or to an error that names file, field and what came
    record.py, numbers.py   what the others are made of

Needs no torch, so that results can be read where there is none.
"""

from .config import (
    Augmentation,
    Dataset,
    Distillation,
    Network,
    Optimization,
    RunConfig,
    default_results,
)
from .environment import Ancestor, Audit, Earlier, Environment, Learned, Start, Teacher
from .model import SCHEMA, Int8, Int8Cost, ModelInfo, OperatingPoint, Point, Preprocessing, Weights
from .paths import without_paths
from .photographs import MeanRecall, OfEmotion, Photographs
from .reading import Salvaged, adapter, later, lines, parse, problem, read, read_lines, salvage
from .result import (
    Chosen,
    Cost,
    Entry,
    Epoch,
    Fact,
    Figures,
    Latency,
    Look,
    Mixed,
    Released,
    Result,
    Scored,
    Spread,
    Step,
)

__all__ = [
    "SCHEMA",
    "Ancestor",
    "Audit",
    "Augmentation",
    "Chosen",
    "Cost",
    "Dataset",
    "Distillation",
    "Earlier",
    "Entry",
    "Environment",
    "Epoch",
    "Fact",
    "Figures",
    "Int8",
    "Int8Cost",
    "Latency",
    "Learned",
    "Look",
    "MeanRecall",
    "Mixed",
    "ModelInfo",
    "Network",
    "OfEmotion",
    "OperatingPoint",
    "Optimization",
    "Photographs",
    "Point",
    "Preprocessing",
    "Released",
    "Result",
    "RunConfig",
    "Salvaged",
    "Scored",
    "Spread",
    "Start",
    "Step",
    "Teacher",
    "Weights",
    "adapter",
    "default_results",
    "later",
    "lines",
    "parse",
    "problem",
    "read",
    "read_lines",
    "salvage",
    "without_paths",
]
