"""The named endpoints as tools of the Model Context Protocol, for models that call them.

Gradio's own server of tools would fetch what an argument names, write what it brings into a folder for good, and call
the page through a client of its own, so that all callers would have one address and one share. Here a tool is called
where it is, for the caller's own address, and a file is its content, or was uploaded before.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from typing import Any

import gradio as gr
from gradio import mcp

from . import guard
from .endpoints import MOST
from .shares import address_of
from .uploads import Uploads

_FILE = (
    "The content of the file as a data URI (data:{kind};base64,...) of at most "
    f"{guard.MAX_BYTES // 1_000_000} MB, or the path that a POST of the file to /gradio_api/upload has answered. "
    "Addresses on the web are not fetched."
)
_PICTURE, _VIDEO = _FILE.format(kind="image/jpeg"), _FILE.format(kind="video/mp4")
_FACES = (
    'Each of "faces", the largest first, has "box" in pixels (x1, y1, x2, y2), "label", "confidence", "probabilities" '
    'of angry, disgust, fear, happy, neutral, sad and surprise, and "not_sure", the two emotions that are too close to '
    "tell, or null. It is what people would call the expression, not what a person feels."
)
# Tool -> what it does, its one argument, and the argument's schema.
TOOLS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "predict": (
        f"Find the faces of one picture and read an emotion from each. {_FACES}",
        "image",
        {"type": "string", "description": _PICTURE},
    ),
    "predict_many": (
        f'The same for a list of pictures, in their order; one that cannot be read has a sentence as its "problem". '
        f"{_FACES}",
        "images",
        {"type": "array", "maxItems": MOST, "items": {"type": "string", "description": _PICTURE}},
    ),
    "video": (
        f"Read the faces of a video of at most {guard.MAX_FILM_SECONDS // 60} minutes, and sum up each person: "
        '"seconds" in sight, "shares" of that time in which each emotion is the largest, the "median" probability of '
        'each, and "course": from when to when, in seconds, which emotion is the largest. People are told apart by '
        "where they are; who is away for more than three seconds comes back as somebody new. Takes about a quarter of "
        "the video's length.",
        "video",
        {"type": "string", "description": _VIDEO},
    ),
}


def installed() -> bool:
    """Whether there can be tools at all."""
    return find_spec("mcp") is not None


@contextmanager
def offered(uploads: Uploads) -> Iterator[None]:
    """While a page is launched, Gradio's server of tools is ours: it must not be Gradio's for a moment."""
    own = mcp.GradioMCPServer
    mcp.GradioMCPServer = partial(Tools, uploads)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        mcp.GradioMCPServer = own  # type: ignore[misc]


class Tools(mcp.GradioMCPServer):
    """Gradio's server, with other words and ways for files.

    Args:
        uploads: where files come from.
    """

    def __init__(self, uploads: Uploads, blocks: gr.Blocks) -> None:
        self._uploads = uploads
        super().__init__(blocks)

    def get_block_fn_from_endpoint_name(self, endpoint_name: str) -> Any:
        """Not queued: Gradio calls such a function itself."""
        found = super().get_block_fn_from_endpoint_name(endpoint_name)
        if found is not None:
            found = copy.copy(found)
            found.queue = False
        return found

    def get_fn_description(self, block_fn: Any, tool_name: str) -> tuple[str, dict[str, str]]:
        return TOOLS[self._endpoint(tool_name)][0], {}

    def get_input_schema(
        self, tool_name: str, parameters: dict[str, str] | None = None
    ) -> tuple[dict[str, Any], list[list[str | int]]]:
        _, name, schema = TOOLS[self._endpoint(tool_name)]
        return {"type": "object", "properties": {name: schema}, "required": [name]}, []

    def convert_strings_to_filedata(self, value: Any, filedata_positions: Sequence[Any]) -> Any:
        """The arguments of a call, as the endpoints take them."""
        return {name: self._files(given) for name, given in value.items()}

    def postprocess_output_data(self, data: Any, root_url: str) -> list[Any]:
        """JSON; of a video what a model can take in."""
        told = [getattr(each, "root", each) for each in data]  # Gradio's wrapper of JSON
        return [self.types.TextContent(type="text", text=json.dumps(brief(each))) for each in told]

    def _endpoint(self, tool_name: str) -> str:
        return self.tool_to_endpoint[tool_name].lstrip("/")

    def _files(self, given: Any) -> Any:
        if isinstance(given, list):
            return [self._files(each) for each in given]
        path = str(given)
        if path.startswith("data:"):
            caller: Any = self.mcp_server.request_context.request
            path = self._uploads.bring(guard.decode_data_uri(path), address_of(caller.client))
        self._uploads.check(path)
        return {"path": path, "meta": {"_type": "gradio.FileData"}}


def brief(report: Any) -> Any:
    """The report of a video without its moments, and with the course of each person in few words."""
    if not (isinstance(report, dict) and "timeline" in report):
        return report
    people = [
        {name: person[name] for name in ("person", "seconds", "shares", "median")} | {"course": course(person)}
        for person in report["timeline"]["people"]
    ]
    kept = {name: report[name] for name in ("schema", "model", "image", "duration", "problem")}
    return {**kept, "people": people}


def course(person: Mapping[str, Any]) -> list[dict[str, Any]]:
    """[{"from", "to", "label"}] of one of a timeline's people: stretches of readings with the same largest emotion."""
    columns = person["probabilities"]
    largest = [max(zip(values, columns, strict=True))[1] for values in zip(*columns.values(), strict=True)]
    told = []
    for label, group in groupby(zip(person["times"], largest, strict=True), key=lambda each: each[1]):
        times = [time for time, _ in group]
        told.append({"from": times[0], "to": times[-1], "label": label})
    return told
