"""The browser's back button takes back what the visitor did, and nothing that a page did by itself.

Streamlit makes every writing of the address a step in the browser's history. Pages write theirs when they are opened,
because defaults stand in it too (see ``state``): without this, going back from a page just opened would lead to the
same page under a shorter address. Where app.py is not run by ``python -m dashboard``, whose document has the script
below from the beginning, the first page of a visit may still do so.
"""

import streamlit as st

# A step is one that follows a click or a key; any other writing replaces the address of the step before.
SCRIPT = """
(() => {
  if (window.stepsAreActs) return;
  window.stepsAreActs = true;
  let acted = false;
  for (const act of ["pointerdown", "keydown"]) window.addEventListener(act, () => { acted = true; }, true);
  const { pushState, replaceState } = history;
  history.pushState = (...step) => {
    (acted ? pushState : replaceState).apply(history, step);
    acted = false;
  };
})();
"""


def one_step_an_act() -> None:
    """At the end of a page, where it takes up no line before it."""
    with st.container(key="steps"):  # not shown (page.css); else it would take up a line
        st.html(f"<script>{SCRIPT}</script>", unsafe_allow_javascript=True)
