"""How a card writes figures, tables and the names of data sets and labels."""

from collections.abc import Iterable, Sequence

from ..runs.claims import DATASETS
from ..runs.label_sets import label_set
from .escaping import text


def share(value: float | None, digits: int = 2) -> str:
    """A fraction in percent, without the sign; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def decimals(value: float | None) -> str:
    """A figure that is no share; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def brackets(interval: Sequence[float] | None) -> str:
    """An interval in percent, to stand behind its figure; "" where it is not known."""
    if interval is None:
        return ""
    low, high = interval
    # A no-break space: a narrow column is to break before the bracket, not in it.
    return f" [{share(low, 1)},\u00a0{share(high, 1)}]"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A Markdown table; the first ``words`` columns hold words, the others numbers, which are set to the right."""
    marks = ["---" if column < words else "---:" for column in range(len(titles))]
    head = [f"| {' | '.join(titles)} |", f"| {' | '.join(marks)} |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def dataset_name(dataset: str) -> str:
    """A data set for people."""
    return text({**DATASETS, "synthetic": "the drawn faces"}.get(dataset, dataset))


def label_name(labels: str) -> str:
    """A label definition for people."""
    return text(label_set(labels).name)
