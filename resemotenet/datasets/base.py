"""What every reader gives: faces in memory with their labels."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..emotions import EMOTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FaceSet:
    """Faces of one split under one label definition.

    Attributes:
        name: data set and label definition, for example "ferplus-strict"; names prediction files.
        split: "train", "validation" or "test".
        images: (N, 1, H, W) uint8 grey.
        targets: (N,) int64 into the canonical emotions.
        distribution: (N, 7) float32, rows sum to 1: what training aims at. One-hot unless annotators voted.
        ids: (N,) str, unique within the data set and the same under every label definition.
    """

    name: str
    split: str
    images: "NDArray[np.uint8]"
    targets: "NDArray[np.int64]"
    distribution: "NDArray[np.float32]"
    ids: "NDArray[np.str_]"

    def __len__(self) -> int:
        return len(self.targets)

    def where(self, keep: "NDArray[np.bool_]") -> "FaceSet":
        """The faces for which ``keep`` (N,) is true."""
        return replace(
            self,
            images=self.images[keep],
            targets=self.targets[keep],
            distribution=self.distribution[keep],
            ids=self.ids[keep],
        )

    def counts(self) -> dict[str, int]:
        """Faces per emotion."""
        numbers = np.bincount(self.targets, minlength=len(EMOTIONS))
        return {emotion: int(n) for emotion, n in zip(EMOTIONS, numbers, strict=True)}
