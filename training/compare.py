"""Two runs, face by face: is one better, or is it chance? Reads stored predictions, so it is no touch of test."""

from pathlib import Path
from typing import Any

from resemotenet.errors import ResultsError
from resemotenet.runs.metrics import wilson_interval
from resemotenet.runs.paired import Paired, pair_up
from resemotenet.runs.results import Predictions, ResultsFolder
from resemotenet.runs.schema import Result, read
from resemotenet.runs.seeds import OverSeeds
from resemotenet.runs.settings import differing, training_settings

# How often chance alone makes so large a difference: from DOUBT on it may well be chance, between LEVEL and DOUBT
# nothing can be said, below LEVEL the difference is called probably real, below a fifth of that real.
DOUBT, LEVEL = 0.1, 0.05


def compare(a: Path, b: Path, split: str, labels: str | None = None) -> Paired:
    """Match the predictions of two results folders face by face.

    Args:
        labels: the label definition; that by which both runs chose their epoch unless given.

    Raises:
        ResultsError: a run has no such predictions (the message names the command that makes them), the two were
            scored by different labels or on different data, or they share no face.
    """
    labels = labels or _common_labels(a, b)
    _check_data(a, b)
    first, second = _read(a, split, labels), _read(b, split, labels)
    return pair_up(first, second, split=split, labels=labels, names=(str(a), str(b)))


def differing_settings(a: Path, b: Path) -> dict[str, tuple[Any, Any]]:
    """Settings in which two runs differ, by dotted name; see ``runs.settings`` for those that do not count."""
    return differing(_config(a), _config(b))


def _config(run: Path) -> dict[str, Any]:
    return read(dict[str, Any], ResultsFolder(run).config)


def report(a: tuple[Path, ...], b: tuple[Path, ...], split: str, labels: str | None = None) -> str:
    """The first run of A against the first of B in words; with further runs, the two sides over their seeds as well.

    Raises:
        ResultsError: as for ``compare``, or a side names a run twice.
    """
    for side in (a, b):
        if len({run.resolve() for run in side}) < len(side):
            raise ResultsError(f"a run is named twice on one side: {', '.join(map(str, side))}")
    changed = [f"  {name}: A {old}, B {new}" for name, (old, new) in differing_settings(a[0], b[0]).items()]
    lines = ["Settings that differ:" if changed else "No setting differs.", *changed, ""]
    lines += [*_one_pair(a[0], b[0], compare(a[0], b[0], split, labels)), ""]
    if len(a) == len(b) == 1:
        lines.append(
            "This speaks of these two networks on these faces. With one seed each it says nothing about the two "
            "recipes: another seed may turn it round. Name further runs with --also-a and --also-b."
        )
    else:
        lines += _over_seeds(a, b, split, labels)
    return "\n".join(lines)


def _one_pair(a: Path, b: Path, pair: Paired) -> list[str]:
    lines = [f"{pair.split}, {pair.labels} labels, {pair.n:,} faces that both scored"]
    if pair.left_out:
        lines.append(f"  ({pair.left_out:,} scored by one of the two only are left out)")
    for name, run, correct in zip("AB", (a, b), pair.correct, strict=True):
        low, high = wilson_interval(correct, pair.n)
        lines.append(
            f"  {name}  {100 * correct / pair.n:.2f}% [{100 * low:.1f}, {100 * high:.1f}]  {run.resolve().name}"
        )
    low, high = pair.interval
    lines += [
        f"  right: both {pair.both:,}, only A {pair.only_a:,}, only B {pair.only_b:,}, neither {pair.neither:,}",
        f"  B - A: {100 * pair.difference:+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]",
        verdict(pair),
    ]
    if pair.split == "validation":
        lines.append("Both chose their epoch on these faces, which flatters both a little.")
    return lines


def verdict(pair: Paired) -> str:
    """Whether the difference is real, in words."""
    surplus = pair.only_b - pair.only_a
    if surplus == 0:
        same = "the very same faces" if pair.only_a == 0 else "equally many faces, if not the same"
        return f"Both are right on {same}: no difference."
    return (
        f"{'B' if surplus > 0 else 'A'} is right on {abs(surplus):,} more faces of {pair.n:,}. Were neither better, a "
        f"difference this large would come up by chance {_percent(pair.p_value)} of such comparisons (exact McNemar "
        f"test), so {_conclusion(pair.p_value, 'between these two networks it is', 'it may well be chance')}."
    )


