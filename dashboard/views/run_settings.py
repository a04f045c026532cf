"""Part of the page on a run: the commands that make it again, its settings and its environment."""

from typing import Any

import pandas as pd
import streamlit as st

from ..analysis.settings import flat
from ..analysis.telling import command_of, times
from ..data import Run


def show_settings(run: Run) -> None:
    """Draw this part of the page about a run."""
    st.markdown("**Reproduce it**")
    if (command := command_of(run)) is None:
        st.caption("This run does not say which command started it.")
    else:
        st.code(command, language="bash", wrap_lines=True)
        if run.released is not None or run.touched:
            st.caption(_steps_after(run))
        if run.dirty:
            st.warning(
                "Files differed from that commit when this was trained, so the commit alone does not give the code.",
                icon=":material/warning:",
            )
        if run.commit is None:
            st.caption("It was not trained from a git checkout, so the version of the code is not known.")
    for column, title, values in zip(
        st.columns(2, gap="medium"),
        ("Settings, defaults included", "Environment"),
        (
            run.config,
            run.environment.model_dump(exclude={"resumptions", "command"}, exclude_unset=True),
        ),
        strict=True,
    ):
        with column:
            st.markdown(f"**{title}**")
            _flat_table(values)
    if resumptions := run.environment.resumptions:
        with st.expander(f"Resumed {times(len(resumptions))}"):
            st.json([each.to_dict() for each in resumptions])


def _steps_after(run: Run) -> str:
    """What the commands behind training are, and what of them is not noted."""
    text = "RUN is the folder that training makes; it prints its name."
    if run.released is not None:
        text += (
            " The stored predictions are those of the released model, so the last command is part of them. Its options "
            "for accuracy margin and half precision, where they were not the defaults, are not recorded."
        )
    return text + (f" Test was scored {times(run.touched)}." if run.touched else "")


def _flat_table(values: dict[str, Any]) -> None:
    if not values:
        st.caption("Not recorded.")
        return
    table = pd.DataFrame(flat(values).items(), columns=["Name", "Value"])
    st.dataframe(table, hide_index=True, height="content")
