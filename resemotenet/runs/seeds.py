"""A figure over the seeds of one experiment: its mean and how far seeds lie apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev


@dataclass(frozen=True)
class OverSeeds:
    """The same figure of several runs that differ in their seed.

    Attributes:
        values: one a run, at least one; fractions, of an accuracy.
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "OverSeeds":
        """Of any values.

        Raises:
            ValueError: there are none.
        """
        each = tuple(values)
        if not each:
            raise ValueError("a mean over seeds needs a run, got none")
        return cls(each)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        return fmean(self.values)

    @cached_property
    def std(self) -> float | None:
        """Standard deviation of the sample (n - 1); None for a single run."""
        return stdev(self.values) if len(self.values) > 1 else None

    def in_percent(self, digits: int = 1) -> str:
        """ "62.1 ± 0.4"; "62.1" of a single run."""
        spread = "" if self.std is None else f" ± {100 * self.std:.{digits}f}"
        return f"{100 * self.mean:.{digits}f}{spread}"
