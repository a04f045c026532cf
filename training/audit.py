"""Which images appear more than once, exactly or nearly; whether copies straddle splits or contradict each other."""

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from resemotenet.datasets import ReadyFaces

from .near_copies import CORRELATION, SIMILARITY, near_copies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NEAR_FACES, NEAR_BYTES = 60_000, 2**30
"""Near copies are looked for among at most so many faces: the work grows with the square, and pixels are in memory."""


def fingerprints(images: "NDArray[np.uint8]") -> "NDArray[np.str_]":
    """One SHA-256 an image (N, ...): equal if and only if all pixels are."""
    return np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in images], dtype=np.str_)


def fingerprints_of(faces: ReadyFaces) -> "NDArray[np.str_]":
    """``fingerprints`` of all faces, which need not be in memory together."""
    parts = [fingerprints(images) for images in faces.blocks()]
    return np.concatenate(parts) if parts else np.empty(0, np.str_)


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


def audit(splits: "Mapping[str, ReadyFaces]") -> dict[str, Any]:
    """Identical and nearly identical images within and between splits; the content of a run's audit.json.

    Near copies take seconds for FER2013 (see ``near_copies``), all else a fraction of one. Among more than
    ``NEAR_FACES`` faces they are not looked for; "near_copies_not_searched" then says so instead of "near_copies".

    Args:
        splits: the splits under their original labels, keyed by name; "train" is one of them.
    """
    prints = {name: fingerprints_of(faces) for name, faces in splits.items()}
    too_many = _too_many(splits)
    return {
        "images": {name: len(faces) for name, faces in splits.items()},
        **identical(prints, {name: faces.targets for name, faces in splits.items()}),
        "blank_images": sum(int(is_blank(images).sum()) for faces in splits.values() for images in faces.blocks()),
        **({"near_copies_not_searched": too_many} if too_many else {"near_copies": _near(splits, prints)}),
    }


def _too_many(splits: "Mapping[str, ReadyFaces]") -> str | None:
    """Why near copies are not looked for; None if they are."""
    sample = next(iter(splits.values())).pixels(np.zeros(1, np.int64))
    n = sum(map(len, splits.values()))
    size = n * sample.nbytes
    if n <= NEAR_FACES and size <= NEAR_BYTES:
        return None
    return (
        f"{n:,} faces of {size / 2**20:,.0f} MiB; near copies are looked for among at most {NEAR_FACES:,} of "
        f"{NEAR_BYTES / 2**20:,.0f} MiB"
    )


def _images(splits: "Mapping[str, ReadyFaces]") -> "NDArray[np.uint8]":
    return np.concatenate([faces.pixels(np.arange(len(faces))) for faces in splits.values()])


def identical(prints: "dict[str, NDArray[np.str_]]", targets: "dict[str, NDArray[np.int64]]") -> dict[str, Any]:
    """What ``audit`` says of identical images: fingerprint and emotion of each image, by split."""
    places: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name in prints:
        for print_, target in zip(prints[name].tolist(), targets[name].tolist(), strict=True):
            places[print_].append((name, target))
    groups = [members for members in places.values() if len(members) > 1]
    images_in = [Counter(split for split, _ in group) for group in groups]
    across = [images for images in images_in if len(images) > 1]
    leaks = {
        f"{name} images with a copy in train": sum(images[name] for images in across if images["train"])
        for name in prints
        if name != "train"
    }
    return {
        "identical_groups": len(groups),
        "surplus_copies": sum(len(group) - 1 for group in groups),
        "groups_across_splits": len(across),
        "groups_with_conflicting_labels": sum(len({target for _, target in group}) > 1 for group in groups),
        "leaks": {**leaks, "train images with a copy elsewhere": sum(images["train"] for images in across)},
    }


def mirror_pairs(splits: "Mapping[str, ReadyFaces]") -> int | None:
    """Pairs in which one image is a near copy of the other's mirror image; None as for ``audit``.

    Some are pictures that were mirrored, the others chance; chance makes about as many false pairs among the near
    copies of ``audit``, so this number is an upper bound for those.
    """
    if _too_many(splits):
        return None
    pairs = near_copies(_images(splits), mirrored=True)
    return None if pairs is None else len(pairs)


def in_words(found: dict[str, Any]) -> str:
    """What ``audit`` found, a line a count, with "mirror_pairs" if that was counted too."""
    near = found.get("near_copies")
    counts = {name: value for name, value in found.items() if isinstance(value, int) and name != "mirror_pairs"}
    images = {f"images in {split}": n for split, n in found["images"].items()}
    lines = [f"{name.replace('_', ' ')}: {count:,}" for name, count in {**images, **counts, **found["leaks"]}.items()]
    if (why := found.get("near_copies_not_searched")) is not None:
        return "\n".join([*lines, f"near copies: not searched, for there are {why}"])
    if near is None:
        return "\n".join([*lines, "near copies: not counted, for the images are all alike"])
    lines += [f"pairs of near copies, besides the identical: {near['pairs']:,}"]
    if found.get("mirror_pairs") is not None:
        lines.append(f"    at most so many of them by chance, as mirror images show: {found['mirror_pairs']:,}")
    lines.append(f"    with conflicting labels: {near['pairs_with_conflicting_labels']:,}")
    return "\n".join([*lines, *(f"{name}: {count:,}" for name, count in near["leaks"].items())])


def _near(splits: "Mapping[str, ReadyFaces]", prints_of: "dict[str, NDArray[np.str_]]") -> dict[str, Any] | None:
    """What near copies add to the identical ones; None where the images are too much alike to tell."""
    images = _images(splits)
    targets = np.concatenate([faces.targets for faces in splits.values()])
    split_of = np.repeat(list(splits), [len(faces) for faces in splits.values()])
    if (pairs := near_copies(images)) is None:
        return None
    first, second = pairs.T
    prints = np.concatenate(list(prints_of.values()))
    identical = prints[first] == prints[second]

    def images_in(split: str, others: "NDArray[np.bool_]", chosen: "NDArray[np.bool_]") -> set[int]:
        """Rows of a split that one of the chosen pairs joins with one of the other images."""
        there = chosen & (split_of[first] == split) & others[second]
        back = chosen & (split_of[second] == split) & others[first]
        return {*first[there].tolist(), *second[back].tolist()}

    def only_near(split: str, others: "NDArray[np.bool_]") -> int:
        return len(images_in(split, others, ~identical) - images_in(split, others, identical))

    in_train = split_of == "train"
    leaks = {
        f"{name} images with a near but no identical copy in train": only_near(name, in_train)
        for name in splits
        if name != "train"
    }
    return {
        "pairs": int((~identical).sum()),
        "pairs_with_conflicting_labels": int((targets[first] != targets[second])[~identical].sum()),
        "leaks": {**leaks, "train images with a near but no identical copy elsewhere": only_near("train", ~in_train)},
        "rule": {"signature_cosine": SIMILARITY, "pixel_correlation": CORRELATION},
    }
