"""Results folders as Markdown tables, for a README: ``python -m dashboard.report [--ablation] [FOLDER ...]``.

Without a folder, the published runs; ``--into FILE`` renews the tables in a document. Every figure is computed from the
stored predictions of test; claims stand in a column of their own.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from resemotenet.cli import print_any_name
from resemotenet.errors import ResultsError
from resemotenet.runs.claims import NOT_UPSTREAMS
from resemotenet.runs.label_sets import teaching

from .analysis.ablations import (
    CONFIGURATIONS,
    DEFINED,
    Against,
    Series,
    about_layouts,
    about_means,
    accuracies,
    against_c1,
    caution,
    from_c1_mean,
    over_seeds,
    removed,
    scored,
    series_of,
)
from .analysis.groups import Group, grouped, interval_in_percent, labels_name, setting
from .analysis.verdicts import claim_for
from .data import LABEL_SETS, PUBLISHED, Run, Score, folder_problem, scan

_SCORE_IT = "'python -m training evaluate RUN --split test' scores a finished one"


def results_table(runs: Iterable[Run], *, relative_to: Path) -> str:
    """One part for each label definition that was scored on test, best on validation first; seeds of a run in one row.

    The order is not that of the test figures shown, or the top row would be one chosen on test.

    Args:
        relative_to: the folder in which the links to the runs are to work.

    Raises:
        ResultsError: there is no such run.
    """
    groups = [group for group in grouped(runs) if group.split == "test"]
    if not groups:
        raise ResultsError(f"no run was scored on test; {_SCORE_IT}")
    groups.sort(key=lambda group: -1.0 if group.validated is None else group.validated, reverse=True)
    known = [labels for labels in LABEL_SETS if any(group.labels == labels for group in groups)]
    others = sorted({group.labels for group in groups} - set(LABEL_SETS))
    parts = []
    for labels in known + others:
        rows = [_row(group, relative_to) for group in groups if group.labels == labels]
        if (crowd := _crowd(labels)) is not None:
            rows.append(crowd)
        notes = [f"{name} is not upstream's of that name: {note}.\n" for name, note in NOT_UPSTREAMS.items()
                 if any(row["network"] == name for row in rows)]  # fmt: skip
        parts.append("\n".join([f"**Scored on {labels_name(labels)}**\n", _markdown(rows), *notes]))
    return "\n".join(parts)


def ablation_table(runs: Iterable[Run], *, relative_to: Path) -> str:
    """C1 to C6 on FER2013's own labels, from the series with the most of them: the least seed, and the mean over all.

    Raises:
        ResultsError: there is no such series.
    """
    series = next((each for each in series_of(runs) if ("fer2013", "test") in scored(each)), None)
    if series is None:
        raise ResultsError(f"no run of C1 to C6 was scored on FER2013's own test labels; {_SCORE_IT}")
    seed = series.seeds[0]
    against = against_c1(series, seed, "fer2013", "test")
    rows = [_ablation_row(name, against[name], series, relative_to) for name in CONFIGURATIONS if name in against]
    notes = (
        caution(series, against, "fer2013", "test"),
        about_means(series, "fer2013", "test"),
        about_layouts(against),
    )
    return "\n".join([_markdown(rows), *(f"{note}\n" for note in notes if note)])


def _ablation_row(name: str, against: Against, series: Series, relative_to: Path) -> dict[str, str]:
    run, pair = against.run, against.pair
    claim, first = DEFINED[name], DEFINED["C1"]
    each = over_seeds(series, name, "fer2013", "test")
    means = from_c1_mean(series, name, "fer2013", "test")
    # None where its predictions are damaged.
    score = next((score for score in each if score.run is run), None)
    layout = " (compact)" if run.compact else ""
    change = "" if pair is None else f"{100 * pair.difference:+.1f} {interval_in_percent(pair.interval, signed=True)}"
    return {
        "": f"[{name}]({_link(run.path, relative_to)})",
        "removed": removed(name),
        "parameters, M": "" if run.parameters is None else f"{run.parameters / 1e6:.2f}{layout}",
        "multiply-adds, M": "" if run.macs is None else f"{run.macs / 1e6:.1f}{layout}",
        "accuracy, %": "" if score is None else f"{100 * score.accuracy:.1f} {interval_in_percent(score.interval)}",
        f"against C1, seed {run.seed}, points": change,
        "over seeds": _over_seeds(each),
        "means against C1's, points": "" if means is None else f"{100 * means:+z.1f}",
        "the paper's claim (RAF-DB), points": ""
        if claim is first
        else f"{100 * (claim.accuracy - first.accuracy):+.2f}",
    }


def _over_seeds(each: Sequence[Score]) -> str:
    if len(each) < 2:
        return ""
    return f"{accuracies(each).in_percent()} (seeds {', '.join(str(score.run.seed) for score in each)})"


def _row(group: Group, relative_to: Path) -> dict[str, str]:
    run = group.run
    claim = claim_for(run.model, group.labels)
    clean = group.without_leaks
    each = sorted(group.scores, key=lambda score: score.run.seed or 0)
    links = [f"[{score.run.seed}]({_link(score.run.path, relative_to)})" for score in each]
    return {
        "network": run.model,
        "setting": setting(run),
        "taught": teaching(run.taught).name,
        "n": f"{group.n:,}",
        "accuracy, %": f"{group.accuracies.in_percent()} {interval_in_percent(group.interval)}",
        "without copies, %": "" if clean is None else f"{100 * clean:.1f}",
        "claimed, %": "" if claim is None else f"{100 * claim.accuracy:.2f}",
        "seeds": ", ".join(links),
        "protocol": "; or: ".join(dict.fromkeys(score.run.protocol_in_words for score in each)),
        "device": group.devices,
    }


def _crowd(labels: str) -> dict[str, str] | None:
    """What a reader would score on FER2013's own labels who always gave the emotion with the most FER+ votes."""
    if labels != "fer2013":
        return None
    everyone, strict = LABEL_SETS[labels].most_votes["test"], LABEL_SETS[labels].agreement["test"]
    return {
        "network": "*the crowd itself*",
        "setting": "plurality of FER+ votes, all faces (ties split evenly, no votes: missed); "
        f"{100 * strict.share:.1f} on the {strict.n:,} faces with a strict majority",
        "n": f"{everyone.n:,}",
        "accuracy, %": f"{100 * everyone.share:.1f}",
    }


