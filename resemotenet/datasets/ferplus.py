"""The FER+ votes for FER2013's faces (Barsoum et al. 2016): ten annotators each, and what becomes of their votes."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..emotions import EMOTIONS
from ..errors import DatasetFormatError, DatasetNotFoundError
from .lists import need_columns, read_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Columns of fer2013new.csv, and the canonical emotion each of the first seven votes for.
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
_VOTE_OF = {"neutral": 0, "happy": 1, "surprise": 2, "sad": 3, "angry": 4, "disgust": 5, "fear": 6}
_CANONICAL_VOTES = [_VOTE_OF[emotion] for emotion in EMOTIONS]
# Below five votes on the seven emotions the crowd mostly said contempt, unknown or not a face.
MIN_SOFT_VOTES = 5


def crowd(
    votes: "NDArray[np.int64]", labels: str
) -> "tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float32]]":
    """Rows that a FER+ definition keeps, their majority emotion, and the distribution to aim at."""
    named = votes.min(axis=1) >= 0
    votes = np.maximum(votes, 0)
    if labels == "ferplus-usual":
        votes = np.where(votes == 1, 0, votes)
    seven = votes[:, _CANONICAL_VOTES]
    targets = seven.argmax(axis=1).astype(np.int64)
    if labels == "ferplus-soft":
        keep = named & (seven.sum(axis=1) >= MIN_SOFT_VOTES)
        shares = seven / np.maximum(seven.sum(axis=1, keepdims=True), 1)
        return keep, targets, shares.astype(np.float32)
    keep = named & (2 * seven.max(axis=1) > votes.sum(axis=1))
    return keep, targets, np.eye(len(EMOTIONS), dtype=np.float32)[targets]


def read_votes(path: Path, usage: list[str]) -> "NDArray[np.int64]":
    """Votes of fer2013new.csv; ``usage`` is that of each row of the csv they belong to."""
    if not path.is_file():
        raise DatasetNotFoundError(f"there are no FER+ votes at {path}")
    table = read_table(path)
    need_columns(table, ("Usage", "Image name", *VOTES), path)
    if len(table) != len(usage):
        raise DatasetFormatError(f"{path} has {len(table)} rows, the faces {len(usage)}; they must match row by row")
    other = next((row for row, name in enumerate(table["Usage"]) if name != usage[row]), None)
    if other is not None:
        raise DatasetFormatError(
            f"{path}, row {other}: Usage {table['Usage'][other]!r}, but the face of that row has {usage[other]!r}; "
            "the rows are in another order"
        )
    # FER+ gives no name to rows that are blank or no face.
    return vote_table(table, VOTES, table["Image name"].notna().to_numpy(), path)


def vote_table(
    table: "pd.DataFrame", columns: Iterable[str], named: "NDArray[np.bool_]", path: Path
) -> "NDArray[np.int64]":
    """(N, 10) votes; -1 throughout where the row is not named."""
    votes = table[list(columns)].to_numpy()
    if votes.dtype.kind not in "iu" or votes.min(initial=0) < 0:
        raise DatasetFormatError(f"{path}: votes must be whole numbers from 0 up in all of {', '.join(columns)}")
    return np.where(named[:, None], votes.astype(np.int64), -1)
