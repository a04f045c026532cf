"""The commands that speak with the Hugging Face Hub: push and pull."""

import argparse
import sys
from pathlib import Path

from ..checkpoints.hub_files import REPOSITORY, listing

# Where the small files of finished runs lie in a checkout; an installed package has none.
_PUBLISHED = Path(__file__).parents[2] / "dashboard" / "published"
_TOKEN = "The token is the one of `hf auth login`, or HF_TOKEN."


def add_push(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command push."""
    push = commands.add_parser(
        "push",
        # --dry-run takes the next word for DIR, so the names come first.
        usage="%(prog)s FOLDER OWNER/NAME [--dry-run [DIR]] [--private] [--pr] [--tag TAG] [--run RUN] [--force]",
        help="upload a trained model to the Hugging Face Hub, with a card made from it",
        description="Upload a finished run, or a model folder, to the Hugging Face Hub in one commit: weights, config, "
        f"figures, confusion, and a model card made from them. {_TOKEN}",
        epilog="exit codes: 0 all went well, 1 something failed, 2 wrong arguments",
    )
    push.add_argument("folder", type=Path, metavar="FOLDER", help="a results folder or a model folder")
    push.add_argument("repository", type=_repository, metavar="OWNER/NAME", help="made if it does not exist")
    push.add_argument(
        "--private", action="store_true", help="make a private repository; one that exists must be private already"
    )
    push.add_argument("--pr", action="store_true", help="open a pull request instead of committing")
    push.add_argument("--tag", help="give the commit this name, which must be new: v1")
    push.add_argument(
        "--run",
        type=Path,
        dest="of_run",
        metavar="RUN",
        help="of a model folder, the results folder whose predictions its figures are checked with (default: the run "
        "that it names, where that is among the published ones)",
    )
    push.add_argument(
        "--dry-run",
        nargs="?",
        type=Path,
        const=True,
        metavar="DIR",
        help="no network is used: print the card and what would be uploaded, or write all but the weights to DIR",
    )
    push.add_argument(
        "--force", action="store_true", help="also an unfinished run or uncommitted code; the card says so"
    )
    push.set_defaults(run=_push, parser=push)


def add_pull(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command pull."""
    pull = commands.add_parser(
        "pull",
        help="download a model from the Hugging Face Hub into a folder",
        description="Download config.json, model.safetensors and the card of a model into a folder of their own; they "
        f"are checked and loaded first. {_TOKEN}",
        epilog="exit codes: 0 all went well, 1 something failed, 2 wrong arguments",
    )
    pull.add_argument("repository", type=_repository, metavar="OWNER/NAME")
    pull.add_argument("folder", type=Path, metavar="OUT", help="new, empty, or from an earlier pull")
    pull.add_argument("--revision", help="branch, tag or commit (default: the newest on the main branch)")
    pull.set_defaults(run=_pull)


def _repository(text: str) -> str:
    if not REPOSITORY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected owner/name, got {text!r}")
    return text


def _push(arguments: argparse.Namespace) -> int:
    if arguments.pr and arguments.tag:
        arguments.parser.error("--tag names a commit, and --pr only proposes one; tag it when it is merged")
    from ..checkpoints import hub
    from .publication import OF_A_RUN, prepare, write

    _say(f"checking {arguments.folder}")
    publication = prepare(
        arguments.folder,
        arguments.repository,
        page=hub.page(arguments.repository),
        tag=arguments.tag,
        force=arguments.force,
        run=arguments.of_run or _published(arguments.folder),
    )
    _say(listing(publication.sizes, arguments.repository))
    if arguments.dry_run is True:
        print(publication.card)
        return 0
    if arguments.dry_run is not None:
        for file in write(publication, arguments.dry_run):
            print(file)
        return 0
    done = hub.upload(
        publication.files,
        arguments.repository,
        message=f"Upload {arguments.folder.resolve().name} with resemotenet",
        private=arguments.private,
        pull_request=arguments.pr,
        tag=arguments.tag,
        obsolete=lambda name: name in OF_A_RUN,
    )
    if arguments.pr:
        print(done.pull_request or "no pull request was opened, because nothing would change")
        return 0
    print(hub.page(arguments.repository))
    print(f'EmotionPredictor.from_pretrained("{arguments.repository}", revision="{done.revision}")')
    return 0


def _published(folder: Path) -> Path | None:
    """The published run that a model folder names; None where there is none, or no model folder."""
    from ..checkpoints.checkpoint import WEIGHTS_FILE, read_info

    if not (folder / WEIGHTS_FILE).is_file():
        return None
    named = read_info(folder).training.get("run")
    published = {each.name: each for each in _PUBLISHED.glob("*/")}
    return published.get(named) if isinstance(named, str) else None


def _pull(arguments: argparse.Namespace) -> int:
    from ..checkpoints.pretrained import pull

    source = pull(arguments.repository, arguments.folder, arguments.revision)
    _say(f"{source.name} at {source.revision}")
    print(source.folder)
    return 0


def _say(message: str) -> None:
    print(message, file=sys.stderr)
