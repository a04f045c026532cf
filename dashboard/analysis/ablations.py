"""Series of runs that differ in the network alone, C1 to C6, compared face by face with C1."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from resemotenet.claims import ABLATIONS
from resemotenet.errors import ResultsError
from resemotenet.results import settings_of

from ..data import Paired, Run, has_predictions, label_set, paired, scores
from .groups import setting, usable

# C1 to C6 as the paper defines them; and what each is called here.
DEFINED = {each.name: each for each in ABLATIONS}
CONFIGURATIONS = {name: each.model for name, each in DEFINED.items()}
# The compact layout computes the same function; C3 to C6 have none.
_NO_DIFFERENCE = ("seed", "data", "results", "cache", "device", "track", "network.name", "network.compact")


@dataclass(frozen=True)
class Series:
    """Finished runs whose settings differ in the network and the seed alone.

    Attributes:
        runs: (configuration, seed) -> the newest such run.
    """

    key: str
    runs: dict[tuple[str, int | None], Run]

    @property
    def configurations(self) -> list[str]:
        present = {configuration for configuration, _ in self.runs}
        return [configuration for configuration in CONFIGURATIONS if configuration in present]

    @property
    def seeds(self) -> list[int | None]:
        return sorted({seed for _, seed in self.runs}, key=lambda seed: -1 if seed is None else seed)

    @property
    def name(self) -> str:
        """For people: "strong, 0.25 wide, 48 px, 15 epochs, taught fer2013 (C1, C2, C5)"."""
        run = next(iter(self.runs.values()))
        return f"{run.recipe}, {setting(run)}, taught {run.taught} ({', '.join(self.configurations)})"


def series_of(runs: Iterable[Run]) -> list[Series]:
    """All series, the one with the most configurations first, of equal ones the newest."""
    found: dict[str, dict[tuple[str, int | None], Run]] = {}
    names = {model: configuration for configuration, model in CONFIGURATIONS.items()}
    for run in usable(runs):
        if run.model in names:
            members = found.setdefault(_key(run), {})
            members.setdefault((names[run.model], run.seed), run)
    every = [Series(_short(key), members) for key, members in found.items()]
    return sorted(every, key=lambda series: -len(series.configurations))


def scored(series: Series) -> list[tuple[str, str]]:
    """(labels, split) by which any run of a series was scored; test before validation."""
    found = {(score.labels, score.split) for run in series.runs.values() for score in scores(run)}
    return sorted(found, key=lambda pair: (pair[1] != "test", label_set(pair[0]).name))


@dataclass(frozen=True)
class Against:
    """A run beside C1 of the same series and seed.

    Attributes:
        pair: A is C1, B the run; None for C1 itself, or where the two cannot be compared.
        problem: why they cannot.
    """

    run: Run
    pair: Paired | None = None
    problem: str | None = None


def against_c1(series: Series, seed: int | None, labels: str, split: str) -> dict[str, Against]:
    """Configuration -> its run of this seed beside C1; configurations without predictions are left out."""
    found: dict[str, Against] = {}
    base = series.runs.get(("C1", seed))
    if base is not None and not has_predictions(base, labels, split):
        base = None
    for configuration in CONFIGURATIONS:
        run = series.runs.get((configuration, seed))
        if run is None or not has_predictions(run, labels, split):
            continue
        if configuration == "C1":
            found[configuration] = Against(run)
        elif base is None:
            found[configuration] = Against(run, problem="there is no C1 of this seed to compare with")
        else:
            try:
                found[configuration] = Against(run, paired(base, run, labels, split))
            except ResultsError as error:
                found[configuration] = Against(run, problem=str(error))
    return found


def _key(run: Run) -> str:
    told = {name: value for name, value in settings_of(run.config).items() if name not in _NO_DIFFERENCE}
    told |= {"protocol": run.protocol, "views": run.views}
    return json.dumps(told, sort_keys=True, default=str)


def _short(key: str) -> str:
    """A name for the address of a page: settings do not fit in there."""
    return f"{zlib.crc32(key.encode()):08x}"
