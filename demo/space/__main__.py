"""``python -m demo.space OUT``: put a Space together, and with ``--push owner/name`` upload it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from resemotenet.checkpoints.hub_files import listing
from resemotenet.errors import ResEmoteNetError

from .assemble import assemble, has_mark, pin
from .static import assemble_static

_BLANK = {".gitattributes", "README.md"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Assemble, perhaps upload; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.revision and not options.model:
        parser.error("--revision needs --model owner/name: the bundled weights have no revisions")
    try:
        model = pin(options.model, options.revision) if options.model else None
        out = (assemble_static if options.static else assemble)(options.out, model)
        weights = "the bundled weights" if model is None else f"the weights of {model.name} at {model.revision}"
        print(f"{out}: a{' static' if options.static else ''} Space with {weights}")
        if options.push:
            _push(out, options.push, private=options.private, force=options.force)
    except (ResEmoteNetError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _push(folder: Path, space: str, *, private: bool, force: bool) -> None:
    """Upload the folder, and say first what goes and where; prints the Space's page.

    Raises:
        ResEmoteNetError: the Space holds what was not made here, or the Hub refuses.
    """
    from resemotenet.checkpoints import hub

    sizes = {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }
    print(listing(sizes, f"the Space {space}"), file=sys.stderr)
    there = hub.look_at_space(space)
    # What the Hub itself puts into a new one is nobody's work.
    if there is not None and set(there.names) - _BLANK and not has_mark(there.card) and not force:
        raise ResEmoteNetError(
            f"the Space {space} holds {len(there.names)} files, and its card does not say that they were made here; "
            "they would all be replaced. Name another Space, or add --force"
        )
    hub.upload_space(folder, space, private=private)
    print(hub.page(space, "space"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.space", description="Put together the files of a Hugging Face Space that serves the page."
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write; one written before is replaced")
    parser.add_argument("--model", metavar="NAME", help="weights: owner/name (default: the bundled ones travel along)")
    parser.add_argument("--revision", help="branch, tag or commit of owner/name; its commit is pinned")
    parser.add_argument(
        "--static", action="store_true", help="files alone, for any web server: pictures are read in visitors' browsers"
    )
    parser.add_argument("--push", metavar="SPACE", help="upload to the Space owner/name; it is made if there is none")
    parser.add_argument("--force", action="store_true", help="replace also a Space that was not made with this command")
    parser.add_argument("--private", action="store_true", help="where the Space is made now, make it private")
    return parser


if __name__ == "__main__":
    sys.exit(main())
