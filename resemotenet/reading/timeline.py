"""What was read of people over time: smoothed, summed up, and against what is usual for each of them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..emotions import canonical_order

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

    from .following import Moment

TIMELINE_SCHEMA = 1


class Sighting(NamedTuple):
    """One face of one person at one time.

    Attributes:
        time: in seconds.
        probabilities: emotion -> probability, as it was read.
    """

    time: float
    person: int
    probabilities: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class PersonTimeline:
    """One person.

    Attributes:
        labels: K emotions in canonical order, those of the columns below.
        times: (T,) float64, in seconds, of each reading.
        probabilities: (T, K) float64, smoothed.
        seconds: for how long the person was seen. A reading stands for the time until the next one, and one before a
            gap for as long as readings usually do.
        shares: emotion -> share of these seconds in which it is the largest; they sum to 1.
        median: emotion -> what is usual for this person, the median over time.
        change: (T, K) float64, ``probabilities`` minus ``median``, -1 to 1.
    """

    person: int
    labels: tuple[str, ...]
    times: "NDArray[np.float64]"
    probabilities: "NDArray[np.float64]"
    seconds: float
    shares: dict[str, float]
    median: dict[str, float]
    change: "NDArray[np.float64]"

    @property
    def pieces(self) -> list[slice]:
        """Which readings follow each other without a gap, in which the person was not seen."""
        longest = 2.5 * _step(self.times)
        ends = [*(np.flatnonzero(np.diff(self.times) > longest) + 1).tolist(), len(self.times)]
        return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON: seconds rounded to a thousandth, fractions to four places."""
        columns = dict(zip(self.labels, self.probabilities.T, strict=True))
        changes = dict(zip(self.labels, self.change.T, strict=True))
        return {
            "person": self.person,
            "seconds": round(self.seconds, 3),
            "shares": {label: round(share, 4) for label, share in self.shares.items()},
            "median": {label: round(share, 4) for label, share in self.median.items()},
            "times": self.times.round(3).tolist(),
            "probabilities": {label: values.round(4).tolist() for label, values in columns.items()},
            "change": {label: values.round(4).tolist() for label, values in changes.items()},
        }


@dataclass(frozen=True, eq=False)
class Timeline:
    """Everybody in a video.

    Attributes:
        people: in the order in which they came.
        smoothing: that was taken, in seconds.
    """

    people: tuple[PersonTimeline, ...]
    smoothing: float

    def to_dict(self) -> dict[str, Any]:
        """{"schema": 1, "smoothing": seconds, "people": [``PersonTimeline.to_dict``]}."""
        people = [each.to_dict() for each in self.people]
        return {"schema": TIMELINE_SCHEMA, "smoothing": self.smoothing, "people": people}

    def to_frame(self) -> "pandas.DataFrame":
        """A row a reading of a person: person, time, label, a column an emotion, and one "change_EMOTION" each."""
        import pandas

        parts = [
            pandas.DataFrame(
                {
                    "person": each.person,
                    "time": each.times,
                    "label": [each.labels[index] for index in each.probabilities.argmax(axis=1)],
                    **dict(zip(each.labels, each.probabilities.T, strict=True)),
                    **{f"change_{label}": column for label, column in zip(each.labels, each.change.T, strict=True)},
                }
            )
            for each in self.people
        ]
        return pandas.concat(parts, ignore_index=True) if parts else pandas.DataFrame()

    def to_svg(self) -> str:
        """A plot with one row a person (see ``timeline_picture``)."""
        from .timeline_picture import timeline_svg

        return timeline_svg(self)

    def _repr_html_(self) -> str:
        return self.to_svg()


def timeline(seen: "Iterable[Moment | Sighting]", *, smoothing: float = 1.0) -> Timeline:
    """Sum up what was read of each person.

        timeline(watch(predictor, Video.open("film.mp4").frames(every=0.2)))

    A value is the mean of all readings of that person, each weighted by exp(-distance in time / ``smoothing``). It
    looks both ways, so nothing comes late, and is the same whichever way the video is played.

    Args:
        seen: in any order; of moments only the numbers are kept.
        smoothing: in seconds; 0 leaves every reading as it was.

    Raises:
        ValueError: ``smoothing`` is negative or no number, or two sightings have other emotions.
    """
    if not 0 <= smoothing < math.inf:
        raise ValueError(f"smoothing must be a time in seconds from 0 up, got {smoothing}")
    found: dict[int, list[tuple[float, list[float]]]] = {}
    labels: tuple[str, ...] = ()
    for each in _sightings(seen):
        labels = labels or canonical_order(each.probabilities)
        if set(labels) != set(each.probabilities):
            raise ValueError(
                f"readings of one timeline have the same emotions; {labels} and {list(each.probabilities)}"
            )
        found.setdefault(each.person, []).append((each.time, [each.probabilities[label] for label in labels]))
    people = [_sum_up(person, labels, rows, smoothing) for person, rows in found.items()]
    return Timeline(tuple(sorted(people, key=lambda each: (each.times[0], each.person))), smoothing)


def _sightings(seen: "Iterable[Moment | Sighting]") -> Iterable[Sighting]:
    for each in seen:
        if isinstance(each, Sighting):
            yield each
        else:
            for person, face in zip(each.people, each.reading.faces, strict=True):
                yield Sighting(each.time, person, face.probabilities)


def _sum_up(
    person: int, labels: tuple[str, ...], rows: list[tuple[float, list[float]]], smoothing: float
) -> PersonTimeline:
    rows.sort(key=lambda row: row[0])
    times = np.array([time for time, _ in rows])
    smooth = _smoothed(times, np.array([values for _, values in rows]), smoothing)
    usual = _step(times)
    lasting = np.minimum(np.append(np.diff(times), usual), 2.5 * usual)
    lasting[lasting > 2 * usual] = usual  # before a gap
    seconds = float(lasting.sum())
    # One reading alone stands for no time, and is all that there is.
    weights = lasting if seconds else np.ones(len(times))
    largest = np.bincount(smooth.argmax(axis=1), weights, len(labels))
    median = np.median(smooth, axis=0)
    return PersonTimeline(
        person,
        labels,
        times,
        smooth,
        seconds,
        # Over what was added up in this order, so that all of the time is 1.
        dict(zip(labels, (largest / largest.sum()).tolist(), strict=True)),
        dict(zip(labels, median.tolist(), strict=True)),
        smooth - median,
    )


def _step(times: "NDArray[np.float64]") -> float:
    """Seconds between two readings, as a rule; 0 for one alone."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _smoothed(times: "NDArray[np.float64]", values: "NDArray[np.float64]", smoothing: float) -> "NDArray[np.float64]":
    """Means weighted by exp(-distance / smoothing): what came before and what comes after, each in one pass."""
    if smoothing == 0:
        return values
    kept = np.exp(-np.diff(times) / smoothing)
    weighted = np.column_stack([values, np.ones(len(values))])  # the last column adds up the weights
    before, after = weighted.copy(), weighted.copy()
    for index in range(1, len(values)):
        before[index] += kept[index - 1] * before[index - 1]
    for index in range(len(values) - 2, -1, -1):
        after[index] += kept[index] * after[index + 1]
    sums = before + after - weighted
    means: NDArray[np.float64] = sums[:, :-1] / sums[:, -1:]
    return means
