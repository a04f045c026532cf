"""The table of what was trained on one kind of label and tested on another: text, so that a phone shows it too."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

# White is read on all colours between these; the figures stand in the cells, colour only leads the eye.
PALE, DEEP = (87, 98, 190), (43, 52, 127)
# Points below the least accuracy at which the pale end begins, so that no cell seems to be worth nothing.
_ROOM = 10.0

_STYLE = """<style>
.crossing {border-collapse: separate; border-spacing: 3px; width: 100%; max-width: 900px; font-size: 14px}
.crossing th {font-weight: 500; text-align: left; padding: 4px 8px; vertical-align: bottom}
.crossing th[scope=row] {vertical-align: middle}
.crossing small {display: block; font-size: 12px; font-weight: 400}
.crossing td {color: #FFF; text-align: center; padding: 12px 6px; border-radius: 4px; font-size: 16px;
  font-variant-numeric: tabular-nums}
.crossing td.home {outline: 3px solid #F08C00; outline-offset: -3px; font-weight: 700}
.crossing td.empty {color: inherit}
@media (max-width: 640px) {
  .crossing, .crossing thead, .crossing tbody {display: block}
  .crossing tr {display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: 3px}
  .crossing thead th:first-child {display: none}
  .crossing th {padding: 4px 2px}
  .crossing th[scope=row] {grid-column: 1 / -1; padding-top: 12px}
}
</style>"""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        accuracy: a fraction.
        interval: "[59.5, 62.7]".
        home: the labels scored are those that were trained on.
    """

    accuracy: float
    interval: str
    home: bool


def crossing_table(
    rows: Mapping[str, tuple[str, str]], columns: Mapping[str, tuple[str, str]], cells: Mapping[tuple[str, str], Cell]
) -> str:
    """HTML of it.

    Args:
        rows, columns: by key, a title and what stands small below it.
        cells: by the keys of row and column; an absent one stays empty.
    """
    shown = [100 * cell.accuracy for cell in cells.values()]
    least, most = min(shown, default=0.0) - _ROOM, max(shown, default=100.0)
    head = "".join(f'<th scope="col" role="columnheader">{_titled(*title)}</th>' for title in columns.values())
    body = "".join(
        f'<tr role="row"><th scope="row" role="rowheader">{_titled(*title)}</th>'
        + "".join(_cell(cells.get((row, column)), least, most) for column in columns)
        + "</tr>"
        for row, title in rows.items()
    )
    # The roles stay where a narrow page lays the rows out as a grid.
    return (
        f'{_STYLE}<table class="crossing" role="table" style="--columns: {len(columns)}"><thead><tr role="row">'
        f'<th role="columnheader">Trained on</th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _titled(title: str, small: str) -> str:
    return f"{escape(title)}<small>{escape(small)}</small>"


def _cell(cell: Cell | None, least: float, most: float) -> str:
    if cell is None:
        return '<td class="empty" role="cell">not scored</td>'
    share = (100 * cell.accuracy - least) / (most - least)
    color = ", ".join(f"{round(pale + share * (deep - pale))}" for pale, deep in zip(PALE, DEEP, strict=True))
    kind = ' class="home"' if cell.home else ""
    text = f"{100 * cell.accuracy:.1f}<small>{escape(cell.interval)}</small>"
    return f'<td role="cell"{kind} style="background: rgb({color})">{text}</td>'
