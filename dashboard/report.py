"""Results folders as one Markdown table, for a README: ``python -m dashboard.report [FOLDER ...]``.

Without a folder, the published runs. Every figure is computed from the stored predictions of test; claims stand in a
column of their own.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .analysis.groups import Group, grouped, interval_in_percent, labels_name, setting
from .analysis.verdicts import claim_for
from .data import LABELS, PUBLISHED, Run, scan

_COLUMNS = (
    "network",
    "setting",
    "taught",
    "n",
    "accuracy %",
    "without copies %",
    "claimed %",
    "seeds",
    "protocol",
    "device",
)
# By its votes a network is taught, but never scored.
_TAUGHT = {"ferplus": "FER+ votes"}


def results_table(runs: Iterable[Run], *, relative_to: Path) -> str:
    """One part for each label definition that was scored on test, best first in each; seeds of a run in one row.

    Args:
        relative_to: the folder in which the links to the runs are to work.
    """
    groups = [group for group in grouped(runs) if group.split == "test"]
    groups.sort(key=lambda group: -group.accuracy)
    known = [labels for labels in LABELS if any(group.labels == labels for group in groups)]
    others = sorted({group.labels for group in groups} - set(LABELS))
    parts = []
    for labels in known + others:
        rows = [_row(group, relative_to) for group in groups if group.labels == labels]
        if (crowd := _crowd(labels)) is not None:
            rows.append(crowd)
        parts.append(f"**Scored on {labels_name(labels)}**\n\n{_markdown(rows)}")
    return "\n".join(parts)


def _row(group: Group, relative_to: Path) -> dict[str, str]:
    run = group.run
    claim = claim_for(run.model, group.labels)
    clean = group.without_leaks
    spread = "" if group.std is None else f" ± {100 * group.std:.1f}"
    each = sorted(group.scores, key=lambda score: score.run.seed or 0)
    links = [f"[{score.run.seed}]({_link(score.run.path, relative_to)})" for score in each]
    return {
        "network": run.model,
        "setting": setting(run),
        "taught": _TAUGHT.get(run.taught) or labels_name(run.taught),
        "n": f"{group.n:,}",
        "accuracy %": f"{100 * group.accuracy:.1f}{spread} {interval_in_percent(group.interval)}",
        "without copies %": "" if clean is None else f"{100 * clean:.1f}",
        "claimed %": "" if claim is None else f"{100 * claim.accuracy:.2f}",
        "seeds": ", ".join(links),
        "protocol": "; or: ".join(dict.fromkeys(score.run.protocol_in_words for score in each)),
        "device": group.devices,
    }


def _crowd(labels: str) -> dict[str, str] | None:
    """What a reader who always agreed with people would score on FER2013's own labels."""
    if labels != "fer2013":
        return None
    agreement = LABELS[labels].agreement["test"]
    return {
        "network": "*the crowd itself*",
        "setting": "majority of ten annotators, where there is one",
        "n": f"{agreement.n:,}",
        "accuracy %": f"{100 * agreement.share:.1f}",
    }


def _link(path: Path, relative_to: Path) -> str:
    return Path(os.path.relpath(path, relative_to)).as_posix()


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *([row.get(name, "") for name in _COLUMNS] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; links are relative to the folder one is in."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.report", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[PUBLISHED], help="of results folders")
    runs = scan(parser.parse_args(arguments).folders)
    for run in runs:
        if run.problem:
            print(f"{run.path}: {run.problem}", file=sys.stderr)
    print(results_table(runs, relative_to=Path.cwd()), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
