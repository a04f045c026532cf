"""What Gradio remembers of its visitors: nothing.

It keeps, for the last ten thousand sessions, all that went in and out of every component: pictures, crops and answers.
No part of this page has a state of its own, so nothing is looked up there.
"""

from typing import Any

import gradio as gr
from gradio.state_holder import SessionState, StateHolder


def remember_nothing(page: gr.Blocks) -> None:
    """For a page that is served, and has neither ``gr.State`` nor ``gr.render``."""
    holder = _NoSessions()  # type: ignore[no-untyped-call]
    holder.set_blocks(page)
    page.server_app.state_holder = holder


class _NoSession(SessionState):
    """The components as they were built, whatever a call brings or shows."""

    def __setitem__(self, key: int, value: Any) -> None:
        pass

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class _NoSessions(StateHolder):
    """One for all of them, of which none is in here."""

    def set_blocks(self, blocks: gr.Blocks) -> None:
        super().set_blocks(blocks)
        self._nobody = _NoSession(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        return self._nobody

    def __contains__(self, session_id: str) -> bool:
        return False
