"""Feeds what was damaged at random to everything that reads what others wrote; each must answer, or say one sentence.

    make fuzz ARGS="--seconds 600 --seed 7 --only pictures runs"

Pictures, lists of data sets, run folders, model folders, and frames of the live page take turns. A case fails where
another error comes than the readers document, or none within half a minute. What failed is kept, with its error.
"""

import argparse
import base64
import io
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from dashboard import data as dashboard
from demo import guard, handlers, live
from resemotenet import EMOTIONS, EmotionPredictor, create_model
from resemotenet.checkpoints.checkpoint import load_model, save_model
from resemotenet.datasets import recognise, splits_of
from resemotenet.errors import ResEmoteNetError
from resemotenet.reading.detector import MTCNNDetector
from resemotenet.reading.images import read_image
from resemotenet.runs.schema import ModelInfo, Preprocessing
from tests import fake_fer2013, fake_trees
from tests.dashboard.fake_runs import write_run

_LIMIT = 30  # seconds for one case
_Feed = Callable[[Random, Path], None]
_ODD = (
    b"",
    b"\0",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"-1",
    b"1e999",
    b"NaN",
    b'"\\ud800"',
    b"[" * 300,
    b"\r",
    b",,",
    b"#",
)


def damaged(random: Random, content: bytes) -> bytes:
    """Content with a few places changed, cut out, doubled, or cut off; once in fifty as it is."""
    out = bytearray(content)
    for _ in range(random.choice((0, *[1] * 20, *[3] * 20, *[20] * 10)) if out else 0):
        at, length = random.randrange(len(out) + 1), random.choice((1, 2, 4, 16, 300))
        match random.randrange(6):
            case 0:
                out[at : at + length] = random.randbytes(length)
            case 1:
                del out[at : at + length]
            case 2:
                out[at:at] = out[at : at + length] * random.choice((1, 2, 50))
            case 3:
                out[at : at + length] = random.choice(_ODD)
            case 4:
                del out[at:]
            case _:
                out[at : at + 1] = bytes([out[at] ^ 1 << random.randrange(8)]) if at < len(out) else b""
    return bytes(out)


def pictures(folder: Path) -> _Feed:
    astronaut = Image.open(handlers.EXAMPLES_FOLDER / "astronaut.jpg").convert("RGB").resize((96, 96))
    ways: dict[str, dict[str, Any]] = {
        "JPEG": {"exif": Image.Exif(), "progressive": True}, "PNG": {}, "WEBP": {}, "GIF": {}, "BMP": {}, "PPM": {},
        "TIFF": {"compression": "tiff_lzw"}, "JPEG2000": {}, "AVIF": {},
    }  # fmt: skip
    seeds = []
    for kind, options in ways.items():
        buffer = io.BytesIO()
        astronaut.save(buffer, kind, **options)
        seeds.append(buffer.getvalue())

    def feed(random: Random, place: Path) -> None:
        content = damaged(random, random.choice(seeds))
        path = place / "picture"
        path.write_bytes(content)
        for read in (lambda: read_image(path), lambda: guard.open_picture(content)):
            with _refusals():
                read()

    return feed


def lists(folder: Path) -> _Feed:
    fake = fake_fer2013.draw()
    fake_fer2013.write_csv(fake, folder / "fer2013.csv")
    roots = {"fer2013": folder / "fer2013.csv"}
    for name in ("expw", "affectnet"):
        (folder / name).mkdir()
    roots["expw"] = fake_trees.write_expw(folder / "expw")
    roots["affectnet"] = fake_trees.write_affectnet_lists(folder / "affectnet")
    small = {name: root for name, root in roots.items() if root.is_dir()}

    def feed(random: Random, place: Path) -> None:
        root = place / "set"
        if random.randrange(3):
            shutil.copytree(small[random.choice(sorted(small))], root)
            _spoil(random, root, (".lst", ".txt", ".csv"))
        else:
            root.mkdir()
            (root / "fer2013.csv").write_bytes(damaged(random, roots["fer2013"].read_bytes()[:200_000]))
        with _refusals():
            info, _, found = recognise(root)
            splits_of(info.read(found))

    return feed


def runs(folder: Path) -> _Feed:
    run = write_run(folder, n=30)

    def feed(random: Random, place: Path) -> None:
        root = place / run.name
        shutil.copytree(run, root)
        _spoil(random, root, (".json", ".jsonl", ".npz"))
        for found in dashboard.scan([place]):
            json.dumps([found.id, found.problem, found.config], ensure_ascii=False).encode()
            dashboard.scores(found)
            "".join(dashboard.prediction_problems(found)).encode()

    return feed


