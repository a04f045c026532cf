"""The commands that make a model ready for other programs and for 8 bits: export and calibrate."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..runs.label_sets import label_set
from ..runs.schema import Int8Cost

if TYPE_CHECKING:
    from ..checkpoints.checkpoint import LoadedModel
    from ..datasets.catalogue import Whole

# How many training faces the ranges are read off, and the seed with which they are drawn.
_FACES, _SEED = 256, 0

_EXIT_CODES = "exit codes: 0 all went well, 1 something failed, 2 wrong arguments"


def add_export(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command export."""
    export = commands.add_parser(
        "export",
        help="write a model as an ONNX file, or all that reads pictures, for programs in any language",
        description="Write the network of a model folder as an ONNX file. Its metadata says how to use it: labels, "
        "preprocessing, views, temperature and bias. With --reader also what finds the faces.",
        epilog=_EXIT_CODES,
    )
    export.add_argument("folder", type=Path, metavar="FOLDER", help="a model folder")
    export.add_argument("--out", type=Path, help="the file (default: the folder's name with .onnx or .int8.onnx)")
    export.add_argument(
        "--int8",
        action="store_true",
        help="8-bit: a quarter of the size; uses the ranges in config.json, or else measures them on --data",
    )
    export.add_argument("--data", type=Path, help="a data set that training reads; says what --int8 costs on it")
    export.add_argument(
        "--reader",
        action="store_true",
        help="write a folder with all that reads pictures: the face detector's three graphs, the network in 8 bits, "
        "what explains it, and one JSON with every number (default: the folder's name with .reader)",
    )
    export.set_defaults(run=_export, parser=export)


def add_calibrate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command calibrate."""
    calibrate = commands.add_parser(
        "calibrate",
        help="prepare a model folder for 8-bit precision",
        description="Read off faces between which values the network of a model folder computes, and what 8 bits cost. "
        "Both is written into its config.json; then --precision int8 can be asked for.",
        epilog=_EXIT_CODES,
    )
    calibrate.add_argument("folder", type=Path, metavar="FOLDER", help="a model folder")
    calibrate.add_argument("--data", type=Path, required=True, help="the data set that the model was trained on")
    calibrate.set_defaults(run=_calibrate)


def _export(arguments: argparse.Namespace) -> int:
    from ..checkpoints.checkpoint import load_model
    from ..checkpoints.export import export_onnx

    if arguments.data and not arguments.int8:
        arguments.parser.error("--data is for --int8: an exact file answers as the model does")
    if arguments.reader:
        return _export_reader(arguments)
    model, said = load_model(arguments.folder), None
    if arguments.data:
        data = Faces.read(arguments.data, model)
        model = data.calibrated() if model.info.int8 is None else model
        said = in_words(data.cost(model))
    precision, ending = ("int8", ".int8.onnx") if arguments.int8 else ("exact", ".onnx")
    path = export_onnx(model, arguments.out or Path(f"{model.folder.name}{ending}"), precision)
    print(f"{path}: {model.info.architecture}, {precision}, {path.stat().st_size / 1e6:.1f} MB")
    if said is not None:
        print(said)
    return 0


def _export_reader(arguments: argparse.Namespace) -> int:
    from ..checkpoints.checkpoint import load_model
    from ..checkpoints.pretrained import resolve
    from ..reading.portable import write_reader

    if arguments.int8:
        arguments.parser.error("--reader is in 8 bits anyway, with the ranges of config.json")
    source = resolve(arguments.folder)
    files = write_reader(load_model(source.folder), source, arguments.out or Path(f"{source.folder.name}.reader"))
    for path in files:
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _calibrate(arguments: argparse.Namespace) -> int:
    from ..checkpoints.checkpoint import load_model, write_info

    data = Faces.read(arguments.data, load_model(arguments.folder))
    model = data.calibrated()
    cost = data.cost(model)
    assert model.info.int8 is not None
    write_info(arguments.folder, replace(model.info, int8=replace(model.info.int8, measured=(cost,))))
    print(in_words(cost))
    return 0


@dataclass(frozen=True)
class Faces:
    """Faces for a model: some to calibrate it on, others to say what 8 bits cost.

    Attributes:
        dataset: the name of the data set.
        labels: the label definition that says what is right: that by which the model's epoch was chosen, if the data
            has it, else the data's own.
    """

    model: "LoadedModel"
    dataset: str
    labels: str
    whole: "Whole"

    @classmethod
    def read(cls, path: Path, model: "LoadedModel") -> "Faces":
        """Raises ``DatasetError`` where there is no data set, or none of the seven emotions."""
        from ..datasets import FER2013, recognise
        from ..runs.label_sets import teaching

        info, _, _ = recognise(path)
        whole = info.read(path)
        known = whole.definitions if isinstance(whole, FER2013) else (whole.name,)
        wanted = teaching(str(model.info.training.get("labels"))).deciding
        return cls(model, info.name, wanted if wanted in known else known[0], whole)

    def calibrated(self) -> "LoadedModel":
        """The model with ranges for int8, read off some training faces."""
        import numpy as np

        from ..checkpoints.export import calibrated

        train = self.whole.split("train")
        rows = np.random.default_rng(_SEED).permutation(len(train))[:_FACES]
        about = {"dataset": self.dataset, "split": "train", "seed": _SEED}
        pixels = train.read(np.sort(rows), self.model.preprocess.size)
        return replace(self.model, info=calibrated(self.model, pixels, about))

    def cost(self, model: "LoadedModel") -> Int8Cost:
        """What int8 costs that model on the validation split."""
        import numpy as np

        from ..checkpoints.export import cost_of_int8
        from ..emotions import EMOTIONS

        faces = self.whole.split("validation", self.labels)
        pixels = faces.read(np.arange(len(faces)), model.preprocess.size)
        truth = [EMOTIONS[target] for target in faces.targets]
        which = {"dataset": self.dataset, "labels": self.labels, "split": "validation"}
        return cost_of_int8(model, pixels, truth, **which)


def in_words(cost: Int8Cost) -> str:
    """One line."""
    return (
        f"{cost.dataset} {cost.split}, {label_set(cost.labels).name}, n = {cost.n}: {cost.int8:.2%} right in 8 bits, "
        f"{cost.exact:.2%} exact; the same label on {cost.same:.1%}, probabilities differ by up to {cost.largest:.2f}"
    )
