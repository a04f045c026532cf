"""Tables to take away: CSV and LaTeX of what a page shows."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

Rows = Sequence[Mapping[str, Any]]

_ROW, _MOST_ROWS = 33, 14  # pixels; rows that are seen at once

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
}


def to_csv(rows: Rows) -> str:
    """Comma-separated, one header line; numbers unrounded, nothing where there is no value."""
    file = io.StringIO()
    names = _names(rows)
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if row.get(name) is None else row[name] for name in names} for row in rows)
    return file.getvalue()


def to_latex(rows: Rows, caption: str) -> str:
    """A booktabs table; numbers flush right, with two decimals unless whole."""
    names = _names(rows)
    numeric = [all(row.get(name) is None or _is_number(row[name]) for row in rows) for name in names]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escape(caption)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric)}}}",
        r"\toprule",
        " & ".join(_escape(name) for name in names) + r" \\",
        r"\midrule",
        *(" & ".join(_escape(_text(row.get(name))) for name in names) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def show_table(rows: Rows, columns: Mapping[str, Any] | None = None, *, key: str | None = None) -> None:
    """Draw a table that can be sorted, as high as its rows up to a screenful."""
    height = _ROW * (min(len(rows), _MOST_ROWS) + 1) + 2
    st.dataframe(rows, hide_index=True, column_config=columns, placeholder="", height=height, row_height=_ROW, key=key)


def copy_buttons(rows: Rows, *, name: str, caption: str) -> None:
    """A menu with the table as CSV and as LaTeX, to copy or to save."""
    with st.popover("Copy table", icon=":material/content_copy:", key=f"copy-{name}", on_change="rerun") as menu:
        if not menu.open:  # nothing is written out before it is asked for
            return
        for title, ending, text in (("CSV", "csv", to_csv(rows)), ("LaTeX", "tex", to_latex(rows, caption))):
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


def _names(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if value is None:
        return "--"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if _is_number(value) else str(value)


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
