"""Data sets as users have them on disk: one file a set; labels in the canonical order, pictures by sample id.

Reading only. None of these sets may be redistributed, so nothing here downloads.
"""

from .base import FaceSet
from .fer2013 import FER2013, LABELS, SPLITS, read_fer2013
from .synthetic import Synthetic

__all__ = ["FER2013", "LABELS", "SPLITS", "FaceSet", "Synthetic", "read_fer2013"]
