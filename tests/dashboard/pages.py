"""One page of the dashboard in Streamlit's own test harness, without a browser."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from streamlit.testing.v1 import AppTest

PATIENCE = 60


def open_page(view: str, folders: Sequence[Path], data: Path | None = None, **address: str) -> AppTest:
    """Open ``dashboard/views/<view>.py`` over these folders; the address holds the rest."""
    test = AppTest.from_function(
        _page,
        default_timeout=PATIENCE,
        kwargs={"view": view, "folders": [str(folder) for folder in folders], "data": data and str(data)},
    )
    for name, value in address.items():
        test.query_params[name] = value
    return test.run()


def _page(view: str, folders: list[str], data: str | None) -> None:
    from importlib import import_module
    from pathlib import Path

    from dashboard.data import scan
    from dashboard.data.pictures import Pictures

    runs = scan([Path(folder) for folder in folders])
    import_module(f"dashboard.views.{view}").show(runs, Pictures(Path(data)) if data else None)


def texts(test: AppTest) -> str:
    """Everything that the page says in words."""
    parts: list[Any] = [
        *test.title, *test.header, *test.subheader, *test.markdown, *test.caption, *test.info, *test.warning,
        *test.error, *test.code,
    ]  # fmt: skip
    return "\n".join(str(each.value) for each in parts)


def html(test: AppTest) -> str:
    """All raw HTML of the page."""
    return "\n".join(each.proto.body for each in test.get("html"))


def figures(test: AppTest) -> list[dict[str, Any]]:
    """The Plotly figures of the page, as plain dicts."""
    return [json.loads(each.proto.spec) for each in test.get("plotly_chart")]


def numbers(values: Any) -> np.ndarray:
    """The numbers of a trace, which Plotly may have packed."""
    if not isinstance(values, dict):
        return np.array(values, float)
    packed = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    shape = values.get("shape")
    return packed.reshape([int(side) for side in shape.split(",")]) if shape else packed


def links(test: AppTest) -> dict[str, str]:
    """Where the page's links to other pages lead: label -> "run?run=NAME"."""
    found = {}
    for each in test.get("page_link"):
        link = each.proto
        found[link.label] = f"{link.page}?{unquote(link.query_string)}" if link.query_string else link.page
    return found


def sound(test: AppTest) -> AppTest:
    """The page came to its end without an exception."""
    assert not test.exception, [each.value for each in test.exception]
    return test