def models(folder: Path) -> _Feed:
    arguments: dict[str, Any] = {"num_classes": 7, "in_channels": 1, "width": 0.0625, "compact": True}
    shape = Preprocessing(size=48, channels=1, mean=(0.5,), std=(0.25,))
    info = ModelInfo(architecture="resemotenet", arguments=arguments, labels=EMOTIONS, preprocess=shape)
    save_model(folder / "model", create_model("resemotenet", **arguments), info)

    def feed(random: Random, place: Path) -> None:
        shutil.copytree(folder / "model", place / "model")
        _spoil(random, place / "model", (".json", ".safetensors"))
        with _refusals():
            load_model(place / "model")

    return feed


def frames(folder: Path) -> _Feed:
    finder = MTCNNDetector(max_side=live.SEARCH_SIDE, thorough=False, every_core=False)
    predictor = EmotionPredictor.from_pretrained(device="cpu", detector=finder)
    buffer = io.BytesIO()
    with Image.open(handlers.EXAMPLES_FOLDER / "astronaut.jpg") as image:
        image.convert("RGB").resize((320, 320)).save(buffer, "JPEG")
    frame = buffer.getvalue()
    asked = {"frame": _uri(frame), "time": 1.0, "smoothing": 0.2, "memory": None}
    asked = {**asked, "time": 1.1, "memory": live.answer(predictor, finder, asked)["memory"]}

    def feed(random: Random, place: Path) -> None:
        question = asked | {"frame": _uri(damaged(random, frame))} if random.randrange(2) else asked
        text = json.dumps({**question, "frame": ""}).encode()
        try:
            other = json.loads(damaged(random, text))
        except (ValueError, RecursionError):
            other = question
        if isinstance(other, dict):
            other = {**other, "frame": question["frame"]}
        answer = live.answer(predictor, finder, other)
        json.dumps(answer, allow_nan=False).encode()

    return feed


KINDS: dict[str, Callable[[Path], _Feed]] = {
    "pictures": pictures,
    "lists": lists,
    "runs": runs,
    "models": models,
    "frames": frames,
}


def _uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def _spoil(random: Random, root: Path, suffixes: tuple[str, ...]) -> None:
    """One or two of the files that hold no picture."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in suffixes)
    for path in random.sample(files, min(len(files), random.choice((1, 1, 2)))):
        path.write_bytes(damaged(random, path.read_bytes()))


@contextmanager
def _refusals() -> Iterator[None]:
    """What a reader may raise: its own errors, of one sentence that can be written anywhere."""
    try:
        yield
    except ResEmoteNetError as error:
        sentence = str(error)
        sentence.encode()
        if not 0 < len(sentence.strip()) < 5000:
            raise ValueError(f"no sentence: {sentence[:100]!r}") from error


@contextmanager
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"it took more than {_LIMIT} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(seconds: float, seed: int, kinds: Sequence[str], keep: Path) -> tuple[Counter[str], list[str]]:
    """How many cases of each kind were fed within this time, and what failed; that lies in ``keep`` then."""
    fed: Counter[str] = Counter()
    failures = list[str]()
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        feeds = {}
        for kind in kinds:
            (folder := Path(name) / kind).mkdir()
            feeds[kind] = KINDS[kind](folder)
        deadline = time.monotonic() + seconds
        for number in range(sys.maxsize):
            if time.monotonic() > deadline and number >= len(kinds):
                break
            kind = kinds[number % len(kinds)]
            place = Path(name) / "case"
            place.mkdir()
            try:
                with _in_time():
                    feeds[kind](Random(f"{seed} {number}"), place)
            except Exception:  # whatever it is, it is a finding
                case = keep / f"{kind}-{seed}-{number}"
                shutil.copytree(place, case, dirs_exist_ok=True)
                (case / "error.txt").write_text(traceback.format_exc(), encoding="utf-8", errors="replace")
                failures.append(str(case))
            fed[kind] += 1
            shutil.rmtree(place)
    return fed, failures


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed feeds the same cases (default: 0)")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS), help="some of the kinds")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where failing cases go (build/fuzz)")
    options = parser.parse_args(arguments)
    fed, failures = run(options.seconds, options.seed, options.only, options.keep)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in fed.items())
    print(f"{fed.total():,} cases with seed {options.seed}: {counts}; {len(failures)} failed")
    for case in failures:
        print(f"  kept: {case}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
