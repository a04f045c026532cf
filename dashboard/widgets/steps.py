"""The browser's back button takes back what the visitor did, and nothing that a page did by itself.

Streamlit makes every writing of the address a step in the browser's history. Pages write theirs when they are opened,
because defaults stand in it too (see ``state``): without this, going back from a page just opened would lead to the
same page under a shorter address. The first page of a visit may still do so where the browser is slow: its address can
arrive before the script below has run.
"""

import streamlit as st

# A step is one that follows a click or a key; any other writing replaces the address of the step before.
_SCRIPT = """<script>
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
</script>"""


def one_step_an_act() -> None:
    """Before anything writes the address."""
    with st.container(key="steps"):  # not shown; else it would take up a line
        st.html("<style>.st-key-steps {display: none;}</style>" + _SCRIPT, unsafe_allow_javascript=True)
