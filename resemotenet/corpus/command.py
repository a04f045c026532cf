"""``python -m resemotenet predict PHOTOS/ VIDEO.mp4 --out faces.parquet``: the options of many pictures and films."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import printable

if TYPE_CHECKING:
    from ..reading.predictor import EmotionPredictor
    from .journal import Counts

ENGINES = ("threads", "ray")
# Seconds between two readings of a film: five a second.
EVERY = 0.2


def add_many(predict: argparse.ArgumentParser) -> None:
    """The options that go with --out."""
    many = predict.add_argument_group(
        "many pictures, and films",
        "One table with a row a face, and a second one (NAME.missed) with a row for each picture without a face and "
        "each that cannot be read. Stopped at any moment, the same command goes on where it was.",
    )
    many.add_argument("--out", type=Path, metavar="TABLE", help="write a table: .parquet, .csv or .jsonl")
    many.add_argument("--workers", type=int, metavar="N", help="pictures that are read at once (default: one a core)")
    times = many.add_mutually_exclusive_group()
    times.add_argument("--every", type=float, metavar="SECONDS", help=f"between readings of a film (default: {EVERY})")
    times.add_argument("--fps", type=float, metavar="N", help="readings of a film a second")
    many.add_argument(
        "--rate", type=float, default=25.0, metavar="N", help="pictures a second of FOLDER/%%05d.png (default: 25)"
    )
    many.add_argument("--annotate", type=Path, metavar="OUT", help="a folder for annotated pictures and films (H.264)")
    many.add_argument(
        "--engine", choices=ENGINES, default="threads", help="threads of this machine, or ray: several machines"
    )
    many.add_argument("--address", metavar="ADDRESS", help="the Ray cluster (default: this machine)")


def check_options(arguments: argparse.Namespace) -> None:
    """Leave with a message where options do not go together."""
    refuse = arguments.parser.error
    if arguments.out is None:
        for name in ("workers", "every", "fps", "annotate", "address"):
            if getattr(arguments, name) is not None:
                refuse(f"--{name} goes with --out TABLE")
        if arguments.engine != "threads":
            refuse("--engine goes with --out TABLE")
        return
    if arguments.json or arguments.save:
        refuse("--out writes a table; --json and --save go without it (annotated pictures: --annotate OUT)")
    for name in ("workers", "every", "fps", "rate"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value < float("inf"):
            refuse(f"--{name} must be more than 0, got {value}")
    if arguments.address is not None and arguments.engine != "ray":
        refuse("--address goes with --engine ray")
    if arguments.engine == "ray" and arguments.annotate is not None:
        refuse("--annotate is done by this machine alone: leave out --engine ray")


def read_many(arguments: argparse.Namespace, load: Callable[..., "EmotionPredictor"]) -> int:
    """Read everything that is named into the tables; returns the exit code.

    Raises:
        CorpusError: the tables cannot be written, or another call is at work on them.
    """
    from ..checkpoints.backends import core_count
    from ..reading.detector import MTCNNDetector
    from .bulk import Settings, read_corpus
    from .work import settle

    settle()
    settings = Settings(
        out=arguments.out,
        workers=arguments.workers or core_count(),
        every=1 / arguments.fps if arguments.fps else arguments.every or EVERY,
        rate=arguments.rate,
        annotated=arguments.annotate,
    )
    options: dict[str, Any] = {"detector": MTCNNDetector(every_core=False, backend=_detector_backend(arguments))}
    predictor = load(arguments, **options)
    if arguments.engine == "ray":
        from .ray_engine import read_with_ray

        counts, seconds = read_with_ray(predictor, arguments.paths, settings, arguments.address)
    else:
        counts, seconds = read_corpus(predictor, arguments.paths, settings)
    print(printable(_summary(counts, seconds, settings.out)), file=sys.stderr)
    return 1 if counts.broken else 0


def _detector_backend(arguments: argparse.Namespace) -> str:
    return "torch" if arguments.backend == "torch" else "auto"


def _summary(counts: "Counts", seconds: float, out: Path) -> str:
    from .tables import missed_path

    speed = f", {counts.now / seconds:,.1f} a second" if counts.now and seconds else ""
    return (
        f"{counts.readings:,} pictures and frames read{speed}: {counts.faces:,} faces; {counts.without:,} without a "
        f"face, {counts.broken:,} that could not be read\n{out}\n{missed_path(out)}"
    )