def _link(path: Path, relative_to: Path) -> str:
    return Path(os.path.relpath(path, relative_to)).as_posix()


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_TABLES = {"results": results_table, "ablation": ablation_table}


def renewed(text: str, runs: Sequence[Run], *, relative_to: Path) -> str:
    """A document with the tables written anew that stand between ``<!-- results -->`` and ``<!-- end of results -->``,
    and between the same marks of ``ablation``.

    Raises:
        ResultsError: it has no such marks, or there is no run for a table.
    """
    marks = {name: (f"<!-- {name} -->\n", f"<!-- end of {name} -->") for name in _TABLES}
    marked = {name: (start, end) for name, (start, end) in marks.items() if start in text and end in text}
    if not marked:
        expected = " or ".join(start.strip() + " ... " + end for start, end in marks.values())
        raise ResultsError(f"the document marks no place for a table; expected {expected}")
    for name, (start, end) in marked.items():
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = before + start + _TABLES[name](runs, relative_to=relative_to) + end + after
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table, with links relative to the folder one is in; or write both into a document."""
    options = _parser().parse_args(arguments)
    print_any_name()
    if problems := [problem for folder in options.folders if (problem := folder_problem(folder))]:
        print("\n".join(f"error: {problem}" for problem in problems), file=sys.stderr)
        return 1
    runs = scan(options.folders)
    for run in runs:
        if run.problem:
            print(f"{run.path}: {run.problem}", file=sys.stderr)
    try:
        if options.into is not None:
            text = options.into.read_text(encoding="utf-8")
            options.into.write_text(renewed(text, runs, relative_to=options.into.parent), encoding="utf-8")
        else:
            print(_TABLES["ablation" if options.ablation else "results"](runs, relative_to=Path.cwd()), end="")
    except (ResultsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dashboard.report", description=(__doc__ or "").replace("``", "'"))
    parser.add_argument("folders", nargs="*", type=Path, default=[PUBLISHED], help="of results folders")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--ablation", action="store_true", help="C1 to C6 beside the paper's Table IV")
    where.add_argument("--into", type=Path, metavar="FILE", help="renew both tables between their marks in FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
