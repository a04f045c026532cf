"""What the files of a run and of a model folder hold: their types, their ranges, and how they are read.

    model.py       config.json of a model folder
    reading.py     from the text of a file to a value, or to an error that names file, field and what came

Needs no torch, so that results can be read where there is none.
"""

from .model import SCHEMA, Int8, Int8Cost, ModelInfo, Preprocessing
from .reading import parse, problem

__all__ = ["SCHEMA", "Int8", "Int8Cost", "ModelInfo", "Preprocessing", "parse", "problem"]
