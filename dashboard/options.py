"""What can be said when the dashboard is started; the same for ``python -m dashboard`` and ``streamlit run``."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .data import default_folders, folder_problem


class OptionsError(ValueError):
    """One line that says what is wrong with the command line or an environment variable."""


@dataclass(frozen=True)
class Options:
    """Where to look.

    Attributes:
        folders: the published runs first, then --results and RESEMOTENET_RESULTS.
        data: a copy of FER2013, --data or RESEMOTENET_DATA; None without one.
        host, port: where to serve; only ``python -m dashboard`` looks at them.
    """

    folders: tuple[Path, ...]
    data: Path | None
    host: str = "127.0.0.1"
    port: int | None = None

    def to_arguments(self) -> list[str]:
        """What tells another process the same folders; the environment is its own affair."""
        data = [] if self.data is None else ["--data", str(self.data)]
        return [word for folder in self.folders[1:] for word in ("--results", str(folder))] + data


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # Inside Streamlit there is no process to end.
        raise OptionsError(message)


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line, then the environment.

    Raises:
        OptionsError: an argument that does not exist, a port out of range, or a path that is not there.
    """
    given = _parser().parse_args(arguments)
    folders = default_folders(given.results)
    for folder in folders:
        if problem := folder_problem(folder):
            raise OptionsError(f"{problem} Folders are named by --results and RESEMOTENET_RESULTS.")
    data = given.data or os.environ.get("RESEMOTENET_DATA")
    if data and not Path(data).expanduser().exists():
        raise OptionsError(f"There is no {data}; check the path given with --data or RESEMOTENET_DATA.")
    if given.port is not None and not 1 <= given.port <= 65535:
        raise OptionsError(f"a port is a number from 1 to 65535, got {given.port}")
    return Options(folders, Path(data).expanduser().absolute() if data else None, given.host, given.port)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m dashboard",
        description="Compare trained runs in the browser. Opens with the published results of this repository.",
    )
    parser.add_argument(
        "--results",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder with runs, or one run; may be given several times (RESEMOTENET_RESULTS names one more)",
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="FER2013, to see the faces behind the numbers (default: RESEMOTENET_DATA, else no faces)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 opens it to the network (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, help="port to listen on (default: 8501, or the next free one)")
    return parser
