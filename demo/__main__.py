"""``python -m demo``: serve the page on this machine."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from resemotenet.errors import ResEmoteNetError


def main(arguments: Sequence[str] | None = None) -> int:
    """Load the model and serve the page until interrupted; returns the exit code."""
    options = _parser().parse_args(arguments)
    # Read by the libraries when they are imported.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    from resemotenet import EmotionPredictor

    from . import app
    from .uploads import Uploads

    # Hosts stop a server with SIGTERM; ended as by Ctrl-C, it takes its temporary files with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        predictor = EmotionPredictor.from_pretrained(options.model)
        with _own_folder() as folder:
            app.serve(predictor, Uploads(folder), port=options.port, open_browser=options.open)
    except (ResEmoteNetError, OSError) as error:  # OSError: the port is taken
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A temporary folder for Gradio that no other server shares, gone when this one stops."""
    parent = os.environ.get("GRADIO_TEMP_DIR")
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="resemotenet-", dir=parent) as name:
        os.environ["GRADIO_TEMP_DIR"] = name
        yield Path(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Serve the page that reads emotions on faces.")
    parser.add_argument(
        "--model",
        metavar="SOURCE",
        default=os.environ.get("RESEMOTENET_MODEL") or None,
        help="a model folder, or owner/name on the Hub (default: RESEMOTENET_MODEL, else the bundled model)",
    )
    parser.add_argument(
        "--port", type=int, help="port to listen on (default: GRADIO_SERVER_PORT, else the first free one from 7860)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser


if __name__ == "__main__":
    sys.exit(main())
