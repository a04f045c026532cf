"""The command line: ``python -m resemotenet predict photo.jpg``, ``python -m resemotenet convert model.pth out/``.

Nothing heavy is imported before a command runs, so that --help and wrong arguments are answered at once.
"""

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ImageError, ResEmoteNetError
from .publishing.commands import add_pull, add_push
from .publishing.export_commands import add_calibrate, add_export

if TYPE_CHECKING:
    from .reading.predictor import EmotionPredictor
    from .reading.reading import Reading

EXIT_CODES = "exit codes: 0 all went well, 1 something failed (the rest was done), 2 wrong arguments"

# What annotated pictures are written as; names with another suffix get .png.
_WRITABLE = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class PictureFile:
    """A file to read, and its name below the folder that was given (or its file name)."""

    path: Path
    name: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; ``arguments`` are those of the process unless given. Returns the exit code."""
    parsed = _parser().parse_args(arguments)
    if parsed.verbose:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold what a console cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except ResEmoteNetError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="resemotenet", description="Find the faces of pictures and read seven emotions.", epilog=EXIT_CODES
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say which device is used")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_convert(commands)
    add_export(commands)
    add_calibrate(commands)
    add_push(commands)
    add_pull(commands)
    return parser


def _add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    predict = commands.add_parser(
        "predict",
        help="print every face of a picture with its emotion",
        description="Print every face of one or more pictures with its emotion; of folders, all pictures below them. "
        "Several pictures show a progress bar in a terminal. A picture that cannot be read is one line on stderr, and "
        "the others are done.",
        epilog=EXIT_CODES,
    )
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a picture or a folder")
    predict.add_argument("--json", action="store_true", help="print JSON, one object and one line a picture")
    predict.add_argument(
        "--save",
        type=Path,
        metavar="OUT",
        help="write the annotated picture: a file, or for several pictures and for folders a folder",
    )
    predict.add_argument(
        "--model",
        metavar="SOURCE",
        help="a model folder, or owner/name on the Hub (default: the weights in the package)",
    )
    predict.add_argument("--revision", help="branch, tag or commit of the model on the Hub")
    predict.add_argument("--device", default="auto", help="auto (CUDA where there is one), cpu, cuda, cuda:1, mps")
    predict.set_defaults(run=_predict, parser=predict)


def _add_convert(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    convert = commands.add_parser(
        "convert",
        help="turn an upstream .pth checkpoint into a model folder",
        description="Turn an upstream .pth checkpoint into a model folder: config.json and model.safetensors.",
        epilog=EXIT_CODES,
    )
    convert.add_argument("checkpoint", type=Path, metavar="IN.pth")
    convert.add_argument("folder", type=Path, metavar="OUT")
    convert.add_argument("--compact", action="store_true", help="leave out the weights that never meet a pixel")
    convert.add_argument(
        "--base-model",
        metavar="OWNER/NAME",
        help="the Hub repository that the checkpoint comes from, if it does: kept as its provenance, named by push",
    )
    convert.set_defaults(run=_convert)


def _convert(arguments: argparse.Namespace) -> int:
    from .checkpoints.convert import convert_upstream

    print(
        convert_upstream(
            arguments.checkpoint, arguments.folder, compact=arguments.compact, base_model=arguments.base_model
        )
    )
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    pictures_of = {path: _pictures(path) for path in dict.fromkeys(arguments.paths)}
    pictures = [picture for each in pictures_of.values() for picture in each]
    several = len(pictures_of) > 1 or arguments.paths[0].is_dir()
    targets = _targets(pictures, arguments.save, several, arguments.parser)
    empty = [path for path, each in pictures_of.items() if not each]
    for path in empty:
        _complain(f"{path}: no pictures in this folder")
    if not pictures:
        return 1

    from tqdm import tqdm

    from .reading.predictor import EmotionPredictor

    try:
        predictor = EmotionPredictor.from_pretrained(
            arguments.model, revision=arguments.revision, device=arguments.device
        )
    except ResEmoteNetError:
        raise
    except ValueError as error:  # a revision of a folder
        arguments.parser.error(str(error))
    failed = len(empty)
    # disable=None: no bar where stderr is not a terminal.
    for picture, target in zip(tqdm(pictures, disable=None if several else True, unit="picture"), targets, strict=True):
        try:
            tqdm.write(_predict_one(predictor, picture.path, target, as_json=arguments.json), file=sys.stdout)
        except ImageError as error:
            tqdm.write(f"resemotenet: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _predict_one(predictor: "EmotionPredictor", path: Path, target: Path | None, *, as_json: bool) -> str:
    """What is printed for one picture; writes the annotated one if there is a target."""
    reading = predictor.read(path)
    if target is not None:
        _save(reading, target)
    if as_json:
        return json.dumps(reading.to_dict())
    text = format_table(reading)
    return text if target is None else f"{text}\n  annotated: {target}"


def format_table(reading: "Reading") -> str:
    """One picture for people: a head line, and a row for every face with percentages and its box in pixels.

    The detection score stands behind faces of which the detector is not sure.
    """
    from .reading.faces import LOW_SCORE

    picture, faces = reading.picture, reading.faces
    count = {0: "no face", 1: "1 face"}.get(len(faces), f"{len(faces)} faces")
    head = f"{picture.path}  {picture.size[0]} x {picture.size[1]}, {count}"
    if not faces:
        return head
    columns = list(faces[0].probabilities)
    widest = max(len("emotion"), *map(len, columns))
    titles = "  ".join(f"{column:>7}" for column in columns)
    lines = [head, f"   #  {'emotion':{widest}}  {titles}     x1    y1    x2    y2"]
    for number, face in enumerate(faces, start=1):
        percents = "  ".join(f"{face.probabilities[column]:{max(7, len(column))}.1%}" for column in columns)
        box = " ".join(f"{value:5.0f}" for value in face.box)
        unsure = f"  detection {face.detection_score:.1%}" if face.detection_score < LOW_SCORE else ""
        lines.append(f"{number:4}  {face.label:{widest}}  {percents}  {box}{unsure}")
    return "\n".join(lines)


def _pictures(path: Path) -> list[PictureFile]:
    """The picture itself, or all pictures below a folder, sorted; hidden files are not looked at."""
    if not path.is_dir():
        return [PictureFile(path, Path(path.name))]
    from .reading.images import SUFFIXES

    files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES)
    return [PictureFile(f, f.relative_to(path)) for f in files if f.is_file() and not f.name.startswith(".")]


def _targets(
    pictures: Sequence[PictureFile], save: Path | None, several: bool, parser: argparse.ArgumentParser
) -> list[Path | None]:
    """Where the annotated pictures go, checked before any work is done."""
    if save is None:
        return [None] * len(pictures)
    targets: list[Path | None] = []
    if several or save.is_dir():
        if save.is_file() or save.suffix.lower() in _WRITABLE:
            parser.error(f"--save {save}: with several pictures, or a folder of them, this must be a folder")
        for picture in pictures:
            targets.append(_free_name(save / picture.name, targets))
    else:
        if save.suffix.lower() not in _WRITABLE:
            parser.error(f"--save {save}: the name must end in {', '.join(_WRITABLE)}")
        targets.append(save)
    inputs = {picture.path.resolve() for picture in pictures}
    for target in targets:
        if target is not None and target.resolve() in inputs:
            parser.error(f"--save {save}: this would write over {target}, which is to be read; name another place")
    return targets


def _free_name(path: Path, taken: Sequence[Path | None]) -> Path:
    """``path`` with a suffix that can be written, numbered if another picture of this call has the name."""
    suffix = path.suffix if path.suffix.lower() in _WRITABLE else ".png"
    name, number = path.with_suffix(suffix), 1
    while name in taken:
        number += 1
        name = path.with_name(f"{path.stem}-{number}{suffix}")
    return name


def _save(reading: "Reading", target: Path) -> None:
    from .reading.drawing import annotate

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        annotate(reading).save(target, quality=92)
    except OSError as error:
        raise ImageError(f"{target}: cannot be written ({error.strerror or error})") from error


def _complain(message: str) -> None:
    print(f"resemotenet: {message}", file=sys.stderr)
