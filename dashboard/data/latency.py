"""How long a run's model takes for one face, as its result.json tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .fields import at, number, text, whole


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one face alone in its batch, float32; finding the face is not in it.

    Attributes:
        median, low, high: of many passes; the ends are the quartiles.
        device, threads: what it was measured on; the threads are None where that is not noted.
        views: what was averaged, "none" or "flip".
        time: of the measurement; the same for models that were measured in turns.
    """

    median: float
    low: float
    high: float
    device: str
    threads: int | None
    views: str
    time: str

    @property
    def place(self) -> str:
        """Device and threads, for people. Times of two places are not to be compared."""
        if self.threads is None:
            return self.device
        return f"{self.device}, {self.threads} thread{'s' * (self.threads != 1)}"


def read_latency(result: Mapping[str, Any]) -> Latency | None:
    """None where a result does not say it, as those of older versions, or says nonsense."""
    found = at(result, "cost", "latency")
    ends = at(found, "quartiles")
    if whole(found, "faces") != 1 or not isinstance(ends, list) or len(ends) != 2:
        return None
    low, median, high = (number({"ms": value}, "ms") for value in (ends[0], at(found, "milliseconds"), ends[1]))
    if low is None or median is None or high is None or not 0 < low <= median <= high:
        return None
    device, views, time = (text(found, name) for name in ("device", "views", "time"))
    return Latency(median, low, high, device, whole(found, "threads"), views, time)
