"""Data sets as users have them on disk: one file a set; labels in the canonical order, pictures by sample id.

Reading only. None of these sets may be redistributed, so nothing here downloads.
"""

from .affectnet import read_affectnet
from .base import SPLITS, FaceSet, FaceSource, ReadyFaces
from .catalogue import CATALOGUE, DatasetInfo, dataset_info, recognise, splits_of
from .ckplus import read_ckplus
from .collection import Carved, Collection
from .expw import read_expw
from .face_files import FaceFiles
from .fer2013 import FER2013, read_fer2013
from .photographs import read_photographs
from .prepared import PixelFile, PreparedFaces
from .rafdb import read_rafdb
from .splits import carve, folds
from .synthetic import Synthetic
from .upstream import read_upstream

__all__ = [
    "CATALOGUE",
    "FER2013",
    "SPLITS",
    "Carved",
    "Collection",
    "DatasetInfo",
    "FaceFiles",
    "FaceSet",
    "FaceSource",
    "PixelFile",
    "PreparedFaces",
    "ReadyFaces",
    "Synthetic",
    "carve",
    "dataset_info",
    "folds",
    "read_affectnet",
    "read_ckplus",
    "read_expw",
    "read_fer2013",
    "read_photographs",
    "read_rafdb",
    "read_upstream",
    "recognise",
    "splits_of",
]
