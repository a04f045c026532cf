"""Series of runs that differ in the network alone, C1 to C6, compared face by face with C1."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from resemotenet.errors import ResultsError
from resemotenet.runs.claims import ABLATIONS
from resemotenet.runs.seeds import OverSeeds
from resemotenet.runs.settings import recipe_key

from ..data import Paired, Run, Score, has_predictions, label_set, paired, score_of, scores
from .groups import setting, usable

# C1 to C6 as the paper defines them, in both readings; and what each is called here.
_POOLED = " pooled"
DEFINED = {each.name: each for each in ABLATIONS} | {each.name + _POOLED: each for each in ABLATIONS if each.pooled}
CONFIGURATIONS = {each.name: each.model for each in ABLATIONS} | {
    each.name + _POOLED: each.pooled for each in ABLATIONS if each.pooled
}
ABOUT_READINGS = (
    "The paper gives no code for C3 to C6. A removed stage takes its pooling along, so that later maps are larger and "
    "the work grows; or, pooled, a max-pooling stays in its place, so that the work shrinks."
)


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
    members_by_key: dict[str, dict[tuple[str, int | None], Run]] = {}
    names = {model: configuration for configuration, model in CONFIGURATIONS.items()}
    for run in usable(runs):
        if run.model in names:
            members = members_by_key.setdefault(_key(run), {})
            members.setdefault((names[run.model], run.seed), run)
    every = [Series(_short(key), members) for key, members in members_by_key.items()]
    return sorted(every, key=lambda series: -len(series.configurations))


def scored(series: Series) -> list[tuple[str, str]]:
    """(labels, split) by which any run of a series was scored; test before validation."""
    pairs = {(score.labels, score.split) for run in series.runs.values() for score in scores(run)}
    return sorted(pairs, key=lambda pair: (pair[1] != "test", label_set(pair[0]).name))


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
    against: dict[str, Against] = {}
    base = series.runs.get(("C1", seed))
    if base is not None and not has_predictions(base, labels, split):
        base = None
    for configuration in CONFIGURATIONS:
        run = series.runs.get((configuration, seed))
        if run is None or not has_predictions(run, labels, split):
            continue
        if configuration == "C1":
            against[configuration] = Against(run)
        elif base is None:
            against[configuration] = Against(run, problem="there is no C1 of this seed to compare with")
        else:
            try:
                against[configuration] = Against(run, paired(base, run, labels, split))
            except ResultsError as error:
                against[configuration] = Against(run, problem=str(error))
    return against


def over_seeds(series: Series, configuration: str, labels: str, split: str) -> list[Score]:
    """The scores of a configuration's runs, by seed."""
    members = {seed: run for (name, seed), run in series.runs.items() if name == configuration}
    every = (score_of(members[seed], labels, split) for seed in series.seeds if seed in members)
    return [score for score in every if score is not None]


def accuracies(scores: Iterable[Score]) -> OverSeeds:
    """Of the scores of several seeds, of which there is at least one."""
    return OverSeeds.of(score.accuracy for score in scores)


def from_c1_mean(series: Series, configuration: str, labels: str, split: str) -> float | None:
    """The mean over a configuration's seeds minus that over C1's.

    Without an interval: most configurations have a single seed. None for C1 itself, where C1 has fewer than two seeds,
    where the configuration has no score, and where the scores are not all of the same number of faces.
    """
    first, own = (over_seeds(series, name, labels, split) for name in ("C1", configuration))
    if configuration == "C1" or len(first) < 2 or not own or len({score.n for score in (*first, *own)}) > 1:
        return None
    return accuracies(own).mean - accuracies(first).mean


def caution(series: Series, against: dict[str, Against], labels: str, split: str) -> str:
    """What the comparisons with C1 do not say; "" without one."""
    number = sum(each.pair is not None for each in against.values())
    if not number:
        return ""
    text = (
        "Each difference with an interval is of one seed of both networks, and another seed moves both: interval and "
        "test speak of these two networks on these faces, not of the two designs. "
    )
    if number > 1:
        text += f"They are {number} comparisons, uncorrected. "
    if len(first := [100 * score.accuracy for score in over_seeds(series, "C1", labels, split)]) > 1:
        text += f"C1 alone has {min(first):.1f} to {max(first):.1f}% over its {len(first)} seeds. "
    return text.strip()


def about_means(series: Series, labels: str, split: str) -> str:
    """What the differences of means do not say; "" without one."""
    shown = [name for name in CONFIGURATIONS if from_c1_mean(series, name, labels, split) is not None]
    if not shown:
        return ""
    single = ", ".join(name for name in shown if len(over_seeds(series, name, labels, split)) == 1)
    return "Means against C1's stand without an interval" + (f"; one seed only: {single}." if single else ".")


def about_layouts(against: dict[str, Against]) -> str:
    """Which runs are compact, and what their networks have in the layout of the others; "" where none is."""
    layouts = [
        f"{name} has {(run.parameters + left_out) / 1e6:.2f} M parameters and {(run.macs + left_out) / 1e6:.1f} M "
        "multiply-adds"
        for name, run in ((name, each.run) for name, each in against.items())
        if run.compact and run.parameters is not None and run.macs is not None and run.width is not None
        for left_out in [round(_left_out(name) * run.width**2)]
    ]
    if not layouts:
        return ""
    return (
        "Compact: the same function without weights that only ever multiply padding. In the published layout "
        f"{', '.join(layouts)}."
    )


def removed(configuration: str) -> str:
    """What it lacks, for people: "CNN (64)"; "nothing" for C1."""
    return DEFINED[configuration].removed or "nothing"


def _left_out(configuration: str) -> int:
    """Weights that the compact layout leaves out at full width: five taps of nine of a first kernel, eight of a second.

    It takes as many off the multiply-adds, for the map there is 1x1. Both go with the square of the width.
    """
    arriving = 1024 if len(DEFINED[configuration].residual) > 1 else 256  # from the block before, else from SE
    return 2048 * (5 * arriving + 8 * 2048)


def _key(run: Run) -> str:
    beside = {"protocol": run.protocol, "views": run.views, "data": run.data_hash}
    return recipe_key(run.config, apart_from=("network.name",), **beside)


def _short(key: str) -> str:
    """A name for the address of a page: settings do not fit in there."""
    return f"{zlib.crc32(key.encode()):08x}"
