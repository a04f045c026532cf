"""Links from one page to another, with what the other page is to show; each is an address that can be copied."""

import streamlit as st


def link(view: str, label: str, *, icon: str, **address: str | list[str]) -> None:
    """A link to a page of the dashboard.

    Args:
        view: its module in ``dashboard/views``.
        icon: a Material symbol.
        address: the keys of its widgets, and what they are to hold.
    """
    # Streamlit knows a page by its path alone.
    page = st.Page(_nothing, url_path=view, title=label)
    st.page_link(page, label=label, icon=f":material/{icon}:", query_params=address)


def _nothing() -> None:
    pass
