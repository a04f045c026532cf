"""Cutting a data set where it has no split of its own: stratified, seeded, and never through a group."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def carve(
    targets: "NDArray[np.int64]", groups: "NDArray[np.str_]", shares: Mapping[str, float], seed: int
) -> "NDArray[np.str_]":
    """Say for each row which part it belongs to.

    Groups come one after the other, the largest first and those of a size in an order drawn by the seed; each goes to
    the part that lacks most, in fractions of what it is to have, of the emotions of the group. Where every group is a
    single face, each part's count of each emotion is within two of its share, and an emotion with as many faces as
    there are parts is in all of them.

    The order comes from a hash of seed and group, so it depends neither on the order of the rows nor on a library's
    generator.

    Args:
        targets: (N,) the class of each row.
        groups: (N,) rows of a group stay together.
        shares: part -> fraction of the whole; they add up to 1.
        seed: another one gives another cut.

    Returns:
        (N,) names of parts.
    """
    assert abs(sum(shares.values()) - 1) < 1e-9
    assert min(shares.values()) > 0
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups.tolist()):
        rows_of[group].append(row)
    drawn = sorted(rows_of, key=lambda group: (-len(rows_of[group]), _hash(seed, group)))
    classes, names = targets.tolist(), list(shares)
    total = Counter(classes)
    lacking = [dict.fromkeys(total, 1.0) for _ in names]
    portion = [{each: 1 / (share * n) for each, n in total.items()} for share in shares.values()]
    part = [0] * len(classes)
    for group in drawn:
        rows = rows_of[group]
        content = [classes[row] for row in rows]
        needs = [sum([lack[each] for each in content]) for lack in lacking]
        neediest = needs.index(max(needs))
        for row, each in zip(rows, content, strict=True):
            part[row] = neediest
            lacking[neediest][each] -= portion[neediest][each]
    return np.array(names)[part]


def _hash(seed: int, group: str) -> bytes:
    return hashlib.blake2b(f"{seed} {group}".encode(), digest_size=8).digest()


def folds(groups: "NDArray[np.str_]", n: int = 10) -> "NDArray[np.int64]":
    """The fold (N,) of each row: groups in the order of their names, dealt out one by one to ``n`` folds.

    For CK+ the protocol of Liu et al. (2014): ten groups of subjects, sampled from their ids in steps of ten.
    """
    _, number = np.unique(groups, return_inverse=True)
    dealt: NDArray[np.int64] = number.astype(np.int64) % n
    return dealt
