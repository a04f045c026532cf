"""Tables to take away: CSV and LaTeX of what a page shows."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

Rows = Sequence[Mapping[str, Any]]

_ROW, _MOST_ROWS = 33, 14  # pixels; rows that are seen at once

# What pandas leaves as it is, and LaTeX prints as something else or not at all.
_SYMBOLS = str.maketrans(
    {
        "<": "$<$",
        ">": "$>$",
        "\N{PLUS-MINUS SIGN}": r"$\pm$",
        "\N{MINUS SIGN}": "$-$",
        "\N{EN DASH}": "--",
        "\N{MULTIPLICATION SIGN}": r"$\times$",
    }
)


def to_csv(rows: Rows) -> str:
    """Comma-separated, one header line; numbers unrounded, nothing where there is no value."""
    text: str = _table(rows).to_csv(index=False, lineterminator="\n")
    return text


def to_latex(rows: Rows, caption: str) -> str:
    """A booktabs table; numbers flush right, with two decimals unless whole."""
    numeric = map(pd.api.types.is_numeric_dtype, pd.DataFrame(rows).dtypes)
    style = _table(rows).style.hide(axis="index")
    style = style.format(_text, escape="latex", na_rep="--").format_index(escape="latex", axis="columns")
    latex: str = style.to_latex(
        hrules=True,
        position_float="centering",
        column_format="".join("r" if right else "l" for right in numeric),
        caption=re.sub(r"([&%$#_{}])", r"\\\1", caption),
    )
    return latex.translate(_SYMBOLS)


def show_table(rows: Rows, columns: Mapping[str, Any] | None = None, *, alt: str | None = None) -> None:
    """Draw a table that can be sorted, as high as its rows up to a screenful.

    Args:
        alt: what it holds, for those who do not see it.
    """
    st.dataframe(rows, alt=alt, **_look(rows, columns))


def row_picker(rows: Rows, columns: Mapping[str, Any] | None = None, *, key: str) -> list[int]:
    """The same with boxes to tick; the numbers of the rows that are, as they came."""
    picked = st.dataframe(rows, key=key, on_select="rerun", selection_mode="multi-row", **_look(rows, columns))
    return sorted(row for row in picked["selection"]["rows"] if row < len(rows))


def _look(rows: Rows, columns: Mapping[str, Any] | None) -> dict[str, Any]:
    height = _ROW * (min(len(rows), _MOST_ROWS) + 1) + 2
    return {
        "hide_index": True,
        "column_config": columns,
        "placeholder": "",
        "height": height,
        "row_height": _ROW,
    }


def copy_buttons(rows: Rows, *, name: str, caption: str, usual: Sequence[str] = ()) -> None:
    """A menu with the table as CSV and as LaTeX, to copy or to save.

    Args:
        usual: the columns that a paper would want; others can be added. All of them unless given.
    """
    with st.popover(
        "For a paper: CSV, LaTeX", icon=":material/content_copy:", key=f"copy-{name}", on_change="rerun"
    ) as menu:
        if not menu.open:  # nothing is written out before it is asked for
            return
        there = list(dict.fromkeys(column for row in rows for column in row))
        kept = [column for column in usual if column in there] or there
        chosen = st.multiselect("Columns", there, default=kept, key=f"columns-{name}", placeholder="all") or there
        taken = [{column: row.get(column) for column in chosen} for row in rows]
        for title, ending, text in (("CSV", "csv", to_csv(taken)), ("LaTeX", "tex", to_latex(taken, caption))):
            st.download_button(
                f"Save as {title}",
                text,
                file_name=f"{name}.{ending}",
                mime="text/csv" if ending == "csv" else "text/x-tex",
                icon=":material/download:",
                on_click="ignore",
                key=f"save-{name}-{ending}",
            )
            st.code(text, language=None if ending == "csv" else "latex", height=180)


def _table(rows: Rows) -> pd.DataFrame:
    """Whole numbers stay whole beside cells without a value."""
    return pd.DataFrame(rows, dtype=object)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
