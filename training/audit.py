"""Which images appear more than once, and whether copies straddle splits or contradict each other."""

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from resemotenet.datasets import FaceSet

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fingerprints(images: "NDArray[np.uint8]") -> "NDArray[np.str_]":
    """One SHA-256 an image (N, ...): equal if and only if all pixels are."""
    return np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in images], dtype=np.str_)


def has_copy_in(images: "NDArray[np.uint8]", others: "NDArray[np.uint8]") -> "NDArray[np.bool_]":
    """For each image (N, ...) whether a pixel-identical one is among the others."""
    return np.isin(fingerprints(images), fingerprints(others))


def is_blank(images: "NDArray[np.uint8]") -> "NDArray[np.bool_]":
    """For each image (N, 1, H, W) whether nothing can be seen: its pixels spread by less than one grey level.

    FER2013 has 13: twelve are one level throughout, row 13148 is a fog of levels 127 to 130 (standard deviation 0.65).
    The next dimmest, at 4.1, shows something; the dimmest face with crowd votes is at 9.1.
    """
    spread: NDArray[np.float32] = images.std(axis=(1, 2, 3), dtype=np.float32)
    return spread < 1


def audit(splits: dict[str, FaceSet]) -> dict[str, Any]:
    """Pixel-identical images within and between splits; the content of a run's audit.json.

    Args:
        splits: the splits under their original labels, keyed by name; "train" is one of them.
    """
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, faces in splits.items():
        for print_, target in zip(fingerprints(faces.images), faces.targets, strict=True):
            places[print_].append((name, int(target)))
    groups = [members for members in places.values() if len(members) > 1]
    images_in = [Counter(split for split, _ in group) for group in groups]
    across = [images for images in images_in if len(images) > 1]
    leaks = {
        f"{name} images with a copy in train": sum(images[name] for images in across if images["train"])
        for name in splits
        if name != "train"
    }
    return {
        "images": {name: len(faces) for name, faces in splits.items()},
        "identical_groups": len(groups),
        "surplus_copies": sum(len(group) - 1 for group in groups),
        "groups_across_splits": len(across),
        "groups_with_conflicting_labels": sum(len({target for _, target in group}) > 1 for group in groups),
        "blank_images": sum(int(is_blank(faces.images).sum()) for faces in splits.values()),
        "leaks": {**leaks, "train images with a copy elsewhere": sum(images["train"] for images in across)},
    }
