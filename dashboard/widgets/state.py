"""Widgets whose value stands in the page's address, so that a view can be sent to a colleague as a link.

The address wins when it was typed, sent, or gone back to; after that the widget does, and the address follows it. A
default that tomorrow's runs may change stands in the address too, so that a link names what it showed; only a fixed
default is left out. Coming back to a page finds its widgets as they were left. What a link names that is not there is
said beside the widget, and the rest of it still holds.

Keys are the names in the address: short words, and the same word on two pages is one choice on both. A choice that
another page does not have is kept for the page that has it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import streamlit as st

_KEPT = "_kept"  # in the session: key -> _Kept
_LATER = "_later"  # in the session, while a page is drawn: key -> what its address is to hold

_LISTS = "_lists"  # in the session: key of a page number -> the list that it is a page of
_USUAL = "_usual"  # in the session: key -> what its default hangs on, and the default

Kind = Literal["list", "buttons", "pills"]


@dataclass(frozen=True)
class _Kept:
    """What a session knows of one widget after a run of the page.

    Attributes:
        address: what the address held then; None if nothing. A difference means that it was changed from outside.
        value: the widget's value.
        unknown: what a link named that is not among the options.
        wish: what was last chosen, though this page may not have it.
    """

    address: tuple[str, ...] | None
    value: tuple[str, ...]
    unknown: tuple[str, ...]
    wish: tuple[str, ...]


@contextmanager
def one_address() -> Iterator[None]:
    """Write the address once, after the page: each writing is a step that the browser's back button takes."""
    st.session_state[_LATER] = {}
    try:
        yield
    finally:
        later: dict[str, tuple[str, ...] | None] = st.session_state.pop(_LATER)
        if later:
            whole = {name: st.query_params.get_all(name) for name in st.query_params} | later
            st.query_params.from_dict({name: list(values) for name, values in whole.items() if values is not None})


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
    fixed: bool = False,
) -> str | None:
    """Choose one of ``options``; None only where there are none.

    Args:
        default: the first option unless given.
        text: how an option is shown; the address holds the option itself.
        kind: a drop-down list, or buttons beside each other.
        what: what to call an option that is not there, in the message about it.
        fixed: whether the default is the same whatever runs there are; then the address need not hold it.
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
    _end(key, (chosen,), (usual,) if fixed else None, what)
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
    fixed: bool = False,
    of: str = "",
) -> list[str]:
    """Choose any number of ``options``, at most ``most``; in the order in which they were chosen. See ``one``.

    Args:
        of: names what the default hangs on. When that changes, what nobody chose makes way for the new default.
    """
    usual = tuple(option for option in default if option in options)[:most]
    _follow_default(key, of, usual)
    value = _begin(key, options, usual)
    st.session_state[key] = list(value[:most])
    chosen = st.multiselect(
        label, options, key=key, format_func=text, placeholder=placeholder, max_selections=most, help=help
    )
    _end(key, tuple(chosen), usual if fixed else None, what)
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
    chosen = one(what, names, key=key, kind="buttons", what=what, label_visibility="collapsed", fixed=True)
    return chosen or names[0]


def page(count: int, *, of: str, key: str = "page") -> int:
    """Choose one of ``count`` pages of a list, from 1; the first is left out of the address.

    Args:
        of: names the list. Another list begins at its first page, unless a link names another one.
    """
    kept: dict[str, _Kept] = st.session_state.setdefault(_KEPT, {})
    lists: dict[str, str] = st.session_state.setdefault(_LISTS, {})
    if count < 2:
        kept.pop(key, None)
        if _address(key) is not None:
            _write(key, None)
        return 1
    if lists.get(key, of) != of:
        if key not in st.session_state:
            kept.pop(key, None)
        elif key in kept and kept[key].address == _address(key):
            st.session_state[key] = 1
    lists[key] = of
    value = _begin(key, [str(number) for number in range(1, count + 1)], ("1",), single=True)
    st.session_state[key] = int(value[0])
    chosen = st.pagination(count, key=key)
    _end(key, (str(chosen),), ("1",), "page of the list")
    return chosen


def _follow_default(key: str, of: str, usual: tuple[str, ...]) -> None:
    """Bring a widget that stands at its default to the new one, if what the default hangs on has changed."""
    kept: dict[str, _Kept] = st.session_state.setdefault(_KEPT, {})
    defaults: dict[str, tuple[str, tuple[str, ...]]] = st.session_state.setdefault(_USUAL, {})
    known, (before, old) = kept.get(key), defaults.get(key, (of, usual))
    defaults[key] = (of, usual)
    if known is None or before == of:
        return
    if key not in st.session_state:  # it changed while another page was open
        if known.wish == old:
            del kept[key]
    elif _widget_value(key) == old and _address(key) == known.address:
        st.session_state[key] = list(usual)


def _begin(
    key: str, options: Sequence[str] | None, default: tuple[str, ...], *, single: bool = False
) -> tuple[str, ...]:
    """The value that the widget is to start this run with; without ``options`` anything goes."""
    kept: dict[str, _Kept] = st.session_state.setdefault(_KEPT, {})
    known, address = kept.get(key), _address(key)
    unknown: tuple[str, ...] = ()
    followed = False
    if key in st.session_state and (known is None or address == known.address):
        wanted = wish = _widget_value(key)
        if known is not None and wanted == known.value:
            wish, unknown = known.wish, known.unknown
    elif address is not None:
        wanted, followed = address, True
        wish = wanted
    else:  # the session is new, or comes from another page; or a link without this key was followed
        wanted = wish = known.wish if known is not None and key not in st.session_state else default
    fitting = tuple(dict.fromkeys(value for value in wanted if options is None or value in options))
    if followed and options is not None:
        unknown = tuple(value for value in wanted if value not in options)
    if wanted and not fitting:
        fitting = default
    fitting = fitting[:1] if single else fitting
    kept[key] = _Kept(address, fitting, unknown, wish)
    return fitting


def _end(key: str, value: tuple[str, ...], unwritten: tuple[str, ...] | None, what: str) -> None:
    """Let the address follow the widget, and say what a link named that is not there.

    Args:
        unwritten: the value that leaves the address without this key; None if every value is written.
    """
    kept: dict[str, _Kept] = st.session_state[_KEPT]
    before = kept[key]
    unknown, wish = (before.unknown, before.wish) if value == before.value else ((), value)
    if unknown:
        names = ", ".join(f"“{name}”" for name in unknown[:5]) + (" …" if len(unknown) > 5 else "")
        article = "an" if what[0] in "aeiou" else "a"
        st.caption(f":material/link_off: This link names {article} {what} that is not here: {names}.")
    else:
        wanted = None if value == unwritten else value or ("",)
        if wanted != _address(key, blank=True):
            _write(key, wanted)
    kept[key] = _Kept(_address(key), value, unknown, wish)


def _write(key: str, values: tuple[str, ...] | None) -> None:
    if _LATER in st.session_state:
        st.session_state[_LATER][key] = values
    elif values is None:
        del st.query_params[key]
    else:
        st.query_params[key] = list(values)


def _address(key: str, *, blank: bool = False) -> tuple[str, ...] | None:
    """What the address says of ``key``, or is to say; "key=" is a choice of nothing."""
    later: dict[str, tuple[str, ...] | None] = st.session_state.get(_LATER, {})
    written = tuple(st.query_params.get_all(key)) if key in st.query_params else None
    values = later.get(key, written)
    return values if blank or values is None else tuple(value for value in values if value)


def _widget_value(key: str) -> tuple[str, ...]:
    value = st.session_state[key]
    if isinstance(value, bool):
        return ("on" if value else "off",)
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value or ())
