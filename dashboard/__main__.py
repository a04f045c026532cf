"""``python -m dashboard``: serve the pages on this machine."""

import sys
from collections.abc import Sequence
from pathlib import Path

from .options import OptionsError, read_options

APP = Path(__file__).with_name("served.py")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the paths and serve the pages until interrupted; returns the exit code."""
    try:
        options = read_options(sys.argv[1:] if arguments is None else arguments)
    except OptionsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    flags = [
        "--server.headless=true",
        f"--server.address={options.host}",
        "--server.fileWatcherType=none",  # the code does not change while it is used
        "--browser.gatherUsageStats=false",
    ]
    if options.port is not None:
        flags.append(f"--server.port={options.port}")

    from streamlit.web.cli import main as streamlit

    streamlit(["run", str(APP), *flags, "--", *options.to_arguments()], standalone_mode=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
