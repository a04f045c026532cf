"""The command line: ``python -m resemotenet predict photo.jpg``, ``python -m resemotenet convert model.pth out/``.

Nothing heavy is imported before a command runs, so that --help and wrong arguments are answered at once.
"""

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .corpus.command import add_many, check_options, read_many
from .corpus.timeline_command import add_timeline
from .errors import ImageError, ResEmoteNetError, in_words, printable
from .publishing.commands import add_pull, add_push
from .publishing.export_commands import add_calibrate, add_export

if TYPE_CHECKING:
    from .reading.predictor import EmotionPredictor
    from .reading.reading import Reading
    from .reading.sources import Member, Unreadable

EXIT_CODES = "exit codes: 0 all went well, 1 something failed (the rest was done), 2 wrong arguments"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; ``arguments`` are those of the process unless given. Returns the exit code."""
    try:
        try:
            return _run(arguments)
        finally:  # here, since what is still buffered would fail when Python ends
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:
        leave_closed_pipe()
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str] | None) -> int:
    print_any_name()
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser()
    parsed = parser.parse_args(words)
    if "" in words and "" not in getattr(parsed, "paths", ()):  # of pictures each is answered for itself
        parser.error("an argument is empty, and would mean the folder you are in; is a variable not set?")
    if parsed.verbose:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        code: int = parsed.run(parsed)
    except ResEmoteNetError as error:
        _complain(str(error))
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        _complain(in_words(error))
        return 1
    return code


def print_any_name() -> None:
    """What the console or the file behind stdout cannot encode, in a file's name say, is printed as an escape code.

    Where there is no stdout or stderr at all, as a scheduler may have it, what is printed goes nowhere.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def leave_closed_pipe() -> None:
    """The reader, say `head`, has seen enough: nobody is told of what is left to be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="resemotenet", description="Find the faces of pictures and read seven emotions.", epilog=EXIT_CODES
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say which device and backend are used")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_predict(commands)
    add_timeline(commands)
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
    predict.add_argument(
        "paths", nargs="+", metavar="PATH", help="a picture, a folder or a zip; with --out also a film, or - for a list"
    )
    predict.add_argument(
        "--json",
        action="store_true",
        help="print JSON, one object and one line a picture; of one that cannot be read, its path and the error",
    )
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
    predict.add_argument(
        "--backend", default="auto", help="auto (ONNX Runtime on a CPU, torch elsewhere), onnxruntime, torch"
    )
    predict.add_argument("--precision", default="exact", help="exact, or int8: several times as fast on a CPU")
    add_many(predict)
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
    check_options(arguments)
    if arguments.out is not None:
        return read_many(arguments, _load)
    pictures, failures = _find(dict.fromkeys(arguments.paths))
    several = len(set(arguments.paths)) > 1 or os.path.isdir(arguments.paths[0])
    targets = _targets(pictures, arguments.save, several, arguments.parser)
    for failure in failures:
        _tell(failure.name, failure.message, as_json=arguments.json)
    if not pictures:
        return 1

    from tqdm import tqdm

    from .reading.saving import save_annotated

    predictor = _load(arguments)
    failed = len(failures)
    # disable=None: no bar where stderr is not a terminal.
    bar = tqdm(pictures, disable=None if several else True, unit="picture")
    for picture, target in zip(bar, targets, strict=True):
        try:
            reading = predictor.read(picture.path if picture.inside is None else picture.open())
            report = json.dumps(reading.to_dict()) if arguments.json else format_table(reading)
        except ImageError as error:
            _tell(picture.name, str(error), as_json=arguments.json)
            failed += 1
            continue
        except MemoryError:
            message = f"{picture.name}: there is not enough memory for this picture; scale it down"
            _tell(picture.name, message, as_json=arguments.json)
            failed += 1
            continue
        if target is not None:
            try:
                save_annotated(reading, target)
                report += "" if arguments.json else f"\n  annotated: {printable(str(target))}"
            except ImageError as error:  # what was read is printed all the same
                _write(f"resemotenet: {printable(str(error))}", sys.stderr)
                failed += 1
        _write(report, sys.stdout)
    return 1 if failed else 0


def _load(arguments: argparse.Namespace, **options: Any) -> "EmotionPredictor":
    """The predictor that the arguments ask for."""
    from .reading.predictor import EmotionPredictor

    try:
        return EmotionPredictor.from_pretrained(
            arguments.model,
            revision=arguments.revision,
            device=arguments.device,
            backend=arguments.backend,
            precision=arguments.precision,
            **options,
        )
    except ResEmoteNetError:
        raise
    except ValueError as error:  # a revision of a folder
        arguments.parser.error(str(error))
        raise AssertionError("a parser's error ends the process") from error


def _write(text: str, stream: TextIO | None) -> None:
    """A line that does not tear the progress bar; none where the stream was closed before we began."""
    from tqdm import tqdm

    if stream is not None:
        tqdm.write(text, file=stream)


def _tell(name: str, message: str, *, as_json: bool) -> None:
    """One line on stderr, and with --json one on stdout too, so that no picture lacks its line."""
    error = ImageError(message)
    if as_json:
        _write(json.dumps({"schema": 1, "image": {"path": name}, "error": str(error)}), sys.stdout)
    _write(f"resemotenet: {printable(str(error))}", sys.stderr)


def format_table(reading: "Reading") -> str:
    """One picture for people: a head line, and a row for every face with percentages and its box in pixels.

    The detection score stands behind faces of which the detector is not sure.
    """
    from .reading.faces import LOW_SCORE

    picture, faces = reading.picture, reading.faces
    count = {0: "no face", 1: "1 face"}.get(len(faces), f"{len(faces)} faces")
    head = f"{printable(str(picture.path))}  {picture.size[0]} x {picture.size[1]}, {count}"
    if not faces:
        return head
    columns = list(faces[0].probabilities)
    widest = max(len("emotion"), *map(len, columns), *(len(face.answer) for face in faces))
    titles = "  ".join(f"{column:>7}" for column in columns)
    lines = [head, f"   #  {'emotion':{widest}}  {titles}     x1    y1    x2    y2"]
    for number, face in enumerate(faces, start=1):
        percents = "  ".join(f"{face.probabilities[column]:{max(7, len(column))}.1%}" for column in columns)
        box = " ".join(f"{value:5.0f}" for value in face.box)
        unsure = f"  detection {face.detection_score:.1%}" if face.detection_score < LOW_SCORE else ""
        lines.append(f"{number:4}  {face.answer:{widest}}  {percents}  {box}{unsure}")
    return "\n".join(lines)


def _find(names: Iterable[str]) -> tuple[list["Member"], list["Unreadable"]]:
    """The pictures that are named, or lie below folders and in zips that are; and what cannot be looked at."""
    from .reading.sources import Member, Unreadable, members

    pictures: list[Member] = []
    failures: list[Unreadable] = []
    for each in members(names, films=False):
        if isinstance(each, Unreadable):
            failures.append(each)
        elif each.kind != "picture":
            failures.append(Unreadable(each.name, f"{each.name}: a film; name a table for it: --out faces.csv"))
        else:
            pictures.append(each)
    return pictures, failures


def _targets(
    pictures: Sequence["Member"], save: Path | None, several: bool, parser: argparse.ArgumentParser
) -> list[Path | None]:
    """Where the annotated pictures go, checked before any work is done."""
    if save is None:
        return [None] * len(pictures)
    from .reading.saving import FORMATS

    targets: list[Path | None] = []
    if several or os.path.isdir(save):
        if os.path.isfile(save) or save.suffix.lower() in FORMATS:
            parser.error(f"--save {save}: with several pictures, or a folder of them, this must be a folder")
        for picture in pictures:
            targets.append(_free_name(save / picture.below, targets))
    else:
        if save.suffix.lower() not in FORMATS:
            parser.error(f"--save {save}: the name must end in {', '.join(FORMATS)}")
        targets.append(save)
    inputs = {os.path.realpath(picture.path) for picture in pictures}
    for target in targets:
        if target is not None and os.path.realpath(target) in inputs:
            parser.error(f"--save {save}: this would write over {target}, which is to be read; name another place")
    return targets


def _free_name(path: Path, taken: Sequence[Path | None]) -> Path:
    """``path`` with a suffix that can be written, numbered if another picture of this call has the name."""
    from .reading.saving import writable_name

    first = writable_name(path)
    name, number = first, 1
    while name in taken:
        number += 1
        name = first.with_name(f"{first.stem}-{number}{first.suffix}")
    return name


def _complain(message: str) -> None:
    if sys.stderr is not None:
        print(f"resemotenet: {message}", file=sys.stderr)
