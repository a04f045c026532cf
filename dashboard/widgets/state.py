"""Widgets whose value stands in the page's address, so that a view can be sent to a colleague as a link.

The address wins when it was typed, sent, or gone back to; after that the widget does, and the address follows it. A
value that equals its default is left out of the address. Coming back to a page finds its widgets as they were left.
What an address names that is not there is said once beside the widget, and the rest of it still holds.

Keys are the names in the address: short words, and the same word on two pages is one choice on both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

_KEPT = "_kept"  # in the session: key -> _Kept

Kind = Literal["list", "buttons", "pills"]


@dataclass(frozen=True)
class _Kept:
    """What a session knows of one widget after a run of the page.

    Attributes:
        address: what the address held then; None if nothing. A difference means that it was changed from outside.
        value: the widget's value.
        unknown: what the address named that is not among the options.
    """

    address: tuple[str, ...] | None
    value: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def one(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: str | None = None,
    text: Callable[[str], str] = str,
    kind: Kind = "list",
    what: str = "choice",
    help: str | None = None,
    label_visibility: Literal["visible", "hidden", "collapsed"] = "visible",
) -> str | None:
    """Choose one of ``options``; None only where there are none.

    Args:
        default: the first option unless given.
        text: how an option is shown; the address holds the option itself.
        kind: a drop-down list, or buttons beside each other.
        what: what to call an option that is not there, in the message about it.
    """
    if not options:
        return None
    usual = default if default is not None and default in options else options[0]
    value = _begin(key, options, (usual,), single=True)
    st.session_state[key] = value[0] if value else usual
    if kind == "list":
        found: str | None = st.selectbox(
            label, options, key=key, format_func=text, help=help, label_visibility=label_visibility
        )
    else:
        draw = st.pills if kind == "pills" else st.segmented_control
        found = draw(
            label, options, key=key, format_func=text, required=True, help=help, label_visibility=label_visibility
        )
    chosen = found if found is not None and found in options else usual
    _end(key, (chosen,), (usual,), what)
    return chosen


def several(
    label: str,
    options: Sequence[str],
    *,
    key: str,
    default: Sequence[str] = (),
    text: Callable[[str], str] = str,
    what: str = "choice",
    placeholder: str | None = None,
    most: int | None = None,
    help: str | None = None,
) -> list[str]:
    """Choose any number of ``options``, at most ``most``; in the order in which they were chosen."""
    usual = tuple(option for option in default if option in options)[:most]
    value = _begin(key, options, usual)
    st.session_state[key] = list(value[:most])
    chosen = st.multiselect(
        label, options, key=key, format_func=text, placeholder=placeholder, max_selections=most, help=help
    )
    _end(key, tuple(chosen), usual, what)
    return list(chosen)


def switch(label: str, *, key: str, default: bool = False, help: str | None = None) -> bool:
    """A switch; "on" or "off" in the address."""
    usual = ("on" if default else "off",)
    value = _begin(key, ("on", "off"), usual, single=True)
    st.session_state[key] = value[:1] == ("on",)
    chosen = st.toggle(label, key=key, help=help)
    _end(key, ("on" if chosen else "off",), usual, "setting")
    return chosen


def search(label: str, *, key: str, placeholder: str | None = None, help: str | None = None) -> str:
    """Free text, without white space at its ends."""
    value = _begin(key, None, ())
    st.session_state[key] = " ".join(value)
    words = (st.text_input(label, key=key, placeholder=placeholder, help=help) or "").strip()
    _end(key, (words,) if words else (), (), "text")
    return words


def tab(names: Sequence[str], *, key: str) -> str:
    """Buttons that part a page; only the part chosen is computed."""
    what = "part of this page"
    chosen = one(what, names, key=key, kind="buttons", what=what, label_visibility="collapsed")
    return chosen or names[0]


def _begin(
    key: str, options: Sequence[str] | None, default: tuple[str, ...], *, single: bool = False
) -> tuple[str, ...]:
    """The value that the widget is to start this run with; without ``options`` anything goes."""
    kept: dict[str, _Kept] = st.session_state.setdefault(_KEPT, {})
    known = kept.get(key)
    address = _address(key)
    unknown: tuple[str, ...] = ()
    if key not in st.session_state:  # the session is new, or comes from another page
        wanted = address if address is not None else known.value if known else default
    elif known and address != known.address:
        wanted = address if address is not None else default
    else:
        wanted, unknown = _widget_value(key), known.unknown if known else ()
        if known and wanted != known.value:
            unknown = ()
    if options is None:
        fitting = tuple(wanted)
    else:
        fitting = tuple(dict.fromkeys(value for value in wanted if value in options))
        unknown = (*unknown, *(value for value in wanted if value not in options and value not in unknown))
    if unknown and not fitting:
        fitting = default
    fitting = fitting[:1] if single else fitting
    kept[key] = _Kept(address, fitting, unknown)
    return fitting


def _end(key: str, value: tuple[str, ...], default: tuple[str, ...], what: str) -> None:
    """Let the address follow the widget, and say what it named that is not there."""
    kept: dict[str, _Kept] = st.session_state[_KEPT]
    before = kept[key]
    unknown = before.unknown if value == before.value else ()
    if unknown:
        names = ", ".join(f"“{name}”" for name in unknown[:5]) + (" …" if len(unknown) > 5 else "")
        st.caption(f":material/link_off: This link names a {what} that is not here: {names}.")
    else:
        wanted = None if value == default else value or ("",)
        if wanted != _address(key, blank=True):
            if wanted is None:
                del st.query_params[key]
            else:
                st.query_params[key] = list(wanted)
    kept[key] = _Kept(_address(key), value, unknown)


def _address(key: str, *, blank: bool = False) -> tuple[str, ...] | None:
    """What the address says of ``key``; "key=" is a choice of nothing."""
    if key not in st.query_params:
        return None
    values = tuple(st.query_params.get_all(key))
    return values if blank else tuple(value for value in values if value)


def _widget_value(key: str) -> tuple[str, ...]:
    value = st.session_state[key]
    if isinstance(value, bool):
        return ("on" if value else "off",)
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value or ())
