"""``python -m demo``: serve the page on this machine."""

import argparse
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, NoReturn

from resemotenet.cli import print_any_name
from resemotenet.errors import ResEmoteNetError

if TYPE_CHECKING:
    from types import FrameType

    from .handlers import Reader

_FOLDER = "resemotenet-page-"  # how the names of temporary folders begin
_SETTLED = 60  # seconds, until which a folder may be of a server that starts and does not hold it yet
_PATIENCE = 4.0  # seconds from SIGTERM to the end, if the server has not ended by itself


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the model and serve the page until interrupted; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.revision and not options.model:
        parser.error("--revision needs --model owner/name: the bundled model has no revisions")
    no_telemetry()

    def load() -> "Reader":
        from resemotenet import EmotionPredictor

        return EmotionPredictor.from_pretrained(options.model, revision=options.revision)

    return start(load, port=options.port, open_browser=options.open)


def no_telemetry() -> None:
    """Before Gradio and the Hub's client are imported: they read this once."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


def start(
    load: "Callable[[], Reader]",
    *,
    at_once: int = 1,
    port: int | None = None,
    open_browser: bool = False,
) -> int:
    """Serve the page until interrupted; returns the exit code: 1 after one plain line where it cannot be, 130 where it
    was interrupted before the page was there.

    Args:
        load: gives what the page reads with.
        at_once, port, open_browser: as ``app.serve`` takes them.
    """
    print_any_name()
    # Ended as by Ctrl-C, it takes its temporary files with it.
    _at_end(signal.default_int_handler)
    try:
        port = _checked(port)
        from . import app
        from .uploads import Uploads

        reader = load()
    except KeyboardInterrupt:
        return 130
    except (ResEmoteNetError, OSError, ValueError) as error:  # ValueError: a revision of something that has none
        return _failed(error)
    try:
        with _own_folder() as folder:
            _at_end(partial(_stop, folder))
            app.serve(reader, Uploads(folder), at_once=at_once, port=port, open_browser=open_browser)
    except KeyboardInterrupt:
        return 130
    except (OSError, ValueError) as error:  # the folder cannot be made; a setting means nothing
        return _failed(error)
    sys.stdout.flush()
    sys.stderr.flush()
    _leave(0)


def _at_end(handler: "Callable[[int, FrameType | None], None] | signal.Handlers") -> None:
    """What happens when a host stops the server, or its terminal is closed, unless it is to outlive that (nohup)."""
    signal.signal(signal.SIGTERM, handler)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)


def _stop(folder: Path, number: int, frame: "FrameType | None") -> None:
    """Ends a server with this temporary folder: as Ctrl-C, but in time, before its host kills it."""
    _at_end(signal.SIG_IGN)  # a second signal would break off the end

    def give_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        _leave(130)

    logging.getLogger("uvicorn.error").disabled = True  # every visitor who is cut off would be a traceback
    late = threading.Timer(_PATIENCE, give_up)
    late.daemon = True
    late.start()
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """Ends without Python's own way, which would wait for every picture that is being read, for nobody."""
    for child in multiprocessing.active_children():  # ZeroGPU forks one, which would stay
        child.kill()
    os._exit(code)


def _checked(port: int | None) -> int | None:
    """The port to listen on, None for the first free one; one that was named and cannot be had is an error."""
    if port is None:
        named = os.environ.get("GRADIO_SERVER_PORT", "")
        if not named:
            return None
        if not (named.isascii() and named.isdigit()):
            raise ValueError(f"GRADIO_SERVER_PORT must be a number from 1 to 65535, got {named!r}")
        port = int(named[:9])
    if not 1 <= port <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, got {port}")
    name = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(name.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"cannot listen on port {port} of {name}: {why}. Choose another with --port.") from None
    return port


def _failed(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 1


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A temporary folder for Gradio that no other server shares, gone when this one stops."""
    parent = os.environ.get("GRADIO_TEMP_DIR")
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    _clear_left(Path(parent or gettempdir()))
    # Uploads may still come in while it goes.
    with TemporaryDirectory(prefix=_FOLDER, dir=parent, ignore_cleanup_errors=True) as name:
        os.environ["GRADIO_TEMP_DIR"] = name
        held = _hold(Path(name))
        try:
            yield Path(name)
        finally:
            if held is not None:
                os.close(held)


def _hold(folder: Path) -> int | None:
    """Marks a folder as in use for as long as this process lives; None where it is, or where that cannot be known."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        held = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # of another user
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _clear_left(parent: Path) -> None:
    """Deletes what servers left that were killed, with the uploads in it."""
    for folder in parent.glob(f"{_FOLDER}*"):
        with suppress(FileNotFoundError):  # its server has ended just now
            if time.time() - folder.lstat().st_mtime > _SETTLED and (held := _hold(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(held)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Serve the page that reads emotions on faces.")
    parser.add_argument(
        "--model",
        metavar="SOURCE",
        default=os.environ.get("RESEMOTENET_MODEL") or None,
        help="a model folder, or owner/name on the Hub (default: RESEMOTENET_MODEL, else the bundled model)",
    )
    parser.add_argument("--revision", help="branch, tag or commit of owner/name (default: what is newest there)")
    parser.add_argument(
        "--port", type=int, help="port to listen on (default: GRADIO_SERVER_PORT, else the first free one from 7860)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())
