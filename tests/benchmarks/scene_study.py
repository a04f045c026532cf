"""How well faces are found and read in pictures that are not ready-made crops: size, turn, blur, light, noise, JPEG.

    python -m tests.benchmarks.scene_study --data PATH [--model NAME=SOURCE ...] [--not-turned] [--out study.json]
        [--plot study.html]

FER2013's PublicTest faces (labels: FER+ strict) are pasted, tinted like skin and with soft borders, into coloured
clutter, up to six a picture; then the whole picture is turned, blurred, darkened and so on, one thing at a time, and
goes through detector, crop and network as a visitor's would. A face is found when a detected box has its centre inside
the pasted frame and between a third and three times its area; it is right when the label is the crowd's. Boxes that
belong to no face are counted as false. Several models read the very same boxes. Finding takes most of the time, and
with --boxes FILE it is done once: another model later reads what was found then. With --not-turned the last model also
reads every face as it lies, without turning it upright first.

What it cannot say: these faces are 48 pixels wide, so a large one is smooth where a photograph is sharp; their frames
are cut tight, so there is no hair or neck; and they are all from one source. It ranks conditions and catches a loss.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from plotly.subplots import make_subplots
from tqdm import tqdm

from resemotenet import EMOTIONS, EmotionPredictor, Reading
from resemotenet.datasets import FaceSet, read_fer2013
from resemotenet.reading.faces import Box, Face, FaceDetector
from resemotenet.reading.images import Picture
from resemotenet.runs.metrics import wilson_interval

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from numpy.typing import NDArray

WIDTH, HEIGHT = 1024, 768
SIDE = 160
BACKGROUNDS = 24
# What a grey face is multiplied with, in the proportions of skin in sRGB photographs. The face's own tone stays in it,
# so the last makes dark faces darker than any: this varies colour and light together, not people.
SKIN = ((1.0, 0.84, 0.75), (0.95, 0.75, 0.60), (0.78, 0.56, 0.42), (0.50, 0.34, 0.25))


@dataclass(frozen=True)
class Condition:
    """One setting of one thing that is varied.

    ``picture`` changes the whole scene; ``light`` that of the faces alone, before a background as bright as a window.
    """

    name: str
    value: float
    side: int = SIDE
    turn: float = 0.0
    cut: float = 0.0
    tint: int | None = None
    alone: bool = False
    light: float = 1.0
    picture: Callable[[Image.Image, np.random.Generator], Image.Image] = field(default=lambda image, draw: image)

    @property
    def grid(self) -> tuple[int, int]:
        """Columns and rows of faces with half a side between them, at most six in all."""
        if self.alone:
            return 1, 1
        rows = max(1, min(2, int(HEIGHT / (1.5 * self.side))))
        return 1 if self.cut else max(1, min(3, int(WIDTH / (1.5 * self.side)))), rows


@dataclass(frozen=True)
class Score:
    """Counts under one condition; ``right`` by model."""

    name: str
    value: float
    n: int
    found: int
    false: int
    right: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        intervals = {model: list(wilson_interval(right, self.n)) for model, right in self.right.items()}
        return vars(self) | {"right_of_all_interval": intervals}

    def row(self) -> str:
        cells = [f"{self.name:22} {self.value:6g} {self.n:5}  {self.found / self.n:7.1%} {self.false:6}"]
        for right in self.right.values():
            of_found = f"{right / self.found:.1%}" if self.found else "-"
            cells.append(f"{of_found:>6} of found {right / self.n:6.1%} of all")
        return "   ".join(cells)


def conditions() -> Iterator[Condition]:
    """Everything that is varied, one thing at a time around the plain scene."""
    yield Condition("plain", 0)
    yield from (Condition("side, px", side, side=side) for side in (24, 32, 40, 48, 64, 96, 128, 240, 360, 600))
    yield from (Condition("turn, degrees", turn, turn=turn) for turn in (-90, -60, -45, -30, -15, 15, 30, 45, 60, 90))
    # The detector searches a picture turned only where nobody in it stands upright.
    yield from (Condition("turn of a lone face", turn, turn=turn, alone=True) for turn in (0, 45, 90, 135, 180))
    yield from (Condition("cut off at the left", cut, cut=cut) for cut in (0.1, 0.2, 0.3, 0.4))
    yield from (Condition("tint, pale to dark", tone, tint=tone) for tone in range(len(SKIN)))
    yield from (
        Condition("blur, % of the side", share, picture=_blurred(share / 100 * SIDE)) for share in (1, 2, 4, 6, 8)
    )
    yield from (Condition("light, x", factor, picture=_lit(factor)) for factor in (0.08, 0.15, 0.3, 0.6, 1.5, 2.5))
    for factor in (0.1, 0.15, 0.2, 0.3, 0.5):
        yield Condition("before a window, x", factor, alone=True, light=factor)
        yield Condition("beside a window, x", factor, alone=True, picture=_beside_a_window(factor))
    yield from (Condition("light from one side", share, picture=_shaded(share)) for share in (0.5, 0.8, 0.95))
    yield from (Condition("noise, grey levels", sigma, picture=_noisy(sigma)) for sigma in (8, 16, 32, 64))
    yield from (Condition("JPEG quality", quality, picture=_compressed(quality)) for quality in (75, 40, 20, 10, 5))


def _blurred(sigma: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    return lambda image, draw: image.filter(ImageFilter.GaussianBlur(sigma))


def _lit(factor: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    return lambda image, draw: ImageEnhance.Brightness(image).enhance(factor)


def _beside_a_window(factor: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    """A dark room, of which three tenths are a window."""

    def room(image: Image.Image, draw: np.random.Generator) -> Image.Image:
        dark = _lit(factor)(image, draw)
        dark.paste(_bright(image).crop((0, 0, 3 * WIDTH // 10, HEIGHT)))
        return dark

    return room


def _bright(image: Image.Image) -> Image.Image:
    return image.point(lambda level: 255 - 0.4 * (255 - level))


def _shaded(share: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    """Every face's width goes from full light to ``1 - share`` of it, again and again over the picture."""

    def shade(image: Image.Image, draw: np.random.Generator) -> Image.Image:
        ramp = 1 - share * ((np.arange(WIDTH) % (WIDTH // 3)) / (WIDTH // 3))
        return _image(np.asarray(image) * ramp[None, :, None])

    return shade


def _noisy(sigma: float) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    return lambda image, draw: _image(np.asarray(image) + draw.normal(0, sigma, (image.height, image.width, 3)))


def _compressed(quality: int) -> Callable[[Image.Image, np.random.Generator], Image.Image]:
    def compress(image: Image.Image, draw: np.random.Generator) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return compress


def _image(pixels: "NDArray[Any]") -> Image.Image:
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


@cache
def clutter(number: int) -> Image.Image:
    """Coloured noise whose detail falls off as in photographs (amplitude 1 / frequency), and some flat shapes."""
    draw = np.random.default_rng(number)
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None, :])
    frequency[0, 0] = np.inf
    # Mostly the same in all three channels: the world is less colourful than three independent ones would be.
    shared, own = draw.normal(size=(1, HEIGHT, WIDTH)), draw.normal(size=(3, HEIGHT, WIDTH))
    spectrum = np.fft.rfft2(shared + 0.4 * own) / frequency
    noise = np.fft.irfft2(spectrum, s=(HEIGHT, WIDTH)).transpose(1, 2, 0)
    image = _image(128 + 45 * noise / noise.std())
    shapes = ImageDraw.Draw(image)
    for _ in range(8):
        x, y = draw.integers(0, (WIDTH, HEIGHT))
        w, h = draw.integers(20, 300, 2)
        shapes.rectangle((x, y, x + w, y + h), fill=tuple(int(value) for value in draw.integers(0, 256, 3)))
    return image


def scene(
    faces: "NDArray[np.uint8]", condition: Condition, draw: np.random.Generator
) -> tuple[Image.Image, list[tuple[float, float]]]:
    """Faces (N, 48, 48) in clutter under one condition, and the (x, y) of their centres."""
    image, side = clutter(int(draw.integers(BACKGROUNDS))).copy(), condition.side
    if condition.light < 1:
        image = _bright(image)
    columns, rows = condition.grid
    cell_width, cell_height = WIDTH / columns, HEIGHT / rows
    centres = []
    for number, pixels in enumerate(faces):
        column, row = number % columns, number // columns
        x = (column + 0.5) * cell_width
        y = (row + 0.5) * cell_height
        if condition.cut:  # the part of the frame that lies outside
            x = side * (0.5 - condition.cut)
        _paste(image, pixels, (x, y), condition, draw)
        centres.append((x, y))
    return condition.picture(image, draw), centres


def _paste(
    image: Image.Image,
    pixels: "NDArray[np.uint8]",
    centre: tuple[float, float],
    condition: Condition,
    draw: np.random.Generator,
) -> None:
    side = condition.side
    face = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    tint = SKIN[condition.tint if condition.tint is not None else int(draw.integers(2))]
    colours = _image(np.asarray(face)[..., None] * np.array(tint) * condition.light)
    mask = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(mask).rounded_rectangle((side * 0.1, side * 0.1, side * 3.9, side * 3.9), side * 1.2, fill=255)
    mask = mask.resize((side, side)).filter(ImageFilter.GaussianBlur(side * 0.03))
    if condition.turn:
        colours = colours.rotate(condition.turn, Image.Resampling.BICUBIC, expand=True)
        mask = mask.rotate(condition.turn, Image.Resampling.BICUBIC, expand=True)
    image.paste(colours, (round(centre[0] - colours.width / 2), round(centre[1] - colours.height / 2)), mask)


def match(found: Sequence[Box], centres: Sequence[tuple[float, float]], side: float) -> list[int | None]:
    """For each pasted face the number of the box that is it, or None; every box is at most one face."""
    matches: list[int | None] = []
    free = set(range(len(found)))
    for x, y in centres:
        best = None
        for number in sorted(free):
            x1, y1, x2, y2 = found[number]
            inside = abs((x1 + x2) / 2 - x) < side / 2 and abs((y1 + y2) / 2 - y) < side / 2
            if inside and 1 / 3 < (x2 - x1) * (y2 - y1) / side**2 < 3:
                best = number
                free.discard(number)
                break
        matches.append(best)
    return matches


class Reader(Protocol):
    """What reads faces that were found; an ``EmotionPredictor`` does."""

    def read(self, image: Picture, faces: Sequence[Face]) -> Reading: ...


class AsTheyLie:
    """Reads faces without turning them upright: without landmarks nobody knows how far they lean."""

    def __init__(self, predictor: EmotionPredictor) -> None:
        self.predictor = predictor

    def read(self, image: Picture, faces: Sequence[Face]) -> Reading:
        return self.predictor.read(image, [replace(face, landmarks=()) for face in faces])


class Boxes:
    """A detector that remembers what it found in the picture of each key, in a file if there is one.

    Args:
        made_of: what the pictures depend on; a file of other pictures is refused.
    """

    def __init__(self, detector: FaceDetector, file: Path | None, made_of: dict[str, Any]) -> None:
        self.detector, self.file, self.made_of = detector, file, made_of
        self.known: dict[str, list[dict[str, Any]]] = {}
        if file and file.exists():
            stored = json.loads(file.read_text(encoding="utf-8"))
            if stored["made_of"] != made_of:
                raise SystemExit(f"{file} is about {stored['made_of']}, not about {made_of}; name another file")
            self.known = stored["boxes"]

    def find(self, key: str, image: Image.Image) -> list[Face]:
        if key not in self.known:
            self.known[key] = [asdict(face) for face in self.detector.detect(image)]
        return [
            Face(tuple(each["box"]), each["score"], tuple(map(tuple, each.get("landmarks", ()))))
            for each in self.known[key]
        ]

    def save(self) -> None:
        if self.file:
            self.file.write_text(json.dumps({"made_of": self.made_of, "boxes": self.known}), encoding="utf-8")


def measure(readers: dict[str, Reader], boxes: Boxes, faces: FaceSet, condition: Condition, seed: int) -> Score:
    """Paste all faces under one condition and count."""
    draw = np.random.default_rng(seed)
    each = condition.grid[0] * condition.grid[1]
    found_all = false = 0
    right = dict.fromkeys(readers, 0)
    for start in range(0, len(faces), each):
        image, centres = scene(faces.images[start : start + each, 0], condition, draw)
        picture = Picture.open(image)
        found = boxes.find(f"{condition.name} {condition.value:g} {start}", picture.light)
        matches = match([face.box for face in found], centres, condition.side)
        hits = [(start + row, number) for row, number in enumerate(matches) if number is not None]
        found_all += len(hits)
        false += len(found) - len(hits)
        for name, reader in readers.items():
            read = reader.read(picture, [found[number] for _, number in hits]).faces
            truth = [EMOTIONS[faces.targets[row]] for row, _ in hits]
            right[name] += sum(face.label == label for face, label in zip(read, truth, strict=True))
    return Score(condition.name, condition.value, len(faces), found_all, false, right)


def curves(scores: Sequence[Score]) -> "go.Figure":
    """One panel a condition: share of faces found, and by each model the share of all that is read right."""
    names = [name for name in dict.fromkeys(score.name for score in scores) if name != "plain"]
    figure = make_subplots(rows=-(-len(names) // 3), cols=3, subplot_titles=names, vertical_spacing=0.11)
    models = list(scores[0].right)
    lines: dict[str, Callable[[Score], float]] = {"found": lambda score: score.found / score.n}
    for model in models:
        title = "found and read right" + (f", {model}" if len(models) > 1 else "")
        lines[title] = lambda score, model=model: score.right[model] / score.n  # type: ignore[misc]
    for number, name in enumerate(names):
        own = sorted((score for score in scores if score.name == name), key=lambda score: score.value)
        for (title, share), colour in zip(lines.items(), ("#9aa0a6", "#0072b2", "#d55e00", "#009e73"), strict=False):
            figure.add_scatter(
                x=[f"{score.value:g}" for score in own], y=[100 * share(score) for score in own], name=title,
                mode="lines+markers", line_color=colour, legendgroup=title, showlegend=number == 0,
                row=number // 3 + 1, col=number % 3 + 1,
            )  # fmt: skip
    figure.update_xaxes(type="category")
    figure.update_yaxes(range=[0, 102], ticksuffix=" %")
    figure.update_layout(
        template="plotly_white", width=1200, height=280 * (-(-len(names) // 3)), margin={"l": 50, "r": 20, "t": 70},
        legend={"orientation": "h", "y": 1.09},
    )  # fmt: skip
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FER2013 with votes, in any layout that is read")
    parser.add_argument("--n", type=int, default=300, help="faces for each condition (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="which faces are drawn, and the scenes (default 0)")
    parser.add_argument("--model", action="append", default=[], help="NAME=SOURCE, once or more; else the bundled one")
    parser.add_argument("--not-turned", action="store_true", help="the last model also reads faces as they lie")
    parser.add_argument("--only", default="", help="only conditions whose name holds this")
    parser.add_argument("--boxes", type=Path, help="keep what was found in this file, and take it from there")
    parser.add_argument("--out", type=Path, help="write all counts as JSON")
    parser.add_argument("--plot", type=Path, help="write the curves as HTML")
    parser.add_argument("--show", type=Path, help="write one scene of each condition into this folder, to look at")
    arguments = parser.parse_args()

    faces = read_fer2013(arguments.data).split("validation", "ferplus-strict")
    keep = np.zeros(len(faces), bool)
    keep[np.random.default_rng(arguments.seed).permutation(len(faces))[: arguments.n]] = True
    faces = faces.where(keep)
    sources = dict(each.split("=", 1) for each in arguments.model) or {"bundled": None}
    predictors = {name: EmotionPredictor.from_pretrained(source) for name, source in sources.items()}
    detector = next(iter(predictors.values())).detector
    readers: dict[str, Reader] = dict(predictors)
    if arguments.not_turned:
        last = list(predictors)[-1]
        readers[f"{last}, not turned upright"] = AsTheyLie(predictors[last])
    boxes = Boxes(detector, arguments.boxes, {"n": arguments.n, "seed": arguments.seed, "width": WIDTH})
    chosen = [condition for condition in conditions() if arguments.only in condition.name]
    scores = []
    print(f"{'condition':22} {'value':>6}     n  found %  false   right: {', '.join(readers)}")
    for condition in tqdm(chosen, file=sys.stderr, unit="condition"):
        if arguments.show:
            arguments.show.mkdir(parents=True, exist_ok=True)
            image, _ = scene(faces.images[:2, 0], condition, np.random.default_rng(arguments.seed))
            name = "".join(letter if letter.isalnum() else "-" for letter in condition.name)
            image.save(arguments.show / f"{name}-{condition.value:g}.png")
        scores.append(measure(readers, boxes, faces, condition, arguments.seed))
        tqdm.write(scores[-1].row())
        sys.stdout.flush()
        boxes.save()
        if arguments.out:
            written = [score.to_dict() for score in scores]
            arguments.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        curves(scores).write_html(arguments.plot)


if __name__ == "__main__":
    main()
