"""A finished run for everybody: its small files, without the paths of the machine that it ran on."""

import shutil
from pathlib import Path

from resemotenet.errors import ResultsError, TrainingError
from resemotenet.runs.results import ResultsFolder, write_json
from resemotenet.runs.schema import Audit, Environment, RunConfig, read, without_paths


def publish(folder: ResultsFolder, into: Path) -> Path:
    """Copy what others need to check a run: config, environment, audit, epochs, predictions and result.

    Weights and what resuming needs stay behind, and of paths all but their last part.

    Args:
        folder: a finished run.
        into: the folder that gets a folder of the run's name; one that is there from an earlier call is replaced.

    Raises:
        ResultsError: the run is not finished, or ``into`` is where it lies already, or a file is damaged.
        TrainingError: its config is.
    """
    folder.check_finished()
    published = ResultsFolder(into / folder.path.resolve().name)
    if published.path.resolve() == folder.path.resolve():
        raise ResultsError(f"{folder.path} lies in {into} already; name another place")
    fresh = ResultsFolder(into / f".{published.path.name}.new")
    shutil.rmtree(fresh.path, ignore_errors=True)
    fresh.path.mkdir(parents=True)
    config = read(RunConfig, folder.config, TrainingError)
    write_json(fresh.config, without_paths(config).to_dict())
    write_json(fresh.environment, without_paths(read(Environment, folder.environment), config.places).to_dict())
    write_json(fresh.audit, without_paths(read(Audit, folder.audit), config.places).to_dict())
    for file in (folder.epochs, folder.result):
        shutil.copyfile(file, fresh.path / file.name)
    shutil.copytree(folder.path / "predictions", fresh.path / "predictions")
    shutil.rmtree(published.path, ignore_errors=True)
    fresh.path.rename(published.path)
    return published.path