def _percent(share: float) -> str:
    return f"in {100 * share:.2g}%" if share >= 1e-4 else "in less than 0.01%"


def _conclusion(p_value: float, claim: str, doubt: str) -> str:
    if p_value >= DOUBT:
        return doubt
    if p_value >= LEVEL:
        return "it cannot be told from chance here, nor ruled out"
    return f"{claim} real" if p_value < LEVEL / 5 else f"{claim} probably real"


def _over_seeds(a: tuple[Path, ...], b: tuple[Path, ...], split: str, labels: str | None) -> list[str]:
    of_a, of_b = ([compare(run, b[0], split, labels) for run in a], [compare(a[0], run, split, labels) for run in b])
    sides = {
        "A": (a, OverSeeds.of(pair.correct[0] / pair.n for pair in of_a)),
        "B": (b, OverSeeds.of(pair.correct[1] / pair.n for pair in of_b)),
    }
    if len({pair.n for pair in of_a + of_b}) > 1:
        raise ResultsError("the runs were not all scored on the same faces; compare those that were")
    lines = ["Over seeds:"]
    for name, (runs, accuracies) in sides.items():
        spread = "" if accuracies.std is None else f", std {100 * accuracies.std:.2f}"
        each = ", ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies.values)
        lines.append(f"  {name}  mean {100 * accuracies.mean:.2f}%{spread} ({each})")
        mixed = {setting for run in runs[1:] for setting in differing_settings(runs[0], run)} - {"seed"}
        if mixed:
            lines.append(f"     these runs differ in more than their seed: {', '.join(sorted(mixed))}")
    return [*lines, _seed_verdict(sides["A"][1], sides["B"][1])]


def _seed_verdict(a: OverSeeds, b: OverSeeds) -> str:
    """Welch's t-test over the accuracies of several seeds, in words."""
    if a.std is None or b.std is None:
        return "A recipe's spread shows from two seeds on; name further runs to judge the recipes."
    if a.std == b.std == 0:
        return "All seeds of a side score the same, so their spread says nothing."
    from scipy.stats import ttest_ind

    test = ttest_ind(b.values, a.values, equal_var=False)
    low, high = test.confidence_interval(0.95)
    return (
        f"B - A on average: {100 * (b.mean - a.mean):+.2f} points [{100 * low:+.2f}, {100 * high:+.2f}]. Were the "
        f"recipes equal, seeds would give a difference this large {_percent(test.pvalue)} of cases (Welch's t-test), "
        f"so {_conclusion(test.pvalue, 'on these faces it is', 'it may well be the seeds')}."
    )


def _common_labels(a: Path, b: Path) -> str:
    """The definition that decided in both runs."""
    found = []
    for run in (a, b):
        folder = ResultsFolder(run)
        folder.check_finished()
        found.append(read(Result, folder.result).labels)
    if found[0] is None or found[0] != found[1]:
        shared = " or ".join(sorted(_definitions(a) & _definitions(b))) or "(none)"
        raise ResultsError(
            f"{a} was judged by {found[0]} labels, {b} by {found[1]}; give --labels that both have: {shared}"
        )
    return found[0]


def _definitions(run: Path) -> set[str]:
    return {labels for labels, _, _ in read(Result, ResultsFolder(run).result).entries()}


def _check_data(a: Path, b: Path) -> None:
    """Sample ids of different data sets may look alike."""
    names = [training_settings(_config(run)).get("dataset.name") for run in (a, b)]
    if names[0] != names[1]:
        raise ResultsError(f"{a} was scored on {names[0]}, {b} on {names[1]}; compare runs on one data set")


def _read(run: Path, split: str, labels: str) -> Predictions:
    folder = ResultsFolder(run)
    folder.check_finished()
    path = folder.predictions(labels, split)
    if not path.is_file():
        known = ", ".join(sorted(_definitions(run)))
        if labels not in _definitions(run):
            raise ResultsError(f"{run} was not scored by {labels} labels; it has: {known}")
        counted = ", a touch of test that is counted" if split == "test" else ""
        raise ResultsError(
            f"{run} holds no predictions for {split}; make them with "
            f"'python -m training evaluate {run} --split {split}'{counted}"
        )
    return Predictions.load(path)
