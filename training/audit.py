"""Which images appear more than once, and whether copies straddle splits or contradict each other."""

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from resemotenet.datasets import FaceSet

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fingerprints(images: "NDArray[np.uint8]") -> "NDArray[np.str_]":
    """One SHA-256 an image (N, ...): equal if and only if all pixels are."""
    return np.array([hashlib.sha256(np.ascontiguousarray(image)).hexdigest() for image in images])


def has_copy_in(images: "NDArray[np.uint8]", others: "NDArray[np.uint8]") -> "NDArray[np.bool_]":
    """For each image (N, ...) whether a pixel-identical one is among the others."""
    return np.isin(fingerprints(images), fingerprints(others))


def audit(splits: dict[str, FaceSet]) -> dict[str, Any]:
    """Pixel-identical images within and between splits; the content of a run's audit.json.

    Args:
        splits: the splits under their original labels, keyed by name.
    """
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, faces in splits.items():
        for print_, target in zip(fingerprints(faces.images), faces.targets, strict=True):
            places[print_].append((name, int(target)))
    groups = [members for members in places.values() if len(members) > 1]
    across = [group for group in groups if len({split for split, _ in group}) > 1]
    leaks = {
        f"{name} images with a copy in train": sum(
            sum(split == name for split, _ in group) for group in across if any(s == "train" for s, _ in group)
        )
        for name in splits
        if name != "train"
    }
    outside = sum(sum(split == "train" for split, _ in group) for group in across)
    return {
        "images": {name: len(faces) for name, faces in splits.items()},
        "identical_groups": len(groups),
        "surplus_copies": sum(len(group) - 1 for group in groups),
        "groups_across_splits": len(across),
        "groups_with_conflicting_labels": sum(len({target for _, target in group}) > 1 for group in groups),
        "blank_images": sum(int((faces.images.min(axis=(1, 2, 3)) == faces.images.max(axis=(1, 2, 3))).sum())
                            for faces in splits.values()),
        "leaks": {**leaks, "train images with a copy elsewhere": outside},
    }


