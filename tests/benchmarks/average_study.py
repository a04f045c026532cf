"""What the moving average of the weights and the mirror image are worth: accuracy on validation, four ways.

    python -m tests.benchmarks.average_study RUN [RUN ...] --data PATH

Of each run the weights after its last epoch are read from its state, as trained and averaged; both read every face
once, and once more together with its mirror image. Nothing is chosen, and test is not touched. Differences are given
with the paired 95% interval, against the weights as trained with one view.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from resemotenet.checkpoints.checkpoint import LoadedModel
from resemotenet.errors import TrainingError
from resemotenet.models import create_model
from resemotenet.runs.paired import pair_up
from resemotenet.runs.results import Predictions, ResultsFolder
from resemotenet.runs.schema import RunConfig, read
from training.description import describe
from training.evaluation import predict
from training.loading import load_data_of
from training.recorder import Recorder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    print(f"{'run':58} {'weights':10} {'views':6} accuracy, %  points [95%] against as trained, one view")
    for run in arguments.runs:
        folder = ResultsFolder(run)
        config = replace(read(RunConfig, folder.config, TrainingError), data=arguments.data)
        data = load_data_of(folder, config)
        faces = data.scored["validation"][data.primary]
        first: Predictions | None = None
        for weights, model in both(folder, config).items():
            for views in ("none", "flip"):
                found = predict(replace(model, info=replace(model.info, views=views)), faces)
                first = first or found
                pair = pair_up(first, found, split="validation", labels=data.primary)
                low, high = (100 * end for end in pair.interval)
                accuracy = 100 * float(found.correct.mean())
                print(
                    f"{run.name:58} {weights:10} {views:6} {accuracy:10.2f}   {100 * pair.difference:+.2f} "
                    f"[{low:+.2f}, {high:+.2f}]"
                )


def both(folder: ResultsFolder, config: RunConfig) -> dict[str, LoadedModel]:
    """The network after the last epoch, as trained and averaged."""
    state = Recorder(folder.path).load_state()
    if state is None or "average" not in state:
        raise SystemExit(f"{folder.path} has no state with a moving average in {folder.resume}")
    info = describe(config)
    average = {name.removeprefix("module."): value for name, value in state["average"].items() if name != "n_averaged"}
    models = {}
    for name, weights in (("as trained", state["model"]), ("averaged", average)):
        module = create_model(info.architecture, **info.arguments)
        module.load_state_dict(weights, strict=True)
        models[name] = LoadedModel(module.to(memory_format=torch.channels_last).eval(), info, folder.path)
    return models


if __name__ == "__main__":
    main()
